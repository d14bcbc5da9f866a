"""serverless.yml describes what is deployed: handlers that exist, every setting, hourly timers, safe timeouts."""

from __future__ import annotations

import importlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from localcloud.gateway.timers import next_time

ROOT = Path(__file__).resolve().parents[2]
PROJECT: dict[str, Any] = yaml.safe_load((ROOT / "serverless.yml").read_text(encoding="utf-8"))
FUNCTIONS: dict[str, dict[str, Any]] = PROJECT["functions"]
VARIABLES: dict[str, str] = PROJECT["provider"]["environment"]["variables"]
SETTINGS = set(
    "MAILTRAIL_BUCKET MAILTRAIL_REGION MAILTRAIL_UTC_OFFSET SES_SITE SES_REGION SES_ENDPOINT SES_RATE COS_ENDPOINT "
    "SNAPSHOT_SHARE SNAPSHOT_SETTLE_DAYS MAILTRAIL_CLAIM SEND_KEYS WEBHOOK_SECRETS TOKEN_KEY SENDCLOUD_ENDPOINT SENDCLOUD_API_USER SENDCLOUD_API_KEY "
    "SENDCLOUD_APP_KEY UNSUBSCRIBE_URL UNSUBSCRIBE_BLACKLIST SES_HOURLY SEND_GUARD ALERT_WEBHOOK LOG_LEVEL".split()
)
FRAMEWORK = ROOT / "node_modules" / "serverless" / "bin" / "serverless.js"
NODE = shutil.which("node")
needs_framework = pytest.mark.skipif(
    NODE is None or not FRAMEWORK.exists(), reason="the Serverless Framework is not installed: npm ci"
)
# Any attempt to leave this process is written down: printing and packaging must work with no network at all.
NO_NETWORK = """
const fs = require('fs'), net = require('net'), dns = require('dns');
const refuse = (what) => { fs.appendFileSync(process.env.CALLS, what + '\\n'); throw new Error('network: ' + what); };
net.Socket.prototype.connect = (...options) => refuse('connect ' + (options[0].host || (options[0][0] || {}).host));
dns.lookup = (name) => refuse('lookup ' + name);
"""


def _triggers(kind: str) -> list[tuple[str, dict[str, Any]]]:
    return [(name, event[kind]) for name, one in FUNCTIONS.items() for event in one["events"] if kind in event]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_handler_is_an_importable_shim_at_the_root(name, monkeypatch):
    """SCF takes no slash in a handler, so each is scf_<name>.main_handler and leads to functions/<name>/handler.py."""
    monkeypatch.setattr(sys, "path", [str(ROOT), *sys.path])
    assert FUNCTIONS[name]["handler"] == f"scf_{name}.main_handler"
    shim = importlib.import_module(f"scf_{name}")
    assert shim.main_handler is importlib.import_module(f"functions.{name}.handler").main_handler


def test_every_shim_and_every_function_folder_is_a_function():
    """No entry file and no folder under functions/ is left out of the description, or invented by it."""
    assert {path.stem for path in ROOT.glob("scf_*.py")} == {f"scf_{name}" for name in FUNCTIONS}
    assert {path.parent.name for path in ROOT.glob("functions/*/__init__.py")} == set(FUNCTIONS)


def test_every_setting_is_passed_through_under_its_own_name():
    """Each setting of DESIGN §8 that is not the role's comes from the environment of who deploys."""
    assert set(VARIABLES) == SETTINGS
    for name, value in VARIABLES.items():
        assert re.fullmatch(rf"\$\{{env:{name}, ('[^']*'|self:[\w.]+)\}}", value), f"{name}: {value}"


def test_every_setting_that_a_function_reads_is_in_the_list():
    """A setting added to shared/edge/environment.py must be deployed too."""
    text = (ROOT / "shared" / "edge" / "settings.py").read_text(encoding="utf-8")
    read = set(re.findall(r'"([A-Z][A-Z0-9]*_[A-Z0-9_]+)"', text))
    ours = {name for name in read if not name.startswith("TENCENTCLOUD_")} - {"MAILTRAIL_CLOCK_OFFSET_S"}
    assert ours
    assert ours <= SETTINGS


def test_no_setting_has_a_reserved_name():
    """SCF refuses SCF_, QCLOUD_ and TENCENTCLOUD_ (583/32748)."""
    assert not [name for name in VARIABLES if name.startswith(("SCF_", "QCLOUD_", "TENCENTCLOUD_"))]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_has_no_environment_of_its_own(name):
    """The plugin would leak it into every function."""
    assert "environment" not in FUNCTIONS[name]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_sizes_are_such_as_scf_takes(name):
    """Memory is 64 MB or 128 to 3072 MB in steps of 128; a timeout is 1 to 900 seconds."""
    memory, timeout = FUNCTIONS[name]["memorySize"], FUNCTIONS[name]["timeout"]
    assert memory == 64 or (memory % 128 == 0 and 128 <= memory <= 3072)
    assert 1 <= timeout <= 900


def test_each_function_has_a_role_of_its_own():
    """No function can do what another may: `provider.role` would be one for all."""
    assert "role" not in PROJECT["provider"]
    assert [one["role"] for one in FUNCTIONS.values()] == [f"Mailtrail{name.capitalize()}Role" for name in FUNCTIONS]


