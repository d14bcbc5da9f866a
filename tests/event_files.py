"""The trigger events under ``events/`` for tests: read fresh at every call, so that a test may change what it got."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast
from urllib.parse import parse_qs

if TYPE_CHECKING:
    from collections.abc import Iterator

EVENTS = Path(__file__).resolve().parents[1] / "events"
SAMPLES = Path(__file__).resolve().parent / "samples"
VECTORS = Path(__file__).resolve().parent / "vectors"
FUNCTIONS = ("send", "webhook", "snapshot", "report")
SHAPES = ("function-url-compatible", "function-url", "apigw", "clb", "timer")
"""Longest name first: one is the beginning of another."""


def load_event(path: str | Path) -> dict[str, Any]:
    """Read one event; ``path`` is relative to ``events/`` (``"send/apigw-template.json"``) or absolute.

    Raises FileNotFoundError, and ValueError when the file does not hold a JSON object.
    """
    event = json.loads((EVENTS / path).read_text(encoding="utf-8"))
    if not isinstance(event, dict):
        raise ValueError(f"{path} is not one event")  # noqa: TRY004 - the content is wrong, not the caller's type
    return cast("dict[str, Any]", event)


def iter_events(function: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield ``(path, event)`` for every event of ``function``, by name; ``path`` is what ``load_event`` takes.

    ``function``: one of ``FUNCTIONS``. Raises ValueError when it has none.
    """
    paths = sorted((EVENTS / function).glob("*.json"))
    if not paths:
        raise ValueError(f"no events for {function}")
    for path in paths:
        name = path.relative_to(EVENTS).as_posix()
        yield name, load_event(name)


class HttpEvent(NamedTuple):
    """What an event says, whatever its shape. ``body`` is bytes, or what CLB made of JSON."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any

    @property
    def meaning(self) -> Any:
        """The body as a value: parsed JSON, a parsed form, or else its text."""
        if not isinstance(self.body, bytes):
            return self.body
        text = self.body.decode()
        if self.headers.get("content-type") == "application/x-www-form-urlencoded":
            return {name: value[0] for name, value in parse_qs(text, keep_blank_values=True).items()}
        try:
            return json.loads(text)
        except ValueError:
            return text


def function_of(path: str) -> str:
    """Name the function that ``send/clb-template.json`` is for."""
    return path.partition("/")[0]


def shape_and_case(path: str) -> tuple[str, str]:
    """Split ``send/clb-template.json`` into ``clb`` and ``template``. Raises ValueError for an unknown shape."""
    stem = path.rpartition("/")[2].removesuffix(".json")
    for shape in SHAPES:
        if stem.startswith(f"{shape}-"):
            return shape, stem.removeprefix(f"{shape}-")
    raise ValueError(f"{path} is of no known shape")


def read_http(path: str) -> HttpEvent:
    """Read an HTTP event as its platform documents it: a second reading, to judge the product's own by.

    Raises KeyError when a field of the shape is missing, ValueError when Base64 is not.
    """
    event = load_event(path)
    headers = {name.lower(): value for name, value in event["headers"].items()}
    if shape_and_case(path)[0] == "clb":
        method, where, body = headers["x-method"], headers["x-uri"], event["payload"]
    else:
        method, where, body = event["httpMethod"], event["path"], event["body"]
    encoded = str(event.get("isBase64Encoded", "false")).lower() == "true"
    if isinstance(body, str):
        body = base64.b64decode(body, validate=True) if encoded else body.encode()
    return HttpEvent(method, where, headers, body)
