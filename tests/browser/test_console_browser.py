"""The console as a person uses it, in Chromium: see a mail arrive, make it bounce, find it, on a desk or a phone."""

from __future__ import annotations

import json
import re
import urllib.parse
from typing import TYPE_CHECKING, Any

import pytest

from localcloud.server import LocalServer
from tests.browser.mails_for_looking import b64, post, send_by_function, send_email, send_html

if TYPE_CHECKING:
    from pathlib import Path

ROWS = ".rows li"


@pytest.fixture
def look(page: Any, server: LocalServer) -> Any:
    """Open the console; afterwards nothing in it has failed and nothing came from elsewhere."""
    page.goto(server.url)
    page.get_by_text("live", exact=True).wait_for()
    yield page
    assert page.errors == []
    assert {urllib.parse.urlsplit(url).netloc for url in page.asked if not url.startswith("data:")} == {
        f"127.0.0.1:{server.port}"
    }


def count(page: Any, selector: str, number: int) -> None:
    page.wait_for_function("([s, n]) => document.querySelectorAll(s).length === n", arg=[selector, number])


def test_a_mail_is_sent_arrives_and_bounces_without_a_reload(look: Any, server: LocalServer) -> None:
    look.get_by_text("No mail yet").wait_for()
    look.evaluate("window.neverReloaded = true")
    message_id = send_by_function(server, subject="Your code of today", metadata={"order": "A-1048"})
    look.get_by_role("link", name=re.compile("Your code of today")).click()
    frame = look.frame_locator("iframe")
    frame.get_by_text("Your code is 1234.").wait_for()
    look.get_by_text("A-1048").wait_for()

    card = look.locator(".recipient", has_text="alice@example.com")
    card.locator("summary .is-delivered").wait_for()  # a second after the sending; it would outdo an earlier bounce
    card.get_by_role("button", name="Bounce hard").click()
    card.locator("summary .is-bounced").wait_for()
    bounce = card.locator("li.bounce")
    bounce.locator(".answer.good", has_text="200").wait_for()
    bounce.locator("summary").click()
    bounce.get_by_text('"hard_bounce"').wait_for()
    look.locator(f"{ROWS} .is-bounced").wait_for()

    look.get_by_role("link", name="Bucket").click()
    for name in ("events/", "dt=", "hour="):
        look.locator(".node[aria-expanded=false]", has_text=name).first.click()
    leaves = look.locator(".leaf", has_text=".jsonl")
    leaves.first.wait_for()
    told = []
    for leaf in leaves.all():  # of the delivery and of the bounce, named by their content: in any order
        leaf.click()
        look.wait_for_timeout(300)
        line = look.locator(".lines details pre").first
        line.wait_for()
        told.append(json.loads(line.inner_text()))
    assert ("bounced", message_id) in [(record["type"], record["message_id"]) for record in told]
    assert look.evaluate("window.neverReloaded") is True


def test_every_button_makes_its_event_happen(look: Any, server: LocalServer) -> None:
    message_id = send_html(server, '<a href="https://shop.example/order">Order</a>')
    look.goto(f"{server.url}/#/mails/{message_id}")
    told = {
        "Deliver": "delivered", "Open": "open", "Click": "click", "Defer": "deferred", "Drop": "dropped",
        "Bounce soft": "bounce", "Complain": "spamreport", "Unsubscribe": "unsubscribe",
    }  # fmt: skip
    for label, event in told.items():
        look.get_by_role("button", name=label, exact=True).click()
        look.locator(f".events li.{event}").first.wait_for()
    look.locator(".events li.click", has_text="https://shop.example/order").wait_for()
    look.get_by_role("tab", name=re.compile("Links")).click()
    look.get_by_role("button", name="Click it").click()
    count(look, ".events li.click", 2)


def test_search_and_filters_narrow_the_list_and_live_mails_obey_them(look: Any, server: LocalServer) -> None:
    for name in ("ann", "bob", "carl"):
        send_email(server, Destination=[f"{name}@example.com"], Subject=f"for {name}")
    count(look, ROWS, 3)
    look.keyboard.press("/")
    look.keyboard.type("to:bob")
    count(look, ROWS, 1)
    send_email(server, Destination=["dora@example.com"], Subject="for dora")
    send_email(server, Destination=["bobby@example.com"], Subject="for bobby")
    count(look, ROWS, 2)
    look.keyboard.press("Escape")
    count(look, ROWS, 5)
    send_email(server, Destination=["hard-bounce@simulator.mailtrail.test"])
    post(server, "clock", {"advance_s": 10})
    look.get_by_role("button", name="bounced").click()
    count(look, ROWS, 1)


def test_the_keyboard_goes_everywhere(look: Any, server: LocalServer) -> None:
    for number in range(3):
        send_email(server, Destination=[f"p{number}@example.com"], Subject=f"mail {number}")
    count(look, ROWS, 3)
    heading = look.locator(".detail h1")
    for key, subject in (("j", "mail 2"), ("j", "mail 1"), ("k", "mail 2")):
        look.keyboard.press(key)
        heading.get_by_text(subject, exact=True).wait_for()
    look.keyboard.press("]")
    look.locator("[role=tab][aria-selected=true]", has_text="Text").wait_for()
    look.keyboard.press("Enter")
    assert look.evaluate("document.activeElement.id") == "part"
    look.keyboard.press("Escape")
    look.get_by_text("No mail is open").wait_for()
    look.keyboard.press("?")
    look.get_by_role("dialog").get_by_text("next and previous mail").wait_for()
    look.keyboard.press("Escape")
    look.get_by_role("dialog").wait_for(state="detached")
    look.keyboard.press("g")
    look.keyboard.press("f")
    look.get_by_role("heading", name="Faults").wait_for()


