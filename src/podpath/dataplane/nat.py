"""Address translation: what a NAT target maps to, and what a mapping does to packets (nf_nat_core.c)."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from podpath.dataplane.conntrack import CtView, Direction, inverted
from podpath.dataplane.routing import select_address
from podpath.dataplane.walk import Walk
from podpath.model.addr import LOOPBACK_V6, V4_MAPPED, is_v4
from podpath.model.linux import netfilter as nl
from podpath.model.linux import nftables as nf
from podpath.model.linux import xtables as xt
from podpath.model.linux.conntrack import Tuple
from podpath.model.linux.netfilter import Target
from podpath.model.network import Netns

DST_HOOKS = ("prerouting", "output")
MOST_OF_A_RANGE = 16
"""Of a longer range its ends and its middle stand for the rest."""
TRACKING = (
    nl.Dnat,
    nl.Snat,
    nl.Masquerade,
    nl.Redirect,
    nl.Netmap,
    nl.SetConnmark,
    nl.Notrack,
    nf.NftNat,
    xt.CtStateMatch,
    xt.CtTupleMatch,
)
LOCALHOST_V4 = V4_MAPPED | 0x7F000001


class Mapping(NamedTuple):
    """The new address and port; None keeps the old."""

    addr: int | None
    port: int | None


def set_up(walk: Walk, hook: str, target: Target) -> Mapping | str:
    """The mapping a target asks for, or a sentence saying what of it is not known."""
    match target:
        case nl.Dnat(addr=addr, port=port, options=options) | nl.Snat(addr=addr, port=port, options=options):
            return Mapping(_address(walk, addr), _port(walk, port, options, destination=hook in DST_HOOKS))
        case nl.Masquerade(port=span, options=options):
            free = _port(walk, span, options, destination=False)
            towards = (
                walk.hop.gateway if walk.hop is not None and walk.hop.gateway is not None else walk.packet.dst
            )
            if is_v4(towards) != walk.v4:
                towards = walk.packet.dst
            if walk.netns.addresses is None:
                return f"which address {walk.oif} has"
            chosen = select_address(walk.netns, walk.oif, towards)
            return (
                Mapping(chosen.addr, free)
                if chosen is not None
                else f"which address {walk.oif} has: it has none"
            )
        case nl.Redirect(port=port):
            to = _port(walk, port, "", destination=True)
            if hook == "output":
                return Mapping(LOCALHOST_V4 if walk.v4 else LOOPBACK_V6, to)
            own = [
                a
                for a in walk.netns.addresses or ()
                if a.dev == walk.iif and is_v4(a.addr) == walk.v4 and not a.secondary
            ]
            return Mapping(own[0].addr, to) if own else f"which address {walk.iif} has"
        case nl.Netmap(to=to_prefix):
            addr_now = walk.packet.dst if hook in DST_HOOKS else walk.packet.src
            return Mapping((addr_now & ~to_prefix.mask) | to_prefix.net, None)
    return "what this translation does"


def _address(walk: Walk, span: tuple[int, int] | None) -> int | None:
    """An address of a range is chosen by a hash of the packet's addresses (find_best_ips_proto): nobody knows which."""
    if span is None or span[0] == span[1]:
        return None if span is None else span[0]
    some = _some(span)
    return some[walk.decider.unknown("which address of the range the translation takes", len(some))]


def _port(walk: Walk, span: tuple[int, int] | None, options: str, *, destination: bool) -> int | None:
    """A port of a range (nf_nat_l4proto_unique_tuple).

    Shifted from a base; the packet's own where it lies in it; the first of destinations, any of sources.
    """
    if span is None or span[0] == span[1]:
        return None if span is None else span[0]
    now = walk.packet.dport if destination else walk.packet.sport
    base = next((int(word[5:]) for word in options.split() if word.startswith("base=")), 0)
    if base:
        return span[0] + ((now - base) & 0xFFFF) % (span[1] - span[0] + 1)
    if "random" not in options:
        if span[0] <= now <= span[1]:
            return now
        if destination:
            return span[0]
    some = _some(span)
    return some[walk.decider.random((1.0,) * len(some), "which port of the range the translation takes")]


