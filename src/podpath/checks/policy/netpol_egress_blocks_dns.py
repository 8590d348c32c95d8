"""netpol-egress-blocks-dns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from podpath.checks.dns.names import services
from podpath.checks.objects.kubectl import apply_command, as_json, selector_body, stated
from podpath.checks.registry import Promised, state_check
from podpath.intent.dns import DNS_PORT, effective_policy, resolver
from podpath.intent.permission import FOREIGN_POLICIES
from podpath.intent.policy import EGRESS, allowed, policies_of
from podpath.intent.services import listed_endpoints
from podpath.model.addr import format_addr, is_v4
from podpath.model.edit import PatchObject
from podpath.model.finding import Confidence, Finding, Fix, Severity
from podpath.model.flow import TCP, UDP
from podpath.model.kube.cluster import Key
from podpath.model.kube.networkpolicy import NetworkPolicy
from podpath.model.kube.pod import Pod
from podpath.model.kube.service import Service
from podpath.model.network import Network
from podpath.model.refs import ObjectRef


class Server(NamedTuple):
    """Where a question ends, after the translation."""

    addr: int
    port: int
    protocol: int


@state_check(
    "netpol-egress-blocks-dns",
    severity=Severity.WARNING,
    needs=("api/networkpolicies", "api/pods", "api/services"),
)
def netpol_egress_blocks_dns(network: Network, _promised: Promised) -> Iterator[Finding]:
    """Egress policies let Pods open connections to others, and not ask for their names.

    ## Why it breaks

    As soon as one Egress policy selects a Pod, all that no rule allows is denied: also questions to the DNS Pods, by
    UDP and TCP, at the DNS Pods' own port (policies see the translated packet). Every connection by name then waits
    for its resolver in vain.

    ## See it by hand

        kubectl -n <namespace> describe networkpolicies
        kubectl -n <namespace> exec <pod> -- nslookup kubernetes.default

    ## Fix

    Allow the DNS Pods for all Pods of the namespace, once: ports 53 UDP and TCP. With NodeLocal DNSCache allow
    169.254.20.10/32 too.

    ## Often confused with

    *dns-pods-not-running*: nobody has an answer. A Pod that may open no connection at all needs no names: it is not
    told here.
    """
    cluster = network.cluster
    if not cluster.policies or any(cluster.others.get(listed) for listed in FOREIGN_POLICIES):
        return  # policies of another language may allow what these do not
    known: dict[tuple[object, ...], Server | None] = {}
    deciding: dict[Key, tuple[list[Pod], Server]] = {}
    for pod in _limited(network):
        policies = policies_of(cluster, pod, EGRESS)
        servers = _asked(network, pod)
        alike = (*(policy.key for policy in policies), servers)
        if alike not in known:
            known[alike] = _denied(network, pod, servers)
        denied = known[alike]
        for policy in policies if denied is not None else ():
            deciding.setdefault(policy.key, ([], denied or servers[0]))[0].append(pod)
    told: set[Key] = set()
    for key, (pods, denied) in sorted(deciding.items(), key=lambda one: (-len(one[1][0]), one[0])):
        fresh = [pod for pod in pods if pod.key not in told]
        told |= {pod.key for pod in fresh}
        if fresh:
            policy = next(one for one in policies_of(cluster, fresh[0], EGRESS) if one.key == key)
            yield _found(network, policy, fresh, denied)


def _limited(network: Network) -> Iterator[Pod]:
    """Pods that ask the cluster's DNS, and whose egress is limited and not closed."""
    for pod in network.cluster.pods.values():
        if not pod.running or pod.host_network or effective_policy(pod) != "ClusterFirst":
            continue
        if any(policy.spec.egress for policy in policies_of(network.cluster, pod, EGRESS)):
            yield pod


def _asked(network: Network, pod: Pod) -> tuple[Server, ...]:
    """The DNS servers behind the first address that a Pod asks."""
    known = resolver(network, pod)
    for addr in known.nameservers[:1] if known is not None else ():
        service = network.cluster.services_by_cluster_ip.get(addr)
        if service is not None:
            return tuple(_servers(network, service, v4=is_v4(addr)))
    return ()


