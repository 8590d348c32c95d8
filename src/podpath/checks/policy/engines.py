"""Who enforces NetworkPolicies: recognised by chains, tables and programs on nodes, and by workloads."""

from __future__ import annotations

import re
from functools import lru_cache

from podpath.model.network import Netns, Network

CHAINS = re.compile(
    r"KUBE-ROUTER|KUBE-NWPLCY|KUBE-POD-FW|cali-|CILIUM_|WEAVE-NPC|ANTREA|OVN-KUBE|AZURE-NPM|KUBE-NETWORK-POLICIES|NETPOL",
    re.IGNORECASE,
)
TABLES = re.compile(r"calico|kube-router|network-policies|antrea|weave", re.IGNORECASE)
WORKLOADS = re.compile(
    r"calico|cilium|antrea|kube-router|weave|kube-?ovn|ovn-?kube|azure-npm|network-polic|netpol|anetd|eks-nodeagent|network-policy-agent"
    r"|canal|romana|nsx|contrail|openshift-sdn|kube-proxy-enforcer",
    re.IGNORECASE,
)
"""Names of images and programs; k3s and RKE2 run kube-router inside their own process, seen by its chains."""


def has_chains(netns: Netns) -> bool | None:
    """Whether an engine's rules or programs stand on a node; None where that cannot be seen."""
    if any(
        TABLES.search(table.name) or any(CHAINS.search(name) for name in table.chains)
        for table in netns.tables
    ):
        return True
    if netns.tc_devices or netns.unread_tables or not netns.tables:
        return None
    return False


@lru_cache(maxsize=4)
def engine_workload(network: Network) -> bool:
    """Whether a workload or Pod of an engine is known."""
    containers = [
        *(one for workload in network.cluster.workloads.values() for one in workload.containers),
        *(one for pod in network.cluster.pods.values() if pod.host_network for one in pod.spec.containers),
    ]
    return any(WORKLOADS.search(" ".join((one.image, *one.command, *one.args))) for one in containers)
