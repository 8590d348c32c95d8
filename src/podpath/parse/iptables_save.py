"""``iptables-save``, ``iptables -S`` and their siblings: the tables of one family and back end."""

from __future__ import annotations

from podpath.model.linux.netfilter import Table
from podpath.model.origin import Unrecognized
from podpath.parse.iptables_index import Indexer


def parse_iptables_save(
    text: str, file: str, *, backend: str, family: str
) -> tuple[tuple[Table, ...], tuple[Unrecognized, ...]]:
    """The tables of a dump, and its lines that were not understood. Rules are read when ``Chain.rules`` is.

    ``backend`` is ``nft`` or ``legacy``, ``family`` ``ip`` or ``ip6``. What a rule has that is not understood stays in
    it (``Rule.unknown``); ``count_unrecognized`` collects that.
    """
    indexer = Indexer(text, file, family)
    indexer.index()
    tables = (
        Table(backend, family, name, file, chains, order=order)
        for order, (name, chains) in enumerate(indexer.tables.items())
    )
    return tuple(tables), tuple(indexer.lost)


def count_unrecognized(table: Table) -> tuple[Unrecognized, ...]:
    """What was not understood of the rules of a table. Compiles all of them."""
    return tuple(
        Unrecognized(table.origin(rule), rule.unknown)
        for chain in table.chains.values()
        for rule in chain.rules
        if rule.unknown
    )
