"""service-cidr-exhausted."""

from __future__ import annotations

import re
from collections.abc import Iterator

from podpath.checks.host.ranges import Range, service_ranges
from podpath.checks.objects.kubectl import apply_command
from podpath.checks.registry import Promised, state_check
from podpath.model.addr import is_v4
from podpath.model.finding import Confidence, Finding, Fix, Severity
from podpath.model.kube.event import Event
from podpath.model.network import Network
from podpath.model.origin import Origin
from podpath.model.refs import ObjectRef

REASONS = frozenset({"ServiceCIDRFull", "ClusterIPNotAllocated", "ClusterIPOutOfRange"})
FULL = re.compile(r"range is full|no more IPs|failed to allocate (?:a serviceIP|IP)")
NEAR = 0.9
"""Of the range in use: a warning."""
FEW = 1 << 16
"""Larger ranges are never counted."""

MORE = Fix(
    "add a second range: a ServiceCIDR (Kubernetes 1.33 and later)",
    (
        apply_command(
            {
                "apiVersion": "networking.k8s.io/v1",
                "kind": "ServiceCIDR",
                "metadata": {"name": "more"},
                "spec": {"cidrs": ["<a free range>"]},
            }
        ),
    ),
    "medium: every node and firewall must know the new range too",
)


@state_check("service-cidr-exhausted", severity=Severity.ERROR, needs=("api/services",))
def service_cidr_exhausted(network: Network, _promised: Promised) -> Iterator[Finding]:
    """The range of ClusterIPs has no address left, or holds Services outside of it.

    ## Why it breaks

    Each ClusterIP Service takes an address of the range that the API server was started with. When none is left no
    Service can be made; after a change of the range, old Services keep addresses that it does not hold.

    ## See it by hand

        kubectl get servicecidrs
        kubectl get events -A | grep -E 'ServiceCIDRFull|ClusterIP(NotAllocated|OutOfRange)'
        kubectl get services -A --no-headers | grep -vc None

    ## Fix

    Add a ServiceCIDR object (1.33 and later). Before: a larger --service-cluster-ip-range, and Services made anew.

    ## Often confused with

    *ipam-exhausted-leak*: addresses of Pods.
    """
    told = False
    for event in network.cluster.events:
        if event.reason in REASONS or (event.object.kind == "Service" and FULL.search(event.message)):
            if event.reason == "ClusterIPNotAllocated" and not FULL.search(event.message):
                continue  # the repair loop's own remark at every start
            told = True
            yield _said(event)
            break
    for one in () if told else service_ranges(network):
        size = (1 << (32 - one.prefix.length)) - 2 if is_v4(one.prefix.net) else FEW
        used = sum(addr in one.prefix for addr in network.cluster.services_by_cluster_ip)
        if size < FEW and used >= size * NEAR:
            yield _near(network, one, used, size)


def _said(event: Event) -> Finding:
    return Finding(
        code="service-cidr-exhausted",
        severity=Severity.ERROR,
        subject=event.object,
        message=f"The range of ClusterIPs does not suffice: {event.message[:200]}",
        evidence=(
            Origin(event.origin.file, event.origin.line, f"event {event.reason}: {event.message[:250]}"),
        ),
        cause="no address of the range is left, or this one is outside of it",
        confidence=Confidence.CERTAIN,
        fix=MORE,
        broken=1,
    )


def _near(network: Network, one: Range, used: int, size: int) -> Finding:
    return Finding(
        code="service-cidr-exhausted",
        severity=Severity.WARNING,
        subject=ObjectRef("Cluster", "", network.name),
        message=f"{used} of {size} ClusterIPs of {one.prefix} are in use",
        evidence=(one.origin,),
        cause="few addresses are left",
        confidence=Confidence.CERTAIN,
        fix=MORE,
    )
