"""cni-config-missing."""

from __future__ import annotations

import re
from collections.abc import Iterator

from podpath.checks.cni.sandbox import agent_reason, agent_trouble
from podpath.checks.host.clock import settled
from podpath.checks.objects.kubectl import kubectl, stated
from podpath.checks.objects.pod_state import troubles
from podpath.checks.registry import Promised, state_check
from podpath.model.finding import Confidence, Finding, Fix, Severity
from podpath.model.kube.node import Node
from podpath.model.linux.cni import config_in_use
from podpath.model.network import Network
from podpath.model.origin import Origin

PATTERN = re.compile(
    r"cni (?:plugin not initialized|config uninitialized)|no networks found in|NetworkPluginNotReady",
    re.IGNORECASE,
)


@state_check("cni-config-missing", severity=Severity.ERROR, needs=("api/nodes",))
def cni_config_missing(network: Network, _promised: Promised) -> Iterator[Finding]:
    """A node is not ready because it has no CNI configuration.

    ## Why it breaks

    The container runtime calls no network ready before a valid file lies in /etc/cni/net.d. Until then the node is not
    ready, and only Pods of the host's network run there. The CNI's own DaemonSet is to write that file.

    ## See it by hand

        kubectl describe node <node> | grep -A1 Ready
        ls -l /etc/cni/net.d                           # on the node
        kubectl get daemonsets -A; kubectl get pods -A -o wide --field-selector spec.nodeName=<node>

    ## Fix

    Install a CNI; where one is installed, cure its Pod on this node (tolerations, image, permissions, SELinux).

    ## Often confused with

    *cni-binary-missing*: the configuration is there, and Pods fail one by one.
    """
    for node in network.cluster.nodes.values():
        condition = node.condition("Ready")
        if condition is None or condition.status == "True" or not PATTERN.search(condition.message):
            continue
        if not settled(network, node.meta.created):
            continue  # it has just joined: the CNI is on its way
        yield _found(network, node, condition.message)


def _found(network: Network, node: Node, message: str) -> Finding:
    agent, logged = agent_trouble(network, node.name), agent_reason(network, node.name)
    why = troubles(network, agent)[:1] if agent else ()
    known = network.nodes.get(node.name)
    config = config_in_use((known.cni if known else None) or ())
    evidence = [
        stated(network.cluster, node, "status", "conditions", text=f"Ready is not True: {message[:300]}")
    ]
    if config is not None:
        evidence.append(
            Origin(config.origin.file, config.origin.line, f"there, but not taken: {config.origin.text}")
        )
    evidence += [one.origin for one in why] + list(logged.evidence if logged else ())
    waiting = [
        pod for pod in network.cluster.pods_by_node.get(node.name, ()) if not pod.ips and not pod.finished
    ]
    reason = logged.text if logged else f"Pod {agent.ref.short}: {why[0].text}" if agent and why else ""
    if not any(
        (pod.meta.owner or ("",))[0] == "DaemonSet" for pod in network.cluster.pods_by_node.get(node.name, ())
    ):
        reason = reason or "no Pod of a DaemonSet is on this node that could install one"
    return Finding(
        code="cni-config-missing",
        severity=Severity.ERROR,
        subject=node.ref,
        message=f"{node.name} is not ready: its container runtime has no CNI configuration",
        evidence=tuple(evidence),
        cause="no Pod can get a network here",
        confidence=Confidence.CERTAIN,
        fix=logged.fix
        if logged
        else _fix(agent is not None, kubectl("describe", agent.ref) if agent else ""),
        broken=max(1, len(waiting)),
        reason=reason,
    )


def _fix(has_agent: bool, describe: str) -> Fix:
    if has_agent:
        return Fix(
            "cure the CNI's Pod on this node: it writes the configuration", (describe,), "low: it only reads"
        )
    steps = ("kubectl apply -f <manifest of the CNI>     # with a toleration {operator: Exists}",)
    return Fix("install a CNI, or let its DaemonSet run on this node too", steps, "low")
