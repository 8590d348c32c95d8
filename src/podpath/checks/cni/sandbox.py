"""Pods that wait for their network, and what the kubelet said about it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from podpath.checks.host.clock import settled
from podpath.checks.host.log_reasons import Read, reason_of
from podpath.checks.registry import Look, Promised
from podpath.model.finding import Confidence, Finding, Fix, Severity
from podpath.model.kube.cluster import Key, grouped
from podpath.model.kube.event import Event
from podpath.model.kube.pod import Pod
from podpath.model.network import Network
from podpath.model.origin import Origin
from podpath.model.refs import ObjectRef

SANDBOX_REASONS = frozenset(
    {
        "FailedCreatePodSandBox",
        "FailedPodSandBoxStatus",
        "FailedKillPod",
        "NetworkNotReady",
        "FailedCreatePodContainer",
    }
)


class Waits(NamedTuple):
    """A Pod that has no network yet, and the newest complaint about it."""

    pod: Pod
    event: Event

    @property
    def text(self) -> str:
        """The complaint on one line."""
        return " ".join(self.event.message.split())

    @property
    def origin(self) -> Origin:
        """The event, as people read it."""
        return Origin(
            self.event.origin.file, self.event.origin.line, f"event {self.event.reason}: {self.text[:300]}"
        )


def has_network(pod: Pod) -> bool:
    """Whether its sandbox stands: an address, or a container that ran."""
    statuses = (*pod.status.container_statuses, *pod.status.init_container_statuses)
    return any(one.state.running or one.last_terminated for one in statuses) or (
        bool(pod.ips) and not pod.host_network
    )


@lru_cache(maxsize=4)
def waiting(network: Network) -> tuple[Waits, ...]:
    """Pods that are on a node and still without a network, with their newest event of a failed sandbox."""
    newest: dict[Key, Event] = {}
    for event in network.cluster.events:
        if event.reason in SANDBOX_REASONS and event.object.kind == "Pod":
            key = (event.object.namespace, event.object.name)
            if key not in newest or newest[key].last <= event.last:
                newest[key] = event
    found = []
    for key, event in newest.items():
        pod = network.cluster.pods.get(key)
        if (
            pod is None
            or pod.finished
            or pod.terminating
            or has_network(pod)
            or not settled(network, pod.meta.created)
        ):
            continue
        found.append(Waits(pod, event))
    return tuple(found)


def leaving(network: Network) -> tuple[Waits, ...]:
    """Pods that are being deleted and whose sandbox cannot be taken down."""
    found = []
    for event in network.cluster.events:
        pod = network.cluster.pods.get((event.object.namespace, event.object.name))
        if event.reason == "FailedKillPod" and pod is not None and pod.terminating:
            found.append(Waits(pod, event))
    return tuple(found)


class Complaint(NamedTuple):
    """A fault that an event of a failed sandbox names."""

    code: str
    pattern: str
    message: str
    """``{nodes}`` are the nodes, ``{0}`` what the pattern caught."""
    cause: str
    fix: Fix


def waiting_for(code_of: Complaint) -> Look:
    """A check of Pods whose sandbox fails with such a complaint: one finding for a node."""
    pattern = re.compile(code_of.pattern)

    def look(network: Network, _promised: Promised) -> Iterator[Finding]:
        hits = [(one, found) for one in waiting(network) if (found := pattern.search(one.text)) is not None]
        for node, of_node in grouped((one.pod.node, (one, found)) for one, found in hits).items():
            first, found = of_node[0]
            caught = tuple(group or "" for group in found.groups())
            yield unfulfilled(
                network, code_of, node, tuple(one for one, _ in of_node), caught, (first.origin,)
            )

    return look


def unfulfilled(
    network: Network,
    complaint: Complaint,
    node: str,
    pods: tuple[Waits, ...],
    caught: tuple[str, ...],
    evidence: tuple[Origin, ...],
) -> Finding:
    """The finding of a complaint on a node."""
    logged = agent_reason(network, node)
    count = f"{len(pods)} Pods wait" if len(pods) > 1 else f"Pod {pods[0].pod.ref.short} waits"
    return Finding(
        code=complaint.code,
        severity=Severity.ERROR,
        subject=ObjectRef("Node", "", node),
        message=f"{count} for a network on {node}: {complaint.message.format(*caught, node=node)}",
        evidence=(*evidence, *(logged.evidence if logged else ())),
        cause=complaint.cause,
        confidence=Confidence.CERTAIN,
        fix=complaint.fix,
        broken=len(pods),
        reason=logged.text if logged else "",
    )


def agent_reason(network: Network, node: str) -> Read | None:
    """Why the network agent of a node is not ready, from its log: Pods of the host's network that are not ready."""
    for pod in network.cluster.pods_by_node.get(node, ()):
        if pod.host_network and not pod.ready and not pod.finished:
            found = reason_of(network, pod)
            if found is not None:
                return found
    return None


def agent_trouble(network: Network, node: str) -> Pod | None:
    """A Pod of the host's network on a node that is not ready: its CNI agent, probably."""
    agents = [pod for pod in network.cluster.pods_by_node.get(node, ()) if pod.host_network and not pod.ready]
    makers = [pod for pod in agents if (pod.meta.owner or ("", ""))[0] == "DaemonSet" and not pod.finished]
    return makers[0] if makers else None
