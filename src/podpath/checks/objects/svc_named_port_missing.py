"""svc-named-port-missing."""

from __future__ import annotations

from collections.abc import Iterator

from podpath.checks.objects.backing import Door, doors, live, selecting, unkept
from podpath.checks.objects.kubectl import json_patch, stated
from podpath.checks.registry import Promised, state_check
from podpath.intent.services import target_port
from podpath.model.finding import Confidence, Finding, Fix, Severity
from podpath.model.flow import protocol_name
from podpath.model.kube.pod import Pod
from podpath.model.kube.service import Service
from podpath.model.network import Network


@state_check("svc-named-port-missing", severity=Severity.ERROR, needs=("api/services", "api/pods"))
def svc_named_port_missing(network: Network, _promised: Promised) -> Iterator[Finding]:
    """A Service's targetPort is a name that no container port of its Pods has.

    ## Why it breaks

    A named targetPort is looked up among the container ports of each Pod, with the protocol. A Pod without it is left
    out for that port: the EndpointSlice has the Pod and not the port, and kube-proxy refuses connections to it.

    ## See it by hand

        kubectl -n <namespace> get service <service> -o jsonpath='{.spec.ports}'
        kubectl -n <namespace> get pods -l <selector> -o jsonpath='{.items[*].spec.containers[*].ports}'
        kubectl -n <namespace> get endpointslices -l kubernetes.io/service-name=<service> -o yaml

    ## Fix

    Use a name or number that the containers declare, or declare the name in the Pod template.

    ## Often confused with

    *svc-targetport-mismatch*: a number is always taken as it is, whether anything listens there or not; then the
    Pod itself refuses.
    """
    for service in selecting(network):
        pods = live(network.cluster.pods_of(service))
        named = [door for door in doors(network.cluster, service) if isinstance(door.port.target, str)]
        for index, port in enumerate(service.spec.ports):
            closed = [door for door in named if door.port is port and not door.open]
            without = [pod for pod in pods if target_port(pod, port) is None]
            if without and len(without) == len(pods) and closed:
                yield _found(network, service, index, closed, pods)


def _found(
    network: Network, service: Service, index: int, closed: list[Door], pods: tuple[Pod, ...]
) -> Finding:
    port = service.spec.ports[index]
    protocol = protocol_name(port.protocol).upper()
    declared = [one for one in pods[0].ports() if one.protocol == port.protocol] or list(pods[0].ports())
    names = ", ".join(f"{one.name or 'no name'}={one.container_port}" for one in declared) or "none"
    breaks = unkept(network, closed)
    return Finding(
        code="svc-named-port-missing",
        severity=Severity.WARNING if service.spec.headless else Severity.ERROR,
        subject=service.ref,
        message=(
            f"Service {service.ref.short}:{port.label} leads to a port named {port.target}/{protocol}, "
            "which its Pods do not have"
        ),
        evidence=(
            stated(
                network.cluster,
                service,
                "spec",
                "ports",
                str(index),
                "targetPort",
                text=f"targetPort: {port.target}",
            ),
            stated(
                network.cluster, pods[0], "spec", "containers", text=f"{pods[0].ref} container ports: {names}"
            ),
        ),
        cause="no container port has this name",
        confidence=Confidence.CERTAIN,
        fix=_fix(service, index, [one.container_port for one in declared]),
        breaks=breaks,
        broken=sum(promise.stands_for for promise in breaks),
    )


def _fix(service: Service, index: int, numbers: list[int]) -> Fix:
    if len(numbers) != 1:
        return Fix(
            "name a port that the containers declare in targetPort, or declare this name in the Pod template"
        )
    value = {"op": "replace", "path": f"/spec/ports/{index}/targetPort", "value": numbers[0]}
    words = f"lead the port to {numbers[0]}, the only one that the containers declare"
    return Fix(words, (json_patch(service.ref, value),), "low: nothing answers there now")
