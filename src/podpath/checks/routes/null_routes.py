"""Explanations of null routes over live Pods, and of routes to a node's own Pods that are missing."""

from __future__ import annotations

from podpath.checks.case import Case, Explained
from podpath.checks.owners import CALICO
from podpath.checks.registry import explanation
from podpath.checks.steps.components import restart, told
from podpath.checks.steps.ranges import home_of
from podpath.checks.steps.routes import covering, made, route_to_pods, taken
from podpath.model.addr import ALL_BITS, Prefix, is_v4
from podpath.model.edit import AddRoute, DeleteRoute, Edit, ReplaceRoute
from podpath.model.linux.route import Route
from podpath.model.network import Netns
from podpath.model.origin import Origin
from podpath.model.refs import pod_netns

ENDS = {"blackhole": "silently", "unreachable": "with an error", "prohibit": "with an error"}


@explanation(
    "calico-workload-route-missing",
    kinds=("null-route", "wrong-route", "no-route", "neighbor-unresolved"),
    specificity=36,
)
def calico_workload_route_missing(case: Case) -> Explained | None:
    """The route to one Pod of the node is missing; its packets fall into the block's blackhole.

    ## Why it breaks

    Calico and other routed CNIs write a route for every Pod (`<Pod address> dev cali...`), and a blackhole for the
    node's whole block, so that addresses nobody has end there. When a Pod's own route goes missing (NetworkManager,
    networkd, a veth that went down), its packets end in that blackhole: the Pod is cut off from everywhere.

    ## See it by hand

        ip route get <Pod address>          # RTNETLINK answers: Invalid argument: the blackhole
        ip route | grep -E 'cali|blackhole'

    ## Fix

    Restart calico-node on the node: Felix writes all its routes again. Keep NetworkManager and networkd away from
    cali*.

    ## Often confused with

    podcidr-blackhole-route: the blackhole covers Pods of another node, or is nobody's.
    """
    packet = case.step.packet or case.trace.packet
    pod = case.network.cluster.pod_at(packet.dst)
    if pod is None or pod.node != case.node or not case.netns.is_host or not _routed_siblings(case.netns):
        return None
    far = next((dev for (ns, dev) in case.network.peers if ns == pod_netns(*pod.key)), "")
    near = case.network.peers.get((pod_netns(*pod.key), far))
    own = Prefix(packet.dst, ALL_BITS)
    if near is None or any(route.dst == own for route in covering(case.netns, packet.dst)):
        return None
    if (case.netns.links or {})[near[1]].master:
        return None
    state = told(case.network, CALICO.component, case.node)
    return Explained(
        f"{case.node} has no route to its Pod {pod.ref.short}: the route by {near[1]} is missing",
        "the Pod's own route is missing",
        ((AddRoute(case.netns.id, made(own, near[1], None)),),),
        f"restart the CNI on {case.node} ({restart(case.network, CALICO.component, case.node)}), or add the route",
        risk="low; a route added by hand is lost when the Pod is made again",
        evidence=(case.netns.source("ip-route.json", f"no route to {own}"), *state.evidence),
        reason=state.text,
    )


def _routed_siblings(netns: Netns) -> bool:
    """Whether the node has routes to single Pods by their veths."""
    links = netns.links or {}
    return any(
        route.dst.mask == ALL_BITS
        and route.dev in links
        and links[route.dev].kind == "veth"
        and route.gateway is None
        for route in (*(netns.routes or ()), *(netns.routes6 or ()))
        if route.table == "main"
    )


@explanation("podcidr-blackhole-route", kinds=("null-route",))
def podcidr_blackhole_route(case: Case) -> Explained | None:
    """A blackhole, unreachable or prohibit route covers addresses of live Pods.

    ## Why it breaks

    Such a route ends every packet for its range that has no more specific route. Calico and flannel write one for the
    node's own range, where it is harmless as long as the Pods' own routes stand. For the range of another node, or
    after a node came back with another block, it cuts those Pods off: blackhole silently, unreachable and prohibit with
    "no route to host".

    ## See it by hand

        ip route show type blackhole; ip route show type unreachable; ip route show type prohibit
        ip route get <Pod address>          # Invalid argument (blackhole), No route to host (unreachable)

    ## Fix

    `ip route del blackhole <range>`. With Calico, release the stale block (`calicoctl ipam check`, `ipam release`), or
    it returns.

    ## Often confused with

    calico-workload-route-missing (the node's own block, one Pod's route is gone), routing-rule-null (a routing rule).
    """
    packet = case.step.packet or case.trace.packet
    route = taken(case)
    if route is None or route.type not in ENDS or not case.netns.is_host:
        return None
    whose = _whose(case, packet.dst)
    behind = _more_specific(case.netns, packet.dst, route)
    owner = home_of(case.network, packet.dst)
    right = (
        route_to_pods(case.network, case.netns, owner, v4=packet.v4) if owner not in ("", case.node) else None
    )
    edits: tuple[Edit, ...] = (DeleteRoute(case.netns.id, route),)
    if not behind and right is not None:  # the null route stands where the right one should be
        edits = (ReplaceRoute(case.netns.id, route, right),)
    return Explained(
        f"{case.node} ends packets for {route.dst} {ENDS[route.type]}: a {route.type} route covers {whose}",
        f"a {route.type} route",
        (edits,),
        risk="medium: without it, addresses of nobody take the default route; comes back if something writes it",
        evidence=behind,
    )


def _whose(case: Case, addr: int) -> str:
    pod = case.network.cluster.pod_at(addr)
    if pod is not None:
        return f"live Pods of {pod.node}" if pod.node != case.node else "its own Pods"
    service = case.network.cluster.services_by_cluster_ip.get(addr)
    return f"Service {service.ref.short}" if service is not None else "addresses that are in use"


def _more_specific(netns: Netns, addr: int, route: Route) -> tuple[Origin, ...]:
    """The route that stands behind the null route: with it gone, that one decides."""
    others = [one for one in covering(netns, addr) if one is not route and is_v4(one.dst.net) == is_v4(addr)]
    return tuple(one.origin for one in others[:1])
