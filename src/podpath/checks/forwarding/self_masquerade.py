"""Explanations of Service traffic that should have been masqueraded: to itself, or by a mark that got lost."""

from __future__ import annotations

from collections.abc import Iterator

from podpath.checks.case import Case, Explained
from podpath.checks.owners import KUBE_PROXY, owner_of
from podpath.checks.registry import explanation
from podpath.checks.steps.components import restart, told
from podpath.checks.steps.translation import Translation, dnat_of
from podpath.model.addr import ALL_BITS, Prefix, format_addr
from podpath.model.edit import DeleteRule, InsertRule, table_id
from podpath.model.linux import netfilter as nl
from podpath.model.linux import nftables as nf
from podpath.model.linux import xtables as xt
from podpath.model.linux.netfilter import Chain, Rule, Table
from podpath.model.network import Netns
from podpath.model.trace import Step

MARK_BIT = 14
LOST_REPLY = ("martian", "reply-not-untranslated", "reply-elsewhere", "source-unanswerable")


def masquerade_mark(case: Case, node: str) -> int:
    """kube-proxy's mark for what is to be masqueraded."""
    known = case.network.nodes.get(node)
    bit = known.kube_proxy.masquerade_bit if known is not None and known.kube_proxy is not None else MARK_BIT
    return 1 << bit


def translator(case: Case) -> tuple[Netns, Translation] | None:
    """The node that translated the request."""
    translation = dnat_of(case)
    netns = case.network.namespaces.get(translation.hop.netns) if translation is not None else None
    return None if translation is None or netns is None else (netns, translation)


@explanation("mark-clobber", kinds=LOST_REPLY, specificity=38)
def mark_clobber(case: Case) -> Explained | None:
    """Another rule overwrites the packet mark by which kube-proxy masquerades: NodePort and hairpin traffic dies.

    ## Why it breaks

    kube-proxy marks what must be masqueraded (0x4000) before routing and masquerades by the mark behind it. The mark
    is one number for everybody: a rule that sets it as a whole (`--set-mark 0`, `--set-xmark 0x0/0xffffffff`)
    between the two takes kube-proxy's bit away. The packet goes on, but its answer never comes back this way.

    ## See it by hand

        iptables-save -t mangle | grep MARK                  # masks of 0xffffffff, or --set-mark
        iptables -t nat -vnL KUBE-POSTROUTING                # MASQUERADE does not count

    ## Fix

    Masked marks in the other tool (`--or-mark`, `--set-xmark value/mask`), or another bit for kube-proxy
    (`iptables.masqueradeBit`). Until then, delete the rule.

    ## Often confused with

    self-masquerade-missing and hairpin-off: there nobody sets the mark, or the bridge port stops the frame.
    """
    found = translator(case)
    if found is None:
        return None
    netns, _ = found
    bit = masquerade_mark(case, netns.node)
    for table, step in _marks(case, netns):
        rule = step.rule
        if rule is None or not _overwrites(rule, bit):
            continue
        chain = _chain_of(table, rule)
        said = f' ("{rule.comment}")' if rule.comment else ""
        return Explained(
            f"{netns.node} loses kube-proxy's mark {bit:#x}: a rule in {chain} of table {table.name}{said} sets the "
            "whole mark, so Service traffic that must be masqueraded is not",
            "sets the whole mark, kube-proxy's bit with it",
            ((DeleteRule(netns.id, table_id(table), chain, rule),),),
            "delete the rule, or let it set its own bits only (--set-xmark value/mask)",
            (),
            "low: the other tool loses its mark until it is set with a mask; comes back when that tool runs again",
            subject=case.node_ref,
            evidence=(table.origin(rule),),
            evidence_first=True,
        )
    return None


def _marks(case: Case, netns: Netns) -> Iterator[tuple[Table, Step]]:
    """The steps that changed the mark on that node."""
    tables = {table_id(table): table for table in netns.tables}
    for hop in case.branch.traces[0].hops:
        if hop.netns == netns.id and not hop.outer:
            for step in hop.steps:
                table = tables.get(step.table)
                if (
                    step.stage == "mark"
                    and table is not None
                    and owner_of(step.table, _chain_of(table, step.rule)) != KUBE_PROXY
                ):
                    yield table, step


def _chain_of(table: Table, rule: Rule | None) -> str:
    return next((c.name for c in table.chains.values() if any(r is rule or r == rule for r in c.rules)), "")


