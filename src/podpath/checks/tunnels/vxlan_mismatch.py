"""Explanations of tunnel packets that arrive and are refused: another port, another id."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import msgspec

from podpath.checks.case import Case, Explained
from podpath.checks.owners import FLANNEL
from podpath.checks.registry import explanation
from podpath.checks.steps.components import restart
from podpath.checks.steps.tunnels import Vtep, announced, sender_of, vteps
from podpath.model.edit import Edit, SetLink
from podpath.model.linux.link import Link, Vxlan
from podpath.model.network import Network
from podpath.model.refs import ObjectRef

RISK = "medium: the device is made anew, which interrupts this node's Pods for some seconds"


def ends_of(case: Case) -> tuple[Vtep, Vtep] | None:
    """The sending end, and the one that refused."""
    sender = sender_of(case)
    if sender is None:
        return None
    devices = [link for link in (case.netns.links or {}).values() if link.vxlan is not None]
    link = next((one for one in devices if one.name == sender.link.name), devices[0] if devices else None)
    return (sender, Vtep(case.netns, link)) if link is not None else None


def odd_one(network: Network, ends: tuple[Vtep, Vtep], value: Callable[[Vxlan], int]) -> tuple[Vtep, Vtep]:
    """Of two ends that differ the one that is unlike the other nodes, and the right one."""
    named = [one for one in vteps(network) if one.link.name == ends[0].link.name]
    counts = Counter(value(one.link.vxlan) for one in named if one.link.vxlan is not None)
    sender, receiver = ends
    mine, theirs = (counts[value(one.link.vxlan)] if one.link.vxlan is not None else 0 for one in ends)
    if mine == theirs:
        told = announced(network, sender.node)
        own = sender.link.vxlan
        if told is not None and own is not None and told[1] is not None and told[1] != own.vni:
            return sender, receiver
    return (sender, receiver) if mine < theirs else (receiver, sender)


def like(odd: Link, right: Link) -> Link:
    """The device with the other's port and id."""
    if odd.vxlan is None or right.vxlan is None:
        return odd
    return msgspec.structs.replace(
        odd, vxlan=msgspec.structs.replace(odd.vxlan, vni=right.vxlan.vni, port=right.vxlan.port)
    )


def remade(network: Network, odd: Vtep, right: Vtep) -> tuple[tuple[Edit, ...], tuple[str, ...]]:
    """The edit, and what a person does: the id and port of a device cannot be changed, so it is made anew."""
    link = like(odd.link, right.link)
    told = link.vxlan
    words = f"type vxlan id {told.vni} dstport {told.port}" if told is not None else ""
    steps = (f"{odd.node}: ip link delete {odd.link.name}", restart(network, FLANNEL.component, odd.node))
    return (SetLink(odd.netns.id, odd.link, link, words),), steps


@explanation("vxlan-dstport-mismatch", kinds=("tunnel-refused",))
def vxlan_dstport_mismatch(case: Case) -> Explained | None:
    """Two nodes use different UDP ports for the tunnel.

    ## Why it breaks

    A vxlan device listens at one UDP port and sends to the same one. After an upgrade, with Windows nodes (4789), or
    with two tools that share a node (Docker Swarm, NSX also use 4789), one node's port differs: its packets are refused
    with an ICMP error that the inner sender never sees.

    ## See it by hand

        ip -d link show type vxlan | grep -o 'dstport [0-9]*'     # on both nodes
        nstat -az UdpNoPorts                                      # on the receiver: grows

    ## Fix

    One port everywhere (`Backend.Port` in kube-flannel-cfg, `vxlanPort` in FelixConfiguration). The port of a device
    cannot be changed: delete it and restart the CNI's Pod on that node.

    ## Often confused with

    vxlan-vni-mismatch (no ICMP error, UdpInDatagrams grows), vxlan-port-blocked (a firewall).
    """
    ends = ends_of(case)
    packet = case.step.packet or case.trace.packet
    if ends is None or ends[1].link.vxlan is None or ends[0].link.vxlan is None:
        return None
    if ends[1].link.vxlan.port == packet.dport:
        return None
    odd, right = odd_one(case.network, ends, lambda vxlan: vxlan.port)
    edits, steps = remade(case.network, odd, right)
    theirs, ours = (one.link.vxlan.port if one.link.vxlan is not None else 0 for one in (right, odd))
    return Explained(
        f"{odd.node} uses another port for its tunnel than {right.node}: "
        f"{odd.link.name} has {ours}, there it is {theirs}",
        "no tunnel device listens at that port",
        (edits,),
        f"make {odd.link.name} on {odd.node} anew with port {theirs}",
        steps,
        RISK,
        subject=ObjectRef("Node", "", odd.node),
        evidence=(odd.link.origin, right.link.origin),
        evidence_first=True,
    )


@explanation("vxlan-vni-mismatch", kinds=("tunnel-refused",))
def vxlan_vni_mismatch(case: Case) -> Explained | None:
    """Two nodes use different network ids (VNI) for the tunnel.

    ## Why it breaks

    The receiver takes a packet only into the device with the packet's id; others are dropped without an error. It comes
    from a changed `Backend.VNI` that one node's device does not follow (flannel keeps an existing device), or from a
    device made by hand.

    ## See it by hand

        ip -d link show type vxlan | grep -o 'vxlan id [0-9]*'    # on both nodes
        nstat -az UdpInDatagrams                                  # grows, while the device's RX stands still

    ## Fix

    One id everywhere (`Backend.VNI` in kube-flannel-cfg); delete the device and restart the CNI's Pod on that node.

    ## Often confused with

    vxlan-dstport-mismatch (UdpNoPorts grows), vxlan-port-blocked (nothing arrives).
    """
    ends = ends_of(case)
    packet = case.step.packet or case.trace.packet
    if ends is None or ends[1].link.vxlan is None or ends[0].link.vxlan is None:
        return None
    if ends[1].link.vxlan.port != packet.dport or ends[1].link.vxlan.vni == ends[0].link.vxlan.vni:
        return None
    odd, right = odd_one(case.network, ends, lambda vxlan: vxlan.vni)
    edits, steps = remade(case.network, odd, right)
    theirs, ours = (one.link.vxlan.vni if one.link.vxlan is not None else 0 for one in (right, odd))
    return Explained(
        f"{odd.node} uses another network id for its tunnel than {right.node}: "
        f"{odd.link.name} has {ours}, there it is {theirs}",
        "no tunnel device takes that id",
        (edits,),
        f"make {odd.link.name} on {odd.node} anew with id {theirs}",
        steps,
        RISK,
        subject=ObjectRef("Node", "", odd.node),
        evidence=(odd.link.origin, right.link.origin),
        evidence_first=True,
    )
