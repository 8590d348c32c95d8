"""cni-binary-missing."""

from __future__ import annotations

from collections.abc import Iterator

from podpath.checks.cni.sandbox import Complaint, waiting_for
from podpath.checks.registry import Promised, state_check
from podpath.model.finding import Finding, Fix, Severity
from podpath.model.network import Network

COMPLAINT = Complaint(
    "cni-binary-missing",
    r'failed to find plugin "([^"]+)" in path',
    "the runtime does not find the CNI plugin {0}",
    "no such program in the CNI's folder",
    Fix(
        "install the plugin: reinstall the CNI, or the containernetworking plugins",
        (
            "on the node: ls -l /opt/cni/bin; mount | grep ' /opt'        # read-only or noexec?",
            "on the node: apt-get install containernetworking-plugins; cp -n /usr/lib/cni/* /opt/cni/bin/",
        ),
        "low",
    ),
)


@state_check("cni-binary-missing", severity=Severity.ERROR, needs=("api/events", "api/pods"))
def cni_binary_missing(network: Network, promised: Promised) -> Iterator[Finding]:
    """A plugin that the CNI configuration names is not installed on a node.

    ## Why it breaks

    The container runtime starts a program in /opt/cni/bin for each plugin of the configuration. If one is missing, no
    Pod gets a sandbox on that node; Pods that run already are not touched.

    ## See it by hand

        kubectl get events -A --field-selector reason=FailedCreatePodSandBox
        cat /etc/cni/net.d/*; ls /opt/cni/bin          # on the node

    ## Fix

    Reinstall the CNI, or the package containernetworking-plugins (flannel needs ``bridge``, ``host-local``,
    ``portmap`` and ``loopback`` from it).

    ## Often confused with

    *cni-config-missing*: there is no configuration at all, and the node itself is not ready.
    """
    return waiting_for(COMPLAINT)(network, promised)
