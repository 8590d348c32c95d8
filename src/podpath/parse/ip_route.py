"""``ip -d -j route show table all`` (also ``ip -6``): the routes of one network namespace."""

from __future__ import annotations

from collections.abc import Mapping

from podpath.model.addr import ANY_V4, EVERYTHING, Prefix, is_v4, parse_prefix
from podpath.model.linux.route import MAIN, NextHop, Route
from podpath.model.origin import Origin, Unrecognized
from podpath.parse.ip_nexthop import next_hop
from podpath.parse.iproute_names import table_name, tos_number
from podpath.parse.iproute_text import route_text
from podpath.parse.json_entries import (
    Fields,
    Item,
    address,
    child,
    children,
    need_word,
    number,
    parse_entries,
    word,
)

TYPES = frozenset(
    {
        "unicast",
        "local",
        "broadcast",
        "multicast",
        "anycast",
        "blackhole",
        "unreachable",
        "prohibit",
        "throw",
        "nat",
    }
)
SELECTORS = ("from", "iif", "newdst", "as")
"""Attributes that make a route one for some packets only, or change their destination."""


def parse_ip_route(
    text: str,
    file: str,
    *,
    family: str = "",
    nexthops: Mapping[int, tuple[NextHop, ...]] | None = None,
) -> tuple[tuple[Route, ...], tuple[Unrecognized, ...]]:
    """The routes of both families in the order of the file.

    ``family`` ("ip" or "ip6") decides where an entry itself does not, ``nexthops`` resolves ``nhid``.
    """
    v6 = family == "ip6"
    objects = nexthops or {}
    return parse_entries(text, file, lambda fields, item: (_route(fields, item, file, v6, objects),))


def _route(
    fields: Fields, item: Item, file: str, v6: bool, objects: Mapping[int, tuple[NextHop, ...]]
) -> Route:
    kind = word(fields, "type") or "unicast"
    v4 = _is_v4(fields, v6=v6)
    dst = _destination(need_word(fields, "dst"), v4=v4)
    ways = _own_ways(fields)
    unknown = _unknown(fields, kind, ways, v4=is_v4(dst.net))
    nhid = number(fields, "nhid")
    if nhid is not None and not ways:
        resolved = objects.get(nhid)
        if resolved == ():
            kind = "blackhole"
        elif resolved:
            ways = resolved
        elif kind == "unicast":
            unknown = unknown or f"nhid {nhid}"
    return Route(
        dst=dst,
        table=table_name(word(fields, "table") or MAIN),
        type=kind,
        nexthops=ways,
        prefsrc=address(fields, "prefsrc"),
        metric=number(fields, "metric") or 0,
        scope=word(fields, "scope") or "global",
        protocol=word(fields, "protocol"),
        mtu=_mtu(fields),
        tos=0 if "encap" in fields else tos_number(word(fields, "tos")),
        pref=word(fields, "pref"),
        unknown=unknown,
        origin=Origin(file, item.line, route_text(fields)),
    )


def _is_v4(fields: Fields, *, v6: bool) -> bool:
    """The family of an entry whose ``dst`` does not tell it (``default``, ``0/8``)."""
    via = word(child(fields, "via"), "family")
    if via:
        return via == "inet6"  # RTA_VIA is a gateway of the other family
    for hop in (fields, *children(fields, "nexthops")):
        for key in ("gateway", "prefsrc"):
            addr = address(hop, key)
            if addr is not None:
                return is_v4(addr)
        if "via" in hop:
            return word(child(hop, "via"), "family") == "inet6"
    return not (v6 or "pref" in fields)  # the kernel gives every IPv6 route its RTA_PREF


def _destination(text: str, *, v4: bool) -> Prefix:
    if text in ("default", "all"):
        return ANY_V4 if v4 else EVERYTHING
    base, slash, length = text.strip().partition("/")
    if base == "0" and slash:  # print_route: a destination of zeros is printed as "0/8"
        return parse_prefix(f"{'0.0.0.0' if v4 else '::'}/{length}")
    return parse_prefix(text)


def _own_ways(fields: Fields) -> tuple[NextHop, ...]:
    several = children(fields, "nexthops")
    if several:
        return tuple(next_hop(hop) for hop in several if hop)
    way = next_hop(fields)
    return (way,) if way.dev or way.gateway is not None else ()


def _unknown(fields: Fields, kind: str, ways: tuple[NextHop, ...], *, v4: bool) -> str:
    """What of the entry changes the path and is not modelled."""
    said = [] if kind in TYPES else [f"type {kind}"]
    said += [f"{key} {word(fields, key)}" for key in SELECTORS if key in fields]
    encaps = {word(fields, "encap"), *(way.encap for way in ways)} - {""}
    said += [f"encap {encap}" for encap in sorted(encaps)]
    if not v4 and any(way.gateway is not None and is_v4(way.gateway) for way in ways):
        said.append("an IPv6 route via an IPv4 gateway")
    return ", ".join(said)


def _mtu(fields: Fields) -> int | None:
    for metrics in children(fields, "metrics"):
        mtu = number(metrics, "mtu")
        if mtu is not None:
            return mtu
    return None
