"""Explanation: a rule keeps packets from connection tracking, so they are never translated."""

from __future__ import annotations

from podpath.checks.case import Case, Explained
from podpath.checks.owners import NODE_LOCAL_DNS
from podpath.checks.registry import explanation
from podpath.checks.steps.verdicts import Verdict, verdict_at
from podpath.model.addr import LINK_LOCAL_V4
from podpath.model.edit import DeleteRule
from podpath.model.trace import Step

ENDS = (
    "nat-missing",
    "wrong-route",
    "no-route",
    "no-listener",
    "martian",
    "source-unanswerable",
    "reply-not-untranslated",
    "reply-elsewhere",
    "rule-drop",
)


@explanation("raw-notrack-pods", kinds=ENDS, specificity=49)
def raw_notrack_pods(case: Case) -> Explained | None:
    """A NOTRACK rule takes Pods' packets out of connection tracking: no Service, no masquerade.

    ## Why it breaks

    Translation is a matter of connection tracking: a packet that is not tracked is never translated. A rule in the
    raw table (`-j NOTRACK`, `-j CT --notrack`) for Pods' addresses, written to save conntrack entries, breaks all
    Services, NodePorts and the way outside; Pod to Pod by address still works. The node-local DNS cache writes
    such rules too, for its own address only: those are right.

    ## See it by hand

        iptables-save -t raw | grep -iE 'notrack'

    ## Fix

    Delete the rule, or limit it to what is never translated (`-d 169.254.20.10/32`).

    ## Often confused with

    kube-proxy-rules-missing and pod-masquerade-missing: the rules are there, and the packet passes them by.
    """
    found = _untracked(case)
    if found is None:
        return None
    step, verdict = found
    rule = step.rule
    if rule is None or verdict.owner == NODE_LOCAL_DNS:
        return None
    return Explained(
        f"{verdict.netns.node} does not track Pods' packets (NOTRACK in {verdict.chain.name} of table "
        f"{verdict.table.name}{verdict.comment}): nothing translates what is not tracked",
        "what matches is not tracked, so never translated",
        ((DeleteRule(verdict.netns.id, verdict.ident, verdict.chain.name, rule),),),
        risk="low: the connections take entries of the conntrack table again; comes back when what wrote it runs again",
        subject=case.node_ref,
        evidence=(step.origin,),
        evidence_first=True,
    )


def _untracked(case: Case) -> tuple[Step, Verdict] | None:
    """The step that took a packet of the connection out of tracking, where it was not for the node-local cache."""
    for trace in case.branch.traces:
        for hop in trace.hops:
            netns = case.network.namespaces.get(hop.netns)
            for step in hop.steps if netns is not None else ():
                if step.kind != "notrack" or netns is None or hop.packet.dst in LINK_LOCAL_V4:
                    continue
                verdict = verdict_at(netns, step)
                if verdict is not None:
                    return step, verdict
    return None
