"""What Services promise: every port, by every way in, from a client of each sort on each node that is to ask."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from podpath.intent.clients import Asker, Clients
from podpath.intent.limits import FULL_SIZE
from podpath.intent.outside import neighbour_of
from podpath.intent.permission import Permissions
from podpath.intent.services import (
    ServiceEndpoint,
    categorize,
    choose,
    exposed_addresses,
    families,
    listed_endpoints,
)
from podpath.model.addr import format_addr, is_v4, parse_prefix
from podpath.model.flow import TCP, Flow, endpoint_text
from podpath.model.kube.node import Node
from podpath.model.kube.service import Service, ServicePort
from podpath.model.promise import NotPromised, Promise

API_SERVICE = ("default", "kubernetes")
WORDS = {"node-port": "NodePort", "load-balancer": "load balancer address", "external-ip": "external IP"}
KINDS = {
    "cluster-ip": "service",
    "node-port": "node-port",
    "load-balancer": "load-balancer",
    "external-ip": "external-ip",
}
"""The kind of promise, by the way in."""

Made = Iterator[Promise | NotPromised]


@dataclass(frozen=True, eq=False)
class _Door:
    """A port of a Service in one family, and its place among all Services."""

    service: Service
    port: ServicePort
    v4: bool
    number: int
    endpoints: tuple[ServiceEndpoint, ...]

    @property
    def name(self) -> str:
        return f"Service {self.service.ref.short}:{self.port.label}"

    @property
    def hosts(self) -> list[str]:
        """The nodes of its endpoints, once each."""
        return sorted({one.node for one in self.endpoints if one.node})


def service_promises(clients: Clients, permissions: Permissions) -> Made:
    """Of every Service but that of the API server, which ``api_promises`` has."""
    maker = _Maker(clients, permissions)
    for number, key in enumerate(sorted(clients.cluster.services)):
        service = clients.cluster.services[key]
        if key == API_SERVICE:
            continue
        if service.spec.headless or service.spec.type == "ExternalName":
            yield from _nameonly(service)
            continue
        for port in service.spec.ports:
            for v4 in families(service):
                yield from maker.of(service, port, number, v4=v4)


def _nameonly(service: Service) -> Made:
    """Services that no node translates."""
    reason, words = ("headless", "is headless: its name leads to Pods, and to their own ports")
    if service.spec.type == "ExternalName":
        reason, words = ("external-name", f"is another name for {service.spec.external_name}")
    yield NotPromised(reason, f"Service {service.ref.short} {words}", service.ref, service.origin)


@dataclass(frozen=True, eq=False)
class _Maker:
    """Makes the promises of one Service port after the other."""

    clients: Clients
    permissions: Permissions

    def of(self, service: Service, port: ServicePort, number: int, *, v4: bool) -> Made:
        endpoints = listed_endpoints(self.clients.cluster, service, port, v4=v4)
        door = _Door(service, port, v4, number, endpoints)
        if not any(one.ready or one.draining for one in endpoints):
            family = "IPv4" if v4 else "IPv6"
            text = f"{door.name} has no ready endpoint of {family}"
            yield NotPromised("no-endpoints", text, service.ref, service.origin)
            return
        for via, addresses in exposed_addresses(service).items():
            for addr in addresses:
                if is_v4(addr) == v4:
                    yield from self._inside(door, via, addr)
                    yield from self._landing(door, via, addr)
        if port.node_port:
            yield from self._node_ports(door)
        yield from self._hairpins(door)

    def _inside(self, door: _Door, via: str, addr: int) -> Made:
        """From Pods and nodes of the cluster, to an address that their own nodes translate."""
        nodes, own = self._nodes(door)
        for node in nodes:
            for asker in self._askers(door, node, itself=node in own):
                yield self._made(door, via, asker, addr, door.port.port, node)

    def _nodes(self, door: _Door) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The nodes that ask, and those of them that also ask for themselves."""
        nodes = self.clients.asking(door.number, door.hosts)
        return nodes, nodes if self.clients.small_for_services else nodes[-self.clients.limits.asking_nodes :]

    def _askers(self, door: _Door, node: str, *, itself: bool = True) -> Iterator[Asker]:
        """A Pod of each sort on a node, and the node itself."""
        clients, own = self.clients, [one.addr for one in door.endpoints]
        whole = clients.small_for_services
        for alike in clients.pods_asking(node, door.number, v4=door.v4, whole=whole):
            yield clients.pod(alike.one(avoid=own), v4=door.v4, stands_for=len(alike.pods))
        if itself:
            yield clients.node(node, v4=door.v4)

    def _landing(self, door: _Door, via: str, addr: int) -> Made:
        """From outside, to an address that stands on a node: only then it is known where the packet comes in."""
        owner = self.clients.cluster.node_by_address.get(addr)
        if owner is None or via == "cluster-ip":
            return
        asker = self._outsider(owner, addr)
        if asker is not None:
            yield self._made(door, via, asker, addr, door.port.port, owner.name)

    def _outsider(self, node: Node, addr: int) -> Asker | None:
        source = neighbour_of(self.clients.network, node, addr)
        return None if source is None else self.clients.at(source)

    def _node_ports(self, door: _Door) -> Made:
        """At each node: from outside, from itself, from its Pods, and from a Pod and the node next to it."""
        nodes, own = self._nodes(door)
        for node, addr in self.clients.addressed(nodes, v4=door.v4):
            if not self._is_served(node.name, addr):
                text = f"kube-proxy on {node.name} does not serve NodePorts at {format_addr(addr)} (nodePortAddresses)"
                yield NotPromised("node-port-addresses", text, door.service.ref, door.service.origin)
                continue
            for asker in self._node_port_askers(door, node, addr, inside=node.name in own):
                yield self._made(door, "node-port", asker, addr, door.port.node_port, node.name)

    def _node_port_askers(self, door: _Door, node: Node, addr: int, *, inside: bool) -> Iterator[Asker]:
        outsider = self._outsider(node, addr)
        if outsider is not None:
            yield outsider
        if not inside:
            return
        yield from self._askers(door, node.name)
        other = self.clients.next_node(node.name)
        if other is not None:
            for alike in self.clients.pods_asking(other, door.number, v4=door.v4, whole=False):
                yield self.clients.pod(alike.one(), v4=door.v4, stands_for=len(alike.pods))
            yield self.clients.node(other, v4=door.v4)

    def _is_served(self, node: str, addr: int) -> bool:
        """nodePortAddresses: all local addresses when empty, the node's first one with ``primary``, else ranges."""
        known = self.clients.network.nodes.get(node)
        ranges = known.kube_proxy.node_port_addresses if known and known.kube_proxy else ()
        return not ranges or any(one == "primary" or addr in parse_prefix(one) for one in ranges)

    def _hairpins(self, door: _Door) -> Made:
        """A Pod behind a Service asks it, and may be answered by itself."""
        cluster = self.clients.cluster
        addr = door.service.cluster_ip(v4=door.v4)
        whole = self.clients.small_for_services
        hosts = door.hosts if whole else door.hosts[: self.clients.limits.hairpins]
        for node in hosts:
            pods = (cluster.pod_at(one.addr) for one in door.endpoints if one.node == node and one.ready)
            pod = next((pod for pod in pods if pod is not None and pod.running), None)
            if pod is not None and addr is not None:
                asker = self.clients.pod(pod, v4=door.v4)
                yield self._made(door, "cluster-ip", asker, addr, door.port.port, node, kind="self")

    def _made(
        self, door: _Door, via: str, asker: Asker, addr: int, dport: int, node: str, *, kind: str = ""
    ) -> Promise | NotPromised:
        """The promise, or why there is none for this asker.

        Policies see the addresses of Pods, except that a NodePort is translated on its own node only: whoever asks
        from another one must be allowed to reach that node.
        """
        service = door.service
        lists = categorize(door.endpoints, node, self.clients.cluster.node_zone(node))
        servers = choose(service, door.port, lists, asker.client, via, node, v4=door.v4)
        if isinstance(servers, NotPromised):
            return servers
        entry = "" if via == "cluster-ip" or service.external_local else node
        asked = {(addr, dport)} if via == "node-port" and asker.client.node not in ("", node) else ()
        refused = self.permissions.refusal(asker, {*servers, *asked}, door.port.protocol, service.ref, entry)
        if refused is not None:
            return refused
        src = asker.client.addr if asker.client.kind == "outside" else None
        protocol = int(door.port.protocol)
        return Promise(
            kind=kind or KINDS[via],
            flow=Flow(asker.netns, addr, protocol, dport, src=src, size=FULL_SIZE if protocol == TCP else 0),
            subject=service.ref,
            client=asker.ref,
            servers=servers,
            text=_text(door, via, asker, addr, dport, kind),
            stands_for=asker.stands_for,
            origin=service.origin,
            port_name=door.port.name,
        )


def _text(door: _Door, via: str, asker: Asker, addr: int, dport: int, kind: str) -> str:
    """The promise in the user's words."""
    if kind == "self":
        return f"{asker} -> itself through {door.name}"
    if via == "cluster-ip":
        family = "" if door.v4 or len(families(door.service)) == 1 else " (IPv6)"
        return f"{asker} -> {door.name}{family}"
    return f"{asker} -> {WORDS[via]} {endpoint_text(addr, dport)} of {door.name}"
