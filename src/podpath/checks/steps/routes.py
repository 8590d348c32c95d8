"""The route that a packet took, and the one that it should have taken, built as the node's other routes are."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

import msgspec

from podpath.checks.case import Case
from podpath.checks.steps.ranges import host_of, hosts, node_address
from podpath.dataplane.routing import FibKey, FibResult, fib_of
from podpath.model.addr import ANY_V4, EVERYTHING, Prefix, format_addr, format_prefix, is_v4, make_prefix
from podpath.model.kube.cluster import Cluster
from podpath.model.linux.link import Link
from podpath.model.linux.route import MAIN, NextHop, Route
from podpath.model.network import Netns, Network
from podpath.model.origin import Origin

USUAL_TABLES = ("main", "local", "default")


def routes_of(netns: Netns, *, v4: bool) -> tuple[Route, ...]:
    """A namespace's routes of a family."""
    return (netns.routes if v4 else netns.routes6) or ()


def looked_up(netns: Netns, addr: int) -> FibResult:
    """Where a namespace sends an address of nobody in particular."""
    return fib_of(netns, v4=is_v4(addr)).lookup(FibKey(addr))


def taken(case: Case) -> Route | None:
    """The route that the case's packet took, or that ended it: the one whose line a step of its last hop names."""
    routes = routes_of(case.netns, v4=case.trace.packet.v4)
    for step in (case.step, *reversed(case.hop.steps)):
        if step.stage == "route" and step.origin.file:
            found = next((route for route in routes if route.origin == step.origin), None)
            if found is not None:
                return found
    return None


def default_route(netns: Netns, *, v4: bool) -> Route | None:
    """A namespace's way to everybody else."""
    default = (route for route in routes_of(netns, v4=v4) if route.table == MAIN and route.type == "unicast")
    return next((route for route in default if route.dst.length == 0), None)


def covering(netns: Netns, addr: int) -> tuple[Route, ...]:
    """The routes of the main table that an address lies in, without default routes; the longest first."""
    found = [
        route
        for route in routes_of(netns, v4=is_v4(addr))
        if addr in route.dst and route.table == MAIN and route.dst.length > 0
    ]
    return tuple(sorted(found, key=lambda route: -route.dst.length))


def connected(netns: Netns, addr: int) -> str:
    """The device on whose subnet an address is; empty where a router would be needed."""
    for one in netns.addresses or ():
        same = is_v4(one.addr) == is_v4(addr)
        if same and one.scope == "global" and addr in make_prefix(one.addr, one.length):
            return one.dev
    return ""


def everywhere(*, v4: bool) -> Prefix:
    """The default route's destination."""
    return ANY_V4 if v4 else EVERYTHING


def route_text(route: Route) -> str:
    """``10.0.1.0/24 via 192.0.2.2 dev eth0 onlink``, as ip(8) prints it."""
    words = [] if route.type == "unicast" else [route.type]
    words.append("default" if route.dst.length == 0 else format_prefix(route.dst))
    for hop in route.nexthops[:1]:
        words += ["via", format_addr(hop.gateway)] if hop.gateway is not None else []
        words += ["dev", hop.dev] if hop.dev else []
        words += ["onlink"] if hop.onlink else []
    return " ".join(words)


def made(
    dst: Prefix, dev: str, gateway: int | None, *, onlink: bool = False, protocol: str = "boot"
) -> Route:
    """A route that nobody wrote yet."""
    hops = (NextHop(dev, gateway, onlink=onlink),)
    route = Route(dst, nexthops=hops, scope="link" if gateway is None else "global", protocol=protocol)
    return msgspec.structs.replace(route, origin=Origin("", 0, route_text(route)))


class Style(NamedTuple):
    """How a node's routes to the Pods of other nodes are written."""

    tunnel: bool
    """The gateway is the other node's end of a tunnel, inside its Pods' range."""
    dev: str
    onlink: bool
    protocol: str
    example: Route | None = None
    node: str = ""
    """Where the example stands."""


def style_of(network: Network, netns: Netns, *, v4: bool) -> Style | None:
    """The way of a node's own routes to others; where it has none, that of its siblings."""
    for host in (netns, *(one for one in hosts(network) if one is not netns)):
        for route in routes_of(host, v4=v4):
            style = _style(network, host, route)
            if style is not None and (host is netns or _has_device(netns, host, style)):
                return style
    return None


