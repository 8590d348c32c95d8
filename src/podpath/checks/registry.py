"""The checks, and how one is written.

A check is a decorated function in a file of its own; its docstring is its page: a summary line, ``## Why it breaks``,
``## See it by hand``, ``## Fix``. There are two forms:

- an **explanation** is asked about a ``Case`` - a step that ended broken promises - and answers with an
  ``Explained``, or None to decline. The most specific answer wins; without one the plain step is shown.
- a **state check** looks at the network without a flow and yields ``Finding``s. It may only warn, unless it shows
  which promise cannot be made (no endpoints, no such port).
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from podpath.checks.case import Case, Explained
from podpath.model.finding import Finding, Severity
from podpath.model.network import Network
from podpath.model.promise import NotPromised, Promise

Explain = Callable[[Case], Explained | None]


class Promised(NamedTuple):
    """What intent said, for state checks: everything promised, and what is not and why."""

    promises: Sequence[Promise]
    not_promised: Sequence[NotPromised]


Look = Callable[[Network, Promised], Iterator[Finding]]


class Explanation(NamedTuple):
    """A registered explanation."""

    code: str
    kinds: tuple[str, ...]
    """Kinds of step it is asked about; empty is every kind."""
    specificity: int
    """Among several answers the highest wins: 0 the plain step, 10 a kind, 20 an owner or flow, 30 a named fault."""
    severity: Severity
    explain: Explain
    page: str


class StateCheck(NamedTuple):
    """A registered state check."""

    code: str
    severity: Severity
    needs: tuple[str, ...]
    """What it cannot do without: ``api/services`` (a list that must be collected), ``node/sysctl`` (a source that at
    least one node must have)."""
    look: Look
    page: str


_EXPLANATIONS: dict[str, Explanation] = {}
_STATE_CHECKS: dict[str, StateCheck] = {}


def explanation(
    code: str, *, kinds: Sequence[str] = (), specificity: int = 30, severity: Severity = Severity.ERROR
) -> Callable[[Explain], Explain]:
    """Register an explanation under the fault's name."""

    def register(function: Explain) -> Explain:
        _EXPLANATIONS[code] = Explanation(
            code, tuple(kinds), specificity, severity, function, function.__doc__ or ""
        )
        return function

    return register


def state_check(
    code: str, *, severity: Severity = Severity.WARNING, needs: Sequence[str] = ()
) -> Callable[[Look], Look]:
    """Register a state check under the fault's name."""

    def register(function: Look) -> Look:
        _STATE_CHECKS[code] = StateCheck(code, severity, tuple(needs), function, function.__doc__ or "")
        return function

    return register


@lru_cache(maxsize=1)
def load_checks() -> None:
    """Import every module of every area, so that its checks are registered."""
    from podpath import checks  # noqa: PLC0415  the package itself, when it is loaded

    for module in pkgutil.walk_packages(checks.__path__, f"{checks.__name__}."):
        if not module.ispkg:
            importlib.import_module(module.name)


def explanations(kind: str) -> tuple[Explanation, ...]:
    """Those that are asked about a kind of step, the most specific first."""
    load_checks()
    asked = (one for one in _EXPLANATIONS.values() if not one.kinds or kind in one.kinds)
    return tuple(sorted(asked, key=lambda one: (-one.specificity, one.code)))


def explanations_by_code() -> dict[str, Explanation]:
    """All explanations, by code."""
    load_checks()
    return dict(sorted(_EXPLANATIONS.items()))


def state_checks() -> tuple[StateCheck, ...]:
    """All state checks, by code."""
    load_checks()
    return tuple(sorted(_STATE_CHECKS.values(), key=lambda one: one.code))


def pages() -> dict[str, str]:
    """The page of every check, by code."""
    load_checks()
    found = {code: one.page for code, one in _STATE_CHECKS.items()}
    found |= {code: one.page for code, one in _EXPLANATIONS.items()}
    return dict(sorted(found.items()))
