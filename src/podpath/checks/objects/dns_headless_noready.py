"""dns-headless-noready."""

from __future__ import annotations

from collections.abc import Iterator

from podpath.checks.host.clock import settled
from podpath.checks.objects.backing import live, selecting, shut
from podpath.checks.objects.kubectl import patch_fix
from podpath.checks.objects.pod_state import troubles
from podpath.checks.registry import Promised, state_check
from podpath.model.finding import Confidence, Finding, Severity
from podpath.model.network import Network


@state_check("dns-headless-noready", severity=Severity.WARNING, needs=("api/services", "api/pods"))
def dns_headless_noready(network: Network, _promised: Promised) -> Iterator[Finding]:
    """The name of a headless Service has no answer, since none of its Pods is ready.

    ## Why it breaks

    DNS answers for a headless Service with the addresses of its ready Pods. Members of a StatefulSet that look for
    each other before they are ready wait for each other for ever.

    ## See it by hand

        kubectl -n <namespace> get endpointslices -l kubernetes.io/service-name=<service> -o yaml
        kubectl -n <namespace> get pods -l <selector>

    ## Fix

    Cure the Pods; if they must find each other first, set ``publishNotReadyAddresses: true``.

    ## Often confused with

    *dns-endpoints-empty*: no name has an answer.
    """
    for service in selecting(network):
        pods = live(network.cluster.pods_of(service))
        if (
            not service.spec.headless
            or not pods
            or any(pod.ready for pod in pods)
            or not shut(network, service)
        ):
            continue
        if not any(settled(network, pod.meta.created) for pod in pods):
            continue
        found = troubles(network, pods[0])
        yield Finding(
            code="dns-headless-noready",
            severity=Severity.WARNING,
            subject=service.ref,
            message=(
                f"The name of headless Service {service.ref.short} has no answer: none of its {len(pods)} "
                "Pods is ready"
            ),
            evidence=tuple(one.origin for one in found[:2]),
            cause=found[0].text,
            confidence=Confidence.CERTAIN,
            fix=patch_fix(
                "only if its Pods must find each other before they are ready",
                service.ref,
                {"spec": {"publishNotReadyAddresses": True}},
                "low; clients then see Pods that are not ready",
            ),
        )
