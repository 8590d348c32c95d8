"""Statements of ``nft -j`` (libnftables-json(5), STATEMENTS) as values of the model."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from podpath.model.linux.netfilter import Item
from podpath.model.linux.nftables import (
    DynSet,
    Expr,
    Mangle,
    NftLimit,
    NftMatch,
    NftNat,
    NftNoop,
    NftNotrack,
    NftQueue,
    NftReject,
    NftTproxy,
    NftVerdict,
    SetElement,
    SetExpr,
    Statement,
    UnknownStatement,
    Vmap,
    XtStatement,
)
from podpath.parse.nft_expr import (
    CONDITIONS,
    JUMPS,
    VERDICTS,
    Reader,
    Types,
    fields_of,
    json_text,
    list_of,
    only_item,
    types_of,
    verdict,
)
from podpath.parse.nft_names import ICMP_CODES, ICMPV6_CODES, ICMPX_CODES

COMPARISONS = frozenset(("==", "!=", "<", ">", "<=", ">=", "in", "!"))
""""!": none of these bits."""

ICMP_REJECT: Mapping[str, str] = {"prot-unreachable": "icmp-proto-unreachable"}
ICMPV6_REJECT: Mapping[str, str] = {"admin-prohibited": "icmp6-adm-prohibited"}
ICMPX_REJECT: Mapping[str, str] = {"no-route": "icmp-net-unreachable"}
"""Where iptables says it in other words."""


class Dialect(NamedTuple):
    """A type of ``reject``: its codes, iptables' prefix and iptables' own words."""

    codes: Mapping[str, int]
    prefix: str
    others: Mapping[str, str]


REJECTS: Mapping[str, Dialect] = {
    "icmp": Dialect(ICMP_CODES, "icmp-", ICMP_REJECT),
    "icmpv6": Dialect(ICMPV6_CODES, "icmp6-", ICMPV6_REJECT),
    "icmpx": Dialect(ICMPX_CODES, "icmp-", ICMPX_REJECT),
}

DEFAULT_REJECT: Mapping[str, str] = {"ip6": "icmpv6", "ip": "icmp"}
"""What a bare ``reject`` is in a family; elsewhere icmpx."""

NOOPS: Mapping[str, str] = {
    "counter": "counter",
    "log": "log",
    "last": "last",
    "flow": "flow add",
    "ct helper": "ct helper",
    "ct timeout": "ct timeout",
    "ct expectation": "ct expectation",
    "secmark": "secmark",
    "reset": "tcp option",
}
"""What lets every packet go on. ``reset`` strips an option of TCP."""

NO_OPTIONS = frozenset(("concat", "interval"))
"""``type_flags`` that only tell what the address already shows."""

_DYNAMIC_TEXT = re.compile(r"(add|update|delete) @(\S+) \{ (.*) \}")
"""nft 1.0 prints the filling of a map as text within its JSON."""


_FILLED = re.compile(rb'"(?:set|map)": ?"@([^"\\]+)"|"(?:add|update|delete) @([^\s"\\]+)')


def filled_sets(expr: bytes) -> list[str]:
    """The sets that the raw JSON of a rule fills."""
    if b"@" not in expr:
        return []
    return [(named or text).decode(errors="replace") for named, text in _FILLED.findall(expr)]


class RuleReader(Reader):
    """Reads the statements of one rule of a family."""

    def __init__(self, family: str) -> None:
        super().__init__()
        self.family = family

    def items(self, expressions: object) -> tuple[Item, ...]:
        """The statements of a rule in order, from the value of its ``expr``."""
        if not isinstance(expressions, list):
            return (self.lost_statement(expressions),)
        return tuple(self.statement(value) for value in expressions)

    def statement(self, value: object) -> Statement:
        """A statement; one that is not understood stays in its place."""
        if isinstance(value, str):
            return self._text(value)
        key, inner = only_item(value)
        read = _READERS.get(key)
        return (read and read(self, inner)) or self.lost_statement(value)

    def lost_statement(self, value: object) -> UnknownStatement:
        """Keep in its place what was not understood."""
        text = json_text(value)
        self.lost.append(text)
        return UnknownStatement(text)

    def _text(self, text: str) -> Statement:
        """A statement that nft could only print as text."""
        found = _DYNAMIC_TEXT.fullmatch(text.strip())
        if not found:
            return self.lost_statement(text)
        op, name, element = found.groups()
        conditional = any(f" {word} " in f" {element} " for word in CONDITIONS)
        return DynSet(op, name, self.unknown(element), conditional)


def _match(reader: RuleReader, inner: object) -> Statement | None:
    fields = fields_of(inner)
    op, right = fields.get("op", "=="), fields.get("right")
    if not isinstance(op, str) or op not in COMPARISONS or "left" not in fields or right is None:
        return None
    left = reader.expr(fields["left"])
    types = types_of(left)
    if isinstance(right, list) and op in ("in", "!") and types != ("tcp_flag",):  # one of these names
        return NftMatch(op, left, SetExpr(tuple(SetElement(reader.expr(one, types)) for one in right)))
    return NftMatch(op, left, reader.expr(right, types))


def _vmap(reader: RuleReader, inner: object) -> Statement | None:
    fields = fields_of(inner)
    if not {"key", "data"} <= fields.keys():
        return None
    key = reader.expr(fields["key"])
    return Vmap(key, reader.mapping(fields["data"], key, ("verdict",)))


def _mangle(reader: RuleReader, inner: object) -> Statement | None:
    fields = fields_of(inner)
    if not {"key", "value"} <= fields.keys():
        return None
    if (
        only_item(fields["key"])[0] == "tcp option"
    ):  # ``tcp option maxseg size set rt mtu``, as TCPMSS of iptables
        return NftNoop("tcp option")
    key = reader.expr(fields["key"])
    return Mangle(key, reader.expr(fields["value"], types_of(key)))


def _nat(kind: str) -> Callable[[RuleReader, object], Statement | None]:
    def read(reader: RuleReader, inner: object) -> Statement | None:
        fields = fields_of(inner)
        if inner is not None and not isinstance(inner, dict):
            return None
        family = fields.get("family")
        address = {"ip": "ipv4_addr", "ip6": "ipv6_addr"}.get(
            family if isinstance(family, str) else "", "addr"
        )
        types: Types = (address, "inet_service")
        addr = reader.expr(fields["addr"], types) if fields.get("addr") is not None else None
        port = reader.expr(fields["port"], ("inet_service",)) if fields.get("port") is not None else None
        flags = [*list_of(fields.get("flags")), *list_of(fields.get("type_flags"))]
        options = [flag for flag in flags if isinstance(flag, str) and flag not in NO_OPTIONS]
        return NftNat(kind, addr, port, " ".join(options))

    return read


def _reject(reader: RuleReader, inner: object) -> Statement | None:
    fields = fields_of(inner)
    kind = fields.get("type", DEFAULT_REJECT.get(reader.family, "icmpx"))
    if kind == "tcp reset":
        return NftReject("tcp-reset")
    dialect = REJECTS.get(kind) if isinstance(kind, str) else None
    if dialect is None:
        return None
    code = fields.get("expr", "port-unreachable")
    if isinstance(code, int):
        code = next((name for name, number in dialect.codes.items() if number == code), None)
    if not isinstance(code, str) or code not in dialect.codes:
        return None
    return NftReject(dialect.others.get(code, f"{dialect.prefix}{code}"))


def _dynamic_set(place: str) -> Callable[[RuleReader, object], Statement | None]:
    """The reader of ``add @set { ... }``; ``place`` is the key under which the set's name stands."""

    def read(reader: RuleReader, inner: object) -> Statement | None:
        fields = fields_of(inner)
        op, name = fields.get("op"), fields.get(place)
        if not isinstance(op, str) or not isinstance(name, str) or "elem" not in fields:
            return None
        return DynSet(
            op, name.removeprefix("@"), reader.expr(fields["elem"]), _conditional(fields.get("stmt"))
        )

    return read


