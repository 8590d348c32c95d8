"""Netfilter: hooks, chains, rules and what a rule may do, the same for iptables and nftables.

A rule is a sequence of *items* evaluated from left to right (nf_tables' own model; an iptables rule is its matches
followed by its target). Matches of iptables are in ``xtables``, expressions and statements of nft in ``nftables``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import msgspec

from podpath.model.addr import Prefix
from podpath.model.linux.nftables import NftSet, Statement
from podpath.model.linux.xtables import Match
from podpath.model.origin import Origin

PRIORITIES: Mapping[str, int] = {
    "raw": -300,
    "mangle": -150,
    "nat-dst": -100,
    "filter": 0,
    "security": 50,
    "nat-src": 100,
}
"""include/uapi/linux/netfilter_ipv4.h, enum nf_ip_hook_priorities."""
CONNTRACK_PRIORITY = -200

XT_CHAINS: Mapping[str, str] = {
    "PREROUTING": "prerouting",
    "INPUT": "input",
    "FORWARD": "forward",
    "OUTPUT": "output",
    "POSTROUTING": "postrouting",
}
"""Built-in chains of iptables and the hook each stands for."""


def xt_priority(table: str, chain: str) -> int:
    """The priority at which a built-in chain of an iptables table is registered."""
    if table == "nat":
        return PRIORITIES["nat-dst" if chain in ("PREROUTING", "OUTPUT") else "nat-src"]
    return PRIORITIES[table]


class Accept(msgspec.Struct, frozen=True, gc=False):
    """End this base chain; later base chains and hooks still run."""


class Drop(msgspec.Struct, frozen=True, gc=False):
    """The end of the packet, silently."""


class Return(msgspec.Struct, frozen=True, gc=False):
    """Back to the calling chain; in a base chain its policy."""


class Continue(msgspec.Struct, frozen=True, gc=False):
    """No verdict; the next item or rule (nft ``continue``; iptables without ``-j``)."""


class Jump(msgspec.Struct, frozen=True, gc=False):
    """Call a chain."""

    chain: str


class Goto(msgspec.Struct, frozen=True, gc=False):
    """Go to a chain; its end resumes in the caller of the chain that holds the goto."""

    chain: str


class Reject(msgspec.Struct, frozen=True, gc=False):
    """Drop, and tell the sender. ``how`` as iptables names it: icmp-port-unreachable, tcp-reset ..."""

    how: str = "icmp-port-unreachable"


class SetMark(msgspec.Struct, frozen=True, gc=False):
    """``mark = (mark & ~mask) ^ value`` (xt_MARK --set-xmark)."""

    value: int
    mask: int = 0xFFFFFFFF


class SetConnmark(msgspec.Struct, frozen=True, gc=False):
    """xt_CONNMARK: ``op`` set, save (packet to connection) or restore (connection to packet)."""

    op: str
    value: int = 0
    mask: int = 0xFFFFFFFF
    nfmask: int = 0xFFFFFFFF
    ctmask: int = 0xFFFFFFFF


class Dnat(msgspec.Struct, frozen=True, gc=False):
    """Destination NAT of the first packet. Address None keeps the address, port None keeps the port."""

    addr: tuple[int, int] | None
    port: tuple[int, int] | None = None
    options: str = ""


class Snat(msgspec.Struct, frozen=True, gc=False):
    """Source NAT to a given address."""

    addr: tuple[int, int] | None
    port: tuple[int, int] | None = None
    options: str = ""


class Masquerade(msgspec.Struct, frozen=True, gc=False):
    """Source NAT to the address of the leaving device."""

    port: tuple[int, int] | None = None
    options: str = ""


class Redirect(msgspec.Struct, frozen=True, gc=False):
    """Destination NAT to this machine."""

    port: tuple[int, int] | None = None


class Netmap(msgspec.Struct, frozen=True, gc=False):
    """Replace the network part of the destination (PREROUTING, OUTPUT) or source."""

    to: Prefix


class Notrack(msgspec.Struct, frozen=True, gc=False):
    """The packet is not tracked, so never translated."""


class Tproxy(msgspec.Struct, frozen=True, gc=False):
    """Hand the packet to a local socket; drop when there is none."""

    port: int
    addr: int | None = None
    mark: int = 0
    mask: int = 0


class Queue(msgspec.Struct, frozen=True, gc=False):
    """A program decides."""

    number: str
    bypass: bool = False


class Noop(msgspec.Struct, frozen=True, gc=False):
    """A target or statement that lets the packet go on as it is: LOG, NFLOG, counter, TCPMSS, CT --helper."""

    name: str


class UnknownTarget(msgspec.Struct, frozen=True, gc=False):
    """A target that was not understood: the packet's fate is unknown from here."""

    text: str


