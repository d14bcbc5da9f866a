"""`mailtrail query`: SQL over the bucket's lines, and nothing else within its reach."""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import io
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from cli import query_messages
from cli.main import main
from cli.query_views import LINES, VIEWS, connect, define, settle_repeats, use_messages
from cli.trail import open_trail
from shared.trail.fold import ENGAGEMENTS, State
from shared.trail.layout import event_key, events_prefix, manifest_key, part_key, send_key, tasks_key
from shared.trail.records import encode_line, encode_lines, event_id, iso
from tests.handlers import (
    DAY,
    EVENT,
    NOW,
    VALID,
    call_back,
    report_table,
    run,
    schedule_task,
    send,
    timer,
    write_report,
)
from tests.sealed_days import SEALED_AFTER_S, rows_of, seal

AT = EVENT["timestamp"]
COUNTS = "SELECT type, count(*) AS n FROM events GROUP BY ALL ORDER BY ALL"


def query(*arguments, code=0, given=None):
    done = CliRunner().invoke(main, ["query", *map(str, arguments)], input=given)
    assert done.exit_code == code, done.output
    return done


def rows(sql, *arguments) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(query(sql, "--json", *arguments).stdout)
    return found


@pytest.fixture
def told(cloud):
    """Send a mail; let its callbacks come, and one of five days ago; take the snapshot."""
    sent = send(VALID | {"metadata": {"order": "42"}})
    cloud.advance(10)
    opened = EVENT | {"event": "open", "timestamp": AT + 60, "useragent": "Mozilla/5.0 (Macintosh)"}
    own = EVENT | {"bulkId": sent.body["message_id"], "timestamp": int(NOW) + 1}
    for body in (EVENT, EVENT, opened, own, EVENT | {"email": "Bob@Other.example", "timestamp": AT - 5 * 86400}):
        assert call_back(body).status == 200
    run("snapshot", timer(DAY), time_limit_s=900)
    return cloud


def test_events_are_counted_once_within_the_days_asked_for(told):
    """The last 31 days, when nothing else is said; what was read is told on stderr."""
    done = query(COUNTS, "--json")
    assert json.loads(done.stdout) == [{"type": "delivered", "n": 3}, {"type": "opened", "n": 1}]
    assert done.stderr == "read events of 2026-10-21 to 2026-11-20 and later: 4 objects, 4 of them fetched\n"
    assert rows("SELECT count(*) AS n FROM events", "--days", 2) == [{"n": 3}]
    assert rows("SELECT count(*) AS n FROM events", "--from", "2026-11-15", "--to", "2026-11-16") == [{"n": 1}]
    assert rows("SELECT count(*) AS n FROM events", "--from", "2020-01-01", "--to", "yesterday") == [{"n": 1}]


def test_what_is_dated_later_than_today_is_there_unless_to_says_otherwise(told, tmp_path):
    """Of every kind, however wide the window is; a mail server's clock may be wrong, and this machine's too."""
    assert call_back(EVENT | {"event": "open", "timestamp": int(NOW) + 40 * 86400}).status == 200
    told.move_to(NOW + 86400)
    send(VALID)
    call_back(b"{not JSON")
    run("snapshot", timer("2026-11-21"), time_limit_s=900)
    told.move_to(NOW)
    count = "SELECT count(*) AS n FROM "
    for more in ((), ("--days", 1), ("--days", 400), ("--from", "2026-11-20"), ("--from", "2026-11-21")):
        assert rows(count + "events WHERE dt > '2026-11-20'", *more) == [{"n": 1}]
        assert [rows(count + view, *more)[0]["n"] > 0 for view in ("sends", "status", "quarantine")] == [True] * 3
    for last in ("today", "2026-12-29"):
        done = query(count + "events WHERE dt > '2026-11-20'", "--json", "--to", last)
        assert json.loads(done.stdout) == [{"n": 0}]
        assert f"to {last.replace('today', DAY)}: " in done.stderr
    assert rows(count + "events WHERE dt > '2026-11-20'", "--to", "2026-12-30") == [{"n": 1}]
    assert rows("SELECT max(occurred_at) AS at FROM events", "--from", "2027-01-01") == [{"at": None}]


