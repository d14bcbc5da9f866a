"""`/unsubscribe/{token}`: GET shows a page and changes nothing, POST puts one person on the suppression list, once."""

from __future__ import annotations

import base64
import hashlib
import html.parser
import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from localcloud import defaults
from shared.trail import suppression_list
from shared.trail.lease import take
from shared.upstream.unsubscribe_token import Unsubscribe
from tests.event_files import load_event
from tests.handlers import EVENT, NOW, ask, bucket, call_back, http_event, kept, run
from tests.suppressed import BOUNCE, COMPLAINT, holding, listed, store
from tests.unsubscribing import ALICE, FORM, ONE_CLICK, open_link, post, token_of

if TYPE_CHECKING:
    from localcloud import LocalCloud

ENGLISH, CHINESE = {"accept-language": "en-GB,en;q=0.9"}, {"accept-language": "zh-CN,zh;q=0.9,en;q=0.8"}
INACTIVE = {**BOUNCE, "reason": "550 5.2.1 The email account is disabled"}
"""A bounce that holds for a while only."""


def cause(address: str = "alice@example.com") -> dict[str, Any]:
    """Return the one cause by which ``address`` unsubscribed."""
    (found,) = (each for each in listed()[address]["causes"] if each["source"] == "one-click")
    return dict(found)


# --- what a person sees ------------------------------------------------------------------------------------


def test_a_link_shows_a_page_with_a_button_and_changes_nothing(cloud: LocalCloud, calls: list[str]) -> None:
    answer = open_link(token_of(), ENGLISH)
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "Shall <b>a…@example.com</b> get no more mail from <b>mail.example.com</b>?" in answer.body
    assert answer.body.count("<form method=") == answer.body.count("<button ") == 1
    assert calls == [], "COS was not even asked"


def test_the_page_tells_nobody_where_it_was(cloud: LocalCloud) -> None:
    """Not the next page, no cache, no search engine, no frame, no script; nothing is fetched from anywhere."""
    for answer in (open_link(token_of()), open_link("no-token"), post(token_of())):
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-store"
        assert "noindex" in answer.headers["X-Robots-Tag"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; style-src 'sha256-")
        assert "form-action 'self'; base-uri 'none'; frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        style = answer.body.partition("<style>")[2].partition("</style>")[0]
        assert base64.b64encode(hashlib.sha256(style.encode()).digest()).decode() in policy
        assert not re.search(r"<script|\bon\w+=|\b(src|href|action)=|url\(|@import", answer.body)
        assert not {"Set-Cookie", "Location"} & set(answer.headers)
        assert 'name="viewport"' in answer.body
        assert "color-scheme: light dark" in answer.body


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "en"), ("zh-CN", "zh"), ("zh-TW,zh;q=0.5", "zh"), ("en,zh", "en"), ("zh,en", "zh"), ("fr,zh;q=0.3", "zh"),
        ("zh;q=0.2, en;q=0.8", "en"), ("zh;q=0", "en"), ("de-DE", "en"), ("*", "en"), ("ZH-hans-CN;q=1.000", "zh"),
        ("zh;q=nan", "en"), ("en;q=,zh;q=0.1", "zh"),
    ],
)  # fmt: skip
def test_the_page_speaks_the_language_that_the_browser_prefers(cloud: LocalCloud, accepted: str, language: str) -> None:
    answer = open_link(token_of(), {"accept-language": accepted})
    assert answer.headers["Content-Language"] == language
    assert ("退订" in answer.body) is (language == "zh")
    assert f'<html lang="{"zh-CN" if language == "zh" else "en"}">' in answer.body


@pytest.mark.parametrize("accept", [ENGLISH, CHINESE])
def test_every_page_is_well_formed(cloud: LocalCloud, accept: dict[str, str]) -> None:
    """Every tag is closed in order; the title says what the heading says."""
    for answer in (open_link(token_of(), accept), open_link("x", accept)):
        parser = _Nesting()
        parser.feed(answer.body)
        assert parser.open == []
        heading = re.search("<h1>(.*)</h1>", answer.body)
        assert heading
        assert f"<title>{heading[1]}</title>" in answer.body


