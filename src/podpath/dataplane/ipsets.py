"""Is a packet in an ipset? (ipset(8); kernel net/netfilter/ipset.)"""

from __future__ import annotations

from weakref import WeakKeyDictionary

from podpath.dataplane.walk import Walk
from podpath.model.addr import ALL_BITS, Prefix
from podpath.model.flow import ICMP, ICMPV6, SCTP, TCP, UDP
from podpath.model.linux.ipset import ElementPart, IpSet, IpSetEntry
from podpath.model.network import Netns

PORTED = frozenset({TCP, UDP, SCTP, 136})
Value = tuple[str, int | str, int]
"""kind, value, protocol of one dimension of a packet."""


def set_contains(
    one: IpSet, sides: tuple[str, ...], walk: Walk, *, return_nomatch: bool = False
) -> bool | None:
    """Whether the packet is an element; None when an element was not understood and no other decides."""
    if one.type.startswith("list:"):
        return _any_member(one, sides, walk)
    if not one.type.startswith("bitmap:port") and one.v4 != walk.v4 and "mac" not in one.dimensions[:1]:
        return False
    values: list[Value] = []
    for dimension, side in zip(one.dimensions, sides, strict=False):
        value = _value(dimension, side, walk)
        if value is None:
            return None if dimension == "mac" else False
        values.append(value)
    if len(values) < len(one.dimensions):
        return None
    best: tuple[int, bool] | None = None
    for entry in _candidates(one, values[0][1], walk.netns):
        fit = _fits(entry, values, plain_ports=one.type == "bitmap:port")
        if fit is not None and (best is None or fit > best[0]):
            best = (fit, entry.nomatch)
    if best is None:
        return None if one.unknown else False
    return best[1] if return_nomatch else not best[1]


Index = tuple[dict[int | str, list[IpSetEntry]], list[IpSetEntry]]
_INDEXES: WeakKeyDictionary[Netns, dict[str, Index]] = WeakKeyDictionary()


def _candidates(one: IpSet, first: int | str, netns: Netns) -> tuple[IpSetEntry, ...]:
    """Entries that may fit: those whose first part is exactly the packet's address, and all that are no one address."""
    indexes = _INDEXES.setdefault(netns, {})
    index = indexes.get(one.name)
    if index is None:
        exact: dict[int | str, list[IpSetEntry]] = {}
        rest: list[IpSetEntry] = []
        for entry in one.entries:
            part = entry.parts[0] if entry.parts else None
            if isinstance(part, Prefix) and part.mask == ALL_BITS:
                exact.setdefault(part.net, []).append(entry)
            else:
                rest.append(entry)
        index = indexes[one.name] = (exact, rest)
    return (*index[0].get(first, ()), *index[1])


def _any_member(one: IpSet, sides: tuple[str, ...], walk: Walk) -> bool | None:
    result: bool | None = False
    for entry in one.entries:
        member = (walk.netns.ipsets or {}).get(str(entry.parts[0])) if entry.parts else None
        inside = None if member is None else set_contains(member, sides, walk)
        if inside:
            return True
        if inside is None:
            result = None
    return None if one.unknown and result is False else result


def _value(dimension: str, side: str, walk: Walk) -> Value | None:
    packet = walk.packet
    source = side == "src"
    if dimension in ("ip", "net"):
        return "addr", packet.src if source else packet.dst, 0
    if dimension == "port":
        if packet.protocol in (ICMP, ICMPV6):
            return "port", packet.icmp_type * 256 + packet.icmp_code, packet.protocol
        if packet.protocol not in PORTED:
            return None
        return "port", packet.sport if source else packet.dport, packet.protocol
    if dimension == "iface":
        return "iface", walk.iif if source else walk.oif, 0
    if dimension == "mark":
        return "mark", packet.mark, 0
    return None


def _fits(entry: IpSetEntry, values: list[Value], *, plain_ports: bool) -> int | None:
    """How specific a fitting entry is (the most specific one wins); None when it does not fit."""
    bits = 0
    for part, (kind, value, protocol) in zip(entry.parts, values, strict=False):
        fit = _part_fits(part, kind, value, protocol, plain_ports=plain_ports)
        if fit is None:
            return None
        bits = bits * 256 + fit
    return bits


def _part_fits(
    part: ElementPart, kind: str, value: int | str, protocol: int, *, plain_ports: bool
) -> int | None:
    if isinstance(part, Prefix):
        return part.mask.bit_count() if value in part else None
    if isinstance(part, tuple):
        if len(part) == 3:
            fits = (plain_ports or part[0] == protocol) and part[1] <= int(value) <= part[2]
        else:
            fits = not isinstance(value, str) and part[0] <= value <= part[1]
        return 128 if fits else None
    if kind == "iface" and isinstance(part, str):
        return 128 if part == value else None
    return 128 if part == value else None
