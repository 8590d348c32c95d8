"""Names for causes: the checks' explanations are asked, the most specific answer is proven."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from podpath.checks.case import Case, Explained
from podpath.checks.registry import Explanation, explanations
from podpath.diagnosis.causes import Group, weight
from podpath.diagnosis.guard import guarded
from podpath.diagnosis.prove import Proof, prove
from podpath.diagnosis.state import Selected
from podpath.model.diagnosis import CrashedCheck
from podpath.model.edit import Outside, PatchObject
from podpath.model.finding import Confidence, Finding, Fix
from podpath.model.network import Network
from podpath.model.origin import Origin
from podpath.model.promise import Promise
from podpath.model.refs import ObjectRef


class Named(NamedTuple):
    """A cause with its name."""

    group: Group
    finding: Finding
    proof: Proof


def name_cause(
    network: Network,
    group: Group,
    keeping: Sequence[Promise],
    selected: Selected,
    crashed: list[CrashedCheck],
) -> Named | None:
    """The finding for a group of broken promises; None when no check may speak of it."""
    case = group.case(network)
    if case is None:
        return None
    for check in explanations(case.step.kind):
        if not selected(check.code):
            continue
        explained = guarded(check.code, partial(check.explain, case), crashed)
        if explained is not None:
            proof = prove(network, group, explained, keeping)
            return Named(group, _finding(check, case, explained, proof, group), proof)
    return None


def _finding(check: Explanation, case: Case, explained: Explained, proof: Proof, group: Group) -> Finding:
    step = case.step.origin
    own = (step,) if step.file else ()
    evidence = (*explained.evidence, *own) if explained.evidence_first else (*own, *explained.evidence)
    unmodelled = not proof.edits or all(isinstance(edit, PatchObject | Outside) for edit in proof.edits)
    confidence = (
        Confidence.PROVEN if proof.proven else Confidence.CERTAIN if unmodelled else Confidence.LIKELY
    )
    return Finding(
        explained.code or check.code,
        check.severity,
        explained.subject or _subject(case),
        explained.message,
        _distinct(evidence) or (Origin(case.netns.folder, 0, case.step.text),),
        explained.cause,
        confidence,
        Fix(explained.summary, explained.steps, explained.risk, proof.edits),
        group.promises,
        weight(group.promises),
        explained.reason,
        proof.text(weight(group.promises), len(group.promises)),
    )


def _subject(case: Case) -> ObjectRef:
    if case.netns.is_host:
        return case.node_ref
    _, namespace, name = case.netns.id.split("/", 2)
    return ObjectRef("Pod", namespace, name)


def _distinct(evidence: Sequence[Origin]) -> tuple[Origin, ...]:
    return tuple({(one.file, one.line, one.text): one for one in evidence}.values())
