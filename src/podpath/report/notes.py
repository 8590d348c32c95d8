"""The parts that a finding and the cause of an answer have in common: headline, notes, fix."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from podpath.model.finding import Fix
from podpath.report.style import Style, counted, printable

LABEL = 8
"""Columns of the labels."""
MOST_STEPS = 6
MOST_STEP_LINES = 12
"""Of one step, where it is a file."""

Undo = Callable[[Fix], Sequence[str]]


def headline(role: str, code: str, message: str, style: Style) -> list[str]:
    """``error[ip-forward-off]: n2 forwards nothing``."""
    head = f"{role}[{code}]"
    first, *rest = style.wrap(f"{head}: {printable(message)}", hang="  ")
    bold = [style.paint("bold", line) for line in rest]
    return [style.paint(role, head) + style.paint("bold", first[len(head) :]), *bold]


class Notes:
    """The lines ``= label  text`` under a frame."""

    def __init__(self, style: Style, gutter: int) -> None:
        self.style = style
        self.lines: list[str] = []
        self._bar = " " * (gutter + 1) + style.paint("frame", "=")
        self._under = " " * (gutter + 3 + LABEL)

    def text(self, label: str, text: str, *, bullet: str = "") -> None:
        """Words, wrapped."""
        hang = self._under + " " * len(bullet)
        lines = self.style.wrap(text, self._under + bullet, hang)
        self.lines += [self._indent(label) + lines[0][len(self._under) :], *lines[1:]]

    def verbatim(self, label: str, text: str) -> None:
        """A command, or a file in several lines, as it is: it can be copied."""
        lines = text.splitlines() or [""]
        shown = lines if self.style.verbose or len(lines) <= MOST_STEP_LINES + 1 else lines[:MOST_STEP_LINES]
        for number, line in enumerate(shown):
            self.lines.append(self._indent("" if number else label) + printable(line))
        if len(shown) < len(lines):
            self.text("", f"... and {len(lines) - len(shown)} more lines (-v shows it whole)")

    def fix(self, fix: Fix, undo: Undo | None = None) -> None:
        """What to do, at what risk, and with -v how to take it back."""
        if fix.summary:
            self.text("fix", printable(fix.summary))
        steps = fix.steps if self.style.verbose else fix.steps[:MOST_STEPS]
        for number, step in enumerate(steps):
            self.verbatim("" if number or fix.summary else "fix", step)
        if len(steps) < len(fix.steps):
            self.text("", f"... and {counted(len(fix.steps) - len(steps), 'more step')} (-v)")
        if fix.risk:
            self.text("risk", printable(fix.risk))
        if self.style.verbose and undo is not None:
            for number, step in enumerate(undo(fix)):
                self.verbatim("" if number else "undo", step)

    def _indent(self, label: str) -> str:
        if not label:
            return self._under
        return f"{self._bar} {self.style.paint('bold', label)}{' ' * (LABEL - len(label))}"
