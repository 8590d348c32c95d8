"""The terminal: colours, width, and the line that tells of progress."""

from __future__ import annotations

import os
import shutil
import sys
import time

from podpath.report.style import Style

WIDTH_ELSEWHERE = 100
"""Of a file or a pipe."""
NARROWEST, WIDEST = 40, 120
"""Lines longer than the second are no easier to read, however wide the window."""
PATIENCE_S = 0.5
"""Work that is done sooner needs no progress."""
EVERY_S = 0.1


def style(*, no_color: bool = False, verbose: bool = False) -> Style:
    """How to draw on standard output."""
    return Style(color=_colored(no_color=no_color), width=_width(), unicode=_unicode(), verbose=verbose)


def _colored(*, no_color: bool) -> bool:
    """--no-color, then NO_COLOR (no-color.org), then FORCE_COLOR (force-color.org), then whether it is a terminal."""
    if no_color or os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR", "0") not in ("", "0"):
        return True
    return sys.stdout.isatty() and os.environ.get("TERM", "") != "dumb"


def _width() -> int:
    columns = os.environ.get("COLUMNS", "")
    if columns.isascii() and columns.isdigit() and int(columns):
        width = int(columns)
    elif sys.stdout.isatty():
        width = shutil.get_terminal_size((WIDTH_ELSEWHERE, 24)).columns
    else:
        width = WIDTH_ELSEWHERE
    return max(NARROWEST, min(WIDEST, width))


def _unicode() -> bool:
    """Whether ticks and crosses can be written."""
    try:
        "✓✗→".encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


class ProgressLine:
    """One line on standard error, overwritten; nothing where nobody looks, and nothing for short work."""

    def __init__(self) -> None:
        self._shown = False
        self._wanted = sys.stderr.isatty()
        self._next = time.monotonic() + PATIENCE_S

    def __call__(self, what: str, done: int, most: int) -> None:
        """Tell how far it is."""
        if not self._wanted or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + EVERY_S
        self._shown = True
        count = f" {done:,} of {most:,}" if most > 1 else ""
        sys.stderr.write(f"\r\x1b[K{what}{count} ...")
        sys.stderr.flush()

    def clear(self) -> None:
        """Take the line away before anything else is written."""
        if self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._shown = False
