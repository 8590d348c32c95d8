"""kube-dns-and-coredns-both."""

from __future__ import annotations

from collections.abc import Iterator

from podpath.checks.dns.names import services
from podpath.checks.objects.kubectl import kubectl, stated
from podpath.checks.registry import Promised, state_check
from podpath.model.finding import Confidence, Finding, Fix, Severity
from podpath.model.kube.cluster import Cluster, grouped
from podpath.model.kube.pod import Pod
from podpath.model.network import Network
from podpath.model.refs import ObjectRef


@state_check(
    "kube-dns-and-coredns-both",
    severity=Severity.WARNING,
    needs=("api/services", "api/pods", "api/replicasets"),
)
def kube_dns_and_coredns_both(network: Network, _promised: Promised) -> Iterator[Finding]:
    """Pods of two workloads answer behind the DNS Service.

    ## Why it breaks

    Two DNS add-ons with the same labels share the questions. They differ in zones, stub domains and caches, so the
    same name has an answer now and none the next time.

    ## See it by hand

        kubectl -n kube-system get pods -l k8s-app=kube-dns -o yaml | grep -A5 ownerReferences

    ## Fix

    Delete the one that is not meant any more.

    ## Often confused with

    A rollout: Pods of two ReplicaSets of one Deployment are normal.
    """
    for service in services(network):
        pods = [pod for pod in network.cluster.pods_of(service) if pod.running and not pod.terminating]
        makers = grouped((_maker(network.cluster, pod), pod) for pod in pods)
        named = [maker for maker in makers if maker is not None]
        if len(named) > 1:
            yield Finding(
                code="kube-dns-and-coredns-both",
                severity=Severity.WARNING,
                subject=service.ref,
                message=(
                    f"Pods of {' and of '.join(str(one) for one in named)} answer behind the DNS Service "
                    f"{service.ref.short}"
                ),
                evidence=tuple(
                    stated(
                        network.cluster,
                        makers[one][0],
                        "metadata",
                        "ownerReferences",
                        text=f"{makers[one][0].ref} of {one}",
                    )
                    for one in named
                ),
                cause="both carry the labels that the Service selects",
                confidence=Confidence.CERTAIN,
                fix=Fix(
                    "delete the one that is not meant",
                    (kubectl("delete", named[-1]),),
                    "medium: see first which one is",
                ),
            )


def _maker(cluster: Cluster, pod: Pod) -> ObjectRef | None:
    """The workload behind a Pod, past its ReplicaSet."""
    owner = pod.meta.owner
    if owner is None:
        return None
    ref = ObjectRef(owner[0], pod.meta.namespace, owner[1])
    made = cluster.workloads.get(ref)
    if made is not None and made.meta.owner is not None:
        return ObjectRef(made.meta.owner[0], pod.meta.namespace, made.meta.owner[1])
    return ref
