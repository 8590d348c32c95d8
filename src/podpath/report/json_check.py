"""``podpath check -o json``: the same diagnosis for programs. Its schema is published: ``docs/schema/check.json``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import msgspec

from podpath.model.diagnosis import Diagnosis
from podpath.model.finding import Finding, Severity
from podpath.model.promise import Promise
from podpath.report.json_parts import JsonEvidence, JsonFix, clean, json_evidence, json_fix

Count = Annotated[int, msgspec.Meta(ge=0)]


class JsonPromise(msgspec.Struct, frozen=True):
    """A broken promise. ``stands_for``: so many that the network cannot tell apart."""

    kind: str
    text: str
    client: str
    subject: str
    stands_for: int


class JsonFinding(msgspec.Struct, frozen=True):
    """One fault. ``name`` is what its check is called in words, ``broken`` counts all promises that it breaks."""

    code: str
    name: str
    severity: Literal["error", "warning", "info"]
    confidence: Literal["proven", "certain", "likely"]
    subject: str
    message: str
    cause: str
    reason: str
    proof: str
    broken: Count
    breaks: list[JsonPromise]
    evidence: Annotated[list[JsonEvidence], msgspec.Meta(min_length=1)]
    fix: JsonFix | None
    consequences: list[JsonFinding]


class JsonSkipped(msgspec.Struct, frozen=True):
    """A check that did not run, and the sources it lacks."""

    code: str
    missing: list[str]


class JsonCrashed(msgspec.Struct, frozen=True):
    """A check that failed itself."""

    code: str
    traceback: str


class JsonUndecided(msgspec.Struct, frozen=True):
    """A promise of which nobody can say whether it is kept."""

    promise: JsonPromise
    questions: list[str]


class JsonMissing(msgspec.Struct, frozen=True):
    """A source that is not in the bundle, and why."""

    node: str | None
    source: str
    reason: str


class JsonCheck(msgspec.Struct, frozen=True):
    """A diagnosis. ``findings`` stand in order of importance; ``unrecognized`` counts lines not understood."""

    schema: Literal["podpath.check/v1"]
    bundle: str
    nodes: Count
    pods: Count
    services: Count
    walked: Count
    broken: Count
    findings: list[JsonFinding]
    undecided: list[JsonUndecided]
    skipped: list[JsonSkipped]
    crashed: list[JsonCrashed]
    missing: list[JsonMissing]
    unrecognized: Count


def json_check(
    diagnosis: Diagnosis, titles: Mapping[str, str], lowest: Severity = Severity.WARNING
) -> JsonCheck:
    """The diagnosis as it is printed. ``titles``: the summary line of each check."""
    d = diagnosis
    return JsonCheck(
        schema="podpath.check/v1",
        bundle=clean(d.bundle),
        nodes=d.nodes,
        pods=d.pods,
        services=d.services,
        walked=d.walked,
        broken=d.broken,
        findings=[_finding(one, titles) for one in d.at_least(lowest)],
        undecided=[JsonUndecided(_promise(one.promise), _cleaned(one.questions)) for one in d.undecided],
        skipped=[JsonSkipped(one.code, list(one.missing)) for one in d.skipped],
        crashed=[JsonCrashed(one.code, clean(one.traceback)) for one in d.crashed],
        missing=[JsonMissing(one.node or None, clean(one.source), clean(one.text)) for one in d.missing],
        unrecognized=len(d.unrecognized),
    )


def _finding(finding: Finding, titles: Mapping[str, str]) -> JsonFinding:
    return JsonFinding(
        code=finding.code,
        name=clean(titles.get(finding.code) or finding.code.replace("-", " ")),
        severity=finding.severity.value,
        confidence=finding.confidence.value,
        subject=clean(str(finding.subject)),
        message=clean(finding.message),
        cause=clean(finding.cause),
        reason=clean(finding.reason),
        proof=clean(finding.proof),
        broken=finding.broken or sum(promise.stands_for for promise in finding.breaks),
        breaks=[_promise(promise) for promise in finding.breaks],
        evidence=[json_evidence(origin) for origin in finding.evidence],
        fix=json_fix(finding.fix),
        consequences=[_finding(one, titles) for one in finding.consequences],
    )


def _promise(promise: Promise) -> JsonPromise:
    return JsonPromise(
        promise.kind,
        clean(promise.text),
        clean(str(promise.client)),
        clean(str(promise.subject)),
        promise.stands_for,
    )


def _cleaned(texts: Sequence[str]) -> list[str]:
    return [clean(text) for text in texts]
