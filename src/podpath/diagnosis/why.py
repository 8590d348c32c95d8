"""The cause behind one answer: ``why SRC DST``."""

from __future__ import annotations

import msgspec

from podpath.diagnosis.causes import Group, locate
from podpath.diagnosis.designed import designed
from podpath.diagnosis.explain import name_cause
from podpath.diagnosis.state import state_findings
from podpath.model.diagnosis import CrashedCheck
from podpath.model.finding import Fix
from podpath.model.flow import Flow
from podpath.model.network import Network
from podpath.model.origin import Origin
from podpath.model.promise import NotPromised, Promise
from podpath.model.refs import ObjectRef
from podpath.model.trace import Answer, Branch


class WhyCause(msgspec.Struct, frozen=True):
    """What keeps a connection from working: the cause's name, its evidence, what to change."""

    code: str
    message: str
    evidence: tuple[Origin, ...]
    fix: Fix | None = None
    as_designed: NotPromised | None = None


def explain_answer(network: Network, flow: Flow, answer: Answer) -> WhyCause | None:
    """The cause of the likeliest failing branch; None when none fails."""
    failing = sorted(answer.failing, key=lambda branch: -branch.probability)
    if not failing:
        return None
    return explain_branch(network, flow, failing[0])


def explain_branch(network: Network, flow: Flow, branch: Branch) -> WhyCause | None:
    """The cause of one failing branch: nobody promised it, an object forbids it, or a step ends it."""
    not_promised = designed(network, flow, branch)
    if not_promised is not None:
        return _not_promised(network, not_promised, branch)
    promise = Promise(
        "asked", flow, ObjectRef("Flow", "", str(flow)), ObjectRef("Flow", "", str(flow)), None, str(flow)
    )
    broken = locate(network, promise, branch)
    group = Group(broken.key, broken, (promise,))
    crashed: list[CrashedCheck] = []
    named = name_cause(network, group, (), lambda _code: True, crashed)
    if named is None:
        step = broken.step
        return WhyCause("", step.text, (step.origin,))
    finding = named.finding
    return WhyCause(finding.code, finding.message, finding.evidence, finding.fix)


def _not_promised(network: Network, reason: NotPromised, branch: Branch) -> WhyCause:
    """A Service without endpoints is a fault, which a state check may name; the rest is as designed."""
    step = branch.end.last
    evidence = tuple(one for one in (reason.origin, step.origin) if one.file)
    if reason.reason != "no-endpoints":
        return WhyCause("", reason.text, evidence, None, reason)
    for finding in state_findings(network):
        if finding.subject == reason.subject:
            return WhyCause(finding.code, finding.message, (*finding.evidence, step.origin), finding.fix)
    return WhyCause("no-endpoints", reason.text, evidence)
