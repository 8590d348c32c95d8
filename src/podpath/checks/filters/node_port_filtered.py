"""Explanations of a firewall before NodePorts and the health-check port of load balancers."""

from __future__ import annotations

from podpath.checks.case import Case, Explained
from podpath.checks.owners import KUBE_PROXY
from podpath.checks.registry import explanation
from podpath.checks.steps.rules import let_port_in
from podpath.checks.steps.verdicts import FILTERED, Verdict, names_port, verdict_of
from podpath.model.edit import Edit
from podpath.model.kube.service import Service
from podpath.model.trace import Trace

RISK = "medium: opens the port to whoever reaches the node; lost at reboot, so put it where the firewall is configured"


@explanation("nodeport-firewalled", kinds=FILTERED)
def nodeport_firewalled(case: Case) -> Explained | None:
    """A firewall on the node ends packets for a NodePort before kube-proxy's rules translate them.

    ## Why it breaks

    A packet for a NodePort passes raw, mangle and any nftables chain at prerouting before it is translated. What
    ends it there is not kube-proxy's: the port is simply not open. The node's own connects do not come by there,
    so a test on the node itself works.

    ## See it by hand

        curl http://<node>:<nodePort>                       # from outside: timeout; on the node itself: works
        iptables-save -c | grep -E 'DROP|REJECT'; nft list ruleset | grep -A9 'hook prerouting'

    ## Fix

    Open the port (or the whole range, 30000-32767) for the clients or the balancer, in the firewall that wrote the
    line.

    ## Often confused with

    etp-local-no-local-endpoint (kube-proxy's own DROP: this node has no endpoint), a cloud's security group (no
    line on the node).
    """
    verdict = verdict_of(case)
    found = _node_port(case) if verdict is not None and verdict.owner != KUBE_PROXY else None
    if verdict is None or found is None:
        return None
    service, port = found
    return Explained(
        f"{case.node} does not let in NodePort {port} of Service {service.ref.short}: "
        f"{_line(verdict)} before kube-proxy translates it",
        "NodePort traffic ends here",
        _opened(case, verdict, port),
        risk=RISK,
        evidence=(service.origin,),
    )


def _node_port(case: Case) -> tuple[Service, int] | None:
    """The Service whose NodePort the packet still asks for."""
    packet = case.step.packet or case.trace.packet
    service = case.network.cluster.services_by_node_port.get((packet.dport, packet.protocol))
    held = packet.dst in case.netns.addresses_by_value
    return (service, packet.dport) if service is not None and held and case.trace.leg == "request" else None


def _line(verdict: Verdict) -> str:
    if verdict.rule is None:
        return f"the policy of {verdict.place} is DROP"
    return f"a rule in {verdict.place}{verdict.comment} {verdict.how} it"


def _opened(case: Case, verdict: Verdict, port: int) -> tuple[tuple[Edit, ...], ...]:
    accepts = let_port_in(verdict, case.trace.packet.protocol, port, ())
    removal: tuple[Edit, ...] = (verdict.removal,)
    return (removal, accepts) if names_port(verdict.rule, port) else (accepts, removal)


@explanation("healthcheck-nodeport-blocked", kinds=(*FILTERED, "no-listener"), specificity=32)
def healthcheck_nodeport_blocked(case: Case) -> Explained | None:
    """The balancer's health check does not reach a node's healthCheckNodePort, so the node gets no traffic.

    ## Why it breaks

    A load balancer Service with externalTrafficPolicy Local has a port of its own on every node, where kube-proxy
    says whether the node has endpoints. A firewall that opens the NodePorts and forgets this one makes the
    balancer take every node for dead. kube-proxy 1.26 in IPVS mode rejected it itself (KUBE-IPVS-FILTER).

    ## See it by hand

        kubectl get service <name> -o jsonpath='{.spec.healthCheckNodePort}'
        curl http://<node>:<healthCheckNodePort>/healthz    # from outside

    ## Fix

    Open tcp <healthCheckNodePort> for the balancer's probe addresses; upgrade kube-proxy where the rule is its own.

    ## Often confused with

    etp-local-no-local-endpoint: the check answers 503, as it should, where a node has no endpoint.
    """
    packet = case.step.packet or case.trace.packet
    services = case.network.cluster.services.values()
    service = next((one for one in services if one.spec.health_check_node_port == packet.dport), None)
    if service is None or not packet.dport or not _asks_node(case.trace):
        return None
    verdict = verdict_of(case)
    line = _line(verdict) if verdict is not None else "nothing listens there (kube-proxy opens it)"
    return Explained(
        f"{case.node} does not answer the load balancer's health check of Service {service.ref.short} "
        f"(port {packet.dport}): {line}",
        "the balancer takes this node for dead",
        _opened(case, verdict, packet.dport) if verdict is not None else (),
        risk="low: only the health-check port; keep it where the firewall is configured",
        evidence=(service.origin,),
    )


def _asks_node(trace: Trace) -> bool:
    return trace.leg == "request" and trace.hops[-1].netns.startswith("node/")
