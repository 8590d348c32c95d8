"""Explanations of routes and routing rules that are not the CNI's and take its packets: overlaps, policy routing."""

from __future__ import annotations

import re

from podpath.checks.case import Case, Explained
from podpath.checks.registry import explanation
from podpath.checks.steps.ranges import home_of
from podpath.checks.steps.routes import USUAL_TABLES, covering, default_route, route_text, taken
from podpath.dataplane.reach import cluster_address
from podpath.model.addr import format_addr, is_v4
from podpath.model.edit import DeleteRoute, DeleteRoutingRule, Edit, Outside
from podpath.model.linux.route import Route, RoutingRule
from podpath.model.network import Netns

CLOUD_TABLES = frozenset({"30200", "30400"})
"""The tables of nm-cloud-setup: per address, and its default routes (NetworkManager, clients/cloud-setup)."""
CONTAINER_BRIDGES = re.compile(
    r"^(?:docker\d+|br-[0-9a-f]{12}|virbr\d+|podman\d+|cni-podman\d+|lxcbr\d+|lxdbr\d+)$"
)
NULL_TYPES = ("blackhole", "unreachable", "prohibit")
ENDS = (
    "wrong-route",
    "no-route",
    "null-route",
    "neighbor-unresolved",
    "neighbor-wrong",
    "rp-filter",
    "reply-elsewhere",
)


def deciding_rules(netns: Netns, table: str, *, v4: bool) -> tuple[RoutingRule, ...]:
    """The routing rules that lead to a table."""
    rules = netns.rules if v4 else netns.rules6
    return tuple(rule for rule in rules or () if rule.action == "lookup" and rule.table == table)


@explanation("nm-cloud-setup-hijack", kinds=ENDS, specificity=44)
def nm_cloud_setup_hijack(case: Case) -> Explained | None:
    """nm-cloud-setup wrote routing rules that take Pods' packets to tables of its own.

    ## Why it breaks

    On cloud images of the RHEL family nm-cloud-setup configures secondary addresses: `from <address> lookup 30200`
    and 30400. The VPC CNI and others give such addresses to Pods. Their packets then take routes that were made for the
    node: no other node, no outside. It comes back every five minutes with its timer.

    ## See it by hand

        ip rule | grep -E '30200|30400'
        systemctl status nm-cloud-setup.timer

    ## Fix

    `systemctl disable --now nm-cloud-setup.timer nm-cloud-setup.service`, delete the rules, or reboot.

    ## Often confused with

    podcidr-route-missing: there the main table decides.
    """
    v4 = case.trace.packet.v4
    route = taken(case)
    if route is None or route.table not in CLOUD_TABLES:
        return None
    rules = [one for table in sorted(CLOUD_TABLES) for one in deciding_rules(case.netns, table, v4=v4)]
    edits: tuple[Edit, ...] = tuple(DeleteRoutingRule(case.netns.id, one) for one in rules)
    return Explained(
        f"{case.node} routes Pods' packets by tables of nm-cloud-setup ({route.table}), made for the node itself",
        f"a routing rule leads to table {route.table}",
        (edits,) if edits else (),
        "switch nm-cloud-setup off, and delete its rules",
        (
            f"{case.node}: systemctl disable --now nm-cloud-setup.timer nm-cloud-setup.service",
            *(f"{case.node}: ip rule del priority {one.priority}" for one in rules),
        ),
        "low; the timer writes them again unless it is disabled",
        evidence=(*(one.origin for one in rules), route.origin),
        evidence_first=bool(rules),
    )


