"""Does a match of an iptables rule match? Yes, no, or not known (``None``)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from podpath.dataplane.ipsets import set_contains
from podpath.dataplane.routing import FibKey, address_type, fib_of
from podpath.dataplane.walk import Walk
from podpath.model.addr import MULTICAST_V6, V6_UNSPECIFIED
from podpath.model.flow import ICMP, ICMPV6, SCTP, TCP, UDP
from podpath.model.linux import xtables as xt
from podpath.model.linux.xtables import Match

Ternary = bool | None
PORT_PROTOCOLS = frozenset({TCP, UDP, SCTP, 33, 136})


def matches(match: Match, walk: Walk) -> Ternary:
    """Kleene's three values: True, False, or None where the evidence does not say."""
    return _JUDGES[type(match)](match, walk)


def _address(match: xt.AddressMatch, walk: Walk) -> Ternary:
    addr = walk.packet.src if match.side == "src" else walk.packet.dst
    return (addr & match.prefix.mask == match.prefix.net) != match.negate


def _interface(match: xt.InterfaceMatch, walk: Walk) -> Ternary:
    name = walk.iif if match.side == "in" else walk.oif
    fits = name.startswith(match.name) if match.wildcard else name == match.name
    return fits != match.negate


def _protocol(match: xt.ProtocolMatch, walk: Walk) -> Ternary:
    return (match.protocol in (0, walk.packet.protocol)) != match.negate


def _fragment(match: xt.FragmentMatch, walk: Walk) -> Ternary:  # noqa: ARG001  whole packets only are walked
    return match.negate


def _port(match: xt.PortMatch, walk: Walk) -> Ternary:
    packet = walk.packet
    if packet.protocol not in PORT_PROTOCOLS:
        return False
    ports = {"src": (packet.sport,), "dst": (packet.dport,), "either": (packet.sport, packet.dport)}[
        match.side
    ]
    return any(low <= port <= high for port in ports for low, high in match.ranges) != match.negate


def _tcp_flags(match: xt.TcpFlagsMatch, walk: Walk) -> Ternary:
    if walk.packet.protocol != TCP:
        return False
    return (walk.packet.tcp_flags & match.mask == match.value) != match.negate


def _icmp_type(match: xt.IcmpTypeMatch, walk: Walk) -> Ternary:
    packet = walk.packet
    if packet.protocol != (ICMP if match.v4 else ICMPV6):
        return False
    fits = match.type == 255 or (
        packet.icmp_type == match.type and match.codes[0] <= packet.icmp_code <= match.codes[1]
    )
    return fits != match.negate


def _ct_state(match: xt.CtStateMatch, walk: Walk) -> Ternary:
    flags = walk.ct.flags if walk.ct is not None else xt.CtState.INVALID
    return bool(flags & match.states) != match.negate


def _ct_tuple(match: xt.CtTupleMatch, walk: Walk) -> Ternary:
    entry = walk.ct.entry if walk.ct is not None else None
    if entry is None:
        return False
    one = entry.original if match.which.startswith("orig") else entry.reply
    if match.which.endswith("port"):
        port = one.sport if "src" in match.which else one.dport
        fits = match.ports is not None and match.ports[0] <= port <= match.ports[1]
    else:
        addr = one.src if match.which.endswith("src") else one.dst
        fits = match.prefix is not None and addr in match.prefix
    return fits != match.negate


def _ct_field(match: xt.CtFieldMatch, walk: Walk) -> Ternary:
    view = walk.ct
    if view is None or view.entry is None:
        return False
    if match.which == "dir":
        return (view.direction.name == match.value.upper()) != match.negate
    if match.which == "proto":
        return (str(view.entry.original.proto) == match.value) != match.negate
    if match.which == "status":
        has = {"NONE"}
        has |= {"SEEN_REPLY", "ASSURED"} if view.entry.seen_reply else set()
        has |= {"CONFIRMED"} if view.entry.confirmed else set()
        return bool(has & set(match.value.upper().split(","))) != match.negate
    return None


