"""selinux-cni-install-denied."""

from __future__ import annotations

import re
from collections.abc import Iterator

from podpath.checks.host.log_lines import said_by_pod
from podpath.checks.objects.kubectl import json_patch, stated
from podpath.checks.registry import Promised, state_check
from podpath.model.finding import Confidence, Finding, Fix, Severity
from podpath.model.kube.pod import Pod
from podpath.model.linux.agents import LogLine
from podpath.model.linux.node_facts import SelinuxMode
from podpath.model.network import Network
from podpath.model.origin import Origin
from podpath.model.refs import ObjectRef

DENIED = re.compile(r"(\S*(?:/cni/net\.d|/cni/bin|/run/flannel)\S*?)['\"]?: [Pp]ermission denied")
AUDIT = re.compile(r"avc: +denied .*(?:cni|net\.d)")


@state_check("selinux-cni-install-denied", severity=Severity.ERROR, needs=("api/pods",))
def selinux_cni_install_denied(network: Network, _promised: Promised) -> Iterator[Finding]:
    """SELinux keeps the CNI's Pod from writing its configuration on the node.

    ## Why it breaks

    The init container of the CNI copies a file into /etc/cni/net.d of the host. SELinux in enforcing mode denies it
    to a container without the right label: the Pod stays in Init:CrashLoopBackOff, and the node is not ready.

    ## See it by hand

        kubectl -n <namespace> logs <pod> -c <init container>
        getenforce; ausearch -m avc -ts recent         # on the node

    ## Fix

    Keep SELinux enforcing: install container-selinux, restore the labels of /etc/cni and /opt/cni, and let the init
    container run as ``spc_t``. ``setenforce 0`` proves the cause, and is no cure.

    ## Often confused with

    A read-only /etc or a missing hostPath: SELinux is permissive or disabled there. *cni-config-missing*: what follows.
    """
    for node, known in network.nodes.items():
        mode = known.facts.selinux if known.facts else None
        for pod in network.cluster.pods_by_node.get(node, ()):
            line = None if pod.ready else _denied(network, pod)
            if line is None or (mode is not None and mode.mode != "enforcing"):
                continue
            yield _found(network, pod, line, mode)


def _denied(network: Network, pod: Pod) -> LogLine | None:
    """The line by which a Pod says that it may not write."""
    lines = [one.line for one in said_by_pod(network).get(pod.key, ()) if DENIED.search(one.text)]
    return (
        lines[-1]
        if lines and any(not status.ready for status in pod.status.init_container_statuses)
        else None
    )


def _found(network: Network, pod: Pod, line: LogLine, mode: SelinuxMode | None) -> Finding:
    found = DENIED.search(line.message)
    path = found[1].lstrip("'\"") if found else "the host's folder"
    index, status = next(
        (i, one) for i, one in enumerate(pod.status.init_container_statuses) if not one.ready
    )
    audit = [one.origin for one in network.nodes[pod.node].log_lines if AUDIT.search(one.message)]
    state = f"init container {status.name}: {status.waiting_reason or 'not done'}"
    evidence: tuple[Origin, ...] = (
        line.origin,
        *((mode.origin,) if mode else ()),
        stated(network.cluster, pod, "status", "initContainerStatuses", str(index), text=state),
        *audit[-1:],
    )
    kind, name = pod.meta.owner or ("Pod", pod.meta.name)
    owner = ObjectRef(kind, pod.meta.namespace, name)
    where = f"/spec/template/spec/initContainers/{index}/securityContext"
    label = {"op": "add", "path": where, "value": {"seLinuxOptions": {"type": "spc_t"}}}
    return Finding(
        code="selinux-cni-install-denied",
        severity=Severity.ERROR,
        subject=pod.ref,
        message=f"SELinux on {pod.node} does not let {pod.ref.short} write {path}",
        evidence=evidence,
        cause="denied to the init container",
        confidence=Confidence.CERTAIN if mode and audit else Confidence.LIKELY,
        fix=Fix(
            "keep SELinux enforcing: right labels, and spc_t for the init container",
            (
                f"{pod.node}: dnf install container-selinux; restorecon -Rv /etc/cni /opt/cni",
                json_patch(owner, label),
                f"{pod.node}: setenforce 0        # last resort, to prove the cause; then setenforce 1",
            ),
            "low; turning SELinux off is a high risk",
        ),
        broken=max(1, sum(not one.ips for one in network.cluster.pods_by_node.get(pod.node, ()))),
    )
