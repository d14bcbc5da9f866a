"""coscmd, the vendor's command, with a configuration file and the local COS as proxy."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, version

import pytest

from localcloud.defaults import BUCKET, REGION, SECRET_ID, SECRET_KEY
from tests.clients import programs
from tests.clients.recording import recorded


@pytest.fixture
def coscmd(tmp_path, proxy):
    """``coscmd(…)`` runs the command in ``tmp_path`` and returns what it printed."""
    try:
        version("coscmd")
    except PackageNotFoundError:
        pytest.skip("coscmd is not installed")
    program = programs.find("coscmd")
    settings = {
        "secret_id": SECRET_ID, "secret_key": SECRET_KEY, "bucket": BUCKET, "region": REGION, "schema": "http",
        "max_thread": "4", "part_size": "1", "retry": "2", "timeout": "30", "verify": "md5", "anonymous": "False",
        "multiupload_threshold": "2097152", "multidownload_threshold": "2097152",
    }  # fmt: skip
    config = tmp_path / "cos.conf"
    config.write_text("[common]\n" + "".join(f"{name} = {value}\n" for name, value in settings.items()))
    environment = {"http_proxy": proxy, "HOME": str(tmp_path), "PYTHONWARNINGS": "ignore"}

    def run(*arguments: str) -> str:
        log = str(tmp_path / "cos.log")
        return programs.run(program, "-c", config, "-l", log, *arguments, environment=environment, cwd=tmp_path)

    return run


def operation(name: str):
    return recorded("coscmd", name, version=version("coscmd"))


def test_files_go_and_come_back(coscmd, proxy, tmp_path):
    """Upload small and in parts, list, info, download whole and in ranges, copy, sign, delete."""
    (tmp_path / "small.txt").write_text("small")
    big = bytes(range(256)) * 14_000
    (tmp_path / "big.bin").write_bytes(big)
    with operation("upload"):
        coscmd("upload", "small.txt", "dir/small.txt")
    with operation("upload (multipart)"):
        coscmd("upload", "big.bin", "dir/big.bin")
    with operation("list"):
        listed = coscmd("list", "dir/")
        assert "dir/small.txt" in listed
        assert str(len(big)) in listed
    with operation("info"):
        assert "dir/big.bin" in coscmd("info", "dir/big.bin")
    with operation("download"):
        coscmd("download", "dir/small.txt", "back.txt")
        assert (tmp_path / "back.txt").read_text() == "small"
    with operation("download (ranges)"):
        coscmd("download", "dir/big.bin", "back.bin")
        assert (tmp_path / "back.bin").read_bytes() == big
    with operation("copy"):
        coscmd("copy", f"{BUCKET}.cos.{REGION}.myqcloud.com/dir/small.txt", "copied.txt")
    with operation("signurl"):
        (url,) = re.findall(r"https?://[^\s']+", coscmd("signurl", "copied.txt"))
        assert programs.fetch(url.replace("https://", "http://"), proxy) == b"small"
    with operation("delete"):
        coscmd("delete", "-f", "copied.txt")
        coscmd("delete", "-r", "-f", "dir/")
        assert "small.txt" not in coscmd("list")


def test_buckets_and_versions(coscmd):
    """Versioning put and read, an ACL put and read."""
    with operation("putbucketacl, getbucketacl"):
        coscmd("putbucketacl", "--grant-read", "100000000001/100000000001")
        assert "READ" in coscmd("getbucketacl")
    with operation("putbucketversioning, getbucketversioning"):
        coscmd("putbucketversioning", "Enabled")
        assert "Enabled" in coscmd("getbucketversioning")
