"""Address translation: what a NAT target maps to, and what a mapping does to packets (nf_nat_core.c)."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from podpath.dataplane.conntrack import CtView, Direction, inverted
from podpath.dataplane.routing import select_address
from podpath.dataplane.walk import Walk
from podpath.model.addr import LOOPBACK_V6, V4_MAPPED, is_v4
from podpath.model.linux import netfilter as nl
from podpath.model.linux.conntrack import Tuple
from podpath.model.linux.netfilter import Target

LOCALHOST_V4 = V4_MAPPED | 0x7F000001


class Mapping(NamedTuple):
    """The new address and port; None keeps the old."""

    addr: int | None
    port: int | None


def set_up(walk: Walk, hook: str, target: Target) -> Mapping | str:
    """The mapping a target asks for, or a sentence saying what of it is not known."""
    match target:
        case nl.Dnat(addr=addr, port=port) | nl.Snat(addr=addr, port=port):
            if addr is not None and addr[0] != addr[1]:
                picked = walk.decider.unknown("which address of the range the translation takes", 2)
                return Mapping(addr[picked], None if port is None else port[0])
            return Mapping(None if addr is None else addr[0], None if port is None else port[0])
        case nl.Masquerade(port=port):
            towards = walk.hop.gateway if walk.hop is not None and walk.hop.gateway is not None else walk.packet.dst
            if is_v4(towards) != walk.v4:
                towards = walk.packet.dst
            if walk.netns.addresses is None:
                return f"which address {walk.oif} has"
            chosen = select_address(walk.netns, walk.oif, towards)
            return Mapping(chosen.addr, None) if chosen is not None else f"which address {walk.oif} has: it has none"
        case nl.Redirect(port=port):
            to = None if port is None else port[0]
            if hook == "output":
                return Mapping(LOCALHOST_V4 if walk.v4 else LOOPBACK_V6, to)
            own = [a for a in walk.netns.addresses or () if a.dev == walk.iif and is_v4(a.addr) == walk.v4 and not a.secondary]
            return Mapping(own[0].addr, to) if own else f"which address {walk.iif} has"
        case nl.Netmap(to=to_prefix):
            addr_now = walk.packet.dst if hook in ("prerouting", "output") else walk.packet.src
            return Mapping((addr_now & ~to_prefix.mask) | to_prefix.net, None)
    return "what this translation does"


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
        walk.note(hook, f"translated as the connection is: {before} => {walk.packet}", key="conntrack", packet=walk.packet)


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
