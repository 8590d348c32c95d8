"""Explanations of a port where nobody listens in the Pod: another port, another protocol, no process."""

from __future__ import annotations

import json
from typing import Any

from podpath.checks.case import Case, Explained
from podpath.checks.registry import explanation
from podpath.checks.steps.sockets import is_loopback, listeners, server_pod, socket_text
from podpath.checks.steps.translation import asked_service
from podpath.checks.steps.words import listed
from podpath.intent.services import target_port
from podpath.model.edit import Edit, Outside, PatchObject
from podpath.model.flow import TCP, UDP, protocol_name
from podpath.model.kube.pod import Pod
from podpath.model.kube.service import Service, ServicePort
from podpath.model.linux.sockets import Socket
from podpath.model.origin import Origin

OTHER = {TCP: UDP, UDP: TCP}
MOST_SHOWN = 4


def ports_patch(service: Service, port: ServicePort, **changed: object) -> str:
    """A merge patch with all ports of a Service (a merge patch replaces lists as a whole), one of them changed."""
    ports = []
    for one in service.spec.ports:
        entry: dict[str, Any] = {
            "port": one.port,
            "protocol": protocol_name(one.protocol).upper(),
            "targetPort": one.target,
        }
        if one.name:
            entry["name"] = one.name
        if one.node_port:
            entry["nodePort"] = one.node_port
        if one is port:
            entry |= changed
        ports.append(entry)
    return json.dumps({"spec": {"ports": ports}}, separators=(",", ":"))


def open_elsewhere(case: Case) -> list[Socket]:
    """What listens in the namespace for others than itself, and no port of a Service of this Pod leads to."""
    packet = case.step.packet or case.trace.packet
    pod = server_pod(case)
    taken = set()
    for service in case.network.cluster.services_by_pod.get(pod.key, ()) if pod is not None else ():
        taken |= (
            {(target_port(pod, port), int(port.protocol)) for port in service.spec.ports}
            if pod is not None
            else set()
        )
    taken.discard((packet.dport, packet.protocol))
    return [
        one
        for one in listeners(case.netns, packet.protocol)
        if not is_loopback(one)
        and (one.v4 if packet.v4 else one.v6)
        and (one.port, one.protocol) not in taken
    ]


def containers_say(pod: Pod) -> str:
    """What the Pod's status tells of a container that does not run or did not last."""
    for status in pod.status.container_statuses:
        ended = status.last_terminated
        if status.waiting_reason:
            last = (
                f", it ended with {ended.reason or f'exit code {ended.exit_code}'}"
                if ended is not None
                else ""
            )
            return f"container {status.name} waits: {status.waiting_reason}{last}"
        if ended is not None and status.restart_count:
            last = ended.reason or f"exit code {ended.exit_code}"
            return f"container {status.name} was restarted {status.restart_count} times, last after {last}"
        if not status.ready:
            return f"container {status.name} is not ready"
    return ""


@explanation("svc-protocol-mismatch", kinds=("no-listener",), specificity=34)
def svc_protocol_mismatch(case: Case) -> Explained | None:
    """The Service says one protocol, the application listens with the other.

    ## Why it breaks

    A Service's port is TCP unless it says otherwise, and a DNS or syslog server listens on UDP. The number is
    right, the packets arrive, and nobody takes them: TCP is refused at once, UDP gets an ICMP error.

    ## See it by hand

        kubectl get service <name> -o jsonpath='{.spec.ports}'
        kubectl exec <pod> -- ss -lntu

    ## Fix

    `protocol: UDP` (or TCP) in the Service's port; with both, two ports with two names.

    ## Often confused with

    svc-targetport-mismatch (another number), container-not-listening (nothing is open).
    """
    packet = case.step.packet or case.trace.packet
    other = OTHER.get(packet.protocol)
    asked, pod = asked_service(case), server_pod(case)
    if other is None or asked is None or asked[1] is None or pod is None:
        return None
    found = next(
        (one for one in listeners(case.netns, other) if one.port == packet.dport and not is_loopback(one)),
        None,
    )
    if found is None:
        return None
    service, port = asked
    name = protocol_name(other).upper()
    patch = ports_patch(service, port, protocol=name) if port is not None else ""
    return Explained(
        f"Pod {pod.ref.short} listens on {packet.dport}/{protocol_name(other)}, but Service "
        f"{service.ref.short}:{port.label if port else ''} is {protocol_name(packet.protocol).upper()}",
        f"nobody listens there with {protocol_name(packet.protocol).upper()}",
        ((PatchObject(service.ref, patch, f"protocol {name}"),),),
        f"set the protocol of the Service's port to {name}",
        risk="low; clients that ask with the other protocol lose it",
        subject=service.ref,
        evidence=(case.network.cluster.field_origin(service, "spec", "ports"), found.origin),
        evidence_first=True,
    )


