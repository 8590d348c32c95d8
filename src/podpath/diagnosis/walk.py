"""Promises walked one by one: what is kept of them is small, however many there are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from podpath.diagnosis.causes import Causes, Group
from podpath.diagnosis.judge import Judged, judge
from podpath.model.diagnosis import Undecided
from podpath.model.network import Network
from podpath.model.promise import Promise
from podpath.model.trace import Disposition

Progress = Callable[[str, int, int], None]
REPORT_EVERY = 50


class Walked(NamedTuple):
    """What walking promises showed."""

    kept: tuple[Promise, ...]
    broken: tuple[Promise, ...]
    undecided: tuple[Undecided, ...]
    groups: tuple[Group, ...]
    """The broken ones by the step that breaks them."""


def walk_promises(network: Network, promises: Sequence[Promise], progress: Progress) -> Walked:
    """Judge every promise in a network."""
    kept: list[Promise] = []
    broken: list[Promise] = []
    undecided: list[Undecided] = []
    causes = Causes(network)
    for done, promise in enumerate(promises):
        if done % REPORT_EVERY == 0:
            progress("promises", done, len(promises))
        judged = judge(network, promise)
        if judged.broken:
            broken.append(promise)
            causes.add(judged)
        elif judged.undecided:
            undecided.append(Undecided(promise, _questions(judged)))
        else:
            kept.append(promise)
    progress("promises", len(promises), len(promises))
    return Walked(tuple(kept), tuple(broken), tuple(undecided), tuple(causes.groups()))


def _questions(judged: Judged) -> tuple[str, ...]:
    asked = dict.fromkeys(question for branch in judged.undecided for question in branch.assumptions)
    asked |= dict.fromkeys(
        b.end.last.text for b in judged.undecided if b.disposition is Disposition.INSUFFICIENT_INFO
    )
    return tuple(asked)