def _map(reader: RuleReader, inner: object) -> Statement | None:
    """``update @map { key : value }``."""
    return _dynamic_set("map")(reader, inner)


def _meter(reader: RuleReader, inner: object) -> Statement | None:
    """``meter NAME { key limit rate ... }``, the older way to write a dynamic set."""
    fields = fields_of(inner)
    if "key" not in fields:
        return None
    name = fields.get("name", "")
    key = reader.expr(fields["key"])
    return DynSet("update", name if isinstance(name, str) else "", key, _conditional(fields.get("stmt")))


def _conditional(statements: object) -> bool:
    """Whether one of these statements may end the rule."""
    return any(only_item(one)[0] in CONDITIONS for one in list_of(statements))


def _limit(_reader: RuleReader, inner: object) -> Statement | None:
    """``limit rate [over]`` and ``ct count [over]``; a limit that is only named may be either."""
    return NftLimit(fields_of(inner).get("inv") is True) if isinstance(inner, dict) else None


def _notrack(_reader: RuleReader, _inner: object) -> Statement:
    return NftNotrack()


def _tproxy(reader: RuleReader, inner: object) -> Statement | None:
    fields = fields_of(inner)
    if not isinstance(inner, dict):
        return None
    addr, port = (
        _optional(reader, fields.get(key), type_)
        for key, type_ in (("addr", "addr"), ("port", "inet_service"))
    )
    return NftTproxy(addr, port)