class _Nesting(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_what_stands_in_an_address_is_text(cloud: LocalCloud) -> None:
    """A quoted local part may hold anything."""
    odd = Unsubscribe('<script>alert("1")</script>@exa<b>mple.com', 'mail.example.com"><img src=x>', 0)
    page = open_link(token_of(odd)).body
    assert "<script" not in page
    assert "<img" not in page
    assert "&lt;…@exa&lt;b&gt;mple.com" in page


def test_head_is_get_without_the_page(cloud: LocalCloud, calls: list[str]) -> None:
    answer = open_link(token_of(), method="HEAD")
    assert (answer.status, answer.body, calls) == (200, "", [])
    assert answer.headers == open_link(token_of()).headers


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "PATCH"])
def test_other_methods_are_not_taken(cloud: LocalCloud, calls: list[str], method: str) -> None:
    assert open_link(token_of(), method=method).status == 405
    assert calls == []


# --- what a POST does --------------------------------------------------------------------------------------

MULTIPART = (
    b'--b\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--b--\r\n',
    "multipart/form-data; boundary=b",
)


@pytest.mark.parametrize(
    ("body", "content_type", "by"),
    [
        (ONE_CLICK, FORM, "provider"),
        (*MULTIPART, "provider"),
        (b"mailtrail-button=1", FORM, "page"),
        (b"", FORM, "unknown"),
        (b"\xff\xfe not a form", "application/octet-stream", "unknown"),
        (b'{"List-Unsubscribe": "no"}', "application/json", "unknown"),
    ],
)
def test_a_post_puts_the_person_on_the_list_whatever_its_body(
    cloud: LocalCloud, body: bytes, content_type: str, by: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """RFC 8058: both content types; the request to the signed address is the wish, however the form is written."""
    answer = post(token_of(), body, content_type)
    assert answer.status == 200
    assert "You are unsubscribed" in answer.body
    assert holding() == {"alice@example.com": "unsubscribe"}
    found = cause()
    assert (found["since"][:16], found["until"], found["detail"]) == ("2026-11-20T08:10", None, "mail.example.com")
    assert found["note"] == "by the link in a mail of 2026-11-19T08:10:00Z"
    logged = capsys.readouterr().out
    assert json.loads(logged)["message"] == "unsubscribed"
    assert (json.loads(logged)["by"], json.loads(logged)["new"]) == (by, True)
    assert "alice" not in logged
    assert token_of() not in logged


@pytest.mark.parametrize("case", ["one-click", "one-click-multipart", "button", "no-body"])
def test_the_event_files_unsubscribe(cloud: LocalCloud, case: str) -> None:
    assert ask("webhook", load_event(f"webhook/function-url-unsubscribe-{case}.json")).status == 200
    assert holding() == {"alice@example.com": "unsubscribe"}


def test_a_stage_before_the_path_does_not_matter(cloud: LocalCloud) -> None:
    assert ask("webhook", http_event("POST", f"/release/unsubscribe/{token_of()}", ONE_CLICK)).status == 200
    assert holding() == {"alice@example.com": "unsubscribe"}


def test_twice_is_once(cloud: LocalCloud, capsys: pytest.CaptureFixture[str]) -> None:
    """The same link, and that of another mail of the same sender, a day later: the bucket stays as it is."""
    post(token_of())
    before = bucket()
    cloud.advance(86400)
    for token in (token_of(), token_of(ALICE._replace(issued_at_s=int(NOW)))):
        assert post(token).status == 200
    assert bucket() == before
    assert [json.loads(line)["new"] for line in capsys.readouterr().out.splitlines()] == [True, False, False]


def test_twice_is_once_after_the_report_has_merged_it(cloud: LocalCloud) -> None:
    post(token_of())
    run("report", {"Type": "Timer", "Message": ""}, time_limit_s=900)
    before = listed()
    post(token_of())
    run("report", {"Type": "Timer", "Message": ""}, time_limit_s=900)
    assert listed() == before
    assert bucket("state/webhook/unsubscribed/") == {}


def test_who_leaves_two_senders_has_two_causes(cloud: LocalCloud) -> None:
    """The list is one for all senders; which one it was about is kept."""
    post(token_of())
    post(token_of(ALICE._replace(sender_domain="news.example.com")))
    run("report", {"Type": "Timer", "Message": ""}, time_limit_s=900)
    assert {each["detail"] for each in listed()["alice@example.com"]["causes"]} == {
        "mail.example.com", "news.example.com",
    }  # fmt: skip


def test_an_unsubscribe_outlasts_a_cause_that_ends(cloud: LocalCloud) -> None:
    """At once, not when the report comes: the bounce would let mail out again in 90 days."""
    call_back(INACTIVE)
    assert listed()["alice@example.com"]["until"] is not None
    post(token_of())
    entry = listed()["alice@example.com"]
    assert (entry["reason"], entry["until"]) == ("unsubscribe", None)
    assert {each["source"] for each in entry["causes"]} == {"ses", "one-click"}


def test_what_was_taken_back_counts_again_when_it_is_said_again(cloud: LocalCloud) -> None:
    """`mailtrail suppression remove`, and then the person unsubscribes once more."""
    from shared.trail.records import iso  # noqa: PLC0415
    from shared.trail.suppression import Removal, Selection, entry  # noqa: PLC0415

    post(token_of())
    taken_back = Removal(iso(NOW + 60), "ops", Selection(until=iso(NOW + 60)))
    suppression_list.add(store(), entry("alice@example.com", [], [taken_back]))
    assert holding() == {}
    cloud.advance(120)
    assert post(token_of()).status == 200
    assert holding() == {"alice@example.com": "unsubscribe"}


def test_while_somebody_changes_the_list_the_note_is_what_lasts(cloud: LocalCloud) -> None:
    """Durable when it is answered, merged by the next report."""
    call_back(INACTIVE)
    lease = take(store(), suppression_list.SCOPE, now=NOW, ttl_s=600)
    assert lease is not None
    before = listed()
    assert post(token_of()).status == 200
    assert listed() == before
    assert len(bucket("state/webhook/unsubscribed/")) == 1
    cloud.advance(3600)
    run("report", {"Type": "Timer", "Message": ""}, time_limit_s=900)
    assert holding() == {"alice@example.com": "unsubscribe"}


def test_an_entry_that_was_overwritten_in_between_comes_back(cloud: LocalCloud) -> None:
    """Who changes the list reads, merges and writes whole: what the webhook created meanwhile may go again."""
    post(token_of())
    (key,) = bucket("suppression/")
    with_only_the_bounce = store()
    with_only_the_bounce.delete(key)
    call_back(COMPLAINT)
    assert "alice@example.com" not in listed()
    run("report", {"Type": "Timer", "Message": ""}, time_limit_s=900)
    assert holding() == {"alice@example.com": "unsubscribe", "bob@example.com": "complaint"}


# --- who may not -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "token",
    [
        "", "x", token_of()[:-1], token_of() + "A", token_of().swapcase(), token_of(key="another-token-key"),
        token_of() + "/x", "%00", "..", token_of(key="local-webhook-secret"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_whatever_is_wrong_with_a_link_gets_one_answer(
    cloud: LocalCloud, calls: list[str], token: str, method: str, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = [open_link(each, ENGLISH, method=method) for each in (token, "no-token")]
    assert wrong[0] == wrong[1]
    assert wrong[0].status == 404
    assert "This link is not valid" in wrong[0].body
    assert calls == []
    assert len(token) < 5 or token not in capsys.readouterr().out


def test_keys_rotate(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """The old key's links work for as long as it is live, and no longer."""
    monkeypatch.setenv("TOKEN_KEY", f"a-newer-token-key,{defaults.TOKEN_KEY}")
    assert open_link(token_of()).status == open_link(token_of(key="a-newer-token-key")).status == 200
    monkeypatch.setenv("TOKEN_KEY", "a-newer-token-key")
    assert open_link(token_of()).status == post(token_of()).status == 404
    monkeypatch.delenv("TOKEN_KEY")
    assert open_link(token_of()).status == 404
    assert kept() == {}


def test_a_link_does_not_expire(cloud: LocalCloud) -> None:
    """People click in old mail."""
    assert post(token_of(ALICE._replace(issued_at_s=0))).status == 200
    assert holding() == {"alice@example.com": "unsubscribe"}


def test_a_callback_token_is_no_unsubscribe_token(cloud: LocalCloud) -> None:
    """One key makes both."""
    from shared.upstream.signing import build_callback_token  # noqa: PLC0415

    assert open_link(build_callback_token(defaults.TOKEN_KEY, "r", ["alice@example.com"])).status == 404


paths = st.one_of(
    st.just(f"/unsubscribe/{token_of()}"),
    st.text(max_size=60).map(lambda text: f"/unsubscribe/{text}"),
    st.integers(0, len(token_of()) - 1).map(lambda at: f"/unsubscribe/{token_of()[:at]}{token_of()[at + 1 :]}"),
    st.sampled_from(["/unsubscribe", "/unsubscribe/", "//unsubscribe//x", f"/a/b/unsubscribe/{token_of()}"]),
)
headers = st.dictionaries(
    st.sampled_from(["accept-language", "content-type", "x-http-method-override", "cookie", "x-method", "user-agent"]),
    st.text(max_size=40),
    max_size=4,
)


@given(paths, st.sampled_from(["GET", "HEAD"]), headers, st.binary(max_size=40))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
def test_no_get_ever_changes_the_bucket(
    cloud: LocalCloud, path: str, method: str, given_headers: dict[str, str], body: bytes
) -> None:
    """Scanners fetch links, with whatever headers, and some add a body."""
    for content in (b"", ONE_CLICK, body):
        answer = ask("webhook", http_event(method, path, content, given_headers))
        assert answer.status in (200, 404)
    assert bucket() == {}


# --- when the cloud is not well ----------------------------------------------------------------------------


def test_without_cos_nothing_is_claimed_and_the_page_says_to_come_again(
    cloud: LocalCloud, capsys: pytest.CaptureFixture[str]
) -> None:
    cloud.add_faults({"service": "cos", "kind": "error", "code": "ServiceUnavailable", "status": 503})
    answer = post(token_of(), time_limit_s=2)
    assert (answer.status, answer.headers["Retry-After"]) == (503, "30")
    assert "That did not work yet" in answer.body
    assert "unsubscribed</h1>" not in answer.body
    assert "<button" in answer.body
    line = json.loads(capsys.readouterr().out)
    assert (line["message"], line["code"], line["level"]) == ("unsubscribe failed", "ServiceUnavailable", "ERROR")
    cloud.faults.clear()
    assert kept() == {}
    assert post(token_of()).status == 200
    assert holding() == {"alice@example.com": "unsubscribe"}


def test_an_entry_without_its_note_is_not_yet_done(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """COS fails between the two writes: 503, and the repeat makes up for it."""
    dispatch = cloud.cos.dispatch

    def no_notes(request: Any) -> Any:
        if request.path.startswith("/state/"):
            return cloud.cos.error_response(request, "ServiceUnavailable", 503)
        return dispatch(request)

    with monkeypatch.context() as patched:
        patched.setattr(cloud.cos, "dispatch", no_notes)
        assert post(token_of(), time_limit_s=2).status == 503
    cloud.advance(60)
    assert post(token_of()).status == 200
    (note,) = bucket("state/webhook/unsubscribed/").values()
    assert json.loads(note)["causes"] == listed()["alice@example.com"]["causes"]


def test_somebodys_own_file_where_the_entry_belongs_is_left_alone(
    cloud: LocalCloud, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody is told that they are unsubscribed when they cannot be; the report does it once the file is gone."""
    from shared.trail.layout import suppression_key  # noqa: PLC0415

    store().put(suppression_key("alice@example.com"), b"mine")
    assert post(token_of()).status == 503
    assert '"message": "unsubscribe failed"' in capsys.readouterr().out
    assert bucket("suppression/") == {suppression_key("alice@example.com"): b"mine"}
    run("report", {"Type": "Timer", "Message": ""}, time_limit_s=900)
    assert '"code": "NotAnEntry"' in capsys.readouterr().out
    store().delete(suppression_key("alice@example.com"))
    run("report", {"Type": "Timer", "Message": ""}, time_limit_s=900)
    assert holding() == {"alice@example.com": "unsubscribe"}


def test_a_wrong_setting_neither_hides_the_page_nor_claims_anything(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MAILTRAIL_UTC_OFFSET", "east")
    assert open_link(token_of()).status == 200
    assert post(token_of()).status == 503
    assert "MAILTRAIL_UTC_OFFSET must look like" in capsys.readouterr().out


def test_the_list_is_written_the_other_way_of_claiming_as_well(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAILTRAIL_CLAIM", "append")
    assert [post(token_of()).status for _ in range(2)] == [200, 200]
    assert holding() == {"alice@example.com": "unsubscribe"}


def test_a_callback_costs_what_it_did(cloud: LocalCloud, calls: list[str]) -> None:
    """The new route is beside the old ones, not in their way."""
    call_back(EVENT)
    assert calls == ["cos:PutObject"]
