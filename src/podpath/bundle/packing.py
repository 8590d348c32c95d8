"""Packing files into a tar archive that our own reader accepts."""

from __future__ import annotations

import contextlib
import gzip
import io
import lzma
import os
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from typing import BinaryIO, cast

from podpath.bundle.archive import LIMITS, Limits
from podpath.bundle.errors import BundleError
from podpath.bundle.folder import printable

ZSTD_LEVEL = 9
ZSTD_LONG_WINDOW_LOG = 27
"""128 MiB, the most that a zstd program unpacks unasked: the same source of many nodes lies far apart in a bundle."""
ZSTD_SHORT_WINDOW_LOG = 17
"""128 KiB, less than a node has: its files do not see those of the node before."""


def compression_of(place: str) -> str | None:
    """By a file's name: ``zst``, ``xz``, ``gz``, ``tar`` (none), or None if it is no archive's."""
    name = os.path.basename(place)
    for suffix in (".tar.zst", ".tar.xz", ".tar.gz", ".tgz", ".tar"):
        if name.endswith(suffix):
            return suffix.rpartition(".")[2].replace("tgz", "gz")
    return None


def write_archive(place: str, parts: Iterable[tuple[str, bytes]], when: int, limits: Limits = LIMITS) -> None:
    """Write (path, content), in the order given, dated ``when`` (seconds since 1970); ``parts`` may be iterated twice.

    Nodes are alike: with a long window a thousand of them may compress so well that a reader takes the archive for a
    decompression bomb, and then a short one is used. ``BundleError`` if that does not help or there is too much.
    """
    if os.path.isdir(place):
        raise BundleError(f"{printable(place)} is a folder: name a file to write an archive to")
    parent, name = os.path.split(place)
    with contextlib.ExitStack() as cleanup:
        handle, unfinished = tempfile.mkstemp(prefix=f".{name}.", suffix=".unfinished", dir=parent)
        cleanup.callback(os.unlink, unfinished)
        with open(handle, "w+b") as file:
            for long_window in (True, False):
                unpacked = _write(file, place, parts, when, limits, long_window=long_window)
                if unpacked <= limits.ratio_from_bytes or unpacked <= limits.ratio * file.tell():
                    break
            else:
                raise BundleError(
                    f"{printable(place)} would shrink {unpacked} bytes to {file.tell()} and be taken for a "
                    "decompression bomb: write to a folder or to a .tar"
                )
            os.fsync(file.fileno())  # else a crash after the rename may leave an empty file of the right name
        os.replace(unfinished, place)
        cleanup.pop_all()


def _write(
    file: BinaryIO,
    place: str,
    parts: Iterable[tuple[str, bytes]],
    when: int,
    limits: Limits,
    *,
    long_window: bool,
) -> int:
    """Write the whole archive from the beginning of ``file``; give back its size before compression."""
    file.seek(0)
    file.truncate()
    compression = compression_of(place) or "tar"
    with (
        _compressed(file, compression, when, long_window=long_window) as packed,
        tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as tar,
    ):
        for count, (path, content) in enumerate(parts, 1):
            if count > limits.files or len(content) > limits.file_bytes or tar.offset > limits.total_bytes:
                raise BundleError(
                    f"{printable(place)}: with {path} it is more than an archive may hold ({limits.files} files, "
                    f"{limits.file_bytes} bytes each, {limits.total_bytes} in all): write to a folder"
                )
            member = tarfile.TarInfo(path)
            member.size, member.mtime, member.mode = len(content), when, 0o644
            tar.addfile(member, io.BytesIO(content))
    file.flush()
    return 0 if compression == "tar" else tar.offset


@contextlib.contextmanager
def _compressed(file: BinaryIO, compression: str, when: int, *, long_window: bool) -> Iterator[BinaryIO]:
    """A stream that compresses into ``file``, finished at the end."""
    if compression == "gz":
        with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=when) as stream:
            yield cast(BinaryIO, stream)
    elif compression == "xz":
        with lzma.LZMAFile(file, "wb", preset=6 if long_window else 0) as stream:
            yield cast(BinaryIO, stream)
    elif compression == "zst":
        import zstandard

        parameters = zstandard.ZstdCompressionParameters.from_level(
            ZSTD_LEVEL,
            window_log=ZSTD_LONG_WINDOW_LOG if long_window else ZSTD_SHORT_WINDOW_LOG,
            enable_ldm=long_window,
            write_checksum=True,
        )
        compressor = zstandard.ZstdCompressor(compression_params=parameters)
        with compressor.stream_writer(file, closefd=False) as stream:
            yield cast(BinaryIO, stream)
    else:
        yield file
