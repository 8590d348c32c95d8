"""Explanations of a Service's address that a node does not translate."""

from __future__ import annotations

from collections.abc import Iterator

from podpath.checks.case import Case, Explained
from podpath.checks.owners import KUBE_PROXY
from podpath.checks.registry import explanation
from podpath.checks.steps.components import restart, told
from podpath.checks.steps.programming import lacking, reprogrammed
from podpath.checks.steps.ranges import host_of
from podpath.checks.steps.rules import jump_to
from podpath.checks.steps.translation import asked_service, services_chain
from podpath.checks.steps.verdicts import reachable, verdict_of
from podpath.checks.steps.words import listed
from podpath.model.edit import DeleteRule, Edit, InsertRule, Outside, table_id
from podpath.model.linux import netfilter as nl
from podpath.model.linux.netfilter import Chain, Rule, Table
from podpath.model.origin import Origin
from podpath.model.refs import node_netns

PORTALS = {"prerouting": "kubernetes service portals", "output": "kubernetes service portals"}
WHO = {"prerouting": "Pods and the outside", "output": "the node itself"}
BEHIND = ("martian", "reply-not-untranslated", "reply-elsewhere", "source-unanswerable")
RISK = "low: kube-proxy writes all its rules from the objects again; connections that stand are not touched"


@explanation("kube-proxy-hooks-flushed", kinds=("nat-missing", *BEHIND), specificity=36)
def kube_proxy_hooks_flushed(case: Case) -> Explained | None:
    """kube-proxy's chains are complete, and nothing calls them: the jumps from the built-in chains are gone.

    ## Why it breaks

    Packets come to KUBE-SERVICES by a jump in nat PREROUTING (from Pods and from outside) and in OUTPUT (from the
    node itself), and to KUBE-POSTROUTING by one in POSTROUTING. `iptables -t nat -F`, a firewalld reload or an old
    rule set restored takes the jumps, and with them all Services at once: a ClusterIP leaves by the default route,
    a NodePort is refused.

    ## See it by hand

        iptables -t nat -S PREROUTING; iptables -t nat -S OUTPUT        # no jump to KUBE-SERVICES
        iptables -t nat -S KUBE-SERVICES | wc -l                        # the chain is there

    ## Fix

    Restart kube-proxy on the node. A running kube-proxy notices within its syncPeriod (30 s) that its canary chains
    are gone, but not that single jumps are. Then find who flushes.

    ## Often confused with

    kube-proxy-rules-missing (the jump is there, the Service is not in the chain).
    """
    found = next(_missing_jumps(case), None)
    if found is None:
        return None
    table, chain, bases = found
    edits = tuple(
        InsertRule(node_netns(case.node), table_id(table), base.name, _jump(table, base, chain.name), 0)
        for base in bases
    )
    state = told(case.network, "kube-proxy", case.node)
    names = " and ".join(base.name for base in bases)
    if chain.name == "KUBE-POSTROUTING":
        breaks = "Service traffic that must be masqueraded is not"
    else:
        whom = " and ".join(WHO[base.base.hook] for base in bases if base.base is not None)
        breaks = f"no Service is translated for {whom}"
    return Explained(
        f"{case.node} does not call kube-proxy's rules: nothing in {names} jumps to {chain.name}, so {breaks}",
        f"no rule calls {chain.name}",
        (edits,),
        f"restart kube-proxy on {case.node}: it puts its jumps back",
        (restart(case.network, "kube-proxy", case.node),),
        RISK + "; find who flushed the table, or it happens again",
        subject=case.node_ref,
        evidence=(*(table.chain_origin(base) for base in bases), table.chain_origin(chain), *state.evidence),
        evidence_first=True,
        reason=state.text,
    )


def _jump(table: Table, base: Chain, target: str) -> Rule:
    if table.backend == "native":
        return Rule(0, f"jump {target}", (nl.Jump(target),))
    hook = base.base.hook if base.base is not None else ""
    return jump_to(base.name, target, PORTALS.get(hook, "kubernetes postrouting rules"))


def _missing_jumps(case: Case) -> Iterator[tuple[Table, Chain, list[Chain]]]:
    """kube-proxy's chain, and the base chains that should come to it and do not; the case's own among them."""
    host = host_of(case.network, case.node)
    found = services_chain(host, v4=case.promise.flow.v4) if host is not None else None
    if found is None:
        return
    table, services = found
    if case.step.kind == "nat-missing":
        bases = [base for hook in ("prerouting", "output") for base in _unhooked(table, services.name, hook)]
        if any(base.base is not None and base.base.hook == case.step.hook for base in bases):
            yield table, services, bases
        return
    for name in ("KUBE-POSTROUTING", "masquerading"):
        if name in table.chains:
            bases = list(_unhooked(table, name, "postrouting"))
            if bases:
                yield table, table.chains[name], bases


