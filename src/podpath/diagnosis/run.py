"""The use case: promises walked, causes found, proven, named, ranked, folded."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence

from podpath.checks.registry import Promised, StateCheck, state_checks
from podpath.diagnosis.causes import Group, find_causes, weight
from podpath.diagnosis.explain import Named, Selected, name_cause
from podpath.diagnosis.judge import Judged, judge
from podpath.diagnosis.rank import fold, merge, ordered
from podpath.intent.promises import promises as promised_by
from podpath.model.diagnosis import CrashedCheck, Diagnosis, SkippedCheck, Undecided
from podpath.model.edit import Edit, apply_edits
from podpath.model.finding import Finding
from podpath.model.network import Network
from podpath.model.promise import NotPromised, Promise
from podpath.model.trace import Disposition

Progress = Callable[[str, int, int], None]
MOST_ROUNDS = 3
"""Faults in a row: behind a cause that the edits mend another may stand; so many are looked for."""
REPORT_EVERY = 50


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
    judged = _walk(network, promises, progress)
    findings = _causes(network, judged, selected, crashed, progress)
    skipped: list[SkippedCheck] = []
    findings += _state(network, Promised(promises, designed), selected, skipped, crashed)
    broken = [one.promise for one in judged if one.broken]
    return Diagnosis(
        bundle=network.name,
        nodes=len(network.cluster.nodes) or len(network.nodes),
        pods=len(network.cluster.pods),
        services=len(network.cluster.services),
        walked=weight(promises),
        broken=weight(broken),
        findings=fold(ordered(findings)),
        undecided=_undecided(judged),
        as_designed=tuple(designed),
        skipped=tuple(skipped),
        crashed=tuple(crashed),
        unrecognized=network.unrecognized,
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


def _walk(network: Network, promises: Sequence[Promise], progress: Progress) -> list[Judged]:
    judged = []
    for done, promise in enumerate(promises):
        if done % REPORT_EVERY == 0:
            progress("promises", done, len(promises))
        judged.append(judge(network, promise))
    progress("promises", len(promises), len(promises))
    return judged


def _causes(
    network: Network, judged: Sequence[Judged], selected: Selected, crashed: list[CrashedCheck], progress: Progress
) -> list[Finding]:
    """Causes round by round: those behind the first show when the first are mended in the model."""
    found: list[Named] = []
    keeping = [one for one in judged if one.kept]
    broken: Sequence[Judged] = [one for one in judged if one.broken]
    current = network
    for _ in range(MOST_ROUNDS):
        groups = find_causes(current, broken)
        named = [one for done, group in enumerate(groups) if (one := _named(current, group, keeping, selected, crashed, progress, done, len(groups)))]
        found += named
        edits = _mending(named)
        if not edits:
            break
        current = apply_edits(current, edits)
        mended = {id(promise) for one in named if one.proof.proven for promise in one.group.promises}
        again = [judge(current, one.promise) for one in broken if id(one.promise) in mended]
        broken = [one for one in again if one.broken]
        if not broken:
            break
    return merge([one.finding for one in found])


def _named(
    network: Network,
    group: Group,
    keeping: Sequence[Judged],
    selected: Selected,
    crashed: list[CrashedCheck],
    progress: Progress,
    done: int,
    most: int,
) -> Named | None:
    progress("causes", done, most)
    return name_cause(network, group, keeping, selected, crashed)


def _mending(named: Sequence[Named]) -> tuple[Edit, ...]:
    return tuple(dict.fromkeys(edit for one in named if one.proof.proven for edit in one.proof.edits))


def _state(
    network: Network, promised: Promised, selected: Selected, skipped: list[SkippedCheck], crashed: list[CrashedCheck]
) -> list[Finding]:
    findings: list[Finding] = []
    for check in state_checks():
        if not selected(check.code):
            continue
        missing = tuple(need for need in check.needs if not has_source(network, need))
        if missing:
            skipped.append(SkippedCheck(check.code, missing))
            continue
        findings += _look(check, network, promised, crashed)
    return findings


def _look(check: StateCheck, network: Network, promised: Promised, crashed: list[CrashedCheck]) -> list[Finding]:
    try:
        return list(check.look(network, promised))
    except Exception:  # noqa: BLE001  one check that fails must not take the others down
        crashed.append(CrashedCheck(check.code, traceback.format_exc()))
        return []


NODE_SOURCES: dict[str, Callable[[Network], bool]] = {
    "sysctl": lambda network: any(n.sysctls is not None for n in network.namespaces.values() if n.is_host),
    "ss": lambda network: any(n.sockets is not None for n in network.namespaces.values() if n.is_host),
    "conntrack": lambda network: any(n.conntrack is not None for n in network.namespaces.values() if n.is_host),
    "cni-net.d": lambda network: any(node.cni is not None for node in network.nodes.values()),
    "kubelet-config.json": lambda network: any(node.kubelet is not None for node in network.nodes.values()),
    "kube-proxy-config.json": lambda network: any(node.kube_proxy is not None for node in network.nodes.values()),
    "logs": lambda network: any(node.log_lines for node in network.nodes.values()),
}
"""What a ``node/<source>`` need of a check asks for; another name asks for any node's state."""


def has_source(network: Network, need: str) -> bool:
    """Whether a check's need (``api/services``, ``node/sysctl``) is met."""
    area, _, name = need.partition("/")
    if area == "api":
        return network.cluster.has(name)
    return NODE_SOURCES.get(name, lambda one: bool(one.nodes))(network)


def _undecided(judged: Sequence[Judged]) -> tuple[Undecided, ...]:
    found = []
    for one in judged:
        if one.undecided and not one.broken:
            asked = dict.fromkeys(question for branch in one.undecided for question in branch.assumptions)
            asked |= dict.fromkeys(b.end.last.text for b in one.undecided if b.disposition is Disposition.INSUFFICIENT_INFO)
            found.append(Undecided(one.promise, tuple(asked)))
    return tuple(found)
