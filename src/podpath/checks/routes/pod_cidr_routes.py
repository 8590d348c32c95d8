"""Explanations of the routes from a node to the Pods of another: missing, wrong, or for another kind of network."""

from __future__ import annotations

import json

from podpath.checks.case import Case, Explained
from podpath.checks.owners import CALICO, FLANNEL, KUBE_ROUTER, Owner
from podpath.checks.registry import explanation
from podpath.checks.steps.components import restart, told
from podpath.checks.steps.ranges import home_of, host_of, node_address
from podpath.checks.steps.routes import (
    Style,
    connected,
    covering,
    lost_routes,
    route_to_pods,
    style_of,
    taken,
)
from podpath.checks.steps.words import listed
from podpath.model.addr import Prefix, format_addr, is_v4
from podpath.model.edit import AddRoute, Edit, Outside, PatchObject, ReplaceRoute
from podpath.model.network import Network
from podpath.model.origin import Origin

ASTRAY = ("wrong-route", "no-route", "reply-elsewhere", "rp-filter")
NETWORKD = "systemd-networkd"


def writer_of(network: Network, style: Style | None, protocol: str = "") -> Owner | None:
    """Who writes a node's routes to other nodes' Pods."""
    told_by = style.protocol if style is not None else protocol
    if told_by == "bird":
        return CALICO
    if any("flannel" in key for node in network.cluster.nodes.values() for key in node.meta.annotations):
        return FLANNEL
    if any(node.facts is not None and node.facts.flannel is not None for node in network.nodes.values()):
        return FLANNEL
    return KUBE_ROUTER if told_by in ("17", "kube-router") else None


def destination(case: Case) -> int:
    """The address that a route is wanted for: where the packet goes, or for the source check where it came from."""
    packet = case.step.packet or case.trace.packet
    return packet.src if case.step.kind == "rp-filter" else packet.dst


def lost(case: Case) -> str:
    """The node whose Pods the case's node has no route to; empty where that is not the fault."""
    addr = destination(case)
    owner = home_of(case.network, addr)
    known = case.network.cluster.nodes.get(owner)
    if not case.netns.is_host or case.outer or owner in ("", case.node) or known is None:
        return ""
    return owner if any(addr in one for one in known.pod_cidrs) and not covering(case.netns, addr) else ""


@explanation("podcidr-route-missing", kinds=ASTRAY, specificity=34)
def podcidr_route_missing(case: Case) -> Explained | None:
    """A node has no route to the Pods of another node: their packets leave by the default route.

    ## Why it breaks

    Every node needs a route to the Pod range of every other: over the tunnel (flannel, Calico), or by the other
    node's address (host-gw, kubenet, BGP). Without it the packet goes to the default router, which does not know the
    range, or there is no route at all. Answers get lost the same way, so connections in both directions fail.

    ## See it by hand

        ip route get <address of a Pod there>          # the default gateway, instead of the tunnel or the node
        kubectl get nodes -o custom-columns=NAME:.metadata.name,PODS:.spec.podCIDR

    ## Fix

    Restart the CNI's Pod on that node: it writes its routes when it starts. By hand: `ip route add <podCIDR> via
    ...`, as the node's other routes are written. Then find who took the route away (networkd, NetworkManager, a link
    that went down).

    ## Often confused with

    podcidr-route-wrong-nexthop (there is a route), cloud-sg-blocks-pod-cidr (the route is right, the packet is lost
    between the nodes), link-down-cni (the tunnel's device is down and took the routes with it).
    """
    owner = lost(case)
    if not owner:
        return None
    v4 = is_v4(destination(case))
    missing = dict(lost_routes(case.network, case.netns, v4=v4))
    edits: tuple[Edit, ...] = tuple(AddRoute(case.netns.id, route) for route in missing.values())
    style = style_of(case.network, case.netns, v4=v4)
    writer = writer_of(case.network, style)
    state = told(case.network, writer.component, case.node) if writer is not None else None
    example = style.example if style is not None and style.node == case.node else None
    by = (
        f"restart {writer.name} on {case.node} ({restart(case.network, writer.component, case.node)}), or "
        if writer
        else ""
    )
    return Explained(
        f"{case.node} has no route to the Pods of {listed(missing) if missing else owner}",
        "their packets take the default route" if case.step.kind != "no-route" else "no route leads there",
        (edits,) if edits else ((Outside(f"add the route to the Pods of {owner} on {case.node}"),),),
        f"{by}add the route as the node's others are",
        risk="low; a route added by hand is lost at reboot and when its device goes down"
        + (f", {writer.name} writes it again when it starts" if writer else ""),
        evidence=(
            case.netns.source(
                "ip-route.json" if v4 else "ip-route6.json",
                f"no route to {_cidr(case.network, owner, v4=v4)}",
            ),
            *((example.origin,) if example is not None else ()),
            *(state.evidence if state is not None else ()),
        ),
        reason=state.text if state is not None else "",
    )


