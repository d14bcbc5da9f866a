"""SendCloud as typed verbs. The only place that speaks to it.

Two generations of documents: ``/apiv2`` (https://api.sendcloud.net, windows of 30 days) and ``/api``
(https://api2.sendcloud.net and the aurorasendcloud.com hosts, windows of 3 days). The setting names the base with
its path; asking for at most 3 days at a time is right at either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode

from shared.upstream.envelope import decipher_sendcloud, read_rows, read_total
from shared.upstream.transport import TIMEOUT_S, post

if TYPE_CHECKING:
    from collections.abc import Mapping

PAGE_ROWS = 100
WINDOW_DAYS = 3
"""Days that one query may span at every host."""


class StatusPage(NamedTuple):
    """One page of emailStatus. ``total`` comes as a string upstream."""

    total: int
    rows: list[dict[str, Any]]


class SendCloudClient:
    """SendCloud with one API user. The key travels in the form body, never in a URL."""

    def __init__(
        self, api_user: str, api_key: str, *, endpoint: str, timeout_s: tuple[float, float] = TIMEOUT_S
    ) -> None:
        self._auth = {"apiUser": api_user, "apiKey": api_key}
        self._endpoint = endpoint.rstrip("/")
        self._timeout_s = timeout_s

    def call(self, path: str, params: Mapping[str, str]) -> dict[str, Any]:
        """POST a form to ``path`` and return ``info``. Raises UpstreamRefused or UpstreamUncertain."""
        body = urlencode({**self._auth, **params}).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = post(f"{self._endpoint}/{path}", body, headers, timeout_s=self._timeout_s)
        return decipher_sendcloud(answer.status, answer.body)

    def email_status(self, start_day: str, end_day: str, *, start: int, limit: int = PAGE_ROWS) -> StatusPage:
        """Return one page of delivery states of the days ``start_day`` to ``end_day`` (yyyy-MM-dd, both included).

        Answers are cached for 10 minutes upstream, for each set of parameters.
        Source: https://www.sendcloud.net/doc/en_US/email_v2/deliver_response/ (seed 003).
        """
        params = {"startDate": start_day, "endDate": end_day, "start": str(start), "limit": str(limit)}
        info = self.call("data/emailStatus", params)
        return StatusPage(read_total(info, "total"), read_rows(info, "voList", "dataList"))
