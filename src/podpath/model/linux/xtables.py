"""Matches of iptables rules (iptables-extensions(8)), as values. ``negate`` is a leading ``!``."""

from __future__ import annotations

import enum

import msgspec

from podpath.model.addr import Prefix


class CtState(enum.IntFlag):
    """Connection states (and NAT status, which iptables lists among them)."""

    INVALID = 1
    ESTABLISHED = 2
    RELATED = 4
    NEW = 8
    UNTRACKED = 16
    SNAT = 32
    DNAT = 64


Ranges = tuple[tuple[int, int], ...]
"""Inclusive ranges."""


class AddressMatch(msgspec.Struct, frozen=True, gc=False):
    """``-s``, ``-d`` (side ``src``, ``dst``)."""

    side: str
    prefix: Prefix
    negate: bool = False


class InterfaceMatch(msgspec.Struct, frozen=True, gc=False):
    """``-i``, ``-o`` (side ``in``, ``out``); ``wildcard`` for a trailing ``+``; an absent name compares as empty."""

    side: str
    name: str
    wildcard: bool = False
    negate: bool = False


class ProtocolMatch(msgspec.Struct, frozen=True, gc=False):
    """``-p`` with the protocol's number; 0 is any."""

    protocol: int
    negate: bool = False


class FragmentMatch(msgspec.Struct, frozen=True, gc=False):
    """``-f``: second and further fragments."""

    negate: bool = False


class PortMatch(msgspec.Struct, frozen=True, gc=False):
    """``--sport``, ``--dport``, multiport: side ``src``, ``dst`` or ``either``."""

    side: str
    ranges: Ranges
    negate: bool = False


class TcpFlagsMatch(msgspec.Struct, frozen=True, gc=False):
    """``--tcp-flags MASK COMP``; bits FIN 1 SYN 2 RST 4 PSH 8 ACK 16 URG 32."""

    mask: int
    value: int
    negate: bool = False


class IcmpTypeMatch(msgspec.Struct, frozen=True, gc=False):
    """``--icmp-type``, ``--icmpv6-type``; ``codes`` is an inclusive range; type 255 is any."""

    type: int
    codes: tuple[int, int] = (0, 255)
    v4: bool = True
    negate: bool = False


class CtStateMatch(msgspec.Struct, frozen=True, gc=False):
    """``-m conntrack --ctstate``, ``-m state --state``: any of the listed; ``negate`` turns the whole."""

    states: CtState
    negate: bool = False


class CtTupleMatch(msgspec.Struct, frozen=True, gc=False):
    """``--ctorigsrc`` and its siblings. ``which``: origsrc origdst replsrc repldst, or these with ``port`` behind."""

    which: str
    prefix: Prefix | None = None
    ports: tuple[int, int] | None = None
    negate: bool = False


class CtFieldMatch(msgspec.Struct, frozen=True, gc=False):
    """``--ctdir`` and its siblings: ``which`` is dir, proto, status or expire; the value as printed."""

    which: str
    value: str
    negate: bool = False


class MarkMatch(msgspec.Struct, frozen=True, gc=False):
    """``(mark & mask) == value``; ``connection`` reads the connection's mark."""

    value: int
    mask: int = 0xFFFFFFFF
    connection: bool = False
    negate: bool = False


class AddrTypeMatch(msgspec.Struct, frozen=True, gc=False):
    """``-m addrtype``: side ``src``, ``dst``; ``limit`` is empty, ``in`` or ``out``."""

    side: str
    types: frozenset[str]
    limit: str = ""
    negate: bool = False


class StatisticMatch(msgspec.Struct, frozen=True, gc=False):
    """``-m statistic``: ``probability`` for mode random; mode nth is 1/every with unknown phase."""

    probability: float
    mode: str = "random"
    negate: bool = False


class RecentMatch(msgspec.Struct, frozen=True, gc=False):
    """``-m recent``: op set, rcheck, update, remove. ``set`` is always true; the rest depend on a list."""

    op: str
    name: str
    side: str = "src"
    seconds: int | None = None
    hitcount: int | None = None
    negate: bool = False


