"""Which two devices are the ends of one veth pair (``link_index`` and ``link_netnsid``)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from podpath.model.linux.link import Link
from podpath.model.network import Netns
from podpath.model.refs import NetnsId

End = tuple[NetnsId, str]


def pair_veths(spaces: Sequence[Netns]) -> dict[End, End]:
    """The pairs of one node, both ways. Each end names the other's index; a pair needs both to agree."""
    peers: dict[End, End] = {}
    host = next((netns for netns in spaces if netns.is_host), None)
    if host is None:
        return peers
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


class Peers(Mapping[End, End]):
    """The other end of a veth pair, both ways; the devices of a node and its Pods are read when one is asked about."""

    def __init__(self, spaces: Mapping[str, Sequence[Netns]]) -> None:
        """``spaces`` has the namespaces of each node, its own first."""
        self._spaces = spaces
        self._node_of = {netns.id: node for node, ours in spaces.items() for netns in ours}
        self._paired: dict[str, dict[End, End]] = {}

    def of_node(self, node: str) -> dict[End, End]:
        """The pairs of a node."""
        found = self._paired.get(node)
        if found is None:
            found = self._paired[node] = pair_veths(self._spaces.get(node, ()))
        return found

    def add(self, netns: Netns, pair: Mapping[End, End]) -> None:
        """The pair of a namespace that was not collected."""
        self._node_of[netns.id] = netns.node
        self.of_node(netns.node).update(pair)

    def get(self, end: End, default: End | None = None) -> End | None:  # type: ignore[override]
        """The other end, without the cost of an exception where there is none."""
        return self.of_node(self._node_of.get(end[0], "")).get(end, default)

    def __getitem__(self, end: End) -> End:
        return self.of_node(self._node_of.get(end[0], ""))[end]

    def __contains__(self, end: object) -> bool:
        return isinstance(end, tuple) and end in self.of_node(self._node_of.get(end[0], ""))

    def __iter__(self) -> Iterator[End]:
        for node in self._spaces:
            yield from self.of_node(node)

    def __len__(self) -> int:
        return sum(len(self.of_node(node)) for node in self._spaces)
