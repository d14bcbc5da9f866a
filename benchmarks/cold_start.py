"""How long a fresh Python 3.10 needs to import a function, side by side with the official SDKs.

- ``send``, ``webhook``: our packages, unpacked where nothing can be written; ``import scf_<function>``
- ``official``: the SES and COS SDKs as ``pip install --target`` leaves them, without bytecode, in such a folder too:
  what a zip made in the usual way is on SCF, whose code folder is read-only and which sets PYTHONDONTWRITEBYTECODE
- ``clients``: only ``requests`` and ``qcloud_cos`` out of our package, with its bytecode: the floor under ours
- ``bare``: the interpreter alone

All of them take turns within one session, so that a busy moment of the machine falls on each. A time is from the start
of the process to the end of the import: the interpreter's own start is in it, which makes the ratios look worse for us
than import times alone would; its clearing up at the end is not, because an instance stays.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.goals import BenchmarkError, Goal
from cli.bytecode import find_python, version_of
from cli.package import build_packages

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).resolve().parents[1]
CACHE = ROOT / "build" / "benchmarks"
OFFICIAL = ("tencentcloud-sdk-python-ses", "cos-python-sdk-v5")
OFFICIAL_IMPORTS = (
    "from tencentcloud.common import credential; from tencentcloud.ses.v20201002 import models, ses_client; "
    "from qcloud_cos import CosConfig, CosS3Client"
)
RATIO_LIMIT, OWN_SHARE_LIMIT = 0.45, 0.15


def measure(rounds: int) -> tuple[dict[str, Any], list[Goal]]:
    """Return milliseconds of every variant and round, ratios, and the goals of DESIGN §10.

    Raises BenchmarkError without a Python 3.10, or when pip cannot install the official SDKs.
    """
    python = find_python()
    if python is None:
        raise BenchmarkError("no Python 3.10, which is what SCF runs, was found")
    with tempfile.TemporaryDirectory() as folder:
        variants = _prepare(Path(folder), python)
        times_ms = _take_turns(python, variants, rounds)
    ratios = {name: _median_ratio(times_ms[name], times_ms["official"]) for name in ("send", "webhook")}
    shares = {name: round(_median_ratio(times_ms[name], times_ms["clients"]) - 1, 3) for name in ("send", "webhook")}
    results = {
        "python": version_of(python),
        "official": {name: metadata.version(name) for name in OFFICIAL},
        "median_ms": {name: round(statistics.median(values), 1) for name, values in times_ms.items()},
        "best_ms": {name: min(values) for name, values in times_ms.items()},
        "ratio_to_official": ratios,
        "own_share": shares,
        "rounds_ms": times_ms,
    }
    goals = [Goal(f"{name}: times the official SDKs", value, RATIO_LIMIT) for name, value in ratios.items()]
    goals += [Goal(f"{name}: own share over its clients", value, OWN_SHARE_LIMIT) for name, value in shares.items()]
    return results, goals


def _prepare(folder: Path, python: str) -> dict[str, tuple[Path, str]]:
    """Lay out every variant; returns name -> (folder on sys.path, statement)."""
    for built in build_packages(folder / "dist", ROOT, python):
        with zipfile.ZipFile(built.path) as archive:
            archive.extractall(folder / built.function)
    shutil.copytree(_installed_official(python), folder / "official")
    (folder / "bare").mkdir()
    for path in (folder / "send", folder / "webhook", folder / "official"):
        _make_read_only(path)
    return {
        "send": (folder / "send", "import scf_send"),
        "webhook": (folder / "webhook", "import scf_webhook"),
        "official": (folder / "official", OFFICIAL_IMPORTS),
        "clients": (folder / "webhook", "import requests, qcloud_cos"),
        "bare": (folder / "bare", "pass"),
    }


def _installed_official(python: str) -> Path:
    """Install the official SDKs for ``python`` as a user would, once; the versions are those of our environment."""
    pins = [f"{name}=={metadata.version(name)}" for name in OFFICIAL]
    folder = CACHE / "-".join(pins).replace("==", "-")
    if not folder.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as unfinished:
            command = (python, "-m", "pip", "install", "--quiet", "--no-compile", "--target", f"{unfinished}/it", *pins)
            run = subprocess.run(command, capture_output=True, text=True, check=False)
            if run.returncode:
                raise BenchmarkError(f"pip cannot install the official SDKs: {run.stderr.strip()}")
            Path(unfinished, "it").rename(folder)
    if next(folder.rglob("*.pyc"), None) is not None:
        raise BenchmarkError(f"there is bytecode in {folder}: remove it")
    return folder


def _make_read_only(folder: Path) -> None:
    for path in (*folder.rglob("*"), folder):
        path.chmod(0o555 if path.is_dir() else 0o444)


def _take_turns(python: str, variants: Mapping[str, tuple[Path, str]], rounds: int) -> dict[str, list[float]]:
    times_ms: dict[str, list[float]] = {name: [] for name in variants}
    names = list(variants)
    for number in range(rounds + 1):
        # Each round begins with another variant; the first round only warms the disk cache.
        for name in names[number % len(names) :] + names[: number % len(names)]:
            taken_ms = _time_import_ms(python, *variants[name])
            if number:
                times_ms[name].append(taken_ms)
    return times_ms


def _time_import_ms(python: str, folder: Path, statement: str) -> float:
    code = f"import os, sys; sys.path[0] = {str(folder)!r}; {statement}; os._exit(0)"
    environment = {"PATH": os.environ.get("PATH", ""), "PYTHONDONTWRITEBYTECODE": "1"}
    begun = time.perf_counter()
    run = subprocess.run(
        (python, "-S", "-s", "-c", code),
        env=environment,
        cwd=folder.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    taken_ms = (time.perf_counter() - begun) * 1000
    if run.returncode:
        raise BenchmarkError(f"{statement}: {run.stderr.strip()}")
    return round(taken_ms, 2)


def _median_ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Return the median of the ratios within each round, so that both sides had the same moment."""
    return round(statistics.median(one / other for one, other in zip(ours, theirs, strict=True)), 3)


if __name__ == "__main__":
    sys.exit("run it as: python -m benchmarks cold_start")
