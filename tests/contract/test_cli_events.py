"""`mailtrail events`: what lies in the bucket, each event once, in order; and what arrives, while it arrives."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import requests
from click.testing import CliRunner

from cli import moments
from cli.events_following import Follower
from cli.events_reading import Wanted, distinct, find_events
from cli.main import main
from cli.trail import iter_days, iter_objects, open_trail
from localcloud import defaults
from localcloud.server import LocalServer
from shared.trail.layout import event_key, events_prefix
from shared.trail.records import encode_line, epoch, iso
from shared.trail.store import Store, StoreError
from tests.handlers import EVENT, NOW, call_back, run, timer

ROOT = Path(__file__).parents[2]
AT = EVENT["timestamp"]
MOMENTS = [
    ("15m", 0, NOW - 900),
    ("3d", 0, NOW - 3 * 86400),
    ("90000000d", 0, 0.0),
    ("2026-11-20", 28800, epoch("2026-11-19T16:00:00Z")),
    ("2026-11-20T08:00:00Z", 28800, AT),
    ("2026-11-20T16:00:00", 28800, AT),
    ("2026-11-20T03:00:00-05:00", 28800, AT),
    ("0001-01-01", 28800, 0.0),
    ("9999-12-31T23:59:59-12:00", 28800, epoch("9999-12-31T00:00:00Z")),
]


def events(*arguments, code=0):
    done = CliRunner().invoke(main, ["events", *arguments])
    assert done.exit_code == code, done.output
    return done


def found(*arguments):
    return [json.loads(line) for line in events("--json", *arguments).stdout.splitlines()]


def types(*arguments):
    return [one["type"] for one in found(*arguments)]


@pytest.fixture
def told(cloud):
    """Deliver five callbacks, out of order, one of them twice, about two people."""
    bounce = {"event": "bounce", "bounceType": "hard_bounce", "reason": "550 5.1.1 no such user"}
    link = {"event": "click", "link": "https://example.com/\x1b]0;owned\x07", "timestamp": AT + 70}
    for body in (
        EVENT | {"event": "open", "timestamp": AT + 60},
        EVENT,
        EVENT,
        EVENT | link,
        EVENT | bounce | {"email": "Bob@Other.example", "timestamp": AT - 3 * 3600},
        EVENT | {"event": "deferred", "timestamp": AT - 5 * 86400, "bulkId": "other"},
    ):
        assert call_back(body).status == 200
    return cloud


@pytest.mark.parametrize(("text", "offset_s", "expected"), MOMENTS)
def test_moments(text, offset_s, expected):
    """As people write them; a day, and a time without a zone, are the account's."""
    assert moments.parse_moment(text, now=NOW, utc_offset_s=offset_s) == expected


def test_each_event_once_in_order_of_its_time_for_people(told):
    """One line each, in the account's time; the last 24 hours, when nothing else is said."""
    lines = events().stdout.splitlines()
    assert [line.split()[:4] for line in lines] == [
        ["2026-11-20", "13:00:00", "bounced", "Bob@Other.example"],
        ["2026-11-20", "16:00:00", "delivered", "alice@example.com"],
        ["2026-11-20", "16:01:00", "opened", "alice@example.com"],
        ["2026-11-20", "16:01:10", "clicked", "alice@example.com"],
    ]
    assert "hard invalid_recipient 550 5.1.1" in lines[0]
    assert "\x1b" not in "".join(lines)
    assert "\x07" not in "".join(lines)


def test_json_lines_are_the_whole_records(told):
    """For a script: raw, too, and what a terminal must not see is escaped."""
    delivered = found("--type", "delivered")
    assert [(one["raw"], one["v"]) for one in delivered] == [(EVENT, 1)]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--since", "15m"], ["delivered", "opened", "clicked"]),
        (["--since", "2026-11-20T07:59:00Z", "--until", "2026-11-20T08:01:00Z"], ["delivered"]),
        (["--since", "2026-11-15", "--until", "2026-11-15"], ["deferred"]),
        (["--since", "1970-01-01"], ["deferred", "bounced", "delivered", "opened", "clicked"]),
        (["--type", "opened", "--type", "clicked"], ["opened", "clicked"]),
        (["--recipient", "BOB@other.example"], ["bounced"]),
        (["--domain", "other.EXAMPLE"], ["bounced"]),
        (["--message-id", "other", "--since", "30d"], ["deferred"]),
        (["--reason", "invalid_recipient"], ["bounced"]),
        (["--source", "sendcloud"], []),
        (["--verified"], []),
        (["--unverified", "--limit", "2"], ["opened", "clicked"]),
        (["--limit", "1", "--since", "30d", "--type", "deferred"], ["deferred"]),
    ],
)
def test_filters(told, arguments, expected):
    """Each by itself; days and hours that hold none of it are not read."""
    assert types(*arguments) == expected


