"""pyarrow's S3FileSystem (the AWS SDK for C++). Too large for the test extra: runs where it is installed."""

from __future__ import annotations

import pytest

from localcloud.defaults import BUCKET, REGION, SECRET_ID, SECRET_KEY
from tests.clients.recording import recorded

pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed (157 MB: not in the test extra)")


def operation(name: str):
    return recorded("pyarrow S3FileSystem (S3 API)", name, version=pa.__version__)


@pytest.fixture
def files(server):
    """Reach the local COS by address, path style."""
    from pyarrow import fs  # noqa: PLC0415 - after the skip

    return fs.S3FileSystem(
        access_key=SECRET_ID, secret_key=SECRET_KEY, endpoint_override=f"127.0.0.1:{server.ports.cos}",
        scheme="http", region=REGION,
    )  # fmt: skip


def test_files_and_parquet(files):
    """Streams in parts, Parquet, selectors, copies, folders."""
    from pyarrow import fs, parquet  # noqa: PLC0415

    data = bytes(range(256)) * 50_000
    with operation("open_output_stream (multipart), open_input_file"):
        with files.open_output_stream(f"{BUCKET}/pa/x.bin") as stream:
            stream.write(data)
        assert files.open_input_file(f"{BUCKET}/pa/x.bin").read() == data
    with operation("Parquet write and read"):
        parquet.write_table(pa.table({"a": [1, 2, 3]}), f"{BUCKET}/pa/t.parquet", filesystem=files)
        assert parquet.read_table(f"{BUCKET}/pa/t.parquet", filesystem=files).num_rows == 3
    with operation("get_file_info, FileSelector"):
        found = files.get_file_info(fs.FileSelector(f"{BUCKET}/pa", recursive=True))
        assert {one.path for one in found} == {f"{BUCKET}/pa/t.parquet", f"{BUCKET}/pa/x.bin"}
    with operation("copy_file, move"):
        files.copy_file(f"{BUCKET}/pa/x.bin", f"{BUCKET}/pa/y.bin")
        files.move(f"{BUCKET}/pa/y.bin", f"{BUCKET}/pa/z.bin")
        assert files.get_file_info(f"{BUCKET}/pa/z.bin").size == len(data)
    with operation("create_dir, delete_dir"):
        files.create_dir(f"{BUCKET}/pa/d/e")
        files.delete_dir(f"{BUCKET}/pa")
        assert files.get_file_info(f"{BUCKET}/pa").type == fs.FileType.NotFound
