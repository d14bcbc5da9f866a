"""API gateway, Function URL and CLB events -> one request value; replies and problems -> what all three accept.

What differs (https://cloud.tencent.com/document/product/583/12513, 583/96099, 583/52635):

    API gateway    headers in the sender's case, `isBase64Encoded` true or false, client in requestContext.sourceIp
    Function URL   headers in lower case, no requestContext, client in the header x-scf-remote-addr
    CLB            `payload` instead of body (JSON comes parsed), `isBase64Encoded` the string "true" or "false",
                   method and path only in X-Method and X-Uri (switched on in the CLB console)
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping


class HttpRequest(NamedTuple):
    """One HTTP request, whichever trigger it came through. Header names are lower-case; ``path`` is decoded."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    client_ip: str
    request_id: str

    def segments_after(self, name: str) -> list[str] | None:
        """Return the path segments that follow ``name``, or None when it is not in the path.

        A stage or service prefix before it (``/release/send``) does not matter.
        """
        segments = [part for part in self.path.split("/") if part]
        return segments[segments.index(name) + 1 :] if name in segments else None


class Problem(Exception):
    """An answer that is an error: ``application/problem+json`` (RFC 9457).

    ``retry_safe``: nothing took effect, and the same request may succeed later. ``errors``: one
    ``{"field", "problem"}`` for each thing that is wrong with the input. ``extra``: further members.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        retry_safe: bool = False,
        retry_after_s: int = 0,
        errors: list[dict[str, str]] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.detail = detail
        self.retry_safe = retry_safe
        self.retry_after_s = retry_after_s
        self.errors = errors or []
        self.extra = dict(extra or {})


def parse_http_event(event: Mapping[str, Any], context: Mapping[str, Any], *, as_it_comes: bool = False) -> HttpRequest:
    """Return the request that ``event`` carries; what is missing or of another shape counts as absent.

    ``as_it_comes``: a body that only claims to be Base64 is taken as the text it is. Raises Problem (400) otherwise,
    when the body cannot be decoded, or when the event is not an object at all.
    """
    if not isinstance(event, dict):
        raise Problem(400, "invalid_event", "the trigger's event is not an object")
    headers = {str(k).lower(): _text(v) for k, v in _object(event.get("headers")).items()}
    uri_path, uri_query = _uri(headers.get("x-uri", ""))
    path = event.get("path") or uri_path or "/"
    query = event.get("queryString") or event.get("queryStringParameters") or uri_query
    requested = _object(event.get("requestContext"))
    body = _body(event, as_it_comes=as_it_comes)
    method = event.get("httpMethod") or headers.get("x-method") or ("POST" if body else "GET")
    return HttpRequest(
        method=str(method).upper(),
        path=unquote(str(path)),
        query=_query(query),
        headers=headers,
        body=body,
        client_ip=str(requested.get("sourceIp") or headers.get("x-scf-remote-addr") or headers.get("x-real-ip") or ""),
        request_id=str(context.get("request_id") or requested.get("requestId") or ""),
    )


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    return "" if value is None else str(value)


def _uri(text: str) -> tuple[str, str]:
    if not text:  # only CLB has it
        return "", ""
    try:
        uri = urlsplit(text)
    except ValueError:  # a stranger's header may say anything
        return "", ""
    return uri.path, uri.query


def _query(query: Any) -> dict[str, str]:
    if not query:
        return {}
    pairs = parse_qsl(query, keep_blank_values=True) if isinstance(query, str) else _object(query).items()
    return {str(name): _text(value) for name, value in pairs}


def _body(event: Mapping[str, Any], *, as_it_comes: bool) -> bytes:
    content = event["payload"] if "payload" in event else event.get("body")
    if content is None:
        return b""
    try:
        if not isinstance(content, str):  # CLB hands JSON over parsed
            return _json_text(content).encode()
        # CLB says "false" as a string, which is true in Python.
        if str(event.get("isBase64Encoded")).lower() == "true":
            return base64.b64decode(content, validate=True)
    except (ValueError, RecursionError) as error:
        if not as_it_comes or not isinstance(content, str):
            raise Problem(400, "invalid_body", "the trigger hands over a body that cannot be decoded") from error
    return content.encode("utf-8", "surrogatepass")


def bearer_token(request: HttpRequest) -> str:
    """Return the token of ``Authorization: Bearer``, empty when there is none."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def json_reply(status: int, value: Any, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Build the integrated response; all three triggers take it. The body is a string, as they demand."""
    return {
        "isBase64Encoded": False,
        "statusCode": status,
        "headers": {"Content-Type": "application/json; charset=utf-8", "Cache-Control": "no-store", **(headers or {})},
        "body": _json_text(value),
    }


def page_reply(status: int, html: str, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Build an answer for people: a page that no cache, no search engine and no next page learns the address of."""
    guarded = {
        "Content-Type": "text/html; charset=utf-8",
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Robots-Tag": "noindex, nofollow",
        "X-Content-Type-Options": "nosniff",
    }
    return {"isBase64Encoded": False, "statusCode": status, "headers": {**guarded, **(headers or {})}, "body": html}


_to_text = json.JSONEncoder(ensure_ascii=False).encode  # json.dumps with an option makes an encoder at each call


def _json_text(value: Any) -> str:
    """Write JSON as text that has UTF-8: half a surrogate pair, quoted from a stranger's input, is escaped."""
    text = _to_text(value)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(value)
    return text


def problem_reply(problem: Problem, request_id: str) -> dict[str, Any]:
    """Build the answer that ``problem`` is."""
    members: dict[str, Any] = {
        "type": f"urn:mailtrail:problem:{problem.code}",
        "title": problem.code.replace("_", " ").capitalize(),
        "status": problem.status,
        "detail": problem.detail,
        "code": problem.code,
        "retry_safe": problem.retry_safe,
        "request_id": request_id,
        **problem.extra,
    }
    if problem.errors:
        members["errors"] = problem.errors
    headers = {"Content-Type": "application/problem+json; charset=utf-8"}
    if problem.retry_after_s:
        headers["Retry-After"] = str(problem.retry_after_s)
    return json_reply(problem.status, members, headers)
