"""Typed access to the members of a request body: a wrong type is a problem, null is absence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.send.problems import Problems


class Given:
    """The body and where its problems go."""

    def __init__(self, body: Mapping[str, Any], problems: Problems) -> None:
        self.body = body
        self.problems = problems

    def text(self, name: str) -> str | None:
        """Return a string member; None when it is absent, null or empty."""
        value = self.body.get(name)
        if value is None or isinstance(value, str):
            return value or None
        self.problems.add(name, "must be a string")
        return None

    def required_text(self, name: str) -> str | None:
        """Return a string member; None, with a problem, when it is not there."""
        if self.body.get(name) in (None, ""):
            self.problems.add(name, "is required")
        return self.text(name)

    def flag(self, name: str) -> bool:
        """Return a true-or-false member; absent is false."""
        value = self.body.get(name)
        if value is not None and not isinstance(value, bool):
            self.problems.add(name, "must be true or false")
        return value is True

    def texts(self, name: str) -> dict[str, str]:
        """Return a member that is an object of strings; absent is empty."""
        value = self.body.get(name)
        if value is None:
            return {}
        if not isinstance(value, dict):
            self.problems.add(name, "must be an object of strings")
            return {}
        for key, item in value.items():
            if not isinstance(item, str):
                self.problems.add(f"{name}.{key[:60]}", "must be a string")
        return {key: item for key, item in value.items() if isinstance(item, str)}
