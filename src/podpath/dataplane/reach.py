"""What may be said of the network between and around the nodes, which no bundle holds."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from podpath.dataplane.conntrack import Tracker
from podpath.dataplane.decisions import Decider
from podpath.dataplane.pipeline import Stage, run
from podpath.dataplane.segment import Station, entrance_of, wires
from podpath.dataplane.walk import Walk
from podpath.model.addr import Prefix, format_addr, is_v4, make_prefix
from podpath.model.flow import Flow, Packet
from podpath.model.network import Network
from podpath.model.refs import NetnsId, node_netns
from podpath.model.trace import Disposition


def cluster_address(network: Network, addr: int) -> bool:
    """Whether an address belongs to the inside: a Pod's, a Service's, or one of a node's Pod range."""
    cluster = network.cluster
    if addr in cluster.pods_by_ip:
        return not any(pod.host_network for pod in cluster.pods_by_ip[addr])
    if addr in cluster.services_by_cluster_ip:
        return True
    return any(addr in prefix for node in cluster.nodes.values() for prefix in node.pod_cidrs)


_EXTERNAL: WeakKeyDictionary[Network, frozenset[int]] = WeakKeyDictionary()


def external_service_addresses(network: Network) -> frozenset[int]:
    """Addresses of load balancers and externalIPs: some node, or a balancer outside, takes their packets."""
    known = _EXTERNAL.get(network)
    if known is None:
        services = network.cluster.services.values()
        balancers = (
            ingress.ip
            for s in services
            for ingress in s.status.load_balancer.ingress
            if ingress.ip is not None
        )
        known = _EXTERNAL[network] = frozenset(
            (*balancers, *(ip for s in services for ip in s.spec.external_ips))
        )
    return known


def in_node_network(network: Network, addr: int) -> bool:
    """Whether an address lies in a subnet of the underlay (flat networks give Pods addresses of it)."""
    subnets = _subnets(network)
    return any(addr in subnet for subnet in subnets)


_SUBNETS: WeakKeyDictionary[Network, tuple[Prefix, ...]] = WeakKeyDictionary()


def _subnets(network: Network) -> tuple[Prefix, ...]:
    known = _SUBNETS.get(network)
    if known is None:
        found: dict[Prefix, None] = {}
        for station in wires(network):
            names = {station.link.name, station.link.master}
            addresses = (a for a in station.netns.addresses or () if a.dev in names and a.scope == "global")
            found |= dict.fromkeys(make_prefix(a.addr, a.length) for a in addresses)
        known = _SUBNETS[network] = tuple(found)
    return known


def underlay_knows_pods(network: Network, packet: Packet, flow: Flow, decider: Decider) -> bool:
    """Whether hosts outside can answer a Pod's own address.

    Yes in a flat network. No where the cluster itself says so: its Pods are carried in a tunnel, or the same flow
    from another node leaves with a node's address (one node unlike its siblings). Else nobody knows.
    """
    if in_node_network(network, packet.src):
        return True
    if _tunnels(network):
        return False
    if _masqueraded_elsewhere(network, flow):
        return False
    return decider.suppose(f"does the network outside route {format_addr(packet.src)} back to its node")


_TUNNELS: WeakKeyDictionary[Network, bool] = WeakKeyDictionary()


def _tunnels(network: Network) -> bool:
    """Whether some node has a tunnel's device."""
    known = _TUNNELS.get(network)
    if known is None:
        links = (link for netns in network.hosts for link in (netns.links or {}).values())
        known = _TUNNELS[network] = any(link.vxlan is not None for link in links)
    return known


_ELSEWHERE: WeakKeyDictionary[Network, dict[int, bool]] = WeakKeyDictionary()


def _masqueraded_elsewhere(network: Network, flow: Flow) -> bool:
    known = _ELSEWHERE.setdefault(network, {})
    if flow.dst not in known:
        known[flow.dst] = False
        known[flow.dst] = any(
            _leaves_as_node(network, flow, pod) for pod in _one_pod_a_node(network, v4=flow.v4)
        )
    return known[flow.dst]


def _one_pod_a_node(network: Network, *, v4: bool) -> list[NetnsId]:
    found: dict[str, NetnsId] = {}
    for netns in network.namespaces.values():
        if (
            not netns.is_host
            and netns.node not in found
            and any(is_v4(a.addr) == v4 and a.scope == "global" for a in netns.addresses or ())
        ):
            found[netns.node] = netns.id
    return list(found.values())


def _leaves_as_node(network: Network, flow: Flow, client: NetnsId) -> bool:
    netns = network.namespaces[client]
    packet = Packet(flow.protocol, 0, flow.dst, flow.sport, flow.dport)
    walk = Walk(network, Decider(), Tracker(), "request", netns, packet)
    run(walk, Stage.ROUTE_OUTPUT)
    if walk.disposition is not Disposition.EXITS_NETWORK or walk.first_packet is None:
        return False
    return walk.packet.src != walk.first_packet.src


def pod_entrance(network: Network, addr: int, decider: Decider) -> Station | None:
    """Where the underlay brings a packet for a Pod, where it knows Pods at all: to the Pod's node."""
    for netns_id, _ in network.owners.get(addr, ()):
        host = network.namespaces.get(node_netns(network.namespaces[netns_id].node))
        if host is None:
            continue
        if not in_node_network(network, addr) and not decider.suppose(
            f"does the network outside route {format_addr(addr)} to its node"
        ):
            return None
        for station in wires(network):
            if station.netns is host:
                return entrance_of(network, host, station.link.name) or station
    return None
