"""Kubernetes objects for tests: valid by default, so that a test names only what it is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from podpath.model.addr import parse_addr
from podpath.model.kube.cluster import Cluster, grouped
from podpath.model.kube.endpointslice import (
    SERVICE_LABEL,
    Endpoint,
    EndpointConditions,
    EndpointHints,
    EndpointPort,
    EndpointSlice,
    Hint,
    TargetRef,
)
from podpath.model.kube.event import Event
from podpath.model.kube.meta import KubeObject, Meta, Place
from podpath.model.kube.namespace import Namespace
from podpath.model.kube.networkpolicy import NetworkPolicy, PolicySpec
from podpath.model.kube.node import ZONE_LABEL, Node, NodeAddress, NodeSpec, NodeStatus
from podpath.model.kube.other import OtherObject
from podpath.model.kube.pod import Condition, Container, ContainerPort, Pod, PodIP, PodSpec, PodStatus
from podpath.model.kube.scalars import PROTOCOLS, Address, decode_scalar
from podpath.model.kube.service import (
    LoadBalancerIngress,
    LoadBalancerStatus,
    Service,
    ServicePort,
    ServiceSpec,
    ServiceStatus,
)
from podpath.model.kube.webhook import WebhookConfiguration
from podpath.model.kube.workload import Workload
from podpath.model.network import Network

T = TypeVar("T", bound=KubeObject)

LISTS = frozenset(
    [
        "pods",
        "services",
        "nodes",
        "namespaces",
        "configmaps",
        "events",
        "serviceaccounts",
        "endpointslices",
        "networkpolicies",
        "ingresses",
        "ingressclasses",
        "deployments",
        "daemonsets",
        "statefulsets",
        "replicasets",
        "roles",
        "clusterroles",
        "rolebindings",
        "clusterrolebindings",
    ]
)
"""What a collector asks for."""


def an_address(text: str) -> Address:
    """``10.0.0.1`` as objects hold it."""
    return Address(parse_addr(text))


def a_place(kind: str) -> Place:
    """The file that an object would stand in, at line 4."""
    return Place(f"api/{kind.lower()}s.json", lambda: (4,))


def a_namespace(name: str = "shop", labels: Mapping[str, str] | None = None) -> Namespace:
    """A namespace."""
    return Namespace(meta=Meta(name=name, labels=dict(labels or {})), place=a_place("Namespace"))


def a_node(
    name: str = "n1",
    ip: str | Sequence[str] = "172.30.0.11",
    *,
    pod_cidr: str | Sequence[str] = "10.244.0.0/24",
    zone: str = "",
    labels: Mapping[str, str] | None = None,
    ready: bool = True,
) -> Node:
    """A Ready node with an internal address and a range for its Pods."""
    ips, cidrs = _several(ip), _several(pod_cidr)
    told = {**(labels or {}), **({ZONE_LABEL: zone} if zone else {})}
    return Node(
        meta=Meta(name=name, labels=told),
        place=a_place("Node"),
        spec=NodeSpec(pod_cidrs=cidrs, pod_cidr=cidrs[0] if cidrs else ""),
        status=NodeStatus(
            addresses=(*(NodeAddress("InternalIP", one) for one in ips), NodeAddress("Hostname", name)),
            conditions=(Condition("Ready", "True" if ready else "False"),),
        ),
    )


def a_port(
    number: int = 8080, name: str = "http", protocol: str = "TCP", host_port: int = 0
) -> ContainerPort:
    """A port of a container."""
    return ContainerPort(number, name, protocol, host_port)


def a_pod(
    name: str = "web-1",
    namespace: str = "shop",
    *,
    node: str = "n1",
    ip: str | Sequence[str] = "10.244.0.5",
    labels: Mapping[str, str] | None = None,
    ports: Sequence[ContainerPort] = (a_port(),),
    ready: bool = True,
    phase: str = "Running",
    deleted: bool = False,
    annotations: Mapping[str, str] | None = None,
    containers: Sequence[Container] = (),
    **spec: Any,
) -> Pod:
    """A Pod that runs and is ready; further keywords are fields of its spec."""
    ips = _several(ip)
    return Pod(
        meta=Meta(
            name=name,
            namespace=namespace,
            labels=dict(labels if labels is not None else {"app": "web"}),
            annotations=dict(annotations or {}),
            deletion_timestamp="2026-11-25T00:00:00Z" if deleted else None,
        ),
        place=a_place("Pod"),
        spec=PodSpec(
            node_name=node,
            containers=tuple(containers) or (Container(name="main", ports=tuple(ports)),),
            **spec,
        ),
        status=PodStatus(
            phase=phase,
            pod_ips_listed=tuple(map(PodIP, ips)),
            pod_ip_text=ips[0] if ips else "",
            conditions=(Condition("Ready", "True" if ready else "False"),),
        ),
    )


def a_service_port(
    port: int = 80, target: int | str = 8080, *, name: str = "http", protocol: str = "TCP", node_port: int = 0
) -> ServicePort:
    """A port of a Service."""
    return ServicePort(port, name, PROTOCOLS[protocol], target, node_port)


def a_service(
    name: str = "web",
    namespace: str = "shop",
    *,
    cluster_ip: str | Sequence[str] = "10.96.0.20",
    ports: Sequence[ServicePort] = (a_service_port(),),
    selector: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    lb_ips: Sequence[str] = (),
    lb_mode: str = "VIP",
    external_ips: Sequence[str] = (),
    **spec: Any,
) -> Service:
    """A ClusterIP Service for ``app=web``; further keywords are fields of its spec."""
    ips = _several(cluster_ip)
    balancers = tuple(LoadBalancerIngress(ip=an_address(one), ip_mode=lb_mode) for one in lb_ips)
    return Service(
        meta=Meta(name=name, namespace=namespace, labels=dict(labels or {})),
        place=a_place("Service"),
        spec=ServiceSpec(
            cluster_ips_listed=ips,
            cluster_ip_text=ips[0] if ips else "",
            ports=tuple(ports),
            selector=dict(selector if selector is not None else {"app": "web"}),
            external_ips=tuple(an_address(one) for one in external_ips),
            **spec,
        ),
        status=ServiceStatus(LoadBalancerStatus(balancers)),
    )


def an_endpoint(
    ip: str = "10.244.0.5",
    node: str | None = "n1",
    *,
    ready: bool | None = True,
    serving: bool | None = None,
    terminating: bool | None = None,
    zones: Sequence[str] = (),
    nodes: Sequence[str] = (),
    pod: str = "",
) -> Endpoint:
    """A ready endpoint of a slice."""
    return Endpoint(
        addresses_text=(ip,),
        conditions=EndpointConditions(ready, serving, terminating),
        node_name=node,
        hints=EndpointHints(tuple(map(Hint, zones)), tuple(map(Hint, nodes))) if zones or nodes else None,
        target_ref=TargetRef("Pod", pod) if pod else None,
    )


def a_slice(
    *endpoints: Endpoint,
    service: str = "web",
    namespace: str = "shop",
    name: str = "",
    port: int | None = 8080,
    port_name: str | None = "http",
    protocol: str = "TCP",
    address_type: str = "IPv4",
) -> EndpointSlice:
    """A slice of the Service ``shop/web``; with one endpoint unless some are given."""
    return EndpointSlice(
        meta=Meta(name=name or f"{service}-abc", namespace=namespace, labels={SERVICE_LABEL: service}),
        place=a_place("EndpointSlice"),
        address_type=address_type,
        endpoints=endpoints or (an_endpoint(),),
        ports=(EndpointPort(port_name, port, PROTOCOLS[protocol]),),
    )


def a_policy(name: str = "limit", namespace: str = "shop", **spec: Any) -> NetworkPolicy:
    """A NetworkPolicy; keywords are its spec as the API writes it (``podSelector``, ``ingress``)."""
    return NetworkPolicy(
        meta=Meta(name=name, namespace=namespace),
        place=a_place("NetworkPolicy"),
        spec=msgspec.convert(spec, PolicySpec, dec_hook=decode_scalar),
    )


def an_other(
    listed: str, name: str = "one", namespace: str = "", kind: str = "Thing"
) -> dict[str, tuple[OtherObject, ...]]:
    """An object of a kind that has no struct, for ``a_cluster(others=...)``."""
    return {listed: (OtherObject(kind=kind, meta=Meta(name=name, namespace=namespace)),)}


def a_cluster(*objects: KubeObject, collected: frozenset[str] = LISTS, **fields: Any) -> Cluster:
    """A cluster of which everything was collected, and which holds these objects."""

    def every(type_: type[T]) -> list[T]:
        return [one for one in objects if isinstance(one, type_)]

    return Cluster(
        pods={one.key: one for one in every(Pod)},
        services={one.key: one for one in every(Service)},
        nodes={one.name: one for one in every(Node)},
        namespaces={one.meta.name: one for one in every(Namespace)},
        slices=grouped(((one.meta.namespace, one.service), one) for one in every(EndpointSlice)),
        policies=grouped((one.meta.namespace, one) for one in every(NetworkPolicy)),
        workloads={one.ref: one for one in every(Workload)},
        events=tuple(every(Event)),
        webhooks={one.ref: one for one in every(WebhookConfiguration)},
        collected=collected,
        **fields,
    )


def a_network(*objects: KubeObject, **fields: Any) -> Network:
    """A network of which only objects are known; further keywords are fields of ``Network``."""
    return Network("test", a_cluster(*objects), **fields)


def _several(value: str | Sequence[str]) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,) if value else ()
    return tuple(value)