Target = (
    Accept
    | Drop
    | Return
    | Continue
    | Jump
    | Goto
    | Reject
    | SetMark
    | SetConnmark
    | Dnat
    | Snat
    | Masquerade
    | Redirect
    | Netmap
    | Notrack
    | Tproxy
    | Queue
    | Noop
    | UnknownTarget
)

Item = Match | Statement | Target


class Rule(msgspec.Struct, frozen=True, gc=False):
    """A rule: ``items`` from left to right. ``line`` is in the file of its table, ``text`` as printed."""

    line: int
    text: str
    items: tuple[Item, ...]
    comment: str = ""
    unknown: str = ""
    """What was not understood of it; the rest is still in ``items``, with an unknown match in its place."""


class Base(msgspec.Struct, frozen=True, gc=False):
    """What makes a chain a base chain."""

    hook: str
    """prerouting input forward output postrouting ingress egress."""
    priority: int
    type: str = "filter"
    """filter, nat or route."""
    policy: str = "accept"
    devices: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Chain:
    """A chain; its rules are read when a packet first visits it."""

    name: str
    load: Callable[[], tuple[Rule, ...]]
    base: Base | None = None
    line: int = 0
    text: str = ""
    """The line that declares the chain (``:FORWARD DROP [0:0]``)."""

    @cached_property
    def rules(self) -> tuple[Rule, ...]:
        """The rules in order."""
        return self.load()

    def with_rules(self, rules: tuple[Rule, ...]) -> Chain:
        """A copy with other rules."""
        return Chain(self.name, lambda: rules, self.base, self.line, self.text)

    def with_policy(self, policy: str) -> Chain:
        """A copy of a base chain with another policy."""
        base = self.base and msgspec.structs.replace(self.base, policy=policy)
        rules = self
        return Chain(self.name, lambda: rules.rules, base, self.line, self.text)


@dataclass(frozen=True, eq=False)
class Table:
    """A table of one family and back end.

    ``backend``: ``nft`` (iptables-nft-save), ``legacy`` (iptables-legacy-save) or ``native`` (nft list ruleset).
    ``family``: ip, ip6, inet, bridge, arp, netdev. ``order``: position in its dump.
    """

    backend: str
    family: str
    name: str
    file: str
    chains: Mapping[str, Chain]
    sets: Mapping[str, NftSet] = field(default_factory=dict)
    order: int = 0

    @cached_property
    def base_chains(self) -> tuple[Chain, ...]:
        """The chains that stand at a hook; a parser that keeps an index of them is spared the walk over all."""
        known = getattr(self.chains, "bases", None)
        chains = self.chains.values() if known is None else (self.chains[name] for name in known)
        return tuple(chain for chain in chains if chain.base is not None)

    def origin(self, rule: Rule) -> Origin:
        """The evidence of a rule of this table."""
        return Origin(self.file, rule.line, rule.text)

    def chain_origin(self, chain: Chain) -> Origin:
        """The evidence of a chain's declaration."""
        return Origin(self.file, chain.line, chain.text)

    def with_chain(self, chain: Chain) -> Table:
        """A copy in which one chain is replaced."""
        return Table(
            self.backend,
            self.family,
            self.name,
            self.file,
            {**self.chains, chain.name: chain},
            self.sets,
            self.order,
        )