@pytest.mark.parametrize(
    ("count", "later"),
    [
        ("SELECT count(*) AS n FROM events WHERE recipient = 'later@example.com'", events_prefix("2026-12-30", "16")),
        ("SELECT count(*) AS n FROM status WHERE recipient = 'later@example.com'", "status/dt=2026-12-30/"),
    ],
)
def test_a_cache_forgets_what_was_dated_later_and_is_gone(told, tmp_path, count, later):
    """But not for a query that is about other days."""
    store = open_trail(None).store
    if later.startswith("events"):
        call_back(EVENT | {"timestamp": int(NOW) + 40 * 86400, "email": "later@example.com"})
    else:
        put_rows(
            store, "status", "2026-12-30", {"message_id": "x", "recipient": "later@example.com", "type": "delivered"}
        )
    assert rows(count, "--cache", tmp_path) == [{"n": 1}]
    for entry in list(store.iterate(later)):
        store.delete(entry.key)
    assert rows(count, "--cache", tmp_path, "--to", "today") == [{"n": 0}]
    assert list(tmp_path.glob(f"*/{later}/**/*.jsonl"))
    assert rows(count, "--cache", tmp_path) == [{"n": 0}]
    assert not list(tmp_path.glob(f"*/{later}/**/*.jsonl"))


def test_columns_have_types(told):
    """Times compare as times, raw opens with its members, the partition is there."""
    sql = (
        "SELECT occurred_at, received_at - occurred_at < INTERVAL 1 HOUR AS quick, raw->>'$.useragent' AS agent, domain,"
        " verified, dt, hour, template_id FROM events WHERE occurred_at > TIMESTAMP '2026-11-20 08:00:30'"
        " AND type = 'opened'"
    )
    (row,) = rows(sql)
    assert row == {
        "occurred_at": "2026-11-20T08:01:00",
        "quick": True,
        "agent": "Mozilla/5.0 (Macintosh)",
        "domain": "example.com",
        "verified": False,
        "dt": DAY,
        "hour": 16,
        "template_id": None,
    }


def test_messages_say_what_the_report_says(told):
    """One row for each (message, recipient), of events, status rows and sends; equal to the report's own fold."""
    sql = "SELECT type, count(*) AS n, count(*) FILTER (opened) AS opened FROM messages GROUP BY ALL"
    by_type = rows(sql, "--from", DAY)
    report = write_report()["recipients"]
    assert {row["type"]: row["n"] for row in by_type} == report["by_outcome"]
    assert sum(row["opened"] for row in by_type) == report["opened"] == 1
    (sent,) = rows("SELECT * FROM messages WHERE told_by LIKE '%send%'")
    assert (sent["recipient"], sent["domain"], sent["type"], sent["told_by"]) == (
        "alice@example.com", "example.com", "delivered", "event send status",
    )  # fmt: skip


def test_what_was_filled_in_is_told_by_its_row(told):
    """Nobody called back, whatever lies under events/; as the report has it."""
    told.advance(SEALED_AFTER_S)
    sent = [row for row in rows_of(told) if row["message_id"].startswith("qcloudses")]
    lost = {**sent[0], "message_id": "lost", "raw": {**sent[0]["raw"], "MessageId": "lost"}}
    seal(told, rows=[lost])
    assert write_report()["loss"]["status"]["lost"] == 1
    seal(told, rows=[])
    (state,) = rows("FROM messages WHERE message_id = 'lost'")
    assert (state["type"], state["told_by"]) == ("delivered", "status")
    assert rows("SELECT count(*) AS n FROM events WHERE source = 'status'") == [{"n": 1}]
    (same,) = [row for row in report_table() if row["message_id"] == "lost"]
    assert (same["outcome"], same["told_by"]) == ("delivered", "status")


