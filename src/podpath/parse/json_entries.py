"""The JSON of iproute2 (``ip -j``, ``bridge -j``, ``tc -j``): one array of objects, on one line or on many (``-p``).

An entry is decoded on its own, so that its line in the file is known and one that is not understood costs only itself.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple, TypeVar

import msgspec

from podpath.model.addr import parse_addr
from podpath.model.origin import Origin, Unrecognized
from podpath.parse.errors import ParseError

Fields = Mapping[str, object]
T = TypeVar("T")
SHOWN = 200
"""How much of an entry that was not understood is kept."""

_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])
_OBJECT = msgspec.json.Decoder(dict[str, object])


class Item(NamedTuple):
    """An element of an array: its line in the file, and its JSON."""

    line: int
    raw: bytes


class NotUnderstoodError(ValueError):
    """An entry says what we do not understand; the message is the reason."""


def parse_entries(
    text: str, file: str, build: Callable[[Fields, Item], tuple[T, ...]]
) -> tuple[tuple[T, ...], tuple[Unrecognized, ...]]:
    """What ``build`` makes of each entry, and the entries for which it raised ``ValueError``."""
    facts: list[T] = []
    lost: list[Unrecognized] = []
    for item in file_items(text, file):
        try:
            fields = decode_object(item.raw)
            if fields:  # iproute2 before 5.0 prints {} for what its filter leaves out
                facts.extend(build(fields, item))
        except ValueError as error:
            lost.append(unrecognized(file, item, str(error)))
    return tuple(facts), tuple(lost)


def unrecognized(file: str, item: Item, reason: str) -> Unrecognized:
    """The record of an entry that was not understood."""
    return Unrecognized(Origin(file, item.line, item.raw[:SHOWN].decode(errors="replace")), reason)


def file_items(text: str, file: str) -> Iterator[Item]:
    """The elements of the array that a file is; ``ParseError`` if it is none. An empty file has none."""
    if not text.strip():
        return iter(())
    data = text.encode(errors="replace")
    try:
        return _items(data, 1)
    except (msgspec.DecodeError, RecursionError) as error:
        raise json_error(text, file) from error


def nested_items(raw: bytes, key: str, line: int) -> Iterator[Item]:
    """The elements of the array that stands under ``key`` in an object which begins on ``line``."""
    try:
        inner = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])[key]
        found = bytes(inner)
        return _items(found, line + raw.count(b"\n", 0, raw.find(found, raw.find(b'"' + key.encode()))))
    except KeyError:
        return iter(())
    except (msgspec.DecodeError, RecursionError) as error:
        raise NotUnderstoodError(f"{key} is not an array") from error


def _items(data: bytes, line: int) -> Iterator[Item]:
    """The elements of an array in order, with their lines."""
    return _locate([bytes(raw) for raw in _ITEMS.decode(data)], data, line)


def _locate(raws: list[bytes], data: bytes, line: int) -> Iterator[Item]:
    """Each element with the line on which it begins: they stand in ``data`` in this order."""
    position = 0
    for raw in raws:
        found = data.find(raw, position)
        line += data.count(b"\n", position, found)
        yield Item(line, raw)
        position = found + len(raw)
        line += raw.count(b"\n")


def json_error(text: str, file: str) -> ParseError:
    """Where and how a text departs from the JSON that was expected."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return ParseError(f"{file}:{error.lineno}:{error.colno}: this is not JSON: {error.msg}")
    except (ValueError, RecursionError) as error:
        return ParseError(f"{file}:1:1: this JSON cannot be read: {error}")
    return ParseError(f"{file}:1:1: this JSON is not of the shape that was expected")


def decode_object(raw: bytes) -> Fields:
    """An entry as a mapping. Of a key that is printed twice (``encap`` repeats ``dst``) the first counts."""
    try:
        if b'"encap"' in raw:
            fields = json.loads(raw, object_pairs_hook=_first_wins)
            if not isinstance(fields, dict):
                raise NotUnderstoodError("this entry is not an object")
            return fields
        return _OBJECT.decode(raw)
    except (msgspec.DecodeError, RecursionError) as error:
        raise NotUnderstoodError("this entry is not an object") from error


def _first_wins(pairs: list[tuple[str, object]]) -> dict[str, object]:
    return dict(reversed(pairs))


def word(fields: Fields, key: str) -> str:
    """A string, or a number as one; empty when absent."""
    value = fields.get(key)
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise NotUnderstoodError(f"{key} is neither a word nor a number")


def need_word(fields: Fields, key: str) -> str:
    """A string that an entry cannot do without."""
    value = word(fields, key)
    if not value:
        raise NotUnderstoodError(f"the entry has no {key}")
    return value


def number(fields: Fields, key: str) -> int | None:
    """A number, also one written as ``"0x80000"``; None when absent."""
    value = fields.get(key)
    if value is None:
        return None
    if isinstance(value, int):
        return int(value)
    if isinstance(value, str):
        try:
            return int(value, 0)
        except ValueError:
            pass
    raise NotUnderstoodError(f"{key} is not a number")


def need_number(fields: Fields, key: str) -> int:
    """A number that an entry cannot do without."""
    value = number(fields, key)
    if value is None:
        raise NotUnderstoodError(f"the entry has no {key}")
    return value


def switch(fields: Fields, key: str) -> bool | None:
    """A switch, printed as true, 1 or ``"on"`` by different versions; None when absent."""
    value = fields.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or value in (0, 1):
        return bool(value)
    if value in ("on", "off"):
        return value == "on"
    raise NotUnderstoodError(f"{key} is neither on nor off")


def words(fields: Fields, key: str) -> tuple[str, ...]:
    """A list of strings; a single one counts as a list."""
    value = fields.get(key)
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list):
        return tuple(str(element) for element in value)
    raise NotUnderstoodError(f"{key} is not a list of words")


def child(fields: Fields, key: str) -> Fields:
    """An object within the entry; empty when absent."""
    value = fields.get(key)
    if value is None:
        return {}
    if isinstance(value, dict):
        return value
    raise NotUnderstoodError(f"{key} is not an object")


def children(fields: Fields, key: str) -> tuple[Fields, ...]:
    """A list of objects within the entry."""
    value = fields.get(key)
    if value is None:
        return ()
    if isinstance(value, list) and all(isinstance(element, dict) for element in value):
        return tuple(value)
    raise NotUnderstoodError(f"{key} is not a list of objects")


def address(fields: Fields, key: str) -> int | None:
    """An address; None when absent."""
    text = word(fields, key)
    return parse_addr(text) if text else None
