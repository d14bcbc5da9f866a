"""The zips of `mailtrail package`, unpacked where nothing can be written and run by the Python of SCF.

Python 3.10 runs them with -S -B, from elsewhere, with the unpacked folder and the standard library as its whole path.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import struct
import subprocess
import zipfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from cli import packaging, wheels
from cli.bytecode import CODE_ROOT, find_python
from cli.main import main
from cli.package import UPLOAD_LIMIT_BYTES, Built, build_packages, function_names
from functions.webhook.sealed import find_parts, unseal
from localcloud import defaults
from localcloud.gateway.environment import (
    account_environment,
    build_context,
    endpoint_environment,
    platform_environment,
)
from localcloud.gateway.project import load_project
from localcloud.server import LocalServer
from tests.event_files import load_event

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
NAMES = function_names(ROOT)
PYTHON = find_python()
needs_python = pytest.mark.skipif(PYTHON is None, reason="no Python 3.10, which is what SCF runs, was found")
NEVER_DEPLOYED = {"localcloud", "cli", "tests", "benchmarks", "duckdb", "pydantic", "tencentcloud"}
NEVER_AT_START = NEVER_DEPLOYED | {"Crypto"}
MAGIC_310 = 3439  # importlib.util.MAGIC_NUMBER of CPython 3.10, its first two bytes
UNCHECKED_HASH = 0b01  # PEP 552
RUNNER = """
import importlib, json, sys
task = json.load(sys.stdin)
assert not [path for path in sys.path if "site-packages" in path], sys.path
sys.path[0] = task["folder"]
module = importlib.import_module(task["module"])
replies = [module.main_handler(event, context) for event, context in task["calls"]]
with open(task["answer"], "w") as file:
    json.dump({"replies": replies, "modules": sorted(sys.modules), "path": sys.path}, file)
"""


@pytest.fixture(scope="session")
def built(tmp_path_factory) -> dict[str, Built]:
    """Build every package once."""
    return {one.function: one for one in build_packages(tmp_path_factory.mktemp("dist"), ROOT)}


@pytest.fixture(scope="session")
def unpacked(built, tmp_path_factory) -> dict[str, Path]:
    """Unpack each package into a folder of its own that nobody may write to, as under /var/user."""
    folders = {}
    for name, one in built.items():
        folders[name] = tmp_path_factory.mktemp(name)
        with zipfile.ZipFile(one.path) as archive:
            archive.extractall(folders[name])
        for path in (*folders[name].rglob("*"), folders[name]):
            path.chmod(0o555 if path.is_dir() else 0o444)
    return folders


@pytest.fixture(scope="session")
def server(tmp_path_factory) -> Iterator[LocalServer]:
    """Run the services only: the functions come from the packages."""
    with LocalServer(port=0, data=tmp_path_factory.mktemp("data")) as running:
        yield running


def names_in(one: Built) -> list[str]:
    """Names of the files in a package."""
    with zipfile.ZipFile(one.path) as archive:
        return archive.namelist()


def run(
    folder: Path, elsewhere: Path, module: str, *, calls: Any = (), environment: dict[str, str] | None = None
) -> dict[str, Any]:
    """Import ``module`` in the deployed Python and call its handler; returns replies, modules and sys.path."""
    answer = elsewhere / "answer.json"
    task = {"folder": str(folder), "module": module, "calls": calls, "answer": str(answer)}
    done = subprocess.run(
        [str(PYTHON), "-S", "-s", "-B", "-c", RUNNER],
        input=json.dumps(task), cwd=elsewhere, env=environment or {}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(answer.read_text())
    return {**result, "printed": done.stdout}


@pytest.mark.parametrize("name", NAMES)
def test_a_package_holds_its_function_and_no_other(name, built):
    """scf_<function>.py, functions/<function>/ and shared/ of the checkout, to the byte; nothing that stays at home."""
    expected = {f"scf_{name}.py", "functions/__init__.py"}
    for folder in (f"functions/{name}", "shared"):
        files = (path.relative_to(ROOT) for path in (ROOT / folder).rglob("*") if path.is_file())
        expected |= {path.as_posix() for path in files if "__pycache__" not in path.parts}
    with zipfile.ZipFile(built[name].path) as archive:
        assert archive.testzip() is None
        ours = {"scf_" + name, "functions", "shared"}
        sources = {n for n in archive.namelist() if PurePosixPath(n).parts[0].removesuffix(".py") in ours}
        assert {n for n in sources if not n.endswith(".pyc")} == expected
        assert not [n for n in expected if archive.read(n) != (ROOT / n).read_bytes()]
        assert NEVER_DEPLOYED.isdisjoint(PurePosixPath(n).parts[0] for n in archive.namelist())


@pytest.mark.parametrize("name", NAMES)
def test_dependencies_lie_at_the_root_without_what_only_weighs(name, built):
    """The HTTP client and the COS SDK with certifi's certificates and every licence; no tests, no optional extension."""
    names = set(names_in(built[name]))
    assert {"requests/__init__.py", "qcloud_cos/cos_client.py", "crcmod/_crcfunpy.py", "certifi/cacert.pem"} <= names
    assert ("jinja2/environment.py" in names) == (name == "report"), "an extra goes with the function of its name"
    assert "jinja2/tests.py" in names or name != "report", "not a test: Jinja's `is defined`"
    assert not [n for n in names if n.endswith((".pyi", "RECORD", "crcmod/test.py")) or "/tests/" in n]
    assert {PurePosixPath(n).parts[0] for n in names if n.endswith(".so")} <= {"Crypto"}
    distributions = {PurePosixPath(n).parts[0] for n in names if ".dist-info/" in n}
    assert all(any(n.startswith(d) and "licen" in n.lower() for n in names) for d in distributions)


