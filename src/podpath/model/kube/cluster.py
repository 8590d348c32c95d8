"""All objects of a cluster, and the questions one may ask them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

from podpath.model.kube.apiservice import APIService
from podpath.model.kube.configmap import ConfigMap
from podpath.model.kube.endpointslice import EndpointSlice
from podpath.model.kube.event import Event
from podpath.model.kube.ingress import Ingress, IngressClass
from podpath.model.kube.meta import KubeObject
from podpath.model.kube.namespace import NAME_LABEL, Namespace
from podpath.model.kube.networkpolicy import NetworkPolicy
from podpath.model.kube.node import Node
from podpath.model.kube.other import OtherObject
from podpath.model.kube.pod import Pod
from podpath.model.kube.rbac import Role, RoleBinding
from podpath.model.kube.service import Service
from podpath.model.kube.serviceaccount import ServiceAccount
from podpath.model.kube.webhook import WebhookConfiguration
from podpath.model.kube.workload import Workload
from podpath.model.origin import Origin
from podpath.model.refs import ObjectRef

T = TypeVar("T")

Key = tuple[str, str]
"""(namespace, name); the namespace is empty for cluster-scoped kinds."""


def _nowhere_closer(origin: Origin, path: tuple[str, ...]) -> Origin:  # noqa: ARG001
    """Where the text of objects is not at hand, an object's own line has to do."""
    return origin