def test_a_message_id_of_ses_looks_back_to_its_sending(told):
    """SES writes the time of sending into the id."""
    told.move_to(NOW + 9 * 86400)
    assert types() == []
    assert types("--message-id", EVENT["bulkId"]) == ["delivered", "opened", "clicked"]  # all after 15:59:30
    assert "no such events since" in events().stderr


def test_only_the_hours_that_are_asked_for_are_listed(told, calls):
    """An hour and a half lies in at most three hours, with the hour that is ahead; a wide stretch jumps from day to day."""
    assert len(found("--since", "15m")) == 3
    assert set(calls) == {"cos:GetBucket", "cos:GetObject"}
    assert calls.count("cos:GetBucket") <= 3
    store = open_trail(None).store
    calls.clear()
    days = moments.days_between("2000-01-01", "2026-11-21")
    assert list(iter_days(store, events_prefix, days)) == ["2026-11-15", "2026-11-20"]
    assert len(calls) == 3


def test_what_lies_ahead_of_now_is_there_unless_until_says_otherwise(told, calls):
    """A mail server's clock may be hours or years off; finding that out costs a LIST for each hour that has something."""
    ahead = [3600, 5 * 3600, 86400, 40 * 86400]
    call_back([EVENT | {"event": "open", "timestamp": int(NOW) + seconds} for seconds in ahead])
    calls.clear()
    assert types("--since", "15m") == ["delivered", "opened", "clicked", *["opened"] * 4]
    assert calls.count("cos:GetBucket") <= 3 + 2 * len(ahead)
    assert types("--since", "3d") == ["bounced", "delivered", "opened", "clicked", *["opened"] * 4]
    assert types("--since", "2026-12-01") == ["opened"]
    assert types("--since", "15m", "--until", iso(NOW + 5 * 3600)) == ["delivered", "opened", "clicked", "opened"]
    assert types("--since", "3d", "--until", iso(NOW)) == ["bounced", "delivered", "opened", "clicked"]
    assert types("--since", "2026-11-21", "--until", "2026-11-21") == ["opened"]
    open_trail(None).store.put("events/dt=2026-11-20/odd", b"")
    open_trail(None).store.put("events/zz", b"")
    assert types("--since", "2026-11-20T16:00:00", "--limit", "1") == ["opened"]


@pytest.mark.parametrize(
    "arguments",
    [["--since", "soon"], ["--since", "1h", "--until", "2h"], ["--type", "eaten"], ["--follow", "--until", "1h"]],
)
def test_wrong_usage_exits_2(cloud, arguments):
    """As every verb."""
    events(*arguments, code=2)


@pytest.mark.parametrize(
    "arguments", [["--since", "0001-01-01"], ["--until", "9999-12-31"], ["--message-id", "x-date-00010101000000-y"]]
)
def test_all_of_time_may_be_asked_for(told, arguments):
    """The years 1 and 9999 are how people write "ever"; nothing in a record is that far."""
    assert len(found(*arguments)) == (0 if "--message-id" in arguments else 5 if "--since" in arguments else 4)


def test_a_search_that_is_interrupted_is_no_success(told, monkeypatch):
    """What was printed until then may not be all; only --follow has no other end than Ctrl-C."""

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("cli.events.find_events", interrupted)
    assert "Aborted" in events(code=1).stderr
    events("--follow", "--since", "1h")


def test_a_cos_that_says_no_exits_1(cloud, monkeypatch):
    """With its code, on stderr; and so do settings that are missing."""
    monkeypatch.setenv("MAILTRAIL_BUCKET", "nobody-1250000000")
    assert "NoSuchBucket" in events(code=1).stderr
    monkeypatch.delenv("MAILTRAIL_REGION")
    assert "MAILTRAIL_REGION is missing" in events(code=1).stderr


