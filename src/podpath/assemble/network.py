"""Joins the facts of a bundle into one ``Network``."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping

from podpath.assemble.namespace import read_namespace
from podpath.assemble.node import read_node
from podpath.assemble.pods import assumed_namespaces
from podpath.assemble.veth_peers import pair_veths
from podpath.model.network import Netns, Network, Node
from podpath.model.origin import Origin, Unrecognized
from podpath.model.refs import NetnsId, node_netns, pod_netns
from podpath.parse.kube_lists import parse_cluster

Progress = Callable[[str, int, int], None]
"""Told what is being read: a word, how many are done, how many there are."""


def build_network(
    name: str,
    files: Mapping[str, bytes],
    *,
    missing: tuple[Origin, ...] = (),
    progress: Progress = lambda _what, _done, _all: None,
) -> Network:
    """The network that a bundle's files describe, by path. What is not understood is kept in ``unrecognized``."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        return _build(name, files, missing, progress)
    finally:
        if collecting:
            gc.enable()


def _build(name: str, files: Mapping[str, bytes], missing: tuple[Origin, ...], progress: Progress) -> Network:
    lost: list[Unrecognized] = []
    progress("objects", 0, 1)
    cluster, unread = parse_cluster(files)
    lost += unread
    folders = _folders(files)
    nodes: dict[str, Node] = {}
    namespaces: dict[NetnsId, Netns] = {}
    for done, (node, pods) in enumerate(folders.items()):
        progress("nodes", done, len(folders))
        nodes[node], unread = read_node(files, node)
        lost += unread
        host, unread = read_namespace(files, f"nodes/{node}", node_netns(node), node)
        lost += unread
        namespaces[host.id] = host
        for folder in pods:
            namespace, _, pod = folder.partition(".")
            netns, unread = read_namespace(files, f"nodes/{node}/pods/{folder}", pod_netns(namespace, pod), node)
            lost += unread
            namespaces[netns.id] = netns
    peers = pair_veths(namespaces)
    assumed, more_peers = assumed_namespaces(cluster, namespaces, peers)
    progress("nodes", len(folders), len(folders))
    return Network(name, cluster, nodes, {**namespaces, **assumed}, {**peers, **more_peers}, tuple(lost), missing)


def _folders(files: Mapping[str, bytes]) -> dict[str, list[str]]:
    """Nodes that have a folder, and the folders of their Pods."""
    found: dict[str, dict[str, None]] = {}
    for path in files:
        parts = path.split("/")
        if parts[0] != "nodes" or len(parts) < 3:
            continue
        pods = found.setdefault(parts[1], {})
        if parts[2] == "pods" and len(parts) > 4:
            pods[parts[3]] = None
    return {node: list(pods) for node, pods in found.items()}
