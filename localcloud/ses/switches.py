"""Switches: what differs between accounts, or is not documented. Described by data, so that anyone can offer them.

docs/localcloud-ses.md has the table with the reasons.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Literal

from localcloud.problems import Invalid, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_COUNT = range(1_000_001)


def _switch(default: Any, meaning: str, allowed: range | tuple[str, ...] | None = None) -> Any:
    """Describe one switch: a truth value, a whole number of a range, or one of several words."""
    return dataclasses.field(default=default, metadata={"meaning": meaning, "allowed": allowed})


@dataclasses.dataclass
class Switches:
    """Behaviour that may be changed at any time; ``reset`` brings back what it was made with."""

    allow_simple: bool = _switch(
        default=False, meaning="the legacy permission to send custom content (Simple) without a template"
    )
    smtp_headers: Literal["accept", "x_only", "refuse", "ignore"] = _switch(
        "accept",
        "SmtpHeaders as a JSON object of texts, whose format and names are not documented",
        ("accept", "x_only", "refuse", "ignore"),
    )
    smtp_message_id: Literal["accept", "refuse", "ignore"] = _switch(
        "accept",
        "SmtpMessageId: taken, refused, or SES's own in its place",
        ("accept", "refuse", "ignore"),
    )
    senders: Literal["any", "created"] = _switch(
        "any",
        "send from any address of a verified domain, or only from those of CreateEmailAddress",
        ("any", "created"),
    )
    requests_per_s: int = _switch(20, "calls of one action in any second of real time; 0 is no limit", _COUNT)
    status_requests_per_s: int = _switch(
        0, "GetSendEmailStatus alone: older pages say 1; 0 is no limit of its own", _COUNT
    )
    hourly_per_recipient: int = _switch(10, "mails to one address in an hour; 0 is no limit", _COUNT)
    simulator_is_exempt: bool = _switch(
        default=True, meaning="simulator addresses know no hourly limit, no blacklist, no reputation"
    )
    reputation_level: int = _switch(
        11, "level of every domain that the rules have not moved: its daily quota", range(1, 21)
    )
    reputation_moves: bool = _switch(default=True, meaning="levels rise and fall, and sending is banned, as documented")
    template_review: Literal["working_day", "at_once", "never"] = _switch(
        "working_day", "when a new or changed template is reviewed", ("working_day", "at_once", "never")
    )
    dns: Literal["published", "missing"] = _switch(
        "published", "what UpdateEmailIdentity finds in DNS for a domain", ("published", "missing")
    )
    row_order: Literal["insertion", "newest_first", "updated_last"] = _switch(
        "insertion",
        "order of GetSendEmailStatus; rows shift under a pager with the latter two",
        ("insertion", "newest_first", "updated_last"),
    )
    complaint_fields: Literal["both", "UserComplained", "UserComplainted"] = _switch(
        "both", "which spelling a status row has", ("both", "UserComplained", "UserComplainted")
    )
    task_id: Literal["int", "string"] = _switch("int", "type of TaskId in ListSendTasks", ("int", "string"))
    bulk_id: Literal["bulkId", "bulkid"] = _switch(
        "bulkId", "spelling in callbacks: the samples' or the table's", ("bulkId", "bulkid")
    )

    def __post_init__(self) -> None:
        self._birth = self.values()
        self.on_change: Callable[[], None] = lambda: None
        """Called after every change."""

    def values(self) -> dict[str, Any]:
        """Return every switch with its value."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    def describe(self) -> list[dict[str, Any]]:
        """Return what each switch is: ``name type value default allowed meaning``, all of it JSON.

        ``type`` is ``boolean``, ``integer`` (``allowed``: lowest and highest) or ``string`` (``allowed``: the words).
        """
        return [self._describe(field) for field in dataclasses.fields(self)]

    def update(self, changes: Mapping[str, Any]) -> None:
        """Set many at once. Raises problems.Invalid, a ValueError that names every problem; then nothing is set."""
        fields = {field.name: field for field in dataclasses.fields(self)}
        found = [
            Problem(str(name), problem)
            for name, value in changes.items()
            if (problem := _problem_of(fields.get(name), value, list(fields)))
        ]
        if found:
            raise Invalid(found)
        for name, value in changes.items():
            setattr(self, name, value)
        self.on_change()

    def reset(self) -> None:
        """Return to the values at construction."""
        for name, value in self._birth.items():
            setattr(self, name, value)
        self.on_change()

    def _describe(self, field: dataclasses.Field[Any]) -> dict[str, Any]:
        allowed = field.metadata["allowed"]
        is_range = isinstance(allowed, range)
        return {
            "name": field.name,
            "type": "boolean" if allowed is None else "integer" if is_range else "string",
            "value": getattr(self, field.name),
            "default": self._birth[field.name],
            "allowed": [False, True] if allowed is None else [allowed[0], allowed[-1]] if is_range else list(allowed),
            "meaning": field.metadata["meaning"],
        }


def _problem_of(field: dataclasses.Field[Any] | None, value: object, known: list[str]) -> str:
    """Say what is wrong with one value; empty when nothing is."""
    if field is None:
        return f"is not one of {', '.join(known)}"
    allowed = field.metadata["allowed"]
    if allowed is None:
        return "" if isinstance(value, bool) else "must be true or false"
    if isinstance(allowed, range):
        is_good = isinstance(value, int) and not isinstance(value, bool) and value in allowed
        return "" if is_good else f"must be a whole number from {allowed[0]} to {allowed[-1]}"
    return "" if isinstance(value, str) and value in allowed else f"must be one of {', '.join(allowed)}"