def put_rows(store, source, day, *lines):
    """Make lines the rows of a day; return the key of their part."""
    body, key = encode_lines(lines), part_key(source, day, 1, 0)
    part = {"key": key, "rows": len(lines), "bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}
    store.put(key, body)
    store.put(manifest_key(source, day), json.dumps({"v": 1, "parts": [part]}).encode())
    return key


def test_sends_status_and_tasks(told):
    """Recipients are a list, metadata is JSON, rows of both providers tell their source."""
    assert rows("SELECT recipients[1] AS who, metadata->>'$.order' AS number FROM sends") == [
        {"who": "alice@example.com", "number": "42"}
    ]
    assert rows("SELECT source, type, delivered_at IS NOT NULL AS told FROM status") == [
        {"source": "ses", "type": "delivered", "told": True}
    ]
    task = {"v": 1, "task_id": "9", "status": 5, "requested": 3, "sent": 2, "fetched_at": iso(NOW), "raw": {}}
    open_trail(None).store.put(tasks_key(DAY, iso(NOW)), encode_line(task))
    assert rows("SELECT task_id, requested - sent AS open FROM tasks") == [{"task_id": "9", "open": 1}]


def test_task_changes_are_the_history_of_a_task(cloud):
    """What the snapshots of the task list noticed: that it appeared, and what became another."""
    schedule_task("Autumn")
    run("snapshot", timer(DAY), time_limit_s=900)
    cloud.move_to(NOW + 2 * 86400)
    cloud.pump_until_idle()
    run("snapshot", timer(DAY), time_limit_s=900)
    sql = "SELECT change, status_before, status, subject, before->>'$.requested' AS requested, dt FROM task_changes"
    found = rows(f"{sql} WHERE subject = 'Autumn' ORDER BY at")
    assert [(row["change"], row["dt"]) for row in found] == [("appeared", DAY), ("changed", "2026-11-22")]
    appeared, changed = found
    assert (appeared["status_before"], appeared["requested"]) == (None, None)
    assert changed["status_before"] == appeared["status"] != changed["status"]
    assert changed["requested"] is not None
    assert rows("SELECT count(DISTINCT task_id) AS n FROM task_changes JOIN tasks USING (task_id)") == [{"n": 1}]


def test_suppression_and_quarantine(told):
    """What holds, and what was not understood."""
    call_back(EVENT | {"event": "spamreport"})
    call_back(b"{not JSON")
    write_report()
    assert rows("SELECT address, reason FROM suppression") == [{"address": "alice@example.com", "reason": "complaint"}]
    assert rows("SELECT body, why FROM quarantine") == [{"body": "{not JSON", "why": "the body is not JSON"}]


def test_only_what_the_manifest_names_is_status(told):
    """Neither parts of another pass nor a part that was changed."""
    store = open_trail(None).store
    key = put_rows(store, "sendcloud", DAY, {"message_id": "x", "type": "delivered", "opened": True})
    store.put(part_key("sendcloud", DAY, 9, 0), b'{"message_id": "stray", "type": "delivered"}\n')
    assert rows("SELECT message_id, source FROM status WHERE opened") == [{"message_id": "x", "source": "sendcloud"}]
    store.put(key, b'{"message_id": "forged", "type": "delivered"}\n')
    assert "not what the manifest says" in query("FROM status", code=1).stderr


def test_before_and_after_compaction_the_answer_is_the_same(told, tmp_path):
    """Small objects, small and merged beside each other, merged alone; with a cache and without."""
    questions = (COUNTS, "SELECT * FROM events ORDER BY event_id", "SELECT * FROM messages ORDER BY ALL")
    day = ("--from", "2026-11-15", "--to", DAY)
    before = [rows(sql, *day) for sql in questions]
    for later_s in (7200, 4 * 3600):
        told.move_to(NOW + later_s)
        run("report", timer(), time_limit_s=900)
        for more in ((), ("--cache", tmp_path)):
            assert [rows(sql, *day, *more) for sql in questions] == before
    assert [e.key for e in open_trail(None).store.iterate(events_prefix(DAY)) if "merged-" not in e.key] == []


def test_a_cache_reads_what_is_new_and_forgets_what_is_gone(told, tmp_path):
    """A folder on the person's machine is a copy of the bucket, not a trail of its own."""
    count = "SELECT count(*) AS n FROM events"
    assert "4 of them fetched" in query(count, "--cache", tmp_path).stderr
    assert "4 objects, 0 of them fetched" in query(count, "--cache", tmp_path).stderr
    call_back(EVENT | {"event": "spamreport"})
    assert "5 objects, 1 of them fetched" in query(count, "--cache", tmp_path).stderr
    store = open_trail(None).store
    erased = next(entry.key for entry in store.iterate(events_prefix("2026-11-15")))
    other = next(entry.key for entry in store.iterate(events_prefix(DAY)))
    store.delete(erased)
    store.delete(other)
    assert rows(count, "--cache", tmp_path) == [{"n": 3}]
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*.jsonl"))
    assert b"Bob@Other.example" not in kept
    (next(tmp_path.rglob("index.json"))).write_text("{broken")
    assert rows(count, "--cache", tmp_path) == [{"n": 3}]


def test_lines_that_duckdb_refuses_spoil_nothing(told):
    """Half a surrogate pair is mended; what is no line of ours is counted and passed over; numbers may be any size."""
    call_back(json.dumps(EVENT | {"event": "open", "timestamp": AT + 1, "note": "\ud800", "n": 10**400}).encode())
    store = open_trail(None).store
    store.put(
        event_key(DAY, "16", "zz"),
        b'\nnot JSON\n[]\n"' + b"x" * 9_000_000 + b'"\n{"a": 1}\n{"event_id":"e","type":[1]}',
    )
    done = query("SELECT type, count(*) AS n FROM events WHERE dt = '2026-11-20' GROUP BY ALL ORDER BY ALL", "--json")
    assert [(row["type"], row["n"]) for row in json.loads(done.stdout)] == [("[1]", 1), ("delivered", 2), ("opened", 2)]
    assert "4 lines of events are not what mailtrail writes" in done.stderr
    (row,) = rows("SELECT raw FROM events WHERE raw->>'$.note' IS NOT NULL")
    assert row["raw"]["note"] == "\N{REPLACEMENT CHARACTER}"
    assert rows("SELECT count(*) AS n FROM messages")[0]["n"] >= 3


@pytest.mark.parametrize("days", ["31", "400"])
def test_keys_of_another_shape_are_passed_over(told, tmp_path, days):
    """What a console or somebody else puts there has no partition, or would even be written beside the cache."""
    store, before = open_trail(None).store, rows(COUNTS, "--days", days)
    names = "|x.jsonl|hour=16/|hour=16/sub/x.jsonl|hour=xx/x.jsonl|../../../../x|hour=16/../../x.jsonl".split("|")
    keys = [f"events/dt={DAY}/{name}" for name in names]
    keys += [f"events/dt={day}/hour=00/x.jsonl" for day in ("2026-10-50", "2026-13-01", "soon", "9999-99-99")]
    keys += ["events/", "events/dt=2026-11-1", "events/zz", "events/zz/dt=2026-11-30/hour=01/x.jsonl"]
    for key in [*keys, f"sends/dt={DAY}/sub/x.jsonl"]:
        store.put(key, b'{"event_id": "stray", "type": "opened", "message_id": "stray"}\n')
    assert rows(COUNTS, "--days", days, "--cache", tmp_path / "a" / "b" / "c") == before
    assert rows("SELECT count(*) AS n FROM sends WHERE message_id = 'stray'") == [{"n": 0}]
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.name for path in written} >= {"index.json"}
    assert all("hour=16" in str(path.parent) for path in written)