def test_the_routes_are_those_of_the_contract():
    """DESIGN §5; the gateway of localcloud serves exactly these."""
    routes = {(name, one["parameters"]["httpMethod"], one["parameters"]["path"]) for name, one in _triggers("apigw")}
    assert routes == {
        ("send", "POST", "/send"),
        ("send", "POST", "/send/batch"),
        ("send", "GET", "/send/{key}"),
        ("send", "POST", "/tasks"),
        ("send", "GET", "/tasks/{key}"),
        ("webhook", "ANY", "/webhook/ses/{secret}"),
        ("webhook", "ANY", "/webhook/sendcloud/{secret}"),
        ("webhook", "ANY", "/unsubscribe/{token}"),
    }


@pytest.mark.parametrize(("name", "trigger"), _triggers("apigw"))
def test_a_gateway_gives_up_before_the_function_does(name, trigger):
    """The other way round a timeout is answered with HTTP 200: a callback acknowledged and lost."""
    parameters = trigger["parameters"]
    assert parameters["serviceTimeout"] < FUNCTIONS[name]["timeout"]
    assert parameters["integratedResponse"] is True
    assert parameters["enable"] is True, "left out, the trigger is created closed"


@pytest.mark.parametrize(("name", "minutes"), [("snapshot", [5, 20, 35, 50]), ("report", [35])])
def test_a_timer_fires_every_hour_so_that_its_time_zone_does_not_matter(name, minutes):
    """Seven fields, every hour, at the minutes agreed on, in whatever whole-hour zone SCF reads them."""
    trigger = dict(_triggers("timer"))[name]
    cron = trigger["parameters"]["cronExpression"]
    assert len(cron.split()) == 7
    assert trigger["parameters"]["enable"] is True
    midnight = 1795132800  # 2026-11-20T00:00:00Z
    fired, at = [], float(midnight)
    for _ in range(25 * len(minutes)):
        at = next_time(cron, at)
        fired.append(at)
    assert fired == [midnight + hour * 3600 + minute * 60 for hour in range(25) for minute in minutes]


def test_trigger_names_are_unique():
    """SCF finds a trigger by its name."""
    names = [one["name"] for kind in ("apigw", "timer") for _, one in _triggers(kind)]
    assert len(names) == len(set(names))


def test_the_package_is_one_zip():
    """With `individually: true` the plugin's deploy has nothing to upload."""
    assert "individually" not in PROJECT["package"]
    assert PROJECT["plugins"][0] == "./quiet-report.js", "it must load before the plugin that reports"


@pytest.fixture
def project(tmp_path):
    """Make a copy of what is packaged, with things around it that must not be."""
    for pattern in ("serverless.yml", "quiet-report.js", "package.json", "scf_*.py"):
        for path in ROOT.glob(pattern):
            shutil.copy(path, tmp_path)
    for folder in ("functions", "shared", "localcloud"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    (tmp_path / "vendor" / "requests").mkdir(parents=True)
    (tmp_path / "vendor" / "requests" / "__init__.py").write_text("")
    (tmp_path / ".env").write_text("SEND_KEYS=secret\n")
    (tmp_path / "shared" / "__pycache__").mkdir(exist_ok=True)
    (tmp_path / "shared" / "__pycache__" / "x.cpython-311.pyc").write_bytes(b"")
    (tmp_path / "node_modules").symlink_to(ROOT / "node_modules")
    return tmp_path


def _serverless(project: Path, command: str, **variables: str) -> str:
    (project / "no-network.js").write_text(NO_NETWORK)
    calls = project / "calls.txt"
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(project),
        "SLS_TELEMETRY_DISABLED": "1",
        "SLS_NOTIFICATIONS_MODE": "off",
        "NODE_OPTIONS": f"--require {project / 'no-network.js'}",
        "CALLS": str(calls),
        **variables,
    }
    run = subprocess.run(
        [str(NODE), str(FRAMEWORK), command],
        cwd=project, env=environment, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    assert not calls.exists(), calls.read_text()
    return run.stdout


@needs_framework
def test_serverless_print_resolves_every_setting_without_a_network(project):
    """The plugin's usage report is silenced, and every variable has a value or an empty default."""
    printed = yaml.safe_load(_serverless(project, "print", MAILTRAIL_BUCKET="trail-1250000000", SES_SITE="intl"))
    variables = printed["provider"]["environment"]["variables"]
    assert set(variables) == SETTINGS
    assert variables["MAILTRAIL_BUCKET"] == "trail-1250000000"
    assert variables["SES_SITE"] == "intl"
    assert variables["MAILTRAIL_REGION"] == printed["provider"]["region"] == "ap-guangzhou"
    assert variables["SES_REGION"] == ""
    assert [one["name"] for one in printed["functions"].values()] == [f"mailtrail-dev-{name}" for name in FUNCTIONS]


@needs_framework
def test_serverless_package_holds_what_is_deployed_and_nothing_else(project):
    """Four shims, functions/, shared/ and vendor/: no bytecode of this machine, no .env, no localcloud."""
    _serverless(project, "package")
    with zipfile.ZipFile(project / ".serverless" / "mailtrail.zip") as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert archive.read("scf_send.py") == (ROOT / "scf_send.py").read_bytes()
    expected = {f"scf_{name}.py" for name in FUNCTIONS} | {"vendor/requests/__init__.py"}
    for folder in ("functions", "shared"):
        paths = (path for path in (ROOT / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts)
        expected |= {path.relative_to(ROOT).as_posix() for path in paths}
    assert set(names) == expected
