"""Explanations of Pods that leave the cluster with their own address, which nobody outside can answer."""

from __future__ import annotations

from collections.abc import Iterator

from podpath.checks.case import Case, Explained
from podpath.checks.owners import CNIS, FLANNEL, IP_MASQ, Owner, owner_of
from podpath.checks.registry import explanation
from podpath.checks.steps.components import restart, told
from podpath.checks.steps.ranges import hosts, pod_ranges
from podpath.checks.steps.rules import jump_to
from podpath.checks.steps.verdicts import reachable
from podpath.checks.steps.words import listed
from podpath.model.addr import MULTICAST_V4, Prefix, format_prefix, is_v4
from podpath.model.edit import DeleteRule, Edit, InsertRule, table_id
from podpath.model.flow import TCP, UDP
from podpath.model.linux import netfilter as nl
from podpath.model.linux import nftables as nf
from podpath.model.linux import xtables as xt
from podpath.model.linux.cni import config_in_use
from podpath.model.linux.netfilter import Chain, Rule, Table
from podpath.model.network import Netns
from podpath.model.origin import Origin

RISK = "low: hosts outside then see the node's address instead of the Pod's; lost at reboot unless its owner writes it"
IP_MASQ_CONFIG = "ip-masq-agent"


def source_chains(netns: Netns, *, v4: bool) -> Iterator[tuple[Table, Chain]]:
    """The base chains that translate sources."""
    for table in netns.tables:
        if table.family not in (("ip", "inet") if v4 else ("ip6", "inet")):
            continue
        for chain in table.chains.values():
            if chain.base is not None and chain.base.type == "nat" and chain.base.hook == "postrouting":
                yield table, chain


def masquerades(rule: Rule) -> bool:
    """Whether a rule replaces the source."""
    return any(
        isinstance(item, nl.Masquerade | nl.Snat)
        or (isinstance(item, nf.NftNat) and item.kind in ("snat", "masquerade"))
        for item in rule.items
    )


def siblings_rule(case: Case) -> tuple[str, Origin] | None:
    """Another node, and its masquerade rule for Pods: a node that is unlike its siblings."""
    v4 = case.trace.packet.v4
    ranges = pod_ranges(case.network, v4=v4)
    for host in hosts(case.network):
        if host is case.netns:
            continue
        for table, base in source_chains(host, v4=v4):
            for name in reachable(table, base.name):
                for rule in table.chains[name].rules if name in table.chains else ():
                    if masquerades(rule) and _speaks_of(rule, ranges):
                        return host.node, table.origin(rule)
    return None


def _speaks_of(rule: Rule, ranges: tuple[Prefix, ...]) -> bool:
    for item in rule.items:
        match item:
            case xt.AddressMatch(side="src", prefix=prefix, negate=False):
                return any(prefix.overlaps(one) for one in ranges)
            case nf.NftMatch(left=nf.Payload(field="saddr"), right=nf.PrefixExpr(prefix=prefix), op="=="):
                return any(prefix.overlaps(one) for one in ranges)
    return False


@explanation("ipmasq-noncovered-cidr", kinds=("source-unanswerable",), specificity=35)
def ipmasq_noncovered_cidr(case: Case) -> Explained | None:
    """ip-masq-agent is told not to masquerade packets to this destination, and the destination does not know the Pods.

    ## Why it breaks

    `nonMasqueradeCIDRs` lists the networks that know the way back to Pods. A private network in the list (the
    default lists all of RFC 1918) that has no route to the Pods' range gets packets that it cannot answer.

    ## See it by hand

        kubectl -n kube-system get configmap ip-masq-agent -o yaml
        iptables -t nat -S IP-MASQ                       # or IP-MASQ-AGENT: the RETURN for that range

    ## Fix

    Take the range out of nonMasqueradeCIDRs; the agent follows within 60 seconds. Or give that network a route to
    the Pods' range.

    ## Often confused with

    pod-masquerade-missing (no masquerade for anybody), egress-firewall-proxy-only (the node does not get through
    either).
    """
    packet = case.step.packet or case.trace.packet
    for table, chain in _chains_of(case.netns, IP_MASQ):
        for rule in chain.rules:
            spared = _spared(rule)
            if spared is None or packet.dst not in spared:
                if masquerades(rule):
                    break
                continue
            config = next(
                (one for key, one in case.network.cluster.configmaps.items() if key[1] == IP_MASQ_CONFIG),
                None,
            )
            place = config.meta.namespace if config is not None else "kube-system"
            net = format_prefix(spared)
            return Explained(
                f"{case.node} does not masquerade Pods' packets to {net} (ip-masq-agent's nonMasqueradeCIDRs), "
                "which has no way back to them",
                "sent with the Pod's own address",
                ((DeleteRule(case.netns.id, table_id(table), chain.name, rule),),),
                f"take {net} out of nonMasqueradeCIDRs",
                (f"kubectl -n {place} edit configmap {IP_MASQ_CONFIG}  # nonMasqueradeCIDRs",),
                "medium: that network then sees nodes' addresses instead of Pods'; stays, the agent follows it",
                subject=case.node_ref,
                evidence=(table.origin(rule), *((config.origin,) if config is not None else ())),
                evidence_first=True,
            )
    return None


def _chains_of(netns: Netns, owner: Owner) -> Iterator[tuple[Table, Chain]]:
    for table in netns.tables:
        for chain in table.chains.values():
            if owner_of(table_id(table), chain.name) == owner:
                yield table, chain


def _spared(rule: Rule) -> Prefix | None:
    """The destinations that a rule spares from masquerading."""
    if not any(isinstance(item, nl.Return) for item in rule.items):
        return None
    found = (
        i.prefix for i in rule.items if isinstance(i, xt.AddressMatch) and i.side == "dst" and not i.negate
    )
    return next(found, None)