@dataclass(frozen=True, eq=False)
class Cluster:
    """The objects of a cluster at one moment. What was not collected is empty here and not in ``collected``."""

    pods: Mapping[Key, Pod] = field(default_factory=dict)
    services: Mapping[Key, Service] = field(default_factory=dict)
    nodes: Mapping[str, Node] = field(default_factory=dict)
    namespaces: Mapping[str, Namespace] = field(default_factory=dict)
    slices: Mapping[Key, tuple[EndpointSlice, ...]] = field(default_factory=dict)
    """By the (namespace, name) of their Service; those of none under an empty name."""
    policies: Mapping[str, tuple[NetworkPolicy, ...]] = field(default_factory=dict)
    """By namespace."""
    workloads: Mapping[ObjectRef, Workload] = field(default_factory=dict)
    configmaps: Mapping[Key, ConfigMap] = field(default_factory=dict)
    events: tuple[Event, ...] = ()
    ingresses: Mapping[Key, Ingress] = field(default_factory=dict)
    ingress_classes: Mapping[str, IngressClass] = field(default_factory=dict)
    roles: Mapping[ObjectRef, Role] = field(default_factory=dict)
    role_bindings: Mapping[ObjectRef, RoleBinding] = field(default_factory=dict)
    service_accounts: Mapping[Key, ServiceAccount] = field(default_factory=dict)
    webhooks: Mapping[ObjectRef, WebhookConfiguration] = field(default_factory=dict)
    api_services: Mapping[str, APIService] = field(default_factory=dict)
    others: Mapping[str, tuple[OtherObject, ...]] = field(default_factory=dict)
    """Objects of any other kind, by the name of their list (``ippools.crd.projectcalico.org``)."""
    collected: frozenset[str] = frozenset()
    """Lists that are in the bundle: ``pods``, ``networkpolicies``; of other kinds with their group."""
    version: str = ""
    """The API server's, ``v1.36.3``."""
    locate: Callable[[Origin, tuple[str, ...]], Origin] = _nowhere_closer
    """Finds the line of a field: an object's origin, and the path (keys, and indexes as text) inside the object."""

    def has(self, *lists: str) -> bool:
        """Whether these lists were collected, so that what they do not hold does not exist."""
        return self.collected.issuperset(lists)

    def field_origin(self, obj: KubeObject, *path: str) -> Origin:
        """The line of a field inside an object: ``field_origin(service, "spec", "selector")``."""
        return self.locate(obj.origin, path)

    @cached_property
    def pods_by_ip(self) -> Mapping[int, tuple[Pod, ...]]:
        """The live Pods that hold an address (those of one node share its address)."""
        return grouped((ip, pod) for pod in self.pods.values() if not pod.finished for ip in pod.ips)

    def pod_at(self, addr: int) -> Pod | None:
        """The Pod whose own address it is."""
        return next((pod for pod in self.pods_by_ip.get(addr, ()) if not pod.host_network), None)

    @cached_property
    def pods_by_node(self) -> Mapping[str, tuple[Pod, ...]]:
        """All Pods that are bound to a node, by its name."""
        return grouped((pod.node, pod) for pod in self.pods.values() if pod.node)

    @cached_property
    def pods_by_namespace(self) -> Mapping[str, tuple[Pod, ...]]:
        """All Pods, by namespace."""
        return grouped((pod.meta.namespace, pod) for pod in self.pods.values())

    @cached_property
    def _pods_by_label(self) -> Mapping[tuple[str, str, str], tuple[Pod, ...]]:
        """Pods by (namespace, key, value), for keys that a Service selects by."""
        keys = {key for service in self.services.values() for key in service.spec.selector}
        return grouped(
            ((pod.meta.namespace, key, value), pod)
            for pod in self.pods.values()
            for key, value in pod.meta.labels.items()
            if key in keys
        )

    def pods_of(self, service: Service) -> tuple[Pod, ...]:
        """The Pods that a Service selects, ready or not; none for a Service without a selector."""
        selector = service.spec.selector
        if not selector:
            return ()
        namespace = service.meta.namespace
        groups = [self._pods_by_label.get((namespace, *item), ()) for item in selector.items()]
        return tuple(
            pod
            for pod in min(groups, key=len)
            if all(pod.meta.labels.get(key) == value for key, value in selector.items())
        )

    def slices_of(self, service: Service) -> tuple[EndpointSlice, ...]:
        """The EndpointSlices that name a Service."""
        return self.slices.get(service.key, ())

    @cached_property
    def services_by_cluster_ip(self) -> Mapping[int, Service]:
        """Services by their virtual addresses."""
        return {ip: service for service in self.services.values() for ip in service.cluster_ips or ()}

    @cached_property
    def services_by_node_port(self) -> Mapping[tuple[int, int], Service]:
        """Services by (NodePort, protocol)."""
        return {
            (port.node_port, int(port.protocol)): service
            for service in self.services.values()
            for port in service.spec.ports
            if port.node_port
        }

    @cached_property
    def services_by_pod(self) -> Mapping[Key, tuple[Service, ...]]:
        """The Services that select a Pod."""
        return grouped(
            (pod.key, service) for service in self.services.values() for pod in self.pods_of(service)
        )

    @cached_property
    def node_by_address(self) -> Mapping[int, Node]:
        """Nodes by their internal and external addresses."""
        return {addr: node for node in self.nodes.values() for addr in node.addresses()}

    @cached_property
    def _namespace_labels(self) -> Mapping[str, Mapping[str, str]]:
        return {name: namespace.labels for name, namespace in self.namespaces.items()}

    def namespace_labels(self, namespace: str) -> Mapping[str, str]:
        """A namespace's labels; where the object is missing, the one that the API server would have set."""
        return self._namespace_labels.get(namespace) or {NAME_LABEL: namespace}

    def node_zone(self, node: str) -> str:
        """The zone of a node; empty when it is not known."""
        known = self.nodes.get(node)
        return "" if known is None else known.zone

    @cached_property
    def events_by_object(self) -> Mapping[ObjectRef, tuple[Event, ...]]:
        """Events by what they speak of."""
        return grouped((event.object, event) for event in self.events)

    def lookup(self, ref: ObjectRef) -> KubeObject | None:
        """An object by its name; None when it does not exist or was not collected."""
        key = (ref.namespace, ref.name)
        match ref.kind:
            case "Pod":
                return self.pods.get(key)
            case "Service":
                return self.services.get(key)
            case "Node":
                return self.nodes.get(ref.name)
            case "Namespace":
                return self.namespaces.get(ref.name)
            case "ConfigMap":
                return self.configmaps.get(key)
            case "ServiceAccount":
                return self.service_accounts.get(key)
            case "NetworkPolicy":
                return next((one for one in self.policies.get(ref.namespace, ()) if one.key == key), None)
        return self.workloads.get(ref) or self.roles.get(ref) or self.role_bindings.get(ref)


K = TypeVar("K")


def grouped(pairs: Iterable[tuple[K, T]]) -> Mapping[K, tuple[T, ...]]:
    """Values by key, in their order."""
    groups: dict[K, list[T]] = {}
    for key, value in pairs:
        groups.setdefault(key, []).append(value)
    return {key: tuple(values) for key, values in groups.items()}
