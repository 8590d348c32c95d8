"""Sets and maps of ``nft -j``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from podpath.model.linux.nftables import NftSet, SetElement
from podpath.model.origin import Origin
from podpath.parse.nft_expr import Reader, Types, fields_of, json_text, list_of, types_of
from podpath.parse.nft_records import ABSENT, SetRecord, decode


def is_dynamic(record: SetRecord) -> bool:
    """Whether a set says itself that rules fill it; nft 1.0 does not print it."""
    return "dynamic" in list_of(decode(record.flags))


def may_be_dynamic(record: SetRecord) -> bool:
    """Whether rules may fill a set: nft gives every such set a size."""
    return record.size is not ABSENT


def read_set(records: Sequence[SetRecord], origin: Origin, *, dynamic: bool) -> NftSet:
    """A set from its own object, and from ``element`` objects that add to it."""
    reader = Reader()
    head = records[0]
    types = read_types(reader, decode(head.type))
    data = None if head.map is ABSENT else read_types(reader, decode(head.map))
    elements = tuple(element for record in records for element in _elements(reader, record, types, data))
    return NftSet(head.name, types, data is not None, dynamic, elements, "; ".join(reader.lost), origin)


def _elements(reader: Reader, record: SetRecord, types: Types, data: Types | None) -> Iterator[SetElement]:
    value = decode(record.elem)
    yield from reader.elements(fields_of(value).get("set", value), types, data)


def read_types(reader: Reader, value: object) -> Types:
    """``"ipv4_addr"``, a list of such, ``"ipv4_addr . inet_service"`` or ``{"typeof": expression}``."""
    if isinstance(value, str):
        return tuple(value.split(" . "))
    if isinstance(value, list):
        return tuple(one if isinstance(one, str) else "" for one in value)
    types = types_of(reader.expr(fields_of(value).get("typeof"))) or ("",)
    if "" in types:
        reader.lost.append(json_text(value))  # a constant of a type that is not known would never match
    return types


def set_text(record: SetRecord) -> str:
    """The declaration of a set as nft would print it on one line."""
    key = " . ".join(read_types(Reader(), decode(record.type)))
    if record.map is ABSENT:
        return f"set {record.name} {{ type {key}; }}"
    return f"map {record.name} {{ type {key} : {' . '.join(read_types(Reader(), decode(record.map)))}; }}"
