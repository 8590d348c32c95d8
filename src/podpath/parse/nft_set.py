"""Sets and maps of ``nft -j``."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from podpath.model.linux.nftables import NftSet
from podpath.model.origin import Origin
from podpath.parse.nft_expr import Reader, Types, fields_of, list_of, types_of

NO_JSON = msgspec.Raw(b"null")
"""What stands for a field that is absent; told from one that is present by ``is``."""


class SetRecord(msgspec.Struct, gc=False):
    """A ``set``, ``map``, ``meter`` or ``element`` object, its parts not read yet."""

    family: str
    table: str
    name: str
    type: msgspec.Raw = NO_JSON
    map: msgspec.Raw = NO_JSON
    flags: msgspec.Raw = NO_JSON
    size: msgspec.Raw = NO_JSON
    elem: msgspec.Raw = NO_JSON

    @property
    def may_be_dynamic(self) -> bool:
        """Whether rules may fill it: nft gives every such set a size, and 1.0 does not print that it is dynamic."""
        return self.size is not NO_JSON

    @property
    def is_dynamic(self) -> bool:
        """Whether it says itself that rules fill it."""
        return "dynamic" in list_of(decode(self.flags))


def decode(raw: msgspec.Raw) -> object:
    """The JSON of a part; bytes that are not UTF-8 (a comment may hold them) are replaced."""
    try:
        return msgspec.json.decode(raw)
    except msgspec.DecodeError:
        return msgspec.json.decode(bytes(raw).decode(errors="replace"))


def read_set(records: Sequence[SetRecord], origin: Origin, *, dynamic: bool) -> NftSet:
    """A set from its own object and from ``element`` objects that add to it."""
    reader = Reader()
    head = records[0]
    types = read_types(reader, decode(head.type))
    is_map = head.map is not NO_JSON
    data = read_types(reader, decode(head.map)) if is_map else None
    elements = tuple(
        element for record in records for element in _elements(reader, record, types=types, data=data)
    )
    return NftSet(head.name, types, is_map, dynamic, elements, "; ".join(reader.lost), origin)


def _elements(reader: Reader, record: SetRecord, *, types: Types, data: Types | None) -> object:
    value = decode(record.elem)
    inner = fields_of(value).get("set")  # an ``element`` object may hold a whole set
    return reader.elements(value if inner is None else inner, types, data)


def read_types(reader: Reader, value: object) -> Types:
    """``"ipv4_addr"``, a list of such, ``"ipv4_addr . inet_service"`` or ``{"typeof": expression}``."""
    if isinstance(value, str):
        return tuple(value.split(" . "))
    if isinstance(value, list):
        return tuple(one if isinstance(one, str) else "" for one in value)
    return types_of(reader.expr(fields_of(value).get("typeof"))) or ("",)


def set_text(record: SetRecord) -> str:
    """The declaration of a set as nft would print it on one line."""
    kind, value = ("set", "") if record.map is NO_JSON else ("map", f" : {_type_text(record.map)}")
    return f"{kind} {record.name} {{ type {_type_text(record.type)}{value}; }}"


def _type_text(raw: msgspec.Raw) -> str:
    return " . ".join(read_types(Reader(), decode(raw)))