@lru_cache(maxsize=4)
def _ranges_by_node(cluster: Cluster) -> Mapping[Prefix, str]:
    """The node of each range of Pods."""
    return {prefix: name for name, node in cluster.nodes.items() for prefix in node.pod_cidrs}


def _style(network: Network, host: Netns, route: Route) -> Style | None:
    owner = _ranges_by_node(network.cluster).get(route.dst, host.node)
    if owner == host.node or route.type != "unicast" or route.gateway is None or route.table != MAIN:
        return None
    hop = route.nexthops[0]
    return Style(route.gateway in route.dst, hop.dev, hop.onlink, route.protocol, route, host.node)


def _has_device(netns: Netns, host: Netns, style: Style) -> bool:
    """Whether a node has the device by which a sibling reaches others."""
    link, theirs = (netns.links or {}).get(style.dev), (host.links or {}).get(style.dev)
    return link is not None and theirs is not None and link.kind == theirs.kind


def route_to_pods(network: Network, netns: Netns, node: str, *, v4: bool) -> Route | None:
    """The route to the Pods of another node, as its owner would write it; None where that is not known."""
    known = network.cluster.nodes.get(node)
    cidr = next((one for one in known.pod_cidrs if is_v4(one.net) == v4), None) if known is not None else None
    if cidr is None:
        return None
    style = style_of(network, netns, v4=v4) or _guessed(network, netns, node, v4=v4)
    if style is None:
        return None
    if style.tunnel:
        peer = _tunnel_address(network, node, cidr)
        return made(cidr, style.dev, peer, onlink=style.onlink, protocol=style.protocol)
    gateway = node_address(network, node, v4=v4)
    if gateway is None:
        return None
    dev = style.dev if style.onlink else connected(netns, gateway) or style.dev
    return made(cidr, dev, gateway, onlink=style.onlink, protocol=style.protocol)


def _guessed(network: Network, netns: Netns, node: str, *, v4: bool) -> Style | None:
    """Without any example: over a vxlan device whose peer is known, else by the other node's own address."""
    tunnel = next((link for link in (netns.links or {}).values() if link.vxlan is not None), None)
    theirs = host_of(network, node)
    if tunnel is not None and theirs is not None and any(one.vxlan for one in (theirs.links or {}).values()):
        return Style(tunnel=True, dev=tunnel.name, onlink=True, protocol="boot")
    gateway = node_address(network, node, v4=v4)
    dev = connected(netns, gateway) if gateway is not None else ""
    return Style(tunnel=False, dev=dev, onlink=False, protocol="boot") if dev else None


def _tunnel_address(network: Network, node: str, cidr: Prefix) -> int:
    """The other node's end of the tunnel: what its device holds, else the range's first address (flannel)."""
    netns = host_of(network, node)
    tunnels = (
        {link.name for link in (netns.links or {}).values() if _is_tunnel(link)}
        if netns is not None
        else set()
    )
    held = (one.addr for one in (netns.addresses or () if netns is not None else ()) if one.dev in tunnels)
    return next((addr for addr in held if addr in cidr), cidr.net)


def _is_tunnel(link: Link) -> bool:
    return link.vxlan is not None or link.kind in ("ipip", "geneve", "gre", "wireguard")


def lost_routes(network: Network, netns: Netns, *, v4: bool) -> tuple[tuple[str, Route], ...]:
    """The other nodes to whose Pods a node has no route of its own, and the route that each should have."""
    known = {route.dst for route in routes_of(netns, v4=v4) if route.table == MAIN and route.dst.length > 0}
    masks = {prefix.mask for prefix in known}
    found = []
    for name in sorted(network.cluster.nodes):
        cidr = next((one for one in network.cluster.nodes[name].pod_cidrs if is_v4(one.net) == v4), None)
        if name == netns.node or cidr is None:
            continue
        if any(Prefix(cidr.net & mask, mask) in known for mask in masks if mask & cidr.mask == mask):
            continue
        route = route_to_pods(network, netns, name, v4=v4)
        if route is not None:
            found.append((name, route))
    return tuple(found)
