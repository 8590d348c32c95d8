"""coredns-oom-throttled."""

from __future__ import annotations

from collections.abc import Iterator

from podpath.checks.dns.names import services
from podpath.checks.host.clock import age_s
from podpath.checks.objects.kubectl import stated
from podpath.checks.registry import Promised, state_check
from podpath.model.finding import Confidence, Finding, Fix, Severity
from podpath.model.kube.pod import Pod, Terminated
from podpath.model.network import Network

A_DAY_S = 86_400.0
"""A kill of earlier days, of a Pod that is ready since, is told no more."""


@state_check("coredns-oom-throttled", severity=Severity.WARNING, needs=("api/services", "api/pods"))
def coredns_oom_throttled(network: Network, _promised: Promised) -> Iterator[Finding]:
    """A DNS Pod was killed because it needed more memory than its limit.

    ## Why it breaks

    CoreDNS holds a copy of all Services and EndpointSlices, and its cache. In a large cluster, or under load, that
    is more than the usual limit of 170 MiB: the kernel ends it, and until it is back names have fewer servers or none.
    A limit of CPU slows answers in the same hours, and shows in metrics only.

    ## See it by hand

        kubectl -n kube-system describe pods -l k8s-app=kube-dns | grep -B2 -A3 OOMKilled
        kubectl -n kube-system top pods -l k8s-app=kube-dns

    ## Fix

    A larger limit, and more replicas.

    ## Often confused with

    *dns-loop-detected*: CoreDNS ends by itself, with a line in its log.
    """
    for service in services(network):
        killed = [
            (pod, index, ending)
            for pod in network.cluster.pods_of(service)
            for index, ending in _killed(network, pod)
        ]
        for pod, index, ending in killed[:1]:
            path = ("status", "containerStatuses", str(index), "lastState", "terminated", "reason")
            restarts = pod.status.container_statuses[index].restart_count
            text = f"{pod.ref}: OOMKilled, exit {ending.exit_code}, {restarts} restarts"
            owner = pod.meta.owner
            name = owner[1].rpartition("-")[0] if owner and owner[0] == "ReplicaSet" else "coredns"
            yield Finding(
                code="coredns-oom-throttled",
                severity=Severity.WARNING,
                subject=pod.ref,
                message=f"{len(killed)} DNS Pods were killed for want of memory",
                evidence=(stated(network.cluster, pod, *path, text=text),),
                cause="it needed more than its limit",
                confidence=Confidence.CERTAIN,
                fix=Fix(
                    "a larger limit of memory, and more replicas",
                    (
                        f"kubectl -n {pod.meta.namespace} set resources deployment {name} --limits=memory=512Mi",
                        f"kubectl -n {pod.meta.namespace} scale deployment {name} --replicas=3",
                    ),
                    "low: its Pods are recreated one by one",
                ),
            )


def _killed(network: Network, pod: Pod) -> Iterator[tuple[int, Terminated]]:
    """Containers whose last end was for want of memory, and not long ago."""
    for index, status in enumerate(pod.status.container_statuses):
        ending = status.last_terminated
        if ending is not None and ending.reason == "OOMKilled":
            age = age_s(network, ending.finished_at)
            if not status.ready or age is None or age <= A_DAY_S:
                yield index, ending
