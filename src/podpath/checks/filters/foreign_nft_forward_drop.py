"""Explanation: native nftables or firewalld ends what iptables accepts."""

from __future__ import annotations

from podpath.checks.case import Case, Explained
from podpath.checks.owners import FIREWALLD, HOST_SOFTWARE
from podpath.checks.registry import explanation
from podpath.checks.steps.ranges import pod_ranges
from podpath.checks.steps.rules import let_through
from podpath.checks.steps.verdicts import FILTERED, names_address, verdict_of
from podpath.model.edit import Edit


@explanation("foreign-nft-forward-drop", kinds=FILTERED)
def foreign_nft_forward_drop(case: Case) -> Explained | None:
    """A chain of nftables that is not Kubernetes' ends forwarded packets that iptables accepts.

    ## Why it breaks

    Every table that hooks into forward is asked, one after the other by priority, and any of them may end the packet.
    An accept in iptables is no accept for firewalld or for a table of somebody's own. So `iptables -L` shows ACCEPT
    with counters, and the packets end all the same. firewalld rejects, which clients see as "no route to host".

    ## See it by hand

        nft list ruleset | grep -B3 'hook forward'        # every chain that is asked, with its policy
        nft monitor trace                                 # after `nft add rule ... meta nftrace set 1`

    ## Fix

    firewalld: `firewall-cmd --permanent --zone=trusted --add-source=<Pod range>` (and the same for the Service
    range), then `firewall-cmd --reload`. Another table: accept the Pods' range in that chain, or delete the very
    rule. It may be there on purpose: ask its author, and keep the change where the table comes from
    (/etc/nftables.conf).

    ## Often confused with

    foreign-iptables-rule-pod-cidr (the line is in iptables), legacy-table-drop-hidden (iptables-legacy, which nft does
    not show), cloud-sg-blocks-pod-cidr (no line on any node).
    """
    verdict = verdict_of(case)
    if verdict is None or verdict.hook != "forward" or verdict.table.backend != "native":
        return None
    if verdict.table.family == "bridge" or (verdict.owner is not None and verdict.owner not in HOST_SOFTWARE):
        return None
    ranges = pod_ranges(case.network, v4=case.trace.packet.v4)
    accepts = let_through(verdict, ranges)
    narrow = verdict.rule is not None and names_address(verdict.rule) and verdict.owner is None
    removal: tuple[Edit, ...] = (verdict.removal,)
    edits = ((removal, accepts) if narrow else (accepts, removal)) if accepts else (removal,)
    who = "firewalld" if verdict.owner == FIREWALLD else verdict.place
    line = "its policy is drop" if verdict.rule is None else f"a rule{verdict.comment} {verdict.how} it"
    trusted = [f"{case.node}: firewall-cmd --permanent --zone=trusted --add-source={one}" for one in ranges]
    by_firewalld = verdict.owner == FIREWALLD and bool(ranges)
    return Explained(
        f"{case.node} does not forward Pod traffic that iptables accepts: {who} ends it ({line})",
        f"this chain {verdict.how} what iptables accepts",
        edits,
        f"let firewalld trust the Pods' range {ranges[0]}" if by_firewalld else "",
        (*trusted, f"{case.node}: firewall-cmd --reload") if by_firewalld else (),
        "medium: it may be there on purpose; what nft changes is lost at reboot, and when the table is written again",
        evidence=(verdict.table.chain_origin(verdict.base),),
    )
