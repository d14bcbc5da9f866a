"""API 3.0's envelope: what a request asks for, and how an answer is wrapped.

Source: https://www.tencentcloud.com/document/api/1084/39391. Errors are HTTP 200; the Content-Type is exactly
``application/json``, because the vendor's SDK looks for errors in nothing else.
"""

from __future__ import annotations

import json
import re
import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from localcloud.exchange import Response
from localcloud.ses.errors import ApiError, message_for

if TYPE_CHECKING:
    from collections.abc import Container

    from localcloud.exchange import Request

VERSION = "2020-10-02"
REGIONS = {"cn": ("ap-guangzhou", "ap-hongkong"), "intl": ("ap-singapore",)}
"""Account site → regions of SES: https://cloud.tencent.com/document/api/1288/51832 (China),
https://www.tencentcloud.com/document/api/1084/39502 (International)."""
REQUEST_LIMIT_BYTES = 8 * 1024 * 1024
_QUERY_LIMIT_BYTES = 32 * 1024
_DEPTH_LIMIT = 4
_INDEX = re.compile(r"\d{1,3}")


def action_of(request: Request) -> str:
    """Return the X-TC-Action header, empty when there is none."""
    return request.headers.get("x-tc-action", "")


def check_transport(request: Request) -> None:
    """Refuse what is no API 3.0 request, or too large for one. Raises ApiError."""
    if request.method not in ("POST", "GET") or request.path not in ("/", ""):
        raise ApiError("UnsupportedProtocol")
    if len(request.body) > REQUEST_LIMIT_BYTES or len(request.query) > _QUERY_LIMIT_BYTES:
        raise ApiError("RequestSizeLimitExceeded")


def check_target(request: Request, site: str, actions: Container[str]) -> str:
    """Check version, action and region; return the action. Raises ApiError."""
    if request.headers.get("x-tc-version") != VERSION:
        raise ApiError("NoSuchVersion")
    action = action_of(request)
    if action not in actions:
        raise ApiError("InvalidAction", f"`{action[:100]}` does not exist.")
    region = request.headers.get("x-tc-region")
    if not region:
        raise ApiError("MissingParameter", "`Region` is required.")
    if region not in REGIONS[site]:
        raise ApiError("UnsupportedRegion", f"SES is in {', '.join(REGIONS[site])}.")
    return action


def parse_params(request: Request) -> dict[str, Any]:
    """Parse the parameters from the JSON body, or a GET's query. Raises ApiError (InvalidParameter)."""
    if request.method == "GET":
        return _unflatten(parse_qsl(request.query, keep_blank_values=True))
    return parse_object(request.body) if request.body else {}


def parse_object(text: bytes | str) -> dict[str, Any]:
    """Parse a JSON object; raises ApiError (InvalidParameter) for anything else, NaN and deep nesting included."""
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ApiError("InvalidParameter", "The parameters are not valid JSON.") from error
    if not isinstance(value, dict):
        raise ApiError("InvalidParameter", "The parameters are not a JSON object.")
    return value


def build_answer(content: dict[str, Any]) -> Response:
    """Wrap a handler's result."""
    body = json.dumps({"Response": {**content, "RequestId": str(uuid.uuid4())}}, ensure_ascii=False)
    return Response(200, {"Content-Type": "application/json"}, body.encode())


def build_error(code: str, message: str = "", *, status: int = 200) -> Response:
    """Wrap an error; ``status`` is 200 unless a fault asks otherwise."""
    content = {
        "Error": {"Code": code, "Message": message or message_for(code)},
        "RequestId": str(uuid.uuid4()),
    }
    body = json.dumps({"Response": content}, ensure_ascii=False).encode("utf-8", "replace")
    return Response(status, {"Content-Type": "application/json"}, body)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _unflatten(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """``Template.TemplateID=1&Destination.0=a`` → nested objects and lists."""
    root: dict[str, Any] = {}
    for name, value in pairs:
        node = root
        *parents, leaf = name.split(".", _DEPTH_LIMIT)
        for parent in parents:
            node = node.setdefault(parent, {})
            if not isinstance(node, dict):
                raise ApiError("InvalidParameter", "A parameter is given twice, as a value and as a structure.")
        node[leaf] = value
    return {name: _listed(value) for name, value in root.items()}


def _listed(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if value and all(_INDEX.fullmatch(name) for name in value):
        return [_listed(value[name]) for name in sorted(value, key=int)]
    return {name: _listed(member) for name, member in value.items()}
