"""netpol-service-port."""

from __future__ import annotations

from collections.abc import Iterator

from podpath.checks.objects.kubectl import json_patch, stated
from podpath.checks.policy.alike import matched, selected
from podpath.checks.registry import Promised, state_check
from podpath.intent.services import target_port
from podpath.model.finding import Confidence, Finding, Fix, Severity
from podpath.model.kube.cluster import Cluster
from podpath.model.kube.networkpolicy import NetworkPolicy, Peer, PolicyPort
from podpath.model.kube.pod import Pod
from podpath.model.kube.service import Service
from podpath.model.network import Network
from podpath.model.refs import pod_netns


@state_check(
    "netpol-service-port",
    severity=Severity.WARNING,
    needs=("api/networkpolicies", "api/pods", "api/services"),
)
def netpol_service_port(network: Network, _promised: Promised) -> Iterator[Finding]:
    """A NetworkPolicy allows a Service's port where it should allow the Pods' own.

    ## Why it breaks

    Policies see packets after the translation of the Service: to the Pod's address and port. A rule for port 80 does
    nothing for a Service 80 -> 8080, and connections are denied although "port 80 is allowed".

    ## See it by hand

        kubectl -n <namespace> get networkpolicy <name> -o yaml
        kubectl -n <namespace> get service <service> -o jsonpath='{.spec.ports}'

    ## Fix

    Write the container's port, or its name.

    ## Often confused with

    *svc-targetport-mismatch*: no policy is in the way, and nobody listens on the target.
    """
    for policies in network.cluster.policies.values():
        for policy in policies:
            yield from _in_policy(network, policy)


def _in_policy(network: Network, policy: NetworkPolicy) -> Iterator[Finding]:
    for way in policy.directions:
        for i, rule in enumerate(policy.rules(way)):
            targets = _targets(network.cluster, policy, way, rule.destinations)
            for j, port in enumerate(rule.ports):
                found = _meant(network, targets, port)
                if found is not None:
                    yield _found(
                        network, policy, ("spec", way.lower(), str(i), "ports", str(j)), port, *found
                    )


def _targets(cluster: Cluster, policy: NetworkPolicy, way: str, peers: tuple[Peer, ...]) -> list[Pod]:
    """Pods whose ports a rule speaks of: those it protects, or those they may ask; of equal ones one."""
    if way == "Ingress":
        groups = list(selected(cluster, policy.meta.namespace, policy.spec.pod_selector))
    else:
        named = [peer for peer in peers if peer.pod_selector is not None]
        groups = [one for peer in named for one in matched(cluster, policy, peer)]
    live = (next((pod for pod in one if pod.live), None) for one in groups)
    return [pod for pod in live if pod is not None and not (pod.host_network and way == "Ingress")]


def _meant(network: Network, targets: list[Pod], port: PolicyPort) -> tuple[Service, int] | None:
    """The Service whose port was written, and the Pods' own port; None where the number is one of theirs."""
    if not isinstance(port.port, int) or port.end_port or any(_has(network, pod, port) for pod in targets):
        return None
    for pod in targets:
        for service in network.cluster.services_by_pod.get(pod.key, ()):
            wanted = service.port(port.port, port.protocol)
            real = target_port(pod, wanted) if wanted else None
            if real is not None and real != port.port:
                return service, real
    return None


def _has(network: Network, pod: Pod, port: PolicyPort) -> bool:
    """Whether a Pod has such a port of its own: declared, or listened on."""
    if any(one.container_port == port.port and one.protocol == port.protocol for one in pod.ports()):
        return True
    netns = network.namespaces.get(pod_netns(*pod.key))
    return any(
        one.port == port.port and one.protocol == port.protocol
        for one in (netns.sockets if netns else None) or ()
    )


def _found(
    network: Network,
    policy: NetworkPolicy,
    path: tuple[str, ...],
    port: PolicyPort,
    service: Service,
    real: int,
) -> Finding:
    operation = {"op": "replace", "path": "/" + "/".join((*path, "port")), "value": real}
    return Finding(
        code="netpol-service-port",
        severity=Severity.WARNING,
        subject=policy.ref,
        message=(
            f"{policy.ref} allows port {port.port}, which is the port of Service {service.ref.short}; its "
            f"Pods have {real}"
        ),
        evidence=(
            stated(network.cluster, policy, *path, "port", text=f"port: {port.port}"),
            stated(
                network.cluster,
                service,
                "spec",
                "ports",
                text=f"{service.ref}: port {port.port}, targetPort {real}",
            ),
        ),
        cause="policies see the translated packet",
        confidence=Confidence.CERTAIN,
        fix=Fix(f"allow port {real}", (json_patch(policy.ref, operation),), "low"),
    )
