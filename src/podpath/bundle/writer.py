"""Writing a bundle: redacted, the same bytes from the same content, whole or not at all."""

from __future__ import annotations

import contextlib
import gzip
import io
import lzma
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from typing import IO, BinaryIO, cast

from podpath.bundle.errors import BundleError
from podpath.bundle.folder import printable
from podpath.bundle.layout import API, MANIFEST, NODES
from podpath.bundle.manifest import Manifest, created_at, encode
from podpath.bundle.paths import normal, objection
from podpath.bundle.redaction import redact

IN_MEMORY_BYTES = 64 << 20
ZSTD_LEVEL = 9
ZSTD_WINDOW_LOG = 27
"""128 MiB, the most that a zstd program unpacks unasked: the same source of many nodes lies far apart in a bundle."""


def write_bundle(
    target: str | os.PathLike[str], files: Iterable[tuple[str, bytes]], manifest: Manifest
) -> list[str]:
    """Write files and manifest, redacted; give back what was removed, each as ``path: place: reason``.

    ``target`` is an archive if it ends in .tar.zst, .tar.xz, .tar.gz, .tgz or .tar, else a folder. It appears when all
    is written, and only then; an archive replaces one of its name, a folder must be new or empty. ``BundleError`` for
    Secrets, for paths that no bundle can have or that come twice, and for what the file system refuses.
    """
    place = os.path.abspath(os.fspath(target))
    when = max(created_at(manifest), 0)
    try:
        with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES) as content:
            places, removed = _gather(content, files, manifest)
            parts = ((path, _part(content, *places[path])) for path in sorted(places))
            if _compression(place) is None:
                _write_folder(place, parts)
            else:
                _write_archive(place, parts, when)
    except OSError as error:
        raise BundleError(f"{printable(place)} cannot be written ({error.strerror or error})") from error
    return removed


def _gather(
    content: IO[bytes], files: Iterable[tuple[str, bytes]], manifest: Manifest
) -> tuple[dict[str, tuple[int, int]], list[str]]:
    """Append every file, redacted, to ``content``: (offset, size) by path, and what was removed."""
    places: dict[str, tuple[int, int]] = {}
    removed: list[str] = []
    for name, raw in _with_manifest(files, manifest):
        path = normal(name)
        if wrong := objection(name):
            raise BundleError(f"{printable(name)} {wrong}, and so cannot be written into a bundle")
        if path.startswith(API) and path.rpartition("/")[2].lower().startswith("secrets."):
            raise BundleError(
                f"{path}: Secrets never go into a bundle, not even redacted: do not collect them"
            )
        if path in places:
            raise BundleError(f"{path} was given twice: a bundle has one file of a path")
        clean, found = redact(path, raw)
        removed += (f"{path}: {what}" for what in found)
        places[path] = (content.tell(), len(clean))
        content.write(clean)
    if not any(path.startswith((API, NODES)) for path in places):
        raise BundleError("there is nothing to write: no file under nodes/ or api/")
    return places, removed


def _with_manifest(files: Iterable[tuple[str, bytes]], manifest: Manifest) -> Iterator[tuple[str, bytes]]:
    yield MANIFEST, encode(manifest)
    yield from files


def _part(content: IO[bytes], offset: int, size: int) -> bytes:
    content.seek(offset)
    return content.read(size)


def _compression(place: str) -> str | None:
    """``zst``, ``xz``, ``gz``, ``tar`` (none), or None for a folder."""
    name = os.path.basename(place)
    for suffix in (".tar.zst", ".tar.xz", ".tar.gz", ".tgz", ".tar"):
        if name.endswith(suffix):
            return suffix.rpartition(".")[2].replace("tgz", "gz")
    return None


def _write_folder(place: str, parts: Iterable[tuple[str, bytes]]) -> None:
    if os.path.lexists(place) and not (os.path.isdir(place) and not os.listdir(place)):
        raise BundleError(f"{printable(place)} is there already and not an empty folder: name a new one")
    parent, name = os.path.split(place)
    with contextlib.ExitStack() as cleanup:
        unfinished = tempfile.mkdtemp(prefix=f".{name}.", suffix=".unfinished", dir=parent)
        cleanup.callback(shutil.rmtree, unfinished, ignore_errors=True)
        for path, content in parts:
            file = os.path.join(unfinished, path)
            os.makedirs(os.path.dirname(file), exist_ok=True)
            with open(file, "xb") as out:
                out.write(content)
        os.rename(unfinished, place)
        cleanup.pop_all()


def _write_archive(place: str, parts: Iterable[tuple[str, bytes]], when: int) -> None:
    if os.path.isdir(place):
        raise BundleError(f"{printable(place)} is a folder: name a file to write an archive to")
    parent, name = os.path.split(place)
    with contextlib.ExitStack() as cleanup:
        handle, unfinished = tempfile.mkstemp(prefix=f".{name}.", suffix=".unfinished", dir=parent)
        cleanup.callback(os.unlink, unfinished)
        with open(handle, "wb") as file:
            with (
                _compressed(file, _compression(place) or "", when) as packed,
                tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as tar,
            ):
                for path, content in parts:
                    member = tarfile.TarInfo(path)
                    member.size, member.mtime, member.mode = len(content), when, 0o644
                    tar.addfile(member, io.BytesIO(content))
            file.flush()
            os.fsync(file.fileno())  # else a crash after the rename may leave an empty file of the right name
        os.replace(unfinished, place)
        cleanup.pop_all()


@contextlib.contextmanager
def _compressed(file: BinaryIO, compression: str, when: int) -> Iterator[BinaryIO]:
    """A stream that compresses into ``file``, finished at the end."""
    if compression == "gz":
        with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=when) as stream:
            yield cast(BinaryIO, stream)
    elif compression == "xz":
        with lzma.LZMAFile(file, "wb", preset=6) as stream:
            yield cast(BinaryIO, stream)
    elif compression == "zst":
        import zstandard

        parameters = zstandard.ZstdCompressionParameters.from_level(
            ZSTD_LEVEL, window_log=ZSTD_WINDOW_LOG, enable_ldm=True, write_checksum=True
        )
        compressor = zstandard.ZstdCompressor(compression_params=parameters)
        with compressor.stream_writer(file, closefd=False) as stream:
            yield cast(BinaryIO, stream)
    else:
        yield file
