"""A log line is one JSON object on stdout, at or above LOG_LEVEL, whatever its fields hold."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from shared.edge.log import log


def test_a_line_is_one_json_object(capsys: pytest.CaptureFixture[str]):
    """A constant message plus fields; what JSON does not know is written as text."""
    log("INFO", "callback stored", events=3, path=Path("x"), word="多\nline")
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert json.loads(out) == {
        "level": "INFO",
        "message": "callback stored",
        "events": 3,
        "path": "x",
        "word": "多\nline",
    }


@pytest.mark.parametrize(
    ("floor", "printed"),
    [
        (None, ["INFO", "WARNING", "ERROR"]),
        ("DEBUG", ["DEBUG", "INFO", "WARNING", "ERROR"]),
        ("warning", ["WARNING", "ERROR"]),
        ("ERROR", ["ERROR"]),
        ("LOUD", ["INFO", "WARNING", "ERROR"]),
    ],
)
def test_the_level_is_read_at_each_line(
    floor: str | None, printed: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """In any case; a word that is no level is the default."""
    monkeypatch.delenv("LOG_LEVEL", raising=False)
    if floor is not None:
        monkeypatch.setenv("LOG_LEVEL", floor)
    for level in ("DEBUG", "INFO", "WARNING", "ERROR"):
        log(level, "x")
    assert [json.loads(line)["level"] for line in capsys.readouterr().out.splitlines()] == printed


def test_no_field_can_break_the_function(monkeypatch: pytest.MonkeyPatch):
    """An upstream's code may hold half a surrogate pair, and stdout may know ASCII only."""
    stdout = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stdout)
    log("ERROR", "refused", code="\ud800", detail="拒绝")
    assert json.loads(stdout.buffer.getvalue())["code"] == "\ud800"  # type: ignore[attr-defined]
