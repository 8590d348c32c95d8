"""Who is asked: the second name of a question."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from podpath.cli.errors import UsageError
from podpath.cli.objects import find_node, find_pod, find_service, find_workload_pod, node_address
from podpath.cli.sources import Source
from podpath.cli.spec import Spec
from podpath.intent.dns import DNS_PORT, dns_services, resolver
from podpath.intent.outside import ELSEWHERE, elsewhere
from podpath.intent.service_promises import API_SERVICE
from podpath.intent.services import listed_endpoints, target_port
from podpath.model.addr import format_addr, is_v4
from podpath.model.flow import ICMP, ICMPV6, SCTP, TCP, UDP, endpoint_text, protocol_name
from podpath.model.kube.pod import Pod
from podpath.model.kube.service import Service, ServicePort
from podpath.model.network import Network
from podpath.model.refs import ObjectRef

HTTPS = 443
PING = (ICMP, ICMPV6)


class Target(NamedTuple):
    """An address and port that is asked."""

    addr: int
    port: int
    protocol: int
    label: str
    note: str = ""


def targets(network: Network, spec: Spec, source: Source, *, v4: bool) -> list[Target]:
    """What a name means as a server, in one family; empty when it has no address of the family."""
    match spec.kind:
        case "pod":
            return _pod(spec, find_pod(network, spec), "", v4=v4)
        case "deploy" | "sts" | "ds":
            pod = find_workload_pod(network, spec)
            return _pod(spec, pod, f"{spec.text}: its Pod {pod.ref.short} on {pod.node} is asked", v4=v4)
        case "svc":
            return _service(network, spec, find_service(network, spec), source, v4=v4)
        case "node":
            return _node(network, spec, v4=v4)
        case "dns":
            return _dns(network, spec, source, v4=v4)
        case "api":
            return _api(network, spec, source, v4=v4)
        case "address":
            return _address(network, spec, v4=v4)
        case "name":
            raise UsageError(
                f"{spec.text} is a name to be resolved by the client: it stands alone, and only as DST"
            )
    return _internet(network, spec, v4=v4)


# --- Pods -------------------------------------------------------------------------------------------------------------


def _pod(spec: Spec, pod: Pod, note: str, *, v4: bool) -> list[Target]:
    addr = pod.ip(v4=v4)
    if addr is None:
        return []
    port, protocol = _pod_port(spec, pod, v4=v4)
    label = f"{pod.ref.short} on {pod.node}"
    return [Target(addr, port, protocol, label, note or ("" if spec.port else _chosen(spec, port, protocol)))]


def _pod_port(spec: Spec, pod: Pod, *, v4: bool) -> tuple[int, int]:
    """The named port; without one the first that a container names, else none: then it is pinged."""
    number = spec.port_number
    if number is not None or spec.protocol == ICMP:
        return number or 0, spec.protocol_in(v4=v4)
    named = [
        port
        for port in pod.ports()
        if spec.port in ("", port.name) and spec.protocol in (None, port.protocol)
    ]
    if named:
        return named[0].container_port, int(named[0].protocol)
    if spec.port or spec.protocol is not None:
        known = ", ".join(_port_words(port.name, port.container_port, port.protocol) for port in pod.ports())
        wanted = spec.port or protocol_name(spec.protocol or TCP)
        raise UsageError(
            f"Pod {pod.ref.short} names no port {wanted}: {f'it has {known}' if known else 'give a number'}"
        )
    return 0, spec.protocol_in(v4=v4, default=ICMP)


def _chosen(spec: Spec, port: int, protocol: int) -> str:
    if protocol in PING:
        return "" if spec.protocol is not None else f"{spec.text}: no port is known, so it is pinged"
    return f"{spec.text}: its first port, {port}/{protocol_name(protocol)}, is asked"


def _port_words(name: str, number: int, protocol: int) -> str:
    named = f" ({name})" if name else ""
    return f"{number}/{protocol_name(protocol)}{named}"


# --- Services ---------------------------------------------------------------------------------------------------------


def _service(network: Network, spec: Spec, service: Service, source: Source, *, v4: bool) -> list[Target]:
    if service.spec.type == "ExternalName":
        raise UsageError(
            f"Service {service.ref.short} is only a name for {service.spec.external_name}: ask that address"
        )
    port = _service_port(spec, service)
    note = ""
    if not spec.port and len(service.spec.ports) > 1:
        note = f"{spec.text}: its first port, {_port_words(port.name, port.port, port.protocol)}, is asked"
    if service.spec.headless:
        return list(_headless(network, spec, service, port, v4=v4))
    label = f"Service {service.ref.short}:{port.label}"
    if not source.netns:
        return _from_outside(network, spec, service, port, v4=v4)
    addr = service.cluster_ip(v4=v4)
    if addr is None:
        return []
    return [Target(addr, port.port, int(port.protocol), label, note)]


def _service_port(spec: Spec, service: Service) -> ServicePort:
    """The port of a number or name (of the protocol, where one is given); the first without."""
    if spec.protocol == ICMP:
        raise UsageError(f"{spec.text}: a Service answers on its ports only, nobody answers a ping there")
    ports = [port for port in service.spec.ports if spec.protocol in (None, port.protocol)]
    number = spec.port_number
    wanted: str | int = spec.port if number is None else number
    for port in ports:
        if not spec.port or wanted in (port.port, port.name):
            return port
    by_node_port = next((port for port in service.spec.ports if number and port.node_port == number), None)
    if by_node_port is not None:
        raise UsageError(
            f"{number} is the NodePort of Service {service.ref.short}: ask it as node/NAME:{number}"
        )
    known = ", ".join(_port_words(port.name, port.port, port.protocol) for port in service.spec.ports)
    asked = spec.port or protocol_name(spec.protocol or TCP)
    raise UsageError(f"Service {service.ref.short} has no port {asked}: it has {known or 'none at all'}")


def _headless(
    network: Network, spec: Spec, service: Service, port: ServicePort, *, v4: bool
) -> Iterator[Target]:
    """Its name leads to Pods: each is asked, at its own port."""
    found = listed_endpoints(network.cluster, service, port, v4=v4)
    if not any(listed_endpoints(network.cluster, service, port, v4=family) for family in (True, False)):
        raise UsageError(
            f"Service {service.ref.short} is headless and has no endpoints: its name leads nowhere"
        )
    note = f"{spec.text} is headless: each of its {len(found)} endpoints is asked" if len(found) > 1 else ""
    for endpoint in found:
        pod = network.cluster.pod_at(endpoint.addr)
        number = endpoint.port or (target_port(pod, port) if pod is not None else 0) or port.port
        label = f"{pod.ref.short} on {pod.node}" if pod is not None else endpoint_text(endpoint.addr, number)
        yield Target(endpoint.addr, number, int(port.protocol), label, note)


def _from_outside(
    network: Network, spec: Spec, service: Service, port: ServicePort, *, v4: bool
) -> list[Target]:
    """From outside a Service is asked by its load balancer's address, an external one, or its NodePort."""
    label = f"Service {service.ref.short}:{port.label}"
    for addr in (*service.lb_ips, *service.spec.external_ips):
        if is_v4(addr) == v4:
            note = f"{spec.text}: asked from outside at {endpoint_text(addr, port.port)}"
            return [Target(addr, port.port, int(port.protocol), label, note)]
    if not port.node_port:
        raise UsageError(
            f"{label} has neither a NodePort nor a load balancer's or external address: "
            "nobody outside reaches it, by design"
        )
    for node in sorted(network.cluster.nodes):
        held = node_address(network, node, v4=v4)
        if held is not None:
            note = f"{spec.text}: asked from outside at its NodePort {port.node_port} of {node}"
            return [Target(held, port.node_port, int(port.protocol), label, note)]
    return []


