"""Explanations of a single rule, or of a bridge's own rules, that end packets."""

from __future__ import annotations

from podpath.checks.case import Case, Explained
from podpath.checks.owners import HOST_SOFTWARE, KUBE_PROXY, KUBELET
from podpath.checks.registry import explanation
from podpath.checks.steps.verdicts import FILTERED, Verdict, verdict_of
from podpath.model.linux import xtables as xt

DELIBERATE = (
    "medium: it may be there on purpose, ask its author first; it comes back when what wrote it runs again"
)


@explanation("foreign-iptables-rule-pod-cidr", kinds=("rule-drop", "rule-reject"), specificity=20)
def foreign_iptables_rule_pod_cidr(case: Case) -> Explained | None:
    """A rule of iptables that is no component's of Kubernetes drops or rejects the cluster's packets.

    ## Why it breaks

    Hardening scripts, configuration managers, fail2ban and saved rule sets write rules that know nothing of Pods:
    a range, a port, an interface. Whatever matches ends there, and only that: some ports or some nodes fail.

    ## See it by hand

        iptables-save -c | grep -E -- '-j (DROP|REJECT)'    # twice, around a failing try: the counter that moves
        iptables -S FORWARD --line-numbers

    ## Fix

    Delete the very rule (`iptables -D ...`), after asking who wrote it, and take it out of what writes it
    (/etc/iptables/rules.v4, Puppet, Ansible, a CIS script), or it returns.

    ## Often confused with

    A NetworkPolicy's rule (chains KUBE-POD-FW-, cali-), foreign-nft-forward-drop (nftables, firewalld),
    forward-policy-drop (no rule, but the end of the chain).
    """
    verdict = verdict_of(case)
    if verdict is None or verdict.rule is None or verdict.table.family not in ("ip", "ip6", "inet"):
        return None
    if verdict.owner is not None and verdict.owner not in HOST_SOFTWARE:
        return None
    who = (
        f"{verdict.owner.name}'s rule"
        if verdict.owner is not None
        else "a rule that no Kubernetes component wrote"
    )
    return Explained(
        f"{case.node} {verdict.how} packets of the cluster in {verdict.place}: {who}{verdict.comment}",
        f"this rule {verdict.how} it",
        ((verdict.removal,),),
        risk=DELIBERATE,
    )


@explanation("bridge-layer-drop", kinds=FILTERED, specificity=35)
def bridge_layer_drop(case: Case) -> Explained | None:
    """A rule of the bridge itself (nft family bridge, ebtables) ends frames between Pods of one node.

    ## Why it breaks

    Frames between two ports of a bridge pass the tables of family bridge, where no iptables rule stands and no
    iptables accept helps. Only traffic within the node's bridge fails; across nodes, and from the node to its Pods,
    all is well.

    ## See it by hand

        nft list ruleset bridge
        ebtables -L --Lc

    ## Fix

    Delete the rule (`nft delete rule bridge <table> <chain> handle <n>`, `ebtables -D FORWARD ...`), and find its
    author.

    ## Often confused with

    port-isolated (a property of the ports), br-nf-call-iptables-off (Services only).
    """
    verdict = verdict_of(case)
    if verdict is None or verdict.table.family != "bridge":
        return None
    line = (
        f"the policy of {verdict.base.name} is drop" if verdict.rule is None else f"a rule{verdict.comment}"
    )
    return Explained(
        f"{case.node} {verdict.how} frames inside its bridge: {line} in nftables table bridge {verdict.table.name}",
        "frames between ports of the bridge end here",
        ((verdict.removal,),),
        risk=DELIBERATE,
    )


@explanation("iptables-nft-version-skew", kinds=("rule-drop",), specificity=38)
def iptables_nft_version_skew(case: Case) -> Explained | None:
    """A rule of the kubelet or kube-proxy lost its conditions: another version of iptables wrote the table again.

    ## Why it breaks

    iptables-nft of one version does not always understand what another wrote. When the host's tool and a
    container's differ (1.8.7 and 1.8.8, for one), saving and restoring loses matches: the DROP of KUBE-FIREWALL,
    meant for marked packets, then drops everything.

    ## See it by hand

        iptables-save | grep -- '-A KUBE-FIREWALL'          # a DROP without --mark and without --ctstate
        iptables --version; kubectl exec <kube-proxy Pod> -- iptables --version

    ## Fix

    Delete the broken rule, use one version everywhere (images with iptables-wrappers, or the host's package), restart
    whoever wrote it.

    ## Often confused with

    foreign-iptables-rule-pod-cidr: there the chain is nobody's.
    """
    verdict = verdict_of(case)
    if verdict is None or verdict.rule is None or verdict.owner not in (KUBE_PROXY, KUBELET):
        return None
    if verdict.chain.name != "KUBE-FIREWALL" or not _lost_its_conditions(verdict):
        return None
    version = case.network.nodes.get(case.node)
    facts = version.facts.iptables if version is not None and version.facts is not None else None
    return Explained(
        f"{case.node} drops everything in KUBE-FIREWALL: the rule has lost its conditions, as when two versions of "
        "iptables write one table",
        "meant for marked packets only, it drops all",
        ((verdict.removal,),),
        risk="low; the rule comes back broken until one version of iptables writes the table",
        evidence=(facts.origin,) if facts is not None else (),
    )


def _lost_its_conditions(verdict: Verdict) -> bool:
    rule = verdict.rule
    return rule is not None and not any(
        isinstance(item, xt.MarkMatch | xt.CtStateMatch) for item in rule.items
    )
