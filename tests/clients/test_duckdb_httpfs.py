"""DuckDB's httpfs reads the buckets as S3: the extension comes from PyPI, of the version of DuckDB itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from localcloud.defaults import BUCKET, REGION, SECRET_ID, SECRET_KEY
from tests.clients.recording import recorded

duckdb = pytest.importorskip("duckdb", reason="duckdb is not installed")
extension = pytest.importorskip("duckdb_extension_httpfs", reason="duckdb-extension-httpfs is not installed")


@pytest.fixture
def connection(server):
    """Connect with the extension and the local account's secret."""
    found = list(Path(extension.__file__).parent.glob(f"extensions/v{duckdb.__version__}/httpfs.duckdb_extension"))
    if not found:
        pytest.skip(f"duckdb-extension-httpfs is not of DuckDB's version {duckdb.__version__}")
    with duckdb.connect() as connection:
        connection.execute(f"LOAD '{found[0]}'")
        connection.execute(
            f"CREATE SECRET (TYPE s3, KEY_ID '{SECRET_ID}', SECRET '{SECRET_KEY}', REGION '{REGION}',"
            f" ENDPOINT '127.0.0.1:{server.ports.cos}', URL_STYLE 'path', USE_SSL false)"
        )
        yield connection


def operation(name: str):
    return recorded("DuckDB httpfs (S3 API)", name, version=duckdb.__version__)


def test_json_lines_and_parquet(connection):
    """Writes JSON lines and Parquet in parts, reads them by glob with hive partitions, lists."""
    with operation("COPY TO JSON lines"):
        for day in ("20", "21"):
            rows = "(SELECT range AS n FROM range(100))"
            connection.execute(f"COPY {rows} TO 's3://{BUCKET}/ev/dt=2026-11-{day}/a.jsonl' (FORMAT json)")
    with operation("read_json by glob, hive partitions"):
        source = f"read_json('s3://{BUCKET}/ev/*/*.jsonl', hive_partitioning = true)"
        found = connection.execute(f"SELECT dt, count(*) FROM {source} GROUP BY dt ORDER BY dt").fetchall()  # noqa: S608
        assert [(str(day), count) for day, count in found] == [("2026-11-20", 100), ("2026-11-21", 100)]
    with operation("COPY TO Parquet (multipart), read_parquet"):
        # execute, not sql: the latter keeps Python's lock while it waits for the server, which is in this process.
        connection.execute(f"COPY (SELECT range AS n FROM range(2000000)) TO 's3://{BUCKET}/t.parquet'")  # noqa: S608
        table = f"read_parquet('s3://{BUCKET}/t.parquet')"
        assert connection.execute(f"SELECT count(*), max(n) FROM {table}").fetchall() == [(2_000_000, 1_999_999)]  # noqa: S608
    with operation("glob"):
        found = connection.execute(f"FROM glob('s3://{BUCKET}/**')").fetchall()
        assert (f"s3://{BUCKET}/t.parquet",) in found
