"""What the console asks of the server: every endpoint, without a browser."""

from __future__ import annotations

import email
import http.client
import json
from email.policy import default
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from localcloud.defaults import BUCKET
from localcloud.server import LocalServer
from tests.browser.mails_for_looking import b64, get, post, send_by_function, send_email, send_html
from tests.contract.doors_project import call

if TYPE_CHECKING:
    from collections.abc import Iterator


def subjects(server: LocalServer, query: str) -> list[str]:
    return [mail["subject"] for mail in get(server, f"mails?query={quote(query)}")["mails"]]


def mail_of(server: LocalServer, message_id: str) -> Any:
    return get(server, f"mails/{message_id}")


def test_mails_are_newest_first_in_pages_that_neither_skip_nor_repeat(server: LocalServer) -> None:
    sent = [send_email(server, Destination=[f"p{n}@example.com"], Subject=f"mail {n}") for n in range(7)]
    seen, before, total = [], "", 0
    while before is not None:
        page = get(server, f"mails?limit=3&before={before}")
        seen += [mail["message_id"] for mail in page["mails"]]
        before, total = page["next"], page["total"]
    assert (seen, total) == (sent[::-1], 7)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("hello", ["Hello 100%"]),
        ("HELLO", ["Hello 100%"]),
        ("100%", ["Hello 100%"]),
        ("0_", []),
        ("to:bob", ["Olá"]),
        ("from:bob", []),
        ("olá", ["Olá"]),
        ('"lo 100"', ["Hello 100%"]),
        ("hello nothing", []),
        ("subject:hello is:queued", ["Hello 100%"]),
        ("is:bounced", []),
        ("meta:A-1048", ["From the function"]),
        ("A-1048", ["From the function"]),
        ("id:qcloudses-30", ["From the function", "Olá", "Hello 100%"]),
        ("", ["From the function", "Olá", "Hello 100%"]),
    ],
)
def test_search_looks_in_addresses_subject_ids_and_metadata(server: LocalServer, query: str, found: list[str]) -> None:
    send_email(server, Destination=["alice@example.com"], Subject="Hello 100%")
    send_email(server, Destination=["bob@example.com"], Subject="Olá")
    send_by_function(server, to=["carl@example.com"], subject="From the function", metadata={"order": "A-1048"})
    assert subjects(server, query) == found


def test_mails_are_filtered_by_the_outcome_of_any_recipient(server: LocalServer) -> None:
    people = (
        "delivered",
        "hard-bounce",
        "open",
        "click",
        "complaint",
        "unsubscribe",
        "blacklist",
        "dropped",
        "deferred",
    )
    for name in people:
        send_email(server, Destination=[f"{name}@simulator.mailtrail.test"], Subject=name)
    send_email(server, Destination=["ann@example.com", "hard-bounce@simulator.mailtrail.test"], Subject="both")
    post(server, "clock", {"advance_s": 60})
    expected = {
        "delivered": ["both", "delivered"],
        "bounced": ["both", "hard-bounce"],
        "opened": ["open"],
        "clicked": ["click"],
        "complained": ["complaint"],
        "unsubscribed": ["unsubscribe"],
        "refused": ["blacklist"],
        "dropped": ["dropped"],
        "deferred": ["deferred"],
        "queued": [],
    }
    for outcome, wanted in expected.items():
        found = get(server, f"mails?outcome={outcome}")["mails"]
        assert [mail["subject"] for mail in found] == wanted
        assert all(outcome in mail["outcomes"] for mail in found)


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "before=x", "outcome=eaten", "query=is:eaten"])
def test_a_list_that_cannot_be_is_a_problem(server: LocalServer, query: str) -> None:
    answer = call(f"{server.url}/_local/mails?{query}")
    assert (answer.status, answer.headers["content-type"]) == (400, "application/problem+json")


