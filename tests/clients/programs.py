"""Clients that are programs: where they are, and how they are run with the local COS as their proxy."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import requests


def find(name: str) -> str:
    """Path of a program, beside this Python first; skips the test when it is not installed."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def run(*command: str | Path, environment: dict[str, str], cwd: Path | None = None) -> str:
    """Run to the end and return what it printed; AssertionError with all of it when it failed."""
    inherited = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    inherited.pop("AWS_CA_BUNDLE", None)  # rclone aborts on one that it cannot read
    done = subprocess.run(
        [str(part) for part in command],
        env=inherited | environment, cwd=cwd, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{command}: {done.stdout}\n{done.stderr}"
    return done.stdout or done.stderr


def fetch(url: str, proxy: str) -> bytes:
    """GET a signed URL as anybody would, through the local COS as proxy; nothing is added to it."""
    answer = requests.get(url, proxies={"http": proxy}, timeout=30)
    assert answer.ok, answer.text
    return answer.content
