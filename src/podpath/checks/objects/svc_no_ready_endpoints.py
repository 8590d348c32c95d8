"""svc-no-ready-endpoints."""

from __future__ import annotations

from collections.abc import Iterator

from podpath.checks.host.clock import settled
from podpath.checks.host.log_reasons import reason_of
from podpath.checks.objects.backing import Door, live, selecting, selector_text, shut, templates, unkept
from podpath.checks.objects.kubectl import kubectl, stated
from podpath.checks.objects.pod_state import Trouble, troubles
from podpath.checks.registry import Promised, state_check
from podpath.model.finding import Confidence, Finding, Fix, Severity
from podpath.model.kube.event import Event
from podpath.model.kube.pod import Pod
from podpath.model.kube.service import Service
from podpath.model.kube.workload import Workload
from podpath.model.network import Network
from podpath.model.origin import Origin


@state_check("svc-no-ready-endpoints", severity=Severity.ERROR, needs=("api/services", "api/pods"))
def svc_no_ready_endpoints(network: Network, _promised: Promised) -> Iterator[Finding]:
    """Pods stand behind a Service, and none of them is ready.

    ## Why it breaks

    Only ready Pods become ready endpoints. kube-proxy refuses connections to a Service without any, although its
    Pods may run and even answer when they are asked by their own address.

    ## See it by hand

        kubectl -n <namespace> get pods -l <selector> -o wide
        kubectl -n <namespace> describe pod <pod>        # the failing probe, the state of each container
        kubectl -n <namespace> get events --field-selector involvedObject.name=<pod>

    ## Fix

    Cure what the Pod suffers from: its probe's path or port, its image, its configuration.
    ``publishNotReadyAddresses: true`` only for programs that must find each other before they are ready.

    ## Often confused with

    *svc-selector-mismatch*: no Pod matches at all. *probe-blocked-by-policy*: the application is well, but the
    kubelet's probe does not reach it; then the trace from the node to the Pod ends at a rule.
    """
    for service in selecting(network):
        closed = shut(network, service)
        if not closed or service.spec.headless:
            continue
        pods = live(network.cluster.pods_of(service))
        if not pods:
            yield from _never_made(network, service, closed)
        elif not any(pod.ready for pod in pods) and any(settled(network, pod.meta.created) for pod in pods):
            yield _not_ready(network, service, closed, pods)


def _not_ready(
    network: Network, service: Service, closed: tuple[Door, ...], pods: tuple[Pod, ...]
) -> Finding:
    pod = min(pods, key=lambda one: (one.terminating, one.meta.created))
    found = troubles(network, pod)
    logged = reason_of(network, pod)
    breaks = unkept(network, closed)
    count = f"its {len(pods)} Pods are" if len(pods) > 1 else f"its only Pod {pod.ref.short} is"
    return Finding(
        code="svc-no-ready-endpoints",
        severity=Severity.ERROR,
        subject=service.ref,
        message=f"Service {service.ref.short} has no ready endpoint: {count} not ready",
        evidence=(*(one.origin for one in found[:2]), *(logged.evidence[:1] if logged else ())),
        cause=found[0].text,
        confidence=Confidence.CERTAIN,
        fix=logged.fix if logged else _fix(pod, found),
        breaks=breaks,
        broken=sum(promise.stands_for for promise in breaks),
        reason=logged.text if logged else "; ".join(one.text for one in found[1:2]),
    )


def _fix(pod: Pod, found: tuple[Trouble, ...]) -> Fix:
    logs = kubectl("logs", pod.ref, "--all-containers --previous").replace("logs pod", "logs")
    steps = (kubectl("describe", pod.ref), logs)
    return Fix(f"cure the Pod: {found[0].text}", steps, "low: these commands only read")


def _never_made(network: Network, service: Service, closed: tuple[Door, ...]) -> Iterator[Finding]:
    """A workload is to have Pods, and none was made: a quota, a webhook, a missing ServiceAccount."""
    for workload in templates(network.cluster, service)[:1]:
        if not workload.replicas or not settled(network, workload.meta.created):
            continue
        event = _refusal(network, workload)
        breaks = unkept(network, closed)
        said = " ".join(event.message.split())[:200] if event else ""
        text = f"{workload.ref}: {workload.replicas} replicas wanted, no Pod with {selector_text(service)}"
        evidence = [stated(network.cluster, workload, "spec", text=text)]
        if event is not None:
            evidence.insert(0, Origin(event.origin.file, event.origin.line, f"event {event.reason}: {said}"))
        yield Finding(
            code="svc-no-ready-endpoints",
            severity=Severity.ERROR,
            subject=service.ref,
            message=f"Service {service.ref.short} has no Pods: those of {workload.ref} are not made",
            evidence=tuple(evidence),
            cause="no Pod was made",
            confidence=Confidence.CERTAIN,
            fix=Fix(
                "find out why its Pods are not made",
                (kubectl("describe", workload.ref),),
                "low: it only reads",
            ),
            breaks=breaks,
            broken=sum(promise.stands_for for promise in breaks),
            reason=said,
        )


def _refusal(network: Network, workload: Workload) -> Event | None:
    """The newest event FailedCreate of the workload or of a ReplicaSet that it made."""
    owned = {
        one.ref
        for one in network.cluster.workloads.values()
        if one.meta.owner == (workload.kind, workload.meta.name)
    }
    events = [
        one
        for one in network.cluster.events
        if one.reason == "FailedCreate" and one.object in {workload.ref, *owned}
    ]
    return max(events, key=lambda one: one.last, default=None)
