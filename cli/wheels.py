"""Deployed dependencies: fetched once as wheels for SCF's system, then unpacked without what only weighs.

SCF's documented system is CentOS 7 with glibc 2.17, hence manylinux2014; the runtime is CPython 3.10.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from cli.requirements import PackageError, Pin

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

TARGET = (
    "--platform=manylinux2014_x86_64", "--python-version=3.10", "--implementation=cp", "--abi=cp310",
    "--only-binary=:all:", "--no-deps",
)  # fmt: skip
"""What pip is told so that a wheel fits SCF whatever this machine is."""

SDIST_ONLY: Mapping[str, str] = {
    "crcmod": "1.7 has no wheel; its Python files are taken from this environment, its C extension is optional",
}
"""Distribution name -> why its files come from the environment that runs us and not from a wheel."""

OPTIONAL_EXTENSIONS: Mapping[str, str] = {
    "charset_normalizer": "md.py and cd.py stand beside md.so and cd.so, and import faster; 0.5 MB",
    "markupsafe": "_native.py does what _speedups.so does",
    "crcmod": "_crcfunpy.py does what _crcfunext.so does",
}
"""Top-level package -> why its compiled modules can be left out. Extensions of all others are shipped."""

SHIPPED_PARTS: Mapping[str, frozenset[str]] = {
    "Crypto": frozenset(
        {
            "__init__.py",
            *(f"Cipher/{name}" for name in ("__init__.py", "AES.py", "_mode_ecb.py", "_mode_ctr.py", "_mode_gcm.py")),
            *(f"Cipher/_raw_{name}.abi3.so" for name in ("aes", "aesni", "ecb", "ctr")),
            *(f"Hash/_ghash_{name}.abi3.so" for name in ("clmul", "portable")),
            *(f"Util/{name}.py" for name in ("__init__", "_cpu_features", "_file_system", "_raw_api", "_threads")),
            *("Util/number.py", "Util/_cpuid_c.abi3.so", "Random/__init__.py", "Cipher/_state_machine.py"),
        }
    ),
}
"""Top-level package -> the files of it that are used; the rest is left out. Crypto: AES-GCM, 0.8 of 11 MB."""

METADATA_KEPT = re.compile(r"\.dist-info/(METADATA$|licenses/|LICENSE|NOTICE|COPYING)", re.IGNORECASE)
TEST_FOLDERS = {"tests", "test", "testing"}
TEST_FILES = {"crcmod/test.py"}  # by full name: jinja2/tests.py is not a test but Jinja's `is defined`


def fetch(pins: Sequence[Pin], cache: Path) -> list[Path]:
    """Return a wheel in ``cache`` for each pin, asking pip only for those that are not there yet.

    Raises PackageError with pip's own words when one has no wheel for the target.
    """
    wanted = [pin for pin in pins if pin.name not in SDIST_ONLY]
    missing = [pin for pin in wanted if _cached(pin, cache) is None]
    if missing:
        _download(missing, cache)
    found = [_cached(pin, cache) for pin in wanted]
    return [wheel for wheel in found if wheel is not None]


def unpack(pins: Sequence[Pin], cache: Path, target: Path) -> None:
    """Put the files of every pin that a function needs at run time into ``target``."""
    for wheel in fetch(pins, cache):
        with zipfile.ZipFile(wheel) as archive:
            for name in filter(is_needed, archive.namelist()):
                _write(target / name, archive.read(name))
    for pin in pins:
        if pin.name in SDIST_ONLY:
            for name, path in _installed_files(pin):
                _write(target / name, path.read_bytes())


def is_needed(name: str) -> bool:
    """Tell whether the file called ``name`` inside a wheel is worth deploying: code, data, and licences."""
    path = PurePosixPath(name)
    top = path.parts[0]
    if name.endswith("/"):  # some wheels list their folders
        return False
    if top.endswith(".dist-info"):
        return METADATA_KEPT.search(name) is not None
    if top.endswith(".data") or path.suffix in {".pyc", ".pyi", ".pyx", ".c", ".h"}:
        return False
    if top in SHIPPED_PARTS:
        return path.relative_to(top).as_posix() in SHIPPED_PARTS[top]
    if path.suffix == ".so":
        return top not in OPTIONAL_EXTENSIONS
    return name not in TEST_FILES and TEST_FOLDERS.isdisjoint(path.parts[:-1])


def _cached(pin: Pin, cache: Path) -> Path | None:
    stem = f"{pin.name.replace('-', '_')}-{pin.version}-"
    return next((wheel for wheel in sorted(cache.glob("*.whl")) if wheel.name.lower().startswith(stem.lower())), None)


def _download(pins: Iterable[Pin], cache: Path) -> None:
    cache.mkdir(parents=True, exist_ok=True)
    # Into a folder beside, then moved: a cache that was cut short never holds half a wheel.
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        names = [f"{pin.name}=={pin.version}" for pin in pins]
        pip = (sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input")
        run = subprocess.run((*pip, *TARGET, "--dest", folder, *names), capture_output=True, text=True, check=False)
        if run.returncode:
            raise PackageError(f"pip found no wheel for SCF: {run.stderr.strip()}")
        for wheel in Path(folder).glob("*.whl"):
            shutil.move(wheel, cache / wheel.name)


def _installed_files(pin: Pin) -> Iterator[tuple[str, Path]]:
    """Find a package's modules and its licence where it is installed.

    By the package's own folder: an older pip installs an sdist without a list of its files.
    """
    spec = importlib.util.find_spec(pin.name)
    if spec is None or not spec.submodule_search_locations:
        raise PackageError(f"{pin.name} is not installed as a package; run make")
    folder = Path(spec.submodule_search_locations[0])
    inside = [(path.relative_to(folder.parent).as_posix(), path) for path in sorted(folder.rglob("*.py"))]
    listed = [(file.as_posix(), Path(str(file.locate()))) for file in metadata.distribution(pin.name).files or ()]
    licences = [(name, path) for name, path in listed if ".dist-info/" in name and path.is_file()]
    yield from ((name, path) for name, path in inside + licences if is_needed(name))


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
