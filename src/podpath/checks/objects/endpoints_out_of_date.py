"""endpoints-out-of-date."""

from __future__ import annotations

from collections.abc import Iterator

from podpath.checks.host.clock import settled
from podpath.checks.objects.backing import Door, doors, leading_to, selecting, unkept
from podpath.checks.objects.kubectl import not_listed, stated
from podpath.checks.registry import Promised, state_check
from podpath.intent.services import ServiceEndpoint, expected_endpoints
from podpath.model.addr import format_addr
from podpath.model.finding import Confidence, Finding, Fix, Severity
from podpath.model.kube.cluster import Cluster
from podpath.model.network import Network
from podpath.model.origin import Origin

STEPS = (
    "kubectl -n kube-system get pods -l component=kube-controller-manager",
    "kubectl -n kube-system logs -l component=kube-controller-manager --tail=100",
)


@state_check(
    "endpoints-out-of-date",
    severity=Severity.ERROR,
    needs=("api/services", "api/pods", "api/endpointslices"),
)
def endpoints_out_of_date(network: Network, promised: Promised) -> Iterator[Finding]:
    """EndpointSlices do not say what the Pods say.

    ## Why it breaks

    kube-proxy reads slices, not Pods. If nobody keeps them up to date (the EndpointSlice controller runs in
    kube-controller-manager), ready Pods get no traffic, and addresses that are gone or somebody else's still do.

    ## See it by hand

        kubectl -n <namespace> get pods -l <selector> -o wide
        kubectl -n <namespace> get endpointslices -l kubernetes.io/service-name=<service> -o yaml

    ## Fix

    Find out why the controller does not write: does kube-controller-manager run and hold its lease, may it write
    EndpointSlices, does it reach the API server. A restart of it makes it compare everything once more.

    ## Often confused with

    *kube-proxy-stale-endpoint*: the slices are right, and a node's rules are not. *endpoints-manual-stale*: nobody
    but a person keeps them.
    """
    for service in selecting(network):
        for door in doors(network.cluster, service):
            missing = _missing(network, door)
            stale = _stale(network, door)
            if missing or stale:
                yield _found(network, promised, door, missing, stale)
                break


def _missing(network: Network, door: Door) -> list[ServiceEndpoint]:
    """Pods that are ready for a while, and that no slice calls ready."""
    listed = {(one.addr, one.port) for one in door.listed if one.ready}
    found = []
    for one in expected_endpoints(network.cluster, door.service, door.port, v4=door.v4):
        pod = network.cluster.pods.get(one.pod) if one.pod else None
        if not one.ready or (one.addr, one.port) in listed or pod is None:
            continue
        since = next(
            (c.last_transition_time for c in pod.status.conditions if c.type == "Ready"), pod.meta.created
        )
        if settled(network, since) and settled(network, door.service.meta.created):
            found.append(one)
    return found


def _stale(network: Network, door: Door) -> list[ServiceEndpoint]:
    """Ready endpoints whose Pod is gone and whose address is somebody else's by now, or whose node is gone."""
    cluster = network.cluster
    found = []
    for one in door.listed:
        if not one.ready or one.pod is None or one.pod in cluster.pods:
            continue
        other = cluster.pod_at(one.addr)
        lost = (
            bool(cluster.nodes) and cluster.has("nodes") and bool(one.node) and one.node not in cluster.nodes
        )
        if lost or (other is not None and settled(network, other.meta.created)):
            found.append(one)
    return found


def _found(
    network: Network,
    promised: Promised,
    door: Door,
    missing: list[ServiceEndpoint],
    stale: list[ServiceEndpoint],
) -> Finding:
    service = door.service
    nobody = not door.open
    parts = []
    if missing:
        parts.append(f"{len(missing)} ready Pods are in none ({_listed(missing)})")
    if stale:
        parts.append(f"{len(stale)} endpoints belong to Pods that are gone ({_listed(stale)})")
    wrong = {one.addr for one in stale}
    breaks = unkept(network, (door,)) if nobody else leading_to(promised.promises, service, wrong)
    broken = sum(promise.stands_for for promise in breaks) or len(stale)
    return Finding(
        code="endpoints-out-of-date",
        severity=Severity.ERROR if nobody or stale else Severity.WARNING,
        subject=service.ref,
        message=f"The slices of Service {service.ref.short} are out of date: {'; '.join(parts)}",
        evidence=_evidence(network.cluster, door, (*stale, *missing)),
        cause="the slice and the Pods do not agree",
        confidence=Confidence.CERTAIN,
        fix=Fix(
            "see why kube-controller-manager does not keep EndpointSlices up to date",
            STEPS,
            "low: it only reads",
        ),
        breaks=breaks,
        broken=broken,
    )


def _listed(endpoints: list[ServiceEndpoint]) -> str:
    names = [f"{'/'.join(one.pod) if one.pod else '?'} {format_addr(one.addr)}" for one in endpoints]
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def _evidence(cluster: Cluster, door: Door, wrong: tuple[ServiceEndpoint, ...]) -> tuple[Origin, ...]:
    slices = cluster.slices_of(door.service)
    shown = ", ".join(format_addr(one.addr) for one in door.listed if one.ready) or "none"
    text = f"ready endpoints of port {door.port.label}: {shown}"
    first = (
        stated(cluster, slices[0], "endpoints", text=text)
        if slices
        else not_listed(cluster, "endpointslices", f"no EndpointSlice of {door.service.ref}")
    )
    pods = [pod for one in wrong if one.pod and (pod := cluster.pods.get(one.pod)) is not None]
    return first, *(stated(cluster, pod, "status", "podIP") for pod in pods[:1])
