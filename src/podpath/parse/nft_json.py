"""``nft -j list ruleset``: native tables, their chains and sets.

A node with ten thousand Services prints forty megabytes. So the text is split into objects once, and rules and sets
stay as they are until a packet visits them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec

from podpath.model.linux.netfilter import Table
from podpath.model.origin import Origin, Unrecognized
from podpath.parse.errors import ParseError
from podpath.parse.nft_listing import listed_tables
from podpath.parse.nft_managed import foreign_rules, is_managed, native_part
from podpath.parse.nft_set import SetRecord
from podpath.parse.nft_table import ChainRecord, RuleRecord, Source, TableIndex, build_table

Family = Literal["ip", "ip6", "inet", "bridge", "netdev", "arp"]
SHOWN = 200
"""How much is kept of an object that was not understood."""
IGNORED = frozenset(
    ("metainfo", "flowtable", "counter", "quota", "limit", "ct helper", "ct timeout", "ct expectation", "secmark")
    + ("synproxy", "tunnel")
)
"""Kinds of objects that say nothing about the way of a packet."""


class NftRuleset(msgspec.Struct, frozen=True):
    """What one node's nft says.

    ``managed`` names the tables of iptables-nft and its siblings. Their truth is in ``iptables-nft-save``, since nft
    prints them with gaps; ``lossy`` holds them as nft prints them, for when the other file lacks them (it refuses a
    table into which somebody put native rules). Native base chains inside of them are in ``tables``.
    """

    tables: tuple[Table, ...]
    managed: tuple[tuple[str, str], ...] = ()
    unrecognized: tuple[Unrecognized, ...] = ()
    lossy: tuple[Table, ...] = ()


class _Rule(RuleRecord, gc=False):
    family: Family


class _Chain(ChainRecord, gc=False):
    family: Family


class _Set(SetRecord, gc=False):
    family: Family


class _Table(msgspec.Struct, gc=False):
    family: Family
    name: str
    flags: list[str] | str = []


class _Item(msgspec.Struct, gc=False):
    """An object of the ruleset, of which one field is there."""

    rule: _Rule | None = None
    chain: _Chain | None = None
    table: _Table | None = None
    set: _Set | None = None
    map: _Set | None = None
    meter: _Set | None = None
    element: _Set | None = None
    metainfo: msgspec.Raw = msgspec.Raw(b"")


class _Ruleset(msgspec.Struct, gc=False):
    nftables: list[_Item]


class _RawRuleset(msgspec.Struct, gc=False):
    nftables: list[msgspec.Raw]