def test_a_template_is_shown_with_its_values_which_stay_text(server: LocalServer) -> None:
    message_id = send_email(server, Template={"TemplateID": 100091, "TemplateData": json.dumps({"code": '"><1 & 2'})})
    html = call(f"{server.url}/_local/mails/{message_id}/html")
    assert b"Your code is &quot;&gt;&lt;1 &amp; 2." in html.body
    assert mail_of(server, message_id)["text"] == 'Your code: "><1 & 2'


def test_the_html_of_a_mail_has_no_script_no_origin_and_loads_nothing(server: LocalServer) -> None:
    message_id = send_html(server, "<!doctype html><p>hi<script>alert(1)</script>")
    answer = call(f"{server.url}/_local/mails/{message_id}/html")
    policy = answer.headers["content-security-policy"]
    directives = {name: rest for name, _, rest in (part.strip().partition(" ") for part in policy.split(";"))}
    assert directives["default-src"] == "'none'"
    assert directives["sandbox"] == ""
    assert directives["frame-ancestors"] == "'self'"
    assert "script-src" not in directives
    assert answer.headers["x-content-type-options"] == "nosniff"
    # Standards mode must survive what we put in.
    assert answer.body.startswith(b"<!doctype html>")


def test_the_source_is_a_mime_message_with_every_header_and_part(server: LocalServer) -> None:
    message_id = send_html(
        server,
        "<p>Grüße</p>",
        FromEmailAddress="Shop, Inc <noreply@mail.example.com>",
        Subject="Grüße",
        Cc=["carl@example.com"],
        Bcc=["secret@example.com"],
        ReplyToAddresses="help@example.com",
        Unsubscribe="2",
        SmtpHeaders=json.dumps({"X-Order": "A-1", "X-TencentCloudSES-CB-Tenant": "shop", "Content-Type": "evil/type"}),
        SmtpMessageId="<one@mail.example.com>",
        Attachments=[{"FileName": "a.pdf", "Content": b64("%PDF")}, {"FileName": "ü.html", "Content": b64("<b>")}],
    )
    answer = call(f"{server.url}/_local/mails/{message_id}/source")
    message = email.message_from_bytes(answer.body, policy=default)
    assert message["From"].addresses[0].display_name == "Shop, Inc"
    assert (message["To"], message["Cc"], message["Bcc"]) == ("alice@example.com", "carl@example.com", None)
    assert (message["Subject"], message["Reply-To"]) == ("Grüße", "help@example.com")
    assert (message["Message-ID"], message["X-Order"]) == ("<one@mail.example.com>", "A-1")
    assert message["X-TencentCloudSES-CB-Tenant"] == "shop"
    assert message_id in message["List-Unsubscribe"]
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message.get_content_type() == "multipart/mixed"
    assert message.get_body(("html",)).get_content().strip() == "<p>Grüße</p>"
    assert message.get_body(("plain",)).get_content().strip() == "plain"
    assert [part.get_filename() for part in message.iter_attachments()] == ["a.pdf", "ü.html"]
    assert not [defect for part in message.walk() for defect in part.defects]
    assert answer.body == call(f"{server.url}/_local/mails/{message_id}/source").body


def test_a_mail_without_unsubscribe_has_no_list_unsubscribe_and_an_id_that_is_not_folded(server: LocalServer) -> None:
    message_id = send_email(server)
    source = call(f"{server.url}/_local/mails/{message_id}/source").body
    assert b"List-Unsubscribe" not in source
    assert f"Message-ID: <{message_id}@mail.example.com>\r\n".encode() in source


@pytest.mark.parametrize(
    "sender",
    [
        "a..b@mail.example.com",
        "Dr. No <noreply@mail.example.com>",
        '"x" <noreply@mail.example.com>',
        "é <noreply@mail.example.com>",
    ],
)
def test_every_sender_that_ses_takes_has_a_source(server: LocalServer, sender: str) -> None:
    message_id = send_email(server, FromEmailAddress=sender)
    assert call(f"{server.url}/_local/mails/{message_id}/source").status == 200
    assert mail_of(server, message_id)["from"] == sender


