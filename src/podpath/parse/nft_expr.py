"""Expressions of ``nft -j`` (libnftables-json(5), EXPRESSIONS) as values of the model.

What an expression is compared with tells the type of a constant: ``"tcp"`` is 6 beside ``meta l4proto`` and a string
beside ``iifname``. So every expression is read with the types that are expected there, one for each part of a
concatenation; ``""`` is a type that is not known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import cast

import msgspec

from podpath.model.addr import EVERYTHING, V4_MAPPED, make_prefix, parse_addr
from podpath.model.linux.nftables import (
    Binary,
    Concat,
    Const,
    CtKey,
    Expr,
    Fib,
    HashExpr,
    MapLookup,
    Meta,
    NamedSet,
    Numgen,
    Payload,
    PrefixExpr,
    RangeExpr,
    SetElement,
    SetExpr,
    UnknownExpr,
    VerdictExpr,
    WildcardExpr,
)
from podpath.parse.nft_names import (
    ADDRESSES,
    CT_TYPES,
    FIB_TYPES,
    META_TYPES,
    NUMBERS,
    NUMERIC,
    TIME_OF_DAY,
    WIDTHS,
    payload_type,
)

Types = tuple[str, ...]
"""The data types of an expression, one for each part of a concatenation."""
Fields = Mapping[str, object]

VERDICTS = frozenset(("accept", "drop", "return", "continue"))
JUMPS = frozenset(("jump", "goto"))
CONDITIONS = frozenset(("limit", "quota", "ct count"))
"""Statements inside an element or a dynamic set that can end the rule."""
SHOWN = 400
"""How much is kept of what was not understood."""


def json_text(value: object) -> str:
    """The JSON of what was not understood, as evidence."""
    try:
        text = value if isinstance(value, str) else msgspec.json.encode(value).decode(errors="replace")
    except OverflowError:  # a number that nft cannot have printed
        text = str(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def only_item(value: object) -> tuple[str, object]:
    """The key and the value of an object with one key, which is how libnftables tags an expression or statement."""
    if isinstance(value, dict) and len(value) == 1:
        ((key, inner),) = value.items()
        return key, inner
    return "", None


def fields_of(value: object) -> Fields:
    """An object; an empty one for anything else."""
    return cast("Fields", value) if isinstance(value, dict) else {}


def list_of(value: object) -> list[object]:
    """A list; libnftables writes a list of one as that one."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def is_number(value: object) -> bool:
    """Whether a value is an int that is no truth value."""
    return isinstance(value, int) and not isinstance(value, bool)


def verdict(value: object) -> VerdictExpr | None:
    """``{"accept": null}`` or ``{"jump": {"target": "other"}}``; None when it is something else."""
    key, inner = only_item(value)
    if key in VERDICTS:
        return VerdictExpr(key)
    target = fields_of(inner).get("target")
    return VerdictExpr(key, target) if key in JUMPS and isinstance(target, str) else None


def types_of(expr: Expr) -> Types:
    """The data types of an expression, as far as it says them itself."""
    match expr:
        case Payload(protocol=protocol, field=field):
            return (payload_type(protocol, field),)
        case Meta(key=key):
            return (META_TYPES.get(key, "integer"),)
        case CtKey(key="saddr" | "daddr", v4=v4):
            return ("addr" if v4 is None else "ipv4_addr" if v4 else "ipv6_addr",)
        case CtKey(key=key):
            return (CT_TYPES.get(key, "integer"),)
        case Fib(result=result):
            return (FIB_TYPES.get(result, ""),)
        case Numgen() | HashExpr():
            return ("integer",)
        case Concat(parts=parts):
            return tuple(part_type for part in parts for part_type in (types_of(part) or ("",)))
        case Binary(left=left, right=right):
            return types_of(left) or types_of(right)
    return ()


@lru_cache
def everything(types: Types) -> Expr:
    """The key of a catch-all element (``*``): all values of these types."""
    parts = tuple(
        PrefixExpr(EVERYTHING) if type_ in NUMERIC else WildcardExpr("") for type_ in types or ("",)
    )
    return parts[0] if len(parts) == 1 else Concat(parts)


def constant(value: object, type_: str) -> Expr | None:
    """A value that is not an object, by the type that is expected; None when it does not fit."""
    if isinstance(value, bool):
        return Const(value)
    if isinstance(value, int):
        return Const(V4_MAPPED | value if type_ == "ipv4_addr" and value <= 0xFFFFFFFF else value)
    if not isinstance(value, str):
        return None
    if type_ in ADDRESSES:
        return _address(value)
    if type_ == "ifname" or (type_ == "" and value.endswith("*")):
        return _device(value)
    if type_ in NUMBERS:
        return _number(value, NUMBERS[type_])
    if type_ in ("iface_index", "devgroup", "realm") and value.isascii() and value.isdigit():
        return Const(int(value))
    return Const(value.lower() if type_ == "ether_addr" else value)


