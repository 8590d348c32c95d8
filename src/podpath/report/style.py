"""How text is drawn: width, colour, and what must not reach a terminal as it is."""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections.abc import Iterable
from typing import NamedTuple

CODES = {
    "error": "1;31",
    "warning": "1;33",
    "info": "1;36",
    "good": "32",
    "bad": "31",
    "frame": "34",
    "bold": "1",
    "dim": "2",
}
"""SGR parameters (ECMA-48, 8.3.117): the sixteen colours that every theme has made readable."""

_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
"""Control characters, those that turn the direction of text, and halves of surrogates (bytes that are no UTF-8)."""


class Style(NamedTuple):
    """How to draw."""

    color: bool = False
    width: int = 100
    unicode: bool = True
    verbose: bool = False

    def paint(self, role: str, text: str) -> str:
        """The text in the colour of its role, if there are colours."""
        return f"\x1b[{CODES[role]}m{text}\x1b[0m" if self.color and text else text

    @property
    def tick(self) -> str:
        """It holds."""
        return "✓" if self.unicode else "+"

    @property
    def cross(self) -> str:
        """It does not."""
        return "✗" if self.unicode else "x"

    def wrap(self, text: str, indent: str = "", hang: str | None = None, width: int = 0) -> list[str]:
        """The text in lines of the width, the first behind ``indent``, the others behind ``hang``."""
        hang = " " * columns(indent) if hang is None else hang
        room = max(20, (width or self.width) - max(columns(indent), columns(hang)))
        lines = textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False) or [""]
        return [(indent if number == 0 else hang) + line for number, line in enumerate(lines)]


def printable(text: str) -> str:
    """The text with everything escaped that a terminal would obey instead of showing it."""
    return _UNPRINTABLE.sub(_escape, text.replace("\t", "    "))


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def columns(text: str) -> int:
    """How many columns the text takes; East Asian characters take two."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in text)
    combining = sum(bool(unicodedata.combining(char)) for char in text)
    return len(text) + wide - combining


def listed(words: Iterable[str], most: int = 4) -> str:
    """``a, b and c``; of many the first, and how many more."""
    every = list(words)
    if len(every) > most + 1:
        return f"{', '.join(every[:most])} and {len(every) - most:,} more"
    return " and ".join((", ".join(every[:-1]), every[-1])) if len(every) > 1 else "".join(every)


def counted(number: int, word: str, plural: str = "") -> str:
    """``1 node``, ``1,204 nodes``."""
    return f"{number:,} {word if number == 1 else plural or word + 's'}"
