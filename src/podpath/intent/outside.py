"""Addresses for the world outside: one that Pods ask, and one on the nodes' own network that asks nodes."""

from __future__ import annotations

from collections.abc import Iterator

from podpath.model.addr import broadcast_of, is_v4, make_prefix, parse_addr
from podpath.model.kube.node import Node
from podpath.model.linux.route import MAIN
from podpath.model.network import Netns, Network
from podpath.model.refs import node_netns

ELSEWHERE = {
    True: tuple(parse_addr(text) for text in ("203.0.113.10", "198.51.100.10", "192.0.2.10")),
    False: tuple(parse_addr(text) for text in ("2001:db8:ffff::10", "2001:db8:fffe::10")),
}
"""Addresses that nobody has (RFC 5737, RFC 3849): packets to them go where those to any stranger go."""
USUAL_LENGTH = {True: 24, False: 64}
"""Of the nodes' own network, where their state does not tell."""


def elsewhere(network: Network, *, v4: bool) -> int | None:
    """An address outside to ask; None where no node has a default route of the family, as often with IPv6."""
    if not _is_offered(network, v4=v4):
        return None
    return next((addr for addr in ELSEWHERE[v4] if not _is_used(network, addr)), None)


def _is_offered(network: Network, *, v4: bool) -> bool:
    """One node with a default route is a norm for the others. Where no node's routes are known, IPv4 is assumed."""
    tables = [
        routes
        for netns in network.namespaces.values()
        if netns.is_host and (routes := netns.routes if v4 else netns.routes6) is not None
    ]
    if not tables:
        return v4
    return any(
        _is_default(route.dst.length, route.table, route.type) for routes in tables for route in routes
    )


def _is_default(length: int, table: str, type_: str) -> bool:
    return length == 0 and table == MAIN and type_ == "unicast"


def _is_used(network: Network, addr: int) -> bool:
    """Whether an address lies in a range of this cluster."""
    cluster = network.cluster
    if any(addr in prefix for node in cluster.nodes.values() for prefix in node.pod_cidrs):
        return True
    near = (
        {address for node in cluster.nodes.values() for address in node.addresses()}
        | set(cluster.pods_by_ip)
        | set(cluster.services_by_cluster_ip)
    )
    return any(
        addr in make_prefix(one, USUAL_LENGTH[is_v4(one)]) for one in near if is_v4(one) == is_v4(addr)
    )


def neighbour_of(network: Network, node: Node, addr: int) -> int | None:
    """An address on a node's own network that is no node's: its router, else a neighbour, else a free one."""
    netns = network.namespaces.get(node_netns(node.name))
    taken = network.cluster.node_by_address
    for candidate in _candidates(netns, addr):
        if candidate not in taken and candidate != addr and not network.cluster.pods_by_ip.get(candidate):
            return candidate
    return None


def _candidates(netns: Netns | None, addr: int) -> Iterator[int]:
    v4 = is_v4(addr)
    held = next((one for one in (netns.addresses or () if netns else ()) if one.addr == addr), None)
    subnet = make_prefix(addr, held.length if held else USUAL_LENGTH[v4])
    if netns is not None:
        for route in (netns.routes if v4 else netns.routes6) or ():
            if _is_default(route.dst.length, route.table, route.type) and route.gateway in subnet:
                yield route.gateway or 0
        yield from sorted(
            one.dst for one in netns.neighbors or () if one.dst in subnet and one.state != "FAILED"
        )
    last = broadcast_of(subnet)
    yield from range(last - 1, max(last - 64, subnet.net), -1)