def test_attachments_are_downloads_whatever_they_are(server: LocalServer) -> None:
    script = "<script>alert(1)</script>"
    message_id = send_email(server, Attachments=[{"FileName": "ü\u202e.html", "Content": b64(script)}])
    answer = call(f"{server.url}/_local/mails/{message_id}/attachments/0")
    assert (answer.body, answer.headers["content-type"]) == (script.encode(), "application/octet-stream")
    assert answer.headers["content-disposition"].startswith('attachment; filename="')
    assert "filename*=UTF-8''%C3%BC%E2%80%AE.html" in answer.headers["content-disposition"]
    assert call(f"{server.url}/_local/mails/{message_id}/attachments/1").status == 404
    assert call(f"{server.url}/_local/mails/{message_id}/attachments/x").status == 400
    assert mail_of(server, message_id)["attachments"] == [{"name": "ü\u202e.html", "size_bytes": len(script)}]
    assert "base64" in mail_of(server, message_id)["request"]["Attachments"][0]["Content"]
    assert call(f"{server.url}/_local/mails/{message_id}/request").json["Attachments"][0]["Content"] == b64(script)


def test_links_and_remote_parts_are_named_and_not_followed(server: LocalServer) -> None:
    html = (
        '<a href="https://a.example/x">go <b>on</b></a><img src="https://t.example/p.gif"><a href="javascript:1">j</a>'
    )
    mail = mail_of(server, send_html(server, html))
    assert mail["links"] == [
        {"address": "https://a.example/x", "text": "go on"},
        {"address": "javascript:1", "text": "j"},
    ]
    assert mail["remote"] == ["https://t.example/p.gif"]


def test_the_timeline_tells_of_callbacks_with_the_webhooks_answer(server: LocalServer) -> None:
    message_id = send_by_function(server, to=["click@simulator.mailtrail.test"], cc=["cc@example.com"])
    first = mail_of(server, message_id)["recipients"][0]
    assert (first["outcome"], [entry["kind"] for entry in first["timeline"]]) == ("queued", ["accepted"])
    assert [step["event"] for step in first["upcoming"]] == ["delivered", "open", "click"]
    post(server, "clock", {"advance_s": 60})
    first, second = mail_of(server, message_id)["recipients"]
    assert [entry.get("event") for entry in first["timeline"]] == [None, "delivered", "open", "click"]
    assert [entry["attempts"][0]["status"] for entry in first["timeline"][1:]] == [200, 200, 200]
    assert all(json.loads(entry["attempts"][0]["answer"]) for entry in first["timeline"][1:])
    assert (first["status"]["deliver_status"], first["status"]["clicked"], first["upcoming"]) == (1, True, [])
    assert first["status"]["deliver_words"] == "delivered to the recipient's mail server"
    assert (second["address"], second["field"], second["outcome"]) == ("cc@example.com", "cc", "delivered")


@pytest.mark.parametrize(
    ("event", "outcome", "told"),
    [
        ({"event": "bounce", "bounce_type": "hard_bounce", "reason": "550 gone"}, "bounced", "bounce"),
        ({"event": "bounce", "bounce_type": "soft_bounce"}, "bounced", "bounce"),
        ({"event": "open"}, "opened", "open"),
        ({"event": "click", "link": "https://a.example/mine"}, "clicked", "click"),
        ({"event": "complaint"}, "complained", "spamreport"),
        ({"event": "unsubscribe"}, "unsubscribed", "unsubscribe"),
        ({"event": "defer"}, "deferred", "deferred"),
        ({"event": "deliver"}, "delivered", "delivered"),
    ],
)
def test_an_event_changes_the_row_and_reaches_the_webhook_before_the_answer(
    server: LocalServer, event: dict[str, str], outcome: str, told: str
) -> None:
    message_id = send_by_function(server)
    post(server, "clock", {"advance_s": 60})
    answer = post(server, "events", {"message_id": message_id, "recipient": "alice@example.com", **event})
    (recipient,) = answer.json["recipients"]
    last = recipient["timeline"][-1]
    assert (recipient["outcome"], last["event"], last["attempts"][0]["status"]) == (outcome, told, 200)
    body = json.loads(last["body"])
    assert body["reason"] == event.get("reason", body["reason"])
    assert body.get("link") == event.get("link", body.get("link"))


