"""node-podcidr-duplicate and node-podcidr-unassigned."""

from __future__ import annotations

import re
from collections.abc import Iterator

from podpath.checks.host.clock import settled
from podpath.checks.host.log_lines import Said, said
from podpath.checks.objects.kubectl import patch_fix, stated
from podpath.checks.registry import Promised, state_check
from podpath.model.finding import Confidence, Finding, Fix, Severity
from podpath.model.kube.event import Event
from podpath.model.kube.node import Node
from podpath.model.network import Network
from podpath.model.origin import Origin

NOT_ASSIGNED = re.compile(r'node "?([\w.-]+)"? pod cidr not assigned', re.IGNORECASE)


@state_check("node-podcidr-duplicate", severity=Severity.ERROR, needs=("api/nodes",))
def node_podcidr_duplicate(network: Network, _promised: Promised) -> Iterator[Finding]:
    """Two nodes have podCIDRs that share addresses.

    ## Why it breaks

    Each node gives its Pods addresses of its own podCIDR and knows nothing of the others. Where two overlap, two Pods
    get one address, and each other node routes it to one of the two.

    ## See it by hand

        kubectl get nodes -o custom-columns=NODE:.metadata.name,CIDR:.spec.podCIDRs

    ## Fix

    A podCIDR cannot be changed: delete the younger Node object, and let the node join again.

    ## Often confused with

    *duplicate-pod-ip*: two Pods have one address, for whatever reason. *cidr-overlap-host-network*: Pods and machines.
    """
    held = sorted(
        ((prefix, node) for node in network.cluster.nodes.values() for prefix in node.pod_cidrs),
        key=lambda one: (one[0].net, one[0].length),
    )
    for index, (prefix, node) in enumerate(held):
        for other_prefix, other in held[index + 1 :]:
            if not prefix.overlaps(other_prefix):
                break  # sorted: nothing further on lies inside
            if node is not other:
                yield _shared(network, node, other)


def _shared(network: Network, one: Node, other: Node) -> Finding:
    older, younger = sorted((one, other), key=lambda node: (node.meta.created, node.name))
    texts = {node.name: ", ".join(map(str, node.pod_cidrs)) for node in (older, younger)}
    pods = [
        pod for pod in network.cluster.pods_by_node.get(younger.name, ()) if pod.live and not pod.host_network
    ]
    return Finding(
        code="node-podcidr-duplicate",
        severity=Severity.ERROR,
        subject=younger.ref,
        message=(
            f"Nodes {older.name} ({texts[older.name]}) and {younger.name} ({texts[younger.name]}) give "
            "their Pods the same addresses"
        ),
        evidence=tuple(
            stated(network.cluster, node, "spec", "podCIDR", text=f"podCIDR: {texts[node.name]}")
            for node in (younger, older)
        ),
        cause="one range for two nodes",
        confidence=Confidence.CERTAIN,
        fix=Fix(
            f"let {younger.name} join anew: a podCIDR cannot be changed",
            (
                (
                    f"kubectl drain {younger.name} --ignore-daemonsets --delete-emptydir-data; kubectl "
                    f"delete node {younger.name}"
                ),
                f"{younger.name}: kubeadm reset; kubeadm join ...",
            ),
            "medium: the node's Pods move",
        ),
        broken=max(1, len(pods)),
    )


@state_check("node-podcidr-unassigned", severity=Severity.ERROR, needs=("api/nodes",))
def node_podcidr_unassigned(network: Network, _promised: Promised) -> Iterator[Finding]:
    """A node has no podCIDR, and its CNI needs one.

    ## Why it breaks

    flannel, kubenet and the bridge plugin with host-local take the node's range from spec.podCIDR, which
    kube-controller-manager gives out. Without it the agent stops, and no Pod of the node gets an address.

    ## See it by hand

        kubectl get nodes -o custom-columns=NODE:.metadata.name,CIDR:.spec.podCIDR
        kubectl get events -A --field-selector reason=CIDRNotAvailable

    ## Fix

    Let kube-controller-manager run with ``--allocate-node-cidrs`` and a ``--cluster-cidr`` that has room. By hand:
    patch the Node, once; the field cannot be changed afterwards.

    ## Often confused with

    *flannel-subnet-env-missing*: what follows from it. Calico, Cilium and cloud CNIs need no podCIDR: nodes without
    one are normal there.
    """
    nodes = network.cluster.nodes
    without = [node for node in nodes.values() if not node.pod_cidrs and settled(network, node.meta.created)]
    norm = len(without) * 2 < len(nodes)  # the others have one: somebody gives them out
    lines = {found[1]: one for one in said(network) if (found := NOT_ASSIGNED.search(one.text)) is not None}
    events = {one.object.name: one for one in network.cluster.events if one.reason == "CIDRNotAvailable"}
    for node in without:
        line, event = lines.get(node.name), events.get(node.name)
        if (norm and not _needs_none(network, node)) or line is not None or event is not None:
            yield _without(network, node, line, event)


def _needs_none(network: Network, node: Node) -> bool:
    """Whether Pods of the node have addresses without it, or there is no machine behind the node."""
    virtual = any(taint.key.startswith("virtual-kubelet.io/") for taint in node.spec.taints)
    pods = network.cluster.pods_by_node.get(node.name, ())
    return virtual or any(pod.live and not pod.host_network for pod in pods)


def _without(network: Network, node: Node, line: Said | None, event: Event | None) -> Finding:
    evidence = [stated(network.cluster, node, "spec", text=f"Node {node.name}: no spec.podCIDR")]
    if line is not None:
        evidence.append(line.line.origin)
    if event is not None:
        evidence.append(
            Origin(event.origin.file, event.origin.line, f"event CIDRNotAvailable: {event.message[:200]}")
        )
    return Finding(
        code="node-podcidr-unassigned",
        severity=Severity.ERROR,
        subject=node.ref,
        message=f"Node {node.name} has no podCIDR: its CNI has no addresses to give",
        evidence=tuple(evidence),
        cause="nobody gave it a range",
        confidence=Confidence.CERTAIN if line or event else Confidence.LIKELY,
        fix=patch_fix(
            (
                "let kube-controller-manager give out ranges (--allocate-node-cidrs, a --cluster-cidr "
                "with room), or give one by hand"
            ),
            node.ref,
            {"spec": {"podCIDR": "<a free range>", "podCIDRs": ["<a free range>"]}},
            "medium: it cannot be changed afterwards",
        ),
        broken=max(1, sum(not pod.ips for pod in network.cluster.pods_by_node.get(node.name, ()))),
        reason="the cluster's range is used up" if event is not None else "",
    )
