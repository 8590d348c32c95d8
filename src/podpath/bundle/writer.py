"""Writing a bundle: redacted, the same bytes from the same content, whole or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator

from podpath.bundle.errors import BundleError
from podpath.bundle.folder import printable
from podpath.bundle.layout import API, MANIFEST, NODES
from podpath.bundle.manifest import Manifest, created_at, encode
from podpath.bundle.packing import compression_of, write_archive
from podpath.bundle.paths import normal, objection
from podpath.bundle.redaction import redact

IN_MEMORY_BYTES = 64 << 20


def write_bundle(
    target: str | os.PathLike[str], files: Iterable[tuple[str, bytes]], manifest: Manifest
) -> list[str]:
    """Write files and manifest, redacted; give back what was removed, each as ``path: place: reason``.

    ``target`` is an archive if it ends in .tar.zst, .tar.xz, .tar.gz, .tgz or .tar, else a folder. It appears when all
    is written, and only then; an archive replaces one of its name, a folder must be new or empty. ``BundleError`` for
    Secrets, for paths that no bundle can have or that come twice, for more than a reader accepts, and for what the
    file system refuses.
    """
    place = os.path.abspath(os.fspath(target))
    when = max(created_at(manifest), 0)
    try:
        with contextlib.closing(_Redacted()) as parts:
            parts.add(MANIFEST, encode(manifest))
            for path, content in files:
                parts.add(path, content)
            if not any(path.startswith((API, NODES)) for path in parts.places):
                raise BundleError("there is nothing to write: no file under nodes/ or api/")
            if compression_of(place) is None:
                _write_folder(place, parts)
            else:
                write_archive(place, parts, when)
            return parts.removed
    except OSError as error:
        raise BundleError(f"{printable(place)} cannot be written ({error.strerror or error})") from error


class _Redacted:
    """Files, redacted, in memory or in a file without a name; to be iterated by path, in order, any number of times."""

    def __init__(self) -> None:
        self.places: dict[str, tuple[int, int]] = {}
        self.removed: list[str] = []
        self._content = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES)  # noqa: SIM115 - closed by close()
        self.close = self._content.close

    def add(self, name: str, content: bytes) -> None:
        path = normal(name)
        if wrong := objection(name):
            raise BundleError(f"{printable(name)} {wrong}, and so cannot be written into a bundle")
        if path.startswith(API) and path.rpartition("/")[2].lower().startswith("secrets."):
            raise BundleError(
                f"{path}: Secrets never go into a bundle, not even redacted: do not collect them"
            )
        if path in self.places:
            raise BundleError(f"{path} was given twice: a bundle has one file of a path")
        clean, found = redact(path, content)
        self.removed += (f"{path}: {what}" for what in found)
        self.places[path] = (self._content.seek(0, os.SEEK_END), len(clean))
        self._content.write(clean)

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        for path in sorted(self.places):
            offset, size = self.places[path]
            self._content.seek(offset)
            yield path, self._content.read(size)


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
