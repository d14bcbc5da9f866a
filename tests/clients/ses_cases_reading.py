"""The table of cases, ``ses_cases/*.json``, read; and what its requests and expectations stand for.

A case is ``{"name", "steps": [...]}``. A step calls: ``{"call": action, "request": {…}, "as": {…}, "expect": {…} or
"error": code, "save": {name: path}}``, or controls the cloud: ``{"control": {…}, "save": …}`` (ses_controls.py).

In a request ``"${name}"`` is what was saved, ``"${day:-31}"`` a day of the account's zone so many days from now,
``"${time:+3600}"`` a time so many seconds from now, ``{"$text": ["x", 5000]}`` a long text and ``{"$list": ["a{n}@b.c", 51]}``
a long list. In an expectation a mapping must be contained, a list must fit item by item, ``"re:…"`` is a pattern,
``"type:int"`` a type, ``{"$len": 3}`` a length; everything else is equal.
"""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

from localcloud.defaults import UTC_OFFSET_S

FOLDER = Path(__file__).parent / "ses_cases"
TYPES = {"int": int, "str": str, "bool": bool, "list": list}


def load_cases() -> list[dict[str, Any]]:
    """Every case of every file, its ``name`` made unique by the file's."""
    cases = []
    for path in sorted(FOLDER.glob("*.json")):
        told = json.loads(path.read_text(encoding="utf-8"))
        cases += [{**case, "name": f"{path.stem}: {case['name']}"} for case in told]
    return cases


def fill(value: Any, saved: dict[str, Any], now: float) -> Any:
    """Put in what placeholders stand for. ``saved``: name → value; ``now``: simulated epoch seconds."""
    if isinstance(value, list):
        return [fill(item, saved, now) for item in value]
    if isinstance(value, str):
        return _fill_text(value, saved, now)
    if not isinstance(value, dict):
        return value
    if len(value) == 1 and (make := _MAKERS.get(next(iter(value)))):
        return make(fill(next(iter(value.values())), saved, now))
    return {name: fill(item, saved, now) for name, item in value.items()}


def fill_number(item: Any, n: int) -> Any:
    """Put ``n`` where ``{n}`` stands, in a text or in the texts of a mapping."""
    if isinstance(item, dict):
        return {name: fill_number(value, n) for name, value in item.items()}
    return item.replace("{n}", str(n)) if isinstance(item, str) else item


_MAKERS = {
    "$text": lambda told: told[0] * told[1],
    "$list": lambda told: [fill_number(told[0], n) for n in range(told[1])],
    "$json": json.dumps,
}


def difference(expected: Any, found: Any, path: str = "") -> str:
    """Say where ``found`` is not what was expected; empty when it is."""
    if isinstance(expected, dict):
        if "$len" in expected:
            return "" if len(found) == expected["$len"] else f"{path}: {len(found)} items"
        if not isinstance(found, dict):
            return f"{path}: {found!r}"
        wrong = (difference(value, found.get(name), f"{path}.{name}") for name, value in expected.items())
        return next(filter(None, wrong), "")
    if isinstance(expected, list):
        if not isinstance(found, list) or len(found) != len(expected):
            return f"{path}: {found!r} is not {len(expected)} items"
        pairs = enumerate(zip(expected, found, strict=True))
        return next(filter(None, (difference(*pair, f"{path}[{n}]") for n, pair in pairs)), "")
    return "" if _fits(expected, found) else f"{path}: {found!r}, not {expected!r}"


def take(found: Any, path: str) -> Any:
    """Return what lies at ``Data.0.Id``."""
    for part in path.split("."):
        found = found[int(part)] if part.isdigit() else found[part]
    return found


def _fits(expected: Any, found: Any) -> bool:
    if isinstance(expected, str) and expected.startswith("re:"):
        return isinstance(found, str) and re.fullmatch(expected[3:], found, re.DOTALL) is not None
    if isinstance(expected, str) and expected.startswith("type:"):
        kind = TYPES[expected[5:]]
        return isinstance(found, kind) and isinstance(found, bool) == (kind is bool)
    return found == expected and isinstance(found, bool) == isinstance(expected, bool)


def _fill_text(text: str, saved: dict[str, Any], now: float) -> Any:
    whole = re.fullmatch(r"\$\{([^}]+)\}", text)
    if whole:
        return _value_of(whole[1], saved, now)
    return re.sub(r"\$\{([^}]+)\}", lambda match: str(_value_of(match[1], saved, now)), text)


def _value_of(name: str, saved: dict[str, Any], now: float) -> Any:
    kind, colon, distance = name.partition(":")
    if not colon:
        return saved[name]
    local = time.gmtime(now + UTC_OFFSET_S + int(distance) * {"day": 86400, "time": 1}[kind])
    return time.strftime({"day": "%Y-%m-%d", "time": "%Y-%m-%d %H:%M:%S"}[kind], local)
