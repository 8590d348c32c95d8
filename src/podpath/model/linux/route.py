"""Routes, routing rules and next hops (``ip -d -j route show table all``, ``ip -j rule``, ``ip -j nexthop``)."""

from __future__ import annotations

import msgspec

from podpath.model.addr import EVERYTHING, Prefix
from podpath.model.origin import NOWHERE, Origin

MAIN, LOCAL, DEFAULT = "main", "local", "default"
"""Tables are named as iproute2 prints them: by these names or by number, as a string."""


class NextHop(msgspec.Struct, frozen=True, gc=False):
    """One way on: a gateway, a device, or both. ``weight`` counts from 1."""

    dev: str = ""
    gateway: int | None = None
    weight: int = 1
    onlink: bool = False
    dead: bool = False
    linkdown: bool = False
    encap: str = ""
    """Lightweight tunnel attributes, as printed; not modelled."""


class Route(msgspec.Struct, frozen=True, gc=False):
    """A route of one table."""

    dst: Prefix
    table: str = MAIN
    type: str = "unicast"
    """unicast local broadcast multicast anycast blackhole unreachable prohibit throw nat."""
    nexthops: tuple[NextHop, ...] = ()
    prefsrc: int | None = None
    metric: int = 0
    scope: str = "global"
    protocol: str = ""
    mtu: int | None = None
    tos: int = 0
    pref: str = ""
    unknown: str = ""
    """What was not understood of the entry; the route's effect is then unknown."""
    origin: Origin = NOWHERE

    @property
    def dev(self) -> str:
        """The device of the first next hop."""
        return self.nexthops[0].dev if self.nexthops else ""

    @property
    def gateway(self) -> int | None:
        """The gateway of the first next hop."""
        return self.nexthops[0].gateway if self.nexthops else None


class RoutingRule(msgspec.Struct, frozen=True, gc=False):
    """A rule of the routing policy database (ip-rule(8))."""

    priority: int
    action: str = "lookup"
    """lookup, goto, nop, blackhole, unreachable, prohibit."""
    table: str = MAIN
    invert: bool = False
    src: Prefix = EVERYTHING
    dst: Prefix = EVERYTHING
    iif: str = ""
    oif: str = ""
    mark: int = 0
    mark_mask: int = 0
    tos: int | None = None
    ipproto: int | None = None
    sport: tuple[int, int] | None = None
    dport: tuple[int, int] | None = None
    uid: tuple[int, int] | None = None
    goto: int | None = None
    suppress_length: int | None = None
    """``suppress_prefixlength``: a result with a prefix this short or shorter is ignored; own family's counting."""
    l3mdev: bool = False
    unknown: str = ""
    origin: Origin = NOWHERE
