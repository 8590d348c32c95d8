"""Damage to evidence: what happens to files on their way, and what a fuzzer thinks of.

A mutation is data (``Edit``), so that hypothesis can draw and shrink it and the coverage-guided run can make it from a
seed.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

PIECES = (
    b"", b" ", b"\n", b"\r\n", b"\t", b"\0", b"\xff\xfe", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\xd9\xa3", b"\x85", b"\x0b", b"\x1c",
    b"-", b"--", b"!", b"*", b":", b"=", b",", b"/", b"%", b"#", b"\\", b"'", b'"', b'\\"', b"{", b"}", b"[", b"]", b"{}", b"[]",
    b"null", b"true", b"0", b"-1", b"1e999", b"NaN", b"65536", b"4294967296", b"18446744073709551616", b"9" * 5000,
    b"0x" + b"f" * 40, b"default", b"all", b"10.0.0.1", b"10.0.0.0/33", b"0.0.0.0/0", b"::", b"fe80::1%eth0", b"::ffff:1.2.3.4",
    b"-j", b"-A INPUT ", b"COMMIT", b"*nat\n", b"\xc3\xa9", b"x" * 300,
)  # fmt: skip
"""What is put in or in the place of something."""
VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 255, 65536, 1 << 31, 1 << 32, 1 << 63, 1 << 64, -(1 << 63), 1 << 200, 1.5, 1e308, "", " ", "x", "0", "-1",
    "0x10", "0x" + "f" * 40, "9" * 5000, "\0", "\ud800", "é", "10.0.0.1", "10.0.0.0/8", "10.0.0.0/33", "::1", "default", "all", "none",
    "main", "x" * 300, [], {}, [None], [[]], [{}], {"a": None}, {"": 1}, ["x"], [1, "2"], {"family": "inet6", "host": "::1"},
)  # fmt: skip
"""What a place in JSON is set to."""
NUMBERS = (b"0", b"-1", b"00", b"65536", b"4294967295", b"99999999999999999999", b"9" * 5000, b"0x1", b"1.5")
SIZES = 256

_TOKENS = re.compile(rb"[^\s]+")
_NUMBER = re.compile(rb"\d+")
_SCALAR = re.compile(rb'"(?:[^"\\]|\\.)*"|-?\d+|true|false|null')


class Edit(NamedTuple):
    """One damage: what is done (an index of ``OPERATIONS``), where (0 to 1), how much or which, and with what."""

    operation: int
    place: float
    size: int
    piece: bytes


def _lines(data: bytes, place: float) -> tuple[list[bytes], int]:
    lines = data.split(b"\n")
    return lines, min(int(place * len(lines)), len(lines) - 1)


def _flip(data: bytes, at: int, edit: Edit) -> bytes:
    return data[:at] + bytes([data[at] ^ (edit.size % 255 + 1)]) + data[at + 1 :] if at < len(data) else data


def _insert(data: bytes, at: int, edit: Edit) -> bytes:
    return data[:at] + edit.piece + data[at:]


def _replace(data: bytes, at: int, edit: Edit) -> bytes:
    return data[:at] + edit.piece + data[at + edit.size % 13 :]


def _remove(data: bytes, at: int, edit: Edit) -> bytes:
    return data[:at] + data[at + edit.size :]


def _cut_off(data: bytes, at: int, _edit: Edit) -> bytes:
    return data[:at]


def _cut_line(data: bytes, _at: int, edit: Edit) -> bytes:
    lines, number = _lines(data, edit.place)
    return b"\n".join(lines[:number] + lines[number + 1 + edit.size % 3 :])


def _double_line(data: bytes, _at: int, edit: Edit) -> bytes:
    lines, number = _lines(data, edit.place)
    return b"\n".join([*lines[:number], lines[number], *lines[number:]])


def _swap_lines(data: bytes, _at: int, edit: Edit) -> bytes:
    lines, number = _lines(data, edit.place)
    other = edit.size % len(lines)
    lines[number], lines[other] = lines[other], lines[number]
    return b"\n".join(lines)


def _swap_tokens(data: bytes, _at: int, edit: Edit) -> bytes:
    lines, number = _lines(data, edit.place)
    words = lines[number].split(b" ")
    one, other = edit.size % len(words), (edit.size // 7) % len(words)
    words[one], words[other] = words[other], words[one]
    lines[number] = b" ".join(words)
    return b"\n".join(lines)


def _replace_match(pattern: re.Pattern[bytes], data: bytes, at: int, piece: bytes) -> bytes:
    found = pattern.search(data, at)
    return data[: found.start()] + piece + data[found.end() :] if found else data


def _token(data: bytes, at: int, edit: Edit) -> bytes:
    return _replace_match(_TOKENS, data, at, edit.piece)


def _number(data: bytes, at: int, edit: Edit) -> bytes:
    return _replace_match(_NUMBER, data, at, NUMBERS[edit.size % len(NUMBERS)])


def _nest(data: bytes, at: int, edit: Edit) -> bytes:
    """A scalar in so many lists or objects: some, many, about as many as Python follows, more than that."""
    depth = 5 if edit.size < 40 else 100 if edit.size < 80 else 800 + edit.size if edit.size < 250 else 30_000
    begin, end = (b"[", b"]") if edit.size % 2 else (b'{"a":', b"}")
    found = _SCALAR.search(data, at)
    if not found:
        return data
    return data[: found.start()] + begin * depth + found.group() + end * depth + data[found.end() :]


def _crlf(data: bytes, _at: int, _edit: Edit) -> bytes:
    return data.replace(b"\n", b"\r\n")


def _nothing(_data: bytes, _at: int, edit: Edit) -> bytes:
    return edit.piece if edit.size % 4 == 0 else _data


def _json(data: bytes, _at: int, edit: Edit) -> bytes:
    """Another value, key or type at some place of a JSON document; a part twice, or in another's place."""
    try:
        document = json.loads(data)
        places = list(_places(document))
        if not places:
            return data
        holder, key = places[min(int(edit.place * len(places)), len(places) - 1)]
        _change(holder, key, places, edit.size)
        return json.dumps(document, ensure_ascii=False).encode(errors="replace")
    except (ValueError, RecursionError):
        return data


