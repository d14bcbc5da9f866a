"""What we add to a mail, headers and a Message-Id, and what happens when SES does not take it.

Nobody documents which names SmtpHeaders may have, nor what SmtpMessageId is worth, so SES may refuse any of these. A
mail never fails for them: it goes out without, first without what SES names, then the link spared first and our token
last, and a warm instance remembers which sets were refused. What holds a refused set is not tried again, and of a set
that is taken once one is left out, that one was at fault; so after a few mails it is known which they were.
"""

from __future__ import annotations

import itertools
import threading
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from functions.send.addresses import bare_address
from shared.edge.log import log
from shared.trail.layout import CALLBACK_TOKEN_REFUSED_KEY, UNSUBSCRIBE_REFUSED_KEY
from shared.upstream.errors import UpstreamError
from shared.upstream.signing import build_callback_token
from shared.upstream.unsubscribe_token import Unsubscribe, build_unsubscribe_token

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from functions.send.request import Mail
    from shared.edge.settings import SendSettings

    Extras = Mapping[str, "Ours"]

T = TypeVar("T")

CALLBACK_HEADER = "X-Tencentcloudses-Cb-Custom"
"""Headers of this prefix come back in every callback (vendor page of 2025-10-30)."""
LONGEST_HEADER_LINE = 998
"""Octets of a header line, RFC 5322 section 2.1.1."""
TOKEN, MESSAGE_ID, UNSUBSCRIBE = "callback token", "message id", "List-Unsubscribe"
SPARED = (UNSUBSCRIBE, MESSAGE_ID, TOKEN)
"""The order in which they are left out: what is known the least first, what events are proven by last."""
_NOTED_AT = {TOKEN: CALLBACK_TOKEN_REFUSED_KEY, UNSUBSCRIBE: UNSUBSCRIBE_REFUSED_KEY}
_REFUSES_AN_EXTRA = frozenset({"InvalidParameter", "InvalidParameterValue", "UnknownParameter", "UnsupportedOperation"})


class Ours(NamedTuple):
    """What an extra, or all of them together, puts into a mail."""

    headers: dict[str, str]
    message_id: str = ""

    @property
    def parameter(self) -> str:
        """The parameter of SendEmail that carries it: a refusal may name that."""
        return "SmtpMessageId" if self.message_id else "SmtpHeaders"


class Refusal(NamedTuple):
    """What SES answered to an extra of ours: its code, and the request that it refused."""

    code: str
    request_id: str


class Learnt:
    """What a warm instance knows of SES: which sets of extras it refused, and of that what nobody has written down.

    The mails of a batch go out side by side, so several threads may ask and tell.
    """

    def __init__(self) -> None:
        self._world: str | None = None
        self.refused: dict[frozenset[str], Refusal] = {}
        self._unwritten: list[tuple[str, Refusal]] = []
        self._lock = threading.RLock()

    def live_in(self, world: str) -> None:
        """Forget what another cloud refused: localcloud begins anew, in the same process."""
        if self._world not in (None, world):
            self.refused.clear()
            self._unwritten.clear()
        self._world = world

    def choose(self, wanted: frozenset[str]) -> frozenset[str]:
        """Return the most of ``wanted`` that SES may take: what holds a set that was refused is refused as well."""
        named = [name for name in reversed(SPARED) if name in wanted]
        sizes = range(len(named), 0, -1)
        candidates = (frozenset(some) for size in sizes for some in itertools.combinations(named, size))
        with self._lock:
            fit = (some for some in candidates if not any(refused <= some for refused in self.refused))
            return next(fit, frozenset())

    def note_refused(self, extras: frozenset[str], refusal: Refusal) -> None:
        """Remember that SES refused a mail with these, and took it with less."""
        with self._lock:
            is_news = extras not in self.refused
            self.refused[extras] = refusal
            if is_news and len(extras) == 1 and extras <= _NOTED_AT.keys():
                self._unwritten.append((next(iter(extras)), refusal))

    def note_taken(self, extras: frozenset[str]) -> None:
        """Draw the conclusion: of a refused set that is taken but for one, it was that one."""
        with self._lock:
            for refused, refusal in list(self.refused.items()):
                other = refused - extras
                if len(other) == 1 and other not in self.refused:
                    self.note_refused(other, refusal)

    def take_unwritten(self) -> tuple[str, Refusal] | None:
        """Return a refusal, and the key in the bucket under which it is to be written."""
        with self._lock:
            if not self._unwritten:
                return None
            extra, refusal = self._unwritten.pop()
        return _NOTED_AT[extra], refusal


