"""Explanations of rules that a policy engine wrote: it is gone, or it denies what the policies allow."""

from __future__ import annotations

from collections.abc import Iterator

from podpath.checks.case import Case, Explained
from podpath.checks.owners import POLICY_ENGINES, Owner, owner_of
from podpath.checks.registry import explanation
from podpath.checks.steps.components import pods_of, restart, runs_on, told
from podpath.checks.steps.verdicts import FILTERED, Verdict, jumps, verdict_of
from podpath.intent.permission import FOREIGN_POLICIES
from podpath.intent.policy import End, allowed
from podpath.model.edit import DeleteRule, Edit, table_id
from podpath.model.linux import netfilter as nl
from podpath.model.linux.netfilter import Rule
from podpath.model.refs import ObjectRef


def engine_of(case: Case) -> tuple[Verdict, Owner] | None:
    """The verdict and its policy engine."""
    verdict = verdict_of(case)
    if verdict is None or verdict.owner is None or verdict.owner not in POLICY_ENGINES:
        return None
    return verdict, verdict.owner


@explanation("policy-chains-leftover", kinds=FILTERED, specificity=35)
def policy_chains_leftover(case: Case) -> Explained | None:
    """Chains of a policy engine that no longer runs here still deny.

    ## Why it breaks

    A policy engine (kube-router, Calico, Weave, Azure NPM) leaves its chains in the kernel when it is removed or
    stops. They deny by the addresses and policies of that day: new Pods that get an old Pod's address inherit its
    policies, and no object explains it.

    ## See it by hand

        iptables -S | grep -oE -- '-A (KUBE-POD-FW|cali|WEAVE|AZURE)[^ ]*' | sort -u
        kubectl get pods -A -o wide | grep -E 'kube-router|calico|weave'

    ## Fix

    If it should be gone: delete its jumps and chains (`kube-router --cleanup-config`, `calico` has a removal
    script), or drain and reboot the node. If it should run: bring its Pod back.

    ## Often confused with

    policy-rules-out-of-date (the engine runs and is behind), netpol-ingress-default-deny (policies do deny).
    """
    found = engine_of(case)
    if found is None:
        return None
    verdict, owner = found
    if runs_on(case.network, owner.component, case.node) is not False:
        return None
    edits = tuple(
        DeleteRule(case.netns.id, verdict.ident, name, rule) for name, rule in _entries(verdict, owner)
    )
    state = told(case.network, owner.component, case.node)
    gone = "" if pods_of(case.network, owner.component) else f": no {owner.name} Pod runs anywhere"
    return Explained(
        f"{case.node} still {verdict.how} packets by chains of {owner.name}, which does not run there{gone}",
        f"a leftover of {owner.name}",
        (edits,) if edits else ((verdict.removal,),),
        f"take {owner.name}'s chains out of {case.node}, or bring its Pod back",
        risk="medium: nothing then enforces policies on this node; it stays so, since nobody writes the chains again",
        evidence=state.evidence,
        reason=state.text,
    )


def _entries(verdict: Verdict, owner: Owner) -> Iterator[tuple[str, Rule]]:
    """The rules by which packets come into the engine's chains."""
    ident = table_id(verdict.table)
    for chain in verdict.table.chains.values():
        if chain.base is None or owner_of(ident, chain.name) == owner:
            continue
        for rule in chain.rules:
            if any(owner_of(ident, name) == owner for name in jumps(verdict.table, rule)):
                yield chain.name, rule


@explanation("policy-rules-out-of-date", kinds=FILTERED, specificity=25)
def policy_rules_out_of_date(case: Case) -> Explained | None:
    """The policy engine's rules deny a connection that the NetworkPolicies, as they are, allow.

    ## Why it breaks

    The engine on the node turns policies and Pods' addresses into rules. Where it has stopped, cannot reach the API
    server or has not caught up, its rules are those of another moment: addresses of Pods that are gone, a policy
    that was changed.

    ## See it by hand

        kubectl get networkpolicies -A
        ipset list | grep -c .                                # the addresses it knows
        kubectl logs -n kube-system <its Pod on that node> --tail=20

    ## Fix

    Restart the engine's Pod on that node: it writes all its rules again. Then read its log for what kept it.

    ## Often confused with

    netpol-ingress-default-deny and netpol-egress-blocks-dns (the policies themselves deny), policy-chains-leftover
    (the engine is gone).
    """
    found = engine_of(case)
    if found is None or _denied_by_objects(case):
        return None
    verdict, owner = found
    state = told(case.network, owner.component, case.node)
    command = restart(case.network, owner.component, case.node)
    return Explained(
        f"{owner.name} on {case.node} {verdict.how} what the NetworkPolicies allow: its rules are out of date",
        f"a rule of {owner.name} that no policy calls for",
        (_let_by(case, verdict),),
        f"restart {owner.name} on {case.node}: it writes its rules from the policies again",
        (command,),
        "low: while it starts, its old rules stay",
        subject=ObjectRef("Node", "", case.node),
        evidence=state.evidence,
        reason=state.text,
    )


@explanation("probe-blocked-by-policy", kinds=FILTERED, specificity=28)
def probe_blocked_by_policy(case: Case) -> Explained | None:
    """The policy engine drops the kubelet's probes of a Pod on its own node.

    ## Why it breaks

    The kubelet asks a Pod's probes from the node's own addresses. NetworkPolicy always lets a Pod's own node in, but an
    engine that does not know all of the node's addresses (a second interface, a tunnel's address) drops them. The
    Pod turns unready or is restarted, though it runs.

    ## See it by hand

        kubectl describe pod <name> | grep -A2 Unhealthy      # context deadline exceeded
        ip route get <Pod address>                            # the source address that the node takes

    ## Fix

    Restart the engine's Pod on the node; or allow the node's addresses with an ipBlock until it is mended.

    ## Often confused with

    container-not-listening (the probe is refused, not dropped), svc-no-ready-endpoints (its consequence).
    """
    found = engine_of(case)
    if found is None or case.promise.kind != "node" or not case.promise.flow.netns.startswith("node/"):
        return None
    verdict, owner = found
    state = told(case.network, owner.component, case.node)
    return Explained(
        f"{owner.name} on {case.node} {verdict.how} the kubelet's probes of Pods on its own node",
        "a Pod's own node is to be let in always",
        (_let_by(case, verdict),),
        f"restart {owner.name} on {case.node}: it writes its rules again",
        (restart(case.network, owner.component, case.node),),
        "low: while it starts, its old rules stay",
        subject=ObjectRef("Node", "", case.node),
        evidence=state.evidence,
        reason=state.text,
    )


def _let_by(case: Case, verdict: Verdict) -> tuple[Edit, ...]:
    """What the engine would do if it knew: not end the packet here."""
    if verdict.rule is not None and any(isinstance(i, nl.Drop | nl.Reject) for i in verdict.rule.items):
        return (DeleteRule(case.netns.id, verdict.ident, verdict.chain.name, verdict.rule),)
    return (verdict.removal,)


def _denied_by_objects(case: Case) -> bool:
    """Whether the policies themselves deny it: then the engine is right."""
    packet = case.step.packet or case.trace.packet
    if case.promise.kind != "asked":
        return False  # a promise is only made where policies allow it
    cluster = case.network.cluster
    if any(cluster.others.get(listed) for listed in FOREIGN_POLICIES):
        return True  # policies that are not read here may well deny it
    source: End = cluster.pod_at(packet.src) or packet.src
    target: End = cluster.pod_at(packet.dst) or packet.dst
    return not allowed(cluster, source, target, packet.protocol, packet.dport, v4=packet.v4).allowed
