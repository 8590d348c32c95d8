"""cloud-route-controller-failed."""

from __future__ import annotations

import re
from collections.abc import Iterator

from podpath.checks.host.clock import settled
from podpath.checks.host.log_lines import Said, said
from podpath.checks.objects.kubectl import stated
from podpath.checks.registry import Promised, state_check
from podpath.model.finding import Confidence, Finding, Fix, Severity
from podpath.model.kube.event import Event
from podpath.model.kube.node import Node
from podpath.model.network import Network
from podpath.model.origin import Origin

LOGGED = re.compile(
    r"[Cc]ould not create route|error creating route|[Ff]ailed to create route|Couldn't (?:reconcile|list) .*routes"
)
KINDS = (
    (
        "throttling",
        re.compile(r"rateLimit|Throttl|TooManyRequests|\b429\b", re.IGNORECASE),
        "raise --route-reconciliation-period",
    ),
    (
        "quota",
        re.compile(r"quota|limit.{0,20}exceeded|RouteLimitExceeded", re.IGNORECASE),
        "raise the quota of routes, or use a CNI that needs none",
    ),
    (
        "authorization",
        re.compile(
            r"AuthorizationFailed|Unauthorized|AccessDenied|\b40[13]\b|permission|AADSTS|credential",
            re.IGNORECASE,
        ),
        "give the controller's role the right to write routes, or renew its credentials",
    ),
)
"""What a cloud refuses for, the plainest words first."""


@state_check("cloud-route-controller-failed", severity=Severity.ERROR, needs=("api/nodes",))
def cloud_route_controller_failed(network: Network, _promised: Promised) -> Iterator[Finding]:
    """The cloud controller could not write the route to a node's Pods.

    ## Why it breaks

    Without an overlay, the cloud's route table leads each podCIDR to its node. The route controller writes it, and
    sets NetworkUnavailable until it has: the scheduler keeps Pods away, and others' Pods do not reach this node's.

    ## See it by hand

        kubectl describe node <node> | grep -A1 NetworkUnavailable
        kubectl get events -A --field-selector reason=FailedToCreateRoute
        kubectl -n kube-system logs <cloud-controller-manager>

    ## Fix

    As the controller's log says: its role or credentials (403, AuthorizationFailed), the quota of routes, or
    throttling (429).

    ## Often confused with

    *cni-config-missing*: the node is not ready at all. An overlay CNI with ``--configure-cloud-routes=true`` beside it
    leaves the same condition although no route is needed.
    """
    events: dict[str, Event] = {}
    for event in network.cluster.events:
        if event.reason == "FailedToCreateRoute":
            events[event.object.name] = event
    lines = [one for one in said(network) if LOGGED.search(one.text)]
    for node in network.cluster.nodes.values():
        condition = node.condition("NetworkUnavailable")
        if condition is None or condition.status != "True" or not settled(network, node.meta.created):
            continue
        if condition.reason == "NoRouteCreated" or node.name in events:
            own = [one for one in lines if node.name in one.text] or lines
            yield _found(network, node, condition.message, events.get(node.name), own[-1] if own else None)


def _found(network: Network, node: Node, message: str, event: Event | None, line: Said | None) -> Finding:
    words = " ".join(((line.text if line else "") + " " + (event.message if event else "")).split())
    kind, fix = next(((name, fix) for name, pattern, fix in KINDS if pattern.search(words)), ("", ""))
    evidence = [
        stated(
            network.cluster,
            node,
            "status",
            "conditions",
            text=f"NetworkUnavailable: True, NoRouteCreated: {message[:200]}",
        )
    ]
    if event is not None:
        evidence.append(
            Origin(event.origin.file, event.origin.line, f"event FailedToCreateRoute: {event.message[:200]}")
        )
    if line is not None:
        evidence.append(line.line.origin)
    pods = sum(pod.live and not pod.host_network for pod in network.cluster.pods_by_node.get(node.name, ()))
    return Finding(
        code="cloud-route-controller-failed",
        severity=Severity.ERROR,
        subject=node.ref,
        message=f"The cloud has no route to the Pods of {node.name}" + (f": {kind}" if kind else ""),
        evidence=tuple(evidence),
        cause="the route controller could not write it",
        confidence=Confidence.CERTAIN,
        fix=Fix(
            fix or "read the log of the cloud controller: credentials, quota or throttling",
            ("kubectl -n kube-system logs -l component=cloud-controller-manager --tail=200 | grep -i route",),
            "medium",
        ),
        broken=max(1, pods),
        reason=words[:300],
    )
