"""What ``podpath check`` knows at its end."""

from __future__ import annotations

import msgspec

from podpath.model.finding import Finding, Severity
from podpath.model.origin import Origin, Unrecognized
from podpath.model.promise import NotPromised, Promise


class SkippedCheck(msgspec.Struct, frozen=True, gc=False):
    """A check that could not run, and what it would have needed."""

    code: str
    missing: tuple[str, ...]


class CrashedCheck(msgspec.Struct, frozen=True, gc=False):
    """A check that failed itself: our bug, shown, and the rest goes on."""

    code: str
    traceback: str


class Undecided(msgspec.Struct, frozen=True, gc=False):
    """A promise of which nobody can say whether it is kept, and what would decide it."""

    promise: Promise
    questions: tuple[str, ...]


class Diagnosis(msgspec.Struct, frozen=True):
    """The findings, in order of importance, and what was and was not seen."""

    bundle: str
    nodes: int
    pods: int
    services: int
    walked: int
    """Promises, with all that each stands for."""
    broken: int
    findings: tuple[Finding, ...] = ()
    undecided: tuple[Undecided, ...] = ()
    as_designed: tuple[NotPromised, ...] = ()
    skipped: tuple[SkippedCheck, ...] = ()
    crashed: tuple[CrashedCheck, ...] = ()
    unrecognized: tuple[Unrecognized, ...] = ()
    missing: tuple[Origin, ...] = ()

    def at_least(self, severity: Severity) -> tuple[Finding, ...]:
        """The findings of a severity or a higher one."""
        return tuple(finding for finding in self.findings if finding.severity.rank <= severity.rank)
