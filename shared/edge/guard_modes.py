"""SEND_GUARD: which of the checks before a send refuse, which only warn, which are not made.

``check=mode`` pairs, comma-separated; one mode alone is every other check's: ``warn,quota=off``.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

ON, WARN, OFF = "on", "warn", "off"
MODES = (ON, WARN, OFF)


class GuardModes(NamedTuple):
    """The mode of each check, ``on``, ``warn`` or ``off``; README, "Limits", says what each is about."""

    suppression: str = ON
    template: str = ON
    sender: str = ON
    quota: str = ON
    recipient: str = ON
    rate: str = ON
    size: str = ON


@functools.lru_cache(maxsize=4)  # read at every invocation
def parse_modes(text: str) -> tuple[GuardModes, tuple[str, ...]]:
    """Return the modes, and what is wrong with ``text``, each with the parts that it is true of."""
    pairs = [(name.strip(), mode.strip()) for name, _, mode in (part.rpartition("=") for part in text.split(","))]
    pairs = [(name, mode) for (name, mode) in pairs if name or mode]
    named = [name for name, _ in pairs]
    wrong = {
        f"knows no check {{}}; there are {', '.join(GuardModes._fields)}": set(named) - {"", *GuardModes._fields},
        f"knows no mode {{}}; there are {', '.join(MODES)}": {mode for _, mode in pairs} - set(MODES),
        "names {} more than once": {name or "every check" for name in named if named.count(name) > 1},
    }
    problems = tuple(words.format(", ".join(sorted(parts))) for words, parts in wrong.items() if parts)
    if problems:
        return GuardModes(), problems
    given = dict(pairs)
    return GuardModes(*[given.get(name, given.get("", ON)) for name in GuardModes._fields]), ()
