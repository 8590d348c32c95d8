"""Ranges of addresses: those that the cluster gives to Pods and Services, and those that its machines are in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from podpath.model.addr import Prefix, is_v4, make_prefix, parse_prefix
from podpath.model.kube.other import OtherObject
from podpath.model.linux.link import Link
from podpath.model.linux.route import MAIN
from podpath.model.network import Netns, Network
from podpath.model.origin import Origin

SERVICE_SUBNET = re.compile(r"serviceSubnet:\s*\"?([0-9a-fA-F:./,]+)")
SERVICE_FLAG = "--service-cluster-ip-range="
TUNNELS = frozenset({"vxlan", "ipip", "ip6tnl", "sit", "gre", "gretap", "geneve"})
"""Kinds of links by which CNIs carry Pods' packets to other nodes."""
WIREGUARD = ("flannel-wg", "wireguard.cali", "wg-v6.cali", "cilium_wg", "antrea-wg", "kilo")
"""Names that CNIs give their WireGuard links; another one is somebody's VPN, if no node's Pods are behind it."""
ROUTING_DAEMONS = frozenset({"bird", "bgp", "zebra", "ospf", "isis", "eigrp", "babel", "80"})
"""Protocols of routes that a daemon learned; 80 is what Felix writes."""


class Range(NamedTuple):
    """A network, what it is for, and the line that says so."""

    prefix: Prefix
    text: str
    origin: Origin


def _prefixes(text: str) -> Iterator[Prefix]:
    for part in text.split(","):
        try:
            yield parse_prefix(part.strip())
        except ValueError:
            continue


@lru_cache(maxsize=4)
def pod_ranges(network: Network) -> tuple[Range, ...]:
    """Where Pods' addresses come from: the cluster's own networks, then the ranges of nodes outside them."""
    wide = {one.prefix: one for one in (*_pools(network), *_agents(network))}
    ranges = dict(wide)
    for node in network.cluster.nodes.values():
        for prefix in node.pod_cidrs:
            if not any(one.covers(prefix) for one in wide):
                field = network.cluster.field_origin(node, "spec", "podCIDR")
                ranges.setdefault(prefix, Range(prefix, f"podCIDR of {node.name}", field))
    return tuple(ranges.values())


def _agents(network: Network) -> Iterator[Range]:
    """What flannel and kube-proxy were told."""
    for node in network.nodes.values():
        if node.facts is not None and node.facts.flannel is not None:
            for prefix in node.facts.flannel.networks:
                yield Range(prefix, "flannel's network", node.facts.flannel.origin)
        if node.kube_proxy is not None:
            for prefix in _prefixes(",".join(node.kube_proxy.cluster_cidr)):
                yield Range(prefix, "clusterCIDR of kube-proxy", node.kube_proxy.origin("clusterCIDR"))


def _pools(network: Network) -> Iterator[Range]:
    """Calico's IPPools."""
    for pool in _others(network, "ippools"):
        for prefix in _prefixes(str(pool.spec.get("cidr", ""))):
            if not pool.spec.get("disabled"):
                field = network.cluster.field_origin(pool, "spec", "cidr")
                yield Range(prefix, f"IPPool {pool.meta.name}", field)


def _others(network: Network, plural: str) -> Iterator[OtherObject]:
    for name, objects in network.cluster.others.items():
        if name.partition(".")[0] == plural:
            yield from objects


@lru_cache(maxsize=4)
def service_ranges(network: Network) -> tuple[Range, ...]:
    """Where ClusterIPs come from; empty where nothing says it."""
    found: dict[Prefix, Range] = {}
    for one in (*_service_cidrs(network), *_flags(network), *_kubeadm(network)):
        found.setdefault(one.prefix, one)
    return tuple(found.values())


def _service_cidrs(network: Network) -> Iterator[Range]:
    for one in _others(network, "servicecidrs"):
        cidrs = one.spec.get("cidrs")
        for text in cidrs if isinstance(cidrs, list) else ():
            for prefix in _prefixes(str(text)):
                yield Range(
                    prefix, f"ServiceCIDR {one.meta.name}", network.cluster.field_origin(one, "spec", "cidrs")
                )


