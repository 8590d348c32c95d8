"""A bundle in a tar archive: streamed once, checked member by member, never extracted to named files."""

from __future__ import annotations

import tarfile
import tempfile
from typing import IO, BinaryIO, NamedTuple, cast

from podpath.bundle.compression import Readable, Unpacked, foreign, unpacked
from podpath.bundle.errors import BundleError
from podpath.bundle.folder import printable
from podpath.bundle.packed import Packed
from podpath.bundle.paths import normal, objection

CHUNK = 1 << 20
MAX_HEADER_BYTES = 1 << 20
"""Of an extended header (a long name, pax records), which tarfile reads into memory at once."""


class Limits(NamedTuple):
    """What an archive may cost; sizes in bytes. Beyond ``in_memory`` the content lies in an unnamed temporary file."""

    files: int = 200_000
    file_bytes: int = 2 << 30
    total_bytes: int = 8 << 30
    ratio: int = 200
    ratio_from_bytes: int = 64 << 20
    in_memory: int = 256 << 20


LIMITS = Limits()


def unpack(file: BinaryIO, name: str, limits: Limits = LIMITS) -> Packed:
    """The content of a tar archive, plain or compressed; ``BundleError`` for what is damaged, unsafe or too large.

    ``name`` is what sentences call the archive.
    """
    inside = unpacked(file)
    meter = _Meter(inside.stream, file if inside.compression else None, name, limits)
    packed = Packed(limits.in_memory)
    damage: tuple[type[Exception], ...] = (tarfile.TarError, *inside.errors, *_OF_BAD_HEADERS)
    try:
        _copy(meter, packed, name, limits)
        while meter.read(CHUNK):  # to the end, so that the compression's checksum is compared
            pass
    except damage as error:
        raise BundleError(_damaged(file, name, inside, meter.member, error)) from error
    return packed


_OF_BAD_HEADERS = (ValueError, OverflowError, EOFError, KeyError, IndexError, MemoryError)
"""What tarfile lets through when numbers and names in headers make no sense; MemoryError: lzma, of a huge window."""


def _copy(meter: _Meter, packed: Packed, name: str, limits: Limits) -> None:
    seen: set[str] = set()
    offset = 0
    with tarfile.open(fileobj=cast(IO[bytes], meter), mode="r|", tarinfo=_Header) as tar:
        for count, member in enumerate(tar):
            path = normal(member.name)
            shown = meter.member = printable(member.name)
            if wrong := _wrong(member, path, seen, count, limits):
                raise BundleError(
                    f"{name}: {shown} {wrong}, so it is no bundle of ours: nothing was unpacked"
                )
            tar.members.clear()  # type: ignore[attr-defined]  # kept for a second reading, of which there is none
            if member.isdir():
                packed.add(path + "/" if path else "", offset, 0)
                continue
            seen.add(path)
            content = tar.extractfile(member)
            while content and (chunk := content.read(CHUNK)):
                _keep(packed, chunk, name)
            packed.add(path, offset, member.size)
            offset += member.size
    if not seen:
        raise BundleError(f"{name}: the archive holds no files: expected nodes/ or api/ in it")


def _wrong(member: tarfile.TarInfo, path: str, seen: set[str], count: int, limits: Limits) -> str:
    """Why a member is refused; empty if it is not."""
    if wrong := objection(member.name if member.name.startswith("/") else path or "."):
        return wrong
    if member.issym() or member.islnk():
        return f"is a link to {printable(member.linkname)}, and links are not followed"
    if not member.isdir() and (not member.isreg() or member.issparse()):
        return "is neither a file nor a folder (a device, a FIFO or a sparse file)"
    if path in seen:
        return "is there twice"
    if count >= limits.files:
        return f"is one too many: the limit is {limits.files} files"
    if not 0 <= member.size <= limits.file_bytes:
        return f"claims {member.size} bytes and the limit is {limits.file_bytes}"
    return ""


def _keep(packed: Packed, chunk: bytes, name: str) -> None:
    try:
        packed.write(chunk)
    except OSError as error:
        raise BundleError(
            f"{name}: no room for its content in {tempfile.gettempdir()} ({error.strerror}): "
            "set TMPDIR to a folder with more, or unpack it yourself and name the folder"
        ) from error


def _damaged(file: BinaryIO, name: str, inside: Unpacked, member: str, error: Exception) -> str:
    """The sentence for an archive that could be read no further than to ``member``."""
    if member or (inside.errors and isinstance(error, inside.errors)):
        place = f"behind {member}" if member else "at its beginning"
        return f"{name} is damaged or cut off {place} ({error}): copy it again, or collect again"
    file.seek(0)
    magic = file.read(6)
    what = foreign(magic) or "no tar archive" if magic else "empty"
    within = f" inside its {inside.compression} compression" if inside.compression else ""
    return (
        f"{name} is {what}{within}: "
        "expected a bundle, that is a folder, .tar, .tar.gz, .tar.xz or .tar.zst with nodes/ and api/ in it"
    )


class _Header(tarfile.TarInfo):
    """A tar header that does not take a damaged one for the end.

    Of itself ``tarfile`` stops without a word at a header whose checksum is wrong or that is not there; the end of an
    archive is a block of zeros (POSIX ustar), and nothing else is.
    """

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> tarfile.TarInfo:  # type: ignore[override]
        try:
            header = super().frombuf(buf, encoding, errors)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(f"{error} where a tar header should be") from error
        extended = {tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME}
        if header.type in extended | {tarfile.GNUTYPE_LONGLINK} and not 0 <= header.size <= MAX_HEADER_BYTES:
            raise tarfile.ReadError(f"an extended header of {header.size} bytes")
        return header


class _Meter:
    """Reads through to a stream and stops when it gives more than it may."""

    def __init__(self, stream: Readable, packed: BinaryIO | None, name: str, limits: Limits) -> None:
        self.member = ""
        self._stream = stream
        self._packed = packed
        self._name = name
        self._limits = limits
        self._given = 0

    def read(self, size: int) -> bytes:
        chunk = self._stream.read(size)
        self._given += len(chunk)
        place = f"{self._name}: with {self.member or 'its first member'}"
        if self._given > self._limits.total_bytes:
            raise BundleError(
                f"{place} it unpacks to more than {self._limits.total_bytes} bytes, which is the limit"
            )
        if self._packed and self._given > self._limits.ratio_from_bytes:
            taken = self._packed.tell()
            if self._given > taken * self._limits.ratio:
                raise BundleError(
                    f"{place} it unpacks to more than {self._limits.ratio} times its size, as a decompression bomb "
                    "does: if it is none, unpack it yourself and name the folder"
                )
        return chunk
