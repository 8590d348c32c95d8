"""hostnetwork-port-conflict."""

from __future__ import annotations

import re
from collections.abc import Iterator

from podpath.checks.host.clock import settled
from podpath.checks.host.log_lines import said_by_pod
from podpath.checks.objects.kubectl import kubectl, stated
from podpath.checks.objects.pod_state import events_of
from podpath.checks.registry import Promised, state_check
from podpath.model.finding import Confidence, Finding, Fix, Severity
from podpath.model.kube.pod import Pod
from podpath.model.linux.sockets import Socket
from podpath.model.network import Network
from podpath.model.origin import Origin
from podpath.model.refs import node_netns

NO_PORTS = re.compile(r"didn't have free ports")
IN_USE = re.compile(
    r"(?:bind|listen)\S* ?.*?[:\]](\d+)\)?: .*address already in use|EADDRINUSE.*?:(\d+)|address already in use"
)


@state_check("hostnetwork-port-conflict", severity=Severity.ERROR, needs=("api/pods",))
def hostnetwork_port_conflict(network: Network, _promised: Promised) -> Iterator[Finding]:
    """Two programs want one port of a node.

    ## Why it breaks

    A Pod with hostNetwork, or with a hostPort, takes the port of the node itself. The scheduler keeps two such Pods
    apart, so the second one stays Pending; a program that is no Pod is met at bind(), and the container ends.

    ## See it by hand

        kubectl -n <namespace> describe pod <pod>      # "didn't have free ports"
        ss -ltnp 'sport = :<port>'                     # on the node: who has it

    ## Fix

    Give one of them another port, or a Service instead of the node's port.

    ## Often confused with

    *hostport-shadows-service*: both are served, and the hostPort's rule wins.
    """
    for pod in network.cluster.pods.values():
        if pod.ready or pod.finished or not settled(network, pod.meta.created):
            continue
        if not pod.node:
            yield from _not_scheduled(network, pod)
        elif pod.host_network:
            yield from _not_bound(network, pod)


def _wanted(pod: Pod) -> list[int]:
    return sorted(
        {port.host_port or port.container_port for port in pod.ports() if port.host_port or pod.host_network}
    )


def _not_scheduled(network: Network, pod: Pod) -> Iterator[Finding]:
    events = [one for one in events_of(network, pod) if NO_PORTS.search(one.message)]
    if not events:
        return
    event, ports = max(events, key=lambda one: one.last), _wanted(pod)
    holder = next(
        (
            one
            for one in network.cluster.pods.values()
            if one.node and not one.finished and one is not pod and set(_wanted(one)) & set(ports)
        ),
        None,
    )
    both = sorted(set(_wanted(holder)) & set(ports)) if holder else ports
    whose = (
        f"which Pod {holder.ref.short} has on {holder.node}" if holder else "which are taken on every node"
    )
    evidence = [Origin(event.origin.file, event.origin.line, f"event {event.reason}: {event.message[:250]}")]
    if holder is not None:
        evidence.append(
            stated(
                network.cluster,
                holder,
                "spec",
                "containers",
                text=f"{holder.ref}: host ports {_wanted(holder)}",
            )
        )
    yield _finding(
        pod,
        f"Pod {pod.ref.short} finds no node: it wants host port {', '.join(map(str, both))}, {whose}",
        evidence,
    )


def _not_bound(network: Network, pod: Pod) -> Iterator[Finding]:
    for one in reversed(said_by_pod(network).get(pod.key, ())):
        found = IN_USE.search(one.text)
        if found is None:
            continue
        port = int(found[1] or found[2] or 0)
        holder = _listener(network, pod.node, port)
        whose = f", which {holder.process or 'another program'} has" if holder else ""
        evidence = [one.line.origin, *((holder.origin,) if holder else ())]
        what = f"port {port}" if port else "its port"
        yield _finding(pod, f"Pod {pod.ref.short} cannot take {what} of {pod.node}{whose}", evidence)
        return


def _listener(network: Network, node: str, port: int) -> Socket | None:
    netns = network.namespaces.get(node_netns(node))
    sockets = (netns.sockets if netns else None) or ()
    return next((one for one in sockets if one.port == port and one.state in ("LISTEN", "UNCONN")), None)


def _finding(pod: Pod, message: str, evidence: list[Origin]) -> Finding:
    return Finding(
        code="hostnetwork-port-conflict",
        severity=Severity.ERROR,
        subject=pod.ref,
        message=message,
        evidence=tuple(evidence),
        cause="a port of a node has one owner",
        confidence=Confidence.CERTAIN,
        fix=Fix(
            "give one of the two another port, or a Service instead of the node's port",
            (kubectl("describe", pod.ref),),
            "low: it does not run now",
        ),
        broken=1,
    )
