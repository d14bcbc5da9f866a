"""One POST to an upstream: warm connections, no retries, and an honest account of what the wire proves."""

from __future__ import annotations

import functools
import re
import ssl
from typing import TYPE_CHECKING, NamedTuple

import requests
import urllib3

from shared.session import PATIENCE_S, WarmSession
from shared.upstream.errors import NO_ANSWER, NOT_SENT, raise_for

if TYPE_CHECKING:
    from collections.abc import Mapping

TIMEOUT_S = (3.0, 10.0)
"""Seconds to connect, and to wait for the answer. Below every function's own time-out."""

# An SSLError in general may come after the body was written; a certificate is looked at before.
_BEFORE_THE_BODY = (
    urllib3.exceptions.NewConnectionError,
    urllib3.exceptions.ConnectTimeoutError,
    ssl.SSLCertVerificationError,
)

_NEVER_A_REQUEST = (
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    requests.exceptions.MissingSchema,
)
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
# requests lets some of what lies below it through as it is: an answer with two lengths, an unwritable header.
_FAILURES = (requests.RequestException, urllib3.exceptions.HTTPError, ValueError)


class Answer(NamedTuple):
    """Status and body of an upstream's answer."""

    status: int
    body: bytes


@functools.lru_cache(maxsize=1)
def warm_session() -> WarmSession:
    """Return the session whose connections outlive an invocation."""
    return WarmSession()


def post(url: str, body: bytes, headers: Mapping[str, str], *, timeout_s: tuple[float, float] = TIMEOUT_S) -> Answer:
    """POST ``body`` once; the whole exchange takes no longer than the longer of ``timeout_s``.

    Raises UpstreamRefused when no connection came about, so nothing was sent; UpstreamUncertain when the body may
    have been written and no whole answer came back.
    """
    if not all(map(_HEADER_VALUE.fullmatch, headers.values())):
        raise_for(NOT_SENT, code="InvalidHeader")
    patience = PATIENCE_S.set(max(timeout_s))
    try:
        response = warm_session().post(url, data=body, headers=headers, timeout=timeout_s)
    except _NEVER_A_REQUEST as error:
        raise_for(NOT_SENT, code=type(error).__name__, cause=error)
    except _FAILURES as error:
        rule = NOT_SENT if _proves_nothing_was_sent(error) else NO_ANSWER
        raise_for(rule, code=type(error).__name__, cause=error)
    finally:
        PATIENCE_S.reset(patience)
    return Answer(response.status_code, response.content)


def _proves_nothing_was_sent(error: BaseException) -> bool:
    """Look through the wrappings of requests and urllib3 for a connection that never came about.

    A certificate may also be refused later, when the other end begins a handshake anew.
    """
    is_of_connecting = False
    while True:
        is_of_connecting = is_of_connecting or isinstance(error, urllib3.exceptions.MaxRetryError)
        if is_of_connecting and isinstance(error, _BEFORE_THE_BODY):
            return True
        inner = getattr(error, "reason", None) or (error.args[0] if error.args else None)
        if not isinstance(inner, BaseException):
            return False
        error = inner