@pytest.mark.parametrize(
    ("event", "status", "field"),
    [
        ({"event": "eaten"}, 400, "event"),
        ({"event": "bounce", "bounce_type": "square"}, 400, "event"),
        ({"event": "open", "colour": "red"}, 400, "colour"),
        ({"event": "open", "recipient": 5}, 400, "recipient"),
        ({"event": "open", "reason": "x" * 2001}, 400, "reason"),
        ({"event": "open", "recipient": "stranger@example.com"}, 404, None),
        ({"event": "open", "message_id": "none"}, 404, None),
    ],
)
def test_an_event_that_cannot_be_is_a_problem(server: LocalServer, event: Any, status: int, field: str | None) -> None:
    usual = {"message_id": send_email(server), "recipient": "alice@example.com"}
    answer = post(server, "events", {**usual, **event})
    assert answer.status == status
    assert field is None or field in [error["field"] for error in answer.json["errors"]]
    assert post(server, "events", []).status == 400


def test_a_mail_that_is_not_there_is_404_in_every_form(server: LocalServer) -> None:
    for path in ("", "/html", "/source", "/request", "/attachments/0"):
        assert call(f"{server.url}/_local/mails/none{path}").status == 404


def test_the_bucket_is_browsed_by_prefix_and_read_line_by_line(server: LocalServer) -> None:
    message_id = send_by_function(server)
    root = get(server, "bucket")
    assert (root["bucket"], "sends/" in root["folders"], root["buckets"]) == (BUCKET, True, [BUCKET])
    (day,) = get(server, "bucket?prefix=sends/")["folders"]
    (line,) = get(server, f"bucket?prefix={quote(day)}")["objects"]
    assert message_id in line["key"]
    read = get(server, f"bucket/lines?key={quote(line['key'])}")
    assert (json.loads(read["lines"][0])["message_id"], read["next"]) == (message_id, None)
    download = call(f"{server.url}/_local/bucket/object?key={quote(line['key'])}")
    assert (download.body.decode().splitlines(), len(download.body)) == (read["lines"], line["size_bytes"])
    assert download.headers["content-disposition"].startswith("attachment")


def test_long_objects_and_wide_folders_come_in_pieces(server: LocalServer) -> None:
    lines = [f'{{"n": {n}}}' for n in range(25)]
    put(server, b"a/wide.jsonl", "\n".join(lines).encode() + b"\n")
    put(server, b"a/binary", b"\xff\x00")
    put(server, b"b/\xff\xfe", b"x")
    seen, offset = [], 0
    while offset is not None:
        page = get(server, f"bucket/lines?key=a/wide.jsonl&limit=10&offset={offset}")
        seen += page["lines"]
        offset = page["next"]
    assert seen == lines
    assert get(server, "bucket/lines?key=a/binary")["lines"] is None
    first = get(server, "bucket?prefix=a/&limit=1")
    after = get(server, f"bucket?prefix=a/&limit=1&after={quote(first['next'])}")
    assert [page["objects"][0]["key"] for page in (first, after)] == ["a/binary", "a/wide.jsonl"]
    assert call(f"{server.url}/_local/bucket?prefix=b/").status == 200
    assert call(f"{server.url}/_local/bucket/lines?key=none").status == 404
    assert call(f"{server.url}/_local/bucket?bucket=none").status == 404


