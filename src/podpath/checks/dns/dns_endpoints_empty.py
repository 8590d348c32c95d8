"""dns-endpoints-empty."""

from __future__ import annotations

from collections.abc import Iterator

from podpath.checks.dns.names import serves_names, services
from podpath.checks.host.clock import settled
from podpath.checks.objects.backing import Door, live, selector_text, shut, templates, unkept
from podpath.checks.objects.kubectl import not_listed, patch_fix, stated
from podpath.checks.objects.near_labels import MADE_BY_CONTROLLERS, nearest
from podpath.checks.registry import Promised, state_check
from podpath.model.finding import Confidence, Finding, Fix, Severity
from podpath.model.kube.pod import Pod
from podpath.model.kube.service import Service
from podpath.model.network import Network


@state_check("dns-endpoints-empty", severity=Severity.ERROR, needs=("api/services", "api/pods"))
def dns_endpoints_empty(network: Network, _promised: Promised) -> Iterator[Finding]:
    """DNS Pods run and are ready, and the DNS Service does not lead to them.

    ## Why it breaks

    The Service's selector has other labels than the Pods (often after a change of the DNS add-on), or its slices are
    not kept up to date. Every question is refused, although each DNS Pod answers when it is asked directly.

    ## See it by hand

        kubectl -n kube-system get endpointslices -l kubernetes.io/service-name=kube-dns
        kubectl -n kube-system get service kube-dns -o jsonpath='{.spec.selector}'
        kubectl -n kube-system get pods --show-labels

    ## Fix

    Let the Service select the labels that the DNS Pods carry.

    ## Often confused with

    *dns-pods-not-running*: there are no Pods, or none is ready.
    """
    for service in services(network):
        closed = shut(network, service)
        if not closed:
            continue
        chosen = [pod for pod in live(network.cluster.pods_of(service)) if pod.ready]
        if chosen:
            if any(settled(network, pod.meta.created) for pod in chosen):
                yield _not_listed(network, service, closed, chosen)
        elif not network.cluster.pods_of(service) and not templates(network.cluster, service):
            same = network.cluster.pods_by_namespace.get(service.meta.namespace, ())
            others = [pod for pod in same if pod.ready and serves_names(pod)]
            if others:
                yield _not_selected(network, service, closed, others)


def _not_selected(network: Network, service: Service, closed: tuple[Door, ...], pods: list[Pod]) -> Finding:
    pod = pods[0]
    near = nearest(network.cluster, service)
    changed = dict(near.changed) if near and near.owner in pods else _own_labels(service, pod)
    shown = ", ".join(f"{key}={value}" for key, value in changed.items() if value is not None)
    breaks = unkept(network, closed)
    key = next(iter(service.spec.selector), "")
    return Finding(
        code="dns-endpoints-empty",
        severity=Severity.ERROR,
        subject=service.ref,
        message=(
            f"No name is resolved: DNS Service {service.ref.short} selects {selector_text(service)}, and "
            f"the DNS Pods carry {shown}"
        ),
        evidence=(
            stated(
                network.cluster,
                service,
                "spec",
                "selector",
                key,
                text=f"spec.selector: {selector_text(service)}",
            ),
            stated(network.cluster, pod, "metadata", "labels", text=f"{pod.ref} labels: {shown}"),
        ),
        cause="no Pod carries these labels",
        confidence=Confidence.CERTAIN,
        fix=patch_fix(f"let the Service select {shown}", service.ref, {"spec": {"selector": changed}}, "low"),
        breaks=breaks,
        broken=sum(promise.stands_for for promise in breaks),
    )


def _own_labels(service: Service, pod: Pod) -> dict[str, str | None]:
    labels: dict[str, str | None] = dict.fromkeys(service.spec.selector)
    labels.update({key: value for key, value in pod.meta.labels.items() if key not in MADE_BY_CONTROLLERS})
    return labels


def _not_listed(network: Network, service: Service, closed: tuple[Door, ...], pods: list[Pod]) -> Finding:
    breaks = unkept(network, closed)
    slices = network.cluster.slices_of(service)
    first = (
        stated(network.cluster, slices[0], "endpoints", text="endpoints: none ready")
        if slices
        else not_listed(network.cluster, "endpointslices", f"no EndpointSlice of {service.ref}")
    )
    return Finding(
        code="dns-endpoints-empty",
        severity=Severity.ERROR,
        subject=service.ref,
        message=(
            f"No name is resolved: {len(pods)} DNS Pods are ready, and no endpoint of Service "
            f"{service.ref.short} is"
        ),
        evidence=(first, stated(network.cluster, pods[0], "status", "podIP")),
        cause="the slice and the Pods do not agree",
        confidence=Confidence.CERTAIN,
        fix=Fix(
            "see that the Service's ports exist on the Pods and that kube-controller-manager keeps the slices",
            ("kubectl -n kube-system logs -l component=kube-controller-manager --tail=100",),
            "low: it only reads",
        ),
        breaks=breaks,
        broken=sum(promise.stands_for for promise in breaks),
    )