@explanation("routing-rule-null", kinds=("null-route", "no-route"), specificity=32)
def routing_rule_null(case: Case) -> Explained | None:
    """A routing rule (`ip rule`) or a route of a table that it leads to ends packets.

    ## Why it breaks

    Routing rules are asked before the main table. One with the action blackhole, unreachable or prohibit, or one that
    leads to a table with such a route, ends what it selects, whatever the main table says.

    ## See it by hand

        ip rule
        ip route show table <number>
        ip route get <address> from <source> iif <device>

    ## Fix

    Delete the rule, and take it out of what wrote it: a VPN client, a network script, cloud-init, a multi-homing
    setup.

    ## Often confused with

    podcidr-blackhole-route (the main table), nm-cloud-setup-hijack (tables 30200 and 30400).
    """
    v4 = case.trace.packet.v4
    rules = (case.netns.rules if v4 else case.netns.rules6) or ()
    rule = next((r for r in rules if r.action in NULL_TYPES and r.origin == case.step.origin), None)
    route = taken(case)
    if rule is None and route is not None and route.table not in USUAL_TABLES and route.type in NULL_TYPES:
        rule = next(iter(deciding_rules(case.netns, route.table, v4=v4)), None)
    if rule is None:
        return None
    what = rule.action if rule.action in NULL_TYPES else f"lookup {rule.table}"
    return Explained(
        f"{case.node} ends packets by a routing rule (priority {rule.priority}, {what})",
        "asked before the main table",
        ((DeleteRoutingRule(case.netns.id, rule),),),
        risk="medium: it may be there on purpose; comes back with whatever writes it",
        evidence=(rule.origin,),
    )


@explanation("routing-rule-elsewhere", kinds=ENDS, specificity=26)
def routing_rule_elsewhere(case: Case) -> Explained | None:
    """A routing rule takes the cluster's packets to a table that does not know the Pods.

    ## Why it breaks

    Multi-homing, VPN clients and some CNIs write rules such as `from <range> lookup 100`. The table they lead to has
    a default route of its own, and none of the routes to other nodes' Pods that stand in the main table.

    ## See it by hand

        ip rule
        ip route show table <number>
        ip route get <Pod address> from <source> iif <device>

    ## Fix

    Let the main table come first for the Pods' and Services' ranges (`ip rule add to <range> lookup main priority
    <lower number>`), or delete the rule.

    ## Often confused with

    podcidr-route-missing: there the main table decides.
    """
    v4 = case.trace.packet.v4
    route = taken(case)
    if route is None or route.table in USUAL_TABLES or route.table in CLOUD_TABLES:
        return None
    rule = next(iter(deciding_rules(case.netns, route.table, v4=v4)), None)
    if rule is None or not cluster_address(case.network, case.trace.packet.dst):
        return None
    return Explained(
        f"{case.node} routes packets of the cluster by table {route.table}, which does not lead to the Pods "
        f"(routing rule {rule.priority})",
        f"a routing rule leads to table {route.table}",
        ((DeleteRoutingRule(case.netns.id, rule),),),
        risk="medium: it may be there on purpose; comes back with whatever writes it",
        evidence=(rule.origin,),
    )


@explanation("cidr-overlap-docker-bridge", kinds=ENDS, specificity=39)
def cidr_overlap_docker_bridge(case: Case) -> Explained | None:
    """A bridge of Docker, Podman or libvirt holds a range that the cluster uses.

    ## Why it breaks

    docker0 takes 172.17.0.0/16 and further ranges as it likes, libvirt 192.168.122.0/24. Where Pods, Services, nodes or
    other hosts live in such a range, the node takes them for neighbours on its bridge: nobody answers there. The route
    is there even while the bridge has no port.

    ## See it by hand

        ip route get <address>              # dev docker0, br-..., virbr0
        ip addr show docker0

    ## Fix

    Give the bridge another range: `"bip"` and `"default-address-pools"` in /etc/docker/daemon.json, `virsh net-edit
    default`; or remove it where nobody uses it (`ip link delete docker0`).

    ## Often confused with

    cidr-overlap-host-network (a real network, a VPN), podcidr-route-missing (no route at all).
    """
    route = _overlapping(case)
    if route is None or not CONTAINER_BRIDGES.match(route.dev):
        return None
    held = next((one for one in case.netns.addresses or () if one.dev == route.dev), None)
    return Explained(
        f"{case.node} sends packets of the cluster to {route.dev}: its range {route.dst} overlaps the cluster's",
        f"{route.dev}'s own network is more specific than the way there",
        ((DeleteRoute(case.netns.id, route),),),
        f"give {route.dev} another range (Docker: bip and default-address-pools in /etc/docker/daemon.json)",
        risk=f"low where nothing uses {route.dev}; its containers lose their network while it changes. The range in "
        "its configuration stays, a deleted route comes back at reboot",
        evidence=(held.origin,) if held is not None else (),
    )


