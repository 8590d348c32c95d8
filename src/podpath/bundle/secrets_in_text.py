"""Removing from text what rules find: ``text_rules`` has the rules.

Bytes in, bytes out: logs are not always UTF-8. Every line stays a line, since findings cite lines by number.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from typing import NamedTuple

REMOVED = "<removed by podpath>"
"""What stands in the place of a secret."""

_REMOVED = REMOVED.encode()
_PASSES = 8
_MAX_BLOCK = 1 << 16

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


@cache
def _compiled(expression: str, case: re.RegexFlag = re.IGNORECASE) -> re.Pattern[bytes]:
    return re.compile(expression.encode(), case | re.MULTILINE)


def pattern(expression: str) -> Callable[[bytes], Spans]:
    """Spans of the last group of an expression that took part: that is the secret."""

    def find(content: bytes) -> Iterator[tuple[int, int]]:
        return (match.span(match.lastindex or 0) for match in _compiled(expression).finditer(content))

    return find


def lines(expression: str, hints: str) -> Callable[[bytes], Spans]:
    """As ``pattern``, tried only on lines in which a hint occurs: an expression like these is slow on a long log."""

    def find(content: bytes) -> Iterator[tuple[int, int]]:
        compiled = _compiled(expression)
        done = 0
        for hint in _compiled(hints, re.NOFLAG).finditer(content.lower()):
            if hint.start() < done:
                continue
            start = content.rfind(b"\n", 0, hint.start()) + 1
            done = content.find(b"\n", hint.end())
            done = len(content) if done < 0 else done
            for match in compiled.finditer(content, start, done):
                yield match.span(match.lastindex or 0)

    return find


def blocks(expression: str, hints: str) -> Callable[[bytes], Spans]:
    """As ``pattern``, tried only at the beginning of lines in which a hint occurs; a match may go beyond its line."""

    def find(content: bytes) -> Iterator[tuple[int, int]]:
        tried = -1
        for hint in _compiled(hints, re.NOFLAG).finditer(content.lower()):
            start = content.rfind(b"\n", 0, hint.start()) + 1
            if start <= tried:
                continue
            tried = start
            if match := _compiled(expression).match(content, start, max(start, hint.end() + _MAX_BLOCK)):
                yield match.span(match.lastindex or 0)

    return find
