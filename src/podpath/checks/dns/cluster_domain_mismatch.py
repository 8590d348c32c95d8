"""cluster-domain-mismatch."""

from __future__ import annotations

from collections.abc import Iterator

from podpath.checks.dns.names import Corefile, askers, corefiles
from podpath.checks.objects.kubectl import stated
from podpath.checks.registry import Promised, state_check
from podpath.model.finding import Confidence, Finding, Fix, Severity
from podpath.model.kube.cluster import grouped
from podpath.model.linux.agents import KubeletConfig
from podpath.model.network import Network
from podpath.model.refs import ObjectRef


@state_check(
    "cluster-domain-mismatch", severity=Severity.ERROR, needs=("api/configmaps", "node/kubelet-config.json")
)
def cluster_domain_mismatch(network: Network, _promised: Promised) -> Iterator[Finding]:
    """Kubelets put a domain into search lists that CoreDNS does not serve.

    ## Why it breaks

    A Pod's short name (``web``, ``web.shop``) is completed with the kubelet's ``clusterDomain``. CoreDNS answers for
    the zones of its plugin ``kubernetes`` only, and forwards or denies others: every short name is unknown, and full
    names with the other suffix work.

    ## See it by hand

        kubectl get --raw /api/v1/nodes/<node>/proxy/configz | grep -o '"clusterDomain":[^,]*'
        kubectl -n kube-system get configmap coredns -o jsonpath='{.data.Corefile}' | grep kubernetes

    ## Fix

    Serve the kubelets' domain in the Corefile (it may name several), or set ``clusterDomain`` to the one that is
    served and recreate the Pods.

    ## Often confused with

    *dns-ndots-amplification*: names are found, after several questions.
    """
    served = [one for one in corefiles(network) if one.zones]
    zones = {zone for one in served for zone in one.zones}
    if not served or any("{$" in zone for zone in zones):
        return
    domains = grouped(
        (node.kubelet.cluster_domain.rstrip(".").lower(), (node.name, node.kubelet))
        for node in network.nodes.values()
        if node.kubelet is not None and node.kubelet.cluster_domain
    )
    for domain, nodes in domains.items():
        if not any(zone in ("", domain) or domain.endswith(f".{zone}") for zone in zones):
            yield _found(network, domain, nodes, served[0])


def _found(
    network: Network, domain: str, nodes: tuple[tuple[str, KubeletConfig], ...], corefile: Corefile
) -> Finding:
    names = [name for name, _ in nodes]
    where = "All nodes put" if len(names) == len(network.nodes) else f"{', '.join(names[:3])} put"
    zones = ", ".join(corefile.zones)
    line = corefile.lines[corefile.zones[0]]
    better = line.replace(corefile.zones[0], f"{domain} {corefile.zones[0]}", 1)
    return Finding(
        code="cluster-domain-mismatch",
        severity=Severity.ERROR,
        subject=corefile.configmap.ref
        if len(names) == len(network.nodes)
        else ObjectRef("Node", "", names[0]),
        message=f"{where} {domain} into Pods' search lists, and CoreDNS serves {zones}: no short name is found",
        evidence=(
            nodes[0][1].origin("clusterDomain"),
            stated(network.cluster, corefile.configmap, "data", "Corefile", text=line),
        ),
        cause="names are completed with a domain that nobody serves",
        confidence=Confidence.CERTAIN,
        fix=Fix(
            f"let CoreDNS serve {domain} too, or set clusterDomain to {corefile.zones[0]} and recreate the Pods",
            (
                (
                    f"kubectl -n {corefile.configmap.meta.namespace} edit configmap "
                    f"{corefile.configmap.meta.name}      # {better}"
                ),
                f"kubectl -n {corefile.configmap.meta.namespace} rollout restart deployment coredns",
            ),
            "medium: names of the cluster are served anew",
        ),
        broken=max(1, askers(network, frozenset(names))),
    )
