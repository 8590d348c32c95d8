"""dns-pods-not-running."""

from __future__ import annotations

from collections.abc import Iterator

from podpath.checks.dns.names import serves_names, services
from podpath.checks.host.clock import settled
from podpath.checks.host.log_reasons import reason_of
from podpath.checks.objects.backing import Door, live, selector_text, shut, templates, unkept
from podpath.checks.objects.kubectl import kubectl, not_listed, patch_fix, stated
from podpath.checks.objects.pod_state import troubles
from podpath.checks.registry import Promised, state_check
from podpath.model.finding import Confidence, Finding, Fix, Severity
from podpath.model.kube.pod import Pod
from podpath.model.kube.service import Service
from podpath.model.kube.workload import Workload
from podpath.model.network import Network


@state_check("dns-pods-not-running", severity=Severity.ERROR, needs=("api/services", "api/pods"))
def dns_pods_not_running(network: Network, _promised: Promised) -> Iterator[Finding]:
    """No DNS Pod is ready: they are missing, scaled to zero, crash, or wait.

    ## Why it breaks

    The DNS Service has no endpoint, so every question of every Pod is refused. What people see are programs that do
    not find their database.

    ## See it by hand

        kubectl -n kube-system get deployments,pods -l k8s-app=kube-dns
        kubectl -n kube-system logs -l k8s-app=kube-dns --previous
        kubectl -n kube-system get endpointslices -l k8s-app=kube-dns

    ## Fix

    Scale the Deployment up, or cure what its log says (see the *coredns-...* and *dns-loop-detected* pages).

    ## Often confused with

    *dns-endpoints-empty*: the Pods run and are ready, and the Service does not select them. *dns-crossnode-blocked*:
    they answer on their own nodes.
    """
    for service in services(network):
        if not service.spec.selector:
            continue
        closed = shut(network, service)
        pods = live(network.cluster.pods_of(service))
        down = [
            pod
            for pod in pods
            if not pod.ready and not pod.terminating and settled(network, pod.meta.created)
        ]
        if closed and down and not any(pod.ready for pod in pods):
            yield _down(network, service, closed, down)
        elif down and not closed:
            yield _some(network, service, pods, down)
        elif closed and not pods:
            yield from _absent(network, service, closed)


def _down(network: Network, service: Service, closed: tuple[Door, ...], down: list[Pod]) -> Finding:
    pod = down[0]
    found, logged = troubles(network, pod), reason_of(network, pod)
    breaks = unkept(network, closed)
    describe = (
        kubectl("describe", pod.ref),
        f"kubectl -n {pod.meta.namespace} logs {pod.meta.name} --previous",
    )
    return Finding(
        code="dns-pods-not-running",
        severity=Severity.ERROR,
        subject=service.ref,
        message=(
            f"No name is resolved: none of the {len(down)} Pods behind the DNS Service {service.ref.short} "
            "is ready"
        ),
        evidence=(*(one.origin for one in found[:1]), *(logged.evidence if logged else ())),
        cause=found[0].text,
        confidence=Confidence.CERTAIN,
        fix=logged.fix
        if logged
        else Fix(f"cure the DNS Pods: {found[0].text}", describe, "low: these commands only read"),
        breaks=breaks,
        broken=sum(promise.stands_for for promise in breaks),
        reason=logged.text if logged else "; ".join(one.text for one in found[1:2]),
    )


def _some(network: Network, service: Service, pods: tuple[Pod, ...], down: list[Pod]) -> Finding:
    """Others are ready: names are resolved, with fewer servers."""
    pod = down[0]
    found, logged = troubles(network, pod), reason_of(network, pod)
    return Finding(
        code="dns-pods-not-running",
        severity=Severity.WARNING,
        subject=pod.ref,
        message=f"{len(down)} of {len(pods)} Pods behind the DNS Service {service.ref.short} are not ready",
        evidence=(*(one.origin for one in found[:1]), *(logged.evidence if logged else ())),
        cause=found[0].text,
        confidence=Confidence.CERTAIN,
        fix=logged.fix
        if logged
        else Fix("cure the Pod", (kubectl("describe", pod.ref),), "low: it only reads"),
        reason=logged.text if logged else "",
    )


def _absent(network: Network, service: Service, closed: tuple[Door, ...]) -> Iterator[Finding]:
    """No Pod carries the labels: a workload without replicas, or no workload at all."""
    cluster = network.cluster
    made = templates(cluster, service)
    strangers = [
        pod
        for pod in cluster.pods_by_namespace.get(service.meta.namespace, ())
        if serves_names(pod) and pod.ready
    ]
    if not made and strangers:
        return  # they run, under other labels: dns-endpoints-empty
    breaks = unkept(network, closed)
    idle = made[0] if made else None
    selector = stated(cluster, service, "spec", "selector", text=f"spec.selector: {selector_text(service)}")
    if idle is not None:
        evidence = (
            stated(cluster, idle, "spec", "replicas", text=f"{idle.ref}: spec.replicas: {idle.replicas}"),
            selector,
        )
    else:
        evidence = (
            selector,
            not_listed(cluster, "pods", f"no Pod and no workload with {selector_text(service)}"),
        )
    yield Finding(
        code="dns-pods-not-running",
        severity=Severity.ERROR,
        subject=service.ref,
        message=f"No name is resolved: there are no DNS Pods behind Service {service.ref.short}" + _why(idle),
        evidence=evidence,
        cause="no Pods are asked for" if idle and not idle.replicas else "nobody answers for names",
        confidence=Confidence.CERTAIN,
        fix=_fix(idle),
        breaks=breaks,
        broken=sum(promise.stands_for for promise in breaks),
    )


def _why(idle: Workload | None) -> str:
    if idle is None:
        return ", and no workload that would make them"
    return f": {idle.ref} is scaled to zero" if not idle.replicas else f": those of {idle.ref} are not made"


def _fix(idle: Workload | None) -> Fix:
    if idle is None:
        return Fix(
            "install CoreDNS",
            ("kubeadm init phase addon coredns      # or the manifest of the distribution",),
            "low",
        )
    if idle.replicas:
        return Fix("see why its Pods are not made", (kubectl("describe", idle.ref),), "low: it only reads")
    if idle.kind == "DaemonSet":
        return Fix(
            "let the DaemonSet run on some node", (kubectl("describe", idle.ref),), "low: it only reads"
        )
    return patch_fix("scale the DNS workload up", idle.ref, {"spec": {"replicas": 2}}, "low")
