"""Fixes that diagnosis left without words get their commands, and say what outlives a reboot."""

from __future__ import annotations

from typing import assert_never

import msgspec

from podpath.fixes.commands import PlannedStep, planned
from podpath.model.addr import format_addr
from podpath.model.diagnosis import Diagnosis
from podpath.model.edit import (
    AddRoute,
    DeleteNeighbor,
    DeleteRoute,
    DeleteRoutingRule,
    DeleteRule,
    Edit,
    InsertRule,
    Outside,
    PatchObject,
    ReplaceRoute,
    SetBridgePort,
    SetChainPolicy,
    SetFdb,
    SetLink,
    SetNeighbor,
    SetSysctl,
)
from podpath.model.finding import Finding, Fix


def filled(diagnosis: Diagnosis) -> Diagnosis:
    """The diagnosis with steps in every fix."""
    return msgspec.structs.replace(
        diagnosis, findings=tuple(filled_finding(one) for one in diagnosis.findings)
    )


def filled_finding(finding: Finding) -> Finding:
    """The finding, and what folds under it, with steps in their fixes."""
    under = tuple(filled_finding(one) for one in finding.consequences)
    fix = None if finding.fix is None else filled_fix(finding.fix)
    return msgspec.structs.replace(finding, fix=fix, consequences=under)


def filled_fix(fix: Fix) -> Fix | None:
    """The fix with commands for its edits, where it has none yet; None when it says nothing at all."""
    plan = [planned(edit) for edit in fix.edits]
    steps = fix.steps or tuple(str(step) for step in plan)
    summary = fix.summary or "; ".join(dict.fromkeys(_summary(edit) for edit in fix.edits))
    if not steps and not summary:
        return None
    return msgspec.structs.replace(fix, summary=summary, steps=steps, risk=fix.risk or _risk(plan))


def undo_steps(fix: Fix) -> tuple[str, ...]:
    """What takes a fix back, the last edit first; empty where one of its edits cannot be taken back."""
    plan = [planned(edit) for edit in reversed(fix.edits)]
    if any(step.command and not step.undo for step in plan):
        return ()
    return tuple(f"{step.where}: {step.undo}" if step.where else step.undo for step in plan if step.undo)


def _risk(plan: list[PlannedStep]) -> str:
    return "; ".join(dict.fromkeys(step.persistence for step in plan if step.persistence))


def _summary(edit: Edit) -> str:
    """An edit in words, for fixes that have none of their own."""
    match edit:
        case SetSysctl(key=key, value=value):
            return f"set {key} to {value}"
        case SetChainPolicy(chain=chain, policy=policy):
            return f"set the policy of {chain} to {policy.upper()}"
        case InsertRule(chain=chain):
            return f"put a rule into {chain} that lets it through"
        case DeleteRule(chain=chain):
            return f"delete the rule from {chain}"
        case AddRoute(route=route):
            return f"add the route to {route.dst}"
        case DeleteRoute(route=route):
            return f"delete the {route.type} route to {route.dst}"
        case ReplaceRoute(route=route):
            return f"set the route to {route.dst} right"
        case DeleteRoutingRule(rule=rule):
            return f"delete the routing rule {rule.priority}"
        case SetNeighbor(neighbor=neighbor) | DeleteNeighbor(neighbor=neighbor):
            return f"set the neighbour entry of {format_addr(neighbor.dst)} on {neighbor.dev} right"
        case SetFdb(entry=entry):
            return f"set the forwarding entry of {entry.mac} on {entry.dev} right"
        case SetLink(link=link, change=change) | SetBridgePort(link=link, change=change):
            return f"set {link.name} {change}"
        case PatchObject(target=target, summary=summary):
            return summary or f"change {target}"
        case Outside(what=what):
            return what
    assert_never(edit)