# --- nodes, addresses, words ------------------------------------------------------------------------------------------


def _node(network: Network, spec: Spec, *, v4: bool) -> list[Target]:
    node = find_node(network, spec)
    addr = node_address(network, node, v4=v4)
    if addr is None:
        return []
    number = _plain_port(spec, f"node {node}")
    protocol = spec.protocol_in(v4=v4, default=TCP if number else ICMP)
    return [
        Target(
            addr,
            number,
            protocol,
            _node_label(network, node, number, protocol),
            _chosen_or(spec, number, protocol),
        )
    ]


def _node_label(network: Network, node: str, port: int, protocol: int) -> str:
    """A node, and the Service whose NodePort it is."""
    service = network.cluster.services_by_node_port.get((port, protocol))
    return (
        f"NodePort {port} of Service {service.ref.short} at {node}" if service is not None else f"node {node}"
    )


def _plain_port(spec: Spec, whose: str) -> int:
    """A number, or 0 where none is needed."""
    number = spec.port_number
    if spec.port and number is None:
        raise UsageError(f"{spec.text}: {spec.port} is no port of {whose}, give a number")
    if number is None and spec.protocol in (TCP, UDP, SCTP):
        raise UsageError(f"{spec.text}: which port of {whose}? Write it behind a colon")
    return number or 0


