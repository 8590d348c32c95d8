"""Joins the facts of a bundle into one ``Network``, whose parts are read when they are asked for."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping

from podpath.assemble.namespace import LazyNetns
from podpath.assemble.node import Nodes, read_node
from podpath.assemble.pods import assumed_namespaces
from podpath.assemble.reading import Folder, Reading, is_large
from podpath.assemble.unrecognized import NotUnderstood
from podpath.assemble.veth_peers import Peers
from podpath.assemble.without_objects import with_stand_ins
from podpath.model.network import Netns, Network, Node
from podpath.model.origin import Origin
from podpath.model.refs import NetnsId, node_netns, pod_netns
from podpath.parse.kube_lists import parse_cluster

Progress = Callable[[str, int, int], None]
"""Told what is being read: a word, how many are done, how many there are."""
REPORT_EVERY = 1_000
LOGS = (".log", "logs", "logs-previous", "dmesg")
"""How the names of logs end, of nodes and of Pods."""


def build_network(
    name: str,
    files: Mapping[str, bytes],
    *,
    missing: tuple[Origin, ...] = (),
    progress: Progress = lambda _what, _done, _all: None,
    large: bool | None = None,
) -> Network:
    """The network that a bundle's files describe, by path. What is not understood is kept in ``unrecognized``.

    ``files`` is kept, and asked when a part of the network is: a mapping that reads on demand costs no memory.
    ``large``: whether a bundle is handled as one that is too large to be read whole; None: its size tells.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        return _build(name, files, missing, progress, large=large)
    finally:
        if collecting:
            gc.enable()


def _build(
    name: str,
    files: Mapping[str, bytes],
    missing: tuple[Origin, ...],
    progress: Progress,
    *,
    large: bool | None,
) -> Network:
    progress("objects", 0, 1)
    cluster, lost = parse_cluster(files)
    reading = Reading(files, large=is_large(files) if large is None else large)
    sources = _node_files(files)
    nodes = Nodes(sources, lambda node: _node(reading, node, sources[node]))
    namespaces = dict(_namespaces(reading, sources))
    peers = Peers(_by_node(namespaces))
    cluster = with_stand_ins(cluster, namespaces)
    namespaces |= assumed_namespaces(cluster, namespaces, peers)
    understood = NotUnderstood(reading, lost, nodes, tuple(namespaces.values()))
    network = Network(name, cluster, nodes, namespaces, peers, understood, missing)
    if reading.large:
        _read_addresses(network, progress)
    progress("nodes", len(sources), len(sources))
    return network


def _read_addresses(network: Network, progress: Progress) -> None:
    """Who holds which address is asked by every packet, so all of a large cluster are read at the start."""
    for done, netns in enumerate(network.namespaces.values()):
        if done % REPORT_EVERY == 0:
            progress("addresses", done, len(network.namespaces))
        _ = netns.addresses
    progress("addresses", len(network.namespaces), len(network.namespaces))
    _ = network.owners


def _node(reading: Reading, node: str, paths: dict[str, list[str]]) -> Node:
    return read_node(Folder(reading, f"nodes/{node}"), node, paths[""])


def _node_files(files: Mapping[str, bytes]) -> dict[str, dict[str, list[str]]]:
    """Nodes that have a folder; of each the folders of its Pods, and under no name the files beside them.

    Of the files only those are named that a node is read from and whose names are not known: of its CNI, and logs.
    """
    found: dict[str, dict[str, list[str]]] = {}
    for path in files:
        area, _, rest = path.partition("/")
        node, slash, name = rest.partition("/")
        if area != "nodes" or not slash:
            continue
        folders = found.get(node)
        if folders is None:
            folders = found[node] = {"": []}
        if name.startswith("pods/"):
            pod, slash, _ = name[5:].partition("/")
            if slash and pod not in folders:
                folders[pod] = []
        if name.startswith("cni-net.d/") or name.endswith(LOGS):
            folders[""].append(name)
    return found


def _namespaces(
    reading: Reading, sources: Mapping[str, Mapping[str, object]]
) -> Iterator[tuple[NetnsId, Netns]]:
    for node, folders in sources.items():
        for folder in folders:
            netns_id, place = node_netns(node), f"nodes/{node}"
            if folder:
                namespace, _, pod = folder.partition(".")
                netns_id, place = pod_netns(namespace, pod), f"{place}/pods/{folder}"
            yield netns_id, LazyNetns(netns_id, node, Folder(reading, place))


def _by_node(namespaces: Mapping[NetnsId, Netns]) -> dict[str, list[Netns]]:
    found: dict[str, list[Netns]] = {}
    for netns in namespaces.values():
        found.setdefault(netns.node, []).append(netns)
    return found
