"""One batch over HTTP, and what the answer means to who repeats it: with keys a repeat is safe, whatever got lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import requests

from cli.endpoint import seconds_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TIMEOUT_S = 30
_MAY_PASS = frozenset({408, 409, 429})


class Reply(NamedTuple):
    """What came back. ``results``: of every recipient, in their order; None when there are none.

    ``is_over``: without results, that asking again will not help. ``retry_after_s``: 0 when nobody said.
    """

    status: int
    results: list[dict[str, Any]] | None
    detail: str
    errors: list[dict[str, str]]
    retry_after_s: float
    is_over: bool


class Endpoint(NamedTuple):
    """Where batches go, as whom, in which run."""

    session: requests.Session
    url: str
    key: str
    run: str


def post_batch(endpoint: Endpoint, common: Mapping[str, Any], people: Sequence[Mapping[str, Any]]) -> Reply:
    """POST one batch, once. Raises requests' exceptions for a URL that is none."""
    headers = {"Authorization": f"Bearer {endpoint.key}", "Idempotency-Key": endpoint.run}
    url = f"{endpoint.url.rstrip('/')}/send/batch"
    body = {**common, "recipients": list(people)}
    try:
        answer = endpoint.session.post(url, json=body, headers=headers, timeout=TIMEOUT_S, allow_redirects=False)
    except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
        return Reply(0, None, f"no answer ({type(error).__name__})", [], 0, is_over=False)
    told = _members(answer)
    results = told.get("results")
    detail = f"HTTP {answer.status_code} {told.get('code') or ''}: {told.get('detail') or answer.reason}"
    if _fits(results, people):
        return Reply(answer.status_code, results, detail, [], 0, is_over=False)
    # The platform answers 200 for a function that died, with the error in the body.
    may_pass = not 300 <= answer.status_code < 500 or answer.status_code in _MAY_PASS
    # A function whose settings are incomplete says so with 500; nothing of this passes by itself.
    is_over = not may_pass or told.get("code") == "misconfigured"
    errors = told.get("errors") or []
    return Reply(
        answer.status_code, None, detail, errors, seconds_of(answer.headers.get("Retry-After")), is_over=is_over
    )


def _members(answer: requests.Response) -> dict[str, Any]:
    try:
        told = answer.json()
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _fits(results: Any, people: Sequence[Mapping[str, Any]]) -> bool:
    if not isinstance(results, list) or len(results) != len(people):
        return False
    return all(
        isinstance(result, dict) and result.get("to") == person["to"] and isinstance(result.get("status"), int)
        for result, person in zip(results, people, strict=True)
    )
