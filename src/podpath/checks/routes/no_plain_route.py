"""Explanations of lost routes to other nodes' Pods whose reason is known: networkd, or nodes of several subnets."""

from __future__ import annotations

import json

from podpath.checks.case import Case, Explained
from podpath.checks.registry import explanation
from podpath.checks.steps.components import restart
from podpath.checks.steps.pod_routes import ASTRAY, destination, lost, writer_of
from podpath.checks.steps.ranges import node_address
from podpath.checks.steps.routes import connected, lost_routes, style_of
from podpath.checks.steps.words import listed
from podpath.model.addr import format_addr, is_v4
from podpath.model.edit import AddRoute, Edit, Outside, PatchObject
from podpath.model.origin import Origin

NETWORKD = "systemd-networkd"


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
        "use a tunnel between subnets (flannel: vxlan with DirectRouting; Calico: CrossSubnet), or routes on routers",
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