learnt = Learnt()
"""This instance's."""


def take_refusal() -> tuple[str, Refusal] | None:
    """Return the key in the bucket and what is to be written there of what this instance has learnt, once."""
    return learnt.take_unwritten()


def extras_of(settings: SendSettings, mail: Mail, reference: str, message_id: str, *, at: float) -> Extras:
    """Return each extra that this mail is to carry. ``at``: epoch seconds; the caller's own Message-Id wins."""
    learnt.live_in(settings.world)
    found = {
        TOKEN: Ours(_callback_token(settings, mail, reference)),
        MESSAGE_ID: Ours({}, "" if mail.message_id else message_id),
        UNSUBSCRIBE: Ours(_unsubscribe(settings, mail, at)),
    }
    return {name: ours for name, ours in found.items() if any(ours)}


def submit_with(extras: Extras, call: Callable[[Ours], T]) -> tuple[T, frozenset[str]]:
    """Call with ``extras``, and again with one less for as long as they are what SES refuses.

    Returns what the call returned and the extras that went with it. Raises UpstreamError.
    """
    chosen = learnt.choose(frozenset(extras))
    refusals: dict[frozenset[str], Refusal] = {}
    while True:
        try:
            answer = call(_together([extras[name] for name in sorted(chosen)]))
            break
        except UpstreamError as error:
            if not chosen or error.code not in _REFUSES_AN_EXTRA:
                raise  # of the mail itself: what was refused before says nothing of our headers
            refusals[chosen] = Refusal(error.code, error.request_id)
            chosen -= {_blamed(error, {name: extras[name] for name in SPARED if name in chosen})}
    for refused, refusal in refusals.items():
        learnt.note_refused(refused, refusal)
        log("WARNING", "extras refused by SES", extras=sorted(refused), code=refusal.code)
    learnt.note_taken(chosen)
    return answer, chosen


def _together(chosen: Iterable[Ours]) -> Ours:
    headers: dict[str, str] = {}
    message_id = ""
    for ours in chosen:
        headers |= ours.headers
        message_id = message_id or ours.message_id
    return Ours(headers, message_id)


def _blamed(error: UpstreamError, chosen: Extras) -> str:
    """Return which extra to leave out: the first of those whose parameter SES names, or the first of all."""
    return next((name for name, ours in chosen.items() if ours.parameter in error.message), next(iter(chosen)))


def _callback_token(settings: SendSettings, mail: Mail, reference: str) -> dict[str, str]:
    """Build the token's header, or none: without a key, or when it does not fit a line."""
    if not settings.token_keys:
        return {}
    token = build_callback_token(settings.token_keys[0], reference, mail.recipients, mail.metadata)
    return _if_it_fits({CALLBACK_HEADER: token})


def _unsubscribe(settings: SendSettings, mail: Mail, at: float) -> dict[str, str]:
    """Build the two headers of RFC 8058 (https://www.rfc-editor.org/rfc/rfc8058#section-3.1), or none.

    A link is one person's, so a mail to several has none; a code or a receipt is nothing to unsubscribe from; who
    gives headers of their own has a list of their own.
    """
    own = any(name.lower() in ("list-unsubscribe", "list-unsubscribe-post") for name in mail.headers)
    if not settings.unsubscribe_url or mail.transactional or own or len(mail.recipients) != 1:
        return {}
    wish = Unsubscribe(mail.recipients[0], bare_address(mail.sender).rpartition("@")[2], max(0, int(at)))
    token = build_unsubscribe_token(settings.token_keys[0], wish)
    link = f"<{settings.unsubscribe_url}/unsubscribe/{token}>"
    return _if_it_fits({"List-Unsubscribe": link, "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"})


def _if_it_fits(headers: dict[str, str]) -> dict[str, str]:
    return headers if all(len(f"{n}: {v}") <= LONGEST_HEADER_LINE for n, v in headers.items()) else {}
