"""dns-service-missing and dns-tcp53-missing."""

from __future__ import annotations

from collections.abc import Iterator

from podpath.checks.dns.names import Handed, askers, handed_out, is_somebodys, services
from podpath.checks.objects.kubectl import apply_command, json_patch, not_listed, stated
from podpath.checks.registry import Promised, state_check
from podpath.intent.dns import DNS_PORT
from podpath.model.addr import format_addr
from podpath.model.finding import Confidence, Finding, Fix, Severity
from podpath.model.flow import TCP, UDP
from podpath.model.kube.service import Service
from podpath.model.network import Network
from podpath.model.refs import ObjectRef

LABELS = {"k8s-app": "kube-dns", "kubernetes.io/cluster-service": "true", "kubernetes.io/name": "CoreDNS"}
PORTS = [
    {"name": "dns", "port": 53, "protocol": "UDP", "targetPort": 53},
    {"name": "dns-tcp", "port": 53, "protocol": "TCP", "targetPort": 53},
    {"name": "metrics", "port": 9153, "protocol": "TCP", "targetPort": 9153},
]


@state_check("dns-service-missing", severity=Severity.ERROR, needs=("api/services",))
def dns_service_missing(network: Network, _promised: Promised) -> Iterator[Finding]:
    """Pods are told to ask an address for names that no Service has, or a Service without port 53/UDP.

    ## Why it breaks

    Every Pod's resolv.conf names the address in the kubelet's ``clusterDNS``. If the DNS Service was deleted, that
    address is nobody's: questions leave the node and are lost, and every name takes its timeout.

    ## See it by hand

        kubectl -n kube-system get service kube-dns
        kubectl get --raw /api/v1/nodes/<node>/proxy/configz | grep -o '"clusterDNS":[^]]*'

    ## Fix

    Make the Service again, with the address that the kubelets hand out.

    ## Often confused with

    *kubelet-clusterdns-mismatch*: the Service is there, with another address. *dns-endpoints-empty*: it is there, and
    nobody is behind it ("connection refused").
    """
    known = services(network)
    handed = handed_out(network)
    if not known and handed and not any(is_somebodys(network, one.addr) for one in handed):
        yield _missing(network, handed)
    for service in known:
        if service.cluster_ips and service.port(DNS_PORT, UDP) is None:
            yield _without_udp(network, service)


def _missing(network: Network, handed: tuple[Handed, ...]) -> Finding:
    addr = format_addr(handed[0].addr)
    made = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "kube-dns", "namespace": "kube-system", "labels": LABELS},
        "spec": {"clusterIP": addr, "selector": {"k8s-app": "kube-dns"}, "ports": PORTS},
    }
    return Finding(
        code="dns-service-missing",
        severity=Severity.ERROR,
        subject=ObjectRef("Service", "kube-system", "kube-dns"),
        message=f"There is no DNS Service: Pods ask {addr} for names, which is nobody's",
        evidence=(
            handed[0].origin,
            not_listed(network.cluster, "services", f"no Service has the address {addr}"),
        ),
        cause="Pods are told to ask this address",
        confidence=Confidence.CERTAIN,
        fix=Fix("make the Service again, with this address", (apply_command(made),), "low"),
        broken=max(1, askers(network)),
    )


def _without_udp(network: Network, service: Service) -> Finding:
    operation = {"op": "add", "path": "/spec/ports/-", "value": PORTS[0]}
    return Finding(
        code="dns-service-missing",
        severity=Severity.ERROR,
        subject=service.ref,
        message=f"The DNS Service {service.ref.short} has no port 53/UDP: questions are refused",
        evidence=(stated(network.cluster, service, "spec", "ports", text=f"spec.ports: {_listed(service)}"),),
        cause="no 53/UDP among its ports",
        confidence=Confidence.CERTAIN,
        fix=Fix("add the port", (json_patch(service.ref, operation),), "low"),
        broken=max(1, askers(network)),
    )


def _listed(service: Service) -> str:
    names = {TCP: "TCP", UDP: "UDP"}
    return (
        ", ".join(
            f"{port.port}/{names.get(int(port.protocol), port.protocol)}" for port in service.spec.ports
        )
        or "none"
    )


@state_check("dns-tcp53-missing", severity=Severity.WARNING, needs=("api/services",))
def dns_tcp53_missing(network: Network, _promised: Promised) -> Iterator[Finding]:
    """The DNS Service has no port 53/TCP.

    ## Why it breaks

    An answer that does not fit into a UDP packet comes truncated, and the client asks once more by TCP. Without the
    port large answers (many addresses, SRV, TXT) fail, and all others work. NodeLocal DNSCache asks by TCP only.

    ## See it by hand

        kubectl -n kube-system get service kube-dns -o jsonpath='{.spec.ports}'
        dig +tcp @<address> kubernetes.default.svc.cluster.local

    ## Fix

    Add the port to the Service, and ``protocol: TCP`` to policies that allow DNS.

    ## Often confused with

    A policy or firewall that lets only UDP through: then the trace by TCP ends at a rule.
    """
    for service in services(network):
        if (
            service.cluster_ips
            and service.port(DNS_PORT, UDP) is not None
            and service.port(DNS_PORT, TCP) is None
        ):
            operation = {"op": "add", "path": "/spec/ports/-", "value": PORTS[1]}
            yield Finding(
                code="dns-tcp53-missing",
                severity=Severity.WARNING,
                subject=service.ref,
                message=(
                    f"The DNS Service {service.ref.short} has no port 53/TCP: answers that are truncated "
                    "cannot be asked again"
                ),
                evidence=(
                    stated(network.cluster, service, "spec", "ports", text=f"spec.ports: {_listed(service)}"),
                ),
                cause="no 53/TCP among its ports",
                confidence=Confidence.CERTAIN,
                fix=Fix("add the port", (json_patch(service.ref, operation),), "low"),
            )
