"""Which two devices are the ends of one veth pair (``link_index`` and ``link_netnsid``)."""

from __future__ import annotations

from collections.abc import Mapping

from podpath.model.linux.link import Link
from podpath.model.network import Netns
from podpath.model.refs import NetnsId

End = tuple[NetnsId, str]


def pair_veths(namespaces: Mapping[NetnsId, Netns]) -> dict[End, End]:
    """Both ways. Each end names the other's index; a pair needs both to agree, on one node."""
    peers: dict[End, End] = {}
    by_node: dict[str, list[Netns]] = {}
    for netns in namespaces.values():
        by_node.setdefault(netns.node, []).append(netns)
    for spaces in by_node.values():
        host = next((netns for netns in spaces if netns.is_host), None)
        if host is None:
            continue
        by_index = {link.index: link for link in (host.links or {}).values() if link.kind == "veth"}
        for netns in spaces:
            for link in (netns.links or {}).values():
                _pair(host, by_index, netns, link, peers)
    return peers


def _pair(host: Netns, by_index: Mapping[int, Link], netns: Netns, link: Link, peers: dict[End, End]) -> None:
    if link.kind != "veth" or link.peer_index is None:
        return
    same = netns is host
    if same and link.peer_netnsid is not None:
        return
    other = by_index.get(link.peer_index)
    if other is None or other.peer_index != link.index or (same and other.name == link.name):
        return
    if not same and other.peer_netnsid is None:
        return
    if (host.id, other.name) in peers and not same:
        return
    peers[netns.id, link.name] = (host.id, other.name)
    peers[host.id, other.name] = (netns.id, link.name)