def _chosen_or(spec: Spec, port: int, protocol: int) -> str:
    return "" if port else _chosen(spec, port, protocol)


def _address(network: Network, spec: Spec, *, v4: bool) -> list[Target]:
    if is_v4(spec.addr) != v4:
        return []
    service = network.cluster.services_by_cluster_ip.get(spec.addr)
    if (
        service is not None
        and (not spec.port or service.port(spec.port_number or 0))
        and spec.protocol != ICMP
    ):
        port = _service_port(spec, service)
        return [Target(spec.addr, port.port, int(port.protocol), f"Service {service.ref.short}:{port.label}")]
    pod = network.cluster.pod_at(spec.addr)
    if pod is not None:
        return _pod(spec, pod, "", v4=v4)
    number = _plain_port(spec, format_addr(spec.addr))
    protocol = spec.protocol_in(v4=v4, default=TCP if number else ICMP)
    node = network.cluster.node_by_address.get(spec.addr)
    label = _node_label(network, node.name, number, protocol) if node else format_addr(spec.addr)
    return [Target(spec.addr, number, protocol, label, _chosen_or(spec, number, protocol))]


def _internet(network: Network, spec: Spec, *, v4: bool) -> list[Target]:
    """An address that nobody here has."""
    addr = elsewhere(network, v4=v4)
    if addr is None and not v4:
        return []
    number = _plain_port(spec._replace(protocol=None), "the internet")
    protocol = spec.protocol_in(v4=v4)
    port = number or (0 if protocol in PING else HTTPS)
    return [Target(addr if addr is not None else ELSEWHERE[v4][0], port, protocol, "the internet")]


def _dns(network: Network, spec: Spec, source: Source, *, v4: bool) -> list[Target]:
    """The resolver that the client asks; for clients that are no Pods the cluster's DNS Service."""
    known = resolver(network, source.pod) if source.pod is not None else None
    servers = known.nameservers if known is not None else ()
    if not servers:
        servers = tuple(
            addr for service in dns_services(network.cluster) for addr in service.cluster_ips or ()
        )
    if not servers:
        raise UsageError(
            f"{spec.text}: no DNS Service is known in this cluster, and no resolv.conf of the client"
        )
    port = _plain_port(spec._replace(protocol=None), "DNS") or DNS_PORT
    protocol = spec.protocol_in(v4=v4, default=UDP)
    for addr in servers:
        if is_v4(addr) == v4:
            service = network.cluster.services_by_cluster_ip.get(addr)
            label = (
                f"DNS (Service {service.ref.short})" if service is not None else f"DNS at {format_addr(addr)}"
            )
            return [Target(addr, port, protocol, label)]
    return []


def _api(network: Network, spec: Spec, source: Source, *, v4: bool) -> list[Target]:
    """Service default/kubernetes; from outside the first of its endpoints."""
    service = network.cluster.services.get(API_SERVICE)
    if service is None:
        raise UsageError(f"{spec.text}: there is no {ObjectRef('Service', *API_SERVICE)} in the bundle")
    port = _service_port(spec, service)
    addr, number, note = service.cluster_ip(v4=v4), port.port, ""
    if not source.netns:
        found = listed_endpoints(network.cluster, service, port, v4=v4)
        addr, number = (found[0].addr, found[0].port) if found else (None, 0)
        note = f"{spec.text}: asked from outside at the API server's own address" if found else ""
    return [] if addr is None else [Target(addr, number, int(port.protocol), "the API server", note)]
