"""Lines of evidence, framed with their file and number as compilers do."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import NamedTuple

from podpath.model.origin import Origin
from podpath.report.style import Style, columns, printable

MOST_LINES = 6
"""Of evidence in one frame; of more they are counted."""
MOST_TEXT = 600
"""Characters of one line; what is longer is a table in disguise."""


class _File(NamedTuple):
    first: Origin
    lines: list[Origin]


def shown_of(evidence: Sequence[Origin], style: Style) -> Sequence[Origin]:
    """The evidence that is drawn."""
    return evidence if style.verbose else evidence[:MOST_LINES]


def gutter_of(evidence: Sequence[Origin], style: Style) -> int:
    """The width of the line numbers' column: what stands under the frame is aligned with it."""
    return max([len(str(origin.line)) for origin in shown_of(evidence, style) if origin.line], default=1)


def frame(evidence: Sequence[Origin], note: str, style: Style) -> list[str]:
    """The evidence; ``note`` says what the first line does, under it."""
    shown = shown_of(evidence, style)
    gutter = gutter_of(evidence, style)
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
    if not origin.line:
        return _absence(origin, note, gutter, style)
    room = max(20, style.width - gutter - 5)
    parts = _cut(printable(origin.text.strip()), room, style) or ["(an empty line)"]
    number = str(origin.line).rjust(gutter)
    lines = [f"{style.paint('frame', f'{number} |')} {parts[0]}"]
    lines += [_bar(gutter, style, f"   {part}") for part in parts[1:]]
    return [*lines, *_marked(parts, note, gutter, style)] if note else lines


def _absence(origin: Origin, note: str, gutter: int, style: Style) -> list[str]:
    """What a source does not hold has no line to point at."""
    texts = [text for text in dict.fromkeys((origin.text, note)) if text]
    return [
        _bar(gutter, style, " " + style.paint("error", line))
        for text in texts
        for line in style.wrap(printable(text), width=style.width - gutter - 3)
    ]


def _cut(text: str, room: int, style: Style) -> list[str]:
    """A long line in several; of a very long one its beginning and end."""
    if len(text) > MOST_TEXT and not style.verbose:
        text = f"{text[: MOST_TEXT * 3 // 4]} ... {text[-MOST_TEXT // 4 :]}"
    return textwrap.wrap(text, room, break_on_hyphens=False)


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
