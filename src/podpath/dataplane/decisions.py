"""Choices a packet meets, and the walk over all of them.

The tracer follows one way at a time, straight on. Where it meets a choice - random (statistic, numgen, ECMP) or not
known (a match we cannot judge) - it asks its ``Decider``. ``explore`` runs it again and again, each time with
another script of answers, until every combination was followed: no stage needs to know that it branches.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

import msgspec

MOST_BRANCHES = 600
"""More ways than this are not followed: what remains counts as not known."""


class Choice(msgspec.Struct, frozen=True, gc=False):
    """One choice as it was met: ``weights`` for a random one, none for one that is not known."""

    question: str
    options: int
    chosen: int
    weights: tuple[float, ...] = ()

    @property
    def is_random(self) -> bool:
        """Whether chance decides."""
        return bool(self.weights)


class Decider:
    """Answers choices from a script, then with the first option, and remembers what was asked."""

    def __init__(self, script: Sequence[int] = ()) -> None:
        """``script``: the option to take at the first, second ... choice."""
        self._script = script
        self.taken: list[Choice] = []
        self._known: dict[str, int] = {}
        self._kept: dict[Hashable, int] = {}

    def random(self, weights: Sequence[float], question: str = "", key: Hashable = None) -> int:
        """An option by chance; options of weight 0 are never taken. What has the same ``key`` gets the same answer."""
        if key is not None and key in self._kept:
            return self._kept[key]
        chosen = self._random(weights, question)
        if key is not None:
            self._kept[key] = chosen
        return chosen

    def _random(self, weights: Sequence[float], question: str) -> int:
        live = [index for index, weight in enumerate(weights) if weight > 0]
        if len(live) == 1:
            return live[0]
        at = self._next()
        self.taken.append(Choice(question, len(live), at, tuple(weights[index] for index in live)))
        return live[at]

    def unknown(self, question: str, options: int = 2) -> int:
        """An option that nobody knows. The same question gets the same answer within one run."""
        if question in self._known:
            return self._known[question]
        at = self._next()
        self.taken.append(Choice(question, options, at))
        self._known[question] = at
        return at

    def suppose(self, question: str) -> bool:
        """A yes or no that nobody knows."""
        return self.unknown(question) == 1

    def _next(self) -> int:
        index = len(self.taken)
        return self._script[index] if index < len(self._script) else 0


Leaf = TypeVar("Leaf")


def explore(
    run: Callable[[Decider], Leaf], most: int = MOST_BRANCHES
) -> tuple[list[tuple[tuple[Choice, ...], Leaf]], bool]:
    """Every way of ``run``: (choices, result) each; and whether all were followed."""
    pending: list[tuple[int, ...]] = [()]
    leaves: list[tuple[tuple[Choice, ...], Leaf]] = []
    while pending:
        if len(leaves) >= most:
            return leaves, False
        script = pending.pop()
        decider = Decider(script)
        leaf = run(decider)
        leaves.append((tuple(decider.taken), leaf))
        for depth in range(len(decider.taken) - 1, len(script) - 1, -1):
            before = tuple(choice.chosen for choice in decider.taken[:depth])
            pending.extend((*before, other) for other in range(decider.taken[depth].options - 1, 0, -1))
    return leaves, True


def success_bounds(
    leaves: Sequence[tuple[tuple[Choice, ...], bool | None]], depth: int = 0
) -> tuple[float, float]:
    """The least and the greatest probability of success over all that is not known.

    ``leaves`` are those of one subtree: they share their first ``depth`` choices.
    """
    choices, works = leaves[0]
    if len(choices) == depth:
        return {True: (1.0, 1.0), False: (0.0, 0.0), None: (0.0, 1.0)}[works]
    groups: dict[int, list[tuple[tuple[Choice, ...], bool | None]]] = {}
    for leaf in leaves:
        groups.setdefault(leaf[0][depth].chosen, []).append(leaf)
    bounds = {chosen: success_bounds(group, depth + 1) for chosen, group in groups.items()}
    choice = choices[depth]
    if not choice.is_random:
        missing = len(bounds) < choice.options
        least = min(low for low, _ in bounds.values())
        most = max(high for _, high in bounds.values())
        return (0.0, 1.0) if missing else (least, most)
    total = sum(choice.weights)
    low = sum(choice.weights[chosen] * bound[0] for chosen, bound in bounds.items()) / total
    unfollowed = sum(weight for index, weight in enumerate(choice.weights) if index not in bounds)
    high = (sum(choice.weights[chosen] * bound[1] for chosen, bound in bounds.items()) + unfollowed) / total
    return low, high


def probability(choices: Sequence[Choice]) -> float:
    """The chance of one way, among the random choices."""
    result = 1.0
    for choice in choices:
        if choice.is_random:
            result *= choice.weights[choice.chosen] / sum(choice.weights)
    return result
