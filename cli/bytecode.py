"""Bytecode that SCF can use: compiled by the Python that runs there, and valid whatever the modification times.

SCF's code folder is read-only and PYTHONDONTWRITEBYTECODE is set, so a zip without bytecode compiles every module at
every cold start; the usual timestamp bytecode is refused once an upload has changed the times. An unchecked hash
(PEP 552) is neither looked up nor compared.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from cli.requirements import PackageError

if TYPE_CHECKING:
    from collections.abc import Iterator

RUNTIME = "3.10"
"""Minor version of the deployed runtime; bytecode of another one is ignored there."""
CODE_ROOT = "/var/user"
"""Where SCF unpacks a function: the folder that tracebacks name."""
VERSION_PROBE = "import sys; print(sys.implementation.name, '.'.join(map(str, sys.version_info[:3])))"


def find_python(wanted: str | None = None) -> str | None:
    """Return an interpreter of the deployed minor version: ``wanted``, ``python3.10`` on PATH, or one of pyenv's.

    None when there is none. Raises PackageError when ``wanted`` is given and is something else.
    """
    if wanted is not None:
        if version_of(wanted) is None:
            raise PackageError(f"{wanted} is not a CPython {RUNTIME}")
        return wanted
    return next((python for python in _candidates() if version_of(python) is not None), None)


def version_of(python: str) -> str | None:
    """Return the full version of ``python`` if it is a CPython of the deployed minor version, else None."""
    try:
        # A pyenv shim exists for every version but fails unless that version is chosen, so it is run.
        answer = subprocess.run((python, "-c", VERSION_PROBE), capture_output=True, text=True, check=False, timeout=30)
    except OSError:
        return None
    name, _, version = answer.stdout.strip().partition(" ")
    return version if name == "cpython" and version.startswith(f"{RUNTIME}.") else None


def compile_tree(python: str, tree: Path) -> None:
    """Put unchecked-hash bytecode beside every module under ``tree``.

    The same tree gives the same bytes: one process, a fixed hash seed (the order of constant sets), fixed names.
    Raises PackageError with the compiler's words when a module is not valid in the deployed Python.
    """
    arguments = ("-m", "compileall", "-q", "-f", "--invalidation-mode", "unchecked-hash", "-s", tree, "-p", CODE_ROOT)
    # Nothing of our environment: PYTHONOPTIMIZE would name the files differently, PYTHONPATH could shadow.
    environment = {"PATH": os.environ.get("PATH", ""), "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
    command = (python, "-S", *arguments, tree)
    run = subprocess.run(command, env=environment, cwd=tree, capture_output=True, text=True, check=False)
    if run.returncode:
        raise PackageError(f"not valid in Python {RUNTIME}: {(run.stdout + run.stderr).strip()}")


def _candidates() -> Iterator[str]:
    if on_path := shutil.which(f"python{RUNTIME}"):
        yield on_path
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    yield from (str(path) for path in sorted(versions.glob(f"{RUNTIME}.*/bin/python{RUNTIME}"), reverse=True))