def test_lines_that_are_no_events_are_told_and_passed_over(told):
    """Somebody else's file does not end it."""
    lines = [b'{"a": 1}', b"not JSON", b"[]", b"\xff", b"1e999", b"[" * 100_000]
    lines += [
        b'{"event_id": "e", %s}' % one for one in (b'"n": NaN', b'"recipient": 5', b'"type": [1]', b'"reason": {}')
    ]
    lines += [b'{"event_id": 5}', b'{"event_id": "e", "occurred_at": 5}', b'{"event_id": "e", "received_at": 5}']
    open_trail(None).store.put(event_key("2026-11-20", "16", "zz"), b"\n".join([*lines, b"", b" "]))
    for more in ([], ["--json"], ["--unverified", "--recipient", "alice@example.com"]):
        done = events("--since", "1h", *more)
        assert len(done.stdout.splitlines()) == 3
        assert f"{len(lines)} lines under events/ are no events" in done.stderr


def test_of_copies_the_verified_one_stands_then_the_earliest():
    """Whatever the order they are read in."""
    first, late = (
        {"event_id": "a", "received_at": "…00Z", "verified": False},
        {"event_id": "a", "received_at": "…00.5Z"},
    )
    proven = {"event_id": "a", "received_at": "…09Z", "verified": True}
    assert distinct([late, first]) == distinct([first, late]) == [first]
    assert distinct([first, proven, late]) == distinct([proven, late, first]) == [proven]


def test_before_and_after_compaction_the_answer_is_the_same(told):
    """Small objects, small and merged beside each other, merged alone."""
    before = found("--since", "30d")
    for later_s in (7200, 4 * 3600):
        told.move_to(NOW + later_s)
        run("report", timer(), time_limit_s=900)
        assert found("--since", "30d") == before
    assert all("merged-" in entry.key for entry in open_trail(None).store.iterate(events_prefix("2026-11-20", "16")))


def test_what_vanishes_while_it_is_read_is_found_where_it_was_merged_into(told, monkeypatch):
    """Compaction deletes between a listing and its reading; a LIST that lags does not matter."""
    store = open_trail(None).store
    listed = list(store.iterate(events_prefix("2026-11-20")))
    for later_s in (7200, 4 * 3600):
        told.move_to(NOW + later_s)
        run("report", timer(), time_limit_s=900)
    monkeypatch.setattr(Store, "iterate", lambda *_args, **_named: iter(listed))
    bodies = [body for _, body in iter_objects(store, events_prefix("2026-11-20"))]
    assert {line for body in bodies for line in body.splitlines() if b"delivered" in line}