@explanation("pod-masquerade-missing", kinds=("source-unanswerable",))
def pod_masquerade_missing(case: Case) -> Explained | None:
    """Pods' packets leave the cluster with the Pod's own address: nothing masquerades them on this node.

    ## Why it breaks

    Hosts outside know the nodes, not the Pods. Unless the network routes the Pods' range (a flat network, BGP to
    the routers), a node must put its own address in as the source. The rule is missing here: the packet gets to its
    destination, and the answer goes nowhere. DNS of outside names fails with it, when the DNS server is a Pod.

    ## See it by hand

        iptables -t nat -S | grep -E 'MASQUERADE|SNAT'
        conntrack -L -s <Pod address>                    # [UNREPLIED], reply destination = the Pod

    ## Fix

    Restart the CNI on the node, if it writes the rule (flannel --ip-masq, the bridge plugin's ipMasq, Calico's
    natOutgoing); by hand: `iptables -t nat -A POSTROUTING -s <Pod range> ! -d <Pod range> -j MASQUERADE`.

    ## Often confused with

    egress-firewall-proxy-only (the node itself does not get through), ipmasq-noncovered-cidr (some destinations
    only).
    """
    v4 = case.trace.packet.v4
    ranges = pod_ranges(case.network, v4=v4)
    if not case.netns.is_host or not ranges:
        return None
    sibling = siblings_rule(case)
    promised = _promised(case)
    tracked = tuple(_unreplied(case))[:1]
    owner = _writer(case)
    state = told(case.network, owner.component, case.node) if owner is not None else None
    edits = [tuple(_lost_jumps(case)), tuple(_own_rules(case, ranges))]
    norm = f"; {sibling[0]} does it" if sibling is not None else ""
    by = (
        f"restart {owner.name} on {case.node} ({restart(case.network, owner.component, case.node)}), or "
        if owner is not None
        else ""
    )
    return Explained(
        f"{case.node} does not masquerade Pods' packets to the outside: "
        f"they leave with addresses that nobody there can answer{norm}",
        "sent with the Pod's own address",
        tuple(one for one in edits if one),
        f"{by}add the rule for {listed(format_prefix(one) for one in ranges)}",
        risk=RISK,
        subject=case.node_ref,
        evidence=(
            case.netns.source("iptables-nft-save", "no masquerade for Pods"),
            *((sibling[1],) if sibling is not None else ()),
            *promised,
            *tracked,
            *(state.evidence if state is not None else ()),
        ),
        reason=state.text if state is not None else "",
    )


def _promised(case: Case) -> tuple[Origin, ...]:
    """The CNI's own configuration that says Pods are masqueraded."""
    known = case.network.nodes.get(case.node)
    facts = known.facts.flannel if known is not None and known.facts is not None else None
    config = config_in_use(known.cni or ()) if known is not None else None
    found = [facts.origin] if facts is not None and facts.ip_masq else []
    if config is not None and any(plugin.ip_masq for plugin in config.plugins):
        found.append(config.origin)
    return tuple(found)


def _unreplied(case: Case) -> Iterator[Origin]:
    """Tracked connections to outside that were never answered, and whose answer would go to the Pod itself."""
    ranges = pod_ranges(case.network, v4=case.trace.packet.v4)
    for entry in case.netns.conntrack or ():
        own = entry.reply.dst == entry.original.src and entry.original.proto in (TCP, UDP)
        dst = entry.original.dst
        outside = dst not in MULTICAST_V4 and not any(dst in one for one in ranges)
        if entry.unreplied and own and outside and any(entry.original.src in one for one in ranges):
            yield entry.origin


def _writer(case: Case) -> Owner | None:
    """Who writes such a rule here: by a chain that is there, or by flannel's own facts."""
    for table, base in source_chains(case.netns, v4=case.trace.packet.v4):
        for name in table.chains:
            owner = owner_of(table_id(table), name)
            if owner in CNIS and base.name != name:
                return owner
    known = case.network.nodes.get(case.node)
    return (
        FLANNEL if known is not None and known.facts is not None and known.facts.flannel is not None else None
    )


def _lost_jumps(case: Case) -> Iterator[InsertRule]:
    """Jumps to a CNI's chain that masquerades, where none comes to it."""
    for table, base in source_chains(case.netns, v4=case.trace.packet.v4):
        seen = reachable(table, base.name)
        for chain in table.chains.values():
            owner = owner_of(table_id(table), chain.name)
            if owner in CNIS and chain.name not in seen and any(map(masquerades, chain.rules)):
                jump = Rule(0, f"jump {chain.name}", (nl.Jump(chain.name),))
                rule = jump if table.backend == "native" else jump_to(base.name, chain.name)
                yield InsertRule(case.netns.id, table_id(table), base.name, rule, -1)


def _own_rules(case: Case, ranges: tuple[Prefix, ...]) -> Iterator[Edit]:
    """A masquerade of what leaves the Pods' range."""
    found = next(source_chains(case.netns, v4=case.trace.packet.v4), None)
    if found is None:
        return
    table, base = found
    for one in ranges:
        text = format_prefix(one)
        layer3 = "ip" if is_v4(one.net) else "ip6"
        plain = f"-A {base.name} -s {text} ! -d {text} -j MASQUERADE"
        native = f"{layer3} saddr {text} {layer3} daddr != {text} masquerade"
        items = (xt.AddressMatch("src", one), xt.AddressMatch("dst", one, negate=True), nl.Masquerade())
        rule = Rule(0, native if table.backend == "native" else plain, items)
        yield InsertRule(case.netns.id, table_id(table), base.name, rule, -1)
