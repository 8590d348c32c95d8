"""Explanations of what the end of a tunnel knows of the others: missing or old entries."""

from __future__ import annotations

from podpath.checks.case import Case, Explained
from podpath.checks.owners import FLANNEL
from podpath.checks.registry import explanation
from podpath.checks.steps.components import restart, told
from podpath.checks.steps.ranges import home_of, hosts
from podpath.checks.steps.tunnels import (
    Vtep,
    announced,
    at_address,
    fdb_edits,
    inner_addresses,
    neighbor_edits,
    outer_address,
    with_mac,
)
from podpath.checks.steps.words import listed
from podpath.model.addr import parse_addr
from podpath.model.edit import Edit, SetFdb, SetNeighbor
from podpath.model.linux.neighbor import FdbEntry, Neighbor
from podpath.model.network import Netns, Network
from podpath.model.origin import Origin
from podpath.model.refs import ObjectRef

RISK = "low; written by hand they are lost when the device is made again: restart the CNI, so that it writes them"


def device_of(case: Case) -> Vtep | None:
    """The vxlan device of the step."""
    link = (case.netns.links or {}).get(case.step.dev)
    return Vtep(case.netns, link) if link is not None and link.vxlan is not None else None


@explanation("vtep-neigh-missing", kinds=("neighbor-unresolved",), specificity=36)
def vtep_neigh_missing(case: Case) -> Explained | None:
    """A node has no neighbour entry for the other end of the tunnel, and its tunnel device cannot ask.

    ## Why it breaks

    flannel writes, for every other node, the MAC address of its tunnel device as a permanent neighbour entry. The
    device is made with `nolearning`: nobody would answer a question, so without the entry the packet is dropped.
    Whoever flushes neighbours (`ip neigh flush`), or sets the device down and up, takes them away.

    ## See it by hand

        ip neigh show dev flannel.1                 # the next hop of the route is missing, or INCOMPLETE
        ip -s link show flannel.1                   # TX dropped grows

    ## Fix

    Restart flannel's Pod on the node. By hand: `ip neigh replace <next hop> lladdr <MAC of the other's device> dev
    flannel.1 nud permanent`.

    ## Often confused with

    vtep-fdb-missing (the MAC address is known, the way to it is not), vtep-mac-stale (it is known wrong).
    """
    device = device_of(case)
    if device is None:
        return None
    try:
        addr = parse_addr(case.step.key)
    except ValueError:
        return None
    peer = at_address(case.network, addr)
    owner = peer.node if peer is not None else home_of(case.network, addr)
    edits: tuple[Edit, ...] = (*neighbor_edits(case.network, device), *fdb_edits(case.network, device))
    gone = [one for one in edits if isinstance(one, SetNeighbor)]
    whom = (
        listed(sorted({home_of(case.network, one.neighbor.dst) for one in gone}))
        if gone
        else owner or case.step.key
    )
    state = told(case.network, FLANNEL.component, case.node)
    return Explained(
        f"{case.node} does not know the tunnel devices of {whom}: {device.link.name} has no neighbour entry",
        "a tunnel device that cannot ask, and no entry",
        (edits,) if edits else (),
        f"restart flannel on {case.node} ({restart(case.network, FLANNEL.component, case.node)}), or write the entries",
        risk=RISK,
        evidence=(*((peer.link.origin,) if peer is not None else ()), *state.evidence),
        reason=state.text,
    )


@explanation("vtep-fdb-missing", kinds=("tunnel-no-peer",))
def vtep_fdb_missing(case: Case) -> Explained | None:
    """A node does not know behind which node the other tunnel device is: the forwarding entry is missing.

    ## Why it breaks

    A vxlan device sends a frame to the node that its forwarding database names for the destination's MAC address.
    Without an entry, and without the default entry 00:00:00:00:00:00, it drops the frame. Only packets to that
    node fail.

    ## See it by hand

        bridge fdb show dev flannel.1               # no "<MAC> dst <node address>"
        ip -s link show flannel.1                   # TX dropped grows

    ## Fix

    Restart flannel's Pod on the node. By hand: `bridge fdb append <MAC> dev flannel.1 dst <node address>`.

    ## Often confused with

    vtep-neigh-missing (the MAC address is not known either), vtep-dst-wrong-node (there is an entry, to another node).
    """
    device = device_of(case)
    peer = with_mac(case.network, case.step.key)
    if device is None or peer is None:
        return None
    edits: tuple[Edit, ...] = tuple(fdb_edits(case.network, device))
    gone = [
        home.node
        for one in edits
        if isinstance(one, SetFdb) and (home := with_mac(case.network, one.entry.mac))
    ]
    state = told(case.network, FLANNEL.component, case.node)
    return Explained(
        f"{case.node} does not know where the tunnel device of {listed(sorted(set(gone)) or [peer.node])} is: "
        f"{device.link.name} has no forwarding entry for its MAC address",
        "no entry says which node has this MAC address",
        (edits,) if edits else (),
        f"restart flannel on {case.node} ({restart(case.network, FLANNEL.component, case.node)}), or write the entries",
        risk=RISK,
        evidence=(peer.link.origin, *state.evidence),
        reason=state.text,
    )


