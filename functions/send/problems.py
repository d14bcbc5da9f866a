"""All that is wrong with a request, collected, then answered at once."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from shared.edge.http_event import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_NAMED = 1000
"""Problems with one member of the request that are named one by one; an answer that is too large is none."""
MOST_UNKNOWN = 50
"""Unknown members of one object that are named."""


class Problems:
    """Collects problems by field; ``check`` raises them together."""

    def __init__(self) -> None:
        self._found: list[dict[str, str]] = []
        self._of: Counter[str] = Counter()
        self._only_too_large = True

    def add(self, field: str, problem: str, *, too_large: bool = False) -> None:
        """Note one problem, or count it. ``too_large``: of size alone, which makes the answer 413 when all are."""
        member = field.partition(".")[0].partition("[")[0]
        self._of[member] += 1
        self._only_too_large &= too_large
        if self._of[member] <= MOST_NAMED:
            self._found.append({"field": field, "problem": problem})

    def add_unknown(self, field: str, names: Iterable[str]) -> None:
        """Note members that mean nothing here: a mistyped one must not be ignored in silence."""
        unknown = sorted(map(str, names))
        for name in unknown[:MOST_UNKNOWN]:
            self.add(f"{field}.{name[:60]}" if field else name[:60], "is not a member of this request")
        if len(unknown) > MOST_UNKNOWN:
            self.add(field, f"has {len(unknown) - MOST_UNKNOWN} more members that are none of this request")

    def within(self, field: str) -> Problems:
        """Return where the problems of one part of the request go: named beneath ``field``."""
        return _Part(self, field)

    def __len__(self) -> int:
        return sum(self._of.values())

    def check(self) -> None:
        """Raise Problem with everything found: 400, or 413 when size is all that is wrong."""
        count = len(self)
        if not count:
            return
        for member, number in self._of.items():
            if number > MOST_NAMED:
                problem = f"and {number - MOST_NAMED} more problems like these"
                self._found.append({"field": member, "problem": problem})
        status, code = (413, "too_large") if self._only_too_large else (400, "invalid_request")
        detail = f"{count} problem{'s' * (count > 1)} with the request; nothing was sent"
        raise Problem(status, code, detail, errors=self._found)


class _Part(Problems):
    """The problems of a part, added to those of the whole."""

    def __init__(self, whole: Problems, field: str) -> None:
        super().__init__()
        self._whole = whole
        self._field = field

    def add(self, field: str, problem: str, *, too_large: bool = False) -> None:
        name = f"{self._field}.{field}" if field else self._field
        self._whole.add(name, problem, too_large=too_large)