def _address(text: str) -> Expr | None:
    try:
        return Const(parse_addr(text))
    except ValueError:
        return None


def _device(name: str) -> Expr:
    r"""``eth*`` is a wildcard, ``eth\*`` a device with a star in its name."""
    if name.endswith("\\*"):
        return Const(f"{name[:-2]}*")
    return WildcardExpr(name[:-1]) if name.endswith("*") else Const(name)


def _number(text: str, names: Mapping[str, int]) -> Expr | None:
    if text in names:
        return Const(names[text])
    try:
        return Const(int(text, 0))
    except ValueError:
        return None


class Reader:
    """Reads the expressions of one rule or set; ``lost`` are those that it did not understand."""

    def __init__(self) -> None:
        self.lost: list[str] = []

    def unknown(self, value: object) -> UnknownExpr:
        """Keep in its place what was not understood."""
        text = json_text(value)
        self.lost.append(text)
        return UnknownExpr(text)

    def expr(self, value: object, types: Types = ()) -> Expr:
        """An expression; ``types`` are those of a constant that may stand here."""
        if isinstance(value, dict):
            key, inner = only_item(value)
            read = _READERS.get(key)
            return (read and read(self, inner, types)) or self.unknown(value)
        if isinstance(value, list):
            return self.flags(value, types)
        if isinstance(value, str) and value.startswith("@") and len(value) > 1:
            return NamedSet(value[1:])
        return constant(value, types[0] if types else "") or self.unknown(value)

    def flags(self, values: list[object], types: Types) -> Expr:
        """``["syn", "ack"]``, which is ``syn|ack``: all these bits."""
        if not values:
            return self.unknown(values)
        result = self.expr(values[0], types)
        for value in values[1:]:
            result = Binary("|", result, self.expr(value, types))
        return result

    def elements(self, values: object, types: Types, data: Types | None) -> tuple[SetElement, ...]:
        """The elements of a set, or of a map when ``data`` gives the types of its values."""
        found = [self._element(value, types, data) for value in list_of(values)]
        rest = everything(types)
        if any(element.key is rest for element in found):  # it holds what no other element holds
            found.sort(key=lambda element: element.key is rest)
        return tuple(found)

    def mapping(self, data: object, key: Expr, types: Types) -> Expr:
        """``@name`` or ``{"set": [[key, value], ...]}`` of a map or verdict map."""
        name, inner = only_item(data)
        if name == "set":
            return SetExpr(self.elements(inner, types_of(key), types))
        return self.expr(data)

    def _element(self, value: object, types: Types, data: Types | None) -> SetElement:
        key, result = value, None
        if data is not None:
            if not isinstance(value, list) or len(value) != 2:
                return SetElement(self.unknown(value))
            key, result = value[0], verdict(value[1]) or self.expr(value[1], data)
        name, inner = only_item(key)
        if name == "elem":
            return self._wrapped(fields_of(inner), types, result)
        return SetElement(self._key(key, types), result)

    def _wrapped(self, fields: Fields, types: Types, result: Expr | None) -> SetElement:
        """``{"elem": {"val": ..., "timeout": ...}}``."""
        for name in CONDITIONS & fields.keys():  # it may refuse the packet: nft_set_elem_update_expr()
            self.lost.append(json_text({name: fields[name]}))
        timeout, comment = fields.get("timeout", fields.get("expires")), fields.get("comment")
        return SetElement(
            self._key(fields.get("val"), types),
            result,
            timeout if isinstance(timeout, int) else None,
            comment if isinstance(comment, str) else "",
        )

    def _key(self, key: object, types: Types) -> Expr:
        return everything(types) if key == "*" else self.expr(key, types)


def _set(reader: Reader, inner: object, types: Types) -> Expr:
    return SetExpr(reader.elements(inner, types, None))


def _map(reader: Reader, inner: object, types: Types) -> Expr | None:
    fields = fields_of(inner)
    if not {"key", "data"} <= fields.keys():
        return None
    key = reader.expr(fields["key"])
    return MapLookup(key, reader.mapping(fields["data"], key, types))


def _concat(reader: Reader, inner: object, types: Types) -> Expr | None:
    if not isinstance(inner, list) or not inner:
        return None
    known = types or ("",) * len(inner)
    if len(known) != len(inner):
        return None
    return Concat(tuple(reader.expr(part, (type_,)) for part, type_ in zip(inner, known, strict=True)))


