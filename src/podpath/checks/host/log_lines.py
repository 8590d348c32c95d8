"""What components said: lines of their logs, and the messages that containers left behind."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from podpath.checks.host.clock import RECENT_S, log_age_s
from podpath.model.kube.cluster import Key, grouped
from podpath.model.kube.pod import ContainerStatus, Pod
from podpath.model.linux.agents import LogLine
from podpath.model.network import Network

TAIL = 5
"""So many lines at the end of a log that prints no times are taken for its present."""


class Said(NamedTuple):
    """A line, and who said it."""

    node: str
    pod: Key | None
    """None: an agent of the node."""
    line: LogLine
    at_end: bool
    """Whether it is among the last lines that were kept of its log."""

    @property
    def text(self) -> str:
        """The line without its time: ``plugin/loop: Loop ...``."""
        return f"{self.line.source}: {self.line.message}" if self.line.source else self.line.message

    @property
    def speaker(self) -> str:
        """``kube-system/coredns-x on n1``, ``kube-proxy on n1``."""
        if self.pod is not None:
            return f"{'/'.join(self.pod)} on {self.node}"
        name = self.line.origin.source.rpartition("/")[2].removesuffix(".log")
        return f"{'kubelet or container runtime' if name == 'logs' else name} on {self.node}"


@lru_cache(maxsize=4)
def said(network: Network) -> tuple[Said, ...]:
    """All lines of all nodes, in the order of their logs."""
    return tuple(_said(network))


def _said(network: Network) -> Iterator[Said]:
    for node in network.nodes.values():
        for lines in grouped((line.origin.file, line) for line in node.log_lines).values():
            for index, line in enumerate(lines):
                pod = pod_of_log(line.origin.file)
                yield Said(node.name, pod, line, index >= len(lines) - TAIL)
    for unready in network.cluster.pods.values():
        if not unready.ready:
            yield from _left_behind(network, unready)


def pod_of_log(file: str) -> Key | None:
    """The Pod whose log a file is: ``nodes/<node>/pods/<namespace>.<name>/logs``."""
    parts = file.split("/")
    if len(parts) != 5 or parts[2] != "pods":
        return None
    namespace, _, name = parts[3].partition(".")
    return namespace, name


def _left_behind(network: Network, pod: Pod) -> Iterator[Said]:
    """Messages of containers that wait or have ended."""
    for field, statuses in (
        ("initContainerStatuses", pod.status.init_container_statuses),
        ("containerStatuses", pod.status.container_statuses),
    ):
        for index, status in enumerate(statuses):
            for path, text, time in _messages(status):
                origin = network.cluster.field_origin(pod, "status", field, str(index), *path, "message")
                yield Said(pod.node, pod.key, LogLine(time, "", status.name, text, origin), at_end=True)


def _messages(status: ContainerStatus) -> Iterator[tuple[tuple[str, ...], str, str]]:
    if status.state.waiting is not None and status.state.waiting.message:
        yield ("state", "waiting"), status.state.waiting.message, ""
    for name, state in (("state", status.state), ("lastState", status.last_state)):
        if state.terminated is not None and state.terminated.message:
            yield (name, "terminated"), state.terminated.message, state.terminated.finished_at


@lru_cache(maxsize=4)
def said_by_pod(network: Network) -> dict[Key, tuple[Said, ...]]:
    """Lines by the Pod that said them."""
    return dict(grouped((one.pod, one) for one in said(network) if one.pod is not None))


def is_recent(network: Network, one: Said, within_s: float = RECENT_S) -> bool:
    """Whether a line speaks of now: by its time, or by its place at the end where it has none."""
    age = log_age_s(network, one.line.time)
    return one.at_end if age is None else age <= within_s
