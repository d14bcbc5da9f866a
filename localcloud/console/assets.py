"""The page at ``/`` and what it loads: styles and modules out of the package, and nothing from anywhere else."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from localcloud.console.fallback import render_fallback
from localcloud.exchange import Response

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

FOLDER = Path(__file__).with_name("page")
TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}
FALLBACK_MARK = "<!-- fallback -->"

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
"""``frame-src`` also says where a frame may be led by what is in it."""
FRAME_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; sandbox; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
"""Of what somebody else wrote: no script, no origin, nothing loaded, framed by nobody but us."""


@cache
def _read(name: str) -> tuple[bytes, str]:
    content = (FOLDER / name).read_bytes()
    return content, f'"{hashlib.sha256(content).hexdigest()[:24]}"'


@cache
def _names() -> frozenset[str]:
    return frozenset(path.name for path in FOLDER.iterdir() if path.suffix in TYPES)


def asset(name: str, headers: Mapping[str, str]) -> Response:
    """Answer one file; 304 when the browser has it. Raises LookupError for any other name."""
    if name not in _names():
        raise LookupError(f"There is no {name}")
    content, tag = _read(name)
    common = {"ETag": tag, "Cache-Control": "no-cache"}
    if headers.get("if-none-match") == tag:
        return Response(304, common)
    return Response(200, {**common, "Content-Type": TYPES[Path(name).suffix]}, content)


def index(messages: Iterable[Mapping[str, Any]], now: float, timers: Sequence[str]) -> Response:
    """Answer the page; browsers without script see the latest ``messages`` and the ways on."""
    page, _ = _read("index.html")
    content = page.decode().replace(FALLBACK_MARK, render_fallback(messages, now, timers))
    headers = {
        "Content-Type": "text/html; charset=utf-8",
        "Cache-Control": "no-store",
        "Content-Security-Policy": PAGE_POLICY,
        "X-Frame-Options": "DENY",
    }
    return Response(200, headers, content.encode())


def framed(html: str | bytes) -> Response:
    """Answer a page that somebody else wrote, for a sandboxed frame."""
    headers = {
        "Content-Type": "text/html; charset=utf-8",
        "Cache-Control": "no-store",
        "Content-Security-Policy": FRAME_POLICY,
        "X-Frame-Options": "SAMEORIGIN",
    }
    return Response(200, headers, html.encode() if isinstance(html, str) else html)


def download(content: bytes, name: str) -> Response:
    """Answer bytes that a browser keeps as a file and never shows, whatever they say they are."""
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "._-+@=") else "_" for c in name) or "download"
    encoded = quote(name, safe="", errors="replace")
    headers = {
        "Content-Type": "application/octet-stream",
        "Cache-Control": "no-store",
        "Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}",
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }
    return Response(200, headers, content)
