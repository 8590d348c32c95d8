"""Which chains of a dump are otherwise than in another, told by the lines that only one of the two has."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from itertools import pairwise

from podpath.assemble.dump_lines import Run, committed
from podpath.assemble.shared_chains import OWN, Model, SharedChains
from podpath.model.linux.netfilter import Chain
from podpath.parse.iptables_index import LazyChains
from podpath.parse.iptables_save import parse_iptables_save

_ABOUT = re.compile(r"(?:-A |:)(\S+) ")
"""A line of a chain: a rule, or what declares it."""
_SAYS_NOTHING = re.compile(r"(?!.*is incompatible)#|$")


class Changes:
    """The chains of each table that have other lines than a model's."""

    def __init__(self, lines: list[str], runs: list[Run], marks: Mapping[str, int]) -> None:
        """``marks`` are the places in the model's lines where a table begins."""
        self._lines = lines
        self._runs = runs
        self._starts = [run.theirs for run in runs]
        self._tables = tuple(marks)
        self._theirs = list(marks.values())
        self._ours = [self._here(line) for line in self._theirs]
        self._touched: dict[str, dict[str, list[int]]] = {name: {} for name in marks}
        """By table and chain: the lines that only this dump has."""

    def gather(self, others: list[str]) -> bool:
        """Go through the lines that one alone has; whether all of them are of chains."""
        ours = [place for place in self._ours if place is not None]
        if len(ours) < len(self._ours):
            return False
        commits = [committed(self._lines, place) for place in ours]
        ends = Run(len(self._lines), len(others), 0)
        for before, after in pairwise([Run(0, 0, 0), *self._runs, ends]):
            for at in range(before.ours + before.size, after.ours):
                table = bisect_right(ours, at) - 1
                inside = table if table >= 0 and at < commits[table] else -1
                if not self._note(self._lines[at], inside, at):
                    return False
            for at in range(before.theirs + before.size, after.theirs):
                if not self._note(others[at], bisect_right(self._theirs, at) - 1, None):
                    return False
        return True

    def _note(self, line: str, table: int, at: int | None) -> bool:
        about = _ABOUT.match(line)
        if about is None or table < 0:
            return _SAYS_NOTHING.match(line) is not None
        found = self._touched[self._tables[table]].setdefault(about[1], [])
        if at is not None:
            found.append(at)
        return True

    def _here(self, theirs: int) -> int | None:
        """Where a line of the model is; None where it is not."""
        at = bisect_right(self._starts, theirs) - 1
        if at < 0 or theirs >= self._starts[at] + self._runs[at].size:
            return None
        return self._runs[at].ours + theirs - self._starts[at]

    def chains(self, table: str, model: Model, backend: str, family: str) -> Mapping[str, Chain] | None:
        """The chains of a table; None when they are to be read without the model."""
        touched = self._touched[table]
        if not touched:
            return model.chains
        places = sorted(
            {at for name, added in touched.items() for at in (*added, *self._kept(model.chains, name))}
        )
        declared = [at for at in places if self._lines[at].startswith(":")]
        where = [*declared, *(at for at in places if not self._lines[at].startswith(":"))]
        text = "\n".join([f"*{table}", *(self._lines[at] for at in where), "COMMIT", ""])
        tables, lost = parse_iptables_save(text, "", backend=backend, family=family)
        own = tables[0].chains if tables else None
        if lost or not isinstance(own, LazyChains):
            return None
        removed = frozenset(
            name for name in touched if name not in own.places and name in model.chains.places
        )
        return SharedChains(model, _moved(own, where), removed)

    def _kept(self, theirs: LazyChains, name: str) -> Iterator[int]:
        """The lines of a chain that are the model's, too."""
        line, *runs = theirs.places.get(name, [0])
        lines = [line] if line else []
        for start, end, first in zip(runs[::3], runs[1::3], runs[2::3], strict=True):
            lines += range(first, first + theirs.text.count("\n", start, end))
        for number in lines:
            here = self._here(number - 1)
            if here is not None:
                yield here


def _moved(chains: LazyChains, where: list[int]) -> LazyChains:
    """Chains with the lines that they have in the dump, ``where``, instead of those in a text without the others."""
    moved = LazyChains(chains.text, chains.family)
    moved.declared, moved.bases = chains.declared, chains.bases
    for name, (line, *runs) in chains.places.items():
        place = moved.places[name] = [OWN + where[line - 2] + 1]
        for begin, end, first in zip(runs[::3], runs[1::3], runs[2::3], strict=True):
            start = begin
            for at in range(first, first + chains.text.count("\n", begin, end)):
                after = chains.text.find("\n", start) + 1
                if at > first and where[at - 2] == where[at - 3] + 1:
                    place[-2] = after
                else:
                    place += (start, after, OWN + where[at - 2] + 1)
                start = after
    return moved
