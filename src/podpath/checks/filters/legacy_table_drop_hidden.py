"""Explanation: iptables-legacy rules, which nft and iptables-nft do not show, end packets."""

from __future__ import annotations

from podpath.checks.case import Case, Explained
from podpath.checks.owners import CNIS, KUBE_PROXY
from podpath.checks.registry import explanation
from podpath.checks.steps.ranges import pod_ranges
from podpath.checks.steps.rules import let_through
from podpath.checks.steps.verdicts import FILTERED, chains_of, verdict_of


@explanation("legacy-table-drop-hidden", kinds=FILTERED, specificity=35)
def legacy_table_drop_hidden(case: Case) -> Explained | None:
    """Rules in iptables-legacy end packets, while everything else lives in iptables-nft, where they do not show.

    ## Why it breaks

    The kernel keeps two sets of iptables rules, and asks both. `iptables` on a current system (nf_tables) and
    `nft list ruleset` show one of them only. An old script, container or package that still writes with
    iptables-legacy leaves rules there that nobody sees.

    ## See it by hand

        cat /proc/net/ip_tables_names       # not empty: legacy tables exist
        iptables-legacy-save                # they, with their policies

    ## Fix

    Save them (`iptables-legacy-save > legacy.rules`), then remove the rule or set the policy to ACCEPT. Bring every
    writer to one back end (`update-alternatives --set iptables /usr/sbin/iptables-nft`), and look who wrote them.

    ## Often confused with

    foreign-nft-forward-drop (nft shows it). Rules of one component in both back ends break nothing by themselves.
    """
    verdict = verdict_of(case)
    if verdict is None or verdict.table.backend != "legacy" or verdict.owner is not None:
        return None
    here = next(chains_of(case.netns, KUBE_PROXY, *CNIS, backend="nft"), None)
    if here is None or next(chains_of(case.netns, KUBE_PROXY, backend="legacy"), None) is not None:
        return None
    table, chain = here
    scoped = (
        let_through(verdict, pod_ranges(case.network, v4=case.trace.packet.v4))
        if verdict.hook == "forward"
        else ()
    )
    line = (
        f"the policy of {verdict.base.name} is DROP" if verdict.rule is None else f"a rule{verdict.comment}"
    )
    return Explained(
        f"{case.node} {verdict.how} packets in iptables-legacy, which iptables-nft and nft do not show: {line}",
        "nft and iptables-nft do not show this line",
        ((verdict.removal,), scoped) if scoped else ((verdict.removal,),),
        risk="medium: save it first (iptables-legacy-save), its author may want it, and may write it again",
        evidence=(table.chain_origin(chain),),
    )