def _places(value: Any) -> Iterable[tuple[Any, Any]]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in list(pairs):
        yield value, key
        yield from _places(inner)


def _change(holder: Any, key: Any, places: list[tuple[Any, Any]], size: int) -> None:
    how, which = size % 8, size // 8
    other_holder, other_key = places[which * 7 % len(places)]
    if how == 0:
        del holder[key]
    elif how == 1:
        holder[key] = [holder[key]]
    elif how == 2 and isinstance(holder, list):
        holder.insert(key, json.loads(json.dumps(holder[key])))
    elif how == 3 and isinstance(holder, dict):
        holder[str(other_key)] = holder.pop(key)
    elif how == 4:
        holder[key] = json.loads(json.dumps(other_holder[other_key]))
    else:
        holder[key] = VALUES[(which + how * 31) % len(VALUES)]


OPERATIONS: tuple[Callable[[bytes, int, Edit], bytes], ...] = (
    _flip, _insert, _replace, _remove, _cut_off, _cut_line, _double_line, _swap_lines, _swap_tokens, _token, _number, _nest, _crlf,
    _nothing, _json, _json, _json, _json,
)  # fmt: skip
"""The last is there four times: of the ways to damage JSON few leave it JSON."""


def mutated(data: bytes, edits: Iterable[Edit]) -> bytes:
    """The data after all edits."""
    for edit in edits:
        operation = OPERATIONS[edit.operation % len(OPERATIONS)]
        data = operation(data, min(int(edit.place * len(data)), len(data)), edit)
    return data


def random_edits(seed: int) -> list[Edit]:
    """Some edits, the same for a seed."""
    draw = random.Random(seed)  # noqa: S311 - no secret
    return [
        Edit(draw.randrange(len(OPERATIONS)), draw.random(), draw.randrange(SIZES), draw.choice(PIECES))
        for _ in range(draw.choice((1, 1, 2, 3)))
    ]
