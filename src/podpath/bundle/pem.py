"""Where private keys stand in text."""

from __future__ import annotations

import re
from collections.abc import Iterator

_BEGIN = re.compile(rb"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----")
_END = re.compile(rb"-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----")
_BODY = re.compile(rb"(?:[A-Za-z0-9+/=\s:,-]|\\[nrt])*")
_BASE64_LINE = re.compile(rb"[A-Za-z0-9+/=]{1,76}[ \t]*\r?")
_MAX_PEM = 1 << 16


def private_keys(content: bytes) -> Iterator[tuple[int, int]]:
    """PEM blocks (RFC 7468), over several lines or with line feeds escaped; cut off before or behind, what is left."""
    at = 0
    while begin := _BEGIN.search(content, at):
        end = _END.search(content, begin.end(), begin.end() + _MAX_PEM)
        body = _BODY.match(content, begin.end())
        at = end.end() if end else max(begin.end(), body.end() if body else 0)
        yield begin.start(), at
    for end in _END.finditer(content):
        start = _first_line_of_base64(content, end.start())
        if start < end.start():
            yield start, end.end()


def _first_line_of_base64(content: bytes, at: int) -> int:
    """Where the lines of base64 begin that stand directly before ``at``; ``at`` if none does."""
    while at and content[at - 1] == 0x0A:
        start = content.rfind(b"\n", 0, at - 1) + 1
        if not _BASE64_LINE.fullmatch(content, start, at - 1):
            break
        at = start
    return at
