"""netpol-not-enforced."""

from __future__ import annotations

from collections.abc import Iterator

from podpath.checks.policy.engines import engine_workload, has_chains
from podpath.checks.registry import Promised, state_check
from podpath.intent.policy import EGRESS, INGRESS, policies_of
from podpath.model.finding import Confidence, Finding, Fix, Severity
from podpath.model.kube.networkpolicy import NetworkPolicy
from podpath.model.network import Netns, Network
from podpath.model.origin import Origin
from podpath.model.refs import ObjectRef

INSTALL = Fix(
    (
        "install an engine: kube-router with its firewall only, Calico for policies beside flannel, or "
        "kube-network-policies"
    ),
    (
        "kubectl apply -f https://raw.githubusercontent.com/cloudnativelabs/kube-router/v2.1/daemonset/kube-router-firewall-daemonset.yaml",
    ),
    "medium: policies that were never tried take effect at once",
)


@state_check("netpol-not-enforced", severity=Severity.WARNING, needs=("api/networkpolicies", "api/pods"))
def netpol_not_enforced(network: Network, _promised: Promised) -> Iterator[Finding]:
    """NetworkPolicies exist, and nothing on the nodes enforces them.

    ## Why it breaks

    A NetworkPolicy is only a wish. flannel, kubenet and the plain bridge plugin do nothing with it: what it denies is
    delivered, and everybody believes otherwise.

    ## See it by hand

        kubectl get networkpolicies -A
        iptables-save | grep -cE 'KUBE-ROUTER|cali-|KUBE-POD-FW|ANTREA'; kubectl get daemonsets -A

    ## Fix

    Install an engine, and try a policy that denies before trusting the others.

    ## Often confused with

    An engine of eBPF programs (Cilium, the agents of clouds): its rules are in no chain, and cannot be read here.
    """
    policies = [one for several in network.cluster.policies.values() for one in several]
    if not policies:
        return
    states = {
        netns.node: (netns, has_chains(netns)) for netns in network.namespaces.values() if netns.is_host
    }
    bare = [netns for netns, enforced in states.values() if enforced is False]
    enforced = [netns for netns, enforced in states.values() if enforced]
    if bare and len(bare) == len(states) and not engine_workload(network):
        yield _nowhere(network, policies, bare)
    elif enforced:
        for netns in bare:
            chosen = _limited(network, netns.node)
            if chosen:
                yield _not_here(netns, enforced[0], chosen)


def _nowhere(network: Network, policies: list[NetworkPolicy], bare: list[Netns]) -> Finding:
    where = bare[0]
    table = next((one for one in where.tables if one.name == "filter"), where.tables[0])
    return Finding(
        code="netpol-not-enforced",
        severity=Severity.WARNING,
        subject=ObjectRef("Cluster", "", network.name),
        message=(
            f"{len(policies)} NetworkPolicies exist, and nothing on the {len(bare)} nodes enforces them: "
            "all that they deny is let through"
        ),
        evidence=(
            policies[0].origin,
            Origin(
                table.file,
                0,
                f"no chain of a policy engine among the {sum(len(t.chains) for t in where.tables)} chains",
            ),
        ),
        cause="no policy engine runs in this cluster",
        confidence=Confidence.LIKELY,
        fix=INSTALL,
    )


def _limited(network: Network, node: str) -> list[NetworkPolicy]:
    """Policies that select a Pod of a node."""
    return [
        policy
        for pod in network.cluster.pods_by_node.get(node, ())
        if pod.running
        for way in (INGRESS, EGRESS)
        for policy in policies_of(network.cluster, pod, way)
    ]


def _not_here(netns: Netns, other: Netns, chosen: list[NetworkPolicy]) -> Finding:
    return Finding(
        code="netpol-not-enforced",
        severity=Severity.WARNING,
        subject=ObjectRef("Node", "", netns.node),
        message=(
            f"{netns.node} has no rules of the policy engine, as {other.node} has: policies are not "
            "enforced for its Pods"
        ),
        evidence=(Origin(netns.tables[0].file, 0, "no chain of a policy engine"), chosen[0].origin),
        cause="the engine's agent has not written its rules here",
        confidence=Confidence.CERTAIN,
        fix=Fix(
            "see why the engine's Pod does not work on this node",
            ("kubectl get pods -A -o wide --field-selector spec.nodeName=" + netns.node,),
            "low",
        ),
    )
