"""A netfilter hook: every base chain that is registered there, in order of priority, conntrack and NAT in their places.

Chains of both iptables back ends and of native nftables stand side by side (nf_register_net_hook). The order at one
hook is by priority; NAT chains run inside the NAT hook, whatever priority they were given (nf_nat_core.c).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from podpath.dataplane.chains import Ruling, run_base_chain
from podpath.dataplane.conntrack import CtView, Direction
from podpath.dataplane.errors import heard
from podpath.dataplane.nat import DST_HOOKS, apply_mapping, set_up, tracks, translate
from podpath.dataplane.walk import Outcome, Walk
from podpath.model.flow import UDP, Packet
from podpath.model.linux import netfilter as nl
from podpath.model.linux.netfilter import CONNTRACK_PRIORITY, Base, Chain, Table
from podpath.model.linux.xtables import CtState
from podpath.model.network import Netns
from podpath.model.trace import Disposition, Step, Symptom

TRACKING_HOOKS = ("prerouting", "output")
CONFIRMING_HOOKS = ("postrouting", "input")


class Station(NamedTuple):
    """One thing that happens at a hook: a filter chain, the conntrack look-up, or the NAT hook with its chains."""

    priority: int
    kind: str
    """chain, conntrack or nat."""
    chains: tuple[tuple[Table, Chain], ...] = ()
    other_order: tuple[tuple[Table, Chain], ...] = ()
    """The same chains in the other order they may stand in, where a dump does not show which."""


def stations(netns: Netns, hook: str, *, v4: bool) -> tuple[Station, ...]:
    """What happens at a hook of a namespace, in order; empty when no rule of any table stands there."""
    key = (hook, v4)
    found: tuple[Station, ...] | None = netns.derived.get(key)
    if found is None:
        found = netns.derived[key] = _stations(netns, hook, v4=v4)
    return found


def _stations(netns: Netns, hook: str, *, v4: bool) -> tuple[Station, ...]:
    families = ("inet", "ip" if v4 else "ip6")
    tables = [table for table in netns.tables if table.family in families]
    if not any(table.base_chains for table in tables):
        return ()
    found: list[Station] = []
    nat: list[tuple[Table, Chain, Base]] = []
    for table in tables:
        for chain in reversed(table.base_chains):
            base = chain.base
            if base is None or base.hook != hook or (base.policy == "accept" and not chain.rules):
                continue
            if base.type == "nat":
                nat.append((table, chain, base))
            else:
                found.append(Station(base.priority, "chain", ((table, chain),)))
    found.sort(key=lambda station: (station.priority, *_newest_first(station.chains[0][0])))
    if hook in TRACKING_HOOKS:
        found.append(Station(CONNTRACK_PRIORITY, "conntrack"))
    if hook != "forward":
        found.append(_nat_station(nat, hook))
    return tuple(sorted(found, key=lambda station: station.priority))


def _newest_first(table: Table) -> tuple[bool, int]:
    """The order of chains of one priority: the one that was registered last runs first (nf_hook_entries_grow).

    Nft lists tables in the order they were made, and when a table of x_tables was made no dump shows.
    """
    return table.backend == "legacy", -table.order


def _nat_station(nat: list[tuple[Table, Chain, Base]], hook: str) -> Station:
    """The NAT hook with its chains; where one of x_tables stands beside others of its priority, in both orders."""
    first = sorted(nat, key=lambda item: (item[2].priority, *_newest_first(item[0])))
    then = sorted(nat, key=lambda item: (item[2].priority, item[0].backend != "legacy", -item[0].order))
    orders = [tuple((table, chain) for table, chain, _ in order) for order in (first, then)]
    return Station(
        -100 if hook in DST_HOOKS else 100, "nat", orders[0], orders[1] if orders[0] != orders[1] else ()
    )


def run_hook(walk: Walk, hook: str, reroute: Callable[[Walk], Outcome] | None = None) -> Outcome:
    """Everything at one hook. ``Outcome.NEXT`` when the packet lives on.

    ``reroute`` is called at once where what the packet is routed by was changed.
    """
    name = hook.upper()
    for station in stations(walk.netns, hook, v4=walk.v4):
        if station.kind == "conntrack":
            outcome = _conntrack(walk, name)
        elif station.kind == "nat":
            outcome = _nat(walk, hook, station)
        else:
            table, chain = station.chains[0]
            before = walk.packet
            outcome = _obey(walk, name, table, run_base_chain(table, chain, walk))
            walk.rerouted = walk.rerouted or (
                walk.packet is not before and _routes(table, chain) and _way(before) != _way(walk.packet)
            )
        if outcome is not Outcome.END and walk.rerouted and reroute is not None:
            walk.rerouted = False
            outcome = reroute(walk)
        if outcome is Outcome.END:
            return outcome
    if (
        hook in CONFIRMING_HOOKS
        and walk.ct is not None
        and walk.ct.entry is not None
        and not walk.ct.entry.confirmed
    ):
        walk.tracker.confirm(walk.netns.id, walk.ct.entry)
    return _unseen(walk, hook)


def _routes(table: Table, chain: Chain) -> bool:
    """Whether a chain's changes are routed anew: mangle OUTPUT (ipt_mangle_out), nft chains of type route."""
    return chain.base is not None and (
        chain.base.type == "route" or (table.backend != "native" and table.name == "mangle")
    )


