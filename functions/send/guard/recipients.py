"""How many mails an address has got within the hour: SES refuses the eleventh, whichever instance sends it.

The first mail of an instance to an address costs nothing. From the second on SES is asked how many there were. As long
as all of them were this instance's own, the whole hour's allowance is. Otherwise, of the upper half of it one mail
passes in each tenth of an hour, because several instances that see the same number would pass one each: who creates
the object of that tenth goes. While several addresses are that far, SES is asked for the first mail to any other as
well: somebody else may have written to it.
"""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Any, NamedTuple

from functions.send.guard.findings import Finding
from shared.edge.log import log
from shared.trail.layout import turn_key
from shared.trail.records import VERSION, day_of, encode_line, iso
from shared.trail.store import StoreError
from shared.upstream.errors import UpstreamError
from shared.upstream.ses import PAGE_ROWS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from functions.send.office import Office
    from functions.send.request import Recipient

CHECK = "recipient"
HOUR_S = 3600
MOST = 5000
"""Addresses that an instance remembers."""
CROWDED = 3
"""Addresses in the upper half within the hour, from which on first mails are asked for as well."""
_SKEW_S = 5
"""Seconds by which SES's clock may be behind ours."""
_PATIENCE_S = 2.0
_MOST_PAGES = 3
_TOO_OFTEN = "recipient_rate_limited"


class Turn(NamedTuple):
    """What of an address must be taken before it is written to."""

    recipient: Recipient
    number: int
    ends_at: float


class _Hour(NamedTuple):
    """When an address got mail within the hour, in order; ``is_shared``: not from this instance alone."""

    times: list[float]
    is_shared: bool


class _Mail:
    """One mail of ours to an address; ``message_id`` is empty until SES has told it."""

    __slots__ = ("at", "message_id")

    def __init__(self, at: float) -> None:
        self.at = at
        self.message_id = ""


class Noted(NamedTuple):
    """What was noted of a mail that is about to be sent."""

    mail: _Mail
    addresses: list[str]


class Hours:
    """What an instance remembers of the last hour. ``heed``: hears of every failure of SES."""

    def __init__(self, heed: Callable[[UpstreamError], None]) -> None:
        self._heed = heed
        self._known: OrderedDict[str, list[_Mail]] = OrderedDict()
        self._crowded: deque[tuple[float, str]] = deque(maxlen=CROWDED)
        self._lock = threading.Lock()

    def check(self, office: Office, recipients: Sequence[Recipient]) -> tuple[list[Finding], list[Turn]]:
        """Return who got enough, and the turns that must be taken first. Who cannot be asked for passes."""
        findings: list[Finding] = []
        turns: list[Turn] = []
        now, limit = office.clock(), office.settings.hourly
        for recipient in recipients:
            address = recipient.address.lower()
            if _is_exempt(address) or not (self._is_known(address, now) or self._is_crowded(now)):
                continue
            hour = self._hour(office, address, now) if office.spare_s() > _PATIENCE_S else None
            if hour is None:
                continue
            times = hour.times
            if len(times) >= limit:
                after_s = max(1.0, times[len(times) - limit] + HOUR_S + _SKEW_S - now)
                findings.append(_too_often(recipient, f"got {len(times)} mails within an hour", after_s))
            if 2 * len(times) >= limit:
                self._note_crowded(address, now)
                slot_s = HOUR_S / limit
                number = int(now / slot_s)
                turns += [Turn(recipient, number, (number + 1) * slot_s)] if hour.is_shared else []
        return findings, turns

    def note(self, recipients: Sequence[Recipient], now: float) -> Noted:
        """Remember a mail that is about to be sent."""
        addresses = [recipient.address.lower() for recipient in recipients]
        noted = Noted(_Mail(now), [address for address in addresses if not _is_exempt(address)])
        with self._lock:
            for address in noted.addresses:
                self._known.setdefault(address, []).append(noted.mail)
                self._known.move_to_end(address)
            while len(self._known) > MOST:
                self._known.popitem(last=False)
        return noted

    def forget(self, noted: Noted) -> None:
        """Forget a mail that was not sent."""
        with self._lock:
            for address in noted.addresses:
                mails = self._known.get(address, [])
                if noted.mail in mails:
                    mails.remove(noted.mail)

    def _is_known(self, address: str, now: float) -> bool:
        with self._lock:
            mails = [mail for mail in self._known.get(address, ()) if now - HOUR_S < mail.at <= now]
            if address in self._known:
                self._known[address] = mails
            return bool(mails)

    def _is_crowded(self, now: float) -> bool:
        return len(self._crowded) == CROWDED and 0 <= now - self._crowded[0][0] < HOUR_S

    def _note_crowded(self, address: str, now: float) -> None:
        others = [(at, other) for at, other in self._crowded if other != address]
        self._crowded = deque([*others, (now, address)], maxlen=CROWDED)

    def _hour(self, office: Office, address: str, now: float) -> _Hour | None:
        """Return what the address got within the hour; None when SES does not tell."""
        since, offset_s = now - HOUR_S - _SKEW_S, office.settings.utc_offset_s
        told: dict[str, float] = {}
        try:
            for day in sorted({day_of(since, offset_s), day_of(now, offset_s)}):
                for row in _rows(office, day, address):
                    if (at := float(row.get("RequestTime") or now)) > since:
                        told[str(row.get("MessageId"))] = at
        except UpstreamError as error:
            log("WARNING", "limit not checked", what=CHECK, code=error.code, request_id_of_ses=error.request_id)
            self._heed(error)
            return None
        except (TypeError, ValueError):
            return None
        with self._lock:
            ours = self._known.get(address, [])
            untold = [mail.at for mail in ours if mail.message_id not in told]
            is_shared = not told.keys() <= {mail.message_id for mail in ours}
        return _Hour(sorted([*told.values(), *untold]), is_shared)


def take_turns(office: Office, turns: Sequence[Turn]) -> list[Finding]:
    """Take the turns; return who had to be left to somebody else. A bucket that does not answer stops no mail."""
    findings = []
    now = office.clock()
    for turn in turns:
        key = turn_key(day_of(now, office.settings.utc_offset_s), turn.recipient.address, turn.number)
        line = encode_line({"v": VERSION, "at": iso(now), "nonce": secrets.token_hex(8)})
        try:
            is_ours = office.store.within(_PATIENCE_S).create_if_absent(key, line)
        except StoreError as error:
            log("WARNING", "limit not checked", what=CHECK, code=error.code)
            continue
        if not is_ours:
            problem = "got many mails within an hour, and one just now"
            findings.append(_too_often(turn.recipient, problem, max(1.0, turn.ends_at - now)))
    return findings


def _is_exempt(address: str) -> bool:
    """Whether it is nobody's (RFC 2606): those of the simulator know no hour at the local SES either."""
    return address.endswith(".test")


def _too_often(recipient: Recipient, problem: str, after_s: float) -> Finding:
    return Finding(CHECK, _TOO_OFTEN, recipient.field, problem, after_s)


def _rows(office: Office, day: str, address: str) -> list[dict[str, Any]]:
    ses = office.ses.within(_PATIENCE_S)
    rows: list[dict[str, Any]] = []
    for page in range(_MOST_PAGES):
        some = ses.get_send_email_status(day, offset=page * PAGE_ROWS, recipient=address)
        rows += some
        if len(some) < PAGE_ROWS:
            break
    return rows
