"""What importing a function costs and touches: nothing of ours that is not deployed, no network, no environment."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FUNCTIONS = ("send", "webhook", "snapshot", "report")
FORBIDDEN = {
    "localcloud", "cli", "tests", "benchmarks", "pydantic", "pydantic_core", "tencentcloud", "boto3", "botocore",
    "responses", "starlette", "uvicorn", "click", "rich", "yaml", "croniter", "hypothesis", "pytest", "aiohttp", "httpx",
}  # fmt: skip
PROBE = """
import builtins, json, os, socket, sys, time

def refuse(*args, **kwargs):
    raise AssertionError("touched at import")

for name in ("connect", "connect_ex", "sendto"):
    setattr(socket.socket, name, refuse)
socket.create_connection = socket.getaddrinfo = refuse
reads = []

class Watched(dict):
    def note(self, name):
        if sys._getframe(2).f_globals.get("__name__", "").startswith(("functions", "shared")):
            reads.append(name)
    def __getitem__(self, name):
        self.note(name)
        return dict.__getitem__(self, name)
    def get(self, name, default=None):
        self.note(name)
        return dict.get(self, name, default)
    def __contains__(self, name):
        self.note(name)
        return dict.__contains__(self, name)

os.environ = Watched(os.environ)
sys.path.insert(0, sys.argv[1])
import importlib
module = importlib.import_module(f"functions.{sys.argv[2]}.handler")
assert callable(module.main_handler)
print(json.dumps({"modules": sorted({name.partition(".")[0] for name in sys.modules}), "reads": reads,
                  "own": sorted(name for name in sys.modules if name.startswith("functions."))}))
"""


def probe(function: str) -> dict[str, list[str]]:
    """Import the handler in a process without any environment variable."""
    done = subprocess.run(
        [sys.executable, "-B", "-I", "-c", PROBE, str(ROOT), function],
        env={}, cwd="/", capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("function", FUNCTIONS)
def test_importing_a_handler_loads_only_what_it_needs(function: str) -> None:
    """DESIGN: nothing of localcloud or cli, no pydantic, no SES SDK; Jinja2 and DuckDB are the report's alone."""
    found = probe(function)
    modules = set(found["modules"])
    assert not modules & FORBIDDEN
    assert {"requests", "qcloud_cos"} <= modules
    only_report = {"jinja2", "duckdb"} & modules
    assert only_report <= ({"jinja2", "duckdb"} if function == "report" else set())
    assert found["reads"] == []
    assert all(name == f"functions.{function}" or name.startswith(f"functions.{function}.") for name in found["own"])
    assert not modules & {"Crypto"}, "pycryptodome is a dependency of the COS SDK that a function never imports"