def _flags(network: Network) -> Iterator[Range]:
    """The flag of an API server that runs as a Pod."""
    for pod in network.cluster.pods.values():
        for container in pod.spec.containers:
            for word in (*container.command, *container.args):
                if word.startswith(SERVICE_FLAG):
                    for prefix in _prefixes(word.removeprefix(SERVICE_FLAG)):
                        yield Range(prefix, word, network.cluster.field_origin(pod, "spec", "containers"))


def _kubeadm(network: Network) -> Iterator[Range]:
    for one in network.cluster.configmaps.values():
        found = SERVICE_SUBNET.search(one.data.get("ClusterConfiguration", ""))
        for prefix in _prefixes(found[1]) if found else ():
            yield Range(prefix, "serviceSubnet of kubeadm", network.cluster.field_origin(one, "data"))


class Foreign(NamedTuple):
    """A network of a node that the CNI has nothing to do with."""

    prefix: Prefix
    node: str
    dev: str
    kind: str
    """``bridge`` of containers or virtual machines, ``connected`` to a link, or a ``route`` to elsewhere."""
    origin: Origin


def foreign_ranges(network: Network) -> Iterator[Foreign]:
    """Networks of nodes beside those of the CNI, from addresses and from routes."""
    pods = {prefix for node in network.cluster.nodes.values() for prefix in node.pod_cidrs}
    for netns in network.namespaces.values():
        if netns.is_host:
            own = cni_devices(network, netns)
            yield from _connected(netns, own)
            yield from _routed(network, netns, own, pods)


def cni_devices(network: Network, netns: Netns) -> frozenset[str]:
    """Links of a node that carry Pods: the bridge its Pods hang on, tunnels, the Pods' own links."""
    links: Mapping[str, Link] = netns.links or {}
    hangs = {
        links[dev].master or dev
        for dev, (there, _) in network.peers_of(netns).items()
        if not network.namespaces[there].is_host
    }
    node = network.nodes.get(netns.node)
    named = {
        plugin.bridge or "cni0"
        for config in (node.cni if node else None) or ()
        for plugin in config.plugins[:1]
    }
    carriers = {
        link.name
        for link in links.values()
        if link.kind in TUNNELS
        or link.kind in ("veth", "dummy", "loopback")
        or _is_cni_vpn(network, netns, link)
    }
    known = hangs | named | carriers | {"lo"}
    if hangs or named:
        return frozenset(known)
    object_ = network.cluster.nodes.get(netns.node)
    ranges = object_.pod_cidrs if object_ else ()
    return frozenset(
        known | {one.dev for one in netns.addresses or () if any(one.addr in prefix for prefix in ranges)}
    )


def _is_cni_vpn(network: Network, netns: Netns, link: Link) -> bool:
    """Whether a WireGuard link is the CNI's: by its name, or by a route to the Pods of a node."""
    if link.kind != "wireguard":
        return False
    pods = {prefix for node in network.cluster.nodes.values() for prefix in node.pod_cidrs}
    routed = any(
        route.dev == link.name and route.dst in pods
        for route in (*(netns.routes or ()), *(netns.routes6 or ()))
    )
    return routed or link.name.startswith(WIREGUARD)


def _connected(netns: Netns, own: frozenset[str]) -> Iterator[Foreign]:
    for address in netns.addresses or ():
        link = (netns.links or {}).get(address.dev)
        whole = 32 if is_v4(address.addr) else 128
        if address.dev in own or address.scope == "link" or address.length >= whole:
            continue
        kind = "bridge" if link is not None and link.kind == "bridge" else "connected"
        yield Foreign(
            make_prefix(address.addr, address.length), netns.node, address.dev, kind, address.origin
        )


def _routed(network: Network, netns: Netns, own: frozenset[str], pods: set[Prefix]) -> Iterator[Foreign]:
    """Routes to elsewhere: not to a node, not to a node's Pods, not learned by a routing daemon."""
    for route in (*(netns.routes or ()), *(netns.routes6 or ())):
        gateway = route.gateway
        if (
            route.table != MAIN
            or route.type != "unicast"
            or route.dst.length == 0
            or route.protocol == "kernel"
        ):
            continue  # of the kernel's own, addresses tell
        if route.dst in pods or route.dev in own or route.protocol in ROUTING_DAEMONS:
            continue
        if gateway is None or gateway not in network.cluster.node_by_address:
            yield Foreign(route.dst, netns.node, route.dev, "route", route.origin)
