"""All tables of a namespace: those of iptables, of both back ends, with the native ones of nft."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from podpath.assemble.managed_tables import managed_orders
from podpath.assemble.reading import Folder, Parser
from podpath.model.linux.netfilter import Table
from podpath.model.origin import Origin, Unrecognized
from podpath.parse.errors import ParseError
from podpath.parse.iptables_save import parse_iptables_save
from podpath.parse.nft_json import parse_nft_json

IPTABLES_SOURCES = (
    ("iptables-nft-save", "nft", "ip"),
    ("iptables-legacy-save", "legacy", "ip"),
    ("ip6tables-nft-save", "nft", "ip6"),
    ("ip6tables-legacy-save", "legacy", "ip6"),
)
"""Both back ends are evaluated by the kernel, so both are read (datapath, 1.4)."""
NFT_JSON, NFT_TEXT = "nft-list-ruleset.json", "nft-list-ruleset"


def read_tables(folder: Folder) -> tuple[tuple[Table, ...], tuple[str, ...]]:
    """All tables of iptables and nftables, and the sources that are missing."""
    tables: list[Table] = []
    unread: list[str] = []
    for family, plain in (("ip", "iptables-save"), ("ip6", "ip6tables-save")):
        seen = False
        for name, backend, of in IPTABLES_SOURCES:
            if of == family and folder.has(name):
                seen = True
                tables += folder.read(name, _iptables(folder, backend, family)) or ()
        if not seen and folder.has(plain):
            seen = True
            tables += folder.read(plain, _iptables(folder, "", family)) or ()
        if not seen and (family == "ip" or folder.is_node):
            unread.append(plain)
    if folder.has(NFT_JSON):
        tables = _with_native(folder, tables)
    elif folder.is_node:
        unread.append(NFT_JSON)
    return tuple(tables), tuple(unread)


def _iptables(folder: Folder, backend: str, family: str) -> Parser[tuple[Table, ...]]:
    """The parser of a dump; its first line tells the back end that its name does not."""
    shared = folder.reading.rules

    def parse(text: str, file: str) -> tuple[tuple[Table, ...], tuple[Unrecognized, ...]]:
        by = backend or ("legacy" if "legacy" in text[:400] else "nft")
        if shared is not None:
            return shared.parsed(text, file, backend=by, family=family)
        return parse_iptables_save(text, file, backend=by, family=family)

    return parse


def _with_native(folder: Folder, tables: Sequence[Table]) -> list[Table]:
    """The tables of iptables with those of nft.

    Those that iptables keeps in nf_tables take their place in nft's list: it is the order in which tables were made.
    """
    text = folder.text(NFT_JSON) or ""
    file = f"{folder.path}/{NFT_TEXT}"
    known = {(table.family, table.name) for table in tables if table.backend == "nft"}
    orders = managed_orders(text, known) if folder.reading.large else None
    if orders is not None:
        return _placed(tables, orders)
    try:
        ruleset = parse_nft_json(text, f"{file}.json", folder.text(NFT_TEXT), file)
    except ParseError as error:
        folder.reading.lose(f"{file}.json", (Unrecognized(Origin(f"{file}.json", 0), str(error)),))
        return list(tables)
    folder.reading.lose(f"{file}.json", ruleset.unrecognized)
    orders = {(table.family, table.name): table.order for table in ruleset.lossy}
    more = (table for table in ruleset.lossy if (table.family, table.name) not in known)
    native = (*ruleset.tables, *more)
    shared = folder.reading.native
    return [*_placed(tables, orders), *(native if shared is None else shared.shared(native))]


def _placed(tables: Sequence[Table], orders: dict[tuple[str, str], int]) -> list[Table]:
    return [
        replace(one, order=orders.get((one.family, one.name), one.order)) if one.backend == "nft" else one
        for one in tables
    ]
