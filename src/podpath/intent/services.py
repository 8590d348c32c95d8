"""Which endpoints a Service's packets may go to: kube-proxy's own choice, read from objects.

``endpoints_for`` is ``CategorizeEndpoints`` (kubernetes pkg/proxy/topology.go), ``backends`` the table of what is
done with each sort of traffic (pkg/proxy/iptables/proxier.go, pkg/proxy/nftables/proxier.go), and
``expected_endpoints`` the other side: what the EndpointSlice controller (staging endpointslice/utils.go) makes of
the Pods as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from podpath.model.addr import format_addr, format_prefix, is_v4
from podpath.model.kube.cluster import Cluster, Key
from podpath.model.kube.endpointslice import Endpoint, EndpointSlice
from podpath.model.kube.pod import Pod
from podpath.model.kube.service import Service, ServicePort
from podpath.model.origin import NOWHERE, Origin
from podpath.model.promise import NotPromised

Backends = frozenset[tuple[int, int]]
"""(address, port) of those that may answer."""


class ServiceEndpoint(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """An address and port behind a Service port, with what is known about it."""

    addr: int
    port: int
    node: str = ""
    ready: bool = True
    serving: bool = True
    terminating: bool = False
    zone_hints: frozenset[str] = frozenset()
    node_hints: frozenset[str] = frozenset()
    pod: Key | None = None
    origin: Origin = NOWHERE

    @property
    def draining(self) -> bool:
        """Serving while it is being deleted: used when no ready one is left (KEP-1669)."""
        return self.serving and self.terminating


class Categorized(NamedTuple):
    """kube-proxy's lists on one node."""

    cluster: tuple[ServiceEndpoint, ...]
    """For policy Cluster, and for this node's own traffic to a Service whose external policy is Local."""
    local: tuple[ServiceEndpoint, ...]
    """For policy Local."""
    has_any: bool
    """Whether anything is ready or draining anywhere: an empty local list then drops, else it rejects."""


class Client(NamedTuple):
    """Who asks: a Pod on a node (``pod``), a node itself (``node``), or somebody ``outside``."""

    kind: str
    node: str = ""
    addr: int | None = None
    """Its address, where it is known: source ranges are about it."""


OUTSIDE = Client("outside")


def listed_endpoints(
    cluster: Cluster, service: Service, port: ServicePort, *, v4: bool
) -> tuple[ServiceEndpoint, ...]:
    """The endpoints of a Service port as its slices say (pkg/proxy/endpointslicecache.go, addEndpoints).

    A slice's port belongs to a Service port when name and protocol are equal; ports without name or number are
    skipped, only the first address of an endpoint counts, and an endpoint that stands in two slices counts once.
    Where no slices were collected, what the Pods would make of them stands in.
    """
    if not cluster.has("endpointslices"):
        return expected_endpoints(cluster, service, port, v4=v4)
    found: dict[tuple[int, int], ServiceEndpoint] = {}
    for one in cluster.slices_of(service):
        number = _slice_port(one, port)
        if number is None:
            continue
        for endpoint in one.endpoints:
            addresses = endpoint.addresses
            if addresses and is_v4(addresses[0]) == v4:
                found.setdefault((addresses[0], number), _endpoint(endpoint, addresses[0], number, one))
    return tuple(found.values())


def _slice_port(one: EndpointSlice, port: ServicePort) -> int | None:
    for listed in one.ports:
        if (
            listed.name is not None
            and listed.port
            and (listed.name, listed.protocol) == (port.name, port.protocol)
        ):
            return listed.port
    return None


def _endpoint(endpoint: Endpoint, addr: int, port: int, one: EndpointSlice) -> ServiceEndpoint:
    """Conditions that are not said count as ready and serving, and not as terminating."""
    target = endpoint.target_ref
    return ServiceEndpoint(
        addr=addr,
        port=port,
        node=endpoint.node_name or "",
        ready=endpoint.conditions.ready is not False,
        serving=endpoint.conditions.serving is not False,
        terminating=endpoint.conditions.terminating is True,
        zone_hints=endpoint.zone_hints,
        node_hints=endpoint.node_hints,
        pod=(target.namespace or one.meta.namespace, target.name)
        if target and target.kind == "Pod"
        else None,
        origin=one.origin,
    )