def put(server: LocalServer, key: bytes, content: bytes) -> None:
    from localcloud.cos.store import Content  # noqa: PLC0415 - a key that no SDK would send

    store = server.cloud.cos.store
    with store.files.stage([content]) as staged:
        store.put(BUCKET, key, Content(staged, "etag", {}), now=server.cloud.clock.now())


def test_a_page_in_the_bucket_is_framed_like_a_mail(server: LocalServer) -> None:
    put(server, b"reports/dt=2026-11-20/report.html", b"<script>alert(1)</script>")
    answer = call(f"{server.url}/_local/bucket/page?key=reports/dt%3D2026-11-20/report.html")
    assert "sandbox" in answer.headers["content-security-policy"]
    assert answer.headers["content-type"].startswith("text/html")


def test_timers_are_listed_with_their_cron(server: LocalServer) -> None:
    assert {timer["function"] for timer in get(server, "timers")} == {"snapshot", "report"}
    assert all(timer["name"] and timer["cron"] for timer in get(server, "timers"))


def test_the_page_and_its_parts_come_from_here_and_are_asked_for_once(server: LocalServer) -> None:
    page = call(f"{server.url}/")
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert "unsafe" not in page.headers["content-security-policy"]
    assert page.headers["x-frame-options"] == "DENY"
    for name, kind in (("main.js", "text/javascript"), ("base.css", "text/css")):
        asset = call(f"{server.url}/_local/console/{name}")
        assert asset.headers["content-type"].startswith(kind)
        again = call(f"{server.url}/_local/console/{name}", headers={"If-None-Match": asset.headers["etag"]})
        assert (again.status, again.body) == (304, b"")
    for name in ("none.js", "__init__.py", "..%2fassets.py", "index.html"):
        assert call(f"{server.url}/_local/console/{name}").status == 404


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200),
        ("localhost:9000", 200),
        ("LOCALHOST:1", 200),
        ("[::1]:9000", 200),
        ("evil.example", 403),
        ("127.0.0.1.evil.example", 403),
        ("127.0.0.1:80@evil.example", 403),
        ("localhost.", 403),
        ("10.0.0.1", 403),
    ],
)
def test_only_a_loopback_host_is_answered(server: LocalServer, host: str, status: int) -> None:
    for path in ("/", "/_local/health", "/_local/mails", "/_local/console/main.js"):
        assert call(f"{server.url}{path}", headers={"Host": host}).status == status


def test_functions_are_called_whatever_the_host(server: LocalServer) -> None:
    assert call(f"{server.url}/send", "POST", b"{}", {"Host": "mail.example.com"}).status == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Content-Type": "application/json; charset=utf-8"}, 200),
        ({"Content-Type": "application/json", "Sec-Fetch-Site": "same-origin"}, 200),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 200),  # curl -d, urllib: programs, not pages
        ({"Content-Type": "application/x-www-form-urlencoded", "Origin": "https://evil.example"}, 403),
        ({"Content-Type": "text/plain", "Sec-Fetch-Site": "cross-site"}, 403),
        ({"Content-Type": "application/json", "Origin": "https://evil.example"}, 403),
        ({"Content-Type": "application/json", "Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Content-Type": "application/json", "Sec-Fetch-Site": "cross-site"}, 403),
        ({"Content-Type": "application/json", "Sec-Fetch-Site": "same-site"}, 403),
    ],
)
def test_another_page_can_change_nothing(server: LocalServer, headers: dict[str, str], status: int) -> None:
    send_email(server)
    answer = call(f"{server.url}/_local/reset", "POST", None, headers)
    assert answer.status == status
    assert len(server.cloud.messages()) == (0 if status == 200 else 1)
    assert not [name for name in answer.headers if name.lower().startswith("access-control-")]