@pytest.mark.parametrize("name", NAMES)
def test_a_package_is_small_and_described_as_it_is(name, built):
    """SCF's API takes 50 MB in the request; everything here is far below."""
    one = built[name]
    with zipfile.ZipFile(one.path) as archive:
        infos = archive.infolist()
    assert one.files == len(infos)
    assert one.zipped_bytes == one.path.stat().st_size < UPLOAD_LIMIT_BYTES // 10
    assert one.unzipped_bytes == sum(info.file_size for info in infos)
    assert one.sha256 == hashlib.sha256(one.path.read_bytes()).hexdigest()
    assert {info.external_attr >> 16 for info in infos} <= {0o644, 0o755}
    assert {info.date_time for info in infos} == {(1980, 1, 1, 0, 0, 0)}


def test_the_same_inputs_give_the_same_bytes_without_a_network(built, tmp_path, monkeypatch):
    """The second build finds every wheel in its cache and ends in the same sha256."""
    monkeypatch.setattr(wheels, "_download", lambda *_: pytest.fail("asked pip"))
    again = {one.function: one.sha256 for one in build_packages(tmp_path, ROOT)}
    assert again == {name: one.sha256 for name, one in built.items()}


@needs_python
@pytest.mark.parametrize("name", NAMES)
def test_bytecode_of_the_deployed_python_stands_beside_every_module(name, built):
    """Unchecked-hash bytecode of 3.10: valid whatever the modification times of the upload."""
    with zipfile.ZipFile(built[name].path) as archive:
        names = set(archive.namelist())
        for source in (n for n in names if n.endswith(".py")):
            path = PurePosixPath(source)
            compiled = archive.read(str(path.parent / "__pycache__" / f"{path.stem}.cpython-310.pyc"))
            magic, flags = struct.unpack("<H2xI", compiled[:8])
            assert (magic, flags) == (MAGIC_310, UNCHECKED_HASH), source
        handler = archive.read(f"functions/{name}/__pycache__/handler.cpython-310.pyc")
    assert f"{CODE_ROOT}/functions/{name}/handler.py".encode() in handler, "tracebacks name the place on SCF"


@needs_python
def test_bytecode_is_what_runs(unpacked, tmp_path):
    """Sources that cannot even be compiled do no harm: they are not looked at."""
    copy = tmp_path / "copy"
    shutil.copytree(unpacked["send"], copy)
    for path in (copy / "shared" / "upstream" / "signing.py", copy / "requests" / "sessions.py"):
        path.chmod(0o644)
        path.write_text("this is not Python")
    assert "requests.sessions" in run(copy, tmp_path, "scf_send")["modules"]


@needs_python
@pytest.mark.parametrize("name", NAMES)
def test_importing_a_package_needs_no_environment_and_nothing_from_home(name, unpacked, tmp_path):
    """Neither a setting nor a library of ours that is not deployed; and it writes nothing."""
    before = sorted(unpacked[name].rglob("*"))
    result = run(unpacked[name], tmp_path, f"scf_{name}")
    assert f"functions.{name}.handler" in result["modules"]
    assert NEVER_AT_START.isdisjoint(module.partition(".")[0] for module in result["modules"])
    others = {f"functions.{other}" for other in NAMES if other != name}
    assert others.isdisjoint(result["modules"])
    assert sorted(unpacked[name].rglob("*")) == before


@needs_python
def test_the_cos_sdk_works_without_pycryptodome(unpacked, tmp_path):
    """It is left out because only CosEncryptionClient imports it."""
    probe = "import sys; sys.path[0] = sys.argv[1]; import qcloud_cos; qcloud_cos.CosS3Client; import Crypto"
    command = [str(PYTHON), "-S", "-s", "-B", "-c", probe, str(unpacked["send"])]
    done = subprocess.run(command, cwd=tmp_path, env={}, capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1] == "ModuleNotFoundError: No module named 'Crypto'"


def call(server: LocalServer, folder: Path, name: str, events: list[dict[str, Any]], elsewhere: Path) -> list[Any]:
    """Call the packaged function with ``events`` in the environment that the gateway gives it."""
    function = next(one for one in load_project(ROOT).functions if one.name == name)
    environment = {
        **account_environment(),
        **endpoint_environment(server.ports),
        **platform_environment(function, str(folder)),
    }
    context = build_context(function, "req-1", environment, time_limit_s=function.timeout_s)
    calls = [(event, context) for event in events]
    replies: list[Any] = run(folder, elsewhere, f"scf_{name}", calls=calls, environment=environment)["replies"]
    return replies


