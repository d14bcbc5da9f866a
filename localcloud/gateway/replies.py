"""What the gateway makes of a function's return value. Pure."""

from __future__ import annotations

import base64
import binascii
import json
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from localcloud.gateway.runtime import Outcome

INVALID = {"errno": 403, "error": "Invalid scf response format. please check your scf response format."}
JSON_HEADERS = [("Content-Type", "application/json")]
TIMED_OUT = 433
TOO_LARGE = 406


class Reply(NamedTuple):
    """An HTTP answer; a header may occur more than once."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


def build_reply(outcome: Outcome, shape: str) -> Reply:
    """Turn an outcome into the HTTP answer of that trigger.

    A structure that is not an integrated response is answered ``{"errno": 403, …}``, except that a Function URL sends
    any JSON without ``statusCode`` as it stands (https://cloud.tencent.com/document/product/583/96099). A function
    that failed is answered 500; one that ran out of time 200 with SCF's error, as when the gateway waits longer.
    """
    if outcome.error is not None:
        status = {TIMED_OUT: 200, TOO_LARGE: 413}.get(outcome.error["statusCode"], 500)
        return Reply(status, JSON_HEADERS, json.dumps(outcome.error).encode())
    value = outcome.value
    if shape == "function-url" and not (isinstance(value, dict) and "statusCode" in value):
        return Reply(200, JSON_HEADERS, json.dumps(value).encode())
    if not _is_integrated(value):
        return Reply(500, JSON_HEADERS, json.dumps(INVALID).encode())
    try:
        body = _body_of(value)
    except binascii.Error:
        return Reply(500, JSON_HEADERS, json.dumps(INVALID).encode())
    return Reply(value["statusCode"], _headers_of(value.get("headers") or {}), body)


def _is_integrated(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    status, headers = value.get("statusCode"), value.get("headers") or {}
    return (
        isinstance(status, int)
        and 200 <= status <= 599
        and isinstance(headers, dict)
        and all(_is_header_value(header) for header in headers.values())
        and isinstance(value.get("body", ""), str)
        and isinstance(value.get("isBase64Encoded", False), bool)
    )


def _is_header_value(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(item, str) for item in value))


def _body_of(value: dict[str, Any]) -> bytes:
    body: str = value.get("body", "")
    return base64.b64decode(body, validate=True) if value.get("isBase64Encoded") else body.encode()


def _headers_of(headers: dict[str, str | list[str]]) -> list[tuple[str, str]]:
    return [(name, item) for name, value in headers.items() for item in ([value] if isinstance(value, str) else value)]
