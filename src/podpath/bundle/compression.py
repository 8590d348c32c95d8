"""Which compression a file has, by its first bytes, and the stream inside."""

from __future__ import annotations

import gzip
import lzma
import zlib
from typing import BinaryIO, NamedTuple, Protocol

MAX_ZSTD_WINDOW = 1 << 30
"""Memory that a zstd frame may ask for, bytes; ``zstd --long=30`` still opens."""


class Readable(Protocol):
    """All that is asked of a stream."""

    def read(self, size: int, /) -> bytes:
        """Up to ``size`` bytes, empty at the end."""
        ...


class Unpacked(NamedTuple):
    """The stream inside ``file``; ``errors`` is what its ``read`` raises when the data is damaged."""

    stream: Readable
    compression: str
    errors: tuple[type[Exception], ...]


def unpacked(file: BinaryIO) -> Unpacked:
    """The decompressed stream of a file that stands at its beginning; as it is if it has no compression we know."""
    magic = file.read(6)
    file.seek(0)
    if magic.startswith(b"\x1f\x8b"):
        return Unpacked(gzip.GzipFile(fileobj=file), "gzip", (zlib.error, EOFError, OSError))
    if magic.startswith(b"\xfd7zXZ\0"):
        return Unpacked(lzma.LZMAFile(file), "xz", (lzma.LZMAError, EOFError))
    if magic.startswith(b"\x28\xb5\x2f\xfd") or (magic[1:4] == b"\x2a\x4d\x18" and magic[0] >> 4 == 5):
        import zstandard  # a fifth of podpath's whole start

        reader = zstandard.ZstdDecompressor(max_window_size=MAX_ZSTD_WINDOW)
        return Unpacked(reader.stream_reader(file, read_across_frames=True), "zstd", (zstandard.ZstdError,))
    return Unpacked(file, "", ())


_FOREIGN = {
    b"PK\x03\x04": "a zip file",
    b"BZh": "compressed by bzip2",
    b"7z\xbc\xaf": "a 7-Zip file",
    b"Rar!": "a RAR file",
}


def foreign(magic: bytes) -> str:
    """The name of a format that people hand over and that we do not read; empty if we do not know it either."""
    return next((name for start, name in _FOREIGN.items() if magic.startswith(start)), "")