def expected_endpoints(
    cluster: Cluster, service: Service, port: ServicePort, *, v4: bool
) -> tuple[ServiceEndpoint, ...]:
    """The endpoints that a Service port should have, of the Pods as they are (endpointslice/utils.go).

    A Pod counts when the selector matches it, it is not finished, and it has an address of the family and the port:
    a named targetPort is resolved on each Pod for itself.
    """
    found = []
    for pod in cluster.pods_of(service):
        addr = pod.ip(v4=v4)
        number = target_port(pod, port)
        if addr is None or number is None or pod.finished:
            continue
        published = service.spec.publish_not_ready_addresses
        found.append(
            ServiceEndpoint(
                addr=addr,
                port=number,
                node=pod.node,
                ready=published or (pod.ready and not pod.terminating),
                serving=pod.ready,
                terminating=pod.terminating,
                pod=pod.key,
                origin=pod.origin,
            )
        )
    return tuple(found)


def target_port(pod: Pod, port: ServicePort) -> int | None:
    """What a Service port means on a Pod; None where the Pod has no container port of that name and protocol."""
    target = port.target
    return target if isinstance(target, int) else pod.port_number(target, port.protocol)


def endpoints_for(
    cluster: Cluster, service: Service, port: ServicePort, node: str, *, v4: bool
) -> Categorized:
    """The endpoints that kube-proxy on a node uses (CategorizeEndpoints)."""
    return categorize(listed_endpoints(cluster, service, port, v4=v4), node, cluster.node_zone(node))


def categorize(endpoints: Iterable[ServiceEndpoint], node: str, zone: str) -> Categorized:
    """The lists of a node in a zone."""
    every = tuple(endpoints)
    ready = tuple(one for one in every if one.ready)
    draining = tuple(one for one in every if one.draining)
    local = tuple(one for one in ready if one.node == node) or tuple(
        one for one in draining if one.node == node
    )
    return Categorized(_near(ready, node, zone) or draining, local, bool(ready or draining))


def _near(ready: tuple[ServiceEndpoint, ...], node: str, zone: str) -> tuple[ServiceEndpoint, ...]:
    """Those meant for this node or zone; all of them as soon as one carries no hint, or none names us."""
    if all(one.node_hints for one in ready):
        ours = tuple(one for one in ready if node in one.node_hints)
        if ours:
            return ours
    if zone and all(one.zone_hints for one in ready):
        ours = tuple(one for one in ready if zone in one.zone_hints)
        if ours:
            return ours
    return ready


def backends(
    cluster: Cluster, service: Service, port: ServicePort, client: Client, via: str, node: str, *, v4: bool
) -> Backends | NotPromised:
    """Who may answer a client that asks by ``via``, or why nobody is promised.

    ``via`` is cluster-ip, node-port, load-balancer or external-ip; ``node`` is where the packet meets kube-proxy:
    the client's own node, the node whose address a NodePort is asked at, or the one that an outside packet enters.
    """
    lists = endpoints_for(cluster, service, port, node, v4=v4)
    return choose(service, port, lists, client, via, node, v4=v4)


def choose(
    service: Service, port: ServicePort, lists: Categorized, client: Client, via: str, node: str, *, v4: bool
) -> Backends | NotPromised:
    """As ``backends``, for who has the node's lists already."""
    refused = _never_translated(service, port, via, v4=v4)
    if refused is not None:
        return refused
    if not lists.has_any:
        return _not(
            service, "no-endpoints", f"{_name(service, port)} has no ready endpoint of {_family(v4=v4)}"
        )
    if via == "cluster-ip":
        return _internal(service, port, lists, node)
    if via == "load-balancer" and (denied := _outside_ranges(service, port, client, v4=v4)) is not None:
        return denied
    return _external(service, port, lists, client, node)


