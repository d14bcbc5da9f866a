"""The local SendCloud: ``data/emailStatus``, ``mail/send`` and ``mail/sendtemplate``, and its webhooks.

Under ``/apiv2`` (China) and ``/api`` (the other regions), which differ in how many days one query may span.
"""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING

from localcloud.database import Database
from localcloud.rate import RateLimit
from localcloud.sendcloud import email_status, mail_send, seeding, store, webhooks
from localcloud.sendcloud.codes import AUTH_FAILED, OK, SERVER_ERROR, THROTTLED, SendCloudError, build_answer
from localcloud.sendcloud.form import parse_form
from shared.upstream.signing import equals_any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from localcloud.callbacks import CallbackQueue
    from localcloud.clock import Clock
    from localcloud.exchange import Request, Response
    from localcloud.sendcloud.form import Form

CACHE_S = 600
"""Simulated seconds for which a query with the same parameters is answered from memory, as documented."""
ACTIONS = ("emailStatus", "send", "sendtemplate")
_CACHE_ENTRIES = 1000
_PATH = re.compile(r"/(?P<prefix>apiv2|api)/(?P<module>data|mail)/(?P<verb>[A-Za-z]+)")


class SendCloudService:
    """SendCloud of one account, as ``localcloud.exchange.Service``. Thread-safe; state survives a killed process.

    ``users``: apiUser → apiKey. ``app_key``: signs the webhooks. ``per_minute``: emailStatus calls of a user in any
    minute of real time (0: no limit).
    """

    name = "sendcloud"

    def __init__(
        self,
        path: Path,
        clock: Clock,
        callbacks: CallbackQueue,
        *,
        users: Mapping[str, str],
        app_key: str,
        per_minute: int = 3000,
    ) -> None:
        self._clock = clock
        self._callbacks = callbacks
        self._users = users
        self._app_key = app_key
        self._database = Database(path, store.SCHEMA)
        self._cache: dict[tuple[object, ...], tuple[float, bytes]] = {}
        self._cache_lock = threading.Lock()
        self.rate = RateLimit(per_minute, 60.0)

    def dispatch(self, request: Request) -> Response:
        """Answer one call; a refusal is HTTP 200 with ``"result": false``."""
        self.pump()
        try:
            return self._answer(request)
        except SendCloudError as error:
            return build_answer(error.code, detail=error.detail)

    def _answer(self, request: Request) -> Response:
        target = _PATH.fullmatch(request.path)
        action = self.action_of(request)
        if target is None or request.method not in ("GET", "POST") or action not in ACTIONS:
            return build_answer(SERVER_ERROR, detail="no such path", status=404)
        form = parse_form(request)
        self._authenticate(form)
        if action != "emailStatus":
            is_template = action == "sendtemplate"
            submission = (mail_send.parse_template_submission if is_template else mail_send.parse_submission)(form)
            return build_answer(OK, mail_send.accept(self._database, submission, self._clock.now()))
        return self._email_status(form, target["prefix"])

    def action_of(self, request: Request) -> str:
        """Name the action that is asked for: one of ``ACTIONS``, or whatever the path ends with."""
        return request.path.rpartition("/")[2]

    def error_response(self, request: Request, code: str, status: int) -> Response:  # noqa: ARG002 - Service protocol
        """Answer ``code`` (digits; anything else is 501) as SendCloud does."""
        return build_answer(int(code) if code.isascii() and code.isdigit() else SERVER_ERROR, status=status)

    def pump(self) -> int:
        """Apply every simulated event that is due by the clock; return how many."""
        total = 0
        now = self._clock.now()
        while done := webhooks.apply_due(self._database, self._callbacks, self._app_key, now):
            total += done
        return total

    def seed(self, *, day: str, messages: int, seed: int) -> dict[str, int]:
        """Make rows for ``day`` (YYYY-MM-DD, UTC+8), the same for the same ``seed``, and owe no webhook.

        Raises ValueError for a day that is not one.
        """
        user = next(iter(self._users))
        added = seeding.seed_day(self._database, user, day, count=messages, dice_name=str(seed), now=self._clock.now())
        self._forget_answers()
        return {"messages": added}

    def reset(self) -> None:
        """Forget every mail and every cached answer."""
        self._database.empty(store.TABLES)
        self._forget_answers()
        self.rate.reset()

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _forget_answers(self) -> None:
        with self._cache_lock:
            self._cache.clear()

    def _authenticate(self, form: Form) -> None:
        key = self._users.get(form.get("apiUser") or "")
        if not equals_any([key or ""], form.get("apiKey") or "") or not key:
            raise SendCloudError(AUTH_FAILED)

    def _email_status(self, form: Form, prefix: str) -> Response:
        if not self.rate.admit(form.get("apiUser") or ""):
            raise SendCloudError(THROTTLED)
        now = self._clock.now()
        query = email_status.parse_query(form, prefix=prefix, users=self._users, now=now)
        with self._cache_lock:
            cached = self._cache.get(query)
            if cached is not None and 0 <= now - cached[0] < CACHE_S:
                return _copy(cached[1])
            response = build_answer(OK, email_status.fetch(self._database, query))
            if len(self._cache) >= _CACHE_ENTRIES:
                self._cache.clear()
            self._cache[query] = (now, response.body)
        return response


def _copy(body: bytes) -> Response:
    response = build_answer(OK)
    response.body = body
    return response