def test_every_control_has_a_name_and_keeps_its_focus_when_news_come(look: Any, server: LocalServer) -> None:
    message_id = send_email(server, Attachments=[{"FileName": "a.pdf", "Content": b64("x")}])
    for view in (f"mails/{message_id}", "bucket", "reports", "faults", "time", "data"):
        look.goto(f"{server.url}/#/{view}")
        look.wait_for_timeout(200)
        nameless = look.evaluate(
            """() => [...document.querySelectorAll("button, a, input, select, textarea, iframe")].filter((e) =>
            !(e.textContent.trim() || e.ariaLabel || e.title || e.labels?.length)).map((e) => e.outerHTML)"""
        )
        assert nameless == []
    look.goto(f"{server.url}/#/mails/{message_id}")
    button = look.get_by_role("button", name="Open", exact=True)
    button.focus()
    look.keyboard.press("Enter")
    look.locator(".events li.open .answer.good").wait_for()
    assert look.evaluate("document.activeElement.textContent") == "Open"


def test_older_mails_come_as_the_list_is_scrolled(look: Any, server: LocalServer) -> None:
    for number in range(130):
        send_email(server, Destination=[f"p{number}@example.com"], Subject=f"mail {number}")
    look.goto(f"{server.url}/#/faults")
    look.goto(f"{server.url}/#/mails")
    look.get_by_text("mail 129", exact=True).wait_for()
    look.locator(".list .scroll").evaluate("(e) => e.scrollTo(0, e.scrollHeight)")
    look.get_by_text("mail 0", exact=True).wait_for()
    count(look, ROWS, 130)
    send_email(server, Destination=["new@example.com"], Subject="a new one")
    count(look, ROWS, 131)
    look.get_by_label("Search mails").fill("mail")
    look.get_by_text("100+ found").wait_for()
    look.get_by_label("Search mails").fill("to:p1")
    count(look, ROWS, 41)


def test_faults_clock_timers_seed_and_reset_work_by_hand(look: Any, server: LocalServer) -> None:
    send_by_function(server)
    look.keyboard.press("g")
    look.keyboard.press("f")
    look.get_by_role("button", name=re.compile("SES fails once")).click()
    look.locator("tbody tr", has_text="SendEmail").get_by_text("0 of 1").wait_for()
    look.get_by_label("One rule, or a list of them").fill('{"service": "cos"}')
    look.get_by_role("button", name="Add").click()
    look.get_by_text(re.compile("kind must be one of")).wait_for()
    look.get_by_role("button", name="Clear all").click()
    look.get_by_text("The network is friendly").wait_for()

    look.get_by_role("link", name="Clock").click()
    before = server.cloud.clock.offset_s
    look.get_by_role("button", name="+1 day").click()
    look.get_by_text(re.compile("ahead of the machine")).wait_for()
    assert server.cloud.clock.offset_s - before == pytest.approx(86_400, abs=1)
    for name in ("snapshot", "report"):
        look.get_by_role("button", name=re.compile(f"Fire {name}")).click()
        look.locator(".timer", has_text=name).get_by_text(re.compile("returned after")).wait_for()

    look.get_by_role("link", name="Reports").click()
    look.locator(".days a").last.click()
    look.frame_locator("iframe").get_by_role("heading", name=re.compile("Mail on")).wait_for()

    look.get_by_role("link", name="Data").click()
    look.get_by_label("Rows of SES").fill("50")
    look.get_by_role("button", name="Make it").click()
    look.get_by_text("History is made").wait_for()
    look.get_by_role("button", name="Reset…").click()
    look.get_by_role("button", name="Keep it").click()
    assert len(server.cloud.messages()) == 1
    look.get_by_role("button", name="Reset…").click()
    look.get_by_role("button", name="Forget everything").click()
    look.get_by_text("Everything is as it was born").wait_for()
    assert server.cloud.messages() == []


def test_a_phone_shows_one_column_and_the_way_back(chromium: Any, server: LocalServer) -> None:
    send_email(server, Subject="On the phone")
    context = chromium.new_context(viewport={"width": 360, "height": 740}, is_mobile=True, has_touch=True)
    page = context.new_page()
    page.goto(server.url)
    page.get_by_text("On the phone").tap()
    page.get_by_role("button", name="Bounce hard").wait_for()
    assert not page.locator(".list").is_visible()
    for view in ("", "#/bucket", "#/faults", "#/time", "#/data", "#/reports"):
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, view
        page.goto(f"{server.url}/{view}")
        page.wait_for_timeout(150)
    page.goto(f"{server.url}/#/mails/{server.cloud.messages()[0]['message_id']}")
    page.get_by_role("link", name="Back to the list").tap()
    page.locator(".list").wait_for()
    context.close()


def test_an_open_page_goes_on_after_a_restart_of_the_server(page: Any, tmp_path: Path) -> None:
    with LocalServer(data=tmp_path) as first:
        port = first.port
        page.goto(first.url)
        page.get_by_text("live", exact=True).wait_for()
    page.get_by_text("connecting…").wait_for()
    with LocalServer(port, data=tmp_path) as second:
        send_email(second, Subject="after the restart")
        page.get_by_text("after the restart").wait_for()
        page.get_by_text("live", exact=True).wait_for()


def test_the_stream_finds_its_way_back_after_a_pause(look: Any, server: LocalServer) -> None:
    look.context.set_offline(True)
    send_email(server, Subject="sent meanwhile")
    look.evaluate("dispatchEvent(new Event('offline'))")
    look.context.set_offline(False)
    look.get_by_text("sent meanwhile").wait_for()
    look.get_by_text("live", exact=True).wait_for()
