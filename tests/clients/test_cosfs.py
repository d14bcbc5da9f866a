"""cosfs: COS as an fsspec file system, on the vendor's SDK; and DuckDB reading through it."""

from __future__ import annotations

import pytest

from localcloud.defaults import BUCKET, REGION, SECRET_ID, SECRET_KEY
from tests.clients.recording import recorded

cosfs = pytest.importorskip("cosfs", reason="cosfs is not installed")


def operation(name: str):
    return recorded("cosfs", name, version=cosfs.__version__)


@pytest.fixture
def files(proxy):
    """Make a file system of its own for every test: fsspec keeps them otherwise."""
    return cosfs.CosFileSystem(
        region=REGION, secret_id=SECRET_ID, secret_key=SECRET_KEY, scheme="http", max_retry_num=1,
        multipart_size=1 << 20, multipart_threshold=2 << 20, skip_instance_cache=True, use_listings_cache=False,
    )  # fmt: skip


def test_files(files, tmp_path):
    """Write, read, list, find, put and get files, copy, move, remove."""
    with operation("pipe, cat"):
        files.pipe(f"{BUCKET}/ev/dt=1/a.jsonl", b'{"n":1}\n')
        assert files.cat(f"{BUCKET}/ev/dt=1/a.jsonl") == b'{"n":1}\n'
    with operation("open (write in parts, read ranges)"):
        data = bytes(range(256)) * 12_000
        with files.open(f"{BUCKET}/big", "wb", block_size=1 << 20) as stream:
            stream.write(data)
        with files.open(f"{BUCKET}/big", "rb") as stream:
            stream.seek(1000)
            assert stream.read(5000) == data[1000:6000]
    with operation("ls, find, info"):
        assert [one["name"] for one in files.ls(f"{BUCKET}/ev", detail=True)] == [f"{BUCKET}/ev/dt=1"]
        assert files.find(f"{BUCKET}/ev") == [f"{BUCKET}/ev/dt=1/a.jsonl"]
        assert files.info(f"{BUCKET}/big")["size"] == len(data)
    with operation("put, get"):
        (tmp_path / "up").write_bytes(data)
        files.put(str(tmp_path / "up"), f"{BUCKET}/up")
        files.get(f"{BUCKET}/up", str(tmp_path / "down"))
        assert (tmp_path / "down").read_bytes() == data
    with operation("copy, rm"):
        files.copy(f"{BUCKET}/up", f"{BUCKET}/copied")
        assert files.exists(f"{BUCKET}/copied")
        files.rm(f"{BUCKET}/copied")
        files.rm([f"{BUCKET}/up", f"{BUCKET}/big"])
        assert not files.exists(f"{BUCKET}/copied")


def test_duckdb_reads_json_lines_through_it(files):
    """Hive partitions of JSON lines, by DuckDB's register_filesystem."""
    duckdb = pytest.importorskip("duckdb", reason="duckdb is not installed")
    for day in (1, 2):
        files.pipe(f"{BUCKET}/duck/dt={day}/a.jsonl", b'{"n":%d}\n' % day)
    with operation("DuckDB read_json over cosn://"), duckdb.connect() as connection:
        connection.register_filesystem(files)
        query = f"SELECT sum(n), max(dt) FROM read_json('cosn://{BUCKET}/duck/*/*.jsonl', hive_partitioning = true)"  # noqa: S608
        assert connection.execute(query).fetchall() == [(3, 2)]
