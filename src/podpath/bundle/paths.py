"""Paths inside a bundle: relative, POSIX, printable, never leaving it."""

from __future__ import annotations

MAX_PATH_CHARS = 4096


def normal(path: str) -> str:
    """The path without ``./``, doubled slashes and a slash at the end: ``./nodes//n1/`` is ``nodes/n1``."""
    start = "/" if path.startswith("/") else ""
    return start + "/".join(part for part in path.split("/") if part not in {"", "."})


def objection(path: str) -> str:
    """Why a path cannot be one of a bundle's, as the end of a sentence that begins with its name; empty if it can.

    A name is shown on terminals and in pages, hence nothing invisible in it. Tar and file systems may hold names that
    are not UTF-8 (PEP 383 gives them to us with surrogates), and JSON could not hold those.
    """
    if not path:
        return "has no name"
    if path.startswith("/"):
        return "is an absolute path"
    if ".." in path.split("/"):
        return 'climbs out of the bundle by ".."'
    if len(path) > MAX_PATH_CHARS:
        return f"has a name of more than {MAX_PATH_CHARS} characters"
    if any("\ud800" <= char <= "\udfff" for char in path):
        return "has a name that is not UTF-8"
    if not path.isprintable():
        return "has unprintable characters in its name"
    return ""
