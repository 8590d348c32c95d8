"""The part of YAML in which agents are configured: nested mappings of scalars, and lists of scalars.

Not a YAML parser: anchors, tags, lists of mappings and flow mappings are not read but reported.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from podpath.model.origin import Origin, Unrecognized
from podpath.parse.text_lines import text_lines

PLAIN_KEY = r"[^\s#:\"'{}\[\],&*!|>%@`-][^:#]*?|-[^\s:#][^:#]*?"
MAPPING = re.compile(rf"(?P<key>\"[^\"]*\"|'[^']*'|{PLAIN_KEY})\s*:(?:\s+(?P<value>.*))?")
BLOCK = re.compile(r"[|>][+-]?\d?")
EMPTY = frozenset({"", "null", "~", "Null", "NULL", "{}", "[]"})


class Setting(NamedTuple):
    """What stands at a path: one text, or the texts of a list."""

    values: tuple[str, ...]
    line: int
    is_list: bool = False


class _Open(NamedTuple):
    """A mapping whose entries are being read: how far they are indented, and its path."""

    indent: int
    path: str


def parse_flat_yaml(text: str, file: str) -> tuple[dict[str, Setting], tuple[Unrecognized, ...]]:
    """The settings by path (``authentication.anonymous.enabled``); what is null or empty is absent."""
    reader = _Reader(file)
    for line, content in text_lines(text):
        reader.read(line, content)
    return reader.settings, tuple(reader.lost)


class _Reader:
    """Reads a file line by line."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.settings: dict[str, Setting] = {}
        self.lost: list[Unrecognized] = []
        self.mappings: list[_Open] = []
        self.last = _Open(-1, "")
        """The key last read, which a list or a block of text may belong to."""
        self.awaits = False
        """Whether that key has had no value yet."""
        self.block = False

    def read(self, line: int, content: str) -> None:
        """Take the next line."""
        stripped = content.strip()
        indent = len(content) - len(content.lstrip(" "))
        if self.block and indent > self.last.indent:
            self._append(line, stripped)
            return
        self.block = False
        if stripped.startswith("#") or stripped in ("---", "..."):
            return
        if stripped.startswith("- ") or stripped == "-":
            if not self._item(line, indent, stripped[1:].strip()):
                self._lose(line, content, "a list that is not one of plain values")
        elif not self._entry(line, indent, stripped):
            self._lose(line, content, "not of the form key: value")

    def _lose(self, line: int, content: str, reason: str) -> None:
        self.lost.append(Unrecognized(Origin(self.file, line, content), reason))

    def _append(self, line: int, value: str) -> None:
        path = self.last.path
        values, first, _ = self.settings.get(path, Setting((), line))
        self.settings[path] = Setting((*values, value), first, is_list=True)

    def _item(self, line: int, indent: int, text: str) -> bool:
        value = _scalar(text)
        if not self.awaits or indent < self.last.indent or value is None or MAPPING.fullmatch(text):
            return False
        self._append(line, value)
        return True

    def _entry(self, line: int, indent: int, text: str) -> bool:
        found = MAPPING.fullmatch(text)
        if not found:
            return False
        while self.mappings and self.mappings[-1].indent >= indent:
            self.mappings.pop()
        if (
            indent > self.last.indent
            and self.last.path
            and self.awaits
            and not self.settings.get(self.last.path)
        ):
            self.mappings.append(_Open(self.last.indent, self.last.path))
        parent = self.mappings[-1].path if self.mappings else ""
        key = found["key"].strip("\"'")
        path = f"{parent}.{key}" if parent else key
        self.last, value = _Open(indent, path), (found["value"] or "").strip()
        self.awaits = not value or value.startswith("#")
        if self.awaits:
            return True
        if BLOCK.fullmatch(value):
            self.block = True
            return True
        if re.split(r"\s#", value)[0].strip() in EMPTY:
            return True
        values = list(_flow(value)) if value.startswith("[") else [_scalar(value)]
        kept = tuple(one for one in values if one is not None)
        if len(kept) < len(values):
            return False
        if any(kept):
            self.settings[path] = Setting(kept, line, value.startswith("["))
        return True


def _flow(text: str) -> Iterator[str | None]:
    """The elements of ``[a, "b"]``; None for what is not a scalar."""
    end = text.rfind("]")
    if end < 0 or (text[end + 1 :].strip() and not text[end + 1 :].lstrip().startswith("#")):
        yield None
        return
    for part in text[1:end].split(","):
        if part.strip():
            yield _scalar(part.strip())


def _scalar(text: str) -> str | None:
    """A plain or quoted scalar without its comment; None for anything else."""
    if text[:1] in ("'", '"'):
        quote = text[0]
        end = text.find(quote, 1)
        rest = text[end + 1 :].strip()
        return text[1:end] if end > 0 and (not rest or rest.startswith("#")) else None
    plain = re.split(r"\s#", text, maxsplit=1)[0].strip()
    return None if plain[:1] in ("{", "[", "&", "*", "!", "|", ">", "@", "`", "%") else plain
