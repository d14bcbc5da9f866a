"""Object bytes on disk: plain files under the object's own name, so that JSON lines can be looked at with ``cat``.

    <root>/staging/<token>                      being written
    <root>/<bucket>/objects/<key path>          objects; what a file name cannot carry is percent-encoded
    <root>/<bucket>/objects/%hashed/<sha256>    objects whose name clashes with another's or is too long
    <root>/<bucket>/objects/%versions/<sha256>/ further versions, where a bucket keeps them
    <root>/<bucket>/uploads/<upload id>/        parts of multipart uploads

The index, not this tree, says what exists: a name here is only where the index looks for the bytes.
"""

from __future__ import annotations

import hashlib
import secrets
import shutil
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from localcloud.cos.integrity import crc64

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

CHUNK_BYTES = 1 << 20
_SEGMENT_LIMIT_BYTES = 200  # file systems take 255; some count characters, some UTF-16 units
_NAME_LIMIT_BYTES = 700  # macOS takes paths of 1024 in all
_DOTS = {".": "%2E", "..": "%2E%2E", "": "%"}


class Staged(NamedTuple):
    """Bytes that were written out and not yet given a name. ``md5``: raw digest; ``crc64``: see integrity."""

    path: Path
    size: int
    md5: bytes
    crc64: int


def file_name(key: bytes) -> str | None:
    """Relative path for ``key``, one segment a slash; None when it is too long for a file system.

    An empty segment is ``%`` alone, which no encoding yields.
    """
    segments = [quote(segment, safe="-_.~=+@,") for segment in key.split(b"/")]
    if max(map(len, segments)) > _SEGMENT_LIMIT_BYTES or len(key) > _NAME_LIMIT_BYTES:
        return None
    name = "/".join(_DOTS.get(segment, segment) for segment in segments)
    return name if len(name) <= _NAME_LIMIT_BYTES else None


def hashed_name(key: bytes) -> str:
    """Relative path for a key that cannot have one of its own."""
    return f"%hashed/{hashlib.sha256(key).hexdigest()}"


def iter_chunks(stream: IO[bytes], size: int) -> Iterator[bytes]:
    """Read ``size`` bytes from where ``stream`` stands, in chunks."""
    while size > 0 and (chunk := stream.read(min(CHUNK_BYTES, size))):
        size -= len(chunk)
        yield chunk


class Files:
    """The tree of one COS. Callers hold the store's lock around ``place``, ``promote`` and ``remove``."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.staging = root / "staging"
        self.staging.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def stage(self, chunks: Iterable[bytes]) -> Iterator[Staged]:
        """Write ``chunks`` to a temporary file; it is gone at the end unless it was promoted."""
        path = self.staging / secrets.token_hex(12)
        try:
            yield self._write(path, chunks)
        finally:
            path.unlink(missing_ok=True)

    def _write(self, path: Path, chunks: Iterable[bytes]) -> Staged:
        size, crc, md5 = 0, 0, hashlib.md5()
        with path.open("wb", buffering=0) as stream:
            for chunk in chunks:
                stream.write(chunk)
                md5.update(chunk)
                crc = crc64(chunk, crc)
                size += len(chunk)
        return Staged(path, size, md5.digest(), crc)

    def path_of(self, bucket: str, file: str) -> Path:
        """Where an object's bytes lie."""
        return self.root / bucket / "objects" / file

    def part_path(self, bucket: str, upload_id: str, part: str) -> Path:
        """Where a part's bytes lie."""
        return self.root / bucket / "uploads" / upload_id / part

    def place(self, bucket: str, key: bytes, version_id: str = "") -> str:
        """Choose the file of a new key, or of a further version of one, and make its folder.

        Falls back to the hashed name when the path is taken: ``a`` beside ``a/b``, or ``A`` beside ``a`` where the
        file system does not tell them apart, or an older version.
        """
        last = f"%versions/{hashlib.sha256(key).hexdigest()}/{version_id}" if version_id else hashed_name(key)
        for file in (file_name(key), last):
            if file is None:
                continue
            path = self.path_of(bucket, file)
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                if not path.exists():
                    return file
            except OSError:  # a folder of it is a file, or a name is too long after all
                continue
        return last

    def promote(self, staged: Path, target: Path) -> None:
        """Give staged bytes their name, in one step."""
        try:
            staged.replace(target)
        except FileNotFoundError:
            target.parent.mkdir(parents=True, exist_ok=True)
            staged.replace(target)

    def remove(self, bucket: str, file: str) -> None:
        """Delete an object's file and the folders it leaves empty."""
        path = self.path_of(bucket, file)
        path.unlink(missing_ok=True)
        top = self.path_of(bucket, "")
        for folder in path.parents:
            if folder == top:
                return
            try:
                folder.rmdir()
            except OSError:  # not empty
                return

    def remove_tree(self, *parts: str) -> None:
        """Delete a folder below the root with all that is in it."""
        shutil.rmtree(self.root.joinpath(*parts), ignore_errors=True)
