"""An upstream's answer -> its content, or the error that it is. Pure: status and bytes in, a dict out or a raise.

SES answers failures as HTTP 200 with ``Response.Error``; this is the one place that knows.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NoReturn

from shared.upstream.errors import NOT_JSON, raise_for, rule_for, sendcloud_rule_for

if TYPE_CHECKING:
    from collections.abc import Mapping

_NOT_THE_ENVELOPE = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)


def decipher_response(status: int, body: bytes) -> dict[str, Any]:
    """Return the ``Response`` object of an API 3.0 answer.

    The HTTP status and the content type are not trusted: errors come as 200, proxies answer HTML, and the vendor's
    own SDK misses errors behind ``application/json; charset=utf-8``.
    Raises UpstreamRefused or UpstreamUncertain for ``Response.Error`` and for anything that is not the API's envelope.
    """
    try:
        answer = json.loads(body)["Response"]
        error = answer.get("Error")
        request_id = str(answer.get("RequestId") or "")
    except _NOT_THE_ENVELOPE:
        _raise_unreadable(status, body)
    if error is None:
        return dict(answer)
    code, message = (str(error.get(k) or "") for k in ("Code", "Message")) if isinstance(error, dict) else ("", "")
    raise_for(rule_for(code), code=code, message=message, request_id=request_id)


def decipher_sendcloud(status: int, body: bytes) -> dict[str, Any]:
    """Return the ``info`` object of a SendCloud answer.

    The throttle body spells ``statuscode``, every other ``statusCode``; both are read.
    Raises UpstreamRefused or UpstreamUncertain when ``result`` is not true, and for anything that is not the envelope.
    """
    try:
        answer = json.loads(body)
        code = int(answer.get("statusCode", answer.get("statuscode", 0)))
        accepted = answer["result"] is True
        info = dict(answer.get("info") or {})
    except _NOT_THE_ENVELOPE:
        _raise_unreadable(status, body)
    if accepted:
        return info
    raise_for(sendcloud_rule_for(code), code=str(code), message=str(answer.get("message", "")))


def read_rows(answer: Mapping[str, Any], *names: str) -> list[dict[str, Any]]:
    """Return the list of objects under the first of ``names`` that holds one; null and absent are an empty list.

    Raises UpstreamUncertain when it holds anything else: a page that cannot be read must not pass for the last one.
    """
    rows: Any = next((answer[name] for name in names if answer.get(name) is not None), [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise_for(NOT_JSON, code="rows_unreadable")
    return list(rows)


def read_total(answer: Mapping[str, Any], name: str) -> int:
    """Return a count that comes as a number or as digits; absent is 0. Raises UpstreamUncertain for anything else."""
    try:
        return int(answer.get(name) or 0)
    except (TypeError, ValueError, OverflowError) as error:
        raise_for(NOT_JSON, code="total_unreadable", cause=error)


def _raise_unreadable(status: int, body: bytes) -> NoReturn:
    kind = "html" if body.lstrip()[:1] == b"<" else "not_json"
    raise_for(NOT_JSON, code=f"http_{status}_{kind}")
