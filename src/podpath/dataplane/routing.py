"""The forwarding information base: rules, tables, longest prefix match (fib_rules.c, fib_trie.c, ip6_fib.c)."""

from __future__ import annotations

from functools import cached_property

import msgspec

from podpath.model.addr import (
    ALL_BITS,
    BROADCAST_V4,
    EVERYTHING,
    LOOPBACK_V4,
    LOOPBACK_V6,
    MULTICAST_V4,
    MULTICAST_V6,
    THIS_NETWORK_V4,
    Prefix,
    broadcast_of,
    is_v4,
    make_prefix,
)
from podpath.model.linux.link import InterfaceAddress
from podpath.model.linux.route import DEFAULT, LOCAL, MAIN, NextHop, Route, RoutingRule
from podpath.model.network import Netns
from podpath.model.origin import NOWHERE, Origin

STANDARD_RULES = (
    RoutingRule(0, table=LOCAL),
    RoutingRule(32766, table=MAIN),
    RoutingRule(32767, table=DEFAULT),
)
"""What the kernel starts with (fib4_rules.c, fib_default_rules_init)."""


class FibKey(msgspec.Struct, frozen=True, gc=False):
    """What a lookup is about."""

    dst: int
    src: int = 0
    iif: str = "lo"
    oif: str = ""
    mark: int = 0
    tos: int = 0
    protocol: int = 0
    sport: int = 0
    dport: int = 0
    uid: int | None = None


class FibResult(msgspec.Struct, frozen=True, gc=False):
    """What a lookup found.

    ``type`` is the route's type; ``none`` when nothing matched; ``unknown`` when a rule or route that decides was not
    understood.
    """

    type: str
    route: Route | None = None
    hops: tuple[NextHop, ...] = ()
    rule: RoutingRule | None = None
    question: str = ""

    @property
    def origin(self) -> Origin:
        """The line that decided."""
        if self.route is not None:
            return self.route.origin
        return self.rule.origin if self.rule is not None else NOWHERE


