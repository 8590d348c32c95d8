"""The page of a check, from its docstring."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping

from podpath.report.style import Style, columns, printable

INDENT = "  "
_CODE = re.compile(r"``?([^`]+)``?")
_EMPHASIS = re.compile(r"(?<![\w*])\*{1,2}([^\s*](?:[^*]*[^\s*])?)\*{1,2}(?![\w*])")
_ITEM = re.compile(r"^(\s*)([-*]|\d+\.) ")


def page_lines(code: str, page: str, style: Style) -> list[str]:
    """Headings stand out, paragraphs are wrapped, what is indented stays as it is."""
    text = textwrap.dedent(page.strip("\n"))
    first, _, rest = text.strip().partition("\n\n")
    title = " ".join(first.split())
    lines = [style.paint("bold", line) for line in style.wrap(f"{code}: {_plain(title)}", hang=INDENT)]
    for block in _blocks(textwrap.dedent(rest)):
        lines += ["", *_block(block, style)]
    return lines


def _blocks(text: str) -> Iterator[list[str]]:
    """Runs of lines without an empty one between them; indented runs keep theirs."""
    block: list[str] = []
    for line in text.splitlines():
        if line.strip():
            heading = line.startswith("#") or bool(block and block[-1].startswith("#"))
            if block and (heading or _is_code(line) != _is_code(block[-1])):
                yield block
                block = []
            block.append(line)
        elif block and _is_code(block[-1]):
            block.append("")
        elif block:
            yield block
            block = []
    if block:
        yield block


def _is_code(line: str) -> bool:
    return line.startswith("    ") or not line.strip()


def _block(block: list[str], style: Style) -> list[str]:
    if block[0].startswith("#"):
        return [style.paint("info", printable(_plain(block[0].lstrip("# "))))]
    if _is_code(block[0]):
        return [
            style.paint("frame", printable(line.rstrip())) for line in "\n".join(block).rstrip().splitlines()
        ]
    if _ITEM.match(block[0]):
        return [
            line for item in _items(block) for line in style.wrap(printable(_plain(item)), INDENT, INDENT * 2)
        ]
    return style.wrap(printable(_plain(" ".join(line.strip() for line in block))), INDENT, INDENT)


def _items(block: list[str]) -> Iterator[str]:
    """The entries of a list, each in one line."""
    item = ""
    for line in block:
        if _ITEM.match(line) and item:
            yield item
            item = ""
        item = f"{item} {line.strip()}".strip()
    yield item


def _plain(text: str) -> str:
    """Without the marks of code and emphasis."""
    return _EMPHASIS.sub(r"\1", _CODE.sub(r"\1", text))


def list_lines(titles: Mapping[str, str], style: Style) -> list[str]:
    """All checks, one a line."""
    width = max((columns(code) for code in titles), default=0)
    lines: list[str] = []
    for code, title in sorted(titles.items()):
        head = f"{code:{width}}  "
        first, *rest = style.wrap(printable(_plain(title)), head)
        lines += [style.paint("bold", head) + first[len(head) :], *rest]
    return lines
