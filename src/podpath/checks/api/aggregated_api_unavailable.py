"""aggregated-api-unavailable."""

from __future__ import annotations

from collections.abc import Iterator

from podpath.checks.host.clock import settled
from podpath.checks.objects.kubectl import kubectl, stated
from podpath.checks.registry import Promised, state_check
from podpath.model.finding import Confidence, Finding, Fix, Severity
from podpath.model.network import Network

MEANS = {
    "ServiceNotFound": "its Service does not exist",
    "ServicePortError": "its Service has no such port",
    "EndpointsNotFound": "its Service has no endpoints object",
    "EndpointsAccessError": "its endpoints could not be read",
    "MissingEndpoints": "nobody is behind its Service",
    "FailedDiscoveryCheck": "the API server does not get an answer from it",
}


@state_check("aggregated-api-unavailable", severity=Severity.ERROR, needs=("api/apiservices",))
def aggregated_api_unavailable(network: Network, _promised: Promised) -> Iterator[Finding]:
    """An API that another server serves (metrics, custom ones) is not available.

    ## Why it breaks

    The API server hands requests for the group on to a Service of the cluster. While that does not answer, ``kubectl
    top`` and autoscaling fail, and namespaces stay Terminating because their content cannot be listed.

    ## See it by hand

        kubectl get apiservices | grep False
        kubectl get apiservice <name> -o jsonpath='{.status.conditions}'

    ## Fix

    By the condition's reason: bring the Pods up, correct Service and port, or open the way from the control plane to
    the Pods' port (metrics-server with hostNetwork where the control plane is not in the Pod network).

    ## Often confused with

    *webhook-unreachable*: the same way, for another purpose.
    """
    for one in network.cluster.api_services.values():
        condition = one.available
        if (
            condition is None
            or condition.status != "False"
            or not settled(network, condition.last_transition_time)
        ):
            continue
        reference = one.spec.service
        served = f" (Service {reference.namespace}/{reference.name}:{reference.port})" if reference else ""
        text = f"Available: False, {condition.reason}: {condition.message[:250]}"
        yield Finding(
            code="aggregated-api-unavailable",
            severity=Severity.ERROR,
            subject=one.ref,
            message=(
                f"API {one.meta.name} is not available: "
                f"{MEANS.get(condition.reason, condition.reason or 'no reason is given')}{served}"
            ),
            evidence=(stated(network.cluster, one, "status", "conditions", text=text),),
            cause=condition.reason or "not available",
            confidence=Confidence.CERTAIN,
            fix=Fix("bring its Service and Pods up", (kubectl("describe", one.ref),), "low: it only reads"),
            broken=1,
            reason=condition.message[:200],
        )
