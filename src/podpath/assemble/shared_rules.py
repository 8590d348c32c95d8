"""Rules that many nodes have alike are held once.

kube-proxy writes the same 40,000 chains on every node, but no two dumps are the same: each has its own time, counters,
policies, and a few chains of the node's own Pods. So the first dump of its sort becomes a model, and of another node's
table is held only what differs: whole chains, and by how many lines the others stand elsewhere. A chain that two nodes
share is one object, so that it is compiled once, whoever's packet visits it first.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import NamedTuple

from podpath.model.linux.netfilter import Base, Chain, Rule, Table
from podpath.model.origin import Origin, Unrecognized
from podpath.parse.iptables_chain import RuleCompiler
from podpath.parse.iptables_index import LazyChains
from podpath.parse.iptables_save import parse_iptables_save

WORTH_SHARING = 64
"""Chains from which on a table is compared with others."""
MOST_MODELS = 4
"""Models that a table is compared with: nodes of one cluster differ by pool or CNI, not one from another."""
LITTLE = 1 << 16
"""So many bytes of rules a table may have otherwise than a model; beyond it becomes a model itself, if there is room."""
DIFFERS = 4
"""A table of which more than one chain in so many differs is held whole."""
OWN = 1 << 40
"""Added to line numbers that are of the table's own file; the others are of its model's."""

MOST_DUMPS = 64
"""Whole dumps that others are found to be the same as."""

_CALLED = re.compile(r" -[jg] (\S+)")


class SharedRules:
    """The tables that others are compared with, by sort and name."""

    def __init__(self) -> None:
        self._models: dict[tuple[str, str, str], list[_Model]] = {}
        self._dumps: dict[bytes, tuple[tuple[Table, ...], tuple[Unrecognized, ...]]] = {}

    def parsed(
        self, text: str, file: str, *, backend: str, family: str
    ) -> tuple[tuple[Table, ...], tuple[Unrecognized, ...]]:
        """The tables of a dump, without counters and times: those of one node are no evidence on another."""
        text = without_counters(text)
        digest = blake2b(f"{backend} {family}\n{text}".encode(), digest_size=16).digest()
        known = self._dumps.get(digest)
        if known is None:
            tables, lost = parse_iptables_save(text, file, backend=backend, family=family)
            known = tuple(self._shared(table) for table in tables), lost
            if len(self._dumps) < MOST_DUMPS:
                self._dumps[digest] = known
        tables, lost = known
        return tuple(replace(table, file=file) for table in tables), tuple(
            Unrecognized(Origin(file, one.origin.line, one.origin.text), one.reason) for one in lost
        )

    def _shared(self, table: Table) -> Table:
        chains = table.chains
        if not isinstance(chains, LazyChains) or any(min(place) < 0 for place in chains.places.values()):
            return table  # lines of ``iptables -I`` are put into an order of their own
        if len(chains) < WORTH_SHARING:
            return replace(table, chains=_part(chains, chains.places, 0))
        models = self._models.setdefault((table.backend, table.family, table.name), [])
        best: _Difference | None = None
        for model in models:
            difference = _difference(chains, model)
            if difference is not None and (best is None or difference.size < best.size):
                best = difference
                if best.size <= LITTLE:
                    break
        if best is not None and (best.size <= LITTLE or len(models) >= MOST_MODELS):
            return _with_lines(table, SharedChains(best, _part(chains, best.own, OWN)), best.lines)
        model = _Model(_part(chains, chains.places, 0))
        if len(models) < MOST_MODELS:
            models.append(model)
        return _with_lines(table, model.chains, LineMap())


def without_counters(text: str) -> str:
    """A dump without what differs between nodes that have the same rules; its lines stay where they are."""
    pieces = text.split("\n[")  # ``[12:840] -A FORWARD ...``: nothing else begins so
    if len(pieces) > 1:
        text = "\n".join([pieces[0], *(piece[piece.find("]") + 2 :] for piece in pieces[1:])])
    kept: list[str] = []
    start = 0
    for begin, end in _told_once(text):
        kept.append(text[start:begin])
        start = end
    return "".join((*kept, text[start:]))


def _told_once(text: str) -> Iterator[tuple[int, int]]:
    """Where the times and the counters of policies stand: in comments, and behind the name of a table."""
    end = 0
    while end < len(text):
        begin, end = end, text.find("\n", end) + 1 or len(text)
        line = text[begin:end]
        if line.startswith("#"):
            time = line.rfind(" on ")
            if time > 0:
                yield begin + time, end - line.endswith("\n")
        elif line.startswith(":") and line.rfind(" - [") < 0:
            counters = line.rfind(" [")
            if counters > 0:
                yield begin + counters, end - line.endswith("\n")
        elif not line.startswith("*"):  # chains without a policy, and rules: on to the comment behind the table
            end = text.find("\n#", begin) + 1 or len(text)


class _Model:
    """The table of the node that was read first."""

    def __init__(self, chains: LazyChains) -> None:
        self.chains = chains
        self._calls: dict[str, frozenset[str]] = {}

    def calls(self, name: str) -> frozenset[str]:
        """The chains and targets that a chain's rules name."""
        known = self._calls.get(name)
        if known is None:
            known = self._calls[name] = frozenset(_CALLED.findall(_body(self.chains, name)))
        return known


