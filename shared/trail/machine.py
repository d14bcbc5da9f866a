"""Was it a person? ``likely`` or ``suspected`` when an open, a click or an unsubscribe looks like a machine's. Pure.

Mail programs fetch pictures before anybody looks, and gateways follow every link of a mail to see where it leads. Such
events are flagged and never dropped; what has no verdict is counted as a person's. What one event tells lies in its
record (``machine``, by ``machine_of``); what only several tell is added by the fold (``is_too_soon``, ``swept``).

- ``likely``: the agent says so itself, or has a name that no reader's program has (``AGENTS``).
- ``suspected``: the agent may be a person's, the moment is not: people need time to read.

Where it came from is no evidence: Outlook fetches pictures from Microsoft's own network when a person opens the mail
(https://github.com/warmbly/warmbly/pull/412). Neither is an agent that names no browser
(https://github.com/warmbly/warmbly/pull/569), nor a missing one: SES does not say when it leaves ``useragent`` out.
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from shared.trail.records import epoch, plausible_epoch

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

JUDGED = ("opened", "clicked", "unsubscribed")
"""What a machine can do to a mail. A complaint is a button in a mail program; nothing presses it by accident."""
VERDICTS = (None, "suspected", "likely")
"""In order of weight: of two verdicts on one event the heavier stands."""

AFTER_SENDING_S = {"opened": 2, "clicked": 2, "unsubscribed": 120}
"""What happens earlier than this after the mail was sent (``sentTimestamp``) is suspected.

