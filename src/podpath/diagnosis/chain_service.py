"""A Service's chain: selector, endpoints, ports, sockets, the Pods without it, and every way in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from podpath.diagnosis.chain import MOST_TOLD, ChainLink, absent, by_kind, pod_names, trouble
from podpath.intent.api_promises import api_promises
from podpath.intent.clients import Asker, Clients
from podpath.intent.permission import Permissions
from podpath.intent.service_promises import API_SERVICE, service_promises
from podpath.intent.services import (
    ServiceEndpoint,
    expected_endpoints,
    families,
    listed_endpoints,
    target_port,
)
from podpath.model.addr import format_addr, is_v4
from podpath.model.flow import TCP, UDP, Flow, endpoint_text, protocol_name
from podpath.model.kube.pod import Pod
from podpath.model.kube.service import Service, ServicePort
from podpath.model.network import Network
from podpath.model.origin import Origin
from podpath.model.promise import NotPromised, Promise
from podpath.model.refs import ObjectRef, node_netns, pod_netns

LISTENING = {TCP: "LISTEN", UDP: "UNCONN"}
WAYS_IN = {
    "service": "ClusterIP",
    "self": "itself (hairpin)",
    "node-port": "NodePort",
    "load-balancer": "load balancer",
    "external-ip": "external IP",
    "api": "ClusterIP",
}
"""What a kind of promise is called in the chain of its Service."""

Listed = Sequence[tuple[ServiceEndpoint, Pod]]


def service_chain(network: Network, namespace: str, name: str) -> Iterator[ChainLink]:
    """All links of a Service."""
    service = network.cluster.services.get((namespace, name))
    if service is None:
        yield absent(network, "services", ObjectRef("Service", namespace, name))
        return
    if service.spec.type == "ExternalName":
        text = f"it is only another name for {service.spec.external_name}"
        yield ChainLink("exists", "as-designed", text, (service.origin,))
        return
    where = "headless" if service.spec.headless else ", ".join(map(format_addr, service.cluster_ips or ()))
    ports = ", ".join(
        f"{port.port}/{protocol_name(port.protocol)} ({port.label})" for port in service.spec.ports
    )
    yield ChainLink("exists", "ok", f"{service.spec.type} {where}; ports {ports}", (service.origin,))
    yield from _selected(network, service)
    for port in service.spec.ports:
        for v4 in families(service) or (True,):
            yield from _port(network, service, port, v4=v4)
    if not service.spec.headless:
        yield from _ways_in(network, service)


def _selected(network: Network, service: Service) -> Iterator[ChainLink]:
    """Pods by label, and which of them are ready."""
    cluster, selector = network.cluster, service.spec.selector
    if not selector:
        text = "it has none: somebody else writes its endpoints"
        yield ChainLink("selector", "skipped", text, (service.origin,))
        return
    words = ",".join(f"{key}={value}" for key, value in sorted(selector.items()))
    line = cluster.field_origin(service, "spec", "selector")
    pods = [pod for pod in cluster.pods_of(service) if not pod.finished]
    if not cluster.has("pods"):
        text = f"whom {words} matches is not known: the bundle has no list of Pods"
        yield ChainLink("selector", "unknown", text, (line,))
    elif not pods:
        yield ChainLink("selector", "broken", f"{words} matches no Pod of {service.meta.namespace}", (line,))
    else:
        yield ChainLink("selector", "ok", f"{words} matches {pod_names(pods)}", (line,))
        yield _ready(pods)


def _ready(pods: Sequence[Pod]) -> ChainLink:
    waiting = [pod for pod in pods if not pod.ready]
    if not waiting:
        text = f"all {len(pods)} are" if len(pods) > 1 else "it is"
        return ChainLink("Pods are ready", "ok", text, (pods[0].origin,))
    told = "; ".join(f"{pod.meta.name} ({trouble(pod)})" for pod in waiting[:MOST_TOLD])
    text = f"{len(pods) - len(waiting)} of {len(pods)} are; not {told}"
    lines = tuple(pod.origin for pod in waiting[:MOST_TOLD])
    return ChainLink("Pods are ready", "ok" if len(waiting) < len(pods) else "broken", text, lines)


def _port(network: Network, service: Service, port: ServicePort, *, v4: bool) -> Iterator[ChainLink]:
    """EndpointSlices, targetPort, sockets, and the Pods without the Service."""
    two = len(families(service)) > 1
    family = (" (IPv4)" if v4 else " (IPv6)") if two else ""
    part = f"port {port.label}{family}" if two or len(service.spec.ports) > 1 else ""
    listed = listed_endpoints(network.cluster, service, port, v4=v4)
    yield _endpoints(network, service, port, listed, part)
    yield from _target_port(network, service, port, part)
    pods = [(one, pod) for one in listed if (pod := network.cluster.pod_at(one.addr)) is not None]
    if pods:
        yield _sockets(network, port, pods, part)
        yield from _direct(network, port, pods, part)


def _endpoints(
    network: Network, service: Service, port: ServicePort, listed: Sequence[ServiceEndpoint], part: str
) -> ChainLink:
    """What the EndpointSlices list, against what the Pods as they are would make of them."""
    cluster, title = network.cluster, "EndpointSlices"
    lines = tuple(one.origin for one in cluster.slices_of(service)) or (service.origin,)
    if not cluster.has("endpointslices"):
        return ChainLink(title, "unknown", "the bundle has no list of EndpointSlices", (), part)
    usable = {(one.addr, one.port) for one in listed if one.ready or one.draining}
    told = ", ".join(endpoint_text(*one) for one in sorted(usable)[:MOST_TOLD]) or "none"
    told += f" and {len(usable) - MOST_TOLD} more" if len(usable) > MOST_TOLD else ""
    wanted = {
        (one.addr, one.port)
        for v4 in {is_v4(one.addr) for one in listed} or {True}
        for one in expected_endpoints(cluster, service, port, v4=v4)
        if one.ready or one.draining
    }
    if service.spec.selector and cluster.has("pods") and usable != wanted:
        wrong = [f"{endpoint_text(*one)} is missing" for one in sorted(wanted - usable)]
        wrong += [f"{endpoint_text(*one)} is out of date" for one in sorted(usable - wanted)]
        text = f"ready: {told}; {', '.join(wrong[:MOST_TOLD])}"
        return ChainLink(title, "broken", text, lines, part)
    return ChainLink(title, "ok" if usable else "broken", f"ready: {told}", lines, part)


def _target_port(network: Network, service: Service, port: ServicePort, part: str) -> Iterator[ChainLink]:
    """A name must be a container port's; a number need not be, but then it is worth a word."""
    pods = [pod for pod in network.cluster.pods_of(service) if not pod.finished]
    if not pods:
        return
    line = network.cluster.field_origin(service, "spec", "ports")
    lacking = [pod for pod in pods if target_port(pod, port) is None]
    named = {one.container_port for pod in pods for one in pod.ports() if one.protocol == port.protocol}
    if lacking:
        known = sorted({f"{one.name or 'unnamed'} {one.container_port}" for one in lacking[0].ports()})
        text = f"no container of {pod_names(lacking)} has a port named {port.target}"
        text += f"; it has {', '.join(known) or 'none'}"
        yield ChainLink("targetPort", "broken", text, (line, lacking[0].origin), part)
    elif isinstance(port.target, int) and port.target not in named:
        text = f"{port.target}, which no container names (that alone breaks nothing)"
        yield ChainLink("targetPort", "ok", text, (line,), part)
    else:
        yield ChainLink("targetPort", "ok", f"{port.target} is a container's port", (line,), part)


