"""lb-pending-no-controller."""

from __future__ import annotations

from collections.abc import Iterator

from podpath.checks.host.clock import settled
from podpath.checks.host.log_lines import said
from podpath.checks.host.log_reasons import Read, read
from podpath.checks.host.log_table import REASONS
from podpath.checks.objects.kubectl import kubectl, stated
from podpath.checks.registry import Promised, state_check
from podpath.model.finding import Confidence, Finding, Fix, Severity
from podpath.model.kube.event import Event
from podpath.model.kube.service import Service
from podpath.model.network import Network
from podpath.model.origin import Origin

FAILED = frozenset(
    {"SyncLoadBalancerFailed", "CreatingLoadBalancerFailed", "AllocationFailed", "UpdateLoadBalancerFailed"}
)
GRACE_S = 300.0
"""Clouds take minutes to make a balancer."""


@state_check("lb-pending-no-controller", severity=Severity.ERROR, needs=("api/services",))
def lb_pending_no_controller(network: Network, _promised: Promised) -> Iterator[Finding]:
    """A Service of type LoadBalancer got no address.

    ## Why it breaks

    Kubernetes makes no load balancers: a cloud controller, MetalLB, kube-vip or the like does, and writes the address
    into the Service's status. Without one, or if it fails, EXTERNAL-IP stays pending for ever; the NodePort works.

    ## See it by hand

        kubectl -n <namespace> describe service <service>      # events of the controller
        kubectl get pods -A | grep -E 'cloud-controller|metallb|kube-vip|svclb'

    ## Fix

    Install a controller, or cure what it complains about: credentials, quota, subnet tags, an address pool. A
    ``loadBalancerClass`` must be the one of the controller.

    ## Often confused with

    *metallb-no-advertisement*: the address is there, and nobody announces it. *lb-backend-empty*: it has no nodes.
    """
    pending = [one for one in network.cluster.services.values() if _is_pending(network, one)]
    served = any(one.status.load_balancer.ingress for one in network.cluster.services.values())
    logged = _logged(network) if pending else None
    for service in pending:
        events = [
            one for one in network.cluster.events_by_object.get(service.ref, ()) if one.reason in FAILED
        ]
        event = max(events, key=lambda one: one.last, default=None)
        yield _found(network, service, event, logged, served=served)


def _is_pending(network: Network, service: Service) -> bool:
    asked = service.spec.type == "LoadBalancer" and not service.status.load_balancer.ingress
    return asked and settled(network, service.meta.created, GRACE_S)


def _logged(network: Network) -> Read | None:
    """What a cloud controller's log says of credentials."""
    row = next(one for one in REASONS if one.code == "cloud-credentials-expired")
    return next((found for one in reversed(said(network)) if (found := read(row, one)) is not None), None)


def _found(
    network: Network, service: Service, event: Event | None, logged: Read | None, *, served: bool
) -> Finding:
    spec = service.spec
    evidence = [stated(network.cluster, service, "status", "loadBalancer", text="status.loadBalancer: {}")]
    why = "no controller answers"
    if event is not None:
        why = "its controller fails"
        evidence.insert(
            0, Origin(event.origin.file, event.origin.line, f"event {event.reason}: {event.message[:250]}")
        )
    elif spec.load_balancer_class:
        why = f"no controller of class {spec.load_balancer_class} answers"
        evidence.insert(0, stated(network.cluster, service, "spec", "loadBalancerClass"))
    elif served:
        why = "a controller serves other Services, and not this one"
    if logged is not None:
        evidence += logged.evidence
    return Finding(
        code="lb-pending-no-controller",
        severity=Severity.ERROR,
        subject=service.ref,
        message=f"Service {service.ref.short} waits for a load balancer's address: {why}",
        evidence=tuple(evidence),
        cause="nobody has given it an address",
        confidence=Confidence.CERTAIN,
        fix=logged.fix
        if logged
        else Fix(
            "cure what the controller complains about"
            if event
            else "install a controller for load balancers (a cloud's, MetalLB, kube-vip)",
            (kubectl("describe", service.ref),),
            "low: it only reads",
        ),
        broken=max(1, len(spec.ports)),
        reason=logged.text if logged else (event.message[:200] if event else ""),
    )
