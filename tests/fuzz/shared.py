"""What is read by comparing it with another node's, or looked up in the text, says what its own parser says."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any
from unittest import mock

from podpath.assemble import shared_native, shared_rules
from podpath.assemble.dump_lines import plain_lines
from podpath.assemble.managed_tables import managed_orders
from podpath.assemble.reading import Folder, Reading
from podpath.assemble.shared_entries import SharedEntries
from podpath.assemble.sysctl_file import sysctls_of
from podpath.model.linux.netfilter import Table
from podpath.parse.bridge_fdb import parse_bridge_fdb
from podpath.parse.errors import ParseError
from podpath.parse.ip_neigh import parse_ip_neigh
from podpath.parse.ip_route import parse_ip_route
from podpath.parse.ip_rule import parse_ip_rule
from podpath.parse.iptables_save import parse_iptables_save
from podpath.parse.nft_json import parse_nft_json
from podpath.parse.sysctl import parse_sysctl
from tests.fuzz.samples import samples

FILE = "nodes/n2/f"
SPLIT = b"\0"
"""Stands between what two nodes print."""


def pairs(seeds: Sequence[bytes]) -> list[bytes]:
    """Each file beside itself and beside the one that follows it."""
    return [
        first + SPLIT + second
        for one, other in zip(seeds, [*seeds[1:], *seeds[:1]], strict=True)
        for first, second in ((one, one), (one, other))
    ]


def samples_of(pattern: str) -> list[bytes]:
    """The contents of samples."""
    return [content for _, content in samples(pattern)]


def _texts(data: bytes) -> tuple[str, str]:
    first, _, second = data.partition(SPLIT)
    return first.decode("utf-8", "replace"), second.decode("utf-8", "replace")


def said(table: Table) -> object:
    """All that a table says, with the evidence."""
    chains = {
        name: (
            table.chain_origin(chain),
            chain.base,
            [(table.origin(rule), rule.items, rule.comment, rule.unknown) for rule in chain.rules],
        )
        for name, chain in table.chains.items()
    }
    bases = sorted(chain.name for chain in table.base_chains)
    return table.backend, table.family, table.name, table.file, table.order, chains, bases, dict(table.sets)


def rules(data: bytes) -> None:
    """Of a second dump the tables that it has alone; and without counters it has the rules that it has with them.

    Carriage returns, and dumps with lines that are not understood, are found already (test_found.py): no more is asked
    of those than that nothing is raised.
    """
    first, second = (text.replace("\r", "") for text in _texts(data))
    by_lines = len(first) % 2
    with mock.patch.multiple(shared_rules, WORTH_SHARING=4, MOST_DUMPS=4 * by_lines):
        shared = shared_rules.SharedRules()
        shared.parsed(first, "nodes/n1/f", backend="nft", family="ip")
        tables, lost = shared.parsed(second, FILE, backend="nft", family="ip")
        found = [said(table) for table in tables]
    plain = "\n".join(plain_lines(second))
    alone, lost_alone = parse_iptables_save(plain, FILE, backend="nft", family="ip")
    whole, lost_of_whole = parse_iptables_save(second, FILE, backend="nft", family="ip")
    if not lost_alone and not lost_of_whole:
        assert not lost
        assert found == [said(table) for table in alone]
        assert _items(alone) == _items(whole)


def _items(tables: Sequence[Table]) -> object:
    return [
        (table.name, name, chain.base, [(rule.line, rule.items, rule.unknown) for rule in chain.rules])
        for table in tables
        for name, chain in table.chains.items()
    ]


def native(data: bytes) -> None:
    """Of a second ruleset the tables that it has alone."""
    first, second = _texts(data)
    try:
        before = parse_nft_json(first, "nodes/n1/f").tables
        tables = parse_nft_json(second, FILE).tables
        alone = parse_nft_json(second, FILE).tables
    except ParseError:
        return
    with mock.patch.object(shared_native, "WORTH_SHARING", 2):
        shared = shared_native.SharedNative()
        shared.shared(before)
        found = [said(table) for table in shared.shared(tables)]
    assert found == [said(table) for table in alone] or _is_deep(
        second
    )  # too deep for one and not for the other
    managed_orders(
        second, {("ip", "filter"), ("ip", "nat"), ("ip6", "filter"), ("ip6", "nat"), ("ip", "mangle")}
    )


def _is_deep(text: str) -> bool:
    return "[" * 300 in text or '{"a":' * 300 in text


KINDS: dict[str, Callable[[str, str], Any]] = {
    "route ip": lambda text, file: parse_ip_route(text, file, family="ip"),
    "route ip6": lambda text, file: parse_ip_route(text, file, family="ip6"),
    "ip-rule.json": lambda text, file: parse_ip_rule(text, file, family="ip"),
    "ip-neigh.json": parse_ip_neigh,
    "bridge-fdb.json": parse_bridge_fdb,
}


def entries(data: bytes) -> None:
    """Entries that two files list alike are what each of them says, at its own lines."""
    for kind, parse in KINDS.items():
        shared = SharedEntries()
        for text, file in zip(_texts(data), ("nodes/n1/f", FILE), strict=True):
            try:
                alone = parse(text, file)
            except ParseError:
                continue
            deep = _is_deep(text)  # an entry on its own may be too deep a little earlier
            try:
                assert shared.parsed(kind, parse)(text, file) == alone or deep
            except ParseError:
                assert deep


def sysctls(data: bytes) -> None:
    """A key that is looked up in the text has the value and the line that the parser gives it."""
    text = re.sub(r"^\s*/+", "", data.decode("utf-8", "replace"), flags=re.MULTILINE)  # no key begins so
    whole, _ = parse_sysctl(text, FILE)
    asked = [
        "net.ipv4.ip_forward",
        "net.ipv4.conf.eth0.rp_filter",
        *[key for key in whole.values if key.startswith("net.") and "/" not in key][:40],
    ]
    files = {"nodes/n2/sysctl": text.encode()}
    lazily = sysctls_of(Folder(Reading(files, large=True), "nodes/n2"))
    assert lazily is not None
    for key in asked:
        assert lazily.get(key) == whole.get(key), key
        assert lazily.lines.get(key) == whole.lines.get(key), key
        lazily.number(key)
    assert dict(lazily.values) == whole.values