Two seconds are Mautic's default (https://github.com/mautic/mautic/issues/16263); more would hit people who wait for a
code. Of 497 unsubscribes 489 came within two minutes of the sending, from a scanner
(https://github.com/hackwestern/hackwestern/pull/846).
"""
UNSUBSCRIBED_AFTER_DELIVERY_S = 120
"""The same from the delivery on, for mails that were deferred."""
SWEEP_S = 1
"""Two different links fetched no further apart than this are a scanner's sweep.

One sender saw 836 of them, of a second or less each, and most began 20 seconds to 5 minutes after the sending
(https://github.com/putyourlightson/craft-campaign/issues/546); other gateways take milliseconds
(https://github.com/MillionSend/millionsend/pull/22). An open beside a click is no sign: that is what people do.
"""
_UNSUBSCRIBE = "unsubscribe"


class Agent(NamedTuple):
    """User agents that a pattern finds (in lower case), the verdict on them, and where that is known from."""

    pattern: re.Pattern[str]
    verdict: str | None
    source: str


def _agent(pattern: str, verdict: str | None, source: str) -> Agent:
    return Agent(re.compile(pattern), verdict, source)


AGENTS = (
    # Fetched when a person opens the mail: Google's image cache, which is not its prefetch; Yahoo's proxy.
    _agent("googleimageproxy", None, "https://www.sparkpost.com/blog/gmail-prefetching-images/"),
    _agent("yahoomailproxy", None, "https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html"),
    # Apple's Mail Privacy Protection: this is the whole agent, since 2021-09-20.
    _agent(r"^mozilla/5\.0$", "likely", "https://github.com/ua-parser/uap-core/issues/509"),
    # Gmail's prefetch while the app is open.
    _agent(
        r"chrome/42\.0\.2311\.135 safari/537\.36 edge/12\.246 mozilla/5\.0$",
        "likely",
        "https://www.sparkpost.com/blog/gmail-prefetching-images/",
    ),
    # Gateways that give their name. Most do not, and only the moment gives them away.
    _agent(
        "barracuda|proofpoint|ciscosecureemail",
        "likely",
        "https://check.live-direct-marketing.online/blog/bot-clicks-security-scanners-detect",
    ),
    # Microsoft Office asks what a link is before it hands it to a browser.
    _agent(
        "^microsoft office (?:existence|protocol) discovery",
        "likely",
        "http://blogs.msdn.com/b/vsofficedeveloper/archive/2008/03/11/office-existence-discovery-protocol.aspx",
    ),
    # Programs that call themselves a robot, or a preview of a chat. CUBOT makes telephones.
    _agent(
        "(?<!cu)bot(?![a-z])|crawler|spider|headlesschrome|facebookexternalhit|(?:bing|uri|url) ?preview",
        "likely",
        "https://github.com/jdavidbakr/mail-tracker/issues/255",
    ),
    # Libraries that no mail program is built on. Not okhttp, CFNetwork and Dalvik: apps load their pictures with them.
    _agent(
        r"^(?:curl|wget|python-requests|python-urllib|python/\d|go-http-client|apache-httpclient|libwww-perl"
        r"|lua-resty-http|guzzlehttp|axios|node-fetch|scrapy)",
        "likely",
        "https://github.com/putyourlightson/craft-campaign/issues/546",
    ),
)
"""The first that is found decides."""


class Fetch(NamedTuple):
    """What the fold keeps of an event. ``machine``: index of ``VERDICTS``. ``at``: ISO 8601 in UTC without ``Z``."""

    machine: int
    at: str
    target: str


def machine_of(record: Mapping[str, Any]) -> str | None:
    """Return what one event record tells about who did it: a value of ``machine``.

    It reads ``type`` and ``raw`` only, so labels can be renewed when the table has improved.
    """
    kind, raw = record["type"], record["raw"]
    if kind not in JUDGED or not isinstance(raw, dict):
        return None
    fields = {str(name).lower(): value for name, value in raw.items()}
    # SendCloud has taken the agent apart; what it calls the browser is what it found in it.
    agent = fields.get("useragent") or fields.get("explorername")
    by_agent = _told_by_agent(agent[:1000]) if isinstance(agent, str) else None  # strangers write it, at any length
    return by_agent or _told_by_moment(kind, fields)


@functools.lru_cache(maxsize=256)
def _told_by_agent(agent: str) -> str | None:
    words = agent.strip().lower()
    return next((rule.verdict for rule in AGENTS if rule.pattern.search(words)), None)


def _told_by_moment(kind: str, fields: Mapping[str, Any]) -> str | None:
    occurred_s, sent_s = plausible_epoch(fields.get("timestamp")), plausible_epoch(fields.get("senttimestamp"))
    if occurred_s is None or sent_s is None:
        return None
    # Before it was sent nothing can happen to a mail: then one of the two clocks is wrong, and nothing is known.
    return "suspected" if 0 <= occurred_s - sent_s < AFTER_SENDING_S[kind] else None


def fetch_of(record: Mapping[str, Any]) -> Fetch:
    """Return what the fold keeps of an event record."""
    verdict, link = record.get("machine"), record.get("link") or ""
    # SES infers an unsubscribe from a click on such a link: the two are one fetch, not a sweep over two links.
    if record["type"] == "unsubscribed" or _UNSUBSCRIBE in link.lower():
        link = _UNSUBSCRIBE
    return Fetch(VERDICTS.index(verdict) if verdict in VERDICTS else 0, record["occurred_at"].removesuffix("Z"), link)


def is_too_soon(kind: str, fetch: Fetch, delivered_at: str) -> bool:
    """Whether it was done before a person could, seen from the first delivery (ISO 8601 without ``Z``; may be empty).

    An open or a click in the very second of the delivery or earlier: the mail was not there yet to be read.
    """
    if not delivered_at:
        return False
    if kind == "unsubscribed":
        return _epoch(fetch.at) - _epoch(delivered_at) < UNSUBSCRIBED_AFTER_DELIVERY_S
    return fetch.at[:19] <= delivered_at[:19]


def swept(fetches: Collection[Fetch]) -> frozenset[Fetch]:
    """Return those clicks and unsubscribes of one message and recipient that belong to a sweep over its links."""
    if len({fetch.target for fetch in fetches} - {""}) < 2:
        return frozenset()
    # However many there are, each enters the window once and leaves it once.
    timed = sorted((_epoch(fetch.at), fetch) for fetch in fetches if fetch.target)
    window: Counter[str] = Counter()
    found, start, end = set(), 0, 0
    for at_s, fetch in timed:
        while end < len(timed) and timed[end][0] <= at_s + SWEEP_S:
            window[timed[end][1].target] += 1
            end += 1
        while timed[start][0] < at_s - SWEEP_S:
            gone = timed[start][1].target
            window[gone] -= 1
            if not window[gone]:
                del window[gone]
            start += 1
        if len(window) > 1:
            found.add(fetch)
    return frozenset(found)


def _epoch(at: str) -> float:
    return epoch(f"{at}Z")