class _Difference(NamedTuple):
    """How a table differs from a model."""

    model: _Model
    own: list[str]
    removed: frozenset[str]
    lines: LineMap
    size: int
    """Bytes of the rules that are its own."""


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


def _difference(chains: LazyChains, model: _Model) -> _Difference | None:
    """What a table has otherwise; None when that is too much. Base chains are always its own: they have policies."""
    text, places, bases = chains.text, chains.places, chains.bases
    others, other_text = model.chains.places, model.chains.text
    declared = chains.declared
    other_declared = {name: text for name, text in model.chains.declared.items() if name not in bases}
    most = len(places) // DIFFERS + len(bases)
    own: list[str] = []
    pairs: list[tuple[int, int]] = []
    for name, place in places.items():
        other = others.get(name)
        if other is None or len(place) != len(other) or declared.get(name) != other_declared.get(name):
            own.append(name)
        elif (
            text[place[1] : place[2]] == other_text[other[1] : other[2]]
            if len(place) == 4
            else _same(chains, model.chains, name)
        ):
            pairs.append((other[0], place[0]))
            pairs += zip(other[3::3], place[3::3], strict=True)
        else:
            own.append(name)
        if len(own) > most:
            return None
    size = sum(len(_body(chains, name)) for name in own)
    return _Difference(model, own, frozenset(others.keys() - places.keys()), LineMap(pairs), size)


def _same(chains: LazyChains, others: LazyChains, name: str) -> bool:
    return _body(chains, name) == _body(others, name)


def _body(chains: LazyChains, name: str) -> str:
    """The rules of a chain as text."""
    place = chains.places[name]
    return "".join(chains.text[place[at] : place[at + 1]] for at in range(1, len(place), 3))


def _part(chains: LazyChains, names: Iterable[str], shift: int) -> LazyChains:
    """Some chains of a table with only their own text. ``shift`` is added to their lines."""
    text: list[str] = []
    size = 0
    part = LazyChains("", chains.family)
    for name in names:
        line, *runs = chains.places[name]
        place = [line + shift]
        for start, end, first in zip(runs[::3], runs[1::3], runs[2::3], strict=True):
            text.append(chains.text[start:end])
            place += (size, size + end - start, first + shift)
            size += end - start
        part.places[name] = place
        if name in chains.declared:
            part.declared[name] = chains.declared[name]
        if name in chains.bases:
            part.bases[name] = chains.bases[name]
    part.text = "".join(text)
    return part


def _with_lines(table: Table, chains: Mapping[str, Chain], lines: LineMap) -> SharedTable:
    return SharedTable(
        table.backend, table.family, table.name, table.file, chains, table.sets, table.order, lines
    )


class SharedChains(Mapping[str, Chain]):
    """The chains of a table: its own, and those of its model."""

    def __init__(self, difference: _Difference, own: LazyChains) -> None:
        self.bases: Mapping[str, Base] = own.bases
        self._model = difference.model
        self._own = own
        self._removed = difference.removed
        theirs = self._model.chains.places
        self._differing = self._removed.union(name for name in own.places if name not in theirs)
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
        part = _part(self._model.chains, [name], 0)
        part._compiler = RuleCompiler(self, part.family)  # noqa: SLF001  as in __init__
        self._made[name] = part[name]
        return part[name]

    def __contains__(self, name: object) -> bool:
        return name in self._own.places or (name in self._model.chains.places and name not in self._removed)

    def __iter__(self) -> Iterator[str]:
        yield from self._own.places
        hidden = self._removed.union(self._own.places)
        yield from (name for name in self._model.chains.places if name not in hidden)

    def __len__(self) -> int:
        own = sum(name not in self._model.chains.places for name in self._own.places)
        return len(self._model.chains) - len(self._removed) + own


class ChangedChains(Mapping[str, Chain]):
    """The chains of a table, one of them changed."""

    def __init__(self, chains: Mapping[str, Chain], changed: Mapping[str, Chain]) -> None:
        self.bases: Mapping[str, Base] = getattr(chains, "bases", {})
        self._chains = chains
        self._changed = changed

    def __getitem__(self, name: str) -> Chain:
        return self._changed[name] if name in self._changed else self._chains[name]

    def __contains__(self, name: object) -> bool:
        return name in self._changed or name in self._chains

    def __iter__(self) -> Iterator[str]:
        return iter(self._chains)

    def __len__(self) -> int:
        return len(self._chains)


@dataclass(frozen=True, eq=False)
class SharedTable(Table):
    """A table whose rules may be those of another node's file, at lines of its own."""

    lines: LineMap = field(default_factory=LineMap)

    def origin(self, rule: Rule) -> Origin:
        """The evidence of a rule of this table."""
        return Origin(self.file, self.lines(rule.line), rule.text)

    def chain_origin(self, chain: Chain) -> Origin:
        """The evidence of a chain's declaration."""
        return Origin(self.file, self.lines(chain.line), chain.text)

    def with_chain(self, chain: Chain) -> Table:
        """A copy in which one chain is replaced."""
        return replace(self, chains=ChangedChains(self.chains, {chain.name: chain}))