def _prefix(_reader: Reader, inner: object, types: Types) -> Expr | None:
    fields = fields_of(inner)
    base, length = fields.get("addr"), fields.get("len")
    if not isinstance(length, int) or length < 0:
        return None
    if isinstance(base, str):
        try:
            return PrefixExpr(make_prefix(parse_addr(base), length))
        except ValueError:
            return None
    width = WIDTHS.get(types[0] if types else "", 32)
    if isinstance(base, int) and length <= width:
        host = (1 << (width - length)) - 1
        return RangeExpr(base & ~host, base | host)
    return None


def _range(_reader: Reader, inner: object, types: Types) -> Expr | None:
    if not isinstance(inner, list) or len(inner) != 2:
        return None
    type_ = types[0] if types else ""
    if type_ == "" and isinstance(inner[0], str):
        type_ = "addr"
    match [constant(end, type_) for end in inner]:
        case [Const(value=int() as lo), Const(value=int() as hi)]:
            return RangeExpr(lo, hi)
    return None


def _payload(_reader: Reader, inner: object, _types: Types) -> Expr | None:
    match inner:
        case {"protocol": str(protocol), "field": str(field), **others} if not others:
            return Payload(protocol, field)
        case {"base": "th", "offset": 0 | 16 as offset, "len": 16, **others} if not others:
            return Payload("th", "dport" if offset else "sport")  # before nft had ``th dport``
    return None


def _meta(_reader: Reader, inner: object, _types: Types) -> Expr | None:
    key = inner if isinstance(inner, str) else fields_of(inner).get("key")
    return Meta(key) if isinstance(key, str) and key not in TIME_OF_DAY else None


def _ct(_reader: Reader, inner: object, _types: Types) -> Expr | None:
    fields = {"key": inner} if isinstance(inner, str) else fields_of(inner)
    key, direction, family = fields.get("key"), fields.get("dir", ""), fields.get("family")
    if not isinstance(key, str) or not isinstance(direction, str):
        return None
    first, _, rest = key.partition(" ")
    if rest:  # ``ip saddr``; older versions write the family beside ``saddr``
        family, key = first, rest
    return CtKey(key, direction, {"ip": True, "ip6": False}.get(family) if isinstance(family, str) else None)


def _fib(_reader: Reader, inner: object, _types: Types) -> Expr | None:
    fields = fields_of(inner)
    result, flags = fields.get("result"), list_of(fields.get("flags"))
    words = tuple(flag for flag in flags if isinstance(flag, str))
    return Fib(result, words) if isinstance(result, str) and len(words) == len(flags) else None


def _numgen(_reader: Reader, inner: object, _types: Types) -> Expr | None:
    match inner:
        case {"mode": "random" | "inc" as mode, "mod": int(mod), **others} if mod > 0:
            offset = others.get("offset", 0)
            return Numgen(str(mode), mod, offset) if isinstance(offset, int) else None
    return None


def _hash(_reader: Reader, inner: object, _types: Types) -> Expr | None:
    match inner:
        case {"mod": int(mod), **others} if mod > 0:
            offset = others.get("offset", 0)
            return HashExpr(mod, offset, json_text(inner)) if isinstance(offset, int) else None
    return None


def _elem(reader: Reader, inner: object, types: Types) -> Expr | None:
    fields = fields_of(inner)
    return reader.expr(fields["val"], types) if "val" in fields else None


def _operator(op: str) -> Callable[[Reader, object, Types], Expr | None]:
    """The reader of ``a & b``; newer versions write ``a & b & c`` as one list of three."""

    def read(reader: Reader, inner: object, types: Types) -> Expr | None:
        if not isinstance(inner, list) or len(inner) < 2:
            return None
        result = reader.expr(inner[0], types)
        known = () if op in ("<<", ">>") else types_of(result) or types
        for value in inner[1:]:
            result = Binary(op, result, reader.expr(value, known))
        return result

    return read


_READERS: Mapping[str, Callable[[Reader, object, Types], Expr | None]] = {
    "payload": _payload,
    "meta": _meta,
    "ct": _ct,
    "fib": _fib,
    "numgen": _numgen,
    "jhash": _hash,
    "symhash": _hash,
    "concat": _concat,
    "prefix": _prefix,
    "range": _range,
    "set": _set,
    "map": _map,
    "elem": _elem,
    **{op: _operator(op) for op in ("&", "|", "^", "<<", ">>")},
}
"""Not here, so unknown: exthdr, options of IP and TCP, socket, osf, rt, ipsec, tunnel."""
