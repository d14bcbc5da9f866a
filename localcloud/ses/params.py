"""Parameters read by type: every reader answers the documented code when a value is absent, unknown or of another type.

Absent or null → MissingParameter (if required), a name that is not the action's → UnknownParameter, another type →
InvalidParameter (https://tencentcloud.com/document/product/1140/51177).
"""

from __future__ import annotations

from typing import Any

from localcloud.ses.errors import ApiError

_INT64 = 2**63


class Params:
    """The members of one structure. ``is_query``: values came as text, so digits count as an integer."""

    def __init__(self, values: dict[str, Any], *, path: str = "", is_query: bool = False) -> None:
        self._values = {name: value for name, value in values.items() if value is not None}
        self._path = path
        self._is_query = is_query

    @property
    def values(self) -> dict[str, Any]:
        """The members as they came, without those that are null."""
        return self._values

    def allow(self, *names: str) -> None:
        """Refuse every member that is not in ``names``."""
        for name in self._values:
            if name not in names:
                raise ApiError("UnknownParameter", f"`{self._path}{name[:100]}` is not recognized.")

    def has(self, name: str) -> bool:
        """Whether the member is there and not null."""
        return name in self._values

    def text(self, name: str) -> str:
        """Return a required text."""
        value = self._required(name)
        if not isinstance(value, str):
            raise self._wrong(name, "String")
        return self._encodable(name, value)

    def text_or(self, name: str, default: str) -> str:
        """Return an optional text."""
        return self.text(name) if self.has(name) else default

    def integer(self, name: str) -> int:
        """Return a required integer of 64 bits."""
        value = self._required(name)
        if self._is_query and isinstance(value, str) and value.lstrip("-").isdecimal() and len(value) < 20:
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not -_INT64 <= value < _INT64:
            raise self._wrong(name, "Integer")
        return value

    def integer_or(self, name: str, default: int) -> int:
        """Return an optional integer."""
        return self.integer(name) if self.has(name) else default

    def one_of(self, name: str, allowed: range | tuple[int, ...], default: int | None = None) -> int:
        """Return an integer of a closed set; required without a ``default``. Otherwise InvalidParameterValue."""
        value = self.integer(name) if default is None else self.integer_or(name, default)
        if value not in allowed:
            raise ApiError("InvalidParameterValue", f"`{self._path}{name}` is not an allowed value.")
        return value

    def texts(self, name: str) -> list[str]:
        """Return an optional array of texts; absent is empty."""
        value = self._values.get(name, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self._wrong(name, "Array of String")
        return [self._encodable(name, item) for item in value]

    def structure(self, name: str) -> Params | None:
        """Return an optional structure."""
        value = self._values.get(name)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise self._wrong(name, "Object")
        return self._nested(name, value)

    def structures(self, name: str) -> list[Params]:
        """Return an optional array of structures; absent is empty."""
        value = self._values.get(name, [])
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self._wrong(name, "Array of Object")
        return [self._nested(f"{name}.{index}", item) for index, item in enumerate(value)]

    def _nested(self, name: str, values: dict[str, Any]) -> Params:
        return Params(values, path=f"{self._path}{name}.", is_query=self._is_query)

    def _required(self, name: str) -> Any:
        if name not in self._values:
            raise ApiError("MissingParameter", f"`{self._path}{name}` is required.")
        return self._values[name]

    def _wrong(self, name: str, kind: str) -> ApiError:
        return ApiError("InvalidParameter", f"The value type of `{self._path}{name}` is not valid: {kind} expected.")

    def _encodable(self, name: str, value: str) -> str:
        if not is_encodable(value):
            raise ApiError("InvalidParameterValue", f"`{self._path}{name}` is not UTF-8 text.")
        return value


def is_encodable(text: str) -> bool:
    r"""Whether ``text`` can be UTF-8: JSON can smuggle in half a surrogate pair (``"\ud800"``)."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
