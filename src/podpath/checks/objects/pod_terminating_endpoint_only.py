"""pod-terminating-endpoint-only."""

from __future__ import annotations

from collections.abc import Iterator

from podpath.checks.objects.backing import doors, selecting
from podpath.checks.objects.kubectl import stated
from podpath.checks.registry import Promised, state_check
from podpath.model.finding import Confidence, Finding, Fix, Severity
from podpath.model.network import Network


@state_check(
    "pod-terminating-endpoint-only",
    severity=Severity.WARNING,
    needs=("api/services", "api/endpointslices"),
)
def pod_terminating_endpoint_only(network: Network, _promised: Promised) -> Iterator[Finding]:
    """All endpoints that a Service has left are being deleted.

    ## Why it breaks

    Nothing yet: kube-proxy sends clients to Pods that shut down as long as they still serve and nobody better is there
    (KEP-1669). When they are gone, connections are refused until new Pods are ready.

    ## See it by hand

        kubectl -n <namespace> get endpointslices -l kubernetes.io/service-name=<service> -o yaml   # terminating: true
        kubectl -n <namespace> get pods -l <selector>

    ## Fix

    Let new Pods become ready before old ones go: ``maxUnavailable: 0`` in the Deployment's strategy, at least two
    replicas, and a PodDisruptionBudget with ``minAvailable: 1`` for drains.

    ## Often confused with

    *svc-no-ready-endpoints*: none serves any more.
    """
    for service in selecting(network):
        for door in doors(network.cluster, service):
            leaving = [one for one in door.listed if one.draining]
            if not leaving or any(one.ready for one in door.listed):
                continue
            text = f"{len(leaving)} endpoints, all terminating and serving"
            yield Finding(
                code="pod-terminating-endpoint-only",
                severity=Severity.WARNING,
                subject=service.ref,
                message=(
                    f"Service {service.ref.short}:{door.port.label} is served by Pods that are being "
                    "deleted, and by no other"
                ),
                evidence=tuple(
                    stated(network.cluster, one, "endpoints", text=text)
                    for one in network.cluster.slices_of(service)[:1]
                ),
                cause="what is left shuts down",
                confidence=Confidence.CERTAIN,
                fix=Fix(
                    (
                        "bring up other Pods before these go: maxUnavailable: 0, two replicas or more, a "
                        "PodDisruptionBudget"
                    ),
                    risk="low",
                ),
            )
            break
