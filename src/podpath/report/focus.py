"""The part of a diagnosis that concerns one namespace."""

from __future__ import annotations

import msgspec

from podpath.model.diagnosis import Diagnosis
from podpath.model.finding import Finding
from podpath.model.promise import Promise
from podpath.model.refs import ObjectRef


def in_namespace(diagnosis: Diagnosis, namespace: str) -> Diagnosis:
    """Findings about an object of the namespace, and those that break a promise from or to it: only these count."""
    findings = [_focused(finding, namespace) for finding in diagnosis.findings]
    return msgspec.structs.replace(
        diagnosis,
        findings=tuple(finding for finding in findings if finding is not None),
        undecided=tuple(one for one in diagnosis.undecided if _concerns(one.promise, namespace)),
        as_designed=tuple(one for one in diagnosis.as_designed if one.subject.namespace == namespace),
    )


def _focused(finding: Finding, namespace: str) -> Finding | None:
    breaks = tuple(promise for promise in finding.breaks if _concerns(promise, namespace))
    under = tuple(one for other in finding.consequences if (one := _focused(other, namespace)) is not None)
    if not breaks and not under and finding.subject.namespace != namespace:
        return None
    count = sum(promise.stands_for for promise in breaks)
    return msgspec.structs.replace(finding, breaks=breaks, broken=count, consequences=under)


def _concerns(promise: Promise, namespace: str) -> bool:
    refs: tuple[ObjectRef, ...] = (promise.client, promise.subject)
    return any(ref.namespace == namespace for ref in refs)
