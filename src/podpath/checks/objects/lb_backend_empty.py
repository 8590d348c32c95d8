"""lb-backend-empty."""

from __future__ import annotations

from collections.abc import Iterator

from podpath.checks.objects.kubectl import kubectl, stated
from podpath.checks.registry import Promised, state_check
from podpath.model.finding import Confidence, Finding, Fix, Severity
from podpath.model.kube.node import Node
from podpath.model.network import Network

EXCLUDE = "node.kubernetes.io/exclude-from-external-load-balancers"


@state_check("lb-backend-empty", severity=Severity.WARNING, needs=("api/services", "api/nodes"))
def lb_backend_empty(network: Network, _promised: Promised) -> Iterator[Finding]:
    """A load balancer has an address, and no node that it may send to.

    ## Why it breaks

    The cloud controller puts nodes into the balancer's pool, but none that carries the label to be left out. If all
    nodes carry it (single-node clusters, control planes that run everything), the pool is empty.

    ## See it by hand

        kubectl get nodes -L node.kubernetes.io/exclude-from-external-load-balancers

    ## Fix

    Take the label off the nodes that are to serve. Balancers inside the cluster (MetalLB, klipper) may serve all the
    same: this only warns.

    ## Often confused with

    *lb-pending-no-controller*: there is no address at all. *etp-local-no-local-endpoint*: the pool is full, and the
    nodes without the Service's Pods fail the balancer's health check, by design.
    """
    nodes = [node for node in network.cluster.nodes.values() if node.ready]
    if not nodes or not all(_is_left_out(node) for node in nodes):
        return
    for service in network.cluster.services.values():
        if service.spec.type != "LoadBalancer" or not service.status.load_balancer.ingress:
            continue
        yield Finding(
            code="lb-backend-empty",
            severity=Severity.WARNING,
            subject=service.ref,
            message=(
                f"The load balancer of Service {service.ref.short} has no nodes: all {len(nodes)} are left "
                "out by their label"
            ),
            evidence=tuple(
                stated(network.cluster, node, "metadata", "labels", EXCLUDE, text=f"{node.ref}: {EXCLUDE}")
                for node in nodes[:3]
            ),
            cause="every node is to be left out",
            confidence=Confidence.LIKELY,
            fix=Fix(
                "take the label off",
                tuple(kubectl("label", node.ref, f"{EXCLUDE}-") for node in nodes[:3]),
                "low",
            ),
        )


def _is_left_out(node: Node) -> bool:
    return EXCLUDE in node.meta.labels
