"""The use case: promises walked, causes found, proven, named, ranked, folded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from podpath.checks.registry import Promised, StateCheck, state_checks
from podpath.diagnosis.causes import Group, weight
from podpath.diagnosis.explain import Named, Selected, name_cause
from podpath.diagnosis.guard import guarded
from podpath.diagnosis.prove import spread
from podpath.diagnosis.rank import fold, merge, ordered
from podpath.diagnosis.walk import Progress, Walked, walk_promises
from podpath.intent.promises import promises as promised_by
from podpath.model.diagnosis import CrashedCheck, Diagnosis, SkippedCheck
from podpath.model.edit import Edit, apply_edits
from podpath.model.finding import Finding
from podpath.model.network import Network
from podpath.model.promise import NotPromised, Promise

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
    promises, designed = _promises(network)
    walked = walk_promises(network, promises, progress)
    findings = _causes(network, walked, selected, crashed, progress)
    skipped: list[SkippedCheck] = []
    findings += _state(network, Promised(promises, designed), selected, skipped, crashed)
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


def _promises(network: Network) -> tuple[list[Promise], list[NotPromised]]:
    promises: list[Promise] = []
    designed: list[NotPromised] = []
    for one in promised_by(network):
        if isinstance(one, Promise):
            promises.append(one)
        else:
            designed.append(one)
    return promises, designed


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
    return merge([one.finding for one in found])


def _mending(named: Sequence[Named]) -> tuple[Edit, ...]:
    edits = {repr(edit): edit for one in named if one.proof.proven for edit in one.proof.edits}
    return tuple(edits.values())


def _state(
    network: Network,
    promised: Promised,
    selected: Selected,
    skipped: list[SkippedCheck],
    crashed: list[CrashedCheck],
) -> list[Finding]:
    findings: list[Finding] = []
    for check in state_checks():
        if not selected(check.code):
            continue
        missing = tuple(need for need in check.needs if not has_source(network, need))
        if missing:
            skipped.append(SkippedCheck(check.code, missing))
            continue
        findings += guarded(check.code, partial(_found, check, network, promised), crashed) or []
    return findings


def _found(check: StateCheck, network: Network, promised: Promised) -> list[Finding]:
    return list(check.look(network, promised))


NODE_SOURCES: dict[str, Callable[[Network], bool]] = {
    "sysctl": lambda network: any(n.sysctls is not None for n in network.namespaces.values() if n.is_host),
    "ss": lambda network: any(n.sockets is not None for n in network.namespaces.values() if n.is_host),
    "conntrack": lambda network: any(
        n.conntrack is not None for n in network.namespaces.values() if n.is_host
    ),
    "cni-net.d": lambda network: any(node.cni is not None for node in network.nodes.values()),
    "kubelet-config.json": lambda network: any(node.kubelet is not None for node in network.nodes.values()),
    "kube-proxy-config.json": lambda network: any(
        node.kube_proxy is not None for node in network.nodes.values()
    ),
    "logs": lambda network: any(node.log_lines for node in network.nodes.values()),
}
"""What a ``node/<source>`` need of a check asks for; another name asks for any node's state."""


def has_source(network: Network, need: str) -> bool:
    """Whether a check's need (``api/services``, ``node/sysctl``) is met."""
    area, _, name = need.partition("/")
    if area == "api":
        return network.cluster.has(name)
    known = NODE_SOURCES.get(name)
    return known(network) if known is not None else bool(network.nodes)