@pytest.mark.parametrize(
    ("sql", "told_why"),
    [
        ("FROM read_text('/etc/passwd')", "Permission"),
        ("FROM '/etc/passwd'", "does not exist"),
        ("FROM glob('/etc/*')", "Permission"),
        ("FROM read_csv('http://127.0.0.1:1/x')", "Permission"),
        ("SELECT 1 AS events; COPY (SELECT 1) TO '/tmp/mailtrail-x'", "COPY is not for here"),
        ("ATTACH '/tmp/mailtrail-x.db'", "ATTACH is not for here"),
        ("SET enable_external_access = true", "SET is not for here"),
        ("INSTALL httpfs", "LOAD is not for here"),
        ("PRAGMA enable_external_access = true", "not for here"),
        ("EXPLAIN ANALYZE COPY (SELECT 1) TO '/tmp/mailtrail-x' (USE_TMP_FILE false)", "COPY is not for here"),
        ("SELECT '\udcff'", "surrogates not allowed"),
        ("EXPORT DATABASE '/tmp/mailtrail-x'", "EXPORT is not for here"),
        ("SELEC 1", "syntax error"),
        (" ", "no statement"),
        ("SELECT 1/0 FROM nothing", "does not exist"),
    ],
)
def test_sql_reads_the_views_and_nothing_else(cloud, sql, told_why):
    """A query pasted from somewhere cannot look around on this machine, nor write to it."""
    assert told_why in query(sql, code=1).stderr


