"""node-status-unknown."""

from __future__ import annotations

from collections.abc import Iterator

from podpath.checks.host.clock import settled
from podpath.checks.host.dialing import dialed
from podpath.checks.host.log_lines import is_recent
from podpath.checks.objects.kubectl import stated
from podpath.checks.registry import Promised, state_check
from podpath.model.finding import Confidence, Finding, Fix, Severity
from podpath.model.kube.node import Node
from podpath.model.network import Network
from podpath.model.origin import Origin
from podpath.model.refs import node_netns


@state_check("node-status-unknown", severity=Severity.WARNING, needs=("api/nodes",))
def node_status_unknown(network: Network, _promised: Promised) -> Iterator[Finding]:
    """A node's kubelet no longer reports to the API server.

    ## Why it breaks

    After some missed reports the node counts as not ready, and its Pods as not ready behind their Services. The API
    server itself is up: others report. Either the machine is down, or its kubelet is, or the way between them.

    ## See it by hand

        kubectl describe node <node> | grep -A3 Ready      # "Kubelet stopped posting node status"
        systemctl status kubelet; journalctl -u kubelet -n 50      # on the node

    ## Fix

    On the node: start the kubelet, or cure its way to the API server: "connection refused" in its log means that
    nobody listens there, a timeout a firewall or a lost route, "no route to host" a reject.

    ## Often confused with

    *cni-config-missing*: the kubelet reports, and says that it has no network.
    """
    for node in network.cluster.nodes.values():
        condition = node.condition("Ready")
        if (
            condition is not None
            and condition.status == "Unknown"
            and settled(network, condition.last_transition_time)
        ):
            yield _found(network, node, condition.message or condition.reason)


def _found(network: Network, node: Node, message: str) -> Finding:
    evidence = [stated(network.cluster, node, "status", "conditions", text=f"Ready: Unknown, {message}")]
    why, confidence = "its state was not collected, so the machine may be down", Confidence.LIKELY
    netns = network.namespaces.get(node_netns(node.name))
    if netns is not None and netns.addresses is not None:
        why = "the machine is up"
        lines = [
            one
            for one in dialed(network)
            if one.said.node == node.name and one.api and is_recent(network, one.said)
        ]
        if lines:
            why = f"the machine is up, and fails at the API server: {lines[-1].how}"
            evidence.append(lines[-1].said.line.origin)
            confidence = Confidence.CERTAIN
        elif netns.sockets is not None and not any(
            s.port == node.kubelet_port and s.state == "LISTEN" for s in netns.sockets
        ):
            why = f"the machine is up, and its kubelet does not listen on {node.kubelet_port}"
            evidence.append(
                Origin(f"{netns.folder}/ss", 0, f"no program listens on port {node.kubelet_port}")
            )
            confidence = Confidence.CERTAIN
    return Finding(
        code="node-status-unknown",
        severity=Severity.WARNING,
        subject=node.ref,
        message=f"The kubelet of {node.name} does not report any more; {why}",
        evidence=tuple(evidence),
        cause="no report came in time",
        confidence=confidence,
        fix=Fix(
            "start the kubelet, or cure its way to the API server",
            (f"{node.name}: systemctl status kubelet; journalctl -u kubelet -n 50",),
            "low: it only reads",
        ),
    )