def _mark(match: xt.MarkMatch, walk: Walk) -> Ternary:
    mark = walk.packet.mark
    if match.connection:
        if walk.ct is None or walk.ct.entry is None:
            return False
        mark = walk.ct.entry.mark
    return (mark & match.mask == match.value) != match.negate


def _addr_type(match: xt.AddrTypeMatch, walk: Walk) -> Ternary:
    addr = walk.packet.src if match.side == "src" else walk.packet.dst
    dev = {"in": walk.iif, "out": walk.oif}.get(match.limit, "")
    if walk.netns.addresses is None and walk.netns.routes is None:
        return None
    fits = (
        address_type(walk.netns, addr, dev) in match.types
        if walk.v4
        else _addr_types_v6(match.types, addr, dev, walk)
    )
    return fits != match.negate


def _addr_types_v6(types: frozenset[str], addr: int, dev: str, walk: Walk) -> bool:
    """Whether an IPv6 address is of the types (xt_addrtype.c, match_type6).

    MULTICAST, UNICAST and UNSPEC are what the address itself is, and all of them must hold; the rest is what its route
    says, and one of that must hold.
    """
    kind = "MULTICAST" if addr in MULTICAST_V6 else "UNSPEC" if addr == V6_UNSPECIFIED else "UNICAST"
    if any(one in types and one != kind for one in ("MULTICAST", "UNICAST", "UNSPEC")):
        return False
    if not types & {"LOCAL", "ANYCAST", "UNREACHABLE"}:
        return True
    found = address_type(walk.netns, addr, dev)
    if found in types and found in ("LOCAL", "ANYCAST"):
        return True
    route = fib_of(walk.netns, v4=False).lookup(FibKey(addr, uid=0)).type
    return "UNREACHABLE" in types and route in ("none", "unreachable", "prohibit", "blackhole")


def _statistic(match: xt.StatisticMatch, walk: Walk) -> Ternary:
    chance = match.probability
    return (walk.decider.random((chance, 1.0 - chance), "statistic") == 0) != match.negate


def _recent(match: xt.RecentMatch, walk: Walk) -> Ternary:  # noqa: ARG001  the list is not in a bundle
    """A client without history: ``set`` adds and is true, every other test finds no entry."""
    return (match.op == "set") != match.negate


def _set(match: xt.SetMatch, walk: Walk) -> Ternary:
    if match.conditional or walk.netns.ipsets is None:
        return None
    one = walk.netns.ipsets.get(match.name)
    if one is None:
        return None
    inside = set_contains(one, match.sides, walk, return_nomatch=match.return_nomatch)
    return None if inside is None else inside != match.negate


def _physdev(match: xt.PhysdevMatch, walk: Walk) -> Ternary:
    if match.which == "is-in":
        return bool(walk.phys_in) != match.negate
    if match.which == "is-out":
        return bool(walk.phys_out) != match.negate
    if match.which == "is-bridged":
        return walk.bridged != match.negate
    name = walk.phys_in if match.which == "in" else walk.phys_out
    if not walk.phys_in and not walk.phys_out:
        return match.negate
    fits = name.startswith(match.name) if match.wildcard else name == match.name
    return fits != match.negate


def _rpfilter(match: xt.RpFilterMatch, walk: Walk) -> Ternary:
    """xt_rpfilter: the route to the source leaves by the device the packet came in by."""
    if walk.iif in ("", "lo"):
        return not match.negate
    mark = walk.packet.mark if match.validmark else 0
    result = fib_of(walk.netns, v4=walk.v4).lookup(FibKey(walk.packet.src, walk.packet.dst, mark=mark))
    if result.type == "unknown":
        return None
    fits = result.type == "unicast" or (match.accept_local and result.type == "local")
    if fits and not match.loose and result.type == "unicast":
        fits = any(hop.dev == walk.iif for hop in result.hops)
    return fits != match.negate


