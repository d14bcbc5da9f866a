"""What has become of a day of a source: whether it is as it should be, whether more is to be done, and why not.

``told`` is what the function says of it (functions/snapshot/rounds.py), or what a manifest says in the same words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from functions.snapshot.due import MOST_PASSES, OPEN, phase_at
from shared.upstream.errors import UNKNOWN, rule_for, sendcloud_rule_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cli.snapshot_desk import Known
    from functions.snapshot.desk import Desk
    from functions.snapshot.manifest import Manifest
    from shared.upstream.errors import Rule

NOT_OVER = "the day is not over"
SECOND_OPINION = "a second opinion comes with the next timer"
"""SendCloud gives the same answers for ten minutes, so a pass made now would agree whatever the truth is."""
_MEMBERS = ("complete", "agreed", "sealed", "rows", "pages", "passes", "requests")
_OF_THE_DAY = (400, 422)
_FOR_GOOD = frozenset({"AccessDenied", "InvalidAccessKeyId", "NoSuchBucket", "SignatureDoesNotMatch"})
"""COS's codes that no waiting helps; the upstreams' are in the table of shared/upstream/errors.py."""


class Outcome(NamedTuple):
    """What became of a day. ``is_over``: no more is to be done about it now; ``is_good``: it is as it should be."""

    told: dict[str, Any]
    is_over: bool
    is_good: bool


def judge(desk: Desk, told: Mapping[str, Any], passes_before: int) -> Outcome:
    """Return what a run made of a day over which ``passes_before`` passes had been made when the command began."""
    if not told["complete"]:
        rule = _rule_of(told["source"], told["why"])
        if rule.status in _OF_THE_DAY:
            return Outcome({**told, "why": f"{told['why']}: {rule.hint}"}, is_over=True, is_good=False)
        return Outcome({**told}, is_over=False, is_good=False)
    if told["agreed"] or told["sealed"]:
        return Outcome({**told}, is_over=True, is_good=True)
    if excuse := _excuse(desk, told):
        return Outcome({**told, "why": excuse}, is_over=True, is_good=True)
    made = told["passes"] - passes_before
    if made < MOST_PASSES:
        return Outcome({**told}, is_over=False, is_good=False)
    why = f"no two of {made} passes agreed; the timer makes one a day"
    return Outcome({**told, "why": why}, is_over=True, is_good=False)


def _excuse(desk: Desk, told: Mapping[str, Any]) -> str:
    """Return why one pass is all that can be had of a day for now; empty when it is not."""
    if phase_at(desk, told["day"], desk.clock()) == OPEN:
        return NOT_OVER
    return SECOND_OPINION if told["source"] == "sendcloud" else ""


def judge_before(desk: Desk, known: Known) -> Outcome | None:
    """Return that a day needs nothing, because of what was done before; otherwise None."""
    manifest, standing = known.manifest, known.standing
    if manifest is None or standing is None:
        return None
    phase = phase_at(desk, known.day, desk.clock())
    is_of_now = standing.phase == phase != OPEN
    if standing.sealed:
        why = "it was sealed before"
    elif is_of_now and standing.agreed:
        why = "passes agreed before"
    elif is_of_now and known.source == "sendcloud":
        why = SECOND_OPINION
    else:
        return None
    return Outcome({**told_by(manifest), "why": why}, is_over=True, is_good=True)


def told_by(manifest: Manifest) -> dict[str, Any]:
    """Return what a manifest says, as the function tells it after a pass."""
    members = {member: manifest.get(member) for member in _MEMBERS}
    return {"source": manifest["source"], "day": manifest["day"], **members}


def may_pass(source: str, why: str) -> bool:
    """Whether what stopped a run may be over by itself."""
    rule = _rule_of(source, why)
    return why not in _FOR_GOOD and (rule.retry_safe or rule.outcome == UNKNOWN)


def _rule_of(source: str, code: str) -> Rule:
    """Return the rule of an upstream's code; words of COS and of ours are not listed, so nobody knows."""
    if source == "sendcloud" and code.isdecimal():
        return sendcloud_rule_for(int(code))
    return rule_for(code)
