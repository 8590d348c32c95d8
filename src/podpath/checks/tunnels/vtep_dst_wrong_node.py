"""Explanation: the tunnel's packets for a node go to an address that is not the node's."""

from __future__ import annotations

from podpath.checks.case import Case, Explained
from podpath.checks.owners import FLANNEL
from podpath.checks.registry import explanation
from podpath.checks.steps.components import restart
from podpath.checks.steps.ranges import node_address
from podpath.checks.steps.tunnels import outer_address, sender_of, vteps, with_mac
from podpath.checks.steps.words import listed
from podpath.model.addr import format_addr
from podpath.model.edit import Edit, SetFdb
from podpath.model.linux.neighbor import FdbEntry
from podpath.model.origin import Origin
from podpath.model.refs import ObjectRef


@explanation(
    "vtep-dst-wrong-node",
    kinds=(
        "neighbor-wrong",
        "tunnel-wrong-peer",
        "tunnel-refused",
        "no-listener",
        "wrong-route",
        "source-unanswerable",
    ),
    specificity=35,
)
def vtep_dst_wrong_node(case: Case) -> Explained | None:
    """A node sends the tunnel's packets for another node to an address that is not that node's.

    ## Why it breaks

    The forwarding entry of a tunnel device names the node behind a MAC address. When a node gets another address
    (DHCP, a new machine under the old name), or when flannel announced the address of the wrong interface, the packets
    go to whoever has that address now, or to nobody.

    ## See it by hand

        bridge fdb show dev flannel.1 | grep <MAC>                        # dst is not the node's address
        kubectl get node <node> -o yaml | grep public-ip                  # what flannel announced

    ## Fix

    Restart flannel's Pod on the node whose address changed; delete a stale `public-ip-overwrite` annotation; with
    several interfaces tell flannel which (`--iface`).

    ## Often confused with

    vtep-mac-stale (the right node, an old MAC address), flannel-wrong-iface (all nodes announce one address).
    """
    sender = sender_of(case)
    mac = _sent_to(case)
    owner = with_mac(case.network, mac)
    if sender is None or owner is None or owner.netns is sender.netns:
        return None
    right = outer_address(case.network, owner)
    own = {right, node_address(case.network, owner.node, v4=True), *owner.netns.addresses_by_value}
    edits: list[Edit] = []
    lines: list[Origin] = []
    nodes: list[str] = []
    for vtep in vteps(case.network):
        wrong = [
            e
            for e in vtep.netns.fdb or ()
            if (e.mac, e.dev) == (mac, vtep.link.name) and e.dst not in (None, *own)
        ]
        if wrong and right is not None:
            entry = FdbEntry(mac, vtep.link.name, right, self_=True, state=wrong[0].state or "permanent")
            edits.append(SetFdb(vtep.netns.id, entry, tuple(wrong)))
            lines.append(wrong[0].origin)
            nodes.append(vtep.node)
    if sender.node not in nodes or right is None:
        return None
    command = restart(case.network, FLANNEL.component, owner.node)
    return Explained(
        f"{listed(nodes)} {'sends' if len(nodes) == 1 else 'send'} the tunnel's packets for {owner.node} "
        f"to another address than {format_addr(right)}",
        f"{owner.node} is not there",
        (tuple(edits),),
        f"restart flannel on {owner.node} ({command}): it announces its address again",
        risk="low; entries written by hand last until the device is made again",
        subject=ObjectRef("Node", "", nodes[0]) if len(nodes) == 1 else ObjectRef("Node", "", owner.node),
        evidence=tuple(lines[:3]),
        evidence_first=True,
    )


def _sent_to(case: Case) -> str:
    """The MAC address that the sender wrapped the packet for."""
    for hop in reversed(case.trace.hops):
        for step in hop.steps:
            if step.stage == "vxlan" and step.key and not hop.outer:
                return step.key
    return ""
