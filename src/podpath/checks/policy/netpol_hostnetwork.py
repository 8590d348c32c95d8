"""netpol-hostnetwork."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from podpath.checks.objects.kubectl import json_patch, stated
from podpath.checks.policy.alike import Alike, alike, matched, selected
from podpath.checks.registry import Promised, state_check
from podpath.model.addr import format_addr, is_v4
from podpath.model.finding import Confidence, Finding, Fix, Severity
from podpath.model.kube.cluster import Cluster
from podpath.model.kube.networkpolicy import NetworkPolicy, Peer
from podpath.model.kube.pod import Pod
from podpath.model.network import Network


@state_check("netpol-hostnetwork", severity=Severity.WARNING, needs=("api/networkpolicies", "api/pods"))
def netpol_hostnetwork(network: Network, _promised: Promised) -> Iterator[Finding]:
    """A NetworkPolicy is about Pods of the host's network, which engines do not tell from their node.

    ## Why it breaks

    Such a Pod has its node's address. A policy that selects it protects nothing in most engines, and a rule that wants
    to let it in by its labels does not match: packets come from the node.

    ## See it by hand

        kubectl -n <namespace> get pods -o custom-columns=POD:.metadata.name,HOST:.spec.hostNetwork --show-labels

    ## Fix

    Let it in by an ``ipBlock`` with the nodes' addresses; protect it by the node's own firewall (a Calico
    HostEndpoint, a Cilium policy with nodeSelector).

    ## Often confused with

    *netpol-ingress-default-deny*: the client is an ordinary Pod, and no rule names it.
    """
    for policies in network.cluster.policies.values():
        for policy in policies:
            selector = policy.spec.pod_selector
            if selector.keys:
                chosen = selected(network.cluster, policy.meta.namespace, selector)
                hosted = _only_hosted([pod for one in chosen for pod in one])
                if hosted is not None:
                    yield _selected(network, policy, hosted)
            yield from _peered(network, policy)


def _only_hosted(pods: list[Pod]) -> Pod | None:
    """One of them, if they are all of the host's network."""
    live = [pod for pod in pods if pod.live]
    return live[0] if live and all(pod.host_network for pod in live) else None


def _selected(network: Network, policy: NetworkPolicy, pod: Pod) -> Finding:
    return Finding(
        code="netpol-hostnetwork",
        severity=Severity.WARNING,
        subject=policy.ref,
        message=f"{policy.ref} selects only Pods of the host's network ({pod.ref.short}): it protects nothing",
        evidence=(
            stated(
                network.cluster,
                policy,
                "spec",
                "podSelector",
                text=f"podSelector: {policy.spec.pod_selector}",
            ),
            stated(network.cluster, pod, "spec", "hostNetwork", text=f"{pod.ref}: hostNetwork: true"),
        ),
        cause="their packets are the node's",
        confidence=Confidence.CERTAIN,
        fix=Fix(
            "protect it by the node's own firewall: a Calico HostEndpoint, or a Cilium policy with nodeSelector",
            risk="medium",
        ),
    )


def _peered(network: Network, policy: NetworkPolicy) -> Iterator[Finding]:
    for i, rule in enumerate(policy.spec.ingress):
        for j, peer in enumerate(rule.sources):
            if peer.pod_selector is None or not peer.pod_selector.keys:
                continue
            if not any(_is_meant(network.cluster, policy, peer, one) for one in _hosted(network.cluster)):
                continue
            pod = _only_hosted([pod for one in matched(network.cluster, policy, peer) for pod in one])
            if pod is not None:
                path = ("spec", "ingress", str(i), "from", str(j))
                yield _not_matched(network, policy, path, peer, pod)


@lru_cache(maxsize=4)
def _hosted(cluster: Cluster) -> tuple[Alike, ...]:
    """Pods of the host's network: few, so that they are asked first."""
    return tuple(one for groups in alike(cluster).values() for one in groups if one[0].host_network)


def _is_meant(cluster: Cluster, policy: NetworkPolicy, peer: Peer, pods: Alike) -> bool:
    meta, where = pods[0].meta, peer.namespace_selector
    near = meta.namespace == policy.meta.namespace
    inside = near if where is None else where.matches(cluster.namespace_labels(meta.namespace))
    return inside and peer.pod_selector is not None and peer.pod_selector.matches(meta.labels)


def _not_matched(
    network: Network, policy: NetworkPolicy, path: tuple[str, ...], peer: Peer, pod: Pod
) -> Finding:
    nodes = [network.cluster.nodes[pod.node]] if pod.node in network.cluster.nodes else []
    blocks = [
        {"ipBlock": {"cidr": f"{format_addr(addr)}/{32 if is_v4(addr) else 128}"}}
        for node in nodes
        for addr in node.addresses("InternalIP")
    ]
    operations = [
        {"op": "add", "path": "/" + "/".join((*path[:-1], "-")), "value": block} for block in blocks
    ]
    return Finding(
        code="netpol-hostnetwork",
        severity=Severity.WARNING,
        subject=policy.ref,
        message=(
            f"{policy.ref} lets Pods with {peer.pod_selector} in, but they are of the host's network "
            f"({pod.ref.short}): their packets come from the node"
        ),
        evidence=(
            stated(network.cluster, policy, *path, "podSelector", text=f"podSelector: {peer.pod_selector}"),
            stated(network.cluster, pod, "spec", "hostNetwork", text=f"{pod.ref}: hostNetwork: true"),
        ),
        cause="labels do not match a node's address",
        confidence=Confidence.CERTAIN,
        fix=Fix(
            "let the nodes' addresses in",
            (json_patch(policy.ref, *operations),) if operations else (),
            "medium: all of the node is let in",
        ),
    )
