"""The ends of vxlan tunnels: whose a MAC address is, and what each end must know of the others."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from podpath.checks.case import Case
from podpath.checks.steps.ranges import hosts, node_address
from podpath.model.edit import SetFdb, SetNeighbor
from podpath.model.kube.cluster import grouped
from podpath.model.linux.link import Link
from podpath.model.linux.neighbor import FdbEntry, Neighbor
from podpath.model.network import Netns, Network
from podpath.model.origin import Origin

BACKEND_DATA = ("flannel.alpha.coreos.com/backend-data", "flannel.alpha.coreos.com/backend-v6-data")


class Vtep(NamedTuple):
    """A vxlan device of a node."""

    netns: Netns
    link: Link

    @property
    def node(self) -> str:
        """Its node."""
        return self.netns.node


@lru_cache(maxsize=4)
def vteps(network: Network) -> tuple[Vtep, ...]:
    """All of them."""
    return tuple(
        Vtep(netns, link)
        for netns in hosts(network)
        for link in (netns.links or {}).values()
        if link.vxlan is not None and not link.vxlan.external
    )


def with_mac(network: Network, mac: str) -> Vtep | None:
    """The end that has a MAC address now."""
    return next((one for one in vteps(network) if one.link.mac == mac), None)


def at_address(network: Network, addr: int) -> Vtep | None:
    """The end that holds an address."""
    for netns_id, dev in network.owners.get(addr, ()):
        netns = network.namespaces[netns_id]
        link = (netns.links or {}).get(dev)
        if link is not None and link.vxlan is not None:
            return Vtep(netns, link)
    return None


def outer_address(network: Network, vtep: Vtep) -> int | None:
    """The address that others send the outer packets to."""
    local = vtep.link.vxlan.local if vtep.link.vxlan is not None else None
    return local if local is not None else node_address(network, vtep.node, v4=True)


def inner_addresses(vtep: Vtep) -> tuple[int, ...]:
    """The addresses of the device: next hops of the routes to its node's Pods."""
    held = vtep.netns.addresses or ()
    return tuple(one.addr for one in held if one.dev == vtep.link.name and one.scope == "global")


def same_tunnel(one: Vtep, other: Vtep) -> bool:
    """Whether two devices are ends of one tunnel network."""
    mine, theirs = one.link.vxlan, other.link.vxlan
    return (
        mine is not None
        and theirs is not None
        and mine.vni == theirs.vni
        and one.link.name == other.link.name
    )


def peers(network: Network, vtep: Vtep) -> Iterator[Vtep]:
    """The other ends."""
    yield from (one for one in vteps(network) if one.netns is not vtep.netns and same_tunnel(one, vtep))


def neighbor_edits(network: Network, vtep: Vtep) -> Iterator[SetNeighbor]:
    """Neighbour entries of other ends that a device lacks, or holds with another MAC address."""
    held = {n.dst: n for n in vtep.netns.neighbors or () if n.dev == vtep.link.name}
    for peer in peers(network, vtep):
        for addr in inner_addresses(peer):
            known = held.get(addr)
            if known is None or known.lladdr != peer.link.mac:
                entry = Neighbor(addr, vtep.link.name, peer.link.mac, "PERMANENT")
                yield SetNeighbor(vtep.netns.id, entry, known)


def fdb_edits(network: Network, vtep: Vtep) -> Iterator[SetFdb]:
    """Forwarding entries of other ends that a device lacks, or that lead elsewhere."""
    held = grouped((e.mac, e) for e in vtep.netns.fdb or () if e.dev == vtep.link.name)
    for peer in peers(network, vtep):
        outer = outer_address(network, peer)
        entries = held.get(peer.link.mac, ())
        if outer is None or any(entry.dst == outer for entry in entries):
            continue
        entry = FdbEntry(peer.link.mac, vtep.link.name, outer, self_=True, state="permanent")
        yield SetFdb(vtep.netns.id, entry, entries)


def sender_of(case: Case) -> Vtep | None:
    """The end that wrapped the packet."""
    for hop in reversed(case.trace.hops):
        for step in hop.steps:
            if step.stage == "vxlan" and step.key and not hop.outer:
                netns = case.network.namespaces.get(hop.netns)
                link = (netns.links or {}).get(step.dev) if netns is not None else None
                if netns is not None and link is not None:
                    return Vtep(netns, link)
    return None


def announced(network: Network, node: str) -> tuple[str, int | None, Origin] | None:
    """The MAC address and id that flannel on a node told the others, and where it stands."""
    known = network.cluster.nodes.get(node)
    for key in BACKEND_DATA:
        text = known.meta.annotations.get(key, "") if known is not None else ""
        try:
            told = json.loads(text) if text else None
        except ValueError:
            told = None
        if known is not None and isinstance(told, dict) and told.get("VtepMAC"):
            vni = told.get("VNI")
            origin = network.cluster.field_origin(known, "metadata", "annotations", key)
            return str(told["VtepMAC"]).lower(), vni if isinstance(vni, int) else None, origin
    return None


def is_tunnel_device(netns: Netns, dev: str) -> bool:
    """Whether a device of a namespace is a vxlan one."""
    link = (netns.links or {}).get(dev)
    return link is not None and link.vxlan is not None
