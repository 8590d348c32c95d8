"""headless-misuse."""

from __future__ import annotations

from collections.abc import Iterator

from podpath.checks.objects.backing import selecting
from podpath.checks.objects.kubectl import stated
from podpath.checks.registry import Promised, state_check
from podpath.intent.services import target_port
from podpath.model.finding import Confidence, Finding, Fix, Severity
from podpath.model.kube.service import Service, ServicePort
from podpath.model.network import Network


@state_check("headless-misuse", severity=Severity.WARNING, needs=("api/services", "api/pods"))
def headless_misuse(network: Network, _promised: Promised) -> Iterator[Finding]:
    """A headless Service has a port that is not the one its Pods listen on.

    ## Why it breaks

    Nothing translates a headless Service: its name leads to the Pods' own addresses, and the client must use the
    Pods' own port. ``port`` is only what SRV records and readers of the manifest see, and here it is refused.

    ## See it by hand

        kubectl -n <namespace> get service <service> -o jsonpath='{.spec.clusterIP} {.spec.ports}'

    ## Fix

    Use the target port in clients, or write it as ``port``; or recreate the Service without ``clusterIP: None``.

    ## Often confused with

    *svc-targetport-mismatch*: a translated Service whose target nobody listens on.
    """
    for service in selecting(network):
        if not service.spec.headless:
            continue
        for index, port in enumerate(service.spec.ports):
            real = _real(network, service, port)
            if real and port.port not in real:
                yield _found(network, service, index, sorted(real))


def _real(network: Network, service: Service, port: ServicePort) -> set[int]:
    """The numbers that the port means on the Pods."""
    numbers = {target_port(pod, port) for pod in network.cluster.pods_of(service)}
    declared = {one.container_port for pod in network.cluster.pods_of(service) for one in pod.ports()}
    return set() if port.port in declared else {number for number in numbers if number is not None}


def _found(network: Network, service: Service, index: int, real: list[int]) -> Finding:
    port = service.spec.ports[index]
    meant = ", ".join(map(str, real))
    return Finding(
        code="headless-misuse",
        severity=Severity.WARNING,
        subject=service.ref,
        message=f"Headless Service {service.ref.short} says port {port.port}, but its Pods are reached at {meant} only",
        evidence=(
            stated(
                network.cluster,
                service,
                "spec",
                "ports",
                str(index),
                "port",
                text=f"port: {port.port}, targetPort: {port.target}",
            ),
            stated(network.cluster, service, "spec", "clusterIP", text="clusterIP: None"),
        ),
        cause="nothing translates a headless Service",
        confidence=Confidence.CERTAIN,
        fix=Fix(f"let clients use {meant}, or recreate the Service without clusterIP: None", risk="low"),
    )