def _overwrites(rule: Rule, bit: int) -> bool:
    for item in rule.items:
        match item:
            case nl.SetMark(value=value, mask=mask):
                return bool(mask & bit) and not value & bit
            case nf.Mangle(key=nf.Meta(key="mark"), value=nf.Const(value=int(number))):
                return not number & bit
    return False


@explanation("self-masquerade-missing", kinds=("martian",), specificity=32)
def self_masquerade_missing(case: Case) -> Explained | None:
    """A Pod that asks its own Service gets its own packet back: nothing masqueraded it.

    ## Why it breaks

    The Service may choose the asking Pod itself. The node then translates only the destination, and the Pod receives
    a packet whose source is its own address: the kernel drops it as forged, without counting it. kube-proxy writes
    a rule for exactly this (`-s <Pod> -j KUBE-MARK-MASQ` before the DNAT in KUBE-SEP-*, the set hairpin-connections
    in nftables mode); it is missing here. `accept_local=1` alone does not cure it.

    ## See it by hand

        iptables-save -t nat | grep KUBE-SEP- | grep <Pod address>      # the DNAT without the line before it
        conntrack -L -d <ClusterIP>                                     # reply source = reply destination = the Pod

    ## Fix

    Restart kube-proxy on the node: it writes the rule again. Whoever removed it (a script that filters
    iptables-save) does so again otherwise.

    ## Often confused with

    hairpin-off (the translation is complete, the bridge port does not send the frame back), mark-clobber (the mark
    is set and lost).
    """
    packet = case.step.packet or case.trace.packet
    found = translator(case)
    if case.step.key != "own-address" or case.netns.is_host or found is None:
        return None
    netns, translation = found
    if translation.step.rule is None or translation.before.src != translation.after.dst:
        return None
    marks, own = _own_marks(netns, translation), _own_masquerade(netns, packet.src)
    state = told(case.network, "kube-proxy", netns.node)
    return Explained(
        f"Pods of {netns.node} that reach themselves through a Service get their own address as the source: "
        "kube-proxy's masquerade for that is missing",
        "the source is the Pod's own address",
        tuple(edits for edits in (marks, own) if edits),
        f"restart kube-proxy on {netns.node}: it writes the rule again",
        (restart(case.network, "kube-proxy", netns.node),),
        "low: connections that stand are not touched",
        subject=case.node_ref,
        evidence=(translation.step.origin, *state.evidence),
        evidence_first=True,
        reason=state.text,
    )


def _own_marks(netns: Netns, translation: Translation) -> tuple[InsertRule, ...]:
    """The line that kube-proxy writes before the DNAT of each endpoint (iptables mode), for all that lack it."""
    table = next((one for one in netns.tables if table_id(one) == translation.step.table), None)
    if table is None or "KUBE-MARK-MASQ" not in table.chains:
        return ()
    edits = []
    for chain in table.chains.values():
        for addr in _unmarked(chain) if owner_of(table_id(table), chain.name) == KUBE_PROXY else ():
            own = Prefix(addr, ALL_BITS)
            items = (xt.AddressMatch("src", own), nl.Jump("KUBE-MARK-MASQ"))
            rule = Rule(0, f"-A {chain.name} -s {own} -j KUBE-MARK-MASQ", items)
            edits.append(InsertRule(netns.id, table_id(table), chain.name, rule, 0))
    return tuple(edits)


def _unmarked(chain: Chain) -> Iterator[int]:
    """The addresses that a chain translates to, without the mark for what comes from them."""
    for rule in chain.rules:
        for item in rule.items:
            if isinstance(item, nl.Dnat) and item.addr is not None:
                own = xt.AddressMatch("src", Prefix(item.addr[0], ALL_BITS))
                if not any(own in other.items for other in chain.rules):
                    yield item.addr[0]


def _own_masquerade(netns: Netns, addr: int) -> tuple[InsertRule, ...]:
    """A masquerade of what a Pod sends to itself, where source translation stands."""
    own = Prefix(addr, ALL_BITS)
    for table in netns.tables:
        for chain in table.chains.values():
            base = chain.base
            if base is None or base.type != "nat" or base.hook != "postrouting" or table.family == "ip6":
                continue
            plain = f"-A {chain.name} -s {own} -d {own} -j MASQUERADE"
            native = f"ip saddr {format_addr(addr)} ip daddr {format_addr(addr)} masquerade"
            items = (xt.AddressMatch("src", own), xt.AddressMatch("dst", own), nl.Masquerade())
            rule = Rule(0, native if table.backend == "native" else plain, items)
            return (InsertRule(netns.id, table_id(table), chain.name, rule, 0),)
    return ()
