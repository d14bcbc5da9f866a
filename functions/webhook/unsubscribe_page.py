"""The page behind an unsubscribe link, in English and Chinese. One file, nothing fetched, no script, all escaped."""

from __future__ import annotations

import base64
import enum
import hashlib
import html
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from shared.edge.http_event import page_reply

if TYPE_CHECKING:
    from shared.edge.http_event import HttpRequest
    from shared.upstream.unsubscribe_token import Unsubscribe

BUTTON = "mailtrail-button"
"""The one field of the page's form: who reads the log sees that it was a person's."""
RETRY_AFTER_S = 30


class Page(enum.Enum):
    """Which page, with its HTTP status."""

    ASK = "ask", 200
    DONE = "done", 200
    AGAIN = "again", 503
    INVALID = "invalid", 404


class _Text(NamedTuple):
    """Heading, sentence, button (empty: none). ``{address}`` and ``{sender}`` are put in."""

    heading: str
    sentence: str
    button: str = ""


_TEXTS = {
    ("en", Page.ASK): _Text("Unsubscribe", "Shall {address} get no more mail from {sender}?", "Unsubscribe"),
    ("en", Page.DONE): _Text(
        "You are unsubscribed", "{address} gets no more mail from {sender}. Mail already on its way may still arrive."
    ),
    ("en", Page.AGAIN): _Text(
        "That did not work yet",
        "{address} may still get mail from {sender}. Please try again in a minute.",
        "Try again",
    ),
    ("en", Page.INVALID): _Text(
        "This link is not valid",
        "It may have been cut short on its way. Open it from the mail once more, or write to the sender.",
    ),
    ("zh", Page.ASK): _Text("退订", "不再向 {address} 发送来自 {sender} 的邮件？", "退订"),
    ("zh", Page.DONE): _Text("已退订", "{address} 不会再收到来自 {sender} 的邮件。已经在途的邮件可能仍会送达。"),
    ("zh", Page.AGAIN): _Text("暂未完成", "{address} 可能仍会收到来自 {sender} 的邮件，请稍后再试。", "再试一次"),
    ("zh", Page.INVALID): _Text("链接无效", "链接可能不完整。请从邮件中重新打开，或直接联系发件人。"),
}
_STYLE = """
:root { color-scheme: light dark; }
body { font: 18px/1.5 system-ui, sans-serif; max-width: 32rem; margin: 12vh auto; padding: 0 1.25rem; }
h1 { font-size: 1.5rem; }
b { overflow-wrap: anywhere; }
button { font: inherit; font-weight: 600; padding: .75rem 1.5rem; min-width: 12rem; border: 0; border-radius: .5rem;
  color: #fff; background: #0a58ca; cursor: pointer; }
button:focus-visible { outline: 3px solid; outline-offset: 3px; }
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_DOCUMENT = """<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{heading}</title>
<style>{style}</style>
</head>
<body>
<main>
<h1>{heading}</h1>
<p>{sentence}</p>
{form}</main>
</body>
</html>
"""
# No action: the form goes to the very address of the page.
_FORM = '<form method="post"><button name="{name}" value="1">{text}</button></form>\n'
_LANGUAGE = re.compile(r"\s*([A-Za-z]{2,8})(?:-[A-Za-z0-9-]*)?\s*(?:;\s*q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*)?")


def page_of(page: Page, request: HttpRequest, wish: Unsubscribe | None = None) -> dict[str, Any]:
    """Build the answer that shows ``page``, in the language of who asks; to HEAD without its body."""
    language = language_of(request.headers.get("accept-language", ""))
    _, status = page.value
    headers = {"Content-Security-Policy": _POLICY, "Content-Language": language, "Vary": "Accept-Language"}
    if status == 503:
        headers["Retry-After"] = str(RETRY_AFTER_S)
    return page_reply(status, "" if request.method == "HEAD" else _render(page, language, wish), headers)


def language_of(accepted: str) -> str:
    """Return ``zh`` or ``en``: which of the two ``Accept-Language`` likes better; English when it names none."""
    weights = {"en": 0.0, "zh": 0.0}
    for part in accepted[:1000].split(","):
        match = _LANGUAGE.fullmatch(part)
        name = match[1].lower() if match else ""
        if match and name in weights:
            weights[name] = max(weights[name], float(match[2] or 1))
    return "zh" if weights["zh"] > weights["en"] or _is_first(accepted, weights) else "en"


def _is_first(accepted: str, weights: dict[str, float]) -> bool:
    # Of two that are liked equally, the one that is named first.
    return weights["zh"] == weights["en"] > 0 and accepted.lower().find("zh") < accepted.lower().find("en")


def _render(page: Page, language: str, wish: Unsubscribe | None) -> str:
    text = _TEXTS[language, page]
    names = {"address": _masked(wish.address), "sender": wish.sender_domain} if wish else {}
    bold = {name: f"<b>{html.escape(value)}</b>" for name, value in names.items()}
    return _DOCUMENT.format(
        language={"zh": "zh-CN"}.get(language, language),
        style=_STYLE,
        heading=text.heading,
        sentence=text.sentence.format(**bold),
        form=_FORM.format(name=BUTTON, text=text.button) if text.button else "",
    )


def _masked(address: str) -> str:
    """Show enough for who has several addresses; a mail that was passed on must not tell whose link it carries."""
    local, _, domain = address.rpartition("@")
    return f"{local[:1]}…@{domain}"
