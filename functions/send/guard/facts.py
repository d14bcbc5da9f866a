"""What SES told of the account: its templates, its domains, how much of the day's quota is used.

In the memory of a warm instance, and in the bucket, so that a cold one need not ask SES again. A mail passes on what
is ten minutes old; it is refused only on what SES said within the last minute. When SES does not tell, or the role may
not ask, a mail is not kept back for it: SES itself decides.
"""

from __future__ import annotations

import json
import re
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from shared.edge.log import log
from shared.trail.layout import fact_key
from shared.trail.records import VERSION, day_of, encode_line, epoch, iso
from shared.trail.store import StoreError
from shared.upstream.errors import UpstreamError

if TYPE_CHECKING:
    from collections.abc import Callable

    from functions.send.office import Office

DOMAIN, USAGE, TEMPLATE = "domain", "usage", "template"
PASS_S, REFUSE_S = 600.0, 60.0
"""Seconds that a fact is good for, to pass on it and to refuse on it."""
PATIENCE_S = 2.0
"""Seconds that a mail waits for SES to tell one of them."""
BUCKET_PATIENCE_S = 0.5
SILENT_S, FORBIDDEN_S = 60.0, 600.0
"""Seconds that SES is not asked again after it did not answer, and after it said that the role may not."""
MOST = 500
"""Facts that an instance remembers."""
_VARIABLE = re.compile(r"\{\{\s*([\w.-]+)\s*\}\}")


class Fact(NamedTuple):
    """What SES said, at ``at`` (epoch seconds)."""

    at: float
    told: dict[str, Any]


class Facts:
    """What an instance knows. ``heed``: hears of every failure of SES."""

    def __init__(self, heed: Callable[[UpstreamError], None]) -> None:
        self._heed = heed
        self._known: dict[tuple[str, str], Fact] = {}
        self._silent_until: dict[str, float] = {}
        self._fresh: dict[tuple[str, str], Fact] = {}  # told within this send
        self._to_write: dict[tuple[str, str], Fact] = {}
        self._written_at: dict[tuple[str, str], float] = {}
        self._lock = threading.Lock()

    def get(self, office: Office, kind: str, name: str, within_s: float) -> Fact | None:
        """Return what SES said within the last ``within_s`` seconds, asking it if it must be; None: it does not tell.

        ``name``: a domain in lower case, or a template's number.
        """
        known = self._known.get((kind, name))
        if known is not None and 0 <= office.clock() - known.at <= within_s:
            return known
        # Of many mails at once on a cold instance, one asks.
        with self._lock:
            return self._learn(office, kind, name, within_s)

    def _learn(self, office: Office, kind: str, name: str, within_s: float) -> Fact | None:
        now = office.clock()
        known = self._known.get((kind, name))
        if known is not None and 0 <= now - known.at <= within_s:
            return known
        if within_s > REFUSE_S and (kept := self._kept(office, kind, name)) and 0 <= now - kept.at <= within_s:
            self._remember(kind, name, kept)
            return kept
        is_silent = now < self._silent_until.get(kind, 0) <= now + FORBIDDEN_S
        return None if is_silent or office.spare_s() < PATIENCE_S else self._ask(office, kind, name, now)

    def _ask(self, office: Office, kind: str, name: str, now: float) -> Fact | None:
        try:
            told = _ASK[kind](office, name)
        except UpstreamError as error:
            is_forbidden = error.rule.code == "upstream_forbidden"
            self._silent_until[kind] = now + (FORBIDDEN_S if is_forbidden else SILENT_S)
            log("WARNING", "limit not checked", what=kind, code=error.code, request_id_of_ses=error.request_id)
            self._heed(error)
            return None
        fact = Fact(now, told)
        self._remember(kind, name, fact)
        self._fresh[kind, name] = fact
        return fact

    def note(self, kind: str, name: str, fact: Fact) -> None:
        """Remember what SES let show in another answer."""
        self._remember(kind, name, fact)

    def write(self, office: Office) -> None:
        """Write for other instances what SES told before this send: one that waited for SES does not write as well.

        Best effort, and not again what was written minutes ago.
        """
        to_write, self._to_write, self._fresh = self._to_write, self._fresh, {}
        for (kind, name), fact in to_write.items():
            if 0 <= fact.at - self._written_at.get((kind, name), 0) < PASS_S / 2:
                continue
            line = {"v": VERSION, "at": iso(fact.at), "told": fact.told}
            self._written_at[kind, name] = fact.at
            try:
                store = office.store.within(BUCKET_PATIENCE_S).once()
                store.put(fact_key(kind, name), encode_line(line), content_type="application/json")
            except StoreError as error:
                log("INFO", "facts not written", code=error.code)
                return

    def _remember(self, kind: str, name: str, fact: Fact) -> None:
        for memory in (self._known, self._written_at):
            if len(memory) >= MOST:
                memory.clear()
        self._known[kind, name] = fact

    @staticmethod
    def _kept(office: Office, kind: str, name: str) -> Fact | None:
        """Read what an instance wrote; None for none, and for what is not ours."""
        try:
            body = office.store.within(BUCKET_PATIENCE_S).once().get(fact_key(kind, name))
            line = json.loads(body or b"{}")
            return Fact(epoch(line["at"]), dict(line["told"])) if line.get("v") == VERSION else None
        except (StoreError, ValueError, KeyError, TypeError, AttributeError):
            return None


def _ask_domain(office: Office, name: str) -> dict[str, Any]:
    found = [each for each in office.ses.within(PATIENCE_S).list_email_identities() if each.domain == name]
    if not found:
        return {"verified": False, "quota": 0, "level": 0}
    return {"verified": found[0].is_verified, "quota": found[0].daily_quota, "level": found[0].level}


def _ask_usage(office: Office, name: str) -> dict[str, Any]:
    day = day_of(office.clock(), office.settings.utc_offset_s)
    return {"day": day, "used": office.ses.within(PATIENCE_S).count_requests(day, name)}


def _ask_template(office: Office, name: str) -> dict[str, Any]:
    found = office.ses.within(PATIENCE_S).get_email_template(int(name))
    if found is None:
        return {"status": None, "variables": []}
    import base64  # noqa: PLC0415 - once in ten minutes

    try:
        text = "\n".join(base64.b64decode(part).decode() for part in (found.html, found.text))
    except ValueError:  # what it wants cannot be told; SES decides
        text = ""
    return {"status": found.status, "variables": sorted(set(_VARIABLE.findall(text)))}


_ASK: dict[str, Callable[[Office, str], dict[str, Any]]] = {
    DOMAIN: _ask_domain,
    USAGE: _ask_usage,
    TEMPLATE: _ask_template,
}
