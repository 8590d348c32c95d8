"""What stands behind a Service: the Pods that it selects, what its slices say of them, and who goes without."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from podpath.intent.dns import cluster_dns, dns_services
from podpath.intent.services import ServiceEndpoint, families, listed_endpoints
from podpath.model.flow import Flow
from podpath.model.kube.cluster import Cluster, Key
from podpath.model.kube.pod import Pod
from podpath.model.kube.service import Service, ServicePort
from podpath.model.kube.workload import Workload
from podpath.model.network import Network
from podpath.model.promise import Promise
from podpath.model.refs import NetnsId, ObjectRef, node_netns, pod_netns

API_SERVICE = ("default", "kubernetes")

MAKERS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet")
"""Kinds of workloads, those that people write first."""


class Door(NamedTuple):
    """A port of a Service in one family, with its endpoints as listed."""

    service: Service
    port: ServicePort
    v4: bool
    listed: tuple[ServiceEndpoint, ...]

    @property
    def open(self) -> bool:
        """Whether kube-proxy has anybody to send a client to."""
        return any(one.ready or one.draining for one in self.listed)


def doors(cluster: Cluster, service: Service) -> tuple[Door, ...]:
    """All ports of a Service in all its families; of a headless one in those of its Pods."""
    served = families(service) or tuple(text == "IPv4" for text in service.spec.ip_families) or (True,)
    return tuple(
        Door(service, port, v4, listed_endpoints(cluster, service, port, v4=v4))
        for port in service.spec.ports
        for v4 in served
    )


@lru_cache(maxsize=4)
def name_services(network: Network) -> frozenset[Key]:
    """The Services that answer for names, which have checks of their own."""
    nodes = {*network.nodes, *network.cluster.nodes}
    asked = {addr for node in nodes for addr in cluster_dns(network, node)}
    return frozenset(one.key for one in dns_services(network.cluster, tuple(sorted(asked))))


def selecting(network: Network) -> Iterator[Service]:
    """Services with a selector that are to lead to Pods: not that of the API server, nor that of DNS."""
    names = name_services(network)
    for service in network.cluster.services.values():
        spec = service.spec
        if (
            spec.selector
            and spec.type != "ExternalName"
            and service.key not in names
            and service.key != API_SERVICE
        ):
            yield service


def shut(network: Network, service: Service) -> tuple[Door, ...]:
    """The ports behind which nobody is, if that is so of all of them."""
    return _all_shut(network).get(service.key, ())


@lru_cache(maxsize=4)
def _all_shut(network: Network) -> Mapping[Key, tuple[Door, ...]]:
    found = {}
    for service in network.cluster.services.values():
        every = doors(network.cluster, service)
        if every and not any(door.open for door in every):
            found[service.key] = every
    return found


def templates(cluster: Cluster, service: Service) -> tuple[Workload, ...]:
    """The workloads whose Pods the Service would select, those that people write first."""
    wanted = service.spec.selector.items()
    found = [
        one
        for one in cluster.workloads.values()
        if one.meta.namespace == service.meta.namespace and wanted <= one.template_labels.items()
    ]
    made = [one for one in found if one.kind != "ReplicaSet" or one.meta.owner is None]
    return tuple(sorted(made, key=lambda one: MAKERS.index(one.kind)))


def selector_text(service: Service) -> str:
    """``app=web, tier=front``."""
    return ", ".join(f"{key}={value}" for key, value in service.spec.selector.items())


def unkept(network: Network, shut_doors: Iterable[Door]) -> tuple[Promise, ...]:
    """What everybody in the cluster would be promised by these ports of Services, and nobody is."""
    return tuple(
        Promise(
            kind="dns" if door.service.key in name_services(network) else "service",
            flow=Flow(
                _example(network)[0],
                door.service.cluster_ip(v4=door.v4) or 0,
                int(door.port.protocol),
                door.port.port,
            ),
            subject=door.service.ref,
            client=_example(network)[1],
            servers=frozenset(),
            text=f"everybody -> Service {door.service.ref.short}:{door.port.label}",
            stands_for=_clients(network),
            origin=door.service.origin,
            port_name=door.port.name,
        )
        for door in shut_doors
        if not door.service.spec.headless
    )


def leading_to(
    promises: Iterable[Promise], service: Service, addresses: Collection[int]
) -> tuple[Promise, ...]:
    """The promises of a Service that may end at one of these addresses: what follows from it folds under its cause."""
    return tuple(
        promise
        for promise in promises
        if promise.subject == service.ref and any(addr in addresses for addr, _ in promise.servers or ())
    )


@lru_cache(maxsize=4)
def _clients(network: Network) -> int:
    """All who may ask: Pods that run, and nodes."""
    return max(1, len(network.cluster.nodes) + sum(pod.running for pod in network.cluster.pods.values()))


@lru_cache(maxsize=4)
def _example(network: Network) -> tuple[NetnsId, ObjectRef]:
    """One of them: a Pod whose namespace is known, else a node."""
    for pod in network.cluster.pods.values():
        if pod.running and not pod.host_network and pod_netns(*pod.key) in network.namespaces:
            return pod_netns(*pod.key), pod.ref
    node = next(iter(sorted({*network.nodes, *network.cluster.nodes})), "")
    return node_netns(node), ObjectRef("Node", "", node)


def live(pods: Iterable[Pod]) -> tuple[Pod, ...]:
    """Those that have not finished."""
    return tuple(pod for pod in pods if not pod.finished)