def _some(span: tuple[int, int]) -> tuple[int, ...]:
    low, high = span
    return tuple(range(low, high + 1)) if high - low < MOST_OF_A_RANGE else (low, (low + high) // 2, high)


def tracks(netns: Netns, *, v4: bool) -> bool:
    """Whether any rule makes the namespace track connections (nf_ct_netns_get): without one no NAT chain is visited."""
    families = ("inet", "ip" if v4 else "ip6")
    chains = (chain for table in netns.tables if table.family in families for chain in table.chains.values())
    return any(
        isinstance(item, TRACKING) or "ct " in rule.text
        for chain in chains
        for rule in chain.rules
        for item in rule.items
    )


def apply_mapping(walk: Walk, view: CtView, mapping: Mapping, *, destination: bool) -> None:
    """Change the first packet, and the tuple that the entry expects of replies (nf_nat_setup_info)."""
    entry = view.entry
    if entry is None:
        return
    packet = walk.packet
    if destination:
        addr = packet.dst if mapping.addr is None else mapping.addr
        port = packet.dport if mapping.port is None else mapping.port
        changed = (addr, port) != (packet.dst, packet.dport)
        entry.dnat = entry.dnat or changed
        entry.reply = _with_source(entry.reply, addr, port)
        walk.packet = msgspec.structs.replace(packet, dst=addr, dport=port)
    else:
        addr = packet.src if mapping.addr is None else mapping.addr
        port = packet.sport if mapping.port is None else mapping.port
        entry.snat = entry.snat or (addr, port) != (packet.src, packet.sport)
        entry.reply = _with_destination(entry.reply, addr, port)
        walk.packet = msgspec.structs.replace(packet, src=addr, sport=port)


def _with_source(one: Tuple, addr: int, port: int) -> Tuple:
    return one._replace(src=addr, sport=port)


def _with_destination(one: Tuple, addr: int, port: int) -> Tuple:
    return one._replace(dst=addr, dport=port)


def translate(walk: Walk, hook: str, view: CtView, *, destination: bool) -> None:
    """A packet of a known connection takes the addresses of its mapping (nf_nat_packet, nf_nat_manip_pkt).

    The addresses it shall have are those of the other direction's tuple, turned around.
    """
    entry = view.entry
    if entry is None:
        return
    turned = view.direction is Direction.REPLY
    if not (entry.snat if destination == turned else entry.dnat):
        return
    wanted = inverted(entry.original if turned else entry.reply)
    before = walk.packet
    if walk.related is not None:
        _translate_error(walk, wanted, destination=destination)
    elif destination:
        walk.packet = msgspec.structs.replace(before, dst=wanted.dst, dport=wanted.dport)
    else:
        walk.packet = msgspec.structs.replace(before, src=wanted.src, sport=wanted.sport)
    if walk.packet != before:
        walk.note(
            hook,
            f"translated as the connection is: {before} => {walk.packet}",
            key="conntrack",
            packet=walk.packet,
        )


def _translate_error(walk: Walk, wanted: Tuple, *, destination: bool) -> None:
    """An ICMP error, and in it the packet it is about, which goes the other way (nf_nat_icmp_reply_translation)."""
    if walk.related is None:
        return
    if destination:
        walk.packet = msgspec.structs.replace(walk.packet, dst=wanted.dst)
        walk.related = msgspec.structs.replace(walk.related, src=wanted.dst, sport=wanted.dport)
    else:
        walk.packet = msgspec.structs.replace(walk.packet, src=wanted.src)
        walk.related = msgspec.structs.replace(walk.related, dst=wanted.src, dport=wanted.sport)
