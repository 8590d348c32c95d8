"""Expressions, statements and sets of nft rules (libnftables-json(5)), as values.

Addresses are ints of the common space (``model.addr``), ports, protocols and marks ints, device names strings.
"""

from __future__ import annotations

import msgspec

from podpath.model.addr import Prefix
from podpath.model.origin import NOWHERE, Origin


class Const(msgspec.Struct, frozen=True, gc=False):
    """A number, address or name."""

    value: int | str


class PrefixExpr(msgspec.Struct, frozen=True, gc=False):
    """A network."""

    prefix: Prefix


class RangeExpr(msgspec.Struct, frozen=True, gc=False):
    """An inclusive range."""

    lo: int
    hi: int


class WildcardExpr(msgspec.Struct, frozen=True, gc=False):
    """A device name with a trailing ``*``: everything that begins with ``start``."""

    start: str


class NamedSet(msgspec.Struct, frozen=True, gc=False):
    """``@name``: a set or map of the same table."""

    name: str


class Payload(msgspec.Struct, frozen=True, gc=False):
    """A header field: protocol ip, ip6, tcp, udp, sctp, th, ether, icmp, icmpv6, arp ...; the field as nft names it."""

    protocol: str
    field: str


class Meta(msgspec.Struct, frozen=True, gc=False):
    """``meta KEY``: mark, iif, iifname, oifname, l4proto, nfproto, pkttype, skuid, length, protocol, ibrname ..."""

    key: str


class CtKey(msgspec.Struct, frozen=True, gc=False):
    """``ct [original|reply] KEY``: state, status, mark, direction, saddr, daddr, proto-src, proto-dst, zone, id ..."""

    key: str
    direction: str = ""
    v4: bool | None = None


class Fib(msgspec.Struct, frozen=True, gc=False):
    """``fib FLAGS RESULT``: flags saddr daddr mark iif oif; result type, oif, oifname."""

    result: str
    flags: tuple[str, ...]


class Numgen(msgspec.Struct, frozen=True, gc=False):
    """``numgen random|inc mod N offset O``: a choice of N."""

    mode: str
    mod: int
    offset: int = 0


class HashExpr(msgspec.Struct, frozen=True, gc=False):
    """``jhash`` or ``symhash``: one of N, the same for a connection, but which one is not known."""

    mod: int
    offset: int = 0
    text: str = ""


class Concat(msgspec.Struct, frozen=True):
    """``a . b``."""

    parts: tuple[Expr, ...]


class Binary(msgspec.Struct, frozen=True):
    """``left OP right`` on numbers: & | ^ << >>."""

    op: str
    left: Expr
    right: Expr


class MapLookup(msgspec.Struct, frozen=True):
    """``key map { ... }``: the value that belongs to the key; no entry breaks the rule."""

    key: Expr
    data: Expr


class VerdictExpr(msgspec.Struct, frozen=True, gc=False):
    """A verdict as the value of a map: accept drop return continue jump goto (with chain)."""

    verdict: str
    chain: str = ""


class SetElement(msgspec.Struct, frozen=True):
    """A key of a set, or key and value of a map."""

    key: Expr
    data: Expr | None = None
    timeout_s: int | None = None
    comment: str = ""


class SetExpr(msgspec.Struct, frozen=True):
    """An anonymous set or map."""

    elements: tuple[SetElement, ...]


class UnknownExpr(msgspec.Struct, frozen=True, gc=False):
    """An expression that was not understood."""

    text: str


Expr = (
    Const
    | PrefixExpr
    | RangeExpr
    | WildcardExpr
    | NamedSet
    | Payload
    | Meta
    | CtKey
    | Fib
    | Numgen
    | HashExpr
    | Concat
    | Binary
    | MapLookup
    | VerdictExpr
    | SetExpr
    | UnknownExpr
)


class NftMatch(msgspec.Struct, frozen=True):
    """``left OP right``: == != < > <= >= in (bits: any of; also what nft prints for a flag or set test)."""

    op: str
    left: Expr
    right: Expr


class Vmap(msgspec.Struct, frozen=True):
    """``key vmap DATA``: the verdict that belongs to the key; no entry goes on with the next statement."""

    key: Expr
    data: Expr


class Mangle(msgspec.Struct, frozen=True):
    """``KEY set VALUE``: meta mark, ct mark, meta nftrace, ip ttl ..."""

    key: Expr
    value: Expr


class NftNat(msgspec.Struct, frozen=True):
    """``dnat``, ``snat``, ``masquerade``, ``redirect``; ``addr`` may be a Concat of address and port."""

    kind: str
    addr: Expr | None = None
    port: Expr | None = None
    options: str = ""


class NftReject(msgspec.Struct, frozen=True, gc=False):
    """``reject [with ...]``: ``how`` in iptables' words (icmp-port-unreachable, tcp-reset ...)."""

    how: str = "icmp-port-unreachable"


class DynSet(msgspec.Struct, frozen=True):
    """``add|update|delete @set { elem }``; with a limit or count inside it may not match."""

    op: str
    set: str
    key: Expr
    conditional: bool = False


class NftLimit(msgspec.Struct, frozen=True, gc=False):
    """``limit rate [over]``: true for the first packets (``over``: false for them)."""

    over: bool = False


class NftNotrack(msgspec.Struct, frozen=True, gc=False):
    """``notrack``."""


class NftTproxy(msgspec.Struct, frozen=True):
    """``tproxy to addr:port``."""

    addr: Expr | None = None
    port: Expr | None = None


class NftQueue(msgspec.Struct, frozen=True, gc=False):
    """``queue``: a program decides."""

    number: str
    bypass: bool = False


class NftNoop(msgspec.Struct, frozen=True, gc=False):
    """A statement that lets the packet go on as it is: counter, log, comment, ct helper, flow add."""

    name: str


class NftVerdict(msgspec.Struct, frozen=True, gc=False):
    """accept drop return continue jump goto."""

    verdict: str
    chain: str = ""


class XtStatement(msgspec.Struct, frozen=True, gc=False):
    """``xt match|target``: a compatibility expression whose parameters nft does not print."""

    type: str
    name: str


class UnknownStatement(msgspec.Struct, frozen=True, gc=False):
    """A statement that was not understood."""

    text: str


Statement = (
    NftMatch
    | Vmap
    | Mangle
    | NftNat
    | NftReject
    | DynSet
    | NftLimit
    | NftNotrack
    | NftTproxy
    | NftQueue
    | NftNoop
    | NftVerdict
    | XtStatement
    | UnknownStatement
)


class NftSet(msgspec.Struct, frozen=True):
    """A named set or map."""

    name: str
    types: tuple[str, ...]
    """The parts of the key: ipv4_addr, inet_proto, inet_service, ifname, mark ..."""
    is_map: bool = False
    dynamic: bool = False
    """Filled from the packet path, so a dump may already be old."""
    elements: tuple[SetElement, ...] = ()
    unknown: str = ""
    """Not empty when an element was not understood: a miss is then unknown."""
    origin: Origin = NOWHERE
