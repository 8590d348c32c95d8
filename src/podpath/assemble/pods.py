"""Pods whose own namespace was not collected: what their node's state tells of them; the rest stays unknown."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from typing import NamedTuple

from podpath.assemble.veth_peers import End, Peers
from podpath.model.addr import ALL_BITS, ANY_V4, EVERYTHING, LINK_LOCAL_V4, Prefix, is_v4, make_prefix
from podpath.model.kube.cluster import Cluster
from podpath.model.kube.pod import Pod
from podpath.model.linux.link import InterfaceAddress, Link
from podpath.model.linux.neighbor import FdbEntry, Neighbor
from podpath.model.linux.route import LOCAL, NextHop, Route
from podpath.model.network import Netns
from podpath.model.refs import NetnsId, node_netns, pod_netns

DEVICE = "eth0"
ROUTED_GATEWAY = LINK_LOCAL_V4.net | 0x0101
"""169.254.1.1: the gateway of Pods that hang on a routed veth (Calico)."""


class Attachment(NamedTuple):
    """Where a Pod hangs on its node: the host's end, the gateway, and the subnet on the link."""

    port: str
    gateway: int
    length: int
    mtu: int
    mac: str


def assumed_namespaces(
    cluster: Cluster, namespaces: Mapping[NetnsId, Netns], peers: Peers
) -> dict[NetnsId, Netns]:
    """Namespaces for running Pods that have none in the bundle; their ends of the veth pairs are added to ``peers``."""
    assumed: dict[NetnsId, Netns] = {}
    hosts: dict[str, _Host] = {}
    for pod in cluster.pods.values():
        netns_id = pod_netns(*pod.key)
        if not pod.node or pod.host_network or not pod.running or netns_id in namespaces:
            continue
        host = namespaces.get(node_netns(pod.node))
        if host is None:
            continue
        if pod.node not in hosts:
            hosts[pod.node] = _Host(host, peers.of_node(pod.node))
        attachment = hosts[pod.node].attach(pod)
        if attachment is not None:
            netns = assumed[netns_id] = _namespace(netns_id, pod, attachment)
            ends = (netns_id, DEVICE), (host.id, attachment.port)
            peers.add(netns, {ends[0]: ends[1], ends[1]: ends[0]})
    return assumed


class _Host:
    """A node's state, by what a Pod is looked for with."""

    def __init__(self, host: Netns, paired: Container[End]) -> None:
        self._host = host
        self._links = host.links or {}
        self._free = {
            link.name: link
            for link in self._links.values()
            if link.kind == "veth" and (host.id, link.name) not in paired
        }
        """Ends of pairs whose other end is not known."""
        self._taken: set[str] = set()
        self._routes: dict[Prefix, list[Route]] = {}
        for route in host.routes or ():
            if route.type == "unicast" and route.dev in self._free:
                self._routes.setdefault(route.dst, []).append(route)
        self._neighbors: dict[tuple[int, str], Neighbor] = {}
        for neighbor in host.neighbors or ():
            if neighbor.lladdr:
                self._neighbors.setdefault((neighbor.dst, neighbor.dev), neighbor)
        self._learned: dict[tuple[str, str], FdbEntry] = {}
        for entry in host.fdb or ():
            if entry.state != "permanent":
                self._learned.setdefault((entry.mac, entry.master), entry)

    def attach(self, pod: Pod) -> Attachment | None:
        """The host's end: by a route to the Pod alone, by the bridge's tables, else some free port of the bridge."""
        addr = pod.ips[0]
        for route in self._routes.get(Prefix(addr, ALL_BITS), ()):
            link = self._links[route.dev]
            self._taken.add(link.name)
            return Attachment(link.name, ROUTED_GATEWAY, 32, link.mtu, "")
        for bridge, address in self._bridges(addr):
            neighbor = self._neighbors.get((addr, bridge.name))
            mac = neighbor.lladdr if neighbor is not None else ""
            learned = self._learned.get((mac, bridge.name)) if mac else None
            ports = [
                link
                for link in self._free.values()
                if link.master == bridge.name and link.name not in self._taken
            ]
            port = next((link for link in ports if learned is not None and link.name == learned.dev), None)
            port = port or next(iter(ports), None)
            if port is not None:
                self._taken.add(port.name)
                return Attachment(port.name, address.addr, address.length, port.mtu, mac)
        return None

    def _bridges(self, addr: int) -> Iterator[tuple[Link, InterfaceAddress]]:
        """The bridges on whose subnet an address is."""
        for address in self._host.addresses or ():
            bridge = self._links.get(address.dev)
            if bridge is None or bridge.kind != "bridge":
                continue
            if addr in make_prefix(address.addr, address.length):
                yield bridge, address


def _namespace(netns_id: NetnsId, pod: Pod, at: Attachment) -> Netns:
    """A namespace as a CNI plugin leaves it: one address, a default route, no rules; sockets are not known."""
    addr = pod.ips[0]
    routed = at.length == (32 if is_v4(addr) else 128)
    hop = NextHop(DEVICE, at.gateway, onlink=routed)
    everywhere = ANY_V4 if is_v4(addr) else EVERYTHING
    routes = [
        Route(everywhere, nexthops=(hop,)),
        Route(Prefix(addr, ALL_BITS), LOCAL, "local", (NextHop(DEVICE),), addr),
    ]
    if not routed:
        routes.append(
            Route(make_prefix(addr, at.length), nexthops=(NextHop(DEVICE),), prefsrc=addr, scope="link")
        )
    v4 = is_v4(addr)
    return Netns(
        netns_id,
        pod.node,
        f"nodes/{pod.node}/pods/{pod.meta.namespace}.{pod.meta.name}",
        links={DEVICE: Link(DEVICE, 2, "veth", at.mtu, up=True, mac=at.mac or f"assumed-{netns_id}")},
        addresses=(InterfaceAddress(DEVICE, addr, at.length),),
        routes=tuple(routes) if v4 else (),
        routes6=() if v4 else tuple(routes),
        assumed=(
            "its own network namespace was not collected: an address, a default route and no rules are assumed",
        ),
    )
