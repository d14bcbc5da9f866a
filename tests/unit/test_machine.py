"""Opens and clicks by machines: agents labelled by hand, moments, sweeps over links; and what is no evidence."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.webhook import adapt
from shared.trail.machine import AGENTS, JUDGED, SWEEP_S, VERDICTS, Fetch, fetch_of, is_too_soon, machine_of, swept
from shared.trail.records import epoch, iso

CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36"
)
MACHINES = [
    "Mozilla/5.0",
    "  mozilla/5.0 ",
    (
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/42.0.2311.135 "
        "Safari/537.36 Edge/12.246 Mozilla/5.0"
    ),
    "Barracuda Sentinel (EE)",
    "Mozilla/5.0 (compatible; Proofpoint/2.0)",
    "CiscoSecureEmail/1.0",
    "Microsoft Office Existence Discovery",
    "Microsoft Office Protocol Discovery",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
    "Mozilla/5.0 (compatible; Baiduspider/2.0; +http://www.baidu.com/search/spider.html)",
    "SomeCrawler/0.1",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
    "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/534+ (KHTML, like Gecko) BingPreview/1.0b",
    "SkypeUriPreview Preview/0.5",
    "Snap URL Preview Service; bot; snapchat; https://developers.snap.com/robots",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/120.0.0.0 Safari/537.36",
    "curl/8.5.0",
    "Wget/1.21.3",
    "python-requests/2.32.3",
    "Python-urllib/3.10",
    "Python/3.9 aiohttp/3.8.1",
    "Go-http-client/1.1",
    "Apache-HttpClient/4.5.13 (Java/11.0.20)",
    "libwww-perl/6.68",
    "lua-resty-http/0.10 (Lua) ngx_lua/10019",
    "GuzzleHttp/7",
    "axios/1.7.2",
    "node-fetch/1.0",
    "Scrapy/2.11 (+https://scrapy.org)",
]
PEOPLE = [
    CHROME,
    "",
    "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)",
    "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html",
    "Mozilla/5.0 (compatible; YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html)",
    # Outlook's pictures and Apple Mail without Privacy Protection share this one: no evidence by itself.
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
    "Mozilla/5.0 (Linux; Android 9; CUBOT X19) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/99.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Linux; Android 8.1.0; CUBOT_P20) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/92.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; WOW64; rv:115.0) Gecko/20100101 Thunderbird/115.6.0",
    "Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0.14931; Pro)",
    "Outlook-iOS/709.2226530.prod.iphone (3.24.1)",
    (
        "Mozilla/5.0 (Linux; Android 14; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/121.0 Mobile "
        "Safari/537.36 MicroMessenger/8.0.47"
    ),
    (
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/42.0.2311.135 "
        "Safari/537.36 Edge/12.246"
    ),
    "okhttp/4.12.0",
    "QQMail/6.5.6 CFNetwork/1410.0.3 Darwin/22.6.0",
    "Dalvik/2.1.0 (Linux; U; Android 13; V2254A)",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; see https://example.com/robots) Gecko/20100101 Firefox/130.0",
]
"""Hand-labelled; an agent that only may be a machine's stands here."""


def record(kind: str = "opened", **raw: Any) -> dict[str, Any]:
    """Build what the judge reads of a record."""
    return {"type": kind, "raw": raw}


@pytest.mark.parametrize("agent", MACHINES)
@pytest.mark.parametrize("kind", JUDGED)
def test_an_agent_that_gives_itself_away_is_likely(agent: str, kind: str):
    assert machine_of(record(kind, useragent=agent)) == "likely"


@pytest.mark.parametrize("agent", PEOPLE)
@pytest.mark.parametrize("kind", JUDGED)
def test_an_agent_that_a_person_may_have_is_no_evidence(agent: str, kind: str):
    """Image proxies fetch when somebody opens the mail (facts: Gmail, Yahoo, Outlook)."""
    assert machine_of(record(kind, useragent=agent)) is None


def test_every_rule_has_its_source_and_is_needed():
    """A rule that decides nothing of the labelled agents would be one that nobody checks."""
    deciding = set()
    for agent in (*MACHINES, *PEOPLE):
        words = agent.strip().lower()
        deciding |= {next((n for n, rule in enumerate(AGENTS) if rule.pattern.search(words)), None)}
    assert deciding - {None} == set(range(len(AGENTS)))
    assert all(rule.source.startswith(("https://", "http://")) for rule in AGENTS)
    assert all(rule.verdict in (None, "likely") for rule in AGENTS)


@pytest.mark.parametrize(
    ("kind", "after_s", "verdict"),
    [
        ("opened", 0, "suspected"),
        ("opened", 1, "suspected"),
        ("opened", 2, None),
        ("clicked", 1, "suspected"),
        ("clicked", 2, None),
        ("unsubscribed", 119, "suspected"),
        ("unsubscribed", 120, None),
        ("opened", -1, None),
        ("unsubscribed", -1, None),
    ],
)
def test_what_comes_before_anybody_could_is_suspected(kind: str, after_s: int, verdict: str | None):
    """Counted from ``sentTimestamp``; a time before it says that a clock is wrong, and nothing else."""
    sent = 1795161570
    assert machine_of(record(kind, timestamp=sent + after_s, sentTimestamp=sent, useragent=CHROME)) == verdict
    assert machine_of(record(kind, timestamp=str((sent + after_s) * 1000), senttimestamp=str(sent))) == verdict


