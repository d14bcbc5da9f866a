"""A mail whose author is an enemy: it may look like anything, and do nothing."""

from __future__ import annotations

import http.server
import threading
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.mails_for_looking import send_html

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcloud.server import LocalServer

BODY = """<!doctype html><html><head>
<base href="{trap}/base/">
<meta http-equiv="refresh" content="0;url={trap}/refresh">
<link rel="stylesheet" href="{trap}/style.css"><link rel="prefetch" href="{trap}/prefetch">
<link rel="dns-prefetch" href="//dns.trap.example"><link rel="preconnect" href="{trap}">
<style>@import url({trap}/import.css); body {{ background: url({trap}/background) }}
@font-face {{ font-family: t; src: url({trap}/font) }} p {{ font-family: t }}</style>
<script>{script}</script><script src="{trap}/script.js"></script><script type="module">{script}</script>
</head><body onload="{script}" style="margin:0">
<img src="x" onerror="{script}"><img src="{trap}/image"><img srcset="{trap}/srcset 2x"><svg onload="{script}"><image href="{trap}/svg"/></svg>
<iframe src="{trap}/frame"></iframe><iframe srcdoc="<script>{script}</script>"></iframe>
<iframe src="javascript:{script}"></iframe>
<object data="{trap}/object"></object><embed src="{trap}/embed"><video src="{trap}/video" poster="{trap}/poster" autoplay></video>
<p><a id="js" href="javascript:{script}">script</a></p>
<p><a id="out" href="{trap}/link" ping="{trap}/ping">out</a></p>
<p><a id="self" target="_self" href="{trap}/self">self</a></p>
<p><a id="top" target="_top" href="{trap}/top">top</a></p>
<p><a id="parent" target="_parent" href="{server}/_local/health">parent</a></p>
<p><a id="blank" target="_blank" href="{trap}/blank">blank</a></p>
<p><a id="download" download href="{trap}/download">download</a></p>
<form id="f" action="{trap}/form" method="post"><input name="a" value="1" autofocus onfocus="{script}"><button id="submit">send</button></form>
<form action="{server}/_local/reset" method="post" enctype="text/plain" target="_top"><button id="reset">reset</button></form>
<p>the end</p></body></html>"""
SCRIPT = (
    "try{{parent.owned=1}}catch(e){{}};try{{top.document.title='owned'}}catch(e){{}};"
    "try{{fetch('{server}/_local/reset',{{method:'POST'}})}}catch(e){{}};new Image().src='{trap}/ran'"
)


@pytest.fixture(scope="module")
def trap() -> Iterator[Any]:
    """Listen as the enemy's server would, and note every request."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.server.hits.append(self.path)
            self.send_response(200)
            self.end_headers()

        do_POST = do_GET  # noqa: N815 - the name is http.server's

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        listening.hits = []
        listening.url = f"http://127.0.0.1:{listening.server_port}"
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        yield listening
        listening.shutdown()
        thread.join()


@pytest.fixture
def message_id(server: LocalServer, trap: Any) -> str:
    trap.hits.clear()
    places = {"server": server.url, "trap": trap.url}
    html = BODY.format(**places, script=SCRIPT.format(**places))
    return send_html(server, html, Subject='<img src=x onerror="window.owned=1">&amp;')


def assert_nothing_happened(page: Any, server: LocalServer, trap: Any) -> None:
    page.wait_for_timeout(400)
    assert trap.hits == []
    assert page.url.startswith(f"{server.url}/#/mails/")
    assert page.title().startswith("localcloud")
    assert page.evaluate("window.owned") is None
    assert len(page.context.pages) == 1
    assert len(server.cloud.messages()) == 1
    assert page.errors == []


def test_a_hostile_mail_only_looks(page: Any, server: LocalServer, trap: Any, message_id: str) -> None:
    page.goto(f"{server.url}/#/mails/{message_id}")
    page.frame_locator(".panel > iframe").get_by_text("the end").wait_for()
    page.get_by_role("heading", name='<img src=x onerror="window.owned=1">&amp;').wait_for()
    assert_nothing_happened(page, server, trap)


@pytest.mark.parametrize("target", ["js", "out", "self", "top", "parent", "blank", "download", "submit", "reset"])
def test_nothing_in_it_leads_anywhere(page: Any, server: LocalServer, trap: Any, message_id: str, target: str) -> None:
    page.goto(f"{server.url}/#/mails/{message_id}")
    frame = page.frame_locator(".panel > iframe")
    frame.get_by_text("the end").wait_for()
    frame.locator(f"#{target}").click(no_wait_after=True)
    assert_nothing_happened(page, server, trap)


@pytest.mark.parametrize("tab", ["Text", "Links", "Source", "Headers", "Request"])
def test_no_tab_takes_it_for_markup(page: Any, server: LocalServer, trap: Any, message_id: str, tab: str) -> None:
    page.goto(f"{server.url}/#/mails/{message_id}")
    page.get_by_role("tab", name=tab).click()
    assert_nothing_happened(page, server, trap)


def test_opened_by_itself_it_has_no_origin_either(page: Any, server: LocalServer, trap: Any, message_id: str) -> None:
    page.goto(f"{server.url}/_local/mails/{message_id}/html", wait_until="commit")
    page.get_by_text("the end").wait_for()
    page.wait_for_timeout(400)
    assert trap.hits == []
    assert len(server.cloud.messages()) == 1


def test_another_origin_cannot_frame_read_or_change_the_console(page: Any, server: LocalServer, trap: Any) -> None:
    send_html(server, "<p>private</p>")
    page.goto(trap.url)
    outcome = page.evaluate(
        """async (url) => {
            const read = await fetch(`${url}/_local/mails`).then((r) => r.text(), () => "refused");
            const opaque = await fetch(`${url}/_local/reset`, {method: "POST", mode: "no-cors"}).then((r) => r.status, () => "refused");
            const frame = document.createElement("iframe");
            frame.src = url;
            document.body.append(frame);
            await new Promise((done) => (frame.onload = done));
            let inside;
            try { inside = frame.contentDocument?.title ?? null; } catch { inside = null; }
            return {read, inside};
        }""",
        server.url,
    )
    assert outcome == {"read": "refused", "inside": None}
    assert len(server.cloud.messages()) == 1
    assert not [frame for frame in page.frames[1:] if frame.query_selector("nav")]
