"""Order and folding: causes by what they break, views of one cause under it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from podpath.diagnosis.causes import weight
from podpath.diagnosis.explain import Named
from podpath.model.edit import Outside, PatchObject
from podpath.model.finding import Finding, Severity

VIEWS: dict[str, frozenset[str]] = {
    "kube-proxy-not-running": frozenset(
        {"kube-proxy-hooks-flushed", "kube-proxy-rules-missing", "kube-proxy-stale-endpoint"}
    ),
    "kube-proxy-api-unreachable": frozenset({"kube-proxy-rules-missing", "kube-proxy-stale-endpoint"}),
    "promiscuous-bridge-ineffective": frozenset({"hairpin-off"}),
    "endpoints-out-of-date": frozenset({"svc-selector-mismatch", "svc-no-ready-endpoints"}),
}
"""A finding that tells the reason or another view of one of these on the same subject folds under it."""


def merge(named: Sequence[Named]) -> list[Finding]:
    """One finding for one cause: groups of promises with the same name, subject and mending are one."""
    merged: dict[tuple[object, ...], Named] = {}
    for one in named:
        key = _identity(one.finding)
        known = merged.get(key)
        merged[key] = one if known is None else _joined(known, one)
    return [one.finding for one in merged.values()]


def _identity(finding: Finding) -> tuple[object, ...]:
    edits = finding.fix.edits if finding.fix is not None else ()
    mending = tuple(repr(edit) for edit in edits if not isinstance(edit, Outside | PatchObject))
    if mending:
        return finding.code, finding.subject, mending
    return (
        finding.code,
        finding.subject,
        finding.evidence[0].file,
        finding.evidence[0].line,
        finding.message,
    )


def _joined(one: Named, other: Named) -> Named:
    breaks = tuple(
        {id(promise): promise for promise in (*one.finding.breaks, *other.finding.breaks)}.values()
    )
    lines = (*one.finding.evidence, *other.finding.evidence)
    evidence = tuple({(e.file, e.line, e.text): e for e in lines}.values())
    first = one if weight(one.finding.breaks) >= weight(other.finding.breaks) else other
    proof, broken = one.proof.with_(other.proof), weight(breaks)
    finding = msgspec.structs.replace(
        first.finding, breaks=breaks, broken=broken, evidence=evidence, proof=proof.text(broken, len(breaks))
    )
    return first._replace(finding=finding, proof=proof)


def ordered(findings: Sequence[Finding]) -> list[Finding]:
    """Errors before warnings; among them the one that breaks most first; proven before likely."""
    confidence = ("proven", "certain", "likely")
    return sorted(
        findings,
        key=lambda f: (
            f.severity.rank,
            -f.broken,
            confidence.index(f.confidence.value),
            f.code,
            str(f.subject),
        ),
    )


def fold(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Put other views and consequences of a cause under it."""
    kept: list[Finding] = []
    under: dict[int, list[Finding]] = {}
    for finding in findings:
        above = next((i for i, cause in enumerate(kept) if _folds(finding, cause)), None)
        if above is None:
            kept.append(finding)
        else:
            under.setdefault(above, []).append(finding)
    return tuple(
        msgspec.structs.replace(finding, consequences=(*finding.consequences, *under[i]))
        if i in under
        else finding
        for i, finding in enumerate(kept)
    )


def _folds(finding: Finding, cause: Finding) -> bool:
    twin = cause.code == finding.code and cause.severity is not finding.severity
    if finding.subject == cause.subject and (twin or cause.code in VIEWS.get(finding.code, ())):
        return True
    if finding.severity is Severity.INFO or cause.severity is not Severity.ERROR:
        return False
    if finding.severity is Severity.WARNING:
        return finding.subject == cause.subject and finding.subject.kind not in ("Node", "Cluster")
    mine = {id(promise) for promise in finding.breaks}
    theirs = {id(promise) for promise in cause.breaks}
    if mine and mine <= theirs and finding.code != cause.code:
        return len(mine) < len(theirs)
    return not mine and finding.subject == cause.subject and cause.broken >= finding.broken