def test_other_data_is_not_read_by_a_query_that_does_not_name_it(told, calls):
    """Views are made of what the SQL names; SQL that names none asks COS nothing."""
    assert rows("SELECT 1 AS one") == [{"one": 1}]
    assert calls == []
    with pytest.raises(AssertionError, match="does not exist"):
        query("FROM query_table('ev' || 'ents')")


def test_formats(told, tmp_path):
    """Table, CSV, JSON, JSON lines, Parquet; into a file too."""
    sql = "SELECT 1 AS a, 'x\x1b[2J' AS b, NULL AS c, [1.50, 2] AS a, DATE '2026-01-01' AS d, 'nan'::DOUBLE AS e, true AS f"
    table = query(sql).stdout
    assert "x\N{REPLACEMENT CHARACTER}[2J" in table
    (row,) = csv.DictReader(io.StringIO(query(sql, "--format", "csv").stdout))
    assert row == {"a": "1", "b": "x\x1b[2J", "c": "", "a_1": "[1.5, 2]", "d": "2026-01-01", "e": "", "f": "true"}
    expected = {"a": 1, "b": "x\x1b[2J", "c": None, "a_1": [1.5, 2], "d": "2026-01-01", "e": None, "f": True}
    assert rows(sql) == [expected] == [json.loads(query(sql, "--format", "jsonl").stdout)]
    assert rows("SELECT 1 AS a WHERE false") == []
    assert rows("FROM range(3) SELECT range AS n; -- done") == [{"n": 0}, {"n": 1}, {"n": 2}]
    query(COUNTS, "--format", "parquet", "--out", tmp_path / "it's.parquet")
    assert duckdb.sql(f"FROM '{tmp_path}/it''s.parquet'").fetchall() == [("delivered", 3), ("opened", 1)]
    query(COUNTS, "--format", "csv", "--out", tmp_path / "n.csv")
    assert (tmp_path / "n.csv").read_text() == "type,n\ndelivered,3\nopened,1\n"
    done = query("FROM range(1001)")
    assert "the first 1000 rows" in done.stderr


def test_no_cell_of_csv_is_a_formula_and_other_formats_have_the_text(told, tmp_path):
    """As in the report's CSV: reasons, links and names are written by strangers. Numbers below zero stay numbers."""
    formulas = [*"=+-@\t\r\n＝＋－＠"]
    call_back([EVENT | {"bulkId": f"{start}cmd|' /C calc'!A0\0"} for start in formulas])
    sql = "SELECT message_id AS m, -1 AS i, -0.5::DOUBLE AS f, -2.50 AS d, INTERVAL (-3) DAY AS t FROM events"
    sql += " WHERE message_id LIKE '%calc%'"
    query(sql, "--format", "csv", "--out", tmp_path / "n.csv")
    with (tmp_path / "n.csv").open(encoding="utf-8", newline="") as file:
        read = list(csv.DictReader(file))
    assert {row["m"] for row in read} == {f"'{start}cmd|' /C calc'!A0\N{REPLACEMENT CHARACTER}" for start in formulas}
    assert {(row["i"], row["f"], row["d"], row["t"]) for row in read} == {("-1", "-0.5", "-2.5", "'-3 days, 0:00:00")}
    assert {row["m"] for row in rows(sql)} == {f"{start}cmd|' /C calc'!A0\0" for start in formulas}
    pivoted = "FROM (PIVOT (SELECT '=1+1' AS name, 1 AS n) ON name USING sum(n))"
    assert query(pivoted, "--format", "csv").stdout == "'=1+1\n1\n"


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("FROM range(2); -- done;", [(0,), (1,)]),
        ("SELECT ';' AS a; /* done */", [(";",)]),
        ("SELECT 1 AS a -- done", [(1,)]),
        ("PIVOT (SELECT 'x' AS name, 1 AS n) ON name USING sum(n)", [(1,)]),
        ("SELECT a FROM (DESCRIBE SELECT 1 AS a) AS t(a, b, c, d, e, f)", [("a",)]),
        ("SUMMARIZE SELECT 1 AS a", None),
        ("EXPLAIN SELECT 1 AS a", None),
    ],
)
def test_whatever_has_rows_can_be_a_parquet_file(cloud, tmp_path, sql, expected):
    """As it can be a table: comments, and what DuckDB makes several statements of, are no obstacle."""
    query(sql, "--format", "parquet", "--out", tmp_path / "n.parquet")
    found = duckdb.sql(f"FROM '{tmp_path}/n.parquet'").fetchall()
    assert found == expected or (expected is None and found)


