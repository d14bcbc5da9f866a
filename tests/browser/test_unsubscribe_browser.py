"""The unsubscribe page as a person uses it, in Chromium: on a desk or a phone, in the light or the dark, one click."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.mails_for_looking import send_by_function

if TYPE_CHECKING:
    from localcloud.server import LocalServer


@pytest.fixture
def link(server: LocalServer) -> str:
    """Send a mail and return its link."""
    send_by_function(server)
    headers = json.loads(server.cloud.messages(1)[0]["request"]["SmtpHeaders"])
    return str(headers["List-Unsubscribe"].strip("<>"))


def test_one_click_on_the_button_unsubscribes(page: Any, link: str) -> None:
    """The policy lets the style and the form through, and nothing else is asked for."""
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(link)
    button = page.get_by_role("button", name="Unsubscribe")
    assert button.evaluate("node => getComputedStyle(node).borderTopWidth") == "0px", "the style is taken"
    button.click()
    page.get_by_role("heading", name="You are unsubscribed").wait_for()
    assert page.url == link, "the form goes to the page's own address, and nothing redirects"
    assert page.get_by_role("button").count() == 0
    assert page.errors == []
    assert [text for text in said if "Content Security Policy" in text] == []
    assert {url for url in page.asked if not url.endswith("/favicon.ico")} == {link}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_a_phone_and_follows_its_colours(chromium: Any, link: str, scheme: str) -> None:
    context = chromium.new_context(viewport={"width": 360, "height": 640}, color_scheme=scheme, locale="zh-CN")
    try:
        opened = context.new_page()
        opened.goto(link)
        opened.get_by_role("button", name="退订").wait_for()
        assert opened.evaluate("document.documentElement.scrollWidth <= innerWidth")
        ink = opened.evaluate("getComputedStyle(document.body).color")
        assert ink == ("rgb(0, 0, 0)" if scheme == "light" else "rgb(255, 255, 255)")
    finally:
        context.close()
