"""Who asks: Pods that the network cannot tell apart stand for each other, and not every node asks everything."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

from podpath.intent.limits import LIMITS, Limits
from podpath.intent.policy import EGRESS, INGRESS, End, peer_keys, policies_of
from podpath.intent.services import Client
from podpath.model.addr import format_addr, is_v4
from podpath.model.kube.cluster import Cluster, grouped
from podpath.model.kube.node import Node
from podpath.model.kube.pod import Pod
from podpath.model.network import Network
from podpath.model.refs import NetnsId, ObjectRef, node_netns, pod_netns

ATTACHMENT_ANNOTATION = "k8s.v1.cni.cncf.io/networks"
"""Names further networks of a Pod (Multus): such a Pod may route otherwise than its neighbours."""


@dataclass(frozen=True, eq=False)
class PodClass:
    """Running Pods of one node that the network cannot tell apart."""

    node: str
    pods: tuple[Pod, ...]

    def one(self, avoid: Iterable[Pod | int] = ()) -> Pod:
        """The one that stands for them; if there is a choice, none of those (or of those addresses)."""
        shunned = {one.key if isinstance(one, Pod) else one for one in avoid}
        for pod in self.pods:
            if pod.key not in shunned and shunned.isdisjoint(pod.ips):
                return pod
        return self.pods[0]


@dataclass(frozen=True, eq=False)
class Asker:
    """A client as a promise names it, and all that it stands for."""

    client: Client
    ref: ObjectRef
    netns: NetnsId
    end: End
    """As policies see it."""
    stands_for: int = 1

    def __str__(self) -> str:
        """``ops/client on n1``, ``n1``, ``outside (172.30.0.1)``."""
        if self.client.kind == "pod":
            return f"{self.ref.short} on {self.client.node}"
        return f"outside ({self.ref.name})" if self.client.kind == "outside" else self.ref.name


@dataclass(frozen=True, eq=False)
class Clients:
    """Nodes and Pods as clients, and which of them ask what."""

    network: Network
    limits: Limits = LIMITS

    @property
    def cluster(self) -> Cluster:
        """The objects."""
        return self.network.cluster

    @cached_property
    def nodes(self) -> tuple[str, ...]:
        """All nodes; where the list was not collected, those whose state or Pods are known."""
        known = set(self.cluster.nodes) or {*self.network.nodes, *self.cluster.pods_by_node}
        return tuple(sorted(known))

    @cached_property
    def position(self) -> Mapping[str, int]:
        """Where a node stands in the ring of all."""
        return {node: index for index, node in enumerate(self.nodes)}

    @property
    def small(self) -> bool:
        """Whether every node asks every other."""
        return len(self.nodes) <= self.limits.every_node

    @cached_property
    def small_for_services(self) -> bool:
        """Whether every node asks every Service."""
        ports = sum(len(service.spec.ports) for service in self.cluster.services.values())
        return self.small and ports * len(self.nodes) <= self.limits.every_service

    def asking(self, number: int, hosts: Iterable[str]) -> tuple[str, ...]:
        """The nodes that ask the Service with this number (in a fixed order), which has endpoints on ``hosts``."""
        if self.small_for_services:
            return self.nodes
        near = list(
            islice(
                (node for node in dict.fromkeys(hosts) if node in self.position), self.limits.endpoint_nodes
            )
        )
        step = self.limits.other_nodes
        return tuple(dict.fromkeys([*near, *self._ring(number * step, step)]))

    def peers(self, node: str) -> tuple[str, ...]:
        """The other nodes that a node's Pods are walked to."""
        if self.small:
            return tuple(other for other in self.nodes if other != node)
        return self._ring(self.position[node] + 1, self.limits.ring)

    def next_node(self, node: str) -> str | None:
        """Another node, for what needs just one."""
        others = self._ring(self.position.get(node, 0) + 1, 1)
        return others[0] if others and others[0] != node else None

    def _ring(self, start: int, count: int) -> tuple[str, ...]:
        size = len(self.nodes)
        return tuple(self.nodes[(start + step) % size] for step in range(min(count, size)))

    @cached_property
    def running(self) -> Mapping[str, tuple[Pod, ...]]:
        """Pods that may be a client or a server, by node: ready ones, and those whose state was read, first."""
        seen = self.network.namespaces

        def order(pod: Pod) -> tuple[bool, bool, bool, tuple[str, str]]:
            return pod_netns(*pod.key) not in seen, not pod.ready, pod.terminating, pod.key

        return {
            node: tuple(sorted((pod for pod in pods if pod.running), key=order))
            for node, pods in self.cluster.pods_by_node.items()
        }

    @cached_property
    def classes(self) -> Mapping[str, tuple[PodClass, ...]]:
        """The sorts of Pods with a network of their own, by node."""
        return {
            node: tuple(
                PodClass(node, alike)
                for alike in grouped((self._sort(pod), pod) for pod in pods if not pod.host_network).values()
            )
            for node, pods in self.running.items()
        }

    @cached_property
    def _peer_keys(self) -> tuple[str, ...]:
        return tuple(sorted(peer_keys(self.cluster)))

    def _sort(self, pod: Pod) -> tuple[object, ...]:
        """What the network tells Pods of a node apart by."""
        alike = tuple(is_v4(addr) for addr in pod.ips), pod.meta.annotations.get(ATTACHMENT_ANNOTATION, "")
        if not self.cluster.policies:
            return alike
        chosen = tuple(
            policy.key for way in (INGRESS, EGRESS) for policy in policies_of(self.cluster, pod, way)
        )
        labels = tuple(pod.meta.labels.get(key) for key in self._peer_keys)
        return *alike, pod.meta.namespace, chosen, labels

    @cached_property
    def _able(self) -> Mapping[bool, Mapping[str, tuple[PodClass, ...]]]:
        """The sorts of Pods with an address of a family, by node."""
        return {
            v4: {
                node: tuple(one for one in classes if one.pods[0].ip(v4=v4) is not None)
                for node, classes in self.classes.items()
            }
            for v4 in (True, False)
        }

    def pods_asking(self, node: str, number: int, *, v4: bool, whole: bool) -> Iterator[PodClass]:
        """The sorts of Pods of a node that ask the thing with this number."""
        yield from _rotated(self._able[v4].get(node, ()), number, self.limits.classes if whole else 1)

    def pod(self, pod: Pod, *, v4: bool, stands_for: int = 1) -> Asker:
        """A Pod as a client."""
        if pod.host_network:
            return self.node(pod.node, v4=v4)
        client = Client("pod", pod.node, pod.ip(v4=v4))
        return Asker(client, pod.ref, pod_netns(*pod.key), pod, stands_for)

    def node(self, node: str, *, v4: bool) -> Asker:
        """A node as a client; its own processes and Pods of its network."""
        known = self.cluster.nodes.get(node)
        client = Client("node", node, known.internal_ip(v4=v4) if known else None)
        guests = sum(pod.host_network for pod in self.running.get(node, ()))
        return Asker(client, ObjectRef("Node", "", node), node_netns(node), node, 1 + guests)

    def at(self, addr: int) -> Asker:
        """Whoever has an address: a node, or somebody outside."""
        node = self.cluster.node_by_address.get(addr)
        if node is not None:
            return self.node(node.name, v4=is_v4(addr))
        ref = ObjectRef("Outside", "", format_addr(addr))
        return Asker(Client("outside", addr=addr), ref, NetnsId(""), addr)

    def addressed(self, names: Iterable[str], *, v4: bool) -> Iterator[tuple[Node, int]]:
        """Those of these nodes that have an internal address of a family, with it."""
        for name in names:
            node = self.cluster.nodes.get(name)
            addr = node.internal_ip(v4=v4) if node else None
            if node is not None and addr is not None:
                yield node, addr


def _rotated(classes: Sequence[PodClass], number: int, count: int) -> Iterator[PodClass]:
    """At most so many, beginning further on each time."""
    if len(classes) <= count:
        yield from classes
    else:
        start = number * count
        yield from (classes[(start + step) % len(classes)] for step in range(count))
