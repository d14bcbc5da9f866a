"""What can be turned on a local COS while it runs: the unpleasant truths of the real one, each off at first."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_S_MOST = 86_400.0


def _switch(default: float | bool, text: str) -> Any:  # noqa: FBT001 - a value, not a flag of the call
    return field(default=default, metadata={"text": text})


@dataclass
class Switches:
    """The positions; plain attributes that may be set at any time, or several at once with ``update``."""

    list_lag_s: float = _switch(
        0.0, "LIST shows a new key only this many seconds after its write (eventual consistency)"
    )
    list_lag_deleted: bool = _switch(
        default=False, text="LIST shows a key that was deleted for list_lag_s longer; GET and HEAD do not"
    )
    versioned: bool = _switch(
        default=False, text="every bucket counts as having had versioning: forbid-overwrite is void"
    )
    multi_az: bool = _switch(default=False, text="every bucket is multi-AZ and refuses append")
    key_qps: int = _switch(
        0,
        "503 SlowDown above so many uploads, or deletions, of one key a second; documented: 50; 0: no limit",
    )
    path_conflict_ms: float = _switch(
        0.0, "a write of a key so shortly after another's beginning is refused with 409 PathConflict"
    )
    forbid_path_style: bool = _switch(
        default=False, text="path style is refused with 403, as for buckets created after 2024-01-01"
    )
    s3_if_none_match: bool = _switch(
        default=False, text="If-None-Match: * on an S3 write is honoured (412); otherwise it is refused with 501"
    )

    def describe(self) -> list[dict[str, Any]]:
        """Every switch as JSON: ``name``, ``value``, ``default``, ``kind`` (boolean, integer or number), ``text``."""
        kinds = {"bool": "boolean", "int": "integer", "float": "number"}
        return [
            {
                "name": one.name,
                "value": getattr(self, one.name),
                "default": one.default,
                "kind": kinds[str(one.type)],
                "text": one.metadata["text"],
            }
            for one in fields(self)
        ]

    def update(self, values: Mapping[str, Any]) -> None:
        """Set several switches. Raises ValueError that lists everything wrong with ``values``; then none is set."""
        types = {one.name: str(one.type) for one in fields(self)}
        wrong = [problem for name, value in values.items() if (problem := _problem(name, value, types))]
        if wrong:
            raise ValueError("; ".join(wrong))
        for name, value in values.items():
            setattr(self, name, float(value) if types[name] == "float" else value)

    def reset(self) -> None:
        """Everything as it was at first."""
        for one in fields(self):
            setattr(self, one.name, one.default)


def _problem(name: str, value: Any, types: Mapping[str, str]) -> str:
    if name not in types:
        return f"{name}: is not one of {', '.join(types)}"
    if types[name] == "bool":
        return "" if isinstance(value, bool) else f"{name}: must be true or false"
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if not is_number or not 0 <= value <= _S_MOST:
        return f"{name}: must be a number from 0 to {_S_MOST:g}"
    return f"{name}: must be a whole number" if types[name] == "int" and not isinstance(value, int) else ""
