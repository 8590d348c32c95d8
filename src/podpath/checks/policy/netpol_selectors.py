"""netpol-selector-and-or and netpol-namespace-label."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from podpath.checks.objects.kubectl import json_patch, selector_body, stated
from podpath.checks.policy.alike import matched, selected
from podpath.checks.registry import Promised, state_check
from podpath.model.finding import Confidence, Finding, Fix, Severity
from podpath.model.kube.cluster import Cluster
from podpath.model.kube.networkpolicy import NetworkPolicy, Peer
from podpath.model.kube.pod import Pod
from podpath.model.kube.selector import LabelSelector
from podpath.model.network import Network


class Place(NamedTuple):
    """A peer, and its path inside its policy."""

    policy: NetworkPolicy
    peer: Peer
    path: tuple[str, ...]


def peers(cluster: Cluster) -> Iterator[Place]:
    """All peers of all policies."""
    for policies in cluster.policies.values():
        for policy in policies:
            for way, field in (("ingress", "from"), ("egress", "to")):
                if way.title() not in policy.directions:
                    continue
                for i, rule in enumerate(policy.rules(way.title())):
                    for j, peer in enumerate(rule.peers):
                        yield Place(policy, peer, ("spec", way, str(i), field, str(j)))


@state_check(
    "netpol-selector-and-or",
    severity=Severity.WARNING,
    needs=("api/networkpolicies", "api/pods", "api/namespaces"),
)
def netpol_selector_and_or(network: Network, _promised: Promised) -> Iterator[Finding]:
    """A peer with a namespaceSelector AND a podSelector matches nobody, and each of the two alone would.

    ## Why it breaks

    Two selectors in one element of the list are both to be true; two elements are one or the other. The difference is
    one dash in YAML. Where the author meant "these namespaces, and those Pods", nobody is let in.

    ## See it by hand

        kubectl -n <namespace> get networkpolicy <name> -o yaml
        kubectl get pods -A -l <podSelector>; kubectl get namespaces -l <namespaceSelector>

    ## Fix

    Give each selector an element (a dash) of its own, if one or the other is meant.

    ## Often confused with

    *netpol-namespace-label*: the namespaceSelector alone matches nothing.
    """
    cluster = network.cluster
    for place in peers(cluster):
        both, own = place.peer.namespace_selector, place.peer.pod_selector
        if both is None or own is None or not both.keys or not own.keys:
            continue
        anybody = msgspec.structs.replace(place.peer, pod_selector=None)
        alone = next(selected(cluster, place.policy.meta.namespace, own), None)
        inside = any(True for _ in matched(cluster, place.policy, anybody))
        if alone and inside and not any(True for _ in matched(cluster, place.policy, place.peer)):
            yield _and(network, place, both, own, alone[0])


def _and(network: Network, place: Place, both: LabelSelector, own: LabelSelector, pod: Pod) -> Finding:
    policy, path = place.policy, "/" + "/".join(place.path)
    split = (
        {"op": "remove", "path": f"{path}/podSelector"},
        {"op": "add", "path": f"{path.rpartition('/')[0]}/-", "value": {"podSelector": selector_body(own)}},
    )
    return Finding(
        code="netpol-selector-and-or",
        severity=Severity.WARNING,
        subject=policy.ref,
        message=(
            f"{policy.ref} wants Pods with {own} in namespaces with {both}: there is none, but each of the "
            "two alone matches some"
        ),
        evidence=(
            stated(
                network.cluster, policy, *place.path, text=f"namespaceSelector: {both} AND podSelector: {own}"
            ),
            stated(
                network.cluster, pod, "metadata", "labels", text=f"{pod.ref} matches the podSelector alone"
            ),
        ),
        cause="both in one element: both must be true",
        confidence=Confidence.LIKELY,
        fix=Fix(
            "two elements, if one or the other is meant",
            (json_patch(policy.ref, *split),),
            "medium: it lets more in",
        ),
    )


@state_check(
    "netpol-namespace-label", severity=Severity.WARNING, needs=("api/networkpolicies", "api/namespaces")
)
def netpol_namespace_label(network: Network, _promised: Promised) -> Iterator[Finding]:
    """A namespaceSelector of a NetworkPolicy matches no namespace.

    ## Why it breaks

    A namespace's *name* is no label, apart from kubernetes.io/metadata.name. A selector such as ``name: shop`` matches
    only where somebody put that label on the namespace; without it the rule lets nobody in.

    ## See it by hand

        kubectl get namespaces --show-labels

    ## Fix

    Select by ``kubernetes.io/metadata.name``, or label the namespace.

    ## Often confused with

    *netpol-selector-and-or*: the namespaces are there, without such Pods.
    """
    cluster = network.cluster
    for place in peers(cluster):
        selector = place.peer.namespace_selector
        if selector is None or not selector.keys or not cluster.namespaces:
            continue
        if not any(selector.matches(cluster.namespace_labels(name)) for name in cluster.namespaces):
            yield _no_namespace(network, place, selector)


def _no_namespace(network: Network, place: Place, selector: LabelSelector) -> Finding:
    policy = place.policy
    meant = next(
        (value for value in selector.match_labels.values() if value in network.cluster.namespaces), ""
    )
    key, value = next(iter(selector.match_labels.items()), ("", ""))
    steps = []
    if meant:
        path = "/" + "/".join((*place.path, "namespaceSelector", "matchLabels"))
        right = {"op": "replace", "path": path, "value": {"kubernetes.io/metadata.name": meant}}
        steps.append(json_patch(policy.ref, right))
        steps.append(f"kubectl label namespace {meant} {key}={value}      # instead")
    return Finding(
        code="netpol-namespace-label",
        severity=Severity.WARNING,
        subject=policy.ref,
        message=f"{policy.ref} selects namespaces with {selector}, and there is none"
        + (f"; namespace {meant} has no such label" if meant else ""),
        evidence=(
            stated(
                network.cluster,
                policy,
                *place.path,
                "namespaceSelector",
                text=f"namespaceSelector: {selector}",
            ),
        ),
        cause="no namespace carries these labels",
        confidence=Confidence.CERTAIN,
        fix=Fix("select by kubernetes.io/metadata.name, or label the namespace", tuple(steps), "low"),
    )
