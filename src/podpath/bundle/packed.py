"""A bundle that was an archive: its files by path, in memory or in a file without a name."""

from __future__ import annotations

import tempfile
import threading
import weakref
from bisect import bisect_left
from typing import IO


class Packed:
    """The files of an archive by path, in memory or, when they are large, in a file without a name.

    Nothing of the archive becomes a path on this machine, and the file is gone with the process, however that ends.
    """

    def __init__(self, in_memory: int) -> None:
        self._content: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=in_memory)  # noqa: SIM115 - closed by close()
        self._places: dict[str, tuple[int, int]] = {}
        self._paths: list[str] = []
        self._lock = threading.Lock()
        self.close = weakref.finalize(self, self._content.close)

    def add(self, path: str, offset: int, size: int) -> None:
        """Note that ``path`` (ending in a slash: a folder) has ``size`` bytes from ``offset`` of what was written."""
        self._places[path] = (offset, size)

    def write(self, chunk: bytes) -> None:
        """Append to the content."""
        self._content.write(chunk)

    def settle(self, prefix: str) -> None:
        """All is there: keep what lies below ``prefix`` and name it from there."""
        start = len(prefix)
        self._places = {
            path[start:]: place for path, place in self._places.items() if path.startswith(prefix)
        }
        self._paths = sorted(path for path in self._places if path)

    def folders(self, under: str) -> list[str]:
        """Names of the folders directly in ``under`` (which is empty or ends with a slash), sorted."""
        found = []
        at = bisect_left(self._paths, under)
        while at < len(self._paths) and self._paths[at].startswith(under):
            name, slash, _ = self._paths[at][len(under) :].partition("/")
            if slash and name:
                found.append(name)
                at = bisect_left(self._paths, f"{under}{name}0", at)  # "0" follows "/": behind its content
            else:
                at += 1
        return sorted(found)

    def files(self, under: str) -> list[str]:
        """Paths of all files below ``under``, at any depth, sorted."""
        first = bisect_left(self._paths, under)
        last = bisect_left(self._paths, under[:-1] + "0") if under else len(self._paths)
        return [path for path in self._paths[first:last] if not path.endswith("/")]

    def read(self, path: str) -> bytes | None:
        """The content of a file; None if there is none of that path."""
        place = self._places.get(path)
        if place is None:
            return None
        with self._lock:
            self._content.seek(place[0])
            return self._content.read(place[1])
