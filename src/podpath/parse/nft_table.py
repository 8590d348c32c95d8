"""Tables whose chains and sets are read when they are first asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property, partial
from typing import TypeVar

from podpath.model.linux.netfilter import Base, Chain, Rule, Table
from podpath.model.linux.nftables import NftSet
from podpath.model.origin import Origin
from podpath.parse.nft_expr import list_of
from podpath.parse.nft_index import Places
from podpath.parse.nft_listing import Block, ListedTable
from podpath.parse.nft_managed import asks_a_set, is_managed, is_own, may_be_managed
from podpath.parse.nft_records import ABSENT, ChainRecord, RuleRecord, SetRecord, decode
from podpath.parse.nft_render import chain_text, render_rule
from podpath.parse.nft_set import is_dynamic, may_be_dynamic, read_set, set_text
from podpath.parse.nft_stmt import RuleReader, filled_sets

T = TypeVar("T")


class Lazy(Mapping[str, T]):
    """A mapping whose names are gathered, and whose values are made, when first asked for."""

    def __init__(self, names: Callable[[], Mapping[str, object]], make: Callable[[str], T]) -> None:
        self._gather = names
        self._make = make
        self._made: dict[str, T] = {}

    @cached_property
    def _names(self) -> Mapping[str, object]:
        return self._gather()

    def __getitem__(self, name: str) -> T:
        value = self._made.get(name)
        if value is None:
            if name not in self._names:
                raise KeyError(name)
            value = self._made[name] = self._make(name)
        return value

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


class LazyChains(Lazy[Chain]):
    """The chains of a table. ``bases`` tells the base chains without making the tens of thousands of others."""

    def __init__(self, reader: TableReader, without: frozenset[str]) -> None:
        super().__init__(
            lambda: {name: at for name, at in reader.declared.items() if name not in without}, reader.chain
        )
        self._reader = reader
        self._without = without

    @cached_property
    def bases(self) -> Mapping[str, Base]:
        """What makes each base chain one."""
        found = ((record.name, self._reader.base(record)) for record in self._reader.bases)
        return {name: base for name, base in found if base is not None and name not in self._without}


class TableReader:
    """Reads the chains and sets of one table.

    With a listing, lines are those of ``listing_file``; 0 is a line that was not found there. Without, they are
    positions in the array of the JSON.
    """

    def __init__(self, places: Places, file: str, listed: ListedTable | None) -> None:
        self._places = places
        self._listed = listed
        self._file = file
        self._dormant = places.dormant or (listed is not None and listed.dormant)

    def table(self, order: int, *, without: frozenset[str] = frozenset()) -> Table:
        """The table, whole or without some of its chains."""
        places = self._places
        sets = Lazy(lambda: places.sets, self._set)
        return Table("native", places.family, places.name, self._file, LazyChains(self, without), sets, order)

    @cached_property
    def declared(self) -> dict[str, int | None]:
        """The positions of its chains; None for one that only rules name."""
        found: dict[str, int | None] = {chain.name: position for position, chain in self._places.chains()}
        for name in self._places.runs:
            found.setdefault(name, None)
        return found

    @cached_property
    def bases(self) -> list[ChainRecord]:
        """The declarations of its base chains."""
        return [chain for _, chain in self._places.chains() if chain.hook]

    @property
    def managed(self) -> bool:
        """Whether iptables-nft or a sibling manages the table."""
        places = self._places
        return may_be_managed(places.family, places.name) and is_managed(
            self.bases, places.all_rules(), has_sets=bool(places.sets)
        )

    @cached_property
    def own_chains(self) -> frozenset[str]:
        """The base chains that iptables-nft made, in a table that it manages."""
        return frozenset(chain.name for chain in self.bases if is_own(chain))

    @cached_property
    def native_chains(self) -> frozenset[str]:
        """The other base chains."""
        return frozenset(chain.name for chain in self.bases) - self.own_chains

    def foreign_rules(self) -> Iterator[Origin]:
        """Rules in the chains of iptables that iptables did not write, in a table that it manages."""
        for name in self._places.runs:
            foreign = [asks_a_set(rule) for _, rule in self._places.rules(name)]
            if any(foreign) and name not in self.native_chains:
                rules = zip(foreign, self._rules(name), strict=True)
                yield from (Origin(self._file, rule.line, rule.text) for strange, rule in rules if strange)

    def base(self, record: ChainRecord, block: Block | None = None) -> Base | None:
        """What makes a chain a base chain; None for other chains and in a table that is switched off."""
        if not record.hook or self._dormant:
            return None
        devices = tuple(str(device) for device in list_of(decode(record.dev)))
        if not devices and record.family in ("netdev", "inet"):
            block = block or self._block(record.name)
            devices = block.devices if block else ()
        return Base(record.hook, record.prio, record.type, record.policy, devices)

    def chain(self, name: str) -> Chain:
        """A chain, its rules not read yet."""
        position = self.declared[name]
        record = None if position is None else self._places.records[position].chain
        block = self._block(name)
        base = self.base(record, block) if record else None
        load = partial(self._rules, name)
        if block:
            return Chain(name, load, base, *block.declaration)
        text = chain_text(record) if record else f"chain {name} {{"
        return Chain(name, load, base, self._line(position), text)

    def _block(self, name: str) -> Block | None:
        return self._listed.chain(name) if self._listed else None

    def _line(self, position: int | None) -> int:
        """The line of what is not in a listing."""
        return 0 if self._listed or position is None else position + 1

    def _rules(self, name: str) -> tuple[Rule, ...]:
        records = list(self._places.rules(name))
        block = self._block(name)
        lines = block.rules if block else []
        if len(lines) == len(records):
            both = zip(records, lines, strict=True)
            return tuple(self._rule(rule, line.number, line.text) for (_, rule), line in both)
        return tuple(self._rule(rule, block.head.number if block else self._line(at)) for at, rule in records)

    def _rule(self, record: RuleRecord, line: int, text: str = "") -> Rule:
        reader = RuleReader(record.family)
        value = decode(record.expr)
        try:
            items = reader.items(value)
            text = text or render_rule(value, record.comment)
        except RecursionError:
            items = (reader.lost_statement("a rule that is nested too deeply"),)
        return Rule(line, text, items, record.comment, "; ".join(reader.lost))

    def _set(self, name: str) -> NftSet:
        records = sorted(self._places.set_records(name), key=lambda one: one.type is ABSENT)
        block = self._listed.set(name) if self._listed else None
        line, text = block.declaration if block else (self._line(self._places.sets[name][0]), "")
        try:
            origin = Origin(self._file, line, text or set_text(records[0]))
            return read_set(records, origin, dynamic=self._is_dynamic(name, records[0], block))
        except RecursionError:
            lost = "a set that is nested too deeply"
            return NftSet(name, (), unknown=lost, origin=Origin(self._file, line, text or lost))

    def _is_dynamic(self, name: str, record: SetRecord, block: Block | None) -> bool:
        if block is not None:
            return "dynamic" in block.flags
        meter = any(self._places.records[position].meter for position in self._places.sets[name])
        return is_dynamic(record) or meter or (may_be_dynamic(record) and name in self._filled)

    @cached_property
    def _filled(self) -> frozenset[str]:
        """The sets that rules of this table fill."""
        return frozenset(name for rule in self._places.all_rules() for name in filled_sets(bytes(rule.expr)))