def _way(packet: Packet) -> tuple[int, ...]:
    """What the way of a packet depends on."""
    return packet.src, packet.dst, packet.mark, packet.tos


def run_bridge_hook(walk: Walk, hook: str) -> Outcome:
    """The chains of nft family bridge (and ebtables-nft) at a hook of a bridge, where devices are the ports."""
    if not any(table.family == "bridge" for table in walk.netns.tables):
        return Outcome.NEXT
    devices = walk.iif, walk.oif
    walk.iif, walk.oif = walk.sender_port, walk.phys_out
    outcome = _run_bridge_chains(walk, hook)
    walk.iif, walk.oif = devices
    return outcome


def _run_bridge_chains(walk: Walk, hook: str) -> Outcome:
    for table in walk.netns.tables:
        if table.family != "bridge":
            continue
        chains = [chain for chain in table.base_chains if chain.base is not None and chain.base.hook == hook]
        for chain in sorted(chains, key=lambda one: one.base.priority if one.base is not None else 0):
            if _obey(walk, f"bridge {hook}", table, run_base_chain(table, chain, walk)) is Outcome.END:
                return Outcome.END
    return Outcome.NEXT


def _unseen(walk: Walk, hook: str) -> Outcome:
    """Rules that were not collected may stand here."""
    for source in walk.netns.unread_tables:
        if source.startswith("ip6") == walk.v4:
            continue
        question = (
            f"the rules of {walk.netns.folder}/{source} were not collected: do they let this pass at {hook}?"
        )
        if walk.decider.unknown(question):
            return walk.blind(hook.upper(), question)
    return Outcome.NEXT


def _conntrack(walk: Walk, hook: str) -> Outcome:
    if walk.ct is not None:
        return Outcome.NEXT
    sysctls = walk.netns.sysctls
    loose = sysctls is None or sysctls.number("net.netfilter.nf_conntrack_tcp_loose", 1) != 0
    view = walk.tracker.look_up(walk.netns, walk.packet, loose=loose, related=walk.related)
    walk.ct = view
    if (
        view.entry is not None
        and view.state is CtState.NEW
        and not view.entry.confirmed
        and sysctls is not None
    ):
        count = sysctls.number("net.netfilter.nf_conntrack_count")
        most = sysctls.number("net.netfilter.nf_conntrack_max")
        if count is not None and most and count >= most:
            step = Step(
                hook,
                f"the conntrack table is full: {count} of {most} entries",
                sysctls.origin("net.netfilter.nf_conntrack_count"),
                kind="conntrack-full",
                key="net.netfilter.nf_conntrack_max",
                packet=walk.packet,
            )
            return walk.end(Disposition.NO_STATE, Symptom.TIMEOUT, step)
    return Outcome.NEXT


def _nat(walk: Walk, hook: str, station: Station) -> Outcome:
    """The NAT hook; a new destination is routed anew (nf_nat_ipv4_local_fn)."""
    before = walk.packet.dst
    outcome = _translate(walk, hook, station)
    walk.rerouted = walk.rerouted or walk.packet.dst != before
    return outcome


def _translate(walk: Walk, hook: str, station: Station) -> Outcome:
    view = walk.ct
    if view is None or view.entry is None or view.state is CtState.UNTRACKED:
        return Outcome.NEXT
    destination = hook in DST_HOOKS
    entry = view.entry
    if view.state is not CtState.RELATED and view.direction is Direction.ORIGINAL and not entry.confirmed:
        if destination and not entry.dst_done:
            entry.dst_done = True
        elif not destination and not entry.src_done:
            entry.src_done = True
        else:
            return Outcome.NEXT
        return _first_packet(walk, hook, station, view)
    translate(walk, hook.upper(), view, destination=destination)
    return Outcome.NEXT