def _denied(network: Network, pod: Pod, servers: tuple[Server, ...]) -> Server | None:
    """The first DNS server that the Pod's own policies keep it from."""
    for server in servers:
        target = network.cluster.pod_at(server.addr) or server.addr
        verdict = allowed(network.cluster, pod, target, server.protocol, server.port, v4=is_v4(server.addr))
        if not verdict.allowed and verdict.direction == EGRESS:
            return server
    return None


def _servers(network: Network, service: Service, *, v4: bool) -> Iterator[Server]:
    for protocol in (UDP, TCP):
        port = service.port(DNS_PORT, protocol)
        for one in listed_endpoints(network.cluster, service, port, v4=v4) if port else ():
            if one.ready:
                yield Server(one.addr, one.port, protocol)


def _found(network: Network, policy: NetworkPolicy, pods: list[Pod], denied: Server) -> Finding:
    cluster = network.cluster
    names = ", ".join(pod.ref.short for pod in pods[:3]) + (", ..." if len(pods) > 3 else "")
    what = "DNS" if denied.protocol == UDP else "DNS by TCP"
    target = cluster.pod_at(denied.addr)
    server = f"{target.ref.short} " if target else ""
    field = ("spec", "egress") if policy.spec.egress else ("spec", "policyTypes")
    others = [one for one in policies_of(cluster, pods[0], EGRESS) if one is not policy]
    return Finding(
        code="netpol-egress-blocks-dns",
        severity=Severity.WARNING,
        subject=policy.ref,
        message=(
            f"{len(pods)} Pods of namespace {policy.meta.namespace} may open connections, and may not ask "
            f"{what}: {names}"
        ),
        evidence=(
            stated(cluster, policy, *field, text=f"{policy.ref}: {_rules_text(policy)}"),
            *(
                stated(cluster, one, "spec", "egress", text=f"{one.ref}: {_rules_text(one)}")
                for one in others[:2]
            ),
        ),
        cause=f"no rule allows {server}{format_addr(denied.addr)}:{denied.port}",
        confidence=Confidence.CERTAIN,
        fix=_fix(network, policy),
        broken=len(pods),
    )


def _rules_text(policy: NetworkPolicy) -> str:
    count = len(policy.spec.egress)
    return f"egress of {policy.spec.pod_selector}: " + (
        f"{count} rules, none for DNS" if count else "nothing is allowed"
    )


def _fix(network: Network, policy: NetworkPolicy) -> Fix:
    """A policy of its own for the same Pods: they are limited already, so it only adds."""
    rule = _rule(network)
    spec = {
        "podSelector": selector_body(policy.spec.pod_selector),
        "policyTypes": ["Egress"],
        "egress": [rule],
    }
    made = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "allow-dns", "namespace": policy.meta.namespace},
        "spec": spec,
    }
    new = ObjectRef("NetworkPolicy", policy.meta.namespace, "allow-dns")
    edit = PatchObject(new, as_json({"spec": spec}), "a policy that allows DNS")
    if not policy.spec.egress:
        edit = PatchObject(policy.ref, as_json({"spec": {"egress": [rule]}}), "allow DNS in it")
    words = f"allow the DNS Pods for the Pods that {policy.ref.short} selects"
    return Fix(words, (apply_command(made),), "low: it only adds", (edit,))


def _rule(network: Network) -> Mapping[str, object]:
    """Ports as the DNS Pods have them, and the labels that the DNS Service selects."""
    service = next(iter(services(network)), None)
    namespace = service.meta.namespace if service else "kube-system"
    labels = dict(service.spec.selector) if service else {"k8s-app": "kube-dns"}
    ports = {one.port for one in _servers(network, service, v4=True)} if service else set()
    return {
        "to": [
            {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
                "podSelector": {"matchLabels": labels},
            }
        ],
        "ports": [
            {"protocol": name, "port": port}
            for port in sorted(ports or {DNS_PORT})
            for name in ("UDP", "TCP")
        ],
    }