@explanation("svc-targetport-mismatch", kinds=("no-listener",), specificity=32)
def svc_targetport_mismatch(case: Case) -> Explained | None:
    """The Service's targetPort is not the port that the application listens on.

    ## Why it breaks

    A Service sends connections to `targetPort` of its Pods, a number or a container port's name. Where nobody
    listens there, the Pod refuses at once. What counts is the listening socket: a containerPort in the Pod is a
    hint that nobody checks (except when the Service names it).

    ## See it by hand

        kubectl get service <name> -o jsonpath='{.spec.ports[*].targetPort}'
        kubectl exec <pod> -- ss -lnt            # or: cat /proc/net/tcp6, state 0A

    ## Fix

    Set targetPort to the port that is open; or make the application listen where the Service expects it.

    ## Often confused with

    container-not-listening (no other port is open), container-listens-loopback (the right port, at 127.0.0.1),
    svc-protocol-mismatch.
    """
    asked, pod = asked_service(case), server_pod(case)
    packet = case.step.packet or case.trace.packet
    if asked is None or asked[1] is None or pod is None:
        return None
    service, port = asked[0], asked[1]
    candidates = open_elsewhere(case)
    if not candidates or pod not in case.network.cluster.pods_of(service):
        return None
    hinted = {(one.container_port, int(one.protocol)) for one in pod.ports()}
    if (packet.dport, packet.protocol) in hinted and not any(
        (one.port, one.protocol) in hinted for one in candidates
    ):
        return None  # Service and Pod agree on the port: it is the application that listens elsewhere
    best = min(candidates, key=lambda one: ((one.port, one.protocol) not in hinted, one.port))
    patch = ports_patch(service, port, targetPort=best.port)
    edits: list[tuple[Edit, ...]] = [(PatchObject(service.ref, patch, f"targetPort {best.port}"),)]
    edits.append(
        (Outside(f"make Pod {pod.ref.short} listen on {packet.dport}/{protocol_name(packet.protocol)}"),)
    )
    shown = listed((socket_text(one) for one in candidates), MOST_SHOWN)
    return Explained(
        f"Service {service.ref.short}:{port.label} leads to port {packet.dport} of its Pods, where nobody listens; "
        f"open is {shown}",
        f"no socket on port {packet.dport}",
        tuple(edits),
        f"set targetPort to {best.port}, or make the application listen on {packet.dport}",
        risk="low: takes effect as soon as kube-proxy has it; in a chart or manifest it must be changed too",
        subject=service.ref,
        evidence=(case.network.cluster.field_origin(service, "spec", "ports"), best.origin),
    )


@explanation("container-not-listening", kinds=("no-listener",), specificity=28)
def container_not_listening(case: Case) -> Explained | None:
    """Nothing in the Pod listens on the port: the process is not up, or listens nowhere.

    ## Why it breaks

    The connection gets to the Pod and is refused by its kernel: no process has the port open. The container has
    just started or is crashing, or the application waits for something before it listens.

    ## See it by hand

        kubectl get pod <pod>; kubectl logs <pod> --previous
        kubectl exec <pod> -- ss -lnt

    ## Fix

    Mend the container (its command, configuration, what it waits for). A readinessProbe keeps it out of the Service
    until it listens, a startupProbe gives it time.

    ## Often confused with

    svc-targetport-mismatch (another port is open), container-listens-loopback, a REJECT of kube-proxy (no
    endpoints).
    """
    pod = server_pod(case)
    packet = case.step.packet or case.trace.packet
    if pod is None:
        return None
    where = f"{packet.dport}/{protocol_name(packet.protocol)}"
    said = containers_say(pod)
    others = open_elsewhere(case)
    instead = f", but on {listed((socket_text(one) for one in others), MOST_SHOWN)}" if others else ""
    probe = (
        ""
        if any(c.readiness_probe for c in pod.spec.containers)
        else "; a readinessProbe would keep it out of its Services"
    )
    evidence: tuple[Origin, ...] = (pod.origin, *(one.origin for one in others[:1]))
    return Explained(
        f"Pod {pod.ref.short} does not listen on {where}{instead}",
        "no socket on this port",
        ((Outside(f"start what listens on {where} in Pod {pod.ref.short}"),),),
        f"find out why the application does not listen on {where}",
        (f"kubectl -n {pod.meta.namespace} logs {pod.meta.name} --all-containers --tail=50",),
        f"none{probe}",
        subject=pod.ref,
        evidence=evidence,
        reason=said,
    )
