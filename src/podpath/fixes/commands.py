"""Edits as the commands that people type: where, what undoes each, and what of it outlives a reboot."""

from __future__ import annotations

import shlex
from typing import NamedTuple, assert_never

from podpath.fixes.links import fdb_steps, link_steps, neighbor_steps, port_steps
from podpath.fixes.netfilter import delete_steps, insert_steps, policy_steps
from podpath.fixes.routes import route_steps, rule_steps
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
from podpath.model.refs import NetnsId, ObjectRef

PERSISTENCE = {
    SetSysctl: "lost at reboot; to keep it, write the line into /etc/sysctl.d/",
    SetChainPolicy: "lost at reboot, or when its owner writes its rules again",
    InsertRule: "lost at reboot, or when its owner writes its rules again",
    DeleteRule: "comes back at reboot, or when its owner writes its rules again",
    AddRoute: "lost at reboot, or when the device goes down",
    DeleteRoute: "comes back at reboot if something writes it",
    ReplaceRoute: "lost at reboot, or when the device goes down",
    DeleteRoutingRule: "comes back at reboot if something writes it",
    SetNeighbor: "lost at reboot, or when the device goes down",
    DeleteNeighbor: "comes back if something writes it again",
    SetFdb: "lost at reboot, or when the device is made again",
    SetLink: "lost at reboot, or when the device is made again",
    SetBridgePort: "lost when the Pod is made again",
    PatchObject: "stays, until whoever owns the object (Helm, GitOps, an operator) writes it again",
    Outside: "",
}
"""What becomes of each sort of edit."""


class PlannedStep(NamedTuple):
    """One edit, as somebody would do it by hand."""

    command: str
    """Empty for what no command does (``words`` says it)."""
    undo: str
    """Empty where nothing was changed, or where what was there before is not known."""
    where: str
    """A node's name, ``Pod ns/name`` for a Pod's network namespace, or empty for anywhere with kubectl."""
    persistence: str
    words: str = ""
    """What to do where no command does it."""

    def __str__(self) -> str:
        """``n2: sysctl -w net.ipv4.ip_forward=1``."""
        said = self.command or self.words
        return f"{self.where}: {said}" if self.where else said


def planned(edit: Edit) -> PlannedStep:
    """The command of an edit, where it runs, and its undo."""
    if isinstance(edit, Outside):
        return PlannedStep("", "", "", PERSISTENCE[Outside], edit.what)
    command, undo = _commands(edit)
    where = "" if isinstance(edit, PatchObject) else _place(edit.netns)
    return PlannedStep(command, undo, where, PERSISTENCE[type(edit)])


def _commands(edit: Edit) -> tuple[str, str]:
    """What does it and what undoes it."""
    match edit:
        case SetSysctl(key=key, value=value, before=before):
            return _sysctl(key, value), _sysctl(key, before) if before else ""
        case SetChainPolicy():
            return policy_steps(edit)
        case InsertRule():
            return insert_steps(edit)
        case DeleteRule():
            return delete_steps(edit)
        case AddRoute() | DeleteRoute() | ReplaceRoute():
            return route_steps(edit)
        case DeleteRoutingRule():
            return rule_steps(edit)
        case SetNeighbor() | DeleteNeighbor():
            return neighbor_steps(edit)
        case SetFdb():
            return fdb_steps(edit)
        case SetLink():
            return link_steps(edit)
        case SetBridgePort():
            return port_steps(edit)
        case PatchObject(target=target, patch=patch):
            return _patch(target, patch)
        case Outside():
            return "", ""
    assert_never(edit)


def _sysctl(key: str, value: str) -> str:
    return f"sysctl -w {shlex.quote(f'{key}={value}')}"


def _patch(target: ObjectRef, patch: str) -> tuple[str, str]:
    """A merge patch; what was there is saved first, since a patch does not tell it."""
    name = shlex.quote(f"{target.kind.lower()}/{target.name}")
    scope = f" -n {shlex.quote(target.namespace)}" if target.namespace else ""
    undo = (
        f"kubectl replace -f before.yaml, saved beforehand: kubectl get{scope} {name} -o yaml > before.yaml"
    )
    return f"kubectl patch{scope} {name} --type merge -p {shlex.quote(patch)}", undo


def _place(netns: NetnsId) -> str:
    kind, _, name = netns.partition("/")
    return name if kind == "node" else f"Pod {name}"
