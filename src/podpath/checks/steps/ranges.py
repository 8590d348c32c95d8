"""Whose an address is: the Pods' ranges, the nodes' own networks, the API servers."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from podpath.model.addr import ALL_BITS, Prefix, is_v4, make_prefix, parse_prefix
from podpath.model.kube.node import Node
from podpath.model.linux.cni import config_in_use
from podpath.model.linux.route import Route
from podpath.model.network import Netns, Network
from podpath.model.refs import node_netns

API_SERVICE = ("default", "kubernetes")
IP_POOLS = ("ippools.crd.projectcalico.org", "ippools.projectcalico.org")


@lru_cache(maxsize=8)
def pod_ranges(network: Network, *, v4: bool) -> tuple[Prefix, ...]:
    """The ranges that Pods' addresses come from: as configured, else each node's own; none lies in another."""
    used = _used_ranges(network)
    configured = [one for one in _configured(network) if any(one.covers(other) for other in used)]
    found: list[Prefix] = []
    for one in sorted((*configured, *used), key=lambda prefix: prefix.mask.bit_count()):
        if is_v4(one.net) == v4 and not any(known.covers(one) for known in found):
            found.append(one)
    return tuple(found)


def _used_ranges(network: Network) -> tuple[Prefix, ...]:
    """The ranges of nodes, and Pods' own addresses where no node has a range."""
    ranges = tuple(prefix for node in network.cluster.nodes.values() for prefix in node.pod_cidrs)
    if ranges:
        return ranges
    pods = network.cluster.pods.values()
    return tuple(Prefix(ip, ALL_BITS) for pod in pods if pod.live and not pod.host_network for ip in pod.ips)


def _configured(network: Network) -> Iterable[Prefix]:
    """What kube-proxy, flannel, Calico and the CNI plugins are told."""
    for node in network.nodes.values():
        texts = node.kube_proxy.cluster_cidr if node.kube_proxy is not None else ()
        yield from (prefix for text in texts if (prefix := _prefix(text)) is not None)
        if node.facts is not None and node.facts.flannel is not None:
            yield from node.facts.flannel.networks
        config = config_in_use(node.cni or ())
        for plugin in config.plugins if config is not None else ():
            yield from plugin.ranges
    for listed in IP_POOLS:
        for pool in network.cluster.others.get(listed, ()):
            prefix = _prefix(str(pool.spec.get("cidr", "")))
            if prefix is not None:
                yield prefix


def _prefix(text: str) -> Prefix | None:
    try:
        return parse_prefix(text.strip())
    except ValueError:
        return None


def in_pod_ranges(network: Network, addr: int) -> bool:
    """Whether an address is a Pod's, or could be one's."""
    return any(addr in one for one in pod_ranges(network, v4=is_v4(addr)))


def home_of(network: Network, addr: int) -> str:
    """The node that an address inside the Pods' ranges belongs to; empty when none is known."""
    pod = network.cluster.pod_at(addr)
    if pod is not None and pod.node:
        return pod.node
    for name, node in network.cluster.nodes.items():
        if any(addr in prefix for prefix in node.pod_cidrs):
            return name
    return next((network.namespaces[netns].node for netns, _ in network.owners.get(addr, ())), "")


def host_of(network: Network, node: str) -> Netns | None:
    """A node's own namespace."""
    return network.namespaces.get(node_netns(node))


def hosts(network: Network) -> tuple[Netns, ...]:
    """All nodes' own namespaces, by name."""
    return tuple(
        sorted((one for one in network.namespaces.values() if one.is_host), key=lambda one: one.node)
    )


def node_address(network: Network, node: str, *, v4: bool) -> int | None:
    """The address that other nodes know a node by: its InternalIP, else what its default device holds."""
    known: Node | None = network.cluster.nodes.get(node)
    addr = known.internal_ip(v4=v4) if known is not None else None
    if addr is not None:
        return addr
    netns = host_of(network, node)
    if netns is None:
        return None
    uplinks = {route.dev for route in _routes(netns, v4=v4) if route.dst.length == 0}
    return next(
        (one.addr for one in netns.addresses or () if one.dev in uplinks and is_v4(one.addr) == v4), None
    )


def _routes(netns: Netns, *, v4: bool) -> tuple[Route, ...]:
    return (netns.routes if v4 else netns.routes6) or ()


def node_networks(network: Network, *, v4: bool, without: str = "") -> tuple[Prefix, ...]:
    """The subnets that the nodes' addresses lie in; a node's own address where its subnet is not known."""
    found: dict[Prefix, None] = {}
    for node in {*network.cluster.nodes, *network.nodes} - {without}:
        addr = node_address(network, node, v4=v4)
        if addr is None:
            continue
        netns = host_of(network, node)
        held = netns.addresses_by_value.get(addr) if netns is not None else None
        found[make_prefix(addr, held.length) if held is not None else Prefix(addr, ALL_BITS)] = None
    return tuple(sorted(found))


def api_endpoints(network: Network) -> frozenset[tuple[int, int]]:
    """(address, port) of the API servers, as their Service's slices say."""
    return frozenset(
        (addr, port.port)
        for one in network.cluster.slices.get(API_SERVICE, ())
        for endpoint in one.endpoints
        for addr in endpoint.addresses
        for port in one.ports
        if port.port
    )


def kubelet_of(network: Network, addr: int, port: int) -> str:
    """The node whose kubelet answers the API server there; empty when none does."""
    node = network.cluster.node_by_address.get(addr)
    if node is None:
        return ""
    known = network.nodes.get(node.name)
    wanted = known.kubelet.port if known is not None and known.kubelet is not None else node.kubelet_port
    return node.name if port == wanted else ""