def test_what_has_no_rows_makes_no_parquet_file(cloud, tmp_path):
    """A table of one's own is of use to a later statement only."""
    done = query("CREATE TABLE x AS SELECT 1", "--format", "parquet", "--out", tmp_path / "n.parquet", code=1)
    assert "no rows to write" in done.stderr
    assert not (tmp_path / "n.parquet").exists()


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_a_line_end_in_a_cell_of_csv_makes_no_row(cloud, tmp_path, end):
    """Else what follows it would stand in a cell of its own, and could be a formula."""
    query(f"SELECT 'x{end}=1+1' AS a, 2 AS b", "--format", "csv", "--out", tmp_path / "n.csv")
    assert (tmp_path / "n.csv").read_bytes() == f'a,b\n"x{end}=1+1",2\n'.encode()


def test_sql_from_a_file_or_from_stdin(told, tmp_path):
    """Long queries live in files; macros and views of one's own may come first."""
    path = tmp_path / "q.sql"
    path.write_text("CREATE TEMP MACRO twice(x) AS 2 * x; SELECT twice(count(*)) AS n FROM events;")
    assert json.loads(query("--file", path, "--json").stdout) == [{"n": 8}]
    assert json.loads(query("-", "--json", given=COUNTS).stdout) == rows(COUNTS)


@pytest.mark.parametrize(
    "arguments",
    [
        ["x", "--file", __file__],
        ["x", "--format", "parquet"],
        ["SELECT 1", "--from", "today", "--to", "2d"],
        ["SELECT 1", "--from", "1"],
    ],
)
def test_wrong_usage_exits_2(cloud, arguments):
    """As every verb."""
    query(*arguments, code=2)


@pytest.mark.parametrize(("option", "form"), [("--out", "csv"), ("--out", "parquet"), ("--cache", "csv")])
def test_where_nothing_can_be_written_it_exits_1(told, tmp_path, option, form):
    """With the system's own words, and no traceback."""
    (tmp_path / "file").touch()
    done = query(COUNTS, "--format", form, "--out", tmp_path / "n", option, tmp_path / "file" / "n", code=1)
    assert "Not a directory" in done.stderr


def test_ctrl_c_ends_a_long_query_at_once():
    """DuckDB, left alone, would go on to the end of it."""
    sql = "SELECT count(*) FROM range(100000000000) t(n) WHERE n % 7 = 3"
    code = (
        "import os, signal, threading; from cli import query_output, query_views; from cli.main import main\n"
        "locked = query_views.lock\n"
        "stop = lambda: os.kill(os.getpid(), signal.SIGINT)\n"
        "def lock(*given): locked(*given); threading.Timer(0.3, stop).start()\n"
        f"query_views.lock = lock; main(['query', {sql!r}])"
    )
    given = {"MAILTRAIL_BUCKET": "b-1250000000", "MAILTRAIL_REGION": "ap-guangzhou"}
    given |= {"TENCENTCLOUD_SECRETID": "i", "TENCENTCLOUD_SECRETKEY": "k"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=os.environ | given, capture_output=True, timeout=20, check=False)
    assert (done.returncode, done.stdout, done.stderr.strip()) == (1, b"", b"Aborted!")


def test_without_sql_the_columns_are_listed_and_nothing_is_asked(cloud, calls):
    """What there is to ask for; a record's members are all there."""
    listed = json.loads(query("--json").stdout)
    assert list(dict.fromkeys(row["view"] for row in listed)) == list(VIEWS)
    for view in ("events", "status", "tasks", "task_changes", "sends", "suppression", "quarantine"):
        assert {row["column"] for row in listed if row["view"] == view} >= set(LINES[view])
    state = {row["column"] for row in listed if row["view"] == "messages"}
    assert state == {"message_id", "recipient", "domain", "told_by", *State().as_dict()}
    assert calls == []


