"""Pods that selectors cannot tell apart: asked once for all of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache

from podpath.model.kube.cluster import Cluster, grouped
from podpath.model.kube.networkpolicy import NetworkPolicy, Peer
from podpath.model.kube.pod import Pod
from podpath.model.kube.selector import LabelSelector

Alike = tuple[Pod, ...]


@lru_cache(maxsize=4)
def alike(cluster: Cluster) -> Mapping[str, tuple[Alike, ...]]:
    """Pods with equal labels and the same kind of network, by namespace."""
    return {
        namespace: tuple(
            grouped(((frozenset(pod.meta.labels.items()), pod.host_network), pod) for pod in pods).values()
        )
        for namespace, pods in cluster.pods_by_namespace.items()
    }


def selected(cluster: Cluster, namespace: str, selector: LabelSelector) -> Iterator[Alike]:
    """The Pods of a namespace that a selector matches."""
    return (one for one in alike(cluster).get(namespace, ()) if selector.matches(one[0].meta.labels))


def matched(cluster: Cluster, policy: NetworkPolicy, peer: Peer) -> Iterator[Alike]:
    """The Pods that a peer of a policy means by its selectors."""
    selector = peer.pod_selector or LabelSelector()
    if peer.ip_block is not None:
        return
    for namespace in alike(cluster):
        where = peer.namespace_selector
        near = namespace == policy.meta.namespace
        if near if where is None else where.matches(cluster.namespace_labels(namespace)):
            yield from selected(cluster, namespace, selector)
