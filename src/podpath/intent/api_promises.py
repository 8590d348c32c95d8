"""What the cluster lives on: the API server answers everybody, and reaches kubelets and the Services it calls."""

from __future__ import annotations

from collections.abc import Iterator

from podpath.intent.clients import Asker, Clients
from podpath.intent.permission import Permissions
from podpath.intent.service_promises import API_SERVICE
from podpath.intent.services import ServiceEndpoint, backends, families, listed_endpoints
from podpath.model.addr import is_v4
from podpath.model.flow import TCP, Flow, endpoint_text
from podpath.model.kube.meta import KubeObject
from podpath.model.kube.node import Node
from podpath.model.kube.service import Service, ServicePort
from podpath.model.kube.webhook import ServiceReference
from podpath.model.promise import NotPromised, Promise
from podpath.model.refs import ObjectRef

Made = Iterator[Promise | NotPromised]


def api_promises(clients: Clients, permissions: Permissions) -> Made:
    """Pods and nodes to the API server's Service, nodes to each of its addresses."""
    service = clients.cluster.services.get(API_SERVICE)
    if service is None:
        if clients.cluster.has("services"):
            text = "there is no Service default/kubernetes: Pods find no API server"
            yield NotPromised("no-service", text, ObjectRef("Service", *API_SERVICE))
        return
    for port in service.spec.ports:
        for v4 in families(service):
            endpoints = listed_endpoints(clients.cluster, service, port, v4=v4)
            if not endpoints:
                text = "Service default/kubernetes has no endpoints: no API server is announced"
                yield NotPromised("no-endpoints", text, service.ref, service.origin)
                continue
            yield from _by_service(clients, permissions, service, port, v4=v4)
            yield from _by_address(clients, service, endpoints)


def _by_service(
    clients: Clients, permissions: Permissions, service: Service, port: ServicePort, *, v4: bool
) -> Made:
    """From every node, and from Pods of each sort there."""
    for node in clients.nodes:
        askers = [
            clients.pod(alike.one(), v4=v4, stands_for=len(alike.pods))
            for alike in clients.pods_asking(node, 0, v4=v4, whole=clients.small)
        ]
        for asker in (*askers, clients.node(node, v4=v4)):
            yield _through(clients, permissions, service, port, asker, v4=v4)


def _through(
    clients: Clients, permissions: Permissions, service: Service, port: ServicePort, asker: Asker, *, v4: bool
) -> Promise | NotPromised:
    """From one asker to the Service's ClusterIP."""
    servers = backends(clients.cluster, service, port, asker.client, "cluster-ip", asker.client.node, v4=v4)
    if isinstance(servers, NotPromised):
        return servers
    refused = permissions.refusal(asker, servers, port.protocol, service.ref)
    if refused is not None:
        return refused
    return Promise(
        kind="api",
        flow=Flow(asker.netns, service.cluster_ip(v4=v4) or 0, int(port.protocol), port.port),
        subject=service.ref,
        client=asker.ref,
        servers=servers,
        text=f"{asker} -> the API server (Service {service.ref.short}:{port.label})",
        stands_for=asker.stands_for,
        origin=service.origin,
        port_name=port.name,
    )


def _by_address(clients: Clients, service: Service, endpoints: tuple[ServiceEndpoint, ...]) -> Made:
    """From every node to the addresses that kubelet and kube-proxy use."""
    for node in clients.nodes:
        for endpoint in endpoints:
            asker = clients.node(node, v4=is_v4(endpoint.addr))
            yield Promise(
                kind="api",
                flow=Flow(asker.netns, endpoint.addr, TCP, endpoint.port),
                subject=service.ref,
                client=asker.ref,
                servers=frozenset({(endpoint.addr, endpoint.port)}),
                text=f"{asker} -> the API server at {endpoint_text(endpoint.addr, endpoint.port)}",
                stands_for=asker.stands_for,
                origin=endpoint.origin,
            )


def control_plane_promises(clients: Clients) -> Made:
    """The API server to the kubelets (logs, exec, metrics), and to the webhooks and API servers it calls."""
    servers = tuple(clients.at(addr) for addr in _api_servers(clients))
    for asker in servers:
        for node, addr in clients.addressed(clients.nodes, v4=_speaks_v4(asker)):
            yield _to_kubelet(clients, asker, node, addr)
    for owner, reference in _called(clients):
        for asker in servers:
            if asker.client.kind == "node":  # elsewhere it is not known how it gets to a ClusterIP
                yield from _call(clients, owner, reference, asker)


def _speaks_v4(asker: Asker) -> bool:
    return asker.client.addr is None or is_v4(asker.client.addr)


def _api_servers(clients: Clients) -> Iterator[int]:
    """The addresses of the API servers."""
    service = clients.cluster.services.get(API_SERVICE)
    if service is None:
        return
    seen = {
        one.addr
        for port in service.spec.ports[:1]
        for v4 in families(service)
        for one in listed_endpoints(clients.cluster, service, port, v4=v4)
    }
    yield from sorted(seen)


def _to_kubelet(clients: Clients, asker: Asker, node: Node, addr: int) -> Promise:
    known = clients.network.nodes.get(node.name)
    port = known.kubelet.port if known and known.kubelet else node.kubelet_port
    return Promise(
        kind="kubelet",
        flow=Flow(asker.netns, addr, TCP, port, src=asker.client.addr if not asker.netns else None),
        subject=node.ref,
        client=asker.ref,
        servers=frozenset({(addr, port)}),
        text=f"the API server on {asker} -> kubelet of {node.name}, {endpoint_text(addr, port)}",
        origin=node.origin,
    )


def _called(clients: Clients) -> Iterator[tuple[KubeObject, ServiceReference]]:
    """Objects that make the API server call a Service."""
    for configuration in clients.cluster.webhooks.values():
        for webhook in configuration.webhooks:
            if webhook.client_config.service is not None:
                yield configuration, webhook.client_config.service
    for api_service in clients.cluster.api_services.values():
        if api_service.spec.service is not None:
            yield api_service, api_service.spec.service


def _call(clients: Clients, owner: KubeObject, reference: ServiceReference, asker: Asker) -> Made:
    """From an API server on a node of the cluster to the Service of a webhook."""
    service = clients.cluster.services.get((reference.namespace, reference.name))
    port = service.port(reference.port, TCP) if service else None
    if service is None or port is None:
        named = f"Service {reference.namespace}/{reference.name}:{reference.port}"
        text = f"{owner.ref} names {named}, which does not exist"
        yield NotPromised(
            "no-service" if service is None else "port-not-in-service", text, owner.ref, owner.origin
        )
        return
    v4 = _speaks_v4(asker)
    servers = backends(clients.cluster, service, port, asker.client, "cluster-ip", asker.client.node, v4=v4)
    if isinstance(servers, NotPromised):
        yield servers
        return
    yield Promise(
        kind="api",
        flow=Flow(asker.netns, service.cluster_ip(v4=v4) or 0, TCP, port.port),
        subject=owner.ref,
        client=asker.ref,
        servers=servers,
        text=f"the API server on {asker} -> Service {service.ref.short}:{port.label} ({owner.ref})",
        origin=owner.origin,
        port_name=port.name,
    )