def test_a_bucket_without_anything_has_empty_views(cloud):
    """The first day."""
    for view in VIEWS:
        assert rows(f"FROM {view}") == []


def test_without_duckdb_the_extra_is_named(cloud, monkeypatch):
    """It is no dependency of the rest of the command."""
    monkeypatch.setitem(__import__("sys").modules, "duckdb", None)
    assert "mailtrail[query]" in query("SELECT 1", code=1).stderr


TIMES = st.integers(0, 6).map(lambda step: iso(AT + step / 2))
PEOPLE = st.sampled_from(["a@x.example", "A@X.example", "İ@x.example", None, ""])
MAILS = st.sampled_from(["m1", "m2", None])
WORDS = [
    ("delivered", None, None), ("deferred", "soft", "greylisted"), ("bounced", "soft", "mailbox_full"),
    ("bounced", "hard", "invalid_recipient"), ("rejected", "admin", "rate_limited"), ("failed", None, "template"),
    ("unknown", None, None), *((kind, None, None) for kind in ENGAGEMENTS),
]  # fmt: skip


@st.composite
def an_event(draw):
    kind, class_, reason = draw(st.sampled_from(WORDS))
    whose = {"message_id": draw(MAILS), "recipient": draw(PEOPLE)}
    link, at = draw(st.sampled_from([None, "https://a.example/", "https://b.example/\u2028"])), draw(TIMES)
    return {
        "v": 1, "event_id": event_id("ses", whose["message_id"], whose["recipient"], kind, at, link), "source": "ses",
        "type": kind, "class": class_, "reason": reason, "fault": None, **whose, "occurred_at": at,
        "received_at": draw(TIMES), "verified": draw(st.booleans()),
        "machine": draw(st.sampled_from([None, "suspected", "likely"])), "link": link, "raw": {"n": draw(st.integers())},
    }  # fmt: skip


@st.composite
def a_status(draw):
    kind, class_, reason = draw(st.sampled_from(WORDS[:7]))
    flags = {name: draw(st.booleans()) for name in ENGAGEMENTS}
    at = {"requested_at": draw(TIMES), "delivered_at": draw(st.none() | TIMES)}
    whose = {"message_id": draw(MAILS), "recipient": draw(PEOPLE)}
    return {"v": 1, **whose, "type": kind, "class": class_, "reason": reason, "fault": None, **at, **flags, "raw": {}}


@st.composite
def a_send(draw):
    people = draw(st.lists(st.sampled_from(["a@x.example", "b@x.example"]), min_size=1, max_size=2))
    return {"v": 1, "message_id": draw(st.sampled_from(["m1", "m2"])), "recipients": people, "accepted_at": draw(TIMES)}


def expected_messages(told: dict[str, list[dict[str, Any]]]) -> dict[tuple[str | None, str | None], dict[str, Any]]:
    """Fold records as the report does, by the fold itself."""
    states: dict[tuple[str | None, str | None], State] = {}

    def state(record):
        return states.setdefault((record["message_id"] or None, (record["recipient"] or "").lower() or None), State())

    for record in told["events"]:
        state(record).add(record)
    for record in told["status"] + told["sendcloud"]:
        state(record).add(record)
        state(record).add_flags(record)
    for record in told["sends"]:
        for recipient in record["recipients"]:
            said = {"type": "accepted", "occurred_at": record["accepted_at"]}
            state({"message_id": record["message_id"], "recipient": recipient}).add(said)
    return {key: one.as_dict() for key, one in states.items()}


HISTORIES = st.fixed_dictionaries({
    "events": st.lists(an_event(), max_size=12), "status": st.lists(a_status(), max_size=4),
    "sendcloud": st.lists(a_status(), max_size=2), "sends": st.lists(a_send(), max_size=2),
})  # fmt: skip


