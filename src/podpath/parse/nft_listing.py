"""The text of ``nft list ruleset``, in which a rule has a line: ``nft -j`` prints all on one.

Nothing is understood here but where tables, chains, sets and rules begin. Whoever has the rule from the JSON finds by
its position in the chain the line that shows it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

_TABLE = re.compile(r"\ntable (\S+) (.+?) \{(?: #.*)?(?=\n)")
_BLOCK = re.compile(r"\n\t(chain|set|map|meter) (.+?) \{(?: #[^\n]*)?(?=\n)")
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
        return self._blocks.get(f"chain {name}")

    def set(self, name: str) -> Block | None:
        """A set, map or meter by name."""
        return next(
            (block for kind in ("set", "map", "meter") if (block := self._blocks.get(f"{kind} {name}"))), None
        )

    @cached_property
    def _blocks(self) -> dict[str, Block]:
        text, line = self._text, self._line
        position, end = self._span
        blocks = {}
        for found in _BLOCK.finditer(text, position, end):
            line += text.count("\n", position, found.start() + 1)
            position = found.start() + 1
            head = f"{found[1]} {found[2]}"
            blocks[head] = Block(text, found.end() + 1, Line(line, f"{head} {{"))
        return blocks


def listed_tables(listing: str) -> dict[tuple[str, str], ListedTable]:
    """The tables of a listing by family and name."""
    text = f"\n{listing}\n"
    heads = list(_TABLE.finditer(text))
    ends = [*(head.start() for head in heads[1:]), len(text)]
    tables, line, position = {}, 0, 0
    for head, end in zip(heads, ends, strict=False):
        line += text.count("\n", position, head.end())
        position = head.end()
        tables[head[1], head[2]] = ListedTable(text, (position, end), line)
    return tables


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
