"""Explanations of packets that a policy engine ends as the NetworkPolicies say."""

from __future__ import annotations

import json
from typing import Any

from podpath.checks.case import Case, Explained
from podpath.checks.owners import POLICY_ENGINES
from podpath.checks.registry import explanation
from podpath.checks.steps.ranges import api_endpoints
from podpath.checks.steps.verdicts import FILTERED, verdict_of
from podpath.checks.steps.words import listed
from podpath.intent.policy import EGRESS, INGRESS, End, PolicyVerdict, verdicts
from podpath.model.addr import ALL_BITS, Prefix
from podpath.model.edit import Outside
from podpath.model.finding import Severity
from podpath.model.flow import protocol_name
from podpath.model.kube.namespace import NAME_LABEL
from podpath.model.kube.pod import Pod

KINDS = (*FILTERED, "policy-deny")
DNS = 53
STANDARD = ("app.kubernetes.io/name", "app.kubernetes.io/component")
TELLING = (*STANDARD, "k8s-app", "app", "component", "name", "run", "tier")
"""Labels that say what a Pod is; others change with every version of it."""
MEANT = "as designed, unless it was meant otherwise: policies add up, so one more that allows it is enough"


def denied_by(case: Case, direction: str) -> PolicyVerdict | None:
    """What the policies say, where they deny the packet in that direction and an engine ended it."""
    found = verdict_of(case)
    engine = case.step.kind == "policy-deny" or (found is not None and found.owner in POLICY_ENGINES)
    packet = case.step.packet or case.trace.packet
    if not engine or case.trace.leg != "request":
        return None
    cluster = case.network.cluster
    pod = cluster.pod_at(packet.dst)
    holders = {case.network.namespaces[netns].node for netns, _ in case.network.owners.get(packet.src, ())}
    own = pod is not None and cluster.pod_at(packet.src) is None and pod.node in holders
    source: End = case.node if own else cluster.pod_at(packet.src) or packet.src
    target: End = pod or packet.dst
    egress, ingress = verdicts(cluster, source, target, packet.protocol, packet.dport, v4=packet.v4)
    wanted = egress if direction == EGRESS else ingress
    return wanted if not wanted.allowed else None


def allowing(case: Case, direction: str) -> str:
    """A manifest that allows just this, for the Pod whose policies deny."""
    packet = case.step.packet or case.trace.packet
    cluster = case.network.cluster
    mine, other = (packet.src, packet.dst) if direction == EGRESS else (packet.dst, packet.src)
    pod = cluster.pod_at(mine)
    name = f"allow-{protocol_name(packet.protocol)}-{packet.dport}"
    peer = {"to" if direction == EGRESS else "from": [_peer(other, cluster.pod_at(other))]}
    rule = {**peer, "ports": [{"protocol": protocol_name(packet.protocol).upper(), "port": packet.dport}]}
    spec = {"podSelector": _labels(pod), "policyTypes": [direction], direction.lower(): [rule]}
    metadata = {"name": name, "namespace": pod.meta.namespace if pod is not None else "default"}
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata,
        "spec": spec,
    }
    return f"echo '{json.dumps(policy, separators=(',', ':'))}' | kubectl apply -f -"


def _peer(addr: int, pod: Pod | None) -> dict[str, Any]:
    if pod is None:
        return {"ipBlock": {"cidr": str(Prefix(addr, ALL_BITS))}}
    namespace = {"matchLabels": {NAME_LABEL: pod.meta.namespace}}
    return {"namespaceSelector": namespace, "podSelector": _labels(pod)}


def _labels(pod: Pod | None) -> dict[str, Any]:
    known = pod.meta.labels if pod is not None else {}
    return {"matchLabels": {key: known[key] for key in TELLING if key in known}}


def _explained(case: Case, verdict: PolicyVerdict, direction: str, code: str = "") -> Explained:
    packet = case.step.packet or case.trace.packet
    pod = case.network.cluster.pod_at(packet.src if direction == EGRESS else packet.dst)
    names = listed(policy.ref.short for policy in verdict.policies)
    return Explained(
        verdict.text,
        f"no rule of NetworkPolicy {names} allows it",
        ((Outside(f"a NetworkPolicy beside {names} that allows it"),),),
        f"if it is meant to work, allow it: another NetworkPolicy beside {names} is enough",
        (allowing(case, direction),),
        f"low: allows just this; {MEANT}",
        subject=pod.ref if pod is not None else None,
        evidence=tuple(policy.origin for policy in verdict.policies[:3]),
        evidence_first=True,
        code=code,
    )


@explanation("netpol-ingress-default-deny", kinds=KINDS, specificity=33, severity=Severity.INFO)
def netpol_ingress_default_deny(case: Case) -> Explained | None:
    """NetworkPolicies select the server for ingress, and none of their rules lets this client in.

    ## Why it breaks

    A Pod that any policy selects for ingress is closed to all that no rule of any such policy allows. The order of
    policies does not matter, and there is no rule that denies: what is missing is a rule that allows. kube-router
    rejects (refused at once), other engines drop (a timeout).

    ## See it by hand

        kubectl get networkpolicies -n <namespace of the server>
        kubectl describe networkpolicy <name>            # Allowing ingress traffic: from whom, to which port

    ## Fix

    If it is meant to work: a NetworkPolicy that allows this client to this port. Ports are the Pod's own, not the
    Service's; a podSelector beside a namespaceSelector in one entry means both.

    ## Often confused with

    policy-rules-out-of-date (the policies allow it, the node's rules do not yet), foreign-iptables-rule-pod-cidr.
    """
    verdict = denied_by(case, INGRESS)
    return None if verdict is None else _explained(case, verdict, INGRESS)


@explanation("netpol-egress-default-deny", kinds=KINDS, specificity=34, severity=Severity.INFO)
def netpol_egress_default_deny(case: Case) -> Explained | None:
    """NetworkPolicies select the client for egress, and none of their rules lets this connection out.

    ## Why it breaks

    A Pod that any policy selects for egress may only do what some rule allows. DNS is what is forgotten most often:
    without UDP and TCP 53 to the DNS Pods no name resolves, and all else seems broken; then the API server, for
    Pods that need it.

    ## See it by hand

        kubectl get networkpolicies -n <namespace of the client>
        kubectl describe networkpolicy <name>            # Allowing egress traffic: to whom, to which port

    ## Fix

    If it is meant to work: a NetworkPolicy that allows this port of this server. Rules speak of Pods behind a
    Service and of their own ports, not of the Service's address.

    ## Often confused with

    netpol-egress-blocks-dns (the same for DNS), netpol-ingress-default-deny (the server's side denies).
    """
    verdict = denied_by(case, EGRESS)
    if verdict is None:
        return None
    packet = case.step.packet or case.trace.packet
    code = "netpol-egress-blocks-dns" if packet.dport == DNS else ""
    if (packet.dst, packet.dport) in api_endpoints(case.network):
        code = "netpol-egress-blocks-apiserver"
    return _explained(case, verdict, EGRESS, code)
