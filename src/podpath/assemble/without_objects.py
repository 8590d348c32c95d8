"""A bundle without API objects: the API server was down. What the nodes' own state tells of Pods and nodes stands in.

A Pod is what has a folder with a network namespace; it runs, and its address is that of its device. A node's address
is that of the device its default route leaves by, its Pod range the subnets of its bridges. Labels, Services and
policies are not known, so only what needs none of them is promised.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from podpath.model.addr import format_addr, format_prefix, is_v4, make_prefix
from podpath.model.kube.cluster import Cluster
from podpath.model.kube.meta import Meta, Place
from podpath.model.kube.node import Node, NodeAddress, NodeSpec, NodeStatus
from podpath.model.kube.pod import Pod, PodIP, PodSpec, PodStatus
from podpath.model.network import Netns
from podpath.model.refs import NetnsId


def with_stand_ins(cluster: Cluster, namespaces: Mapping[NetnsId, Netns]) -> Cluster:
    """The cluster, with Pods and nodes from namespaces where their lists were not collected."""
    if cluster.has("pods") or cluster.pods:
        return cluster
    pods = [_pod(netns) for netns in namespaces.values() if not netns.is_host]
    nodes = [_node(netns) for netns in namespaces.values() if netns.is_host]
    known = {pod.key: pod for pod in pods if pod.ips}
    return replace(cluster, pods=known, nodes=dict(cluster.nodes) or {node.name: node for node in nodes})


def _pod(netns: Netns) -> Pod:
    _, namespace, name = netns.id.split("/", 2)
    ips = tuple(
        PodIP(format_addr(a.addr)) for a in netns.addresses or () if a.scope == "global" and not a.secondary
    )
    return Pod(
        meta=Meta(name=name, namespace=namespace),
        place=Place(f"{netns.folder}/ip-addr.json"),
        spec=PodSpec(node_name=netns.node),
        status=PodStatus(phase="Running", pod_ips_listed=ips),
    )


def _node(netns: Netns) -> Node:
    routes = (*(netns.routes or ()), *(netns.routes6 or ()))
    uplinks = {route.dev for route in routes if route.dst.length == 0 and route.type == "unicast"}
    bridges = {link.name for link in (netns.links or {}).values() if link.kind == "bridge"}
    held = [a for a in netns.addresses or () if a.scope == "global" and not a.secondary]
    addresses = tuple(NodeAddress("InternalIP", format_addr(a.addr)) for a in held if a.dev in uplinks)
    ranges = tuple(
        format_prefix(make_prefix(a.addr, a.length))
        for a in held
        if a.dev in bridges - uplinks and a.length < (32 if is_v4(a.addr) else 128)
    )
    return Node(
        meta=Meta(name=netns.node),
        place=Place(f"{netns.folder}/ip-addr.json"),
        spec=NodeSpec(pod_cidrs=ranges),
        status=NodeStatus(addresses=addresses),
    )
