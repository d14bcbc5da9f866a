"""Tencent SES as typed verbs. The only place that speaks to it.

Every verb is one signed POST; none retries. Version 2020-10-02,
https://www.tencentcloud.com/document/api/1084/39387 (20 requests a second for each action).
"""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from shared.upstream.envelope import decipher_response, read_rows, read_total
from shared.upstream.errors import NOT_JSON, UpstreamRefused, raise_for
from shared.upstream.signing import sign_tc3
from shared.upstream.sites import SITES
from shared.upstream.transport import TIMEOUT_S, post

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from shared.upstream.signing import Credential

VERSION = "2020-10-02"
ANSWER_MARGIN_S = 1.5
"""Seconds kept of the time left, to remember and to tell what SES answered."""
PAGE_ROWS = 100
"""Rows that GetSendEmailStatus and ListSendTasks give at most."""


class Accepted(NamedTuple):
    """What SES says of a mail it took: one message id for the whole call, however many recipients."""

    message_id: str
    request_id: str


class TaskPage(NamedTuple):
    """One page of ListSendTasks."""

    total: int
    rows: list[dict[str, Any]]


class Template(NamedTuple):
    """A template of the account. ``status``: 0 approved, 1 pending, 2 rejected; html and text are base64 as told."""

    status: int
    html: str
    text: str


class Identity(NamedTuple):
    """A sending domain: whether it is verified, its reputation level, how many it may write to a day (0: not told)."""

    domain: str
    is_verified: bool
    level: int
    daily_quota: int


class SesClient:
    """SES with one credential, for one invocation; the connections behind it are warm.

    ``clock`` gives seconds since the epoch: each attempt is signed with the time of that attempt.
    ``time_left_s``, when given, bounds the wait for each piece of an answer: a function that dies waiting tells nobody.
    """

    def __init__(
        self,
        credential: Credential,
        *,
        site: str,
        clock: Callable[[], float],
        region: str = "",
        endpoint: str = "",
        timeout_s: tuple[float, float] = TIMEOUT_S,
        time_left_s: Callable[[], float] | None = None,
    ) -> None:
        self._credential = credential
        self._clock = clock
        self._region = region or SITES[site].regions[0]
        self._url = (endpoint or SITES[site].endpoint).rstrip("/") + "/"
        self._host = urlsplit(self._url).netloc
        self._timeout_s = timeout_s
        self._time_left_s = time_left_s

    def within(self, seconds: float) -> SesClient:
        """Return the same SES, whose answers are waited for ``seconds`` at most: for what a caller can do without."""
        client = copy.copy(self)
        connect_s, read_s = self._timeout_s
        client._timeout_s = (min(connect_s, seconds), min(read_s, seconds))  # noqa: SLF001 - one of us
        return client

    def call(self, action: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Call ``action`` and return its ``Response``.

        Raises UpstreamRefused or UpstreamUncertain (shared.upstream.errors).
        """
        body = json.dumps(payload).encode()
        timestamp = int(self._clock())
        headers = {"Content-Type": "application/json", "Host": self._host}
        headers["Authorization"] = sign_tc3(self._credential, headers, body, service="ses", timestamp=timestamp)
        headers["X-TC-Action"] = action
        headers["X-TC-Version"] = VERSION
        headers["X-TC-Timestamp"] = str(timestamp)
        headers["X-TC-Region"] = self._region
        headers["X-TC-Language"] = "en-US"
        if self._credential.token:
            headers["X-TC-Token"] = self._credential.token
        answer = post(self._url, body, headers, timeout_s=self._patience_s())
        return decipher_response(answer.status, answer.body)

    def _patience_s(self) -> tuple[float, float]:
        connect_s, read_s = self._timeout_s
        if self._time_left_s is None:
            return connect_s, read_s
        left_s = max(0.5, self._time_left_s() - ANSWER_MARGIN_S)
        return min(connect_s, left_s), min(read_s, left_s)

    def send_email(self, payload: Mapping[str, Any]) -> Accepted:
        """Send one mail. ``payload``: the parameters of SendEmail as the vendor names them.

        There is no idempotency at SES: after UpstreamUncertain a second call may send a second mail.
        """
        response = self.call("SendEmail", payload)
        message_id, request_id = (str(response.get(name) or "") for name in ("MessageId", "RequestId"))
        if not message_id:  # without it no event could ever be told to belong to this mail
            raise_for(NOT_JSON, code="no_message_id", request_id=request_id)
        return Accepted(message_id, request_id)

    def get_send_email_status(
        self, day: str, *, offset: int, limit: int = PAGE_ROWS, recipient: str = ""
    ) -> list[dict[str, Any]]:
        """Return one page of a day's status rows; a short page is the last one (there is no total).

        ``day``: YYYY-MM-DD in the account's zone, 30 days back at most. ``recipient``: whose rows, all when empty.
        Source: https://www.tencentcloud.com/document/api/1084/39502.
        """
        payload: dict[str, Any] = {"RequestDate": day, "Offset": offset, "Limit": limit}
        if recipient:
            payload["ToEmailAddress"] = recipient
        return read_rows(self.call("GetSendEmailStatus", payload), "EmailStatusList")

    def create_custom_blacklist(self, addresses: Sequence[str]) -> None:
        """Put addresses on the account's own blacklist for good; those that are on it already count as repeated.

        Source: https://www.tencentcloud.com/document/product/1084/77211.
        """
        self.call("CreateCustomBlacklist", {"Emails": list(addresses)})

    def list_send_tasks(self, *, offset: int, limit: int = PAGE_ROWS, receiver_id: int | None = None) -> TaskPage:
        """Return one page of the batch tasks. ``receiver_id``: of the tasks to that list, of all when None."""
        payload = {"Offset": offset, "Limit": limit, **({} if receiver_id is None else {"ReceiverId": receiver_id})}
        response = self.call("ListSendTasks", payload)
        return TaskPage(read_total(response, "TotalCount"), read_rows(response, "Data"))

    def get_email_template(self, template_id: int) -> Template | None:
        """Return a template, or None when the account has none of this number.

        Source: https://www.tencentcloud.com/document/api/1084/39400.
        """
        try:
            response = self.call("GetEmailTemplate", {"TemplateID": template_id})
        except UpstreamRefused as error:
            if error.rule.code in ("template_unusable", "not_found"):
                return None
            raise
        content = response.get("TemplateContent")
        parts = content if isinstance(content, dict) else {}
        status = read_total(response, "TemplateStatus")
        return Template(status, str(parts.get("Html") or ""), str(parts.get("Text") or ""))

    def list_email_identities(self) -> list[Identity]:
        """Return the account's sending domains, ten at most (models.py of tencentcloud-sdk-python-ses 3.1.135)."""
        rows = read_rows(self.call("ListEmailIdentities", {}), "EmailIdentities")
        return [
            Identity(
                str(row.get("IdentityName") or "").lower(),
                row.get("SendingEnabled") is not False,
                read_total(row, "CurrentReputationLevel"),
                read_total(row, "DailyQuota"),
            )
            for row in rows
        ]

    def count_requests(self, day: str, domain: str) -> int:
        """Return to how many ``domain`` has written on ``day`` (YYYY-MM-DD in the account's zone), by SES's statistics.

        Source: https://www.tencentcloud.com/document/api/1084/39402.
        """
        wanted = {"StartDate": day, "EndDate": day, "Domain": domain}
        volumes = read_rows(self.call("GetStatisticsReport", wanted), "DailyVolumes")
        return sum(read_total(row, "RequestCount") for row in volumes if row.get("SendDate") in (day, None))