@needs_python
def test_the_packaged_send_sends(server, unpacked, tmp_path):
    """A mail is accepted by SES and its trail by COS; a request without a key is refused."""
    events = [load_event("send/function-url-template.json"), load_event("send/apigw-missing-key.json")]
    accepted, refused = call(server, unpacked["send"], "send", events, tmp_path)
    assert (accepted["statusCode"], refused["statusCode"]) == (202, 401)
    message_id = json.loads(accepted["body"])["message_id"]
    assert message_id in [message["message_id"] for message in server.cloud.ses.messages()]


@needs_python
def test_the_packaged_webhook_stores(server, unpacked, tmp_path):
    """A callback is stored before it is acknowledged, in every shape in which it can come."""
    shapes = ("apigw", "clb", "function-url")
    events = [load_event(f"webhook/{shape}-ses-delivered.json") for shape in shapes]
    replies = call(server, unpacked["webhook"], "webhook", events, tmp_path)
    assert [(reply["statusCode"], json.loads(reply["body"])["stored"]) for reply in replies] == [(200, 1)] * 3


def test_of_pycryptodome_the_webhook_alone_has_what_aes_gcm_needs(built):
    """Under 1 of 11 MB: every file that is named is there, and nothing else of it; its licence goes along."""
    having = {name: {n for n in names_in(one) if n.startswith("Crypto/")} for name, one in built.items()}
    assert [name for name, files in having.items() if files] == ["webhook"]
    sources = {n.removeprefix("Crypto/") for n in having["webhook"] if not n.endswith(".pyc")}
    assert sources == wheels.SHIPPED_PARTS["Crypto"]
    with zipfile.ZipFile(built["webhook"].path) as archive:
        parts = [info for info in archive.infolist() if info.filename.startswith("Crypto/")]
    assert sum(info.file_size for info in parts) < 1_000_000
    assert sum(info.compress_size for info in parts) < 300_000
    assert [n for n in names_in(built["webhook"]) if n.startswith("pycryptodome-") and n.endswith("LICENSE.rst")]


@needs_python
def test_the_packaged_webhook_keeps_in_its_log_what_it_cannot_store(server, unpacked, tmp_path):
    """Encrypted by what the package brings, in SCF's Python; readable with what this Python has."""
    event = load_event("webhook/function-url-ses-delivered.json")
    environment = {**account_environment(), **endpoint_environment(server.ports), "COS_ENDPOINT": "http://127.0.0.1:9"}
    calls = [(event, {"request_id": "req-1", "time_limit_in_ms": 1300})]
    answer = run(unpacked["webhook"], tmp_path, "scf_webhook", calls=calls, environment=environment)
    assert [reply["statusCode"] for reply in answer["replies"]] == [503]
    (line,) = [json.loads(line) for line in answer["printed"].splitlines()]
    callback = unseal(find_parts(line["replay"]), [defaults.WEBHOOK_SECRET, account_environment()["TOKEN_KEY"]])
    assert (callback.provider, callback.body.decode()) == ("ses", event["body"])


@needs_python
def test_the_packaged_snapshot_and_report_run(server, unpacked, tmp_path):
    """Fired for one day, the snapshot is complete and the report lies in the bucket."""
    (taken,) = call(server, unpacked["snapshot"], "snapshot", [load_event("snapshot/timer-day.json")], tmp_path)
    assert taken["days"] == ["2026-11-20"]
    assert [one["source"] for one in taken["snapshots"]] == ["tasks", "sendcloud", "status"]
    assert taken["complete"] is True
    (written,) = call(server, unpacked["report"], "report", [load_event("report/timer-day.json")], tmp_path)
    assert [one["day"] for one in written["reports"]] == ["2026-11-20"]
    assert "reports/dt=2026-11-20/report.html" in written["reports"][0]["keys"]


def test_in_a_pipe_paths_and_hashes_are_printed_whole(tmp_path, monkeypatch):
    """Where nobody looks through a window, a table of 80 columns would only cut what a script wants."""
    one = Built("send", tmp_path / ("x" * 80) / "send.zip", 1, 1, 1, "0123456789abcdef" * 4, "3.10.13")
    monkeypatch.setattr(packaging, "build_packages", lambda *_: [one])
    told = CliRunner().invoke(main, ["package"]).stdout
    assert str(one.path) in told
    assert one.sha256[:16] in told


def test_without_the_deployed_python_there_is_no_bytecode_and_it_is_said(tmp_path, monkeypatch):
    """The packages still work; ``python`` is None, which the command reports."""
    monkeypatch.setattr("cli.package.find_python", lambda _: None)
    built = build_packages(tmp_path, ROOT)
    assert [one.python for one in built] == [None] * len(NAMES)
    assert not [n for one in built for n in names_in(one) if n.endswith(".pyc")]
