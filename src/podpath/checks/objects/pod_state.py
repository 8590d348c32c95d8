"""Why a Pod is not ready, from its container states, its conditions and the events about it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from podpath.model.kube.event import Event
from podpath.model.kube.pod import ContainerStatus, Pod, Probe
from podpath.model.network import Network
from podpath.model.origin import Origin

GOOD_REASONS = frozenset({"", "PodInitializing", "ContainerCreating", "Completed"})
"""What a container says on its way up or after its work."""


class Trouble(NamedTuple):
    """A reason, and the line that states it."""

    text: str
    origin: Origin


def troubles(network: Network, pod: Pod) -> tuple[Trouble, ...]:
    """Why a Pod is not ready, the most telling reason first; never empty for a Pod that is not ready."""
    found = [*_containers(network, pod), *_probes(network, pod), *_scheduling(network, pod)]
    if not found:
        found = list(_conditions(network, pod))
    return tuple(found)


def _containers(network: Network, pod: Pod) -> Iterator[Trouble]:
    """Containers that wait for a reason, or ended badly."""
    for field, statuses in (
        ("initContainerStatuses", pod.status.init_container_statuses),
        ("containerStatuses", pod.status.container_statuses),
    ):
        for index, status in enumerate(statuses):
            text, path = _state(status)
            if text:
                origin = network.cluster.field_origin(pod, "status", field, str(index), *path)
                yield Trouble(text, Origin(origin.file, origin.line, text))


def _state(status: ContainerStatus) -> tuple[str, tuple[str, ...]]:
    ended = status.last_terminated
    ending = ""
    if ended is not None and (ended.exit_code or ended.reason not in GOOD_REASONS):
        ending = f"{ended.reason or 'ended'}, exit {ended.exit_code}"
    if status.waiting_reason not in GOOD_REASONS:
        last = f", last end: {ending}" if ending else ""
        return f"container {status.name} is {status.waiting_reason}{last}", ("state", "waiting", "reason")
    if ending and not status.ready:
        where = "state" if status.state.terminated else "lastState"
        return f"container {status.name} ended: {ending}", (where, "terminated", "reason")
    return "", ()


def _probes(network: Network, pod: Pod) -> Iterator[Trouble]:
    """The probe that fails, in the kubelet's words, else the containers that run and are not ready."""
    failed = [event for event in events_of(network, pod) if event.reason == "Unhealthy"]
    if failed:
        event = max(failed, key=lambda one: one.last)
        text = " ".join(event.message.split())[:200]
        yield Trouble(text, Origin(event.origin.file, event.origin.line, f"event Unhealthy: {text}"))
        return
    for index, status in enumerate(pod.status.container_statuses):
        container = next((one for one in pod.spec.containers if one.name == status.name), None)
        if status.ready or status.state.running is None or container is None:
            continue
        for kind, probe in container.probes:
            if kind != "liveness":
                text = f"container {status.name} runs, and its {kind} probe ({_asks(probe)}) does not succeed"
                origin = network.cluster.field_origin(pod, "status", "containerStatuses", str(index), "ready")
                yield Trouble(text, Origin(origin.file, origin.line, text))
                return


def _asks(probe: Probe) -> str:
    return f"port {probe.action.port}" if probe.action else "a command"


def _scheduling(network: Network, pod: Pod) -> Iterator[Trouble]:
    """Why no node takes it."""
    if pod.node:
        return
    for event in reversed(events_of(network, pod)):
        if event.reason == "FailedScheduling":
            text = f"no node takes it: {event.message[:200]}"
            yield Trouble(
                text,
                Origin(
                    event.origin.file, event.origin.line, f"event FailedScheduling: {event.message[:200]}"
                ),
            )
            return


def _conditions(network: Network, pod: Pod) -> Iterator[Trouble]:
    for condition in pod.status.conditions:
        if condition.status != "True":
            text = f"{condition.type} is {condition.status}"
            text += f" ({condition.reason})" if condition.reason else ""
            origin = network.cluster.field_origin(pod, "status", "conditions")
            yield Trouble(text, Origin(origin.file, origin.line, text))
            return
    text = f"it is {pod.status.phase or 'without a state'} and no condition says Ready"
    yield Trouble(text, Origin(pod.origin.file, pod.origin.line, f"{pod.ref}: {text}"))


def events_of(network: Network, pod: Pod) -> tuple[Event, ...]:
    """The events about a Pod, in the API's order."""
    return network.cluster.events_by_object.get(pod.ref, ())
