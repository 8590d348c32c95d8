"""flannel-subnet-env-missing."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from podpath.checks.cni.sandbox import Complaint, agent_trouble, unfulfilled, waiting
from podpath.checks.objects.kubectl import kubectl
from podpath.checks.objects.pod_state import troubles
from podpath.checks.registry import Promised, state_check
from podpath.model.finding import Finding, Fix, Severity
from podpath.model.kube.cluster import grouped
from podpath.model.network import Network

PATTERN = re.compile(r"open (\S*flannel\S*subnet\.env): no such file or directory")


@state_check("flannel-subnet-env-missing", severity=Severity.ERROR, needs=("api/events", "api/pods"))
def flannel_subnet_env_missing(network: Network, _promised: Promised) -> Iterator[Finding]:
    """The flannel agent of a node has not written its subnet file.

    ## Why it breaks

    The CNI plugin ``flannel`` reads /run/flannel/subnet.env to learn the node's range and MTU. The flannel agent
    writes it when it has its lease; /run is empty after a reboot. Without it no Pod gets a sandbox on the node.

    ## See it by hand

        kubectl get events -A --field-selector reason=FailedCreatePodSandBox
        kubectl -n kube-flannel get pods -o wide; cat /run/flannel/subnet.env      # on the node

    ## Fix

    Cure the flannel Pod of the node (no podCIDR, not allowed to patch nodes, image not pulled). A file written by
    hand is gone after the next reboot.

    ## Often confused with

    *node-podcidr-unassigned* and *flannel-rbac-denied*: why the agent did not get there.
    """
    hits = [one for one in waiting(network) if PATTERN.search(one.text)]
    for node, pods in grouped((one.pod.node, one) for one in hits).items():
        agent = agent_trouble(network, node)
        step = kubectl("describe", agent.ref) if agent else "kubectl get pods -A -o wide | grep flannel"
        complaint = Complaint(
            "flannel-subnet-env-missing",
            "",
            "flannel has not written its subnet.env there",
            "the flannel agent is not up on this node",
            Fix("cure the flannel Pod of this node", (step,), "low: it only reads"),
        )
        why = troubles(network, agent)[:1] if agent else ()
        evidence = (pods[0].origin, *(one.origin for one in why))
        finding = unfulfilled(network, complaint, node, pods, (), evidence)
        if why and not finding.reason and agent is not None:
            finding = msgspec.structs.replace(finding, reason=f"Pod {agent.ref.short}: {why[0].text}")
        yield finding
