"""What is wrong with an input, all of it at once, and how that is said over HTTP (RFC 9457)."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple

from localcloud.exchange import Response

if TYPE_CHECKING:
    from collections.abc import Sequence


class Problem(NamedTuple):
    """One thing wrong with one field; ``field`` is a path such as ``[0].kind``, empty for the whole."""

    field: str
    problem: str


class Invalid(ValueError):
    """An input that cannot be used; ``problems`` names everything wrong with it."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(f"{p.field}: {p.problem}" if p.field else p.problem for p in problems))
        self.problems = tuple(problems)


def problem_response(status: int, code: str, detail: str, problems: Sequence[Problem] = ()) -> Response:
    """Build an ``application/problem+json`` answer; ``errors`` is present when there are ``problems``."""
    content: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
    }
    if problems:
        content["errors"] = [problem._asdict() for problem in problems]
    return Response(status, {"Content-Type": "application/problem+json"}, json.dumps(content).encode())
