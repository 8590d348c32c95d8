"""Connection tracking of the connections a question makes (nf_conntrack_core.c, nf_nat_core.c)."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from podpath.model.flow import ICMP, ICMPV6, TCP, Packet
from podpath.model.linux.conntrack import Tuple
from podpath.model.linux.xtables import CtState
from podpath.model.refs import NetnsId


@dataclass
class Entry:
    """A tracked connection while it is walked; mutable, as the kernel's ``nf_conn`` is."""

    original: Tuple
    reply: Tuple
    confirmed: bool = False
    seen_reply: bool = False
    dnat: bool = False
    snat: bool = False
    dst_done: bool = False
    """Whether the first packet has passed the destination NAT rules."""
    src_done: bool = False
    mark: int = 0


class Direction(enum.Enum):
    """Which of an entry's tuples a packet has."""

    ORIGINAL = 0
    REPLY = 1


@dataclass
class CtView:
    """What conntrack says of the packet at hand: ``skb->_nfct``."""

    state: CtState
    entry: Entry | None = None
    direction: Direction = Direction.ORIGINAL

    @property
    def flags(self) -> CtState:
        """The state with the NAT status bits, as ``--ctstate`` tests them."""
        flags = self.state
        if self.entry is not None:
            if self.entry.snat:
                flags |= CtState.SNAT
            if self.entry.dnat:
                flags |= CtState.DNAT
        return flags


UNTRACKED = CtView(CtState.UNTRACKED)


def packet_tuple(packet: Packet) -> Tuple:
    """The tuple of a packet; ICMP errors have none of their own."""
    if packet.protocol in (ICMP, ICMPV6):
        return Tuple(packet.protocol, packet.src, packet.dst, packet.sport, 0)
    return Tuple(packet.protocol, packet.src, packet.dst, packet.sport, packet.dport)


def inverted(one: Tuple) -> Tuple:
    """The tuple of the other way."""
    if one.proto in (ICMP, ICMPV6):
        return Tuple(one.proto, one.dst, one.src, one.sport, 0)
    return Tuple(one.proto, one.dst, one.src, one.dport, one.sport)


class Tracker:
    """The tables of all namespaces, with the entries that this question made."""

    def __init__(self) -> None:
        """Begin with no entries."""
        self._entries: dict[tuple[NetnsId, Tuple], tuple[Entry, Direction]] = {}

    def look_up(self, netns: NetnsId, packet: Packet, *, loose: bool, related: Packet | None) -> CtView:
        """What a packet without one gets at priority -200 (nf_conntrack_in)."""
        if related is not None:
            # an ICMP error goes the other way than the packet inside it (nf_conntrack_inet_error)
            found = self._entries.get((netns, inverted(packet_tuple(related))))
            return CtView(CtState.INVALID) if found is None else CtView(CtState.RELATED, *found)
        found = self._entries.get((netns, packet_tuple(packet)))
        if found is not None:
            entry, direction = found
            if direction is Direction.REPLY:
                entry.seen_reply = True
            return CtView(CtState.ESTABLISHED if entry.seen_reply else CtState.NEW, entry, direction)
        if packet.protocol == TCP and not _may_begin(packet.tcp_flags, loose=loose):
            return CtView(CtState.INVALID)
        original = packet_tuple(packet)
        return CtView(CtState.NEW, Entry(original, inverted(original)))

    def confirm(self, netns: NetnsId, entry: Entry) -> None:
        """The entry takes its place in the table (nf_conntrack_confirm); the first of two wins."""
        entry.confirmed = True
        self._entries.setdefault((netns, entry.original), (entry, Direction.ORIGINAL))
        self._entries.setdefault((netns, entry.reply), (entry, Direction.REPLY))


def _may_begin(flags: int, *, loose: bool) -> bool:
    """Whether a TCP packet without an entry begins one (nf_conntrack_proto_tcp.c, tcp_new)."""
    syn, rst, fin, ack = flags & 2, flags & 4, flags & 1, flags & 16
    if rst or (syn and (ack or fin)):
        return False
    if syn:
        return True
    return loose and bool(ack) and not fin
