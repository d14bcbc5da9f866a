"""One HTTP request as an SCF event, in the three shapes in which Tencent Cloud delivers it. Pure.

Facts and open points: API Gateway https://cloud.tencent.com/document/product/583/12513 (ended 2025-06-30, still the
format of "compatible" triggers), Function URL .../583/96099, CLB .../583/39849.
"""

from __future__ import annotations

import base64
import json
import time
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from localcloud.exchange import Request

TEXT_TYPES = ("application/javascript", "application/xml")


class Incoming(NamedTuple):
    """A request that has found its function.

    ``route_path``: as declared, with its ``{parameters}``; ``path_parameters``: their decoded values.
    ``client``: address and port; ``port``: ours; ``received_at``: epoch seconds by the simulated clock.
    """

    request: Request
    route_path: str
    path_parameters: Mapping[str, str]
    request_id: str
    client: tuple[str, int]
    port: int
    received_at: float


def build_apigw_event(incoming: Incoming) -> dict[str, Any]:
    """Build the event of an API Gateway with integrated request.

    A body that is not UTF-8 text comes as Base64 with ``isBase64Encoded: true``; that member is absent otherwise, as
    it is on an API whose Base64 encoding is off. ``queryStringParameters`` holds declared parameters only, so none.
    """
    request = incoming.request
    event: dict[str, Any] = {
        "requestContext": {
            "serviceId": "service-localcloud",
            "path": incoming.route_path,
            "httpMethod": request.method,
            "requestId": incoming.request_id,
            "identity": {},
            "sourceIp": incoming.client[0],
            "stage": "release",
        },
        "headers": _title_cased(request.headers),
        "body": "",
        "pathParameters": dict(incoming.path_parameters),
        "queryStringParameters": {},
        "headerParameters": {},
        "stageVariables": {"stage": "release"},
        "path": request.path,
        "queryString": _query_of(request.query),
        "httpMethod": request.method,
    }
    try:
        event["body"] = request.body.decode()
    except UnicodeDecodeError:
        event.update(body=_base64(request.body), isBase64Encoded=True)
    return event


def build_function_url_event(incoming: Incoming) -> dict[str, Any]:
    """Build the event of a Function URL: API Gateway's without five members, header names lower-case.

    How a binary body arrives is not established (facts/scf.md §1); here, as text with replacement characters.
    """
    request = incoming.request
    return {
        "body": request.body.decode("utf-8", "replace"),
        "headers": {**request.headers, "x-scf-remote-addr": incoming.client[0]},
        "httpMethod": request.method,
        "path": request.path,
        "queryString": _query_of(request.query),
    }


def build_clb_event(incoming: Incoming) -> dict[str, Any]:
    """Build the event of a load balancer (CLB): headers, payload and the text ``"true"`` or ``"false"``.

    Method and path are headers, present when the listener is configured to send them; we assume that it is.
    """
    request = incoming.request
    payload, is_base64 = _clb_payload(request.headers.get("content-type", ""), request.body)
    address, port = incoming.client
    headers = {
        **_title_cased(request.headers),
        "X-Stgw-Time": f"{incoming.received_at:.3f}",
        "X-Client-Proto": request.scheme,
        "X-Forwarded-Proto": request.scheme,
        "X-Client-Proto-Ver": "HTTP/1.1",
        "X-Real-IP": address,
        "X-Real-Port": str(port),
        "X-Forwarded-For": ", ".join(filter(None, (request.headers.get("x-forwarded-for"), address))),
        "X-Vip": "127.0.0.1",
        "X-Vport": str(incoming.port),
        "X-Uri": f"{request.path}?{request.query}" if request.query else request.path,
        "X-Method": request.method,
    }
    return {"headers": headers, "payload": payload, "isBase64Encoded": "true" if is_base64 else "false"}


def build_timer_event(trigger_name: str, message: str, now: float) -> dict[str, str]:
    """Build the event of a timer (https://cloud.tencent.com/document/product/583/9708); ``now`` in epoch seconds."""
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
    return {"Type": "Timer", "TriggerName": trigger_name, "Time": at, "Message": message}


SHAPES: dict[str, Callable[[Incoming], dict[str, Any]]] = {
    "apigw": build_apigw_event,
    "function-url": build_function_url_event,
    "clb": build_clb_event,
}


def _clb_payload(content_type: str, body: bytes) -> tuple[Any, bool]:
    media_type = content_type.partition(";")[0].strip().lower()
    try:
        if media_type == "application/json":
            return json.loads(body), False
        if media_type.startswith("text/") or media_type in TEXT_TYPES:
            return body.decode(), False
    except UnicodeDecodeError:
        return _base64(body), True
    except (ValueError, RecursionError):
        # What CLB makes of a body that is not JSON, or JSON nested too deeply, is not documented; text loses nothing.
        return _text_or_base64(body)
    return _base64(body), True


def _text_or_base64(body: bytes) -> tuple[str, bool]:
    try:
        return body.decode(), False
    except UnicodeDecodeError:
        return _base64(body), True


def _query_of(query: str) -> dict[str, str | list[str]]:
    values: dict[str, list[str]] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        values.setdefault(name, []).append(value)
    return {name: found[0] if len(found) == 1 else found for name, found in values.items()}


def _title_cased(headers: Mapping[str, str]) -> dict[str, str]:
    # Tencent's own samples differ in the case of header names; functions must not care.
    return {"-".join(part.capitalize() for part in name.split("-")): value for name, value in headers.items()}


def _base64(body: bytes) -> str:
    return base64.b64encode(body).decode()
