"""kubelet-clusterdns-mismatch."""

from __future__ import annotations

from collections.abc import Iterator

from podpath.checks.dns.names import Handed, askers, handed_out, is_somebodys
from podpath.checks.objects.kubectl import stated
from podpath.checks.registry import Promised, state_check
from podpath.intent.dns import dns_services
from podpath.model.addr import format_addr
from podpath.model.finding import Confidence, Finding, Fix, Severity
from podpath.model.kube.cluster import grouped
from podpath.model.kube.service import Service
from podpath.model.network import Network
from podpath.model.refs import ObjectRef


@state_check(
    "kubelet-clusterdns-mismatch", severity=Severity.ERROR, needs=("api/services", "node/kubelet-config.json")
)
def kubelet_clusterdns_mismatch(network: Network, _promised: Promised) -> Iterator[Finding]:
    """A kubelet hands out a DNS address that is not the DNS Service's.

    ## Why it breaks

    The kubelet writes ``clusterDNS`` into each new Pod's resolv.conf. If the Service was made anew with another
    address, or the node was set up with the default of another tool, its new Pods ask an address that nobody has.

    ## See it by hand

        kubectl -n kube-system get service kube-dns -o jsonpath='{.spec.clusterIP}'
        kubectl get --raw /api/v1/nodes/<node>/proxy/configz | grep -o '"clusterDNS":[^]]*'
        kubectl exec <pod> -- cat /etc/resolv.conf

    ## Fix

    Set ``clusterDNS`` to the Service's address, restart the kubelet, and recreate the node's Pods. If all nodes agree
    on one address, it is less work to make the Service anew with that one.

    ## Often confused with

    *dns-service-missing*: there is no DNS Service at all. 169.254.20.10 is the usual address of NodeLocal DNSCache,
    which is on the node itself.
    """
    handed = handed_out(network)
    known = network.cluster.services_by_cluster_ip
    wrong = [one for one in handed if one.addr not in known and not is_somebodys(network, one.addr)]
    real = dns_services(network.cluster, tuple(one.addr for one in handed if one.addr in known))
    if real:
        for addr, nodes in grouped((one.addr, one) for one in wrong).items():
            yield _found(network, addr, nodes, real[0])


def _found(network: Network, addr: int, handed: tuple[Handed, ...], service: Service) -> Finding:
    nodes = sorted({one.node for one in handed})
    right = ", ".join(format_addr(one) for one in service.cluster_ips or ())
    where = nodes[0] if len(nodes) == 1 else f"{len(nodes)} nodes"
    every = len(nodes) == len(network.nodes)
    steps = tuple(
        f'{node}: in /var/lib/kubelet/config.yaml: clusterDNS: ["{right}"]; systemctl restart kubelet'
        for node in nodes[:5]
    )
    return Finding(
        code="kubelet-clusterdns-mismatch",
        severity=Severity.ERROR,
        subject=service.ref if every else ObjectRef("Node", "", nodes[0]),
        message=(
            f"The kubelet of {where} tells Pods to ask {format_addr(addr)} for names, but the DNS Service "
            f"{service.ref.short} has {right}"
        ),
        evidence=(
            handed[0].origin,
            stated(network.cluster, service, "spec", "clusterIP", text=f"{service.ref}: clusterIP {right}"),
        ),
        cause="this address is nobody's",
        confidence=Confidence.CERTAIN,
        fix=Fix(
            f"set clusterDNS to {right}, restart the kubelet, recreate the Pods",
            (
                *steps,
                f"kubectl delete pods -A --field-selector spec.nodeName={nodes[0]}      # they keep their old file",
            ),
            "low for the kubelet; Pods are recreated",
        ),
        broken=max(1, askers(network, frozenset(nodes))),
    )
