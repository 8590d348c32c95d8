"""svc-selector-mismatch."""

from __future__ import annotations

from collections.abc import Iterator

from podpath.checks.host.clock import settled
from podpath.checks.objects.backing import live, selecting, selector_text, shut, templates, unkept
from podpath.checks.objects.kubectl import kubectl, patch_fix, stated
from podpath.checks.objects.near_labels import Near, elsewhere, nearest
from podpath.checks.registry import Promised, state_check
from podpath.model.finding import Confidence, Finding, Fix, Severity
from podpath.model.kube.service import Service
from podpath.model.kube.workload import Workload
from podpath.model.network import Network
from podpath.model.origin import Origin


@state_check("svc-selector-mismatch", severity=Severity.ERROR, needs=("api/services", "api/pods"))
def svc_selector_mismatch(network: Network, _promised: Promised) -> Iterator[Finding]:
    """A Service's selector matches no Pod.

    A selector is compared with the labels of Pods, all of its pairs at once, and only in the Service's own namespace.

    ## Why it breaks

    Without a match the EndpointSlices stay empty, and kube-proxy refuses every connection to the Service (iptables:
    a REJECT "has no endpoints"; nftables: the map ``no-endpoint-services``): clients see "connection refused" at once.

    ## See it by hand

        kubectl -n <namespace> get endpointslices -l kubernetes.io/service-name=<service>
        kubectl -n <namespace> get service <service> -o jsonpath='{.spec.selector}'
        kubectl -n <namespace> get pods --show-labels

    ## Fix

    Give the Service the labels that the Pods carry, or the Pods those that the Service wants. If a workload has the
    labels and no replicas, scale it up: then this is a warning only.

    ## Often confused with

    *svc-no-ready-endpoints*: Pods match, and none is ready. *svc-targetport-mismatch*: the endpoints are there, and
    nothing listens on the port ("connection refused" as well, but sent by the Pod).
    """
    for service in selecting(network):
        closed = shut(network, service)
        if not closed or live(network.cluster.pods_of(service)) or not settled(network, service.meta.created):
            continue
        made = templates(network.cluster, service)
        if made:
            if not any(workload.replicas for workload in made):
                yield _idle(network, service, made[0])
            continue  # its Pods are yet to come, or cannot be made: svc-no-ready-endpoints
        near = nearest(network.cluster, service)
        breaks = unkept(network, closed)
        yield Finding(
            code="svc-selector-mismatch",
            severity=Severity.WARNING if service.spec.headless else Severity.ERROR,
            subject=service.ref,
            message=_message(network, service, near),
            evidence=_evidence(network, service, near),
            cause="no Pod carries these labels",
            confidence=Confidence.CERTAIN,
            fix=_fix(service, near),
            breaks=breaks,
            broken=sum(promise.stands_for for promise in breaks),
        )


def _message(network: Network, service: Service, near: Near | None) -> str:
    text = (
        f"Service {service.ref.short} selects {selector_text(service)}, which no Pod of its namespace carries"
    )
    if near is not None:
        return f"{text}; the nearest labels are {near.text}, of {near.owner.ref}"
    other = elsewhere(network.cluster, service)
    return f"{text}; {other} does, but a Service selects in its own namespace only" if other else text


def _evidence(network: Network, service: Service, near: Near | None) -> tuple[Origin, ...]:
    wrong = [key for key in (near.changed if near else ()) if key in service.spec.selector]
    key = wrong[0] if wrong else next(iter(service.spec.selector))
    text = f"spec.selector: {selector_text(service)}"
    own = stated(network.cluster, service, "spec", "selector", key, text=text)
    if near is None:
        return (own,)
    path = ("metadata",) if near.pods else ("spec", "template", "metadata")
    label = next((key for key, value in near.changed.items() if value is not None), "")
    return own, stated(
        network.cluster, near.owner, *path, "labels", label, text=f"{near.owner.ref} labels: {near.text}"
    )


def _fix(service: Service, near: Near | None) -> Fix:
    if near is None:
        words = "give the Service a selector that its Pods match, or delete it if they are gone for good"
        return Fix(
            words,
            (kubectl("get", service.ref, "-o jsonpath='{.spec.selector}'"),),
            "low: nothing is reached now",
        )
    return patch_fix(
        f"let the Service select {near.text}",
        service.ref,
        {"spec": {"selector": dict(near.changed)}},
        "low: nothing is reached now; see that these are the Pods that are meant",
    )


def _idle(network: Network, service: Service, workload: Workload) -> Finding:
    """A workload has the labels and is scaled to zero: probably on purpose."""
    path = () if workload.kind == "DaemonSet" else ("spec", "replicas")
    scale = kubectl("scale", workload.ref, "--replicas=1")
    return Finding(
        code="svc-selector-mismatch",
        severity=Severity.WARNING,
        subject=service.ref,
        message=f"Service {service.ref.short} has no Pods: {workload.ref} is to have none of them",
        evidence=(
            stated(network.cluster, workload, *path, text=f"{workload.ref}: 0 replicas"),
            stated(
                network.cluster, service, "spec", "selector", text=f"spec.selector: {selector_text(service)}"
            ),
        ),
        cause="no replicas are asked for",
        confidence=Confidence.CERTAIN,
        fix=Fix("scale the workload up, if it is to serve", (scale,), "low"),
    )
