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
    """A connection with the extension and the local account's secret."""
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
    with operation("COPY TO partitioned JSON"):
        rows = "SELECT range AS n, '2026-11-2' || (range % 3) AS dt FROM range(300)"
        target = f"(FORMAT json, PARTITION_BY dt, OVERWRITE_OR_IGNORE, FILENAME_PATTERN 'part-{{i}}')"
        connection.execute(f"COPY ({rows}) TO 's3://{BUCKET}/ev' {target}")  # noqa: S608
    with operation("read_json by glob, hive partitions"):
        query = f"SELECT dt, count(*) FROM read_json('s3://{BUCKET}/ev/*/*.json', hive_partitioning = true) GROUP BY 1"  # noqa: S608
        assert sorted(str(day)[-2:] + f":{count}" for day, count in connection.execute(query).fetchall()) == [
            "20:100", "21:100", "22:100",
        ]  # fmt: skip
    with operation("COPY TO Parquet (multipart), read_parquet"):
        connection.execute(f"COPY (SELECT range AS n FROM range(2000000)) TO 's3://{BUCKET}/t.parquet'")
        query = f"SELECT count(*), max(n) FROM 's3://{BUCKET}/t.parquet'"  # noqa: S608
        assert connection.execute(query).fetchall() == [(2_000_000, 1_999_999)]
    with operation("glob"):
        found = connection.execute(f"SELECT file FROM glob('s3://{BUCKET}/**')").fetchall()
        assert (f"s3://{BUCKET}/t.parquet",) in found