def _sockets(network: Network, port: ServicePort, pods: Listed, part: str) -> ChainLink:
    """Whether a socket waits for each endpoint."""
    found = [_socket(network, port, endpoint, pod) for endpoint, pod in pods]
    closed = [(text, line) for state, text, line in found if state is False][:MOST_TOLD]
    open_ = tuple(line for state, _, line in found if state)[:1]
    unseen = sum(state is None for state, _, _ in found)
    title = "a program listens"
    if closed:
        lines = tuple(line for _, line in closed)
        return ChainLink(title, "broken", "; ".join(text for text, _ in closed), lines, part)
    if unseen:
        text = f"the sockets of {f'{unseen} of {len(pods)} Pods' if len(pods) > 1 else 'its Pod'} were not collected"
        return ChainLink(title, "unknown", text, open_, part)
    return ChainLink(title, "ok", f"in all {len(pods)} Pods" if len(pods) > 1 else "in its Pod", open_, part)


def _socket(
    network: Network, port: ServicePort, endpoint: ServiceEndpoint, pod: Pod
) -> tuple[bool | None, str, Origin]:
    """Whether one waits (None: not known), what there is instead, and the line."""
    netns = network.namespaces.get(node_netns(pod.node) if pod.host_network else pod_netns(*pod.key))
    if netns is None or netns.sockets is None:
        return None, "", pod.origin
    wanted = (port.protocol, endpoint.port, LISTENING.get(port.protocol, "LISTEN"))
    same = [one for one in netns.sockets if (one.protocol, one.port, one.state) == wanted]
    v4 = is_v4(endpoint.addr)
    takes = [one for one in same if one.local in (None, endpoint.addr) and (one.v4 if v4 else one.v6)]
    if takes:
        return True, "", takes[0].origin
    if same:
        return False, f"{pod.meta.name} listens elsewhere: {same[0].origin.text}", same[0].origin
    where = endpoint_text(endpoint.addr, endpoint.port)
    return (
        False,
        f"nothing listens on {where} in {pod.meta.name}",
        netns.source("ss", f"no socket on {where}"),
    )


