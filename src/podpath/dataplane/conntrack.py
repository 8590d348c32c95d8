"""Connection tracking of the connections a question makes (nf_conntrack_core.c, nf_nat_core.c)."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from podpath.model.flow import ICMP, ICMPV6, TCP, UDP, Packet
from podpath.model.linux.conntrack import ConntrackEntry, Tuple
from podpath.model.linux.xtables import CtState
from podpath.model.network import Netns
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
    handshake: bool = False
    """Whether it began with a SYN: then an answer must be seen before anything else."""


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
SYN = 2


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
    """The tables of all namespaces, with the entries that this question made.

    ``remembers``: whether a datagram may belong to a connection of the dump. It does not when its source port is one
    that nobody chose; and a new SYN makes a new connection in most states of an old one (tcp_conntracks).
    """

    def __init__(self, *, remembers: bool = False) -> None:
        """Begin with no entries of our own."""
        self._remembers = remembers
        self._entries: dict[tuple[NetnsId, Tuple], tuple[Entry, Direction]] = {}

    def look_up(self, netns: Netns, packet: Packet, *, loose: bool, related: Packet | None) -> CtView:
        """What a packet without one gets at priority -200 (nf_conntrack_in)."""
        if related is not None:
            # an ICMP error goes the other way than the packet inside it (nf_conntrack_inet_error)
            found = self._find(netns, inverted(packet_tuple(related)))
            return CtView(CtState.INVALID) if found is None else CtView(CtState.RELATED, *found)
        found = self._find(netns, packet_tuple(packet))
        if found is not None:
            entry, direction = found
            if direction is Direction.REPLY:
                entry.seen_reply = True
            elif entry.handshake and not entry.seen_reply and not packet.tcp_flags & SYN:
                # an ACK to a SYN-ACK that did not come by here (tcp_conntracks: ack in SYN_SENT)
                return CtView(CtState.INVALID)
            return CtView(CtState.ESTABLISHED if entry.seen_reply else CtState.NEW, entry, direction)
        if packet.protocol == TCP and not _may_begin(packet.tcp_flags, loose=loose):
            return CtView(CtState.INVALID)
        original = packet_tuple(packet)
        handshake = packet.protocol == TCP and bool(packet.tcp_flags & SYN)
        return CtView(CtState.NEW, Entry(original, inverted(original), handshake=handshake))

    def _find(self, netns: Netns, one: Tuple) -> tuple[Entry, Direction] | None:
        found = self._entries.get((netns.id, one))
        if found is not None or not self._remembers or one.proto != UDP or not netns.conntrack:
            return found
        known = _index(netns).get(one)
        if known is None:
            return None
        self.confirm(netns.id, _entry(known))
        return self._entries[netns.id, one]

    def confirm(self, netns: NetnsId, entry: Entry) -> None:
        """The entry takes its place in the table (nf_conntrack_confirm); the first of two wins."""
        entry.confirmed = True
        self._entries.setdefault((netns, entry.original), (entry, Direction.ORIGINAL))
        self._entries.setdefault((netns, entry.reply), (entry, Direction.REPLY))


def _entry(known: ConntrackEntry) -> Entry:
    """An entry of the dump: its translation stays as it is, whatever the rules say now."""
    there, back = known.original, inverted(known.reply)
    dnat, snat = (
        (there.dst, there.dport) != (back.dst, back.dport),
        (there.src, there.sport) != (back.src, back.sport),
    )
    return Entry(known.original, known.reply, True, not known.unreplied, dnat, snat, True, True, known.mark)


_INDEXES: WeakKeyDictionary[Netns, dict[Tuple, ConntrackEntry]] = WeakKeyDictionary()


def _index(netns: Netns) -> dict[Tuple, ConntrackEntry]:
    index = _INDEXES.get(netns)
    if index is None:
        entries = [entry for entry in netns.conntrack or () if entry.original.proto == UDP]
        index = _INDEXES[netns] = {side: entry for entry in entries for side in (entry.reply, entry.original)}
    return index


def _may_begin(flags: int, *, loose: bool) -> bool:
    """Whether a TCP packet without an entry begins one (nf_conntrack_proto_tcp.c, tcp_new)."""
    syn, rst, fin, ack = flags & 2, flags & 4, flags & 1, flags & 16
    if rst or (syn and (ack or fin)):
        return False
    if syn:
        return True
    return loose and bool(ack) and not fin