@explanation("vtep-mac-stale", kinds=("neighbor-wrong", "tunnel-no-peer"), specificity=33)
def vtep_mac_stale(case: Case) -> Explained | None:
    """Other nodes send to an old MAC address of a node's tunnel device.

    ## Why it breaks

    After a reboot, or when udev gives the device a persistent MAC address (MACAddressPolicy), the tunnel device has
    another MAC address than the one it announced. Frames arrive at the node and are dropped there: they are for
    somebody else. Every other node loses the Pods of this one.

    ## See it by hand

        ip -s -s link show flannel.1                              # on the receiver: RX otherhost grows
        kubectl get node <node> -o yaml | grep VtepMAC            # and: cat /sys/class/net/flannel.1/address

    ## Fix

    Restart flannel's Pod on the node whose MAC address changed: it announces the new one, and the others take it over.
    For good: a .link file with `MACAddressPolicy=none` for flannel*.

    ## Often confused with

    vtep-dst-wrong-node (the frame is for another node), vtep-fdb-missing (no entry at all).
    """
    receiver = device_of(case) if case.step.kind == "neighbor-wrong" else _behind(case)
    mac = case.step.key
    if receiver is None or with_mac(case.network, mac) is not None or mac == receiver.link.mac:
        return None
    edits, lines, nodes = _renewed(case.network, receiver, mac)
    if not edits:
        return None
    told_mac = announced(case.network, receiver.node)
    evidence = (receiver.link.origin, *lines, *((told_mac[2],) if told_mac is not None else ()))
    taken_over = told_mac is not None and told_mac[0] == receiver.link.mac
    at = nodes[0] if taken_over else receiver.node
    command = restart(case.network, FLANNEL.component, at)
    return Explained(
        f"{listed(nodes)} {'sends' if len(nodes) == 1 else 'send'} to an old MAC address of {receiver.node}'s tunnel "
        f"device: {mac}, while it is {receiver.link.mac}",
        f"the frame is for {mac}, which the device no longer is",
        (edits,),
        f"restart flannel on {at} ({command}): it takes over what {receiver.node} has announced"
        if taken_over
        else f"restart flannel on {at} ({command}): it announces its MAC address again",
        risk="low; entries written by hand last until the device is made again",
        subject=ObjectRef("Node", "", receiver.node),
        evidence=evidence,
        reason=_who_is_old(receiver, told_mac),
    )


def _who_is_old(receiver: Vtep, told_mac: tuple[str, int | None, Origin] | None) -> str:
    """Which side has to catch up, by what the node announced."""
    if told_mac is None:
        return ""
    if told_mac[0] == receiver.link.mac:
        return f"{receiver.node} has announced its new MAC address: the others have not taken it over"
    return f"{receiver.node} still announces {told_mac[0]}: flannel there has not noticed that its device changed"


def _behind(case: Case) -> Vtep | None:
    """The end at the address whose neighbour entry gave the MAC address."""
    for entry in case.netns.neighbors or ():
        if entry.dev == case.step.dev and entry.lladdr == case.step.key:
            return at_address(case.network, entry.dst)
    return None


def _renewed(network: Network, receiver: Vtep, mac: str) -> tuple[tuple[Edit, ...], list[Origin], list[str]]:
    """The entries with the old MAC address on all nodes, as they should be; their lines; the nodes."""
    edits: list[Edit] = []
    lines: list[Origin] = []
    nodes: list[str] = []
    outer = outer_address(network, receiver)
    for netns in hosts(network):
        old = [n for n in netns.neighbors or () if n.lladdr == mac and n.dst in inner_addresses(receiver)]
        for entry in old:
            right = Neighbor(entry.dst, entry.dev, receiver.link.mac, "PERMANENT")
            edits.append(SetNeighbor(netns.id, right, entry))
            if outer is not None and not _leads(netns, receiver.link.mac, entry.dev, outer):
                way = FdbEntry(receiver.link.mac, entry.dev, outer, self_=True, state="permanent")
                edits.append(SetFdb(netns.id, way))
            lines.append(entry.origin)
        if old:
            nodes.append(netns.node)
    return tuple(edits), lines[:2], nodes


def _leads(netns: Netns, mac: str, dev: str, outer: int) -> bool:
    return any((e.mac, e.dev, e.dst) == (mac, dev, outer) for e in netns.fdb or ())
