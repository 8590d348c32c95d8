"""The line of a field inside an object of ``api/*.json``, found when it is asked for."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping

import msgspec

from podpath.model.kube.meta import Place
from podpath.model.origin import Origin
from podpath.parse.kube_items import places

Locate = Callable[[Origin, tuple[str, ...]], Origin]

_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+', re.DOTALL)
_decode_text = msgspec.json.Decoder(str).decode
_SHOWN = 160
"""Characters of a line that are shown; lists without line breaks have very long ones."""


class Whereabouts:
    """Where the objects of a bundle's files begin. It asks for a file again: none of its text is kept meanwhile."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = files
        self._known: dict[str, tuple[array[int], array[int]]] = {}

    def of(self, file: str) -> Place:
        """A file, for the objects it holds."""
        return Place(file, lambda: self._places(file)[1])

    def _places(self, file: str) -> tuple[array[int], array[int]]:
        """Offsets and lines of a file's objects: 12 bytes each, so that it is gone through once only."""
        if file not in self._known:
            self._known[file] = places(self._files.get(file, b""))
        return self._known[file]

    def locate(self, origin: Origin, path: tuple[str, ...]) -> Origin:
        """The line of a field, see ``Cluster.locate``."""
        data = self._files.get(origin.file)
        if data is None:
            return origin
        offsets, lines = self._places(origin.file)
        for index in range(bisect_left(lines, origin.line), len(lines)):
            if lines[index] != origin.line:
                break
            if _name(data, offsets[index]) == origin.text.partition(" ")[2]:
                return _line_of(data, offsets[index], origin, path)
        return origin


def _name(data: bytes, offset: int) -> str:
    """``shop/web`` of the object at an offset: a file without line breaks holds many on one line."""
    namespace = _scalar(data, offset, ("metadata", "namespace"))
    name = _scalar(data, offset, ("metadata", "name")) or ""
    return f"{namespace}/{name}" if namespace else name


def _scalar(data: bytes, offset: int, path: tuple[str, ...]) -> str | None:
    """The text of a string inside the object at an offset."""
    found, depth = _descend(data, offset, path)
    if depth < len(path):
        return None
    tokens = _TOKEN.finditer(data, found)
    next(tokens)
    next(tokens)
    try:
        return _decode_text(next(tokens).group())
    except (
        msgspec.DecodeError,
        UnicodeDecodeError,
    ):  # of a broken object on the line of the one that is wanted
        return None


def _line_of(data: bytes, offset: int, origin: Origin, path: tuple[str, ...]) -> Origin:
    """The line of a field; of the innermost object around it that exists, when the field does not."""
    found, _ = _descend(data, offset, path)
    begin = data.rfind(b"\n", 0, found) + 1
    end = data.find(b"\n", found)
    end = len(data) if end < 0 else end
    if end - begin > _SHOWN:
        begin, end = found, min(found + _SHOWN, end)
    text = data[begin:end].decode("utf-8", "replace").strip()
    return Origin(origin.file, origin.line + data.count(b"\n", offset, found), text)


def _descend(data: bytes, offset: int, path: tuple[str, ...]) -> tuple[int, int]:
    """How far a path leads into the value at an offset: where its last part that exists begins, and how many do."""
    tokens = _TOKEN.finditer(data, offset)
    found, depth = offset, 0
    token = next(tokens)
    while depth < len(path):
        opening = token.group()
        if opening not in (b"{", b"["):
            break
        entry = _entry(tokens, path[depth], in_list=opening == b"[")
        if entry is None:
            break
        at, token = entry
        found, depth = at, depth + 1
    return found, depth


def _entry(
    tokens: Iterator[re.Match[bytes]], wanted: str, *, in_list: bool
) -> tuple[int, re.Match[bytes]] | None:
    """An entry of the object or list whose opening token was read: where it begins, and its value's first token."""
    index = 0
    for token in tokens:
        if token.group() in (b"}", b"]"):
            return None
        if token.group() == b",":
            continue
        value = token
        if not in_list:
            next(tokens)  # the colon
            value = next(tokens)
        if str(index) == wanted if in_list else token.group() == b'"%s"' % wanted.encode():
            return token.start(), value
        _skip(tokens, value)
        index += 1
    return None


def _skip(tokens: Iterator[re.Match[bytes]], first: re.Match[bytes]) -> None:
    """Reads on to the end of the value that begins with a token."""
    level = int(first.group() in (b"{", b"["))
    while level:
        token = next(tokens).group()
        level += (token in (b"{", b"[")) - (token in (b"}", b"]"))