def _owner(match: xt.OwnerMatch, walk: Walk) -> Ternary:
    if not walk.local_out:
        return False
    if match.which == "socket-exists":
        return not match.negate
    if walk.packet.uid is None:
        return None if match.which in ("uid", "gid") else False
    if match.which == "gid":
        return None
    return (match.ids[0] <= walk.packet.uid <= match.ids[1]) != match.negate


def _socket(match: xt.SocketMatch, walk: Walk) -> Ternary:
    """xt_socket: an established or (without ``--nowildcard``) listening local socket has the packet's address."""
    if match.transparent or walk.netns.sockets is None:
        return None
    packet = walk.packet
    if address_type(walk.netns, packet.dst) != "LOCAL":
        return match.negate
    found = any(
        s.protocol == packet.protocol and s.port == packet.dport and s.local in (None, packet.dst)
        for s in walk.netns.sockets
    )
    return found != match.negate


def _length(match: xt.LengthMatch, walk: Walk) -> Ternary:
    return (match.lo <= walk.packet.length <= match.hi) != match.negate


def _ttl(match: xt.TtlMatch, walk: Walk) -> Ternary:
    ttl = walk.packet.ttl
    return {"eq": ttl == match.value, "lt": ttl < match.value, "gt": ttl > match.value}[
        match.op
    ] != match.negate


def _dscp(match: xt.DscpMatch, walk: Walk) -> Ternary:
    return (walk.packet.tos & match.mask == match.value) != match.negate


def _pkttype(match: xt.PktTypeMatch, walk: Walk) -> Ternary:  # noqa: ARG001  every packet walked is unicast
    return (match.type == "unicast") != match.negate


def _mac(match: xt.MacMatch, walk: Walk) -> Ternary:  # noqa: ARG001
    return None


def _range(match: xt.RangeMatch, walk: Walk) -> Ternary:
    addr = walk.packet.src if match.side == "src" else walk.packet.dst
    return (match.lo <= addr <= match.hi) != match.negate


def _policy(match: xt.PolicyMatch, walk: Walk) -> Ternary:  # noqa: ARG001  IPsec is not walked: packets carry none
    return (match.policy == "none") != match.negate


def _true(match: object, walk: Walk) -> Ternary:  # noqa: ARG001
    return True


def _never(match: xt.NeverMatch, walk: Walk) -> Ternary:  # noqa: ARG001
    return match.negate


def _not_known(match: object, walk: Walk) -> Ternary:  # noqa: ARG001
    return None


_JUDGES: dict[type, Callable[[Any, Walk], Ternary]] = {
    xt.AddressMatch: _address,
    xt.InterfaceMatch: _interface,
    xt.ProtocolMatch: _protocol,
    xt.FragmentMatch: _fragment,
    xt.PortMatch: _port,
    xt.TcpFlagsMatch: _tcp_flags,
    xt.IcmpTypeMatch: _icmp_type,
    xt.CtStateMatch: _ct_state,
    xt.CtTupleMatch: _ct_tuple,
    xt.CtFieldMatch: _ct_field,
    xt.MarkMatch: _mark,
    xt.AddrTypeMatch: _addr_type,
    xt.StatisticMatch: _statistic,
    xt.RecentMatch: _recent,
    xt.SetMatch: _set,
    xt.PhysdevMatch: _physdev,
    xt.RpFilterMatch: _rpfilter,
    xt.OwnerMatch: _owner,
    xt.SocketMatch: _socket,
    xt.LengthMatch: _length,
    xt.TtlMatch: _ttl,
    xt.DscpMatch: _dscp,
    xt.PktTypeMatch: _pkttype,
    xt.MacMatch: _mac,
    xt.RangeMatch: _range,
    xt.PolicyMatch: _policy,
    xt.LimitMatch: _true,
    xt.AlwaysMatch: _true,
    xt.NeverMatch: _never,
    xt.UnknownMatch: _not_known,
}
"""One judge a match; total over the union, which a test holds."""
