"""Pods whose own namespace was not collected: what their node's state tells of them; the rest stays unknown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from podpath.assemble.veth_peers import End
from podpath.model.addr import ALL_BITS, ANY_V4, EVERYTHING, LINK_LOCAL_V4, Prefix, is_v4, make_prefix
from podpath.model.kube.cluster import Cluster
from podpath.model.kube.pod import Pod
from podpath.model.linux.link import InterfaceAddress, Link
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
    cluster: Cluster, namespaces: Mapping[NetnsId, Netns], peers: Mapping[End, End]
) -> tuple[dict[NetnsId, Netns], dict[End, End]]:
    """Namespaces for running Pods that have none in the bundle, and their ends of the veth pairs."""
    assumed: dict[NetnsId, Netns] = {}
    more: dict[End, End] = {}
    free = {
        netns.id: [link for link in (netns.links or {}).values() if link.kind == "veth" and (netns.id, link.name) not in peers]
        for netns in namespaces.values()
        if netns.is_host
    }
    for pod in cluster.pods.values():
        netns_id = pod_netns(*pod.key)
        host = namespaces.get(node_netns(pod.node)) if pod.node else None
        if host is None or pod.host_network or not pod.running or netns_id in namespaces:
            continue
        attachment = _attachment(host, pod, free[host.id], set(more))
        if attachment is None:
            continue
        assumed[netns_id] = _namespace(netns_id, pod, attachment)
        more[netns_id, DEVICE] = (host.id, attachment.port)
        more[host.id, attachment.port] = (netns_id, DEVICE)
    return assumed, more


def _attachment(host: Netns, pod: Pod, free: list[Link], taken: set[End]) -> Attachment | None:
    """The host's end: by a route to the Pod alone, by the bridge's tables, else some free port of the bridge."""
    addr = pod.ips[0]
    for route in host.routes or ():
        if route.dst == Prefix(addr, ALL_BITS) and route.type == "unicast" and any(link.name == route.dev for link in free):
            link = (host.links or {})[route.dev]
            return Attachment(link.name, ROUTED_GATEWAY, 32, link.mtu, "")
    for address in host.addresses or ():
        bridge = (host.links or {}).get(address.dev)
        if bridge is None or bridge.kind != "bridge" or addr not in make_prefix(address.addr, address.length):
            continue
        mac = next((n.lladdr for n in host.neighbors or () if n.dst == addr and n.dev == bridge.name and n.lladdr), "")
        learned = next((e.dev for e in host.fdb or () if mac and e.mac == mac and e.master == bridge.name and e.state != "permanent"), "")
        ports = [link for link in free if link.master == bridge.name and (host.id, link.name) not in taken]
        port = next((link for link in ports if link.name == learned), ports[0] if ports else None)
        if port is not None:
            return Attachment(port.name, address.addr, address.length, port.mtu, mac)
    return None


def _namespace(netns_id: NetnsId, pod: Pod, at: Attachment) -> Netns:
    """A namespace as a CNI plugin leaves it: one address, a default route, no rules; sockets are not known."""
    addr = pod.ips[0]
    routed = at.length == (32 if is_v4(addr) else 128)
    hop = NextHop(DEVICE, at.gateway, onlink=routed)
    everywhere = ANY_V4 if is_v4(addr) else EVERYTHING
    routes = [Route(everywhere, nexthops=(hop,)), Route(Prefix(addr, ALL_BITS), LOCAL, "local", (NextHop(DEVICE),), addr)]
    if not routed:
        routes.append(Route(make_prefix(addr, at.length), nexthops=(NextHop(DEVICE),), prefsrc=addr, scope="link"))
    v4 = is_v4(addr)
    return Netns(
        netns_id,
        pod.node,
        f"nodes/{pod.node}/pods/{pod.meta.namespace}.{pod.meta.name}",
        links={DEVICE: Link(DEVICE, 2, "veth", at.mtu, up=True, mac=at.mac or f"assumed-{netns_id}")},
        addresses=(InterfaceAddress(DEVICE, addr, at.length),),
        routes=tuple(routes) if v4 else (),
        routes6=() if v4 else tuple(routes),
        assumed=("its own network namespace was not collected: an address, a default route and no rules are assumed",),
    )
