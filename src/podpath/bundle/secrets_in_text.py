"""Removing from text what rules find: ``text_rules`` has the rules.

Bytes in, bytes out: logs are not always UTF-8. Every line stays a line, since findings cite lines by number.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

REMOVED = "<removed by podpath>"
"""What stands in the place of a secret."""

_REMOVED = REMOVED.encode()
_PASSES = 8

Spans = Iterable[tuple[int, int]]


class Rule(NamedTuple):
    """``find`` gives the spans of secrets; it is asked only if one of ``hints`` occurs in the lower-cased text."""

    reason: str
    hints: tuple[bytes, ...]
    find: Callable[[bytes], Spans]


def remove(content: bytes, rules: Sequence[Rule]) -> tuple[bytes, list[tuple[int, str]]]:
    """The text with every secret that the rules find replaced, and (line from 1, reason) of each.

    Applied again and again until nothing is found, so that a second call has nothing to do.
    """
    removed: list[tuple[int, str]] = []
    for _ in range(_PASSES):
        before = content
        lowered = content.lower()
        for rule in rules:
            if any(hint in lowered for hint in rule.hints):
                content = _replace(content, rule, removed)
        if content == before:
            break
    return content, sorted(removed)


def _replace(content: bytes, rule: Rule, removed: list[tuple[int, str]]) -> bytes:
    kept: list[bytes] = []
    done = 0
    line, counted = 1, 0
    for start, end in rule.find(content):
        secret = content[start:end]
        blank = blanked(secret)
        if start < done or blank == secret:
            continue
        line += content.count(b"\n", counted, start)
        counted = start
        removed.append((line, rule.reason))
        kept += (content[done:start], blank)
        done = end
    return b"".join((*kept, content[done:])) if kept else content


def blanked(secret: bytes) -> bytes:
    """The secret replaced, line by line; indentation, empty lines and line ends stay."""
    return re.sub(rb"[^\s](?:[^\n]*[^\s])?", _REMOVED, secret)
