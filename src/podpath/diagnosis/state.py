"""State checks: what the network shows without walking a flow."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from weakref import WeakKeyDictionary

from podpath.checks.registry import Promised, StateCheck, state_checks
from podpath.diagnosis.guard import guarded
from podpath.intent.promises import promises as promised_by
from podpath.model.diagnosis import CrashedCheck, SkippedCheck
from podpath.model.finding import Finding
from podpath.model.network import Network
from podpath.model.promise import NotPromised, Promise

Selected = Callable[[str], bool]
"""Whether a check of this code may speak (``--only``, ``--skip``)."""


def what_is_promised(network: Network) -> tuple[list[Promise], list[NotPromised]]:
    """The promises of a cluster, and what somebody may expect that is not promised."""
    promises: list[Promise] = []
    designed: list[NotPromised] = []
    for one in promised_by(network):
        if isinstance(one, Promise):
            promises.append(one)
        else:
            designed.append(one)
    return promises, designed


def look_at_state(
    network: Network,
    promised: Promised,
    selected: Selected,
    skipped: list[SkippedCheck],
    crashed: list[CrashedCheck],
) -> list[Finding]:
    """The findings of all state checks that may speak and have what they need."""
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


_FINDINGS: WeakKeyDictionary[Network, list[Finding]] = WeakKeyDictionary()


def state_findings(network: Network) -> list[Finding]:
    """What the state checks find in a network, the most important first; looked at once."""
    known = _FINDINGS.get(network)
    if known is None:
        promised = Promised(*what_is_promised(network))
        found = look_at_state(network, promised, lambda _code: True, [], [])
        known = _FINDINGS[network] = sorted(found, key=lambda finding: finding.severity.rank)
    return known
