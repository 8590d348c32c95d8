"""Explanations of the routes from a node to the Pods of another: missing, wrong, or for another kind of network."""

from __future__ import annotations

from podpath.checks.case import Case, Explained
from podpath.checks.registry import explanation
from podpath.checks.steps.components import restart, told
from podpath.checks.steps.pod_routes import ASTRAY, destination, lost, writer_of
from podpath.checks.steps.ranges import home_of, host_of, node_address
from podpath.checks.steps.routes import (
    lost_routes,
    route_to_pods,
    style_of,
    taken,
)
from podpath.checks.steps.words import listed
from podpath.model.addr import Prefix, format_addr, is_v4
from podpath.model.edit import AddRoute, Edit, Outside, ReplaceRoute
from podpath.model.network import Network


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
