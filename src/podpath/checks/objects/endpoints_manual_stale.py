"""endpoints-manual-stale."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from podpath.checks.host.ranges import pod_ranges
from podpath.checks.objects.backing import leading_to
from podpath.checks.objects.kubectl import json_patch, stated
from podpath.checks.registry import Promised, state_check
from podpath.model.addr import LOOPBACK_V4, LOOPBACK_V6, format_addr
from podpath.model.finding import Confidence, Finding, Fix, Severity
from podpath.model.kube.endpointslice import EndpointSlice
from podpath.model.kube.service import Service
from podpath.model.network import Network

API_SERVICE = ("default", "kubernetes")


@state_check(
    "endpoints-manual-stale",
    severity=Severity.ERROR,
    needs=("api/services", "api/pods", "api/endpointslices"),
)
def endpoints_manual_stale(network: Network, promised: Promised) -> Iterator[Finding]:
    """A Service without a selector leads to an address that nobody has, or that cannot be one.

    ## Why it breaks

    Endpoints of such a Service are written by hand, and nobody changes them when the address they name moves. A
    loopback address is the client's node itself, and a ClusterIP is never translated a second time.

    ## See it by hand

        kubectl -n <namespace> get endpointslices -l kubernetes.io/service-name=<service> -o yaml
        kubectl get pods -A -o wide | grep <address>

    ## Fix

    Write the address that is meant today; if Pods of this cluster are meant, give the Service a selector instead.

    ## Often confused with

    *endpoints-out-of-date*: a controller should have kept them. An address outside the cluster can only be tried
    (``podpath probe``).
    """
    for service in network.cluster.services.values():
        if service.spec.selector or service.key == API_SERVICE:
            continue
        for one in network.cluster.slices_of(service):
            for index, endpoint in enumerate(one.endpoints):
                why = next((text for addr in endpoint.addresses if (text := _wrong(network, addr))), "")
                if why and endpoint.conditions.ready is not False:
                    finding = _found(network, service, one, index, why)
                    breaks = leading_to(promised.promises, service, endpoint.addresses[:1])
                    broken = sum(promise.stands_for for promise in breaks) or finding.broken
                    yield msgspec.structs.replace(finding, breaks=breaks, broken=broken)


def _wrong(network: Network, addr: int) -> str:
    """Why an address is no endpoint; empty if it may be one."""
    cluster = network.cluster
    if addr in LOOPBACK_V4 or addr == LOOPBACK_V6:
        return "is a loopback address: each node would ask itself"
    service = cluster.services_by_cluster_ip.get(addr)
    if service is not None:
        return f"is the ClusterIP of Service {service.ref.short}, which is not translated twice"
    if addr in cluster.pods_by_ip or addr in cluster.node_by_address or addr in network.owners:
        return ""
    inside = next((one for one in pod_ranges(network) if addr in one.prefix), None)
    if inside is not None:
        return f"is one for Pods ({inside.text}), and no Pod has it"
    return ""


def _found(network: Network, service: Service, one: EndpointSlice, index: int, why: str) -> Finding:
    addr = format_addr(one.endpoints[index].addresses[0])
    operation = {"op": "replace", "path": f"/endpoints/{index}/addresses", "value": ["<address>"]}
    others = sum(len(other.endpoints) for other in network.cluster.slices_of(service)) - 1
    return Finding(
        code="endpoints-manual-stale",
        severity=Severity.ERROR,
        subject=service.ref,
        message=f"Service {service.ref.short} leads to {addr}, which {why}",
        evidence=(
            stated(
                network.cluster, one, "endpoints", str(index), "addresses", "0", text=f"addresses: {addr}"
            ),
        ),
        cause="nobody answers at this address",
        confidence=Confidence.CERTAIN,
        fix=Fix(
            "write the address that is meant",
            (json_patch(one.ref, operation),),
            "low: nobody answers there now",
        ),
        broken=max(1, len(service.spec.ports)),
        reason=f"{others} other endpoints are listed" if others else "",
    )