def _first_packet(walk: Walk, hook: str, station: Station, view: CtView) -> Outcome:
    """The NAT rules: the first chain that sets a mapping up wins."""
    for table, chain in _in_order(walk, hook, station):
        ruling = run_base_chain(table, chain, walk)
        if isinstance(ruling.target, nl.Dnat | nl.Snat | nl.Masquerade | nl.Redirect | nl.Netmap):
            return _map(walk, hook, table, ruling, view)
        if isinstance(ruling.target, nl.Drop | nl.Reject) and not tracks(walk.netns, v4=walk.v4):
            return Outcome.NEXT
        outcome = _obey(walk, hook.upper(), table, ruling)
        if outcome is Outcome.END:
            return outcome
    return Outcome.NEXT


def _in_order(walk: Walk, hook: str, station: Station) -> tuple[tuple[Table, Chain], ...]:
    if station.other_order and walk.decider.suppose(
        f"were the NAT rules of iptables-legacy at {hook} of {walk.netns.folder} loaded last"
    ):
        return station.other_order
    return station.chains


def _map(walk: Walk, hook: str, table: Table, ruling: Ruling, view: CtView) -> Outcome:
    mapping = set_up(walk, hook, ruling.target)
    if isinstance(mapping, str):
        rule = ruling.rule
        return walk.blind(
            hook.upper(),
            mapping,
            table.origin(rule) if rule is not None else table.chain_origin(table.chains[ruling.chain]),
        )
    before = walk.packet
    apply_mapping(walk, view, mapping, destination=hook in DST_HOOKS)
    what = "destination" if hook in DST_HOOKS else "source"
    text = f"{what} translated: {before} => {walk.packet}"
    walk.note_rule(
        hook.upper(), text, table, ruling.chain, ruling.rule, hook=hook, kind="", packet=walk.packet
    )
    return Outcome.NEXT


def _obey(walk: Walk, hook: str, table: Table, ruling: Ruling) -> Outcome:
    """What a filter chain decided."""
    target, rule = ruling.target, ruling.rule
    match target:
        case nl.Accept() | nl.Continue() | nl.Noop() | nl.Return():
            if (
                rule is not None
                and hook in ("FORWARD", "INPUT", "OUTPUT")
                and table.name not in ("raw", "mangle", "nat")
            ):
                walk.note_rule(hook, "accepted", table, ruling.chain, rule, hook=hook.lower())
            return Outcome.NEXT
        case nl.Drop():
            kind = "rule-drop" if rule is not None else "chain-policy-drop"
            text = (
                "dropped"
                if rule is not None
                else "dropped: no rule accepts it and the chain's policy is DROP"
            )
            walk.note_rule(
                hook, text, table, ruling.chain, rule, kind=kind, hook=hook.lower(), packet=walk.packet
            )
            return walk.end(
                DENIED.get(hook, Disposition.DENIED_FORWARD),
                Symptom.NOT_PERMITTED if _told_at_once(walk) else Symptom.TIMEOUT,
            )
        case nl.Reject(how=how):
            walk.note_rule(
                hook,
                f"rejected with {how}",
                table,
                ruling.chain,
                rule,
                kind="rule-reject",
                hook=hook.lower(),
                packet=walk.packet,
            )
            if _told_at_once(walk):
                return walk.end(DENIED.get(hook, Disposition.DENIED_FORWARD), Symptom.NOT_PERMITTED)
            walk.error = how
            return walk.end(DENIED.get(hook, Disposition.DENIED_FORWARD), heard(how, walk.packet))
        case nl.Queue(bypass=bypass):
            question = f"what the program behind queue {target.number} decides" + (
                " (it may be absent: bypass)" if bypass else ""
            )
            return walk.blind(
                hook, question, table.origin(rule) if rule is not None else walk.netns.source(table.name)
            )
        case nl.Tproxy():
            return walk.blind(
                hook,
                "whether a transparent proxy takes the packet",
                table.origin(rule) if rule else walk.netns.source(table.name),
            )
        case nl.UnknownTarget(text=text):
            origin = (
                table.origin(rule) if rule is not None else table.chain_origin(table.chains[ruling.chain])
            )
            return walk.blind(hook, f"what this does: {text}", origin)
    return Outcome.NEXT


DENIED = {
    "PREROUTING": Disposition.DENIED_FORWARD,
    "INPUT": Disposition.DENIED_IN,
    "FORWARD": Disposition.DENIED_FORWARD,
    "OUTPUT": Disposition.DENIED_OUT,
    "POSTROUTING": Disposition.DENIED_OUT,
}


def _told_at_once(walk: Walk) -> bool:
    """A dropped datagram of this host's own fails its send (udp_send_skb; TCP's timers take no notice)."""
    return walk.local_out and walk.packet.protocol == UDP and walk.inner is None