def _unhooked(table: Table, target: str, hook: str) -> Iterator[Chain]:
    for chain in table.chains.values():
        base = chain.base
        if (
            base is not None
            and base.hook == hook
            and base.type == "nat"
            and target not in reachable(table, chain.name)
        ):
            yield chain


@explanation("kube-proxy-rules-missing", kinds=("nat-missing", "rule-reject", "rule-drop"), specificity=30)
def kube_proxy_rules_missing(case: Case) -> Explained | None:
    """A Service that has endpoints is not programmed on a node: kube-proxy there is behind, or does not run.

    ## Why it breaks

    kube-proxy on every node turns Services and their endpoints into rules. Where a rule is missing, a ClusterIP is
    an address like any other: it leaves by the default route (iptables mode: a timeout), or is refused (nftables
    mode, and "has no endpoints" of an old state). Only clients of that node are concerned.

    ## See it by hand

        iptables-save -t nat | grep <ClusterIP>             # nothing, or a chain without endpoints
        nft list map ip kube-proxy service-ips | grep <ClusterIP>
        curl -s http://<node>:10256/healthz                 # kube-proxy itself

    ## Fix

    Restart kube-proxy on that node, then read its log: no way to the API server, a lock on xtables,
    iptables-restore errors.

    ## Often confused with

    kube-proxy-hooks-flushed (the rules are there, nothing calls them), svc-port-string-or-missing (the Service has
    no such port), no endpoints (then REJECT is right).
    """
    asked = asked_service(case)
    if asked is None or asked[1] is None or not case.netns.is_host:
        return None
    v4 = case.promise.flow.v4
    missing = lacking(case.network, case.netns, v4=v4)
    refusal = _wrong_refusal(case)
    if refusal is None and (
        case.step.kind != "nat-missing" or not any(one.service is asked[0] for one in missing)
    ):
        return None
    edits = (*(refusal or ()), *reprogrammed(case.network, case.netns, v4=v4))
    services = sorted({one.service.ref.short for one in missing}) or [asked[0].ref.short]
    gone = services_chain(case.netns, v4=v4) is None
    named = (
        "any Service"
        if gone
        else f"Service {services[0]}"
        if len(services) == 1
        else f"Services {listed(services)}"
    )
    state = told(case.network, "kube-proxy", case.node)
    return Explained(
        f"{case.node} has no rules for {named}, although there are endpoints: kube-proxy there has not written them",
        "a rule of an older state" if refusal else "nothing translates this address",
        (edits or (Outside(f"restart kube-proxy on {case.node}"),),),
        f"restart kube-proxy on {case.node}: it writes its rules from the objects",
        (restart(case.network, "kube-proxy", case.node),),
        RISK,
        subject=case.node_ref,
        evidence=(*_chain_line(case), *state.evidence, asked[0].origin),
        evidence_first=not case.step.origin.line,
        reason=state.text,
    )


def _wrong_refusal(case: Case) -> tuple[Edit, ...] | None:
    """kube-proxy's own rule that refuses a Service with endpoints, and the edit that takes it away."""
    verdict = verdict_of(case)
    if verdict is None or verdict.owner != KUBE_PROXY or verdict.rule is None or case.promise.kind == "asked":
        return None
    if verdict.table.backend != "native":
        refuses = "endpoints" in verdict.rule.comment
        return (
            (DeleteRule(case.netns.id, verdict.ident, verdict.chain.name, verdict.rule),) if refuses else None
        )
    if verdict.chain.name == "cluster-ips-check":
        return ()
    checks = [
        name
        for name in ("service-endpoints-check", "nodeport-endpoints-check")
        if name in verdict.table.chains
    ]
    accept = Rule(0, "accept", (nl.Accept(),))
    return tuple(InsertRule(case.netns.id, verdict.ident, name, accept, 0) for name in checks) or None


def _chain_line(case: Case) -> tuple[Origin, ...]:
    found = services_chain(case.netns, v4=case.promise.flow.v4)
    if found is None:
        missing = "no chain KUBE-SERVICES in nat, no table kube-proxy"
        return (case.netns.source("iptables-nft-save", missing),)
    table, chain = found
    return (table.chain_origin(chain),)
