"""duplicate-pod-ip."""

from __future__ import annotations

from collections.abc import Iterator

from podpath.checks.host.clock import settled
from podpath.checks.objects.kubectl import kubectl, stated
from podpath.checks.registry import Promised, state_check
from podpath.model.addr import format_addr
from podpath.model.finding import Confidence, Finding, Fix, Severity
from podpath.model.kube.pod import Pod
from podpath.model.network import Network


@state_check("duplicate-pod-ip", severity=Severity.ERROR, needs=("api/pods",))
def duplicate_pod_ip(network: Network, _promised: Promised) -> Iterator[Finding]:
    """Two Pods that run have one address.

    ## Why it breaks

    Whoever asks the address gets one of the two, by the node's route or by who answered the last ARP request:
    connections are reset or answered by the wrong program, now and then.

    ## See it by hand

        kubectl get pods -A -o wide | awk '{print $7}' | sort | uniq -d

    ## Fix

    Delete the younger Pod: it gets another address. Then see why it was given twice (leases removed by hand, a
    restored node, two ranges that overlap).

    ## Often confused with

    *node-podcidr-duplicate*: all Pods of two nodes are concerned. Pods of the host's network share their node's
    address, and Pods that have finished keep theirs on paper: both are normal.
    """
    for addr, pods in network.cluster.pods_by_ip.items():
        owners = [pod for pod in pods if not pod.host_network and pod.running and not pod.terminating]
        if len(owners) > 1 and any(settled(network, pod.meta.created) for pod in owners[1:]):
            yield _found(network, addr, sorted(owners, key=lambda pod: (pod.meta.created, pod.key)))


def _found(network: Network, addr: int, owners: list[Pod]) -> Finding:
    text, younger = format_addr(addr), owners[-1]
    names = " and ".join(f"{pod.ref.short} on {pod.node}" for pod in owners)
    return Finding(
        code="duplicate-pod-ip",
        severity=Severity.ERROR,
        subject=younger.ref,
        message=f"Pods {names} have the same address {text}",
        evidence=tuple(
            stated(network.cluster, pod, "status", "podIP", text=f"{pod.ref}: podIP {text}") for pod in owners
        ),
        cause="one address, two owners",
        confidence=Confidence.CERTAIN,
        fix=Fix(
            f"delete the younger one, {younger.ref.short}",
            (kubectl("delete", younger.ref), f"{younger.node}: conntrack -D -d {text}"),
            "low if a workload makes it anew",
        ),
        broken=len(owners),
    )
