"""Log lines: one JSON object on stdout, a constant message plus fields. SCF ships stdout to CLS, first level only.

Never an address, a key, a token or a body: fields are counts, codes, ids of ours and the platform's.
"""

from __future__ import annotations

import json
import os
import sys

_LEVELS = {"DEBUG": 10, "INFO": 20, "WARNING": 30, "ERROR": 40}


def log(level: str, message: str, **fields: object) -> None:
    """Print one line when ``level`` is at or above ``LOG_LEVEL`` (default INFO). ASCII, whatever stdout's encoding."""
    floor = _LEVELS.get(os.environ.get("LOG_LEVEL", "INFO").upper(), 20)
    if _LEVELS[level] >= floor:
        line = json.dumps({"level": level, "message": message, **fields}, default=str)
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


def place_of(error: BaseException) -> str:
    """Return where an exception came from, the last five steps as ``file:line``: its text may quote what it met."""
    places, step = [], error.__traceback__
    while step is not None:
        places.append(f"{os.path.basename(step.tb_frame.f_code.co_filename)}:{step.tb_lineno}")  # noqa: PTH119 - no import
        step = step.tb_next
    return " ".join(places[-5:])