def _direct(network: Network, port: ServicePort, pods: Listed, part: str) -> Iterator[ChainLink]:
    """The endpoints without the Service: from their own node, and from a Pod (or the node) on another one."""
    clients, permissions = Clients(network), Permissions(network)
    asked: dict[str, list[Promise | NotPromised]] = {"Pods, from their node": [], "Pods, from elsewhere": []}
    for endpoint, pod in pods:
        v4 = is_v4(endpoint.addr)
        askers = [clients.node(pod.node, v4=v4)]
        other = clients.next_node(pod.node)
        if other is not None:
            alike = next(iter(clients.pods_asking(other, 0, v4=v4, whole=False)), None)
            askers.append(clients.node(other, v4=v4) if alike is None else clients.pod(alike.one(), v4=v4))
        for title, asker in zip(asked, askers, strict=False):
            asked[title].append(_plain(permissions, asker, port, endpoint, pod))
    for title, some in asked.items():
        yield from by_kind(network, some, lambda _kind, title=title: title, part)  # type: ignore[misc]


def _plain(
    permissions: Permissions, asker: Asker, port: ServicePort, endpoint: ServiceEndpoint, pod: Pod
) -> Promise | NotPromised:
    """That an endpoint answers without the Service, unless a policy is in the way."""
    servers = frozenset({(endpoint.addr, endpoint.port)})
    refused = permissions.refusal(asker, servers, port.protocol, pod.ref)
    text = f"{asker} -> {pod.ref.short}, {endpoint_text(endpoint.addr, endpoint.port)}"
    flow = Flow(asker.netns, endpoint.addr, int(port.protocol), endpoint.port)
    return refused or Promise("pod", flow, pod.ref, asker.ref, servers, text, origin=pod.origin)


def _ways_in(network: Network, service: Service) -> Iterator[ChainLink]:
    """Every way in, from every node and a Pod on each; the way back is part of each walk."""
    alone = replace(network, cluster=replace(network.cluster, services={service.key: service}))
    make = api_promises if service.key == API_SERVICE else service_promises
    made = make(Clients(alone), Permissions(alone))
    yield from by_kind(network, made, lambda kind: WAYS_IN.get(kind, kind), "through the Service")
