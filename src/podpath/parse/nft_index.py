"""Where the chains, rules and sets of each table are among the objects of ``nft -j list ruleset``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from podpath.parse.nft_expr import list_of
from podpath.parse.nft_records import ABSENT, ChainRecord, Record, RuleRecord, SetRecord, decode

Key = tuple[str, str]
"""Family and name of a table."""


@dataclass(slots=True)
class Places:
    """The positions of what belongs to one table."""

    family: str
    name: str
    records: list[Record]
    declared: list[int] = field(default_factory=list)
    """The declarations of its chains."""
    runs: dict[str, int] = field(default_factory=dict)
    """Where the rules of a chain begin; nft prints them one after the other."""
    more_runs: dict[str, list[int]] = field(default_factory=dict)
    """... and where they begin again, should a version of nft not."""
    sets: dict[str, list[int]] = field(default_factory=dict)
    dormant: bool = False
    """Whether the table says that it is switched off."""

    def rules(self, chain: str) -> Iterator[tuple[int, RuleRecord]]:
        """The rules of a chain with their positions."""
        first = self.runs.get(chain)
        if first is None:
            return
        for start in (first, *self.more_runs.get(chain, ())):
            for position in range(start, len(self.records)):
                rule = self.records[position].rule
                if rule is None or not self.holds(rule) or rule.chain != chain:
                    break
                yield position, rule

    def all_rules(self) -> Iterator[RuleRecord]:
        """The rules of all chains."""
        for chain in self.runs:
            for _, rule in self.rules(chain):
                yield rule

    def chains(self) -> Iterator[tuple[int, ChainRecord]]:
        """The declarations of its chains with their positions."""
        for position in self.declared:
            chain = self.records[position].chain
            if chain is not None:
                yield position, chain

    def set_records(self, name: str) -> Iterator[SetRecord]:
        """What is said of a set."""
        for position in self.sets[name]:
            record = self.records[position]
            one = record.set or record.map or record.meter or record.element
            if one is not None:
                yield one

    def holds(self, record: RuleRecord | ChainRecord) -> bool:
        """Whether a record is of this table."""
        return record.table == self.name and record.family == self.family


class Index:
    """The places of all tables, and the positions of what belongs to none."""

    def __init__(self, records: list[Record]) -> None:
        self.tables: dict[Key, Places] = {}
        self.others: list[int] = []
        self._records = records
        self._fill()

    def _fill(self) -> None:
        """One pass over all that a node has: what is looked up for a rule is kept for those that follow it."""
        place = Places("", "", self._records)
        family = name = chain = None
        runs, declared = place.runs, place.declared
        for position, record in enumerate(self._records):
            rule = record.rule
            if rule is not None:
                if rule.chain == chain and rule.table == name and rule.family == family:
                    continue
                if rule.table != name or rule.family != family:
                    family, name = rule.family, rule.table
                    place = self.place(family, name)
                    runs, declared = place.runs, place.declared
                chain = rule.chain
                if runs.setdefault(chain, position) != position:
                    place.more_runs.setdefault(chain, []).append(position)
                continue
            chain = None
            declaration = record.chain
            if declaration is None:
                self._other(position, record)
                continue
            if declaration.table != name or declaration.family != family:
                family, name = declaration.family, declaration.table
                place = self.place(family, name)
                runs, declared = place.runs, place.declared
            declared.append(position)

    def place(self, family: str, name: str) -> Places:
        """The places of a table."""
        found = self.tables.get((family, name))
        if found is None:
            found = self.tables[family, name] = Places(family, name, self._records)
        return found

    def _other(self, position: int, record: Record) -> None:
        """What is neither a rule nor a chain."""
        table = record.table
        one = record.set or record.map or record.meter or record.element
        if table is not None:
            place = self.place(table.family, table.name)
            place.dormant = place.dormant or "dormant" in list_of(decode(table.flags))
        elif one is not None:
            self.place(one.family, one.table).sets.setdefault(one.name, []).append(position)
        elif record.metainfo is ABSENT:
            self.others.append(position)