def _internal(service: Service, port: ServicePort, lists: Categorized, node: str) -> Backends | NotPromised:
    """To the ClusterIP."""
    if not service.internal_local:
        return _backends(lists.cluster)
    if not lists.local:
        text = f"{_name(service, port)} is internalTrafficPolicy: Local and {node} has none of its endpoints"
        return _not(service, "local-policy", text)
    return _backends(lists.local)


def _external(
    service: Service, port: ServicePort, lists: Categorized, client: Client, node: str
) -> Backends | NotPromised:
    """To a NodePort, a balancer's address or an external one.

    With policy Local a node's own Pods and processes are let through to all endpoints. A Pod of another node counts
    as one of ours or as a stranger, as its address was masqueraded or not on the way; it is promised an answer only
    where both ways give one, and then from any endpoint.
    """
    if not service.external_local:
        return _backends(lists.cluster)
    if client.kind != "outside" and client.node == node:
        return _backends(lists.cluster)
    if not lists.local:
        text = f"{_name(service, port)} is externalTrafficPolicy: Local and {node} has none of its endpoints"
        return _not(service, "local-policy", text)
    if client.kind == "pod":
        return _backends((*lists.cluster, *lists.local))
    return _backends(lists.local)


def _never_translated(service: Service, port: ServicePort, via: str, *, v4: bool) -> NotPromised | None:
    """Addresses that no node translates for this Service."""
    if service.spec.type == "ExternalName":
        return _not(service, "external-name", f"{_short(service)} is a name only (ExternalName)")
    if service.spec.headless:
        text = f"{_short(service)} is headless: its name leads to Pods, and to their own ports"
        return _not(service, "headless", text)
    if port not in service.spec.ports:
        return _not(service, "port-not-in-service", f"{_short(service)} has no port {port.port}")
    held = {
        "cluster-ip": service.cluster_ip(v4=v4) is not None,
        "node-port": bool(port.node_port) and service.cluster_ip(v4=v4) is not None,
        "load-balancer": any(is_v4(addr) == v4 for addr in service.lb_ips),
        "external-ip": any(is_v4(addr) == v4 for addr in service.spec.external_ips),
    }
    if held[via]:
        return None
    if via == "load-balancer" and service.status.load_balancer.ingress:
        text = (
            f"no node captures the load balancer's address of {_short(service)}: the balancer itself is asked"
        )
        return _not(service, "not-captured", text)
    return _not(service, "not-exposed", f"{_name(service, port)} has no {via} of {_family(v4=v4)}")


def _outside_ranges(service: Service, port: ServicePort, client: Client, *, v4: bool) -> NotPromised | None:
    """loadBalancerSourceRanges: those of the other family are dropped, and a /0 is no restriction at all."""
    ranges = [one for one in service.spec.source_ranges if is_v4(one.net) == v4]
    if not ranges or any(one.length == 0 for one in ranges) or client.addr is None:
        return None
    if any(client.addr in one for one in ranges):
        return None
    allowed = ", ".join(format_prefix(one) for one in ranges)
    text = (
        f"{_name(service, port)} lets only {allowed} in at its load balancer, not {format_addr(client.addr)}"
    )
    return _not(service, "source-ranges", text)


def _backends(endpoints: Iterable[ServiceEndpoint]) -> Backends:
    return frozenset((one.addr, one.port) for one in endpoints)


def _not(service: Service, reason: str, text: str) -> NotPromised:
    return NotPromised(reason, text, service.ref, service.origin)


def _short(service: Service) -> str:
    return f"Service {service.ref.short}"


def _name(service: Service, port: ServicePort) -> str:
    return f"Service {service.ref.short}:{port.label}"


def _family(*, v4: bool) -> str:
    return "IPv4" if v4 else "IPv6"


def families(service: Service) -> tuple[bool, ...]:
    """The families it has addresses of: True for IPv4."""
    return tuple(is_v4(addr) for addr in service.cluster_ips or ())


def exposed_addresses(service: Service) -> Mapping[str, tuple[int, ...]]:
    """The addresses by which a Service is reached beside NodePorts, by ``via``."""
    return {
        "cluster-ip": service.cluster_ips or (),
        "load-balancer": service.lb_ips,
        "external-ip": service.spec.external_ips,
    }
