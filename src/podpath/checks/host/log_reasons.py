"""What component logs say about faults: each row of ``log_table`` is a check of its own.

A log is the *reason* behind a Pod that is not ready or a node that is not; it breaks no promise by itself. So each
row warns, and the check that shows the broken promise quotes the row (``reason_of``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from podpath.checks.host.log_lines import Said, is_recent, said, said_by_pod
from podpath.checks.host.log_table import DOWN, NOW, REASONS, Reason
from podpath.checks.registry import Look, Promised, state_check
from podpath.model.finding import Confidence, Finding, Fix, Severity
from podpath.model.kube.cluster import grouped
from podpath.model.kube.pod import Pod
from podpath.model.network import Network
from podpath.model.origin import Origin
from podpath.model.refs import ObjectRef


class Read(NamedTuple):
    """A row that a line matched."""

    reason: Reason
    said: Said
    caught: tuple[str, ...]

    @property
    def text(self) -> str:
        """``dns-loop-detected: the forward target leads back to CoreDNS``."""
        return f"{self.reason.code}: {self.reason.cause}"

    @property
    def evidence(self) -> tuple[Origin, ...]:
        """The line."""
        return (self.said.line.origin,)

    @property
    def fix(self) -> Fix:
        """What to do about it."""
        reason = self.reason
        return Fix(reason.fix, tuple(step.format(*self.caught) for step in reason.steps), reason.risk)


@lru_cache(maxsize=len(REASONS))
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def read(reason: Reason, one: Said) -> Read | None:
    """What a row makes of a line."""
    found = _compiled(reason.pattern).search(one.text)
    return None if found is None else Read(reason, one, tuple(group or "" for group in found.groups()))


def reason_of(network: Network, pod: Pod) -> Read | None:
    """The reason that a Pod's log gives for its not being ready: of several the last one said."""
    for one in reversed(said_by_pod(network).get(pod.key, ())):
        for reason in REASONS:
            found = read(reason, one)
            if found is not None:
                return found
    return None


def _counts(network: Network, found: Read) -> bool:
    """Whether a line still matters."""
    if found.reason.when == NOW:
        return is_recent(network, found.said)
    if not network.cluster.has("pods"):  # whether it came up since is not known: its last words may tell
        return found.said.line.level == "F" and is_recent(network, found.said)
    pod = None if found.said.pod is None else network.cluster.pods.get(found.said.pod)
    if pod is None or pod.ready or pod.finished:
        return False
    last = reason_of(network, pod)
    return last is not None and last.reason is found.reason


def _finding(network: Network, reads: tuple[Read, ...]) -> Finding:
    """One finding for all who say the same."""
    first = reads[-1]
    who = first.said.speaker
    subject = ObjectRef("Pod", *first.said.pod) if first.said.pod else ObjectRef("Node", "", first.said.node)
    speakers = sorted({one.said.speaker for one in reads})
    more = f" ({len(speakers)} of them say so)" if len(speakers) > 1 else ""
    return Finding(
        code=first.reason.code,
        severity=Severity.WARNING,
        subject=subject,
        message=first.reason.message.format(*first.caught, who=who) + more,
        evidence=tuple(one.said.line.origin for one in reads[-3:][::-1]),
        cause=first.reason.cause,
        confidence=Confidence.LIKELY if network.cluster.lookup(subject) is None else Confidence.CERTAIN,
        fix=first.fix,
    )


def _look(reason: Reason) -> Look:
    def look(network: Network, _promised: Promised) -> Iterator[Finding]:
        reads = [found for one in said(network) if (found := read(reason, one)) is not None]
        logs = grouped((found.said.line.origin.file, found) for found in reads).values()
        counted = tuple(
            found
            for of_log in logs
            if len(of_log) >= reason.least
            for found in of_log
            if _counts(network, found)
        )
        if counted:
            yield _finding(network, counted)

    look.__doc__ = _page(reason)
    look.__name__ = reason.code.replace("-", "_")
    return look


def _page(reason: Reason) -> str:
    headline = reason.message.format("...", who="A component").rstrip(".")
    steps = "\n".join(f"        {step.format('...')}" for step in reason.steps)
    counts = "its Pod is not ready" if reason.when == DOWN else "it is recent"
    return f"""{headline}.

    ## Why it breaks

    {reason.why}

    ## See it by hand

    A line of the component's log, when {counts}:

        {reason.pattern}

    ## Fix

    {reason.fix[:1].upper()}{reason.fix[1:]}.

{steps}

    ## Often confused with

    {reason.confused}
    """


for _reason in REASONS:
    state_check(_reason.code, severity=Severity.WARNING, needs=("node/logs",))(_look(_reason))