class TestFollowing:
    """The follower by itself: no time passes, so there is nothing to wait for."""

    def test_what_was_there_is_not_told_and_what_arrives_is_told_once(self, told):
        """Also an event of yesterday, which lies in an older hour, and one that is dated later than today."""
        follower = Follower(open_trail(None))
        assert follower.look(open_trail(None)).records == []
        call_back(EVENT | {"event": "unsubscribe", "timestamp": AT - 86400 + 60})
        call_back(EVENT | {"event": "spamreport"})
        call_back(EVENT | {"event": "open", "timestamp": AT + 3 * 86400})
        call_back(EVENT)
        told_now = follower.look(open_trail(None))
        assert [one["type"] for one in told_now.records] == ["unsubscribed", "complained", "opened"]
        assert follower.look(open_trail(None)).records == []

    def test_compaction_brings_nothing_back(self, told):
        """Merged objects are new keys with old events."""
        follower = Follower(open_trail(None))
        call_back(EVENT | {"event": "spamreport"})
        assert len(follower.look(open_trail(None)).records) == 1
        told.move_to(NOW + 7200)
        assert run("report", timer(), time_limit_s=900)["maintenance"]["compaction"]
        assert follower.look(open_trail(None)).records == []

    def test_after_a_search_nothing_is_missed_and_nothing_is_told_twice(self, told):
        """What a lagging LIST hid from the search comes with the first look."""
        trail = open_trail(None)
        follower = Follower(trail)
        searched = find_events(trail, Wanted(trail.now - 900, trail.now), None, iter)
        hidden = min(searched.keys)
        follower.begin_after(searched._replace(keys=searched.keys - {hidden}, records=[]))
        assert len(follower.look(trail).records) == 1
        assert follower.look(trail).records == []

    def test_a_limit_is_not_made_up_for(self, told):
        """What the search left out is not told as if it had arrived."""
        trail = open_trail(None)
        follower = Follower(trail)
        searched = find_events(trail, Wanted(trail.now - 86400, trail.now), 2, iter)
        assert [one["type"] for one in searched.records] == ["opened", "clicked"]
        follower.begin_after(searched)
        assert follower.look(trail).records == []

    def test_the_day_may_change(self, told):
        """Localcloud's clock is moved over midnight: the new day is looked into."""
        follower = Follower(open_trail(None))
        told.move_to(NOW + 2 * 86400)
        call_back(EVENT | {"timestamp": int(NOW) + 2 * 86400})
        assert [one["occurred_at"] for one in follower.look(open_trail(None)).records] == [iso(NOW + 2 * 86400)]

    def test_what_was_read_before_the_trouble_is_told_at_once(self, told):
        """Not only when COS gives everything; the rest comes when it does, and nothing twice."""
        follower = Follower(open_trail(None))
        call_back(EVENT | {"event": "unsubscribe", "timestamp": AT - 86400})
        call_back(EVENT | {"event": "spamreport"})
        store = open_trail(None).store
        (late,) = (
            entry for entry in store.iterate(events_prefix("2026-11-20")) if b"spamreport" in store.get(entry.key)
        )

        class Failing(Store):
            def get(self, key):
                if key == late.key:
                    raise StoreError("get", "InvalidObjectState", status=403, retry_safe=False)
                return super().get(key)

        failing = open_trail(None)._replace(store=Failing(store._place))
        for expected in (["unsubscribed"], []):
            look = follower.look(failing)
            assert ([one["type"] for one in look.records], look.trouble.status) == (expected, 403)
        assert [one["type"] for one in follower.look(open_trail(None)).records] == ["complained"]

    def test_after_trouble_with_cos_the_rest_comes_later(self, told):
        """An error is told, and loses nothing."""
        follower = Follower(open_trail(None))
        call_back(EVENT | {"event": "spamreport"})
        call_back(EVENT | {"event": "unsubscribe", "timestamp": AT - 86400})
        told.faults.add({"service": "cos", "action": "GetObject", "kind": "error", "status": 503})
        look = follower.look(open_trail(None))
        assert (look.records, look.trouble.status) == ([], 503)
        told.faults.clear()
        assert len(follower.look(open_trail(None)).records) == 2


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with LocalServer(0, tmp_path_factory.mktemp("data"), ROOT) as running:
        yield running


@contextlib.contextmanager
def following(server, *arguments, **options):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAILTRAIL_", "TENCENT"))}
    command = [sys.executable, "-m", "cli", "events", "--local", str(server.port), "--interval", "0.05", *arguments]
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )
    watch = threading.Timer(60, process.kill)
    watch.start()
    try:
        yield process
    finally:
        watch.cancel()
        process.kill()
        process.communicate()


def callback(server, **changes):
    now = requests.get(f"{server.url}/_local/health", timeout=10).json()["now"]
    body = EVENT | {"timestamp": int(epoch(now))} | changes
    url = f"{server.url}/webhook/ses/{defaults.WEBHOOK_SECRET}"
    assert requests.post(url, json=body, timeout=10).json() == {"stored": 1}


def test_follow_tells_what_arrives_until_ctrl_c(server):
    """First what is there since then, then what comes; Ctrl-C is no failure and leaves no traceback."""
    callback(server, email="first@example.com")
    with following(server, "--follow", "--since", "1h", "--json") as process:
        assert json.loads(process.stdout.readline())["recipient"] == "first@example.com"
        callback(server, email="second@example.com")
        assert json.loads(process.stdout.readline())["recipient"] == "second@example.com"
        process.send_signal(2)
        out, errors = process.communicate(timeout=30)
        assert (process.returncode, out, errors) == (0, "", "")


def test_a_reader_that_goes_away_ends_it_quietly(server):
    """`mailtrail events --follow | head -n 1`."""
    callback(server, email="third@example.com")
    with following(server, "--follow", "--since", "1h") as process:
        assert process.stdout.readline()
        process.stdout.close()
        callback(server, email="fourth@example.com")
        assert process.wait(30) == 0
        assert process.stderr.read() == ""


def test_a_line_with_bytes_that_no_terminal_should_get(cloud):
    """Half a surrogate pair, a line break, an escape sequence: one printable line."""
    call_back(json.dumps(EVENT | {"email": "a\ud800\n\x1b[2J@example.com"}).encode())
    (line,) = events().stdout.splitlines()
    assert line.isprintable()
    assert json.loads(encode_line(found()[0]))["recipient"] == "a\ud800\n\x1b[2J@example.com"
