"""Rules that many nodes have alike are held once.

kube-proxy writes the same 40,000 chains on every node, but no two dumps are the same: each has its own time, counters,
and a few chains of the node's own Pods. So the first dump of its sort becomes a model, and of another node's is held
only what differs: whole chains, and by how many lines the others stand elsewhere. A chain that two nodes share is one
object, so that it is compiled once, whoever's packet visits it first.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from podpath.assemble.dump_changes import Changes
from podpath.assemble.dump_lines import equal_runs, only_ours, plain_lines
from podpath.assemble.shared_chains import OWN, LineMap, Model, SharedChains, body, part, shared_table
from podpath.model.linux.netfilter import Table
from podpath.model.origin import Unrecognized
from podpath.parse.iptables_index import LazyChains
from podpath.parse.iptables_save import parse_iptables_save

WORTH_SHARING = 64
"""Chains from which on a table is compared with others."""
MOST_MODELS = 4
"""Models that a table is compared with: nodes of one cluster differ by pool or CNI, not one from another."""
MOST_DUMPS = 4
"""Whole dumps that another is compared with."""
LITTLE = 1 << 16
"""So many bytes of rules a node may have otherwise than a model; beyond it becomes a model itself, if there is room."""
DIFFERS = 4
"""A table of which more than one chain in so many differs is held whole."""

Parsed = tuple[tuple[Table, ...], tuple[Unrecognized, ...]]


class SharedRules:
    """The dumps and tables that others are compared with, by sort and name."""

    def __init__(self) -> None:
        self._dumps: dict[tuple[str, str], list[_Dump]] = {}
        self._models: dict[tuple[str, str, str], list[Model]] = {}

    def parsed(self, text: str, file: str, *, backend: str, family: str) -> Parsed:
        """The tables of a dump, without counters and times: those of one node are no evidence on another."""
        lines = plain_lines(text)
        dumps = self._dumps.setdefault((backend, family), [])
        for dump in dumps:
            tables = dump.compared(lines, file)
            if tables is not None:
                return tables, ()
        tables, lost = parse_iptables_save("\n".join(lines), file, backend=backend, family=family)
        shared = tuple(self._shared(table) for table in tables)
        if not lost and len(dumps) < MOST_DUMPS and all(type(table.chains) is LazyChains for table in shared):
            dumps.append(_Dump(lines, shared))
        return shared, lost

    def _shared(self, table: Table) -> Table:
        """A table beside the other nodes' of its name, whatever the order of their chains."""
        chains = table.chains
        if not isinstance(chains, LazyChains) or any(min(place) < 0 for place in chains.places.values()):
            return table  # lines of ``iptables -I`` are put into an order of their own
        if len(chains) < WORTH_SHARING:
            return shared_table(table, part(chains, chains.places))
        models = self._models.setdefault((table.backend, table.family, table.name), [])
        best: _Difference | None = None
        for model in models:
            difference = _difference(chains, model)
            if difference is not None and (best is None or difference.size < best.size):
                best = difference
                if best.size <= LITTLE:
                    break
        if best is not None and (best.size <= LITTLE or len(models) >= MOST_MODELS):
            own = part(chains, best.own, OWN)
            return shared_table(table, SharedChains(best.model, own, best.removed), best.lines)
        model = Model(part(chains, chains.places))
        if len(models) < MOST_MODELS:
            models.append(model)
        return shared_table(table, model.chains)


class _Difference(NamedTuple):
    """How a table differs from a model."""

    model: Model
    own: list[str]
    removed: frozenset[str]
    lines: LineMap
    size: int
    """Bytes of the rules that are its own."""


def _difference(chains: LazyChains, model: Model) -> _Difference | None:
    """What a table has otherwise; None when that is too much."""
    places, others = chains.places, model.chains.places
    declared, other_declared = chains.declared, model.chains.declared
    most = len(places) // DIFFERS
    own: list[str] = []
    pairs: list[tuple[int, int]] = []
    for name, place in places.items():
        other = others.get(name)
        if other is None or len(place) != len(other) or declared.get(name) != other_declared.get(name):
            own.append(name)
        elif body(chains, name) == body(model.chains, name):
            pairs.append((other[0], place[0]))
            pairs += zip(other[3::3], place[3::3], strict=True)
        else:
            own.append(name)
        if len(own) > most:
            return None
    size = sum(len(body(chains, name)) for name in own)
    return _Difference(model, own, frozenset(others.keys() - places.keys()), LineMap(pairs), size)


class _Dump:
    """A whole dump that others are compared with line by line: most are its lines, with some in between."""

    def __init__(self, lines: list[str], tables: tuple[Table, ...]) -> None:
        self._lines = lines
        self._tables = tables
        self._models = [Model(chains) for table in tables if isinstance(chains := table.chains, LazyChains)]
        self._marks = {line[1:]: at for at, line in enumerate(lines) if line.startswith("*")}

    def compared(self, lines: list[str], file: str) -> tuple[Table, ...] | None:
        """The tables of other lines, by what differs; None when that is much, or is more than chains and rules."""
        runs = equal_runs(lines, self._lines)
        if runs is None or sum(len(line) for line in only_ours(lines, runs)) > LITTLE:
            return None
        changes = Changes(lines, runs, self._marks)
        if len(self._marks) != len(self._tables) or not changes.gather(self._lines):
            return None
        distances = LineMap((run.theirs + 1, run.ours + 1) for run in runs)
        found: list[Table] = []
        for table, model in zip(self._tables, self._models, strict=True):
            chains = changes.chains(table.name, model, table.backend, table.family)
            if chains is None:
                return None
            found.append(shared_table(replace(table, file=file), chains, distances))
        return tuple(found)