@pytest.mark.parametrize("sent", [None, "", "soon", [], {}, True, -5, 1e999, "9" * 400])
def test_without_a_time_of_sending_the_moment_says_nothing(sent: Any):
    """Callbacks before 2025-10 have none."""
    assert machine_of(record("opened", timestamp=1795161570, sentTimestamp=sent)) is None
    assert machine_of(record("opened", timestamp=sent, sentTimestamp=1795161570)) is None


def test_the_agent_outweighs_the_moment():
    assert machine_of(record(timestamp=5, sentTimestamp=5, useragent="Mozilla/5.0")) == "likely"
    assert machine_of(record(timestamp=5, sentTimestamp=5, useragent=PEOPLE[2])) == "suspected"


def test_names_are_read_in_any_case_and_sendcloud_names_its_browser():
    assert machine_of(record(UserAgent="curl/8")) == "likely"
    assert machine_of(record(explorerName="Googlebot", explorerVer="2.1")) == "likely"
    assert machine_of(record(explorerName="Chromium", explorerVer="130.0.6723")) is None


@pytest.mark.parametrize("kind", ["delivered", "complained", "bounced", "unknown"])
def test_what_a_machine_cannot_do_is_not_judged(kind: str):
    assert machine_of(record(kind, useragent="Mozilla/5.0", timestamp=5, sentTimestamp=5)) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from(["useragent", "userAgent", "explorerName", "timestamp", "sentTimestamp", "link"])


@given(st.sampled_from(JUDGED), JSON | st.dictionaries(NAMES, JSON))
def test_whatever_strangers_write_there_is_a_verdict(kind: str, raw: Any):
    """A pure function of the one event: the same again for every delivery of it."""
    verdict = machine_of({"type": kind, "raw": raw})
    assert verdict in VERDICTS
    assert machine_of({"type": kind, "raw": raw}) == verdict


@pytest.mark.timeout(30)
def test_an_agent_of_a_megabyte_costs_nothing():
    """What looks back at each byte takes hours, and ends at the time-out."""
    for part in ("a", "bot", "Mozilla/5.0 ", "cubot "):
        assert machine_of(record(useragent=part * 300_000)) in VERDICTS


def test_the_webhook_judges_just_these():
    """It asks before it imports the table."""
    assert set(JUDGED) == adapt._ENGAGED


# --- what several events tell ---------------------------------------------------------------------------------

START = 1795162200


def fetch(at: float, target: str = "", weight: int = 0) -> Fetch:
    """Build what the fold keeps."""
    return Fetch(weight, iso(START + at).removesuffix("Z"), target)


@pytest.mark.parametrize(
    ("kind", "at", "too_soon"),
    [
        ("opened", -600, True),
        ("opened", 0, True),
        ("opened", 0.9, True),
        ("opened", 1, False),
        ("clicked", 0.5, True),
        ("clicked", 1, False),
        ("unsubscribed", 119.5, True),
        ("unsubscribed", 120, False),
        ("unsubscribed", -3, True),
    ],
)
def test_nobody_reads_a_mail_before_it_is_there(kind: str, at: float, too_soon: bool):  # noqa: FBT001 - a table
    """The second of the delivery counts as before it: SES tells whole seconds."""
    assert is_too_soon(kind, fetch(at), fetch(0).at) == too_soon
    assert not is_too_soon(kind, fetch(at), "")


def test_two_links_in_a_second_are_a_sweep():
    a, b, later = fetch(0, "a"), fetch(1, "b"), fetch(2.5, "a")
    assert swept([a, b, later]) == {a, b}
    assert swept([a, fetch(0.5, "a"), later]) == frozenset()
    assert swept([fetch(0), fetch(0, "a")]) == frozenset()
    assert swept([]) == frozenset()


def test_an_unsubscribe_and_the_click_that_it_is_inferred_from_are_one():
    """https://www.tencentcloud.com/document/product/1084/39492: known by the word in the link."""
    when = {"occurred_at": iso(START), "machine": None}
    click = fetch_of({"type": "clicked", "link": "https://example.com/Unsubscribe?u=1", **when})
    unsubscribe = fetch_of({"type": "unsubscribed", "link": None, **when})
    elsewhere = fetch_of({"type": "clicked", "link": "https://example.com/offer", **when})
    assert swept([click, unsubscribe]) == frozenset()
    assert swept([elsewhere, unsubscribe]) == {elsewhere, unsubscribe}


@pytest.mark.parametrize("label", [None, "suspected", "likely", "a word of tomorrow", 7, ["likely"]])
def test_a_label_that_is_none_of_ours_weighs_nothing(label: Any):
    kept = fetch_of({"type": "opened", "occurred_at": iso(START), "machine": label})
    assert VERDICTS[kept.machine] == (label if label in ("suspected", "likely") else None)


FETCHES = st.builds(fetch, st.integers(0, 12).map(lambda step: step / 2), st.sampled_from(["", "a", "b", "c"]))


@given(st.lists(FETCHES, max_size=12), st.randoms())
def test_a_sweep_is_what_its_definition_says(fetches: list[Fetch], die: Any):
    """By comparing each with each; the order does not matter."""

    def near(one: Fetch, other: Fetch) -> bool:
        return abs(epoch(f"{one.at}Z") - epoch(f"{other.at}Z")) <= SWEEP_S

    expected = {
        one
        for one in fetches
        if one.target and any(other.target not in ("", one.target) and near(one, other) for other in fetches)
    }
    assert swept(fetches) == expected
    die.shuffle(fetches)
    assert swept(fetches) == expected


@pytest.mark.timeout(60)
def test_a_flood_of_clicks_is_worked_through():
    """Strangers can click as often as they like: the work grows with the number; its square ends at the time-out."""
    flood = [fetch(number % 2, str(number)) for number in range(50_000)]
    assert len(swept(flood)) == 50_000
