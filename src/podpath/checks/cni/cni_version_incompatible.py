"""cni-version-incompatible."""

from __future__ import annotations

import re
from collections.abc import Iterator

from podpath.checks.cni.sandbox import Complaint, leaving, unfulfilled, waiting
from podpath.checks.registry import Promised, state_check
from podpath.model.finding import Finding, Fix, Severity
from podpath.model.kube.cluster import grouped
from podpath.model.linux.cni import config_in_use
from podpath.model.network import Network

PATTERN = re.compile(
    r'incompatible CNI versions|unsupported CNI (?:result )?version "?([\d.]*)|invalid version "": the version is empty'
    r"|the version is empty"
)
COMPLAINT = Complaint(
    "cni-version-incompatible",
    "",
    "the plugin does not speak the version of the CNI configuration",
    "cniVersion is one that the plugin or the runtime does not know, or is absent",
    Fix(
        'write a "cniVersion" that plugin and runtime both speak, or upgrade them',
        (
            "on the node: for p in /opt/cni/bin/*; do CNI_COMMAND=VERSION $p; done      # what each plugin speaks",
            'on the node, in /etc/cni/net.d/*.conflist: "cniVersion": "0.4.0"; systemctl restart containerd',
        ),
        "low",
    ),
)


@state_check("cni-version-incompatible", severity=Severity.ERROR, needs=("api/events", "api/pods"))
def cni_version_incompatible(network: Network, _promised: Promised) -> Iterator[Finding]:
    """The CNI configuration asks for a version that a plugin or the runtime does not speak.

    ## Why it breaks

    Every call of a plugin carries the version of the configuration. An old plugin refuses a new one, and containerd
    before 1.6.4 fails to take Pods down when the version is not stated at all.

    ## See it by hand

        kubectl get events -A --field-selector reason=FailedCreatePodSandBox
        grep -H cniVersion /etc/cni/net.d/*            # on the node

    ## Fix

    State a version that all speak (0.4.0 is safe with plugins of the last years), or upgrade plugins and containerd.

    ## Often confused with

    *cni-binary-missing*: the plugin is not there at all.
    """
    hits = [one for one in (*waiting(network), *leaving(network)) if PATTERN.search(one.text)]
    for node, pods in grouped((one.pod.node, one) for one in hits).items():
        known = network.nodes.get(node)
        config = config_in_use((known.cni if known else None) or ())
        evidence = (pods[0].origin, *((config.origin,) if config else ()))
        yield unfulfilled(network, COMPLAINT, node, pods, (), evidence)
