"""Between the nodes: a bundle shows the nodes' own devices of it; the rest carries what is addressed to a node."""

from __future__ import annotations

from podpath.dataplane.segment import Station, entrance_of
from podpath.dataplane.walk import Outcome, Walk
from podpath.model.addr import format_addr
from podpath.model.network import Network
from podpath.model.refs import node_netns
from podpath.model.trace import Disposition, Step, Symptom


def wire(walk: Walk) -> Outcome:
    """A frame leaves a node: to the node that answered for the next hop, or to a router or host we do not see."""
    receiver = walk.receiver
    dev = walk.phys_out or walk.oif
    if receiver is None:
        receiver = deliver_by_address(walk.network, walk.packet.dst)
        if receiver is not None and receiver.netns is walk.netns:
            receiver = None
        if receiver is not None:
            walk.note(
                "underlay", f"routed to {receiver.netns.node} ({format_addr(walk.packet.dst)})", dev=dev
            )
            walk.dst_mac = ""
    if receiver is None:
        unseen = _unseen_node(walk)
        if unseen:
            return walk.blind("underlay", f"what node {unseen} does with it: its state was not collected")
        if walk.inner is not None:
            text = f"the tunnel's packet goes to {format_addr(walk.packet.dst)}, which is no node's address"
            step = Step(
                "underlay",
                text,
                dev=dev,
                kind="tunnel-wrong-peer",
                key=format_addr(walk.packet.dst),
                packet=walk.packet,
            )
            return walk.end(Disposition.MISDELIVERED, Symptom.TIMEOUT, step)
        walk.exit_place = (walk.netns.id, dev)
        step = Step(
            "underlay",
            f"leaves by {dev} for {format_addr(walk.packet.dst)}",
            dev=dev,
            packet=walk.packet,
            key=_via(walk),
        )
        return walk.end(Disposition.EXITS_NETWORK, Symptom.NONE, step)
    walk.receiver = None
    walk.enter(receiver.netns, receiver.link.name)
    return Outcome.NEXT


def _unseen_node(walk: Walk) -> str:
    """The node that the next hop or the destination belongs to, when the bundle holds nothing of it."""
    nodes = walk.network.cluster.node_by_address
    hop = walk.hop.gateway if walk.hop is not None else None
    for addr in (hop, walk.packet.dst):
        node = nodes.get(addr) if addr is not None else None
        netns = walk.network.namespaces.get(node_netns(node.name)) if node is not None else None
        if node is not None and (netns is None or netns.addresses is None or netns.links is None):
            return node.name
    return ""


def _via(walk: Walk) -> str:
    return format_addr(walk.hop.gateway) if walk.hop is not None and walk.hop.gateway is not None else ""


def deliver_by_address(network: Network, addr: int) -> Station | None:
    """Where the underlay's routers deliver an address: to the node that holds it on the underlay."""
    for netns_id, dev in network.owners.get(addr, ()):
        netns = network.namespaces[netns_id]
        link = (netns.links or {}).get(dev)
        if netns.is_host and link is not None and link.kind not in ("loopback", "dummy", "vxlan"):
            station = entrance_of(network, netns, dev)
            if station is not None:
                return station
    return None