def _optional(reader: RuleReader, value: object, type_: str) -> Expr | None:
    return None if value is None else reader.expr(value, (type_,))


def _queue(_reader: RuleReader, inner: object) -> Statement | None:
    fields = fields_of(inner)
    if inner is not None and not isinstance(inner, dict):
        return None
    number = fields.get("num", 0)
    bounds = fields_of(number).get("range")
    text = "-".join(map(str, bounds)) if isinstance(bounds, list) else json_text(number)
    return NftQueue(text, "bypass" in list_of(fields.get("flags")))


def _xt(reader: RuleReader, inner: object) -> Statement | None:
    """What iptables-nft left to a module of iptables; nft knows its name and no more."""
    kind, name = fields_of(inner).get("type"), fields_of(inner).get("name")
    if not isinstance(kind, str) or not isinstance(name, str):
        return None
    if name == "comment":
        return NftNoop("comment")
    reader.lost.append(f"xt {kind} {name}")
    return XtStatement(kind, name)


def _noop(name: str) -> Callable[[RuleReader, object], Statement | None]:
    return lambda _reader, _inner: NftNoop(name)


def _verdict(name: str) -> Callable[[RuleReader, object], Statement | None]:
    def read(_reader: RuleReader, inner: object) -> Statement | None:
        found = verdict({name: inner})
        return NftVerdict(found.verdict, found.chain) if found else None

    return read


_READERS: Mapping[str, Callable[[RuleReader, object], Statement | None]] = {
    **{key: _noop(name) for key, name in NOOPS.items()},
    **{name: _verdict(name) for name in VERDICTS | JUMPS},
    "match": _match,
    "vmap": _vmap,
    "mangle": _mangle,
    "dnat": _nat("dnat"),
    "snat": _nat("snat"),
    "masquerade": _nat("masquerade"),
    "redirect": _nat("redirect"),
    "reject": _reject,
    "set": _dynamic_set("set"),
    "map": _map,
    "meter": _meter,
    "limit": _limit,
    "ct count": _limit,
    "notrack": _notrack,
    "tproxy": _tproxy,
    "queue": _queue,
    "xt": _xt,
}
"""Not here, so unknown: quota, fwd, dup, synproxy."""
