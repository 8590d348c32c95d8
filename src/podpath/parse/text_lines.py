"""The lines of a file, numbered as an editor numbers them."""

from __future__ import annotations

from collections.abc import Iterator


def text_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines that say something, with their numbers. Only a newline ends a line: a name may hold any other character."""
    for number, line in enumerate(text.split("\n"), 1):
        if line and not line.isspace():
            yield number, line.rstrip("\r")
