"""The line of a field inside an object of ``api/*.json``, found when it is asked for."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping

import msgspec

from podpath.model.origin import Origin

Locate = Callable[[Origin, tuple[str, ...]], Origin]

_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+', re.DOTALL)
_decode_text = msgspec.json.Decoder(str).decode
_SHOWN = 160
"""Characters of a line that are shown; lists without line breaks have very long ones."""


class Starts:
    """Where the objects of a file begin: 12 bytes each, so that a file is not read through to find one."""

    def __init__(self) -> None:
        self.offsets = array("Q")
        self.lines = array("L")

    def add(self, offset: int, line: int) -> None:
        """The next object."""
        self.offsets.append(offset)
        self.lines.append(line)

    def at(self, line: int) -> Iterator[int]:
        """The offsets of the objects that begin on a line."""
        for index in range(bisect_left(self.lines, line), len(self.lines)):
            if self.lines[index] != line:
                return
            yield self.offsets[index]


def locator(files: Mapping[str, bytes], starts: Mapping[str, Starts]) -> Locate:
    """A function for ``Cluster.locate``. It asks for the file again: none of its text is kept meanwhile."""

    def locate(origin: Origin, path: tuple[str, ...]) -> Origin:
        known = starts.get(origin.file)
        data = files.get(origin.file)
        if known is None or data is None:
            return origin
        for offset in known.at(origin.line):
            if _name(data, offset) == origin.text.partition(" ")[2]:
                return _line_of(data, offset, origin, path)
        return origin

    return locate


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
    return _decode_text(next(tokens).group())


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
