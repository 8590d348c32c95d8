"""Native tables of nft that many nodes have alike are held once, as those of iptables are (``shared_rules``).

kube-proxy's nftables mode makes the same thousands of chains on every node, on each in an order of its own. A small
table is read at once, so that nothing of the dump is held for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

import msgspec

from podpath.assemble.shared_chains import OWN, LineMap, OverlaidChains, SharedTable
from podpath.model.linux.netfilter import Chain, Rule, Table
from podpath.model.linux.nftables import NftSet
from podpath.model.origin import Origin
from podpath.parse.nft_listing import ListedTable
from podpath.parse.nft_table import LazyChains, TableReader

WORTH_SHARING = 64
"""Chains from which on a table is compared with others."""
MOST_MODELS = 4
"""Models that a table is compared with."""
DIFFERS = 4
"""A table of which more than one chain in so many differs becomes a model itself."""

Said = tuple[object, ...]
"""What a dump says of a chain or set, as it stands there."""


class SharedNative:
    """The native tables that others are compared with."""

    def __init__(self) -> None:
        self._models: dict[tuple[str, str], list[_Model]] = {}

    def shared(self, tables: Sequence[Table]) -> tuple[Table, ...]:
        """The tables of one node, by what differs from another node's."""
        return tuple(self._shared(table) for table in tables)

    def _shared(self, table: Table) -> Table:
        chains = table.chains
        if not isinstance(chains, LazyChains) or len(chains) < WORTH_SHARING:
            return _settled(table)
        here = _Model(table, chains._reader)  # noqa: SLF001  nobody else asks what a dump says without reading it
        models = self._models.setdefault((table.family, table.name), [])
        for model in models:
            found = model.compared(here)
            if found is not None:
                return found
        if len(models) < MOST_MODELS:
            models.append(here)
        return table


class _Model:
    """What a table says, chain by chain and set by set, and where."""

    def __init__(self, table: Table, reader: TableReader) -> None:
        places = self.places = reader._places  # noqa: SLF001  as above
        self.listed = reader._listed  # noqa: SLF001  as above
        self.table = table
        self.chains: dict[str, Said] = {}
        for name, at in reader.declared.items():
            record = None if at is None else places.records[at].chain
            rules = ((bytes(rule.expr), rule.comment) for _, rule in places.rules(name))
            self.chains[name] = (() if record is None else _said(record), _shown(self.listed, name), *rules)
        self.sets = {name: tuple(map(_said, places.set_records(name))) for name in places.sets}

    @cached_property
    def lines(self) -> Mapping[str, tuple[int, ...]]:
        """By chain the lines from which on all others of it have a fixed distance."""
        if self.listed is not None:
            return {name: (line,) for name, (line, _) in self.listed._places["chain"].items()}  # noqa: SLF001
        declared = {chain.name: (at + 1,) for at, chain in self.places.chains()}
        runs = self.places.runs
        return {
            name: (*declared.get(name, ()), *((runs[name] + 1,) if name in runs else ()))
            for name in self.chains
        }

    def compared(self, here: _Model) -> Table | None:
        """A table by what differs from this one; None when that is much."""
        torn = here.places.more_runs or self.places.more_runs
        if (
            torn
            or (self.listed is None) != (here.listed is None)
            or self.places.dormant != here.places.dormant
        ):
            return None
        own = [name for name, said in here.chains.items() if self.chains.get(name) != said]
        if len(own) > len(here.chains) // DIFFERS:
            return None
        chains = OverlaidChains(
            self.table.chains,
            {name: _own(here.table.chains[name]) for name in own},
            frozenset(self.chains.keys() - here.chains.keys()),
        )
        return SharedTable(
            here.table.backend,
            here.table.family,
            here.table.name,
            here.table.file,
            chains,
            self._sets(here),
            here.table.order,
            LineMap(_pairs(self.lines, here.lines)),
            self.table,
        )

    def _sets(self, here: _Model) -> Mapping[str, NftSet]:
        """The sets of a table; those that both say alike have one list of elements, and a place each."""
        own: dict[str, NftSet] = {}
        for name, said in here.sets.items():
            if self.sets.get(name) == said:
                theirs = self.table.sets[name]
                own[name] = msgspec.structs.replace(theirs, origin=_place(here, name, theirs.origin.text))
            else:
                own[name] = here.table.sets[name]
        return own


def _place(here: _Model, name: str, text: str) -> Origin:
    """Where a set stands that is as in the model, without reading its elements; ``text`` is how it is shown there."""
    if here.listed is None:
        return Origin(here.table.file, here.places.sets[name][0] + 1, text)
    block = here.listed.set(name)
    return Origin(here.table.file, *block.declaration) if block is not None else here.table.sets[name].origin


def _shown(listed: ListedTable | None, name: str) -> str:
    """The lines of a chain in the listing, which may have been printed at another moment than the JSON."""
    if listed is None:
        return ""
    _, start = listed._places["chain"].get(name, (0, 0))  # noqa: SLF001
    return listed._text[start : listed._text.find("\n\t}", start)] if start else ""  # noqa: SLF001


def _pairs(
    theirs: Mapping[str, tuple[int, ...]], ours: Mapping[str, tuple[int, ...]]
) -> Iterator[tuple[int, int]]:
    for name, lines in ours.items():
        yield from zip(theirs.get(name, ()), lines, strict=False)


def _said(record: msgspec.Struct) -> Said:
    parts = (getattr(record, name) for name in record.__struct_fields__)
    return tuple(bytes(part) if isinstance(part, msgspec.Raw) else part for part in parts)


def _own(chain: Chain) -> Chain:
    """A chain that was read, its lines marked as those of the table's own file."""
    rules = tuple(msgspec.structs.replace(rule, line=rule.line + OWN) for rule in chain.rules)
    return _read(Chain(chain.name, lambda: rules, chain.base, chain.line + OWN, chain.text), rules)


def _settled(table: Table) -> Table:
    """A table that was read, with nothing of the dump behind it."""
    chains = {name: _read(chain, chain.rules) for name, chain in table.chains.items()}
    return replace(table, chains=chains, sets=dict(table.sets))


def _read(chain: Chain, rules: tuple[Rule, ...]) -> Chain:
    return Chain(chain.name, lambda: rules, chain.base, chain.line, chain.text)