def test_a_preflight_allows_nothing(server: LocalServer) -> None:
    asking = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    answer = call(f"{server.url}/_local/reset", "OPTIONS", headers=asking)
    assert answer.status == 405
    assert not [name for name in answer.headers if name.lower().startswith("access-control-")]


def events_of(connection: http.client.HTTPConnection) -> Iterator[tuple[str, Any]]:
    connection.request("GET", "/_local/stream")
    answer = connection.getresponse()
    assert answer.headers["content-type"].startswith("text/event-stream")
    topic = ""
    while line := answer.readline():
        name, _, rest = line.decode().rstrip("\n").partition(": ")
        topic = rest if name == "event" else topic
        if name == "data":
            yield topic, json.loads(rest)


def test_the_stream_tells_everything_at_first_and_then_what_changes(server: LocalServer) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    events = events_of(connection)
    assert {next(events)[0] for _ in range(5)} == {"mails", "callbacks", "bucket", "clock", "faults"}
    send_email(server, Destination=["hard-bounce@simulator.mailtrail.test"])
    assert next(events) == ("mails", {"total": 1})
    post(server, "faults", {"service": "cos", "kind": "list_lag", "seconds": 1})
    assert next(one for topic, one in events if topic == "faults")["rules"][0]["kind"] == "list_lag"
    post(server, "clock", {"advance_s": 3600})
    told: dict[str, Any] = {}
    while not {"mails", "callbacks", "bucket", "clock"} <= set(told):
        topic, fact = next(events)
        told[topic] = fact
    assert told["clock"]["offset_s"] == pytest.approx(3600, abs=1)
    connection.close()


@pytest.mark.timeout(60)
def test_an_open_stream_does_not_keep_the_server_from_stopping() -> None:
    """A stream has no end: who waits for it waits until the time-out."""
    with LocalServer() as running:
        connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=10)
        next(events_of(connection))
    connection.close()


def test_the_shown_sender_and_the_callers_own_headers_win(server: LocalServer) -> None:
    own = {"Subject": "mine", "X-Ü": "no name", "X-Long": "ü" * 900, "Date": "whenever"}
    server.cloud.ses.switches.update({"allow_simple": True})
    message_id = send_email(
        server,
        FromEmailAddress="bounce@mail.example.com",
        HeaderFrom="shown@mail.example.com",
        Template=None,
        Simple={"Html": b64("<p>only")},
        SmtpHeaders=json.dumps({name: value for name, value in own.items() if name.isascii()}),
    )
    message = email.message_from_bytes(call(f"{server.url}/_local/mails/{message_id}/source").body, policy=default)
    assert (message["From"], message["Sender"]) == ("shown@mail.example.com", "bounce@mail.example.com")
    assert (message.get_all("Subject"), message["X-Long"]) == (["mine"], "ü" * 900)
    assert message.get_content_type() == "text/html"


@pytest.mark.parametrize("headers", ["no json", "[1]", '{"a": 1}', '{"": "x"}', '{"x y": "z"}', '{"Z": "a\\nb"}'])
def test_headers_that_ses_did_not_look_at_do_no_harm(server: LocalServer, headers: str) -> None:
    server.cloud.ses.switches.update({"smtp_headers": "ignore"})
    message_id = send_email(server, SmtpHeaders=headers, SmtpMessageId="=?utf-8?q?odd?=")
    assert call(f"{server.url}/_local/mails/{message_id}/source").status == 200
    assert mail_of(server, message_id)["headers"]


def test_malformed_html_is_shown_all_the_same(server: LocalServer) -> None:
    """Python's parser raises AssertionError for marked sections that it does not know."""
    html = '<![if gte mso 9]><a href="https://a.example/">a</a><![endif]><![x"><!DOCTYPE <b <a href=https://b.example>b'
    message_id = send_html(server, html)
    assert mail_of(server, message_id)["links"][0]["address"] == "https://a.example/"
    assert html in call(f"{server.url}/_local/mails/{message_id}/html").body.decode()
