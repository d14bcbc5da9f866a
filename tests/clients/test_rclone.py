"""rclone with provider TencentCOS: S3 signatures, the bucket in the host name, the local COS as proxy."""

from __future__ import annotations

import re

import pytest

from localcloud.defaults import BUCKET, REGION, SECRET_ID, SECRET_KEY
from tests.clients import programs
from tests.clients.recording import recorded


@pytest.fixture
def rclone(tmp_path, proxy):
    """``rclone(…)`` runs it; the remote is called ``cos``."""
    program = programs.find("rclone")
    (tmp_path / "rclone.conf").touch()
    environment = {
        "http_proxy": proxy, "HOME": str(tmp_path), "RCLONE_CONFIG": str(tmp_path / "rclone.conf"),
        "RCLONE_CONFIG_COS_TYPE": "s3", "RCLONE_CONFIG_COS_PROVIDER": "TencentCOS",
        "RCLONE_CONFIG_COS_ACCESS_KEY_ID": SECRET_ID, "RCLONE_CONFIG_COS_SECRET_ACCESS_KEY": SECRET_KEY,
        "RCLONE_CONFIG_COS_ENDPOINT": f"http://cos.{REGION}.myqcloud.com", "RCLONE_RETRIES": "1",
        "RCLONE_S3_CHUNK_SIZE": "5Mi", "RCLONE_S3_UPLOAD_CUTOFF": "5Mi", "RCLONE_LOW_LEVEL_RETRIES": "1",
    }  # fmt: skip
    return lambda *arguments: programs.run(program, *arguments, environment=environment, cwd=tmp_path)


def test_a_tree_goes_and_comes_back(rclone, proxy, tmp_path):
    """Copy (single and in parts), lsf, check, cat, link, moveto, sync down, delete, mkdir."""
    version = re.search(r"rclone v(\S+)", rclone("version"))[1]

    def operation(name: str):
        return recorded("rclone (TencentCOS)", name, version=version)

    source = tmp_path / "source"
    (source / "dir").mkdir(parents=True)
    (source / "dir" / "中 a.txt").write_text("hello")
    (source / "big.bin").write_bytes(bytes(range(256)) * 50_000)
    with operation("copy (single and multipart)"):
        rclone("copy", "source", f"cos:{BUCKET}/tree")
    with operation("lsf, lsl"):
        assert sorted(rclone("lsf", "-R", f"cos:{BUCKET}/tree").split("\n"))[1:] == ["big.bin", "dir/", "dir/中 a.txt"]
        assert "12800000" in rclone("lsl", f"cos:{BUCKET}/tree")
    with operation("check"):
        assert "0 differences found" in rclone("check", "source", f"cos:{BUCKET}/tree")
    with operation("cat"):
        assert rclone("cat", f"cos:{BUCKET}/tree/dir/中 a.txt") == "hello"
    with operation("link (pre-signed)"):
        url = rclone("link", f"cos:{BUCKET}/tree/dir/中 a.txt").strip()
        assert programs.fetch(url, proxy) == b"hello"
    with operation("moveto (server-side copy)"):
        rclone("moveto", f"cos:{BUCKET}/tree/big.bin", f"cos:{BUCKET}/tree/moved.bin")
    with operation("sync down"):
        rclone("sync", f"cos:{BUCKET}/tree", "back")
        assert (tmp_path / "back" / "moved.bin").read_bytes() == (source / "big.bin").read_bytes()
        assert (tmp_path / "back" / "dir" / "中 a.txt").read_text() == "hello"
    with operation("purge, mkdir, lsd"):
        rclone("purge", f"cos:{BUCKET}/tree")
        assert rclone("lsf", "-R", f"cos:{BUCKET}") == ""
        rclone("mkdir", "cos:made-1250000000")
        assert "made-1250000000" in rclone("lsd", "cos:")
