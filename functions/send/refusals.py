"""A refusal as it is kept with its key, and as a repeat of the request hears it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared.edge.http_event import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping


def kept(problem: Problem) -> dict[str, Any]:
    """Return the members of a refusal that its outcome in the ledger has."""
    members = {"status": problem.status, "code": problem.code, "detail": problem.detail}
    upstream = {"upstream": problem.extra["upstream"]} if "upstream" in problem.extra else {}
    return {**members, **upstream, "retry_safe": problem.retry_safe, "errors": problem.errors}


def told_again(members: Mapping[str, Any]) -> Problem:
    """Return the refusal that was kept, marked as a duplicate."""
    extra = {"duplicate": True, **({"upstream": members["upstream"]} if members.get("upstream") else {})}
    return Problem(members["status"], members["code"], members["detail"], errors=members.get("errors"), extra=extra)
