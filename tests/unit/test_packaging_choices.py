"""Which distributions and which of their files are deployed, and what is refused before anything is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from cli.bytecode import find_python, version_of
from cli.package import build_packages
from cli.requirements import NOT_SHIPPED, PackageError, closure, read_extras
from cli.wheels import Pin, fetch, is_needed

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("name", "needed"),
    [
        ("requests/sessions.py", True),
        ("certifi/cacert.pem", True),
        ("jinja2/tests.py", True),  # not a test: Jinja's `is defined`
        ("duckdb/duckdb.cpython-310-x86_64-linux-gnu.so", True),
        ("charset_normalizer/md.cpython-310-x86_64-linux-gnu.so", False),
        ("markupsafe/_speedups.cpython-310-x86_64-linux-gnu.so", False),
        ("markupsafe/_speedups.pyi", False),
        ("markupsafe/_speedups.c", False),
        ("crcmod/test.py", False),
        ("some/tests/test_it.py", False),
        ("Crypto/Cipher/_mode_gcm.py", True),
        ("Crypto/Cipher/_raw_aesni.abi3.so", True),
        ("Crypto/Cipher/DES.py", False),
        ("Crypto/PublicKey/_ec_ws.abi3.so", False),
        ("Crypto/SelfTest/__init__.py", False),
        ("some/testing/tool.py", False),
        ("some/__pycache__/x.cpython-311.pyc", False),
        ("x-1.dist-info/RECORD", False),
        ("x-1.dist-info/METADATA", True),
        ("x-1.dist-info/licenses/LICENSE", True),
        ("x-1.dist-info/licenses/", False),  # some wheels list their folders
        ("x-1.dist-info/LICENSE.txt", True),
        ("x-1.data/scripts/tool", False),
    ],
)
def test_is_needed(name, needed):
    """Code, data and licences are deployed; tests, build noise and optional extensions are not."""
    assert is_needed(name) is needed


def test_every_deployed_dependency_is_pinned_exactly():
    """What is shipped does not depend on the day: ``==`` for each."""
    extras = read_extras(ROOT / "pyproject.toml")
    deployed = [*extras[""], *extras["report"], *extras["webhook"]]
    assert deployed
    assert all([specifier.operator for specifier in one.specifier] == ["=="] for one in deployed)


def test_closure_follows_requirements_and_leaves_out_what_is_not_shipped():
    """The COS SDK brings six others; pycryptodome stays at home, unless we ask for it ourselves."""
    names = {pin.name for pin in closure([Requirement("cos-python-sdk-v5")])}
    assert names == {
        "cos-python-sdk-v5", "requests", "urllib3", "idna", "certifi", "charset-normalizer", "xmltodict", "six",
        "crcmod",
    }  # fmt: skip
    assert "pycryptodome" in NOT_SHIPPED
    ours = {pin.name for pin in closure([Requirement("cos-python-sdk-v5"), Requirement("pycryptodome")])}
    assert ours == names | {"pycryptodome"}


def test_closure_judges_markers_by_the_deployed_python():
    """What only an extra or another Python needs is not shipped, even if it is installed here."""
    assert closure([Requirement('pytest; python_version >= "3.11"'), Requirement('pytest; extra == "x"')]) == []
    assert [pin.name for pin in closure([Requirement('six; python_version < "3.11"')])] == ["six"]


@pytest.mark.parametrize("line", ["requests==1.0", "no-such-distribution==1"])
def test_closure_refuses_an_environment_that_is_not_the_pins(line):
    """A package is never built of other versions than those named."""
    with pytest.raises(PackageError, match="run `make`"):
        closure([Requirement(line)])


def test_fetch_tells_what_pip_said(tmp_path, monkeypatch):
    """No wheel for the target is an error with the distribution's name, and the cache holds nothing half-done."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(PackageError, match=r"no-such-distribution==1\.0"):
        fetch([Pin("no-such-distribution", "1.0")], tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())


def test_find_python_takes_what_is_asked_for_or_nothing():
    """An interpreter of another version is refused, never used instead."""
    with pytest.raises(PackageError):
        find_python("/no/such/python")
    found = find_python()
    assert found is None or str(version_of(found)).startswith("3.10.")
    assert (version_of(sys.executable) is not None) == (sys.version_info[:2] == (3, 10))


def test_a_pyenv_shim_of_a_version_that_is_not_chosen_is_not_taken(tmp_path):
    """Such a shim exists and exits with an error."""
    shim = tmp_path / "python3.10"
    shim.write_text("#!/bin/sh\necho 'pyenv: python3.10: command not found' >&2\nexit 127\n")
    shim.chmod(0o755)
    assert subprocess.run([shim], capture_output=True, check=False).returncode == 127
    assert version_of(str(shim)) is None


def test_another_python_is_refused(tmp_path):
    """Bytecode of another version would be ignored on SCF without a word."""
    with pytest.raises(PackageError, match=r"not a CPython 3\.10"):
        build_packages(tmp_path, ROOT, python="/bin/true")


def test_a_folder_that_is_no_checkout_is_refused(tmp_path):
    """It says where it looked, and leaves nothing behind."""
    with pytest.raises(PackageError, match="no scf_<function>"):
        build_packages(tmp_path / "dist", tmp_path)
    assert not (tmp_path / "dist").exists()


def test_a_function_without_a_handler_is_refused(tmp_path):
    """Better here than as status 443 in the cloud."""
    for folder in ("functions/send", "shared"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "scf_send.py").touch()
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\nversion = "1"\n')
    with pytest.raises(PackageError, match=r"functions/send/handler\.py is missing"):
        build_packages(tmp_path / "dist", tmp_path)


@pytest.mark.skipif(find_python() is None, reason="no Python 3.10, which is what SCF runs, was found")
def test_a_module_that_the_deployed_python_cannot_compile_is_refused(tmp_path):
    """Syntax of 3.11 is found when packaging, not at the first cold start."""
    for folder in ("functions/send", "shared"):
        (tmp_path / folder).mkdir(parents=True)
    for file in ("scf_send.py", "functions/__init__.py"):
        (tmp_path / file).touch()
    (tmp_path / "functions" / "send" / "handler.py").write_text("try:\n    pass\nexcept* ValueError:\n    pass\n")
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\nversion = "1"\n')
    with pytest.raises(PackageError, match="functions/send/handler"):
        build_packages(tmp_path / "dist", tmp_path)