def _cidr(network: Network, node: str, *, v4: bool) -> Prefix | str:
    known = network.cluster.nodes.get(node)
    return next((one for one in known.pod_cidrs if is_v4(one.net) == v4), "") if known is not None else ""


@explanation("networkd-flushes-foreign-routes", kinds=ASTRAY, specificity=38)
def networkd_flushes_foreign_routes(case: Case) -> Explained | None:
    """systemd-networkd took the CNI's routes away when it restarted.

    ## Why it breaks

    networkd removes routes and routing rules that it did not write, unless told not to: at its restart, after an
    upgrade of systemd, at `netplan apply`, when a link flaps. The CNI wrote them once, when it started, and does not
    look again. Pods of the node lose other nodes until the CNI restarts.

    ## See it by hand

        journalctl -u systemd-networkd --since -1d | tail
        networkctl cat; grep -r ManageForeign /etc/systemd/networkd.conf*

    ## Fix

    `[Network] ManageForeignRoutes=no` and `ManageForeignRoutingPolicyRules=no` in
    /etc/systemd/networkd.conf.d/kubernetes.conf, restart networkd once, then restart the CNI's Pod on the node.

    ## Often confused with

    podcidr-route-missing (the same gap, without a sign of networkd), link-down-cni (NetworkManager).
    """
    owner = lost(case)
    known = case.network.nodes.get(case.node)
    signs = [
        line
        for line in (known.log_lines if known is not None else ())
        if _is_networkds(line.origin, line.message)
    ]
    if not owner or not signs:
        return None
    v4 = is_v4(destination(case))
    missing = dict(lost_routes(case.network, case.netns, v4=v4))
    writer = writer_of(case.network, style_of(case.network, case.netns, v4=v4))
    last = (
        restart(case.network, writer.component, case.node)
        if writer is not None
        else f"{case.node}: restart the CNI"
    )
    drop_in = "[Network]\\nManageForeignRoutes=no\\nManageForeignRoutingPolicyRules=no\\n"
    folder = "/etc/systemd/networkd.conf.d"
    return Explained(
        f"{case.node} has no route to the Pods of {listed(missing) if missing else owner}: "
        "systemd-networkd removed what it did not write",
        "their packets take the default route",
        (tuple(AddRoute(case.netns.id, route) for route in missing.values()),) if missing else (),
        "tell networkd to leave foreign routes alone, then let the CNI write its routes again",
        (
            f"{case.node}: mkdir -p {folder}; printf '{drop_in}' > {folder}/kubernetes.conf",
            f"{case.node}: systemctl restart systemd-networkd",
            last,
        ),
        "low; stays over reboots",
        evidence=tuple(line.origin for line in signs[-2:]),
        reason=signs[-1].message.splitlines()[0],
    )


def _is_networkds(origin: Origin, message: str) -> bool:
    return NETWORKD in message or NETWORKD in origin.file