class Fib:
    """The compiled routing state of one namespace and family."""

    def __init__(self, netns: Netns, *, v4: bool) -> None:
        """Compile the routes and rules of a namespace."""
        routes = (netns.routes if v4 else netns.routes6) or ()
        if not any(route.table == LOCAL for route in routes):
            routes = (*routes, *_local_routes(netns.addresses or (), v4=v4))
        rules = netns.rules if v4 else netns.rules6
        self.rules = tuple(sorted(rules or STANDARD_RULES, key=lambda rule: rule.priority))
        self.simple = all(
            r.src == EVERYTHING and not r.iif and not r.mark_mask and not r.invert for r in self.rules
        )
        self.tables: dict[str, list[tuple[int, dict[int, list[Route]]]]] = {}
        by_table: dict[str, dict[int, dict[int, list[Route]]]] = {}
        for route in routes:
            by_table.setdefault(route.table, {}).setdefault(route.dst.mask, {}).setdefault(
                route.dst.net, []
            ).append(route)
        for table, by_mask in by_table.items():
            for nets in by_mask.values():
                for same in nets.values():
                    same.sort(key=lambda route: (-route.tos, route.metric))
            self.tables[table] = sorted(by_mask.items(), key=lambda item: -item[0].bit_count())
        self.ignore_linkdown = {
            dev: bool(
                max(
                    _conf(netns, "all", "ignore_routes_with_linkdown", v4=v4),
                    _conf(netns, dev, "ignore_routes_with_linkdown", v4=v4),
                )
            )
            for dev in (netns.links or {})
        }
        self.down = {name for name, link in (netns.links or {}).items() if not link.up}

    def lookup(self, key: FibKey) -> FibResult:
        """The rules by priority, then the longest prefix of the table each names (fib_rules_lookup)."""
        at = 0
        while at < len(self.rules):
            rule = self.rules[at]
            at += 1
            if not rule_matches(rule, key):
                continue
            if rule.unknown:
                return FibResult(
                    "unknown", rule=rule, question=f"what the routing rule does: {rule.origin.text}"
                )
            if rule.action == "goto":
                at = next(
                    (i for i, other in enumerate(self.rules) if other.priority == rule.goto), len(self.rules)
                )
                continue
            if rule.action == "nop":
                continue
            if rule.action in ("blackhole", "unreachable", "prohibit"):
                return FibResult(rule.action, rule=rule)
            result = self.lookup_table(rule.table, key, rule)
            if result is None or result.type == "throw":
                continue
            if _suppressed(rule, result):
                continue
            return result
        return FibResult("none")

    def lookup_table(self, table: str, key: FibKey, rule: RoutingRule | None = None) -> FibResult | None:
        """The longest prefix of one table that has a live next hop; None when there is none."""
        for mask, nets in self.tables.get(table, ()):
            for route in nets.get(key.dst & mask, ()):
                if route.tos and route.tos != key.tos:
                    continue
                if route.unknown:
                    return FibResult(
                        "unknown", route, rule=rule, question=f"what the route does: {route.origin.text}"
                    )
                if route.type not in ("unicast", "local", "broadcast", "multicast", "anycast"):
                    return FibResult(route.type, route, rule=rule)
                hops = route.nexthops
                if key.oif or len(hops) != 1 or not self._alive(hops[0]):
                    hops = tuple(
                        hop for hop in hops if self._alive(hop) and (not key.oif or hop.dev == key.oif)
                    )
                if hops or (route.type != "unicast" and not route.nexthops):
                    return FibResult(route.type, route, hops, rule)
        return None

    @cached_property
    def local_addresses(self) -> tuple[int, ...] | None:
        """Its addresses as the local table has them; None when there are networks in it beside that of loopback."""
        found: list[int] = []
        for mask, nets in self.tables.get(LOCAL, ()):
            if mask == ALL_BITS:
                found += nets
            elif any(
                route.unknown or (route.type == "local" and route.dst != LOOPBACK_V4)
                for routes in nets.values()
                for route in routes
            ):
                return None
        return tuple(found)

    def _alive(self, hop: NextHop) -> bool:
        return (
            not hop.dead
            and not (hop.linkdown and self.ignore_linkdown.get(hop.dev))
            and hop.dev not in self.down
        )


def rule_matches(rule: RoutingRule, key: FibKey) -> bool:
    """Whether a rule's selectors fit (fib_rule_match)."""
    matches = (
        key.src & rule.src.mask == rule.src.net
        and key.dst & rule.dst.mask == rule.dst.net
        and (not rule.iif or rule.iif == key.iif)
        and (not rule.oif or rule.oif == key.oif)
        and (key.mark ^ rule.mark) & rule.mark_mask == 0
        and (rule.tos is None or rule.tos == key.tos)
        and (rule.ipproto is None or rule.ipproto == key.protocol)
        and (rule.sport is None or rule.sport[0] <= key.sport <= rule.sport[1])
        and (rule.dport is None or rule.dport[0] <= key.dport <= rule.dport[1])
        and (rule.uid is None or (key.uid is not None and rule.uid[0] <= key.uid <= rule.uid[1]))
        and not rule.l3mdev
    )
    return matches != rule.invert


def _suppressed(rule: RoutingRule, result: FibResult) -> bool:
    return (
        rule.suppress_length is not None
        and result.route is not None
        and result.route.dst.length <= rule.suppress_length
    )


def _local_routes(addresses: tuple[InterfaceAddress, ...], *, v4: bool) -> list[Route]:
    """The local table as the kernel keeps it, for dumps that show the main table alone (fib_add_ifaddr)."""
    routes = []
    for address in addresses:
        if is_v4(address.addr) != v4:
            continue
        hop = (NextHop(address.dev),)
        routes.append(
            Route(
                Prefix(address.addr, ALL_BITS),
                LOCAL,
                "local",
                hop,
                address.addr,
                scope="host",
                origin=address.origin,
            )
        )
        subnet = make_prefix(address.addr, address.length)
        if v4 and address.dev == "lo" and subnet == LOOPBACK_V4:
            routes.append(
                Route(LOOPBACK_V4, LOCAL, "local", hop, address.addr, scope="host", origin=address.origin)
            )
        elif v4 and address.length < 31:
            last = broadcast_of(subnet)
            routes.append(
                Route(Prefix(last, ALL_BITS), LOCAL, "broadcast", hop, address.addr, origin=address.origin)
            )
    return routes


