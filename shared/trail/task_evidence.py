"""What proves that a bulk task nobody heard of was made, or that it was not. Pure: what was seen in, a verdict out.

A list that was made for one task is nobody else's: a task to it is that task. A list that others may use proves less. A
task to it is ours when it says all that we said, sender and times among it; when it was made within minutes of our
call; when it is the only one of its kind, and no other key has it; and when no other attempt that said the same is in
doubt at that time. Anything else proves nothing: what is in doubt stays so.
"""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any, NamedTuple

from shared.trail.evidence import ASK_AFTER_S, NEAR_S, NOT_ACCEPTED_AFTER_S, ROWS_PROVE_FOR_S, WINDOW_S, bare_address
from shared.trail.records import UTC, content_hash, epoch, local_time_epoch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shared.trail.task_ledger import Attempt

_ZONES_S = 16 * 3600
"""What zones can differ: in which one CreateTime is, nobody says. It may make a doubt last, never end one wrongly."""


class Seen(NamedTuple):
    """Tasks to a list. ``is_all``: whether SES told of all of them."""

    rows: list[dict[str, Any]]
    is_all: bool


def first_task_id(seen: Seen) -> str | None:
    """Return the id of the first task to a list, or None. A later one is a person's, who used our list again."""
    return min((str(row["TaskId"]) for row in seen.rows), key=lambda task_id: (len(task_id), task_id), default=None)


def possible_tasks(seen: Seen, attempt: Attempt, utc_offset_s: int) -> list[dict[str, Any]]:
    """Return the tasks to a list of others that can be this attempt's, as far as their times tell."""
    return [row for row in seen.rows if _is_within(row, attempt, utc_offset_s, WINDOW_S, _ZONES_S)]


def is_certain(row: Mapping[str, Any], attempt: Attempt, utc_offset_s: int, *, now: float) -> bool:
    """Whether a task, the only one that is possible, is this attempt's unless another attempt said the same.

    Only as long as that other one's note is there, and as listings have had the time to show it.
    """
    is_time = ASK_AFTER_S <= now - attempt.at <= ROWS_PROVE_FOR_S
    is_near = _is_within(row, attempt, utc_offset_s, NEAR_S)
    return is_time and is_near and _is_alike(row, attempt.claim["told"], utc_offset_s)


def is_absent(seen: Seen, possible: Sequence[object], attempt: Attempt, *, now: float) -> bool:
    """Whether SES never had the attempt's task."""
    return seen.is_all and not possible and now - attempt.at >= NOT_ACCEPTED_AFTER_S


def is_rival(other: Attempt, attempt: Attempt) -> bool:
    """Whether a task may be another attempt's as well as this one's."""
    is_near = abs(other.at - attempt.at) <= sum(NEAR_S)
    return is_near and _said(other.claim) == _said(attempt.claim)


def _said(claim: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what a claim remembers of its task and SES tells of one as well."""
    told = claim.get("told") or {}
    names = ("subject", "template_id", "data_sha256", "task_type", "begins_at")
    rest = tuple(told.get(name) for name in names)
    return claim.get("receiver_id"), str(told.get("sender")).lower(), told.get("every_hours") or 0, *rest


def _is_alike(row: Mapping[str, Any], told: Mapping[str, Any], utc_offset_s: int) -> bool:
    template = row.get("Template")
    if not isinstance(template, dict):
        return False
    said = (row.get("Subject"), template.get("TemplateID"), _hash_of(template.get("TemplateData")), row.get("TaskType"))
    is_same = said == (told["subject"], told["template_id"], told["data_sha256"], told["task_type"])
    is_sender = bare_address(row.get("FromEmailAddress")) == told["sender"].lower()
    return is_same and is_sender and _has_times(row, told, utc_offset_s)


def _has_times(row: Mapping[str, Any], told: Mapping[str, Any], utc_offset_s: int) -> bool:
    """Whether a task begins when ours was to, and repeats as ours was to."""
    timed, cycle = _object(row, "TimedParam"), _object(row, "CycleParam")
    begins = {str(param["BeginTime"]) for param in (timed, cycle) if param.get("BeginTime")}
    wanted: set[str] = set()
    if told.get("begins_at"):
        local = dt.datetime.fromtimestamp(epoch(told["begins_at"]) + utc_offset_s, UTC)
        wanted = {local.strftime("%Y-%m-%d %H:%M:%S")}
    hours = cycle.get("IntervalTime") or 0
    return begins == wanted and hours == (told.get("every_hours") or 0)


def _object(row: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = row.get(name)
    return value if isinstance(value, dict) else {}


def _hash_of(template_data: object) -> str | None:
    try:
        return content_hash(json.loads(str(template_data or "{}")))
    except ValueError:
        return None


def _is_within(
    row: Mapping[str, Any], attempt: Attempt, utc_offset_s: int, window_s: tuple[int, int], zones_s: int = 0
) -> bool:
    """Whether a task was made so many seconds before the attempt or after it. ``zones_s``: what its zone may be off by.

    With ``zones_s``, a time that cannot be read may be any.
    """
    try:
        made_s = local_time_epoch(str(row.get("CreateTime")), utc_offset_s)
    except ValueError:
        return bool(zones_s)
    return attempt.at - window_s[0] - zones_s <= made_s <= attempt.at + window_s[1] + zones_s
