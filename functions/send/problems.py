"""All that is wrong with a request, collected, then answered at once."""

from __future__ import annotations

from shared.edge.http_event import Problem


class Problems:
    """Collects problems by field; ``check`` raises them together."""

    def __init__(self) -> None:
        self._found: list[dict[str, str]] = []
        self._only_too_large = True

    def add(self, field: str, problem: str, *, too_large: bool = False) -> None:
        """Note one problem. ``too_large``: of size alone, which makes the answer 413 when there is no other."""
        self._found.append({"field": field, "problem": problem})
        self._only_too_large &= too_large

    def add_unknown(self, field: str, names: set[str]) -> None:
        """Note members that mean nothing here: a mistyped one must not be ignored in silence."""
        for name in sorted(map(str, names)):
            self.add(f"{field}.{name[:60]}" if field else name[:60], "is not a member of this request")

    def within(self, field: str) -> Problems:
        """Return where the problems of one part of the request go: named beneath ``field``."""
        return _Part(self, field)

    def __len__(self) -> int:
        return len(self._found)

    def check(self) -> None:
        """Raise Problem with everything found: 400, or 413 when size is all that is wrong."""
        if not self._found:
            return
        status, code = (413, "too_large") if self._only_too_large else (400, "invalid_request")
        detail = f"{len(self._found)} problem{'s' * (len(self._found) > 1)} with the request; nothing was sent"
        raise Problem(status, code, detail, errors=self._found)


class _Part(Problems):
    """The problems of a part, added to those of the whole."""

    def __init__(self, whole: Problems, field: str) -> None:
        super().__init__()
        self._whole = whole
        self._field = field

    def add(self, field: str, problem: str, *, too_large: bool = False) -> None:
        self._whole.add(f"{self._field}.{field}", problem, too_large=too_large)
