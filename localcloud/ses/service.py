"""The local SES: API 3.0 at ``POST /``, and the simulated fate of what it accepts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localcloud.credentials import Credentials
from localcloud.database import Database
from localcloud.defaults import APP_ID, SES_SITE
from localcloud.rate import RateLimit
from localcloud.ses import envelope, outbox, outcomes, seeding, store, task_runs
from localcloud.ses.account import Account
from localcloud.ses.actions import ACTIONS
from localcloud.ses.auth import verify
from localcloud.ses.errors import ApiError
from localcloud.ses.params import Params
from localcloud.ses.switches import Switches
from localcloud.simulator import PROVOCATIONS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from localcloud.callbacks import CallbackQueue
    from localcloud.clock import Clock
    from localcloud.exchange import Request, Response


class SesService:
    """SES of one account, as ``localcloud.exchange.Service``. Thread-safe; state survives a killed process.

    ``keys``: SecretId → SecretKey; ``credentials``: a registry shared with other services, instead. ``site``: ``cn`` or
    ``intl``. ``rate_per_s``: what the switch ``requests_per_s`` is born with. ``switches``: what differs between
    accounts or is not documented; they live as long as the process.
    """

    name = "ses"

    def __init__(
        self,
        path: Path,
        clock: Clock,
        callbacks: CallbackQueue,
        *,
        keys: Mapping[str, str],
        site: str = SES_SITE,
        rate_per_s: int = 20,
        app_id: str = APP_ID,
        credentials: Credentials | None = None,
    ) -> None:
        if site not in envelope.REGIONS:
            raise ValueError(f"site must be one of {', '.join(envelope.REGIONS)}, got {site!r}")
        self._clock = clock
        self._callbacks = callbacks
        self.credentials = credentials or Credentials(keys, clock)
        switches = Switches(requests_per_s=rate_per_s)
        self._account = Account(Database(path, store.SCHEMA), clock, site, app_id, switches)
        self._rate = RateLimit(rate_per_s)
        store.furnish(self._account.database, clock.now())

    @property
    def switches(self) -> Switches:
        """What differs between accounts or is not documented."""
        return self._account.switches

    @property
    def tokens(self) -> dict[str, float]:
        """X-TC-Token → expiry in simulated epoch seconds, for tokens beside a permanent key that must be refused."""
        return self.credentials.tokens

    def dispatch(self, request: Request) -> Response:
        """Answer one API call; an error is HTTP 200 with ``Response.Error``."""
        self.pump()
        try:
            return envelope.build_answer(self._answer(request))
        except ApiError as error:
            return envelope.build_error(error.code, error.message)

    def _answer(self, request: Request) -> dict[str, Any]:
        envelope.check_transport(request)
        verify(request, credentials=self.credentials, clock=self._clock)
        action = envelope.check_target(request, self._account.site, ACTIONS)
        self._check_rate(action)
        params = envelope.parse_params(request)
        return ACTIONS[action](self._account, Params(params, is_query=request.method == "GET"))

    def _check_rate(self, action: str) -> None:
        limits = [self.switches.requests_per_s]
        if action == "GetSendEmailStatus":
            limits.append(self.switches.status_requests_per_s)
        self._rate.limit = min(filter(None, limits), default=0)
        if not self._rate.admit(action):
            raise ApiError("RequestLimitExceeded", f"{self._rate.limit} requests per second are allowed.")

    def action_of(self, request: Request) -> str:
        """Name the action that is asked for."""
        return envelope.action_of(request)

    def error_response(self, request: Request, code: str, status: int) -> Response:  # noqa: ARG002 - Service protocol
        """Answer ``code`` as SES does."""
        return envelope.build_error(code, status=status)

    def pump(self) -> int:
        """Apply every simulated event that is due by the clock; return how many.

        Rows change and callbacks are queued with the time at which the event was due, however late this is called.
        """
        total = 0
        now = self._clock.now()
        while done := task_runs.advance_due(self._account, now) + outcomes.apply_due(
            self._account, self._callbacks, now
        ):
            total += done
        return total

    def provoke(self, *, message_id: str, recipient: str, event: str, reason: str = "", link: str = "") -> int:
        """Let something befall a mail that was sent, to whatever address: its row changes and a callback is owed, now.

        ``event``: a key of ``simulator.PROVOCATIONS``, such as ``hard-bounce``, ``open`` or ``complaint``; ``reason``
        and ``link``: in place of the event's own. Returns how many rows it befell. Raises ValueError for another event,
        LookupError when no such mail was sent.
        """
        if event not in PROVOCATIONS:
            raise ValueError(f"event must be one of {', '.join(PROVOCATIONS)}, got {event!r}")
        self.pump()
        usual = PROVOCATIONS[event]
        step = usual._replace(reason=reason or usual.reason, link=link or usual.link)
        befallen = outcomes.provoke(self._account, message_id, recipient, step)
        if not befallen:
            raise LookupError(f"no mail {message_id} to {recipient}")
        self.pump()
        return befallen

    def messages(self, limit: int = 100) -> list[dict[str, Any]]:
        """List accepted mails, newest first: ``message_id accepted_at from to cc bcc subject template_id
        smtp_message_id echo task_id request``; times ISO 8601 in UTC, ``request`` the parameters as they came.

        Seeded history is not among them: it has rows, never mails.
        """  # noqa: D205
        return outbox.messages(self._account, limit)

    def seed(self, *, day: str, messages: int, tasks: int, seed: int) -> dict[str, int]:
        """Make history rows for ``day`` (YYYY-MM-DD, UTC+8), the same for the same ``seed``, and owe no callback.

        Returns how many rows and tasks were made. Raises ValueError for a day that is not one.
        """
        return seeding.seed_day(self._account, day, messages=messages, tasks=tasks, seed=seed)

    def reset(self) -> None:
        """Forget every mail, row and task; back to the account's birth, switches included."""
        self._account.database.empty(store.TABLES)
        self.switches.reset()
        self.credentials.reset()
        self._rate.reset()
        store.furnish(self._account.database, self._clock.now())

    def close(self) -> None:
        """Close the file."""
        self._account.database.close()
