"""The chains of a table that are mostly another node's: a model, and what is otherwise here."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypeVar

from podpath.model.linux.netfilter import Base, Chain, Rule, Table
from podpath.model.origin import Origin
from podpath.parse.iptables_chain import RuleCompiler
from podpath.parse.iptables_index import LazyChains

OWN = 1 << 40
"""Added to line numbers that are of the table's own file; the others are of its model's."""

T = TypeVar("T")

_CALLED = re.compile(r" -[jg] (\S+)")


class LineMap:
    """From the lines of a model to those of the table: where the distance changes, and to what."""

    __slots__ = ("_distances", "_starts")

    def __init__(self, pairs: Iterable[tuple[int, int]] = ()) -> None:
        """``pairs`` are lines of the model and of the table."""
        self._starts = array("l")
        self._distances = array("l")
        last = None
        for theirs, ours in sorted(pairs):
            if ours - theirs != last:
                last = ours - theirs
                self._starts.append(theirs)
                self._distances.append(last)

    def __call__(self, line: int) -> int:
        if line >= OWN:
            return line - OWN
        at = bisect_right(self._starts, line) - 1
        return line + self._distances[at] if line > 0 and at >= 0 else line


class Model:
    """A table that others are compared with."""

    def __init__(self, chains: LazyChains) -> None:
        self.chains = chains
        self._calls: dict[str, frozenset[str]] = {}

    def calls(self, name: str) -> frozenset[str]:
        """The chains and targets that a chain's rules name."""
        known = self._calls.get(name)
        if known is None:
            known = self._calls[name] = frozenset(_CALLED.findall(body(self.chains, name)))
        return known


def body(chains: LazyChains, name: str) -> str:
    """The rules of a chain as text."""
    place = chains.places[name]
    return "".join(chains.text[place[at] : place[at + 1]] for at in range(1, len(place), 3))


def part(chains: LazyChains, names: Iterable[str], shift: int = 0) -> LazyChains:
    """Some chains of a table with only their own text. ``shift`` is added to their lines."""
    text: list[str] = []
    size = 0
    found = LazyChains("", chains.family)
    for name in names:
        line, *runs = chains.places[name]
        place = [line + shift]
        for start, end, first in zip(runs[::3], runs[1::3], runs[2::3], strict=True):
            text.append(chains.text[start:end])
            place += (size, size + end - start, first + shift)
            size += end - start
        found.places[name] = place
        if name in chains.declared:
            found.declared[name] = chains.declared[name]
        if name in chains.bases:
            found.bases[name] = chains.bases[name]
    found.text = "".join(text)
    return found


class SharedChains(Mapping[str, Chain]):
    """The chains of a table: its own, and those of its model."""

    def __init__(self, model: Model, own: LazyChains, removed: frozenset[str]) -> None:
        theirs = model.chains
        both = theirs.bases | own.bases
        self.bases: Mapping[str, Base] = {
            name: base
            for name, base in both.items()
            if name in own.bases or name not in removed.union(own.places)
        }
        self._model = model
        self._own = own
        self._removed = removed
        self._differing = removed.union(name for name in own.places if name not in theirs.places)
        """Names that are a chain's here and not there, or the other way round: a rule that names one is another."""
        self._made: dict[str, Chain] = {}
        own._compiler = RuleCompiler(self, own.family)  # noqa: SLF001  what its rules call may be the model's

    def __getitem__(self, name: str) -> Chain:
        if name in self._own.places:
            return self._own[name]
        if name in self._removed:
            raise KeyError(name)
        return self._made.get(name) or self._from_model(name)

    def _from_model(self, name: str) -> Chain:
        """The model's own chain, unless its rules call what is no chain here."""
        chain = self._model.chains[name]
        if not self._differing or self._differing.isdisjoint(self._model.calls(name)):
            return chain
        one = part(self._model.chains, [name])
        one._compiler = RuleCompiler(self, one.family)  # noqa: SLF001  as in __init__
        self._made[name] = one[name]
        return one[name]

    def __contains__(self, name: object) -> bool:
        return name in self._own.places or (name in self._model.chains.places and name not in self._removed)

    def __iter__(self) -> Iterator[str]:
        yield from self._own.places
        hidden = self._removed.union(self._own.places)
        yield from (name for name in self._model.chains.places if name not in hidden)

    def __len__(self) -> int:
        own = sum(name not in self._model.chains.places for name in self._own.places)
        return len(self._model.chains) - len(self._removed) + own


class Overlaid(Mapping[str, T]):
    """Named things of another table, some of them replaced, added or taken away."""

    def __init__(
        self, below: Mapping[str, T], own: Mapping[str, T], removed: frozenset[str] = frozenset()
    ) -> None:
        self._below = below
        self._own = own
        self._removed = removed

    def __getitem__(self, name: str) -> T:
        if name in self._own:
            return self._own[name]
        if name in self._removed:
            raise KeyError(name)
        return self._below[name]

    def __contains__(self, name: object) -> bool:
        return name in self._own or (name in self._below and name not in self._removed)

    def __iter__(self) -> Iterator[str]:
        yield from (name for name in self._below if name not in self._removed)
        yield from (name for name in self._own if name not in self._below)

    def __len__(self) -> int:
        return sum(1 for _ in self)


class OverlaidChains(Overlaid[Chain]):
    """Chains of another table, some of them otherwise."""

    @cached_property
    def bases(self) -> Mapping[str, Base]:
        """What makes each base chain one."""
        theirs: Mapping[str, Base] = getattr(self._below, "bases", {})
        both = dict(theirs) | {
            name: chain.base for name, chain in self._own.items() if chain.base is not None
        }
        return {name: base for name, base in both.items() if name in self}


@dataclass(frozen=True, eq=False)
class SharedTable(Table):
    """A table whose rules may be those of another node's file, at lines of its own."""

    lines: LineMap = field(default_factory=LineMap)
    model: Table | None = None
    """The table whose sets it has, where it has those of another."""

    def origin(self, rule: Rule) -> Origin:
        """The evidence of a rule of this table."""
        return Origin(self.file, self.lines(rule.line), rule.text)

    def chain_origin(self, chain: Chain) -> Origin:
        """The evidence of a chain's declaration."""
        return Origin(self.file, self.lines(chain.line), chain.text)

    def with_chain(self, chain: Chain) -> Table:
        """A copy in which one chain is replaced."""
        return replace(self, chains=OverlaidChains(self.chains, {chain.name: chain}))


def shared_table(table: Table, chains: Mapping[str, Chain], lines: LineMap | None = None) -> SharedTable:
    """A table with other chains."""
    return SharedTable(
        table.backend,
        table.family,
        table.name,
        table.file,
        chains,
        table.sets,
        table.order,
        lines or LineMap(),
    )
