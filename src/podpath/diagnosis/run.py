"""The use case: promises walked, causes found, proven, named, ranked, folded."""

from __future__ import annotations

from collections.abc import Sequence

from podpath.checks.registry import Promised
from podpath.diagnosis.causes import Group, weight
from podpath.diagnosis.explain import Named, name_cause
from podpath.diagnosis.prove import spread
from podpath.diagnosis.rank import fold, merge, ordered
from podpath.diagnosis.state import Selected, look_at_state, what_is_promised
from podpath.diagnosis.walk import Progress, Walked, walk_promises
from podpath.model.diagnosis import CrashedCheck, Diagnosis, SkippedCheck
from podpath.model.edit import Edit, apply_edits
from podpath.model.finding import Finding
from podpath.model.network import Network

MOST_ROUNDS = 3
"""Faults in a row: behind a cause that the edits mend another may stand; so many are looked for."""
MOST_AGAIN = 400
"""Mended promises that are walked again for what may stand behind: of every kind and client."""


def diagnose(
    network: Network,
    *,
    only: Sequence[str] = (),
    skip: Sequence[str] = (),
    progress: Progress = lambda _what, _done, _all: None,
) -> Diagnosis:
    """What is wrong with a network, the cause first. ``only`` and ``skip`` choose checks by code."""
    selected: Selected = lambda code: (not only or code in only) and code not in skip  # noqa: E731
    crashed: list[CrashedCheck] = []
    promises, designed = what_is_promised(network)
    walked = walk_promises(network, promises, progress)
    findings = _causes(network, walked, selected, crashed, progress)
    skipped: list[SkippedCheck] = []
    findings += look_at_state(network, Promised(promises, designed), selected, skipped, crashed)
    return Diagnosis(
        bundle=network.name,
        nodes=len(network.cluster.nodes) or len(network.nodes),
        pods=len(network.cluster.pods),
        services=len(network.cluster.services),
        walked=weight(promises),
        broken=weight(walked.broken),
        findings=fold(ordered(findings)),
        undecided=walked.undecided,
        as_designed=tuple(designed),
        skipped=tuple(skipped),
        crashed=tuple(crashed),
        unrecognized=tuple(network.unrecognized),
        missing=network.missing,
    )


def _causes(
    network: Network, walked: Walked, selected: Selected, crashed: list[CrashedCheck], progress: Progress
) -> list[Finding]:
    """Causes round by round: those behind the first show when the first are mended in the model."""
    found: list[Named] = []
    groups: Sequence[Group] = walked.groups
    current = network
    for _ in range(MOST_ROUNDS):
        named = []
        for done, group in enumerate(groups):
            progress("causes", done, len(groups))
            one = name_cause(current, group, walked.kept, selected, crashed)
            named += [one] if one is not None else []
        found += named
        edits = _mending(named)
        if not edits:
            break
        current = apply_edits(current, edits)
        mended = {id(promise): promise for one in named if one.proof.proven for promise in one.group.promises}
        groups = walk_promises(current, spread(tuple(mended.values()), MOST_AGAIN), progress).groups
        if not groups:
            break
    return merge(found)


def _mending(named: Sequence[Named]) -> tuple[Edit, ...]:
    edits = {repr(edit): edit for one in named if one.proof.proven for edit in one.proof.edits}
    return tuple(edits.values())
