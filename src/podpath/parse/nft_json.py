"""``nft -j list ruleset``: native tables, their chains and sets.

A node with ten thousand Services prints forty megabytes. So the text is split into objects once, and what they say is
read when a packet first visits their chain or set.
"""

from __future__ import annotations

import msgspec

from podpath.model.linux.netfilter import Table
from podpath.model.origin import Unrecognized
from podpath.parse.nft_index import Index
from podpath.parse.nft_listing import listed_tables
from podpath.parse.nft_records import read_records, unknown_kinds
from podpath.parse.nft_table import TableReader


class NftRuleset(msgspec.Struct, frozen=True):
    """What nft says on one node.

    ``managed`` names the tables of iptables-nft and its siblings. Their truth is in ``iptables-nft-save``, since nft
    prints them with gaps; ``lossy`` holds them as nft prints them, for when that file lacks them. Native base chains
    that stand in such a table are in ``tables`` and not in ``lossy``.
    """

    tables: tuple[Table, ...]
    managed: tuple[tuple[str, str], ...] = ()
    unrecognized: tuple[Unrecognized, ...] = ()
    lossy: tuple[Table, ...] = ()


def parse_nft_json(
    text: bytes | str, file: str, listing: str | None = None, listing_file: str = ""
) -> NftRuleset:
    """The ruleset. With ``listing``, the output of ``nft list ruleset``, rules are at their lines in that file.

    Without it the line of a rule is its position in the array ``nftables``, and its text is written by us.
    """
    records, broken = read_records(text, file)
    index = Index(records)
    known_broken = {lost.origin.line - 1 for lost in broken}
    unrecognized = [
        *broken,
        *unknown_kinds(text, [at for at in index.others if at not in known_broken], file),
    ]
    listed = listed_tables(listing) if listing else {}
    tables: list[Table] = []
    managed: list[tuple[str, str]] = []
    lossy: list[Table] = []
    for order, (key, places) in enumerate(index.tables.items()):
        found = listed.get(key)
        reader = TableReader(places, listing_file if found else file, found)
        if not reader.managed:
            tables.append(reader.table(order))
            continue
        managed.append(key)
        lossy.append(reader.table(order, without=reader.native_chains))
        if reader.native_chains:
            tables.append(reader.table(order, without=reader.own_chains))
        reason = "iptables-nft-save prints this native rule without its look-up in a set"
        unrecognized += [Unrecognized(origin, reason) for origin in reader.foreign_rules()]
    return NftRuleset(tuple(tables), tuple(managed), tuple(unrecognized), tuple(lossy))
