"""A bundle in a folder: listed and read when it is asked for."""

from __future__ import annotations

import os
import stat

from podpath.bundle.errors import BundleError
from podpath.bundle.paths import objection

MAX_FILE_BYTES = 2 << 30
_FLAGS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
"""How a file is opened: links were resolved before, and a FIFO that nobody writes to must not be waited for."""


class Folder:
    """Files of a folder, by path relative to it. A folder inside is scanned once, when it is first needed.

    A symbolic link is accepted when it leads to a regular file inside; every other link, and what is neither file nor
    folder, is a ``BundleError`` of whoever lists or reads it.
    """

    def __init__(self, root: str) -> None:
        self.root = os.path.realpath(root)
        self._shown = root
        self._scanned: dict[str, tuple[list[str], list[str]]] = {}
        self._resolved: dict[str, str] = {}

    def folders(self, under: str) -> list[str]:
        """Names of the folders directly in ``under`` (which is empty or ends with a slash), sorted."""
        return self._scan(under)[0]

    def files(self, under: str) -> list[str]:
        """Paths of all files below ``under``, at any depth, sorted."""
        found: list[str] = []
        todo = [under]
        while todo:
            place = todo.pop()
            folders, files = self._scan(place)
            found += (place + name for name in files)
            todo += (f"{place}{name}/" for name in folders)
        return sorted(found)

    def read(self, path: str) -> bytes | None:
        """The content of a file; None if there is none of that path."""
        folder, _, name = path.rpartition("/")
        real = os.path.join(self._real(folder), name)
        if os.path.islink(real):
            real = self._real(path)
        try:
            with open(real, "rb", opener=lambda place, flags: os.open(place, flags | _FLAGS)) as file:
                status = os.fstat(file.fileno())
                if not stat.S_ISREG(status.st_mode):
                    raise BundleError(f"{self._name(path)} is not a regular file: remove it from the bundle")
                if status.st_size > MAX_FILE_BYTES:
                    raise BundleError(
                        f"{self._name(path)} has {status.st_size} bytes and the limit is {MAX_FILE_BYTES}: "
                        "no source of a node is that large, remove it from the bundle"
                    )
                return file.read()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        except OSError as error:
            raise BundleError(self._cannot(path, error)) from error

    def close(self) -> None:
        """Nothing is held open."""

    def _scan(self, under: str) -> tuple[list[str], list[str]]:
        """Names of folders and of files directly in ``under``, each sorted; none if there is no such folder."""
        known = self._scanned.get(under)
        if known is not None:
            return known
        folders: list[str] = []
        files: list[str] = []
        real = self._real(under)
        try:
            with os.scandir(real) as entries:
                for entry in entries:
                    self._sort_in(entry, under + entry.name, folders, files)
        except (FileNotFoundError, NotADirectoryError):
            pass
        except OSError as error:
            raise BundleError(self._cannot(under, error)) from error
        self._scanned[under] = known = (sorted(folders), sorted(files))
        return known

    def _sort_in(self, entry: os.DirEntry[str], path: str, folders: list[str], files: list[str]) -> None:
        if wrong := objection(path):
            raise BundleError(f"{self._name(path)} {wrong}: rename it or remove it")
        if entry.is_file(follow_symlinks=False):
            files.append(entry.name)
        elif entry.is_dir(follow_symlinks=False):
            folders.append(entry.name)
        elif entry.is_symlink():
            real = os.path.realpath(entry.path)
            if not self._inside(real) or not os.path.isfile(real):
                raise BundleError(self._of_link(path, real))
            files.append(entry.name)
        else:
            raise BundleError(f"{self._name(path)} is neither a file nor a folder: remove it from the bundle")

    def _real(self, path: str) -> str:
        """Where a path leads when links are followed; ``BundleError`` if that is outside."""
        real = self._resolved.get(path)
        if real is None:
            real = self._resolved[path] = os.path.realpath(os.path.join(self.root, path))
        if not self._inside(real):
            raise BundleError(self._of_link(path, real))
        return real

    def _inside(self, real: str) -> bool:
        return real == self.root or real.startswith(self.root.rstrip("/") + "/")

    def _name(self, path: str) -> str:
        return printable(os.path.join(self._shown, path))

    def _of_link(self, path: str, real: str) -> str:
        return (
            f"{self._name(path)} is a symbolic link to {printable(real)}, "
            "and only links to files inside the bundle are followed: replace it by a copy, or remove it"
        )

    def _cannot(self, path: str, error: OSError) -> str:
        denied = isinstance(error, PermissionError)
        hint = ": read it as the user who collected it, or change its mode" if denied else ""
        return f"{self._name(path)} cannot be read ({error.strerror or error}){hint}"


def printable(name: str) -> str:
    """A file name as it may be shown in a sentence: what is not printable is escaped."""
    return name if name.isprintable() else ascii(name)
