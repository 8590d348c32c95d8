"""kubelet-resolvconf-missing."""

from __future__ import annotations

import re
from collections.abc import Iterator

from podpath.checks.cni.sandbox import Complaint, unfulfilled, waiting
from podpath.checks.registry import Promised, state_check
from podpath.model.finding import Finding, Fix, Severity
from podpath.model.kube.cluster import grouped
from podpath.model.network import Network

PATTERN = re.compile(r"open (\S*resolv\S*\.conf|/etc/\S*resolv\S*): no such file or directory")


@state_check("kubelet-resolvconf-missing", severity=Severity.ERROR, needs=("api/events", "api/pods"))
def kubelet_resolvconf_missing(network: Network, _promised: Promised) -> Iterator[Finding]:
    """The kubelet is told to read a resolv.conf that does not exist.

    ## Why it breaks

    The kubelet writes each Pod's resolv.conf from the file that ``resolvConf`` names. Where systemd-resolved was
    removed, or never was, /run/systemd/resolve/resolv.conf does not exist, and no sandbox is made.

    ## See it by hand

        kubectl get events -A --field-selector reason=FailedCreatePodSandBox
        grep resolvConf /var/lib/kubelet/config.yaml; ls -l <that file>      # on the node

    ## Fix

    Point ``resolvConf`` at a file that exists and names no loopback resolver, or start systemd-resolved again.

    ## Often confused with

    *dns-loop-detected*: the file exists, and names a loopback resolver.
    """
    hits = [(one, found[1]) for one in waiting(network) if (found := PATTERN.search(one.text)) is not None]
    for node, of_node in grouped((one.pod.node, (one, path)) for one, path in hits).items():
        known = network.nodes.get(node)
        first, path = of_node[0]
        evidence = [first.origin]
        if known is not None and known.kubelet is not None:
            evidence.append(known.kubelet.origin("resolvConf"))
        complaint = Complaint(
            "kubelet-resolvconf-missing",
            "",
            f"its kubelet is to read {path}, which does not exist",
            "resolvConf names a file that is not there",
            Fix(
                "point resolvConf at a file that exists, or start systemd-resolved again",
                (
                    f"{node}: in /var/lib/kubelet/config.yaml: resolvConf: /etc/resolv.conf; systemctl restart kubelet",
                    f"{node}: systemctl enable --now systemd-resolved       # if it is to be there",
                ),
                "low: running Pods keep their own file",
            ),
        )
        yield unfulfilled(network, complaint, node, tuple(one for one, _ in of_node), (), tuple(evidence))