class SetMatch(msgspec.Struct, frozen=True, gc=False):
    """``-m set --match-set NAME src,dst``."""

    name: str
    sides: tuple[str, ...]
    return_nomatch: bool = False
    negate: bool = False
    conditional: str = ""
    """Counter conditions (``--packets-gt``), as printed: the match is then unknown."""


class PhysdevMatch(msgspec.Struct, frozen=True, gc=False):
    """``-m physdev``: which in, out (with name), is-in, is-out, is-bridged."""

    which: str
    name: str = ""
    wildcard: bool = False
    negate: bool = False


class RpFilterMatch(msgspec.Struct, frozen=True, gc=False):
    """``-m rpfilter``: true when the route back is right; ``negate`` for ``--invert``."""

    loose: bool = False
    validmark: bool = False
    accept_local: bool = False
    negate: bool = False


class OwnerMatch(msgspec.Struct, frozen=True, gc=False):
    """``-m owner``: which uid, gid or socket-exists; ids as an inclusive range."""

    which: str
    ids: tuple[int, int] = (0, 0)
    negate: bool = False


class SocketMatch(msgspec.Struct, frozen=True, gc=False):
    """``-m socket``: a local socket wants the packet."""

    transparent: bool = False
    nowildcard: bool = False
    negate: bool = False


class LengthMatch(msgspec.Struct, frozen=True, gc=False):
    """``-m length``: layer 3 length, inclusive."""

    lo: int
    hi: int
    negate: bool = False


class TtlMatch(msgspec.Struct, frozen=True, gc=False):
    """``-m ttl``, ``-m hl``: op eq, lt, gt."""

    op: str
    value: int
    negate: bool = False


class DscpMatch(msgspec.Struct, frozen=True, gc=False):
    """``-m dscp``, ``-m tos``: ``(tos & mask) == value`` on the whole byte."""

    value: int
    mask: int
    negate: bool = False


class PktTypeMatch(msgspec.Struct, frozen=True, gc=False):
    """``-m pkttype``: unicast, broadcast, multicast."""

    type: str
    negate: bool = False


class MacMatch(msgspec.Struct, frozen=True, gc=False):
    """``-m mac --mac-source``."""

    mac: str
    negate: bool = False


class RangeMatch(msgspec.Struct, frozen=True, gc=False):
    """``-m iprange``."""

    side: str
    lo: int
    hi: int
    negate: bool = False


class PolicyMatch(msgspec.Struct, frozen=True, gc=False):
    """``-m policy --dir in|out --pol none|ipsec``."""

    direction: str
    policy: str
    negate: bool = False


class LimitMatch(msgspec.Struct, frozen=True, gc=False):
    """``-m limit``: true for the first packets, so for the one asked about."""


class AlwaysMatch(msgspec.Struct, frozen=True, gc=False):
    """A match that is always true: comment, nfacct, an ``-m`` without options."""

    name: str


class NeverMatch(msgspec.Struct, frozen=True, gc=False):
    """A match that is never true for the packets walked here (dccp ports on TCP, ``-m ah`` ...)."""

    name: str
    negate: bool = False


class UnknownMatch(msgspec.Struct, frozen=True, gc=False):
    """A match that was not understood, or whose state is not in a bundle."""

    text: str


Match = (
    AddressMatch
    | InterfaceMatch
    | ProtocolMatch
    | FragmentMatch
    | PortMatch
    | TcpFlagsMatch
    | IcmpTypeMatch
    | CtStateMatch
    | CtTupleMatch
    | CtFieldMatch
    | MarkMatch
    | AddrTypeMatch
    | StatisticMatch
    | RecentMatch
    | SetMatch
    | PhysdevMatch
    | RpFilterMatch
    | OwnerMatch
    | SocketMatch
    | LengthMatch
    | TtlMatch
    | DscpMatch
    | PktTypeMatch
    | MacMatch
    | RangeMatch
    | PolicyMatch
    | LimitMatch
    | AlwaysMatch
    | NeverMatch
    | UnknownMatch
)
