"""Expressions and matches of nft rules, evaluated on the packet at hand (net/netfilter/nft_*.c)."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

from podpath.dataplane.routing import FibKey, address_type, fib_of
from podpath.dataplane.walk import Walk
from podpath.model.addr import is_v4
from podpath.model.flow import ICMP, ICMPV6, SCTP, TCP, UDP
from podpath.model.linux import nftables as nf
from podpath.model.linux.netfilter import Table
from podpath.model.linux.nftables import Expr, NftSet, SetElement
from podpath.model.linux.xtables import CtState


class Unknown:
    """A value that cannot be known here."""


class Break:
    """The packet has no such field: the rule ends without a match (NFT_BREAK)."""


UNKNOWN, BREAK = Unknown(), Break()
Value = Any
"""int (address, port, number), str (name), frozenset (names of bits), tuple (concatenation), UNKNOWN or BREAK."""

TCP_FLAGS = {"fin": 1, "syn": 2, "rst": 4, "psh": 8, "ack": 16, "urg": 32, "ecn": 64, "cwr": 128}
CT_STATES = {
    CtState.NEW: "new",
    CtState.ESTABLISHED: "established",
    CtState.RELATED: "related",
    CtState.INVALID: "invalid",
    CtState.UNTRACKED: "untracked",
}


def evaluate(expr: Expr, walk: Walk, table: Table) -> Value:
    """The value of an expression for this packet."""
    match expr:
        case nf.Const(value=value):
            return value
        case nf.Payload():
            return _payload(expr, walk)
        case nf.Meta(key=key):
            return _meta(key, walk)
        case nf.CtKey():
            return _ct(expr, walk)
        case nf.Fib():
            return _fib(expr, walk)
        case nf.Numgen(mod=mod, offset=offset):
            return walk.decider.random((1.0,) * mod, "numgen") + offset
        case nf.HashExpr(mod=mod, offset=offset):
            return walk.decider.random((1.0,) * mod, expr.text or "hash") + offset
        case nf.Concat(parts=parts):
            values = tuple(evaluate(part, walk, table) for part in parts)
            return (
                next((v for v in values if v is BREAK), None)
                or next((v for v in values if v is UNKNOWN), None)
                or values
            )
        case nf.Binary(op=op, left=left, right=right):
            return _binary(op, evaluate(left, walk, table), evaluate(right, walk, table))
        case nf.MapLookup(key=key_expr, data=data):
            element = look_up(evaluate(key_expr, walk, table), data, walk, table)
            if isinstance(element, SetElement):
                return BREAK if element.data is None else evaluate(element.data, walk, table)
            return UNKNOWN if element is None else BREAK
        case nf.VerdictExpr():
            return expr
    return UNKNOWN


def compare(match: nf.NftMatch, walk: Walk, table: Table) -> bool | None:
    """Whether a match statement holds; None when it is not known."""
    left = evaluate(match.left, walk, table)
    if left is BREAK:
        return False
    if left is UNKNOWN:
        return None
    right = match.right
    if isinstance(right, nf.NamedSet | nf.SetExpr):
        found = look_up(left, right, walk, table)
        inside = None if found is None else isinstance(found, SetElement)
        return inside if inside is None else inside != (match.op in ("!=", "!"))
    return _holds(match.op, left, right, walk, table)


def look_up(value: Value, data: Expr, walk: Walk, table: Table) -> SetElement | bool | None:
    """The element of a set or map that holds a value; False when none does, None when that is not known."""
    if value is BREAK:
        return False
    if value is UNKNOWN:
        return None
    if isinstance(data, nf.NamedSet):
        one = table.sets.get(data.name.lstrip("@"))
        if one is None:
            return None
        exact, rest = _index(one, table)
        unknown = one.unknown
    elif isinstance(data, nf.SetExpr):
        exact, rest = {}, list(data.elements)
        unknown = ""
    else:
        return None
    element = exact.get(_hashable(value))
    if element is not None:
        return element
    for candidate in rest:
        fits = _fits(candidate.key, value, walk, table)
        if fits:
            return candidate
        if fits is None:
            unknown = "element"
    return None if unknown else False


Index = tuple[dict[Value, SetElement], list[SetElement]]
_INDEXES: WeakKeyDictionary[Table, dict[str, Index]] = WeakKeyDictionary()


def _index(one: NftSet, table: Table) -> Index:
    model: Table | None = getattr(
        table, "model", None
    )  # where many nodes have one list of elements, it has one index
    if model is not None and one.name in model.sets and model.sets[one.name].elements is one.elements:
        table = model
    indexes = _INDEXES.setdefault(table, {})
    index = indexes.get(one.name)
    if index is None:
        exact: dict[Value, SetElement] = {}
        rest: list[SetElement] = []
        for element in one.elements:
            key = _constant(element.key)
            if key is None:
                rest.append(element)
            else:
                exact[key] = element
        index = indexes[one.name] = (exact, rest)
    return index


def _constant(key: Expr) -> Value:
    """The one value of a key without ranges; None when it has more than one."""
    if isinstance(key, nf.Const):
        return key.value
    if isinstance(key, nf.Concat) and all(isinstance(part, nf.Const) for part in key.parts):
        return tuple(part.value for part in key.parts if isinstance(part, nf.Const))
    return None


def _hashable(value: Value) -> Value:
    if isinstance(value, frozenset):
        return next(iter(value)) if len(value) == 1 else value
    return value


def _fits(key: Expr, value: Value, walk: Walk, table: Table) -> bool | None:
    """Whether a value lies in a key: a constant, prefix, range, wildcard or concatenation of these."""
    match key:
        case nf.Const(value=constant):
            if isinstance(value, frozenset):
                return constant in value
            return bool(_number(constant) == _number(value))
        case nf.PrefixExpr(prefix=prefix):
            return isinstance(value, int) and value in prefix
        case nf.RangeExpr(lo=low, hi=high):
            return isinstance(value, int) and low <= value <= high
        case nf.WildcardExpr(start=start):
            return isinstance(value, str) and value.startswith(start)
        case nf.Concat(parts=parts):
            if not isinstance(value, tuple) or len(parts) != len(value):
                return False
            result: bool | None = True
            for part, one in zip(parts, value, strict=True):
                fit = _fits(part, one, walk, table)
                if fit is False:
                    return False
                result = None if fit is None else result
            return result
        case nf.SetExpr() | nf.NamedSet():
            found = look_up(value, key, walk, table)
            return None if found is None else isinstance(found, SetElement)
        case nf.UnknownExpr():
            return None
    other = evaluate(key, walk, table)
    return None if other is UNKNOWN else other is not BREAK and bool(_number(other) == _number(value))


def _holds(op: str, left: Value, right: Expr, walk: Walk, table: Table) -> bool | None:
    if isinstance(right, nf.Const) and isinstance(right.value, bool):
        exists = bool(left)
        return exists == right.value if op in ("==", "in") else exists != right.value
    if op in ("<", ">", "<=", ">="):
        other = evaluate(right, walk, table)
        if other is UNKNOWN or not isinstance(left, int) or not isinstance(other, int):
            return None
        return {"<": left < other, ">": left > other, "<=": left <= other, ">=": left >= other}[op]
    if op in ("in", "!") and isinstance(left, int) and not isinstance(right, nf.PrefixExpr | nf.RangeExpr):
        bits = _bits(right, walk, table)
        return None if bits is None else bool(left & bits) == (op == "in")
    exact = _bit_names(right) if op in ("==", "!=") and not isinstance(left, int) else None
    fits = _fits(right, left, walk, table) if exact is None else _all_bits(left) == exact
    if fits is None:
        return None
    return fits if op in ("==", "in") else not fits


def _bit_names(right: Expr) -> frozenset[str] | None:
    """The names of bits that ``==`` and ``!=`` compare the whole value with; one alone is a name like any other."""
    if isinstance(right, nf.Binary) and right.op == "|":
        left, more = _bit_names(right.left), _bit_names(right.right)
        return None if left is None or more is None else left | more
    return frozenset({right.value}) if isinstance(right, nf.Const) and isinstance(right.value, str) else None


def _all_bits(value: Value) -> frozenset[str]:
    """All bits of a value. A state is one bit; a status has others beside those that have names (IPS_CONFIRMED ...)."""
    return value | {"others"} if isinstance(value, frozenset) else frozenset({value})


def _bits(right: Expr, walk: Walk, table: Table) -> int | None:
    """The bits that an ``in`` test on a number names."""
    if isinstance(right, nf.SetExpr):
        parts = [_bits(element.key, walk, table) for element in right.elements]
        return None if None in parts else _or([part for part in parts if part is not None])
    value = _number(evaluate(right, walk, table))
    return value if isinstance(value, int) else None


def _or(values: list[int]) -> int:
    result = 0
    for value in values:
        result |= value
    return result


def _number(value: Value) -> Value:
    return TCP_FLAGS.get(value, value) if isinstance(value, str) else value


def _binary(op: str, left: Value, right: Value) -> Value:
    if left is BREAK or right is BREAK:
        return BREAK
    left, right = _number(left), _number(right)
    if not isinstance(left, int) or not isinstance(right, int):
        return UNKNOWN
    match op:
        case "&":
            return left & right
        case "|":
            return left | right
        case "^":
            return left ^ right
        case "<<":
            return (left << right) & 0xFFFFFFFF
        case ">>":
            return left >> right
    return UNKNOWN


_PORTED = {"tcp": TCP, "udp": UDP, "sctp": SCTP, "udplite": 136, "dccp": 33}


def _payload(expr: nf.Payload, walk: Walk) -> Value:
    packet, field = walk.packet, expr.field
    match expr.protocol:
        case "ip" | "ip6" as family:
            if (family == "ip") != packet.v4:
                return BREAK
            return {
                "saddr": packet.src,
                "daddr": packet.dst,
                "protocol": packet.protocol,
                "nexthdr": packet.protocol,
                "ttl": packet.ttl,
                "hoplimit": packet.ttl,
                "length": packet.length,
                "dscp": packet.tos >> 2,
                "version": 4 if packet.v4 else 6,
                "frag-off": 0x4000 if packet.df else 0,
            }.get(field, UNKNOWN)
        case "tcp" | "udp" | "sctp" | "th" | "udplite" | "dccp" as name:
            if name != "th" and packet.protocol != _PORTED[name]:
                return BREAK
            if name == "th" and packet.protocol in (ICMP, ICMPV6):
                # the same bytes of another header: type and code, and a checksum that is like no port
                return {"sport": packet.icmp_type * 256 + packet.icmp_code, "dport": -1}.get(field, UNKNOWN)
            if name == "th" and packet.protocol not in _PORTED.values():
                return BREAK
            return {"sport": packet.sport, "dport": packet.dport, "flags": packet.tcp_flags}.get(
                field, UNKNOWN
            )
        case "icmp" | "icmpv6" as name:
            if packet.protocol != (ICMP if name == "icmp" else ICMPV6):
                return BREAK
            return {"type": packet.icmp_type, "code": packet.icmp_code}.get(field, UNKNOWN)
        case "ether":
            return ("ip" if packet.v4 else "ip6") if field == "type" else UNKNOWN
        case "arp" | "vlan":
            return BREAK
    return UNKNOWN


def _meta(key: str, walk: Walk) -> Value:
    packet = walk.packet
    links = walk.netns.links or {}
    match key:
        case "mark":
            return packet.mark
        case "iif" | "iifname":
            return walk.iif
        case "oif" | "oifname":
            return walk.oif
        case "l4proto":
            return packet.protocol
        case "nfproto":
            return "ipv4" if packet.v4 else "ipv6"
        case "protocol":
            return "ip" if packet.v4 else "ip6"
        case "length":
            return packet.length
        case "pkttype":
            return "host"
        case "skuid":
            return (
                packet.uid
                if walk.local_out and packet.uid is not None
                else (UNKNOWN if walk.local_out else BREAK)
            )
        case "skgid":
            return UNKNOWN if walk.local_out else BREAK
        case "ibrname" | "obrname":
            port = walk.iif if key == "ibrname" else walk.oif
            return links[port].master if port in links else ""
        case "iiftype" | "oiftype":
            link = links.get(walk.iif if key == "iiftype" else walk.oif)
            return UNKNOWN if link is None else "loopback" if link.kind == "loopback" else "ether"
        case "nftrace" | "secmark" | "priority":
            return 0
    return UNKNOWN


def _ct(expr: nf.CtKey, walk: Walk) -> Value:
    view = walk.ct
    if expr.key == "state":
        return "invalid" if view is None else CT_STATES[view.state]
    if view is None or view.entry is None:
        return BREAK
    entry = view.entry
    match expr.key:
        case "status":
            names = {"snat"} if entry.snat else set()
            names |= {"dnat"} if entry.dnat else set()
            names |= {"seen-reply", "assured"} if entry.seen_reply else set()
            names |= {"confirmed"} if entry.confirmed else set()
            return frozenset(names)
        case "mark":
            return entry.mark
        case "direction":
            return view.direction.name.lower()
        case "saddr" | "daddr" | "proto-src" | "proto-dst" | "protocol" | "l3proto" as key:
            one = entry.reply if expr.direction == "reply" else entry.original
            return {
                "saddr": one.src,
                "daddr": one.dst,
                "proto-src": one.sport,
                "proto-dst": one.dport,
                "protocol": one.proto,
                "l3proto": "ipv4" if is_v4(one.src) else "ipv6",
            }[key]
        case "zone":
            return 0
    return UNKNOWN


def _fib_type(walk: Walk, addr: int, dev: str) -> Value:
    """nft_fib4_eval_type; in IPv6 an address without a route is of the route's type (nft_fib6_eval_type)."""
    found = address_type(walk.netns, addr, dev).lower()
    if walk.v4 or found != "unicast":
        return found
    route = fib_of(walk.netns, v4=False).lookup(FibKey(addr, uid=0)).type
    return {"none": "unreachable", "unicast": "unicast", "local": "unicast"}.get(route, route)


def _fib(expr: nf.Fib, walk: Walk) -> Value:
    packet, flags = walk.packet, expr.flags
    addr, other = (packet.src, packet.dst) if "saddr" in flags else (packet.dst, packet.src)
    dev = walk.iif if "iif" in flags else walk.oif if "oif" in flags else ""
    if expr.result == "type":
        return _fib_type(walk, addr, dev)
    if walk.iif == "lo" and "saddr" in flags:
        return "lo"
    mark = packet.mark if "mark" in flags else 0
    result = fib_of(walk.netns, v4=walk.v4).lookup(FibKey(addr, other, mark=mark))
    if result.type == "unknown":
        return UNKNOWN
    if result.type == "local":
        return walk.iif if dev in ("", walk.iif) else 0
    devices = [hop.dev for hop in result.hops] if result.type == "unicast" else []
    if dev:
        return dev if dev in devices else 0
    return devices[0] if devices else 0
