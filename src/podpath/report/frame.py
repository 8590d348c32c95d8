"""Lines of evidence, framed with their file and number as compilers do."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import NamedTuple

from podpath.model.origin import Origin
from podpath.report.style import Style, columns, printable

MOST_LINES = 6
"""Of evidence in one frame; of more they are counted."""


class _File(NamedTuple):
    first: Origin
    lines: list[Origin]


def frame(evidence: Sequence[Origin], note: str, style: Style) -> list[str]:
    """The evidence; ``note`` says what the first line does, under it."""
    shown = list(evidence) if style.verbose else list(evidence[:MOST_LINES])
    gutter = max([len(str(origin.line)) for origin in shown if origin.line], default=1)
    lines: list[str] = []
    for number, file in enumerate(_by_file(shown)):
        arrow = "-->" if number == 0 else ":::"
        lines.append(f"{' ' * gutter}{style.paint('frame', arrow)} {printable(str(file.first))}")
        lines += _body(file, note if number == 0 else "", gutter, style)
    if len(shown) < len(evidence):
        lines.append(_bar(gutter, style, f" ... and {len(evidence) - len(shown)} more (-v)"))
    return lines


def _by_file(evidence: Sequence[Origin]) -> list[_File]:
    """Files in order of first mention, each with its lines in order."""
    files: dict[str, _File] = {}
    for origin in evidence:
        files.setdefault(origin.file, _File(origin, [])).lines.append(origin)
    return [_File(first, sorted(lines, key=lambda one: one.line)) for first, lines in files.values()]


def _body(file: _File, note: str, gutter: int, style: Style) -> list[str]:
    if not any(origin.text for origin in file.lines):
        return [_bar(gutter, style, f" {note}")] if note else []
    lines = [_bar(gutter, style)]
    before = 0
    for origin in file.lines:
        if before and origin.line > before + 1:
            lines.append(style.paint("frame", "..."))
        lines += _source(origin, note if origin is file.first else "", gutter, style)
        before = origin.line
    return lines


def _source(origin: Origin, note: str, gutter: int, style: Style) -> list[str]:
    """The line itself, whole, and under it what it does."""
    room = max(20, style.width - gutter - 3)
    text = printable(origin.text.strip()) or "(the line is empty)"
    parts = textwrap.wrap(text, room, drop_whitespace=True, break_on_hyphens=False) or [text]
    number = str(origin.line or "").rjust(gutter)
    lines = [f"{style.paint('frame', f'{number} |')} {parts[0]}"]
    lines += [_bar(gutter, style, f"   {part}") for part in parts[1:]]
    if note:
        lines += _marked(parts, note, gutter, style)
    return lines


def _marked(parts: Sequence[str], note: str, gutter: int, style: Style) -> list[str]:
    carets = "^" * (columns(parts[0]) if len(parts) == 1 else 3)
    room = style.width - gutter - 4 - len(carets)
    if columns(note) <= room:
        return [_bar(gutter, style, " " + style.paint("error", f"{carets} {note}"))]
    wrapped = style.wrap(note, width=style.width - gutter - 3)
    return [
        _bar(gutter, style, " " + style.paint("error", carets)),
        *(_bar(gutter, style, " " + style.paint("error", line)) for line in wrapped),
    ]


def _bar(gutter: int, style: Style, text: str = "") -> str:
    return " " * gutter + style.paint("frame", " |") + text