def _conf(netns: Netns, dev: str, name: str, *, v4: bool) -> int:
    return (netns.sysctls.conf(dev, name, v4=v4) or 0) if netns.sysctls is not None else 0


def fib_of(netns: Netns, *, v4: bool) -> Fib:
    """The compiled routing state of a namespace; kept as long as the namespace lives."""
    key = "fib" if v4 else "fib6"
    found: Fib | None = netns.derived.get(key)
    if found is None:
        found = netns.derived[key] = Fib(netns, v4=v4)
    return found


def address_type(netns: Netns, addr: int, dev: str = "") -> str:
    """``inet_addr_type``: LOCAL, BROADCAST, MULTICAST, UNICAST ... by the local table alone.

    With ``dev`` only what is local on that device counts (``--limit-iface-in``).
    """
    v4 = is_v4(addr)
    if addr in (MULTICAST_V4 if v4 else MULTICAST_V6):
        return "MULTICAST"
    if v4 and (addr == BROADCAST_V4 or addr in THIS_NETWORK_V4):
        return "BROADCAST"
    if not v4 and addr == 0:
        return "UNSPEC"
    result = fib_of(netns, v4=v4).lookup_table(LOCAL, FibKey(addr))
    if result is None or result.route is None:
        return "UNICAST"
    if dev and result.hops and result.hops[0].dev != dev:
        return "UNICAST"
    return {"local": "LOCAL", "broadcast": "BROADCAST", "anycast": "ANYCAST", "multicast": "MULTICAST"}.get(
        result.type, result.type.upper()
    )


def is_loopback(addr: int) -> bool:
    """127.0.0.0/8 or ::1."""
    return addr in LOOPBACK_V4 or addr == LOOPBACK_V6


def select_address(
    netns: Netns, dev: str, towards: int, *, scope_link: bool = False
) -> InterfaceAddress | None:
    """The address a host takes as source: ``inet_select_addr``.

    The primary address of ``dev`` whose subnet holds ``towards``, else its first primary; else the first usable address
    of the other devices in order of index. IPv6: the address with the longest common prefix (RFC 6724 rule 8),
    link-local ones only for link-local destinations.
    """
    v4 = is_v4(towards)
    usable = [
        a
        for a in netns.addresses or ()
        if is_v4(a.addr) == v4 and not a.tentative and a.scope != "host" and (scope_link or a.scope != "link")
    ]
    if not v4:
        return _select_v6(netns, dev, towards)
    own = [a for a in usable if a.dev == dev and not a.secondary]
    for address in own:
        if towards in make_prefix(address.addr, address.length):
            return address
    if own:
        return own[0]
    links = netns.links or {}
    others = sorted(
        (a for a in usable if a.dev != dev and not a.secondary),
        key=lambda a: links[a.dev].index if a.dev in links else 0,
    )
    return others[0] if others else None


def _select_v6(netns: Netns, dev: str, towards: int) -> InterfaceAddress | None:
    if towards == LOOPBACK_V6:
        return netns.addresses_by_value.get(towards)
    link_local = towards >> 118 == 0x3FA
    candidates = [
        a for a in netns.addresses or () if not is_v4(a.addr) and not a.tentative and a.scope != "host"
    ]
    candidates = [a for a in candidates if (a.addr >> 118 == 0x3FA) == link_local] or candidates
    if not candidates:
        return None

    def rank(address: InterfaceAddress) -> tuple[bool, bool, int]:
        common = 128 - (address.addr ^ towards).bit_length()
        return (
            not address.deprecated,
            address.dev == dev,
            min(common, address.length) if address.dev == dev else common,
        )

    return max(candidates, key=rank)
