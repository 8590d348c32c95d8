"""duplicate-machine-identity."""

from __future__ import annotations

from collections.abc import Iterator

from podpath.checks.objects.kubectl import stated
from podpath.checks.registry import Promised, state_check
from podpath.model.addr import format_addr
from podpath.model.finding import Confidence, Finding, Fix, Severity
from podpath.model.kube.cluster import grouped
from podpath.model.kube.node import Node
from podpath.model.network import Network
from podpath.model.origin import Origin

ONE_MORE_TIME = (
    "on the clone: rm /etc/machine-id; systemd-machine-id-setup; kubeadm reset; reboot",
    "kubectl delete node <the clone>; then kubeadm join once more",
)
NO_IDENTITY = frozenset({"", "00000000-0000-0000-0000-000000000000", "03000200-0400-0500-0006-000700080009"})
"""What firmware says that was never told who it is."""


@state_check("duplicate-machine-identity", severity=Severity.ERROR, needs=("api/nodes",))
def duplicate_machine_identity(network: Network, _promised: Promised) -> Iterator[Finding]:
    """Two nodes are one machine for somebody: an address, a MAC, a machine-id or a product UUID is the same.

    ## Why it breaks

    Cloned machines keep what should be theirs alone. Two owners of one address or MAC take the traffic from each other
    by turns; equal machine-ids make kubelets, DHCP servers and CNIs take one for the other.

    ## See it by hand

        kubectl get nodes -o wide
        kubectl get nodes -o yaml | grep -E '^    name:|machineID|systemUUID'
        ip link show; cat /etc/machine-id /sys/class/dmi/id/product_uuid     # on each node

    ## Fix

    Give the clone an identity of its own (machine-id, MAC, hostname), and let it join as a new node.

    ## Often confused with

    *flannel-wrong-iface*: two nodes tell others the same tunnel address, and are two machines otherwise.
    """
    nodes = network.cluster.nodes.values()
    for addr, owners in grouped(
        (addr, node) for node in nodes for addr in set(node.addresses("InternalIP"))
    ).items():
        if len(owners) > 1:
            evidence = tuple(
                stated(network.cluster, one, "status", "addresses", text=f"InternalIP: {format_addr(addr)}")
                for one in owners
            )
            yield _found(owners, f"InternalIP {format_addr(addr)}", evidence, Severity.ERROR)
    yield from _macs(network)
    for field, identities in (
        ("machineID", grouped((node.status.node_info.machine_id, node) for node in nodes)),
        ("systemUUID", grouped((node.status.node_info.system_uuid.lower(), node) for node in nodes)),
    ):
        for value, owners in identities.items():
            if len(owners) > 1 and value not in NO_IDENTITY:
                evidence = tuple(stated(network.cluster, one, "status", "nodeInfo", field) for one in owners)
                yield _found(owners, f"{field} {value}", evidence, Severity.WARNING)


def _macs(network: Network) -> Iterator[Finding]:
    """Links that carry the nodes' own addresses, with one MAC."""
    internal = {
        addr: node.name for node in network.cluster.nodes.values() for addr in node.addresses("InternalIP")
    }
    real = grouped(
        (link.mac, (netns.node, link))
        for netns in network.namespaces.values()
        if netns.is_host
        for address in netns.addresses or ()
        if internal.get(address.addr) == netns.node
        and (link := (netns.links or {}).get(address.dev)) is not None
        and link.mac
    )
    for mac, places in real.items():
        owners = {name: network.cluster.nodes[name] for name, _ in places if name in network.cluster.nodes}
        if len(owners) > 1:
            evidence = tuple(link.origin for _, link in places)
            yield _found(tuple(owners.values()), f"MAC address {mac}", evidence, Severity.ERROR)


def _found(owners: tuple[Node, ...], what: str, evidence: tuple[Origin, ...], severity: Severity) -> Finding:
    names = ", ".join(sorted(one.name for one in owners))
    newest = max(owners, key=lambda one: one.meta.created)
    return Finding(
        code="duplicate-machine-identity",
        severity=severity,
        subject=newest.ref,
        message=f"Nodes {names} have the same {what}",
        evidence=evidence,
        cause="a clone that kept its original's identity",
        confidence=Confidence.CERTAIN,
        fix=Fix(
            f"give {newest.name} an identity of its own",
            ONE_MORE_TIME,
            "medium: the node leaves and joins again",
        ),
        broken=len(owners) if severity is Severity.ERROR else 0,
    )