@explanation("cidr-overlap-host-network", kinds=ENDS, specificity=31)
def cidr_overlap_host_network(case: Case) -> Explained | None:
    """The Pods' or Services' range overlaps a network that the node has another way to.

    ## Why it breaks

    Of two routes to an address the more specific one wins. A network of the node (its LAN, a VPN, a second interface)
    inside the Pods' range takes those Pods' packets away; the other way round, the CNI's routes take the packets
    for hosts of the LAN that happen to have such addresses: DNS servers, the API server, other nodes.

    ## See it by hand

        ip route get <address>              # which device wins
        ip route | sort -t/ -k2 -n          # which ranges meet

    ## Fix

    There is no small one: the ranges must not meet. New Pods get another range (a new Calico IPPool, a cluster with
    another --pod-network-cidr), or the other network is renumbered. For single hosts a route /32 helps for the moment.

    ## Often confused with

    cidr-overlap-docker-bridge (a bridge that is easily moved), podcidr-route-wrong-nexthop (the CNI's own route).
    """
    route = _overlapping(case)
    if route is None:
        return None
    inside = cluster_address(case.network, _address(case))
    whom = "the cluster's own addresses" if inside else "hosts outside of the cluster"
    edits: tuple[Edit, ...] = (DeleteRoute(case.netns.id, route),)
    if not inside:
        edits = (Outside(f"a range for Pods that does not hold {format_addr(_address(case))}"),)
    return Explained(
        f"{case.node} sends {whom} the wrong way: the route {route_text(route)} overlaps their range",
        "this route is more specific than the right one",
        (edits,),
        "give the Pods or the other network a range that does not meet",
        (),
        "high: renumbering; without this route its own network is not reached from the node",
    )


def _address(case: Case) -> int:
    packet = case.step.packet or case.trace.packet
    return packet.src if case.step.kind == "rp-filter" else packet.dst


def _overlapping(case: Case) -> Route | None:
    """The route that the packet took, where it is a stranger's; or the CNI's, where it takes a stranger's packets."""
    addr = _address(case)
    if not case.netns.is_host or case.outer:
        return None
    route = taken(case) or next(iter(covering(case.netns, addr)), None)
    if route is None or route.dst.length == 0 or route.type != "unicast" or not route.dev:
        return None
    v4 = is_v4(addr)
    if cluster_address(case.network, addr):
        return None if _is_cnis(case, route, addr) else route
    default = default_route(case.netns, v4=v4)
    by_cni = _is_pod_device(case, route.dev)
    return route if by_cni and default is not None and case.step.kind != "wrong-route" else None


def _is_cnis(case: Case, route: Route, addr: int) -> bool:
    """Whether a CNI writes such a route: to a node's whole range, to one Pod, or by the node's own bridge of Pods."""
    ranges = [one for node in case.network.cluster.nodes.values() for one in node.pod_cidrs]
    if route.dst in ranges or route.dst.length == (32 if is_v4(addr) else 128):
        return True
    if any(route.dst.covers(one) for one in ranges):
        return True
    return home_of(case.network, addr) == case.node and _is_pod_device(case, route.dev)


def _is_pod_device(case: Case, dev: str) -> bool:
    """Whether Pods hang on a device, or it is a tunnel."""
    link = (case.netns.links or {}).get(dev)
    if link is None:
        return False
    ports = [one.name for one in (case.netns.links or {}).values() if one.master == dev]
    return link.vxlan is not None or any(
        (case.netns.id, name) in case.network.peers for name in (dev, *ports)
    )
