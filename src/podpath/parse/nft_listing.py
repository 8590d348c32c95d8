"""The text of ``nft list ruleset``, in which a rule has a line: ``nft -j`` prints all on one.

Nothing is understood here but where tables, chains, sets and rules begin. Whoever has the rule from the JSON finds by
its position in the chain the line that shows it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

_HANDLE = re.compile(r" # handle \d+$")
_NO_RULE = ("type ", "policy ", "comment ", "flags ", "devices ", "#")
"""How lines of a chain begin that are no rules."""
_DEVICES = re.compile(r'devices? (?:= )?(?:\{([^}]*)\}|("[^"]*"|\S+))')


class Line(NamedTuple):
    """A line: its number from 1, and its text without the indentation. What goes over several is joined."""

    number: int
    text: str


class Block:
    """A chain or set of a listing."""

    def __init__(self, text: str, start: int, line: Line) -> None:
        self._text = text
        self._start = start
        self.head = line

    @cached_property
    def lines(self) -> tuple[Line, ...]:
        """The lines inside the braces."""
        return tuple(_statements(self._text, self._start, self.head.number + 1))

    @property
    def rules(self) -> list[Line]:
        """The rules of a chain."""
        return [line for line in self.lines if line.text and not line.text.startswith(_NO_RULE)]

    @property
    def declaration(self) -> Line:
        """The line that gives a base chain its hook and policy; of other chains and of sets the first line."""
        if self.head.text.startswith("chain "):
            return next((line for line in self.lines if line.text.startswith("type ")), self.head)
        return self.head

    @property
    def devices(self) -> tuple[str, ...]:
        """The devices of a netdev chain, which ``nft -j`` before 1.0.7 does not print."""
        found = _DEVICES.search(self.declaration.text)
        names = (found[1] or found[2] or "").split(",") if found else []
        return tuple(name for name in (part.strip(' ";') for part in names) if name)

    @property
    def flags(self) -> tuple[str, ...]:
        """The flags of a set (``dynamic`` is missing in the JSON of nft 1.0). They stand before its elements."""
        for line in _statements(self._text, self._start, self.head.number + 1):
            if line.text.startswith("flags "):
                return tuple(line.text.removeprefix("flags ").split(","))
            if line.text.startswith("elements "):
                break
        return ()


class ListedTable:
    """A table of a listing; its chains and sets are looked for when first asked for."""

    def __init__(self, text: str, span: tuple[int, int], line: int) -> None:
        self._text = text
        self._span = span
        self._line = line

    @property
    def dormant(self) -> bool:
        """Whether the table says that it is switched off."""
        start, end = self._span
        head = self._text[start : min(end, start + 400)].split("\n\n", 1)[0]
        return any(line.startswith("\tflags ") and "dormant" in line for line in head.split("\n"))

    def chain(self, name: str) -> Block | None:
        """A chain by name."""
        return self._block("chain", name)

    def set(self, name: str) -> Block | None:
        """A set, map or meter by name."""
        return self._block("set", name) or self._block("map", name) or self._block("meter", name)

    def _block(self, kind: str, name: str) -> Block | None:
        line, start = self._places[kind].get(name, (0, 0))
        return Block(self._text, start, Line(line, f"{kind} {name} {{")) if start else None

    @cached_property
    def _places(self) -> dict[str, dict[str, tuple[int, int]]]:
        """Where chains and sets stand: the line, and where the next one begins in the text."""
        return {
            kind: {name: (line, after) for name, line, after in self._heads(kind)}
            for kind in ("chain", "set", "map", "meter")
        }

    def _heads(self, kind: str) -> Iterator[tuple[str, int, int]]:
        return _heads(self._text, f"\n\t{kind} ", self._span, self._line)


def listed_tables(listing: str) -> dict[tuple[str, str], ListedTable]:
    """The tables of a listing by family and name."""
    text = f"\n{listing}\n"
    heads = list(_heads(text, "\ntable ", (0, len(text)), 0))
    ends = (*(after for _, _, after in heads[1:]), len(text))
    tables = {}
    for (head, line, after), end in zip(heads, ends, strict=False):
        family, _, name = head.partition(" ")
        tables[family, name] = ListedTable(text, (after - 1, end), line)
    return tables


def _heads(text: str, opening: str, span: tuple[int, int], line: int) -> Iterator[tuple[str, int, int]]:
    """The lines that open a block: the name, the line's number and where the next line begins.

    The number of the line in which the span begins is known. Half of a large listing are such lines, hence ``find``.
    """
    position, end = span
    found = text.find(opening, position, end)
    while found >= 0:
        name_at = found + len(opening)
        after = text.find("\n", name_at)
        head = text[name_at:after]
        if not head.endswith(" {"):
            head = _HANDLE.sub("", head)
        line += text.count("\n", position, name_at)
        position = name_at
        if head.endswith(" {"):
            yield head[:-2], line, after + 1
        found = text.find(opening, position, end)


def _statements(text: str, start: int, number: int) -> Iterator[Line]:
    """The lines of a block up to its closing brace; one with open braces or quotes goes on in the next."""
    depth, quoted = 0, False
    parts: list[str] = []
    first = number
    while start < len(text):
        end = text.find("\n", start)
        line = text[start : end if end >= 0 else len(text)]
        start += len(line) + 1
        if not parts:
            first = number
            if line.strip() == "}":
                return
        number += 1
        parts.append(line.strip())
        pieces = line.split('"')
        for piece in pieces[1 if quoted else 0 :: 2]:
            depth += piece.count("{") - piece.count("}")
        quoted ^= len(pieces) % 2 == 0
        if depth <= 0 and not quoted:
            yield Line(first, _HANDLE.sub("", " ".join(parts)))
            depth, parts = 0, []
