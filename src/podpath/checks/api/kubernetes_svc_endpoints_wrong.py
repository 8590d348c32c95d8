"""kubernetes-svc-endpoints-wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from podpath.checks.objects.backing import leading_to
from podpath.checks.objects.kubectl import not_listed, stated
from podpath.checks.registry import Promised, state_check
from podpath.model.addr import LOOPBACK_V4, LOOPBACK_V6, format_addr
from podpath.model.finding import Confidence, Finding, Fix, Severity
from podpath.model.kube.cluster import Key
from podpath.model.kube.endpointslice import EndpointSlice
from podpath.model.kube.service import Service
from podpath.model.network import Network
from podpath.model.promise import Promise
from podpath.model.refs import ObjectRef

API_SERVICE: Key = ("default", "kubernetes")
CONTROL_PLANE = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")
FIX = Fix(
    "let each API server announce its own address",
    (
        (
            "on the control plane, in kube-apiserver.yaml: --advertise-address=<its address> "
            "--endpoint-reconciler-type=lease"
        ),
        "kubectl -n default get endpoints,endpointslices kubernetes -o yaml      # a moment later",
    ),
    "medium: the API server restarts",
)


@state_check(
    "kubernetes-svc-endpoints-wrong", severity=Severity.ERROR, needs=("api/services", "api/endpointslices")
)
def kubernetes_svc_endpoints_wrong(network: Network, promised: Promised) -> Iterator[Finding]:
    """The Service default/kubernetes does not lead to the API server.

    ## Why it breaks

    Pods find the API server by this Service. Each API server writes its own address into the Service's slice: the
    one of ``--advertise-address``. A loopback address, that of a machine that is gone, or none at all leaves every
    Pod without the API, although kubectl (which uses another address) works.

    ## See it by hand

        kubectl -n default get service,endpointslices kubernetes
        kubectl get nodes -l node-role.kubernetes.io/control-plane -o wide

    ## Fix

    Set ``--advertise-address`` of the API server, with the reconciler ``lease``, and let it restart.

    ## Often confused with

    *apiserver-down*: the address is right, and nobody listens. *kube-proxy-rules-missing*: the slice is right, and a
    node does not translate.
    """
    service = network.cluster.services.get(API_SERVICE)
    if service is None:
        if network.cluster.services:
            yield _gone(network)
        return
    slices = network.cluster.slices_of(service)
    listed = [(one, addr) for one in slices for endpoint in one.endpoints for addr in endpoint.addresses[:1]]
    if not listed:
        text = "endpoints: none" if slices else "no EndpointSlice"
        yield _finding(
            network, "leads to no API server at all", slices[0] if slices else None, text, everybody=True
        )
    for one, addr in listed:
        why, certain = _wrong(network, addr)
        if why:
            wrong, text = f"leads to {format_addr(addr)}, {why}", f"addresses: {format_addr(addr)}"
            finding = _finding(network, wrong, one, text, everybody=len(listed) == 1, certain=certain)
            breaks = _broken_by(promised.promises, service, addr) if certain else ()
            broken = sum(promise.stands_for for promise in breaks) or finding.broken
            yield msgspec.structs.replace(finding, breaks=breaks, broken=broken)


def _broken_by(promises: Sequence[Promise], service: Service, addr: int) -> tuple[Promise, ...]:
    """Promises of those who are sent to an address, and of the API server that would ask kubelets from it."""
    asking = tuple(one for one in promises if one.kind == "kubelet" and one.client.name == format_addr(addr))
    return (*leading_to(promises, service, {addr}), *asking)


def _gone(network: Network) -> Finding:
    return Finding(
        code="kubernetes-svc-endpoints-wrong",
        severity=Severity.ERROR,
        subject=ObjectRef("Service", *API_SERVICE),
        message="There is no Service default/kubernetes: Pods do not find the API server",
        evidence=(not_listed(network.cluster, "services", "no Service default/kubernetes"),),
        cause="the API server makes it at its start",
        confidence=Confidence.CERTAIN,
        fix=Fix("restart an API server: it makes the Service again", risk="low where there are several"),
        broken=_clients(network),
    )


def _clients(network: Network) -> int:
    return max(1, sum(pod.running for pod in network.cluster.pods.values()))


def _wrong(network: Network, addr: int) -> tuple[str, bool]:
    """Why an address is no API server's, and whether that is certain."""
    cluster = network.cluster
    if addr in LOOPBACK_V4 or addr == LOOPBACK_V6:
        return "a loopback address: each Pod would ask itself", True
    if addr in cluster.services_by_cluster_ip:
        return f"the ClusterIP of Service {cluster.services_by_cluster_ip[addr].ref.short}", True
    if cluster.pod_at(addr) is not None:
        return "", True  # an API server that is a Pod itself (a hosted control plane)
    node = cluster.node_by_address.get(addr)
    control = [
        one for one in cluster.nodes.values() if any(label in one.meta.labels for label in CONTROL_PLANE)
    ]
    servers = {ip for pod in cluster.pods.values() if _is_api_server(pod.meta.labels) for ip in pod.ips}
    if node is not None and control and node not in control and addr not in servers:
        return f"the address of node {node.name}, which is no control plane", False
    return "", True


def _is_api_server(labels: dict[str, str]) -> bool:
    return labels.get("component") == "kube-apiserver"


def _finding(
    network: Network,
    wrong: str,
    one: EndpointSlice | None,
    text: str,
    *,
    everybody: bool,
    certain: bool = True,
) -> Finding:
    service = network.cluster.services[API_SERVICE]
    origin = (
        stated(network.cluster, one, "endpoints", text=text)
        if one is not None
        else not_listed(network.cluster, "endpointslices", f"{text} of Service default/kubernetes")
    )
    return Finding(
        code="kubernetes-svc-endpoints-wrong",
        severity=Severity.ERROR if certain else Severity.WARNING,
        subject=service.ref,
        message=f"Service default/kubernetes {wrong}",
        evidence=(origin,),
        cause="Pods are sent here for the API server",
        confidence=Confidence.CERTAIN if certain else Confidence.LIKELY,
        fix=FIX,
        broken=(_clients(network) if everybody else 1) if certain else 0,
    )