def write_packs(told: dict[str, list[dict[str, Any]]], folder: Path) -> dict[str, list[str]]:
    packs = {}
    for kind, records in told.items():
        path = folder / kind / "dt=2026-11-20" / "hour=16" / "pack.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode_lines(records + records[:2]))
        packs[kind] = [str(path)]
    return packs


def opened_views(packs, folder, view):
    connection = connect(packs, folder)
    if view == "events":
        settle_repeats(connection)
    else:
        use_messages(connection, query_messages.fold_all(packs, query_messages.FEW_LINES, folder, lambda _count: None))
    define(connection, [view])
    return connection


@settings(max_examples=25)
@given(HISTORIES)
def test_the_view_messages_is_the_fold(tmp_path_factory, told):
    """Random histories: ties in time, halves of seconds, repeats, status rows, flags, machines, names in any case."""
    folder = tmp_path_factory.mktemp("fold")
    with opened_views(write_packs(told, folder), folder, "messages") as connection:
        cursor = connection.execute("FROM messages")
        names = [column[0] for column in cursor.description]
        found = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    expected = expected_messages(told)
    assert len(found) == len(expected)
    for row in found:
        state = expected[row["message_id"], row["recipient"]]
        told_of_it = {name: iso(_utc(row[name])) if _is_time(row[name]) else row[name] for name in state}
        assert told_of_it == state


def _is_time(value):
    return hasattr(value, "timestamp")


def _utc(value):
    return value.replace(tzinfo=dt.timezone.utc).timestamp()


@settings(max_examples=15)
@given(st.lists(an_event(), max_size=10), st.randoms())
def test_of_copies_the_same_stands_whatever_the_order(tmp_path_factory, events, random):
    """Verified, then received first, then by content: not by where it lies."""
    answers = []
    for _ in range(2):
        folder = tmp_path_factory.mktemp("copies")
        with opened_views(write_packs({"events": events}, folder), folder, "events") as connection:
            answers.append(connection.execute("SELECT * FROM events ORDER BY event_id").fetchall())
        random.shuffle(events)
    assert answers[0] == answers[1]
    assert len(answers[0]) == len({event["event_id"] for event in events})


def test_the_fold_reads_no_member_that_the_query_leaves_out():
    """Else its answer would differ where it is told less."""
    read = set()

    class Spy(dict):
        def __getitem__(self, name: str) -> Any:
            read.add(name)
            return super().__getitem__(name)

        def get(self, name, default=None):
            read.add(name)
            return super().get(name, default)

    for kind, class_, reason in WORDS:
        State().add(Spy(event_id="e", type=kind, occurred_at=iso(AT), **{"class": class_, "reason": reason}))
        State().add_flags(Spy(type=kind))
    assert {"occurred_at", "machine", *ENGAGEMENTS} <= read <= set(query_messages.NAMES)


def test_many_lines_are_folded_by_several_processes(tmp_path, monkeypatch):
    """And give the same."""
    events = [
        {
            "event_id": f"{n}",
            "type": "delivered",
            "message_id": f"m{n % 40}",
            "recipient": f"r{n}@x",
            "occurred_at": iso(AT),
        }
        for n in range(200)
    ]
    packs = write_packs({"events": events, "status": [], "sendcloud": [], "sends": []}, tmp_path)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    counts: list[int] = []
    paths = query_messages.fold_all(packs, query_messages.FEW_LINES + 1, tmp_path, counts.append)
    assert (len(paths), sum(counts)) == (2, 202)
    told = sorted(json.loads(line)["recipient"] for path in paths for line in path.read_text().splitlines())
    assert told == sorted(event["recipient"] for event in events)


def test_a_send_key_of_any_message_is_read(cloud):
    """Ids that came from outside make keys of their own."""
    line = {"v": 1, "message_id": "odd/../id", "recipients": ["a@x"], "accepted_at": iso(NOW)}
    open_trail(None).store.put(send_key(DAY, line["message_id"]), encode_line(line))
    assert rows("SELECT message_id FROM sends") == [{"message_id": "odd/../id"}]


README = (Path(__file__).parents[2] / "README.md").read_text()
EXAMPLES = README.split("### Reading the trail")[1].split("```")[1].strip().splitlines()


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_examples_of_readme_run(told, example):
    """As they stand there."""
    program, *arguments = shlex.split(example)
    assert program == "mailtrail"
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