@explanation(
    "podcidr-route-wrong-nexthop",
    kinds=(*ASTRAY, "neighbor-unresolved", "neighbor-wrong", "ttl-expired"),
    specificity=33,
)
def podcidr_route_wrong_nexthop(case: Case) -> Explained | None:
    """The route to another node's Pods leads to the wrong next hop.

    ## Why it breaks

    The route names an address that is not the node's: it was replaced under the same name, got another address, or
    somebody wrote the route by hand. The packet goes to a host that does not know the Pods, or to nobody: then
    clients see "no route to host" after some seconds.

    ## See it by hand

        ip route show <podCIDR>
        kubectl get node <owner> -o wide              # its InternalIP
        ip neigh show <next hop>                      # FAILED or INCOMPLETE: nobody is there

    ## Fix

    `ip route replace <podCIDR> via <address of the owner>`, then restart the CNI's Pod (it holds what it was told),
    and delete a stale route in the cloud's table.

    ## Often confused with

    podcidr-route-missing (no route of its own), cidr-overlap-host-network (a foreign, more specific route). Another
    next hop than the owner is right behind a router or a route reflector: what counts is that the packet gets there.
    """
    addr = destination(case)
    owner = home_of(case.network, addr)
    known = case.network.cluster.nodes.get(owner)
    route = taken(case)
    if (
        known is None
        or route is None
        or owner == case.node
        or route.gateway is None
        or not case.netns.is_host
    ):
        return None
    if route.dst not in known.pod_cidrs or _belongs_to(case.network, route.gateway, owner):
        return None
    right = route_to_pods(case.network, case.netns, owner, v4=is_v4(addr))
    edits: tuple[Edit, ...] = (ReplaceRoute(case.netns.id, route, right),) if right is not None else ()
    theirs = node_address(case.network, owner, v4=is_v4(addr))
    real = f"; {owner} is {format_addr(theirs)}" if theirs is not None else ""
    return Explained(
        f"{case.node} sends packets for Pods of {owner} to {format_addr(route.gateway)}, which is not {owner}{real}",
        "the next hop is not the node that has these Pods",
        (edits,) if edits else (),
        risk="low; lost at reboot: restart the CNI on this node, so that it writes what it knows now",
        evidence=(route.origin, known.origin),
    )


def _belongs_to(network: Network, addr: int, node: str) -> bool:
    known, netns = network.cluster.nodes.get(node), host_of(network, node)
    listed_there = known is not None and (
        addr in known.addresses() or any(addr in one for one in known.pod_cidrs)
    )
    return listed_there or (netns is not None and addr in netns.addresses_by_value)


@explanation("hostgw-not-l2", kinds=ASTRAY, specificity=36)
def hostgw_not_l2(case: Case) -> Explained | None:
    """Plain routes between nodes (host-gw) that are not in one subnet: the next hop cannot be reached directly.

    ## Why it breaks

    host-gw writes a route by the other node's address, which works only while that node is a direct neighbour. Across
    a router the kernel refuses the route ("Nexthop has invalid gateway"), and the router between does not know
    the Pods' ranges.

    ## See it by hand

        kubectl get nodes -o wide                     # InternalIPs of several subnets
        ip route add <podCIDR> via <InternalIP>       # Error: Nexthop has invalid gateway

    ## Fix

    A tunnel between subnets: flannel's backend vxlan with `DirectRouting: true`, Calico's `vxlanMode: CrossSubnet`;
    or BGP to the routers, or static routes on them.

    ## Often confused with

    podcidr-route-missing (a direct neighbour, the route is lost), cloud-source-dest-check.
    """
    owner = lost(case)
    v4 = is_v4(destination(case))
    theirs = node_address(case.network, owner, v4=v4) if owner else None
    style = style_of(case.network, case.netns, v4=v4)
    tunnels = any(link.vxlan is not None for link in (case.netns.links or {}).values())
    if theirs is None or connected(case.netns, theirs) or tunnels or (style is not None and style.tunnel):
        return None
    config = next(
        (one for one in case.network.cluster.configmaps.values() if "net-conf.json" in one.data), None
    )
    edits: tuple[tuple[Edit, ...], ...] = (
        (Outside(f"carry Pods between {case.node} and {owner} in a tunnel"),),
    )
    if config is not None:
        patch = _vxlan_patch(config.data["net-conf.json"])
        edits = ((PatchObject(config.ref, patch, "backend vxlan with DirectRouting"),),)
    return Explained(
        f"{case.node} cannot reach the Pods of {owner} by a plain route: "
        f"{format_addr(theirs)} is in no subnet of {case.node}",
        "no direct neighbour, so no route by its address",
        edits,
        "use a tunnel between subnets (flannel: vxlan with DirectRouting; Calico: CrossSubnet), or routes on the router",
        (),
        "medium: all Pod traffic between the nodes takes another way",
        evidence=(config.origin,) if config is not None else (),
    )


def _vxlan_patch(net_conf: str) -> str:
    """A merge patch of flannel's ConfigMap: the same network, carried by vxlan between subnets."""
    try:
        told = json.loads(net_conf)
    except ValueError:
        told = {}
    told["Backend"] = {"Type": "vxlan", "DirectRouting": True}
    return json.dumps({"data": {"net-conf.json": json.dumps(told)}})
