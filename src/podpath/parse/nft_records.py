"""The objects of ``nft -j list ruleset``, split but not read: what a rule or set says stays raw."""

from __future__ import annotations

from typing import Literal

import msgspec

from podpath.model.origin import Origin, Unrecognized
from podpath.parse.errors import ParseError
from podpath.parse.nft_expr import json_text, only_item

Family = Literal["ip", "ip6", "inet", "bridge", "netdev", "arp"]
ABSENT = msgspec.Raw(b"null")
"""What stands for a field that is not there."""
NO_STATEMENTS = msgspec.Raw(b"[]")
SHOWN = 200
"""How much is kept of an object that was not understood."""
IGNORED = frozenset(
    (
        "metainfo",
        "flowtable",
        "counter",
        "quota",
        "limit",
        "ct helper",
        "ct timeout",
        "ct expectation",
        "secmark",
        "synproxy",
        "tunnel",
    )
)
"""Kinds of objects that do not decide about a packet on their own."""


class RuleRecord(msgspec.Struct, gc=False):
    """A ``rule`` object."""

    family: Family
    table: str
    chain: str
    expr: msgspec.Raw = NO_STATEMENTS
    comment: str = ""


class ChainRecord(msgspec.Struct, gc=False):
    """A ``chain`` object; one with a hook is a base chain."""

    family: Family
    table: str
    name: str
    hook: str = ""
    prio: int = 0
    type: str = "filter"
    policy: str = "accept"
    dev: msgspec.Raw = ABSENT


class TableRecord(msgspec.Struct, gc=False):
    """A ``table`` object."""

    family: Family
    name: str
    flags: msgspec.Raw = ABSENT


class SetRecord(msgspec.Struct, gc=False):
    """A ``set``, ``map``, ``meter`` or ``element`` object."""

    family: Family
    table: str
    name: str
    type: msgspec.Raw = ABSENT
    map: msgspec.Raw = ABSENT
    flags: msgspec.Raw = ABSENT
    size: msgspec.Raw = ABSENT
    elem: msgspec.Raw = ABSENT


class Record(msgspec.Struct, gc=False):
    """An object of the ruleset: one of these fields is there, or none if its kind is another."""

    rule: RuleRecord | None = None
    chain: ChainRecord | None = None
    table: TableRecord | None = None
    set: SetRecord | None = None
    map: SetRecord | None = None
    meter: SetRecord | None = None
    element: SetRecord | None = None
    metainfo: msgspec.Raw = ABSENT


class _Ruleset(msgspec.Struct, gc=False):
    nftables: list[Record]


class _RawRuleset(msgspec.Struct, gc=False):
    nftables: list[msgspec.Raw]


_RULESET = msgspec.json.Decoder(_Ruleset)
_RAW_RULESET = msgspec.json.Decoder(_RawRuleset)
_RECORD = msgspec.json.Decoder(Record)


def decode(raw: msgspec.Raw) -> object:
    """The JSON of a raw part; bytes that are not UTF-8 (a comment may hold them) are replaced."""
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    text = bytes(raw).decode(errors="replace")
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return {"broken JSON": text}


def read_records(text: bytes | str, file: str) -> tuple[list[Record], list[Unrecognized]]:
    """The objects in order, and those that are broken; ``ParseError`` when the whole is not nft's JSON."""
    try:
        return _RULESET.decode(text).nftables, []
    except (msgspec.DecodeError, UnicodeError):
        pass
    except RecursionError as error:
        raise ParseError(f"{file}:1: this JSON is nested too deeply to be a ruleset") from error
    raws = _raw_objects(text, file)
    lost: list[Unrecognized] = []
    return [_record(raw, position, file, lost) for position, raw in enumerate(raws)], lost


def unknown_kinds(text: bytes | str, positions: list[int], file: str) -> list[Unrecognized]:
    """Those of the objects at these positions whose kind is neither known nor ignored."""
    if not positions:
        return []
    raws = _raw_objects(text, file)
    return [
        _unrecognized(
            raws[position], position, file, f"no object that nft is known to print: {kind or 'no kind'}"
        )
        for position in positions
        if (kind := only_item(decode(raws[position]))[0]) not in IGNORED
    ]


def _raw_objects(text: bytes | str, file: str) -> list[msgspec.Raw]:
    """The objects of the ruleset, each as it stands."""
    data = text.encode(errors="replace") if isinstance(text, str) else text
    try:
        return _RAW_RULESET.decode(data if _is_utf8(data) else data.decode(errors="replace")).nftables
    except msgspec.ValidationError as error:
        raise ParseError(
            f"{file}:1: this is JSON, but not the object with 'nftables' that nft prints"
        ) from error
    except (msgspec.DecodeError, RecursionError) as error:
        how = "was cut off" if "truncated" in str(error) else "is broken"
        raise ParseError(f"{file}:1: the JSON {how}: {error}") from error


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _record(raw: msgspec.Raw, position: int, file: str, lost: list[Unrecognized]) -> Record:
    """An object that may be broken: of a rule all is kept that still says where it belongs."""
    try:
        return _RECORD.decode(raw)
    except msgspec.DecodeError as error:
        reason = str(error)
    rule = _rule(raw)
    if rule is None:
        lost.append(_unrecognized(raw, position, file, reason))
    return Record(rule)


def _rule(raw: msgspec.Raw) -> RuleRecord | None:
    """A rule in which something is not of the right type, but which still says where it belongs."""
    try:
        fields = msgspec.json.decode(raw, type=dict[str, dict[str, msgspec.Raw]])["rule"]
        comment = decode(fields.pop("comment", ABSENT))
        place = {key: decode(fields[key]) for key in ("family", "table", "chain")}
        rule = msgspec.convert(place, RuleRecord)
    except (msgspec.ValidationError, KeyError):
        return None
    rule.expr = fields.get("expr", NO_STATEMENTS)
    rule.comment = comment if isinstance(comment, str) else ""
    return rule


def _unrecognized(raw: msgspec.Raw, position: int, file: str, reason: str) -> Unrecognized:
    """The record of an object that was not understood; its line is its place in the array."""
    return Unrecognized(
        Origin(file, position + 1, json_text(bytes(raw)[:SHOWN].decode(errors="replace"))), reason
    )
