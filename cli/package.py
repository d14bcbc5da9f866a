"""`mailtrail package`: one zip a function, as small as it can be and with its bytecode inside.

In each zip: ``scf_<function>.py``, ``functions/<function>/`` and no other function, ``shared/``, and the dependencies
at the root, for manylinux2014 x86-64 and CPython 3.10. The same sources, pins and Python give the same sha256.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from cli.bytecode import RUNTIME, compile_tree, find_python, version_of
from cli.requirements import PackageError, closure, read_extras
from cli.wheels import unpack

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cli.requirements import Pin

CACHE = Path("build", "wheels", "manylinux2014-cp310")
"""Below the root: wheels already fetched, so that the second run is quick and needs no network."""
EPOCH = (1980, 1, 1, 0, 0, 0)
"""Date of every file in a zip, the oldest the format knows."""
UPLOAD_LIMIT_BYTES = 50 * 1024 * 1024
"""Largest zip that SCF's API takes in the request itself (583/11637); larger ones go by way of COS."""
NO_BYTECODE = (
    f"built WITHOUT bytecode: no Python {RUNTIME} was found, so every cold start will compile every module "
    f"(2 to 5 times slower). Install Python {RUNTIME}, or name one with --python."
)
"""What to tell who gets packages whose ``python`` is None."""


class Built(NamedTuple):
    """One finished package. ``python``: full version that made the bytecode, None when there is none."""

    function: str
    path: Path
    files: int
    zipped_bytes: int
    unzipped_bytes: int
    sha256: str
    python: str | None


def function_names(root: Path) -> list[str]:
    """Return the functions under ``root``: one for every ``scf_<function>.py``, sorted."""
    return sorted(path.stem.removeprefix("scf_") for path in root.glob("scf_*.py"))


def build_packages(out: Path, root: Path, python: str | None = None) -> list[Built]:
    """Write ``<function>.zip`` into ``out`` for every function of the checkout at ``root``.

    ``python``: a CPython 3.10 to compile with; None looks for one and builds without bytecode if there is none
    (then tell NO_BYTECODE). An extra of pyproject.toml with a function's name is shipped with that function.

    Raises PackageError for a missing source, a dependency without a wheel, a module that 3.10 cannot compile.
    """
    names = function_names(root)
    if not names:
        raise PackageError(f"no scf_<function>.py in {root}: run it in a checkout of mailtrail")
    compiler = find_python(python)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        dependencies = _stage_dependencies(Path(folder, "dependencies"), root, names, compiler)
        built = []
        for name in names:
            own = Path(folder, "functions", name)
            _stage_sources(own, root, name)
            _compile(compiler, own)
            path = out / f"{name}.zip"
            files = _merge((*dependencies[name], own))
            write_zip(path, files)
            built.append(_describe(name, path, files, compiler))
    return built


def write_zip(path: Path, files: Mapping[str, Path]) -> None:
    """Write name -> file as a zip in which nothing depends on when, where or by whom it was made."""
    unfinished = path.with_suffix(".zip.part")
    try:
        with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            for name in sorted(files):
                info = zipfile.ZipInfo(name, EPOCH)
                info.create_system = 3  # Unix, so that the permission bits below are read
                info.external_attr = (0o755 if name.endswith(".so") else 0o644) << 16
                info.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(info, files[name].read_bytes())
        unfinished.replace(path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            unfinished.unlink()


def _stage_dependencies(
    folder: Path, root: Path, names: Sequence[str], compiler: str | None
) -> dict[str, tuple[Path, ...]]:
    extras = read_extras(root / "pyproject.toml")
    base = closure(extras[""])
    _unpack_and_compile(base, folder / "base", root, compiler)
    staged: dict[str, tuple[Path, ...]] = {}
    for name in names:
        own = [pin for pin in closure((*extras[""], *extras.get(name, ()))) if pin not in base]
        _unpack_and_compile(own, folder / name, root, compiler)
        staged[name] = (folder / "base", folder / name)
    return staged


def _unpack_and_compile(pins: Sequence[Pin], target: Path, root: Path, compiler: str | None) -> None:
    target.mkdir(parents=True)
    if pins:
        unpack(pins, root / CACHE, target)
        _compile(compiler, target)


def _stage_sources(target: Path, root: Path, name: str) -> None:
    if not (root / "functions" / name / "handler.py").is_file():
        raise PackageError(f"functions/{name}/handler.py is missing: scf_{name}.py imports it")
    ignore = shutil.ignore_patterns("__pycache__", "*.pyc", ".*")
    for folder in (f"functions/{name}", "shared"):
        shutil.copytree(root / folder, target / folder, ignore=ignore)
    for file in (f"scf_{name}.py", "functions/__init__.py"):
        shutil.copyfile(root / file, target / file)


def _compile(compiler: str | None, tree: Path) -> None:
    if compiler is not None:
        compile_tree(compiler, tree)


def _merge(trees: Sequence[Path]) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for tree in trees:
        for path in tree.rglob("*"):
            name = path.relative_to(tree).as_posix()
            if path.is_file() and files.setdefault(name, path) is not path:
                raise PackageError(f"two sources give {name}")
    return files


def _describe(name: str, path: Path, files: Mapping[str, Path], compiler: str | None) -> Built:
    content = path.read_bytes()
    unzipped_bytes = sum(file.stat().st_size for file in files.values())
    version = version_of(compiler) if compiler else None
    return Built(name, path, len(files), len(content), unzipped_bytes, hashlib.sha256(content).hexdigest(), version)
