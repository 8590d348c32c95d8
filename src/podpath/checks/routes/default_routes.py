"""Explanations of a missing default route: the node's, a Pod's, IPv6's."""

from __future__ import annotations

from podpath.checks.case import Case, Explained
from podpath.checks.registry import explanation
from podpath.checks.steps.pod_routes import lost
from podpath.checks.steps.ranges import host_of, hosts
from podpath.checks.steps.routes import connected, default_route, everywhere, made, route_text
from podpath.model.addr import LINK_LOCAL_V4, is_v4, parse_addr
from podpath.model.edit import AddRoute, Edit, Outside, ReplaceRoute, SetSysctl
from podpath.model.linux.route import Route
from podpath.model.linux.sysctl import conf_key
from podpath.model.network import Netns, Network
from podpath.model.origin import Origin
from podpath.model.refs import ObjectRef


@explanation("node-no-default-route", kinds=("no-route", "neighbor-unresolved"), specificity=42)
def node_no_default_route(case: Case) -> Explained | None:
    """A node has no default route.

    ## Why it breaks

    A process of the node that asks a ClusterIP gets "network is unreachable" at once: the kernel looks for a route
    before any rule translates the address. Pods lose the way outside; their Services still work where the CNI
    bridges. With Calico every Pod of the node is cut off: proxy ARP for 169.254.1.1 needs a route to answer.

    ## See it by hand

        ip route show default
        ip route get <ClusterIP>            # Network is unreachable

    ## Fix

    Add the default route, and keep it in the system's network configuration (netplan, networkd, NetworkManager,
    DHCP). Where there is no router at all, a route for the Service range does for the node: `ip route add
    <Service range> dev <uplink>`.

    ## Often confused with

    pod-no-default-route (in the Pod), calico-proxy-arp-off and ip-forward-off (the same unresolved 169.254.1.1).
    """
    v4 = case.trace.packet.v4
    host = case.netns if case.netns.is_host else host_of(case.network, case.node)
    if host is None or default_route(host, v4=v4) is not None:
        return None
    if case.step.kind == "neighbor-unresolved" and not gateway_is_routed(case):
        return None
    if case.step.kind == "no-route" and (not case.netns.is_host or lost(case)):
        return None
    like = _siblings_default(case.network, host, v4=v4)
    edits: tuple[tuple[Edit, ...], ...] = ((AddRoute(host.id, like),),) if like is not None else ()
    return Explained(
        f"{host.node} has no default route",
        "no route leads to addresses outside",
        edits or ((Outside(f"add a default route to {host.node}"),),),
        risk="low; lost at reboot: keep it in the network configuration of the system",
        subject=ObjectRef("Node", "", host.node),
        evidence=(host.source("ip-route.json" if v4 else "ip-route6.json", "no default route"),),
    )


def gateway_is_routed(case: Case) -> bool:
    """Whether the Pod waits for a link-local gateway that its node answers for by proxy ARP."""
    try:
        target = parse_addr(case.step.key)
    except ValueError:
        return False
    return not case.netns.is_host and target in LINK_LOCAL_V4


def _siblings_default(network: Network, netns: Netns, *, v4: bool) -> Route | None:
    """The default route that other nodes of the same subnet have."""
    for host in hosts(network):
        theirs = default_route(host, v4=v4)
        if host is netns or theirs is None or theirs.gateway is None:
            continue
        dev = connected(netns, theirs.gateway)
        if dev:
            return made(everywhere(v4=v4), dev, theirs.gateway)
    return None


@explanation("pod-no-default-route", kinds=("no-route", "neighbor-unresolved"))
def pod_no_default_route(case: Case) -> Explained | None:
    """A Pod has no default route, or one to a gateway that is not its node.

    ## Why it breaks

    A Pod reaches its own subnet by the link, and all else by its node. Without a default route it gets "network is
    unreachable" at once for everything but its neighbours; with a wrong gateway nobody answers, and connections fail
    after some seconds with "no route to host".

    ## See it by hand

        kubectl exec <pod> -- ip route           # or: nsenter -t <pid> -n ip route
        ip addr show <bridge>                    # on the node: the address that must be the gateway

    ## Fix

    Recreate the Pod; the CNI plugin writes the route. If new Pods lack it too: `"isDefaultGateway": true`, or the
    route 0.0.0.0/0 in the ipam section of the CNI configuration; with Multus, the default-route annotation.

    ## Often confused with

    node-no-default-route (all Pods of the node, and only what is outside), veth-down-or-detached (one Pod, all of it).
    """
    if case.netns.is_host:
        return None
    v4 = case.trace.packet.v4
    route = default_route(case.netns, v4=v4)
    gateway = _gateway_of(case, v4=v4)
    if case.step.kind == "no-route":
        if route is not None or gateway is None:
            return None
        edits: tuple[Edit, ...] = (AddRoute(case.netns.id, gateway),)
        message, evidence = "has no default route", case.netns.source("ip-route.json", "no default route")
    else:
        wrong = route is not None and gateway is not None and route.gateway != gateway.gateway
        if not wrong or route is None or gateway is None or gateway_is_routed(case):
            return None
        edits = (ReplaceRoute(case.netns.id, route, gateway),)
        message = f"sends everything to a gateway that nobody has ({route_text(route)})"
        evidence = route.origin
    _, namespace, name = case.netns.id.split("/", 2)
    return Explained(
        f"Pod {namespace}/{name} on {case.node} {message}",
        "the Pod does not know its way out",
        (edits,),
        "recreate the Pod: the CNI plugin writes its routes",
        (f"kubectl -n {namespace} delete pod {name}",),
        "low where a controller makes the Pod again; a route put in by hand is lost with the Pod",
        evidence=(evidence,),
    )


def _gateway_of(case: Case, *, v4: bool) -> Route | None:
    """The default route by the node's own address on the Pod's link; or by a neighbour Pod's example."""
    device = next((n for (ns, n) in case.network.peers if ns == case.netns.id), "")
    far = case.network.peers.get((case.netns.id, device))
    host = host_of(case.network, case.node)
    if far is None or host is None:
        return None
    link = (host.links or {}).get(far[1])
    names = {far[1], link.master if link is not None else ""} - {""}
    held = (
        one
        for one in host.addresses or ()
        if one.dev in names and is_v4(one.addr) == v4 and one.scope == "global"
    )
    own = next(held, None)
    return None if own is None else made(everywhere(v4=v4), device, own.addr)


@explanation("ipv6-accept-ra-lost", kinds=("no-route",), specificity=44)
def ipv6_accept_ra_lost(case: Case) -> Explained | None:
    """A node that forwards IPv6 no longer takes its default route from router advertisements.

    ## Why it breaks

    A router does not listen to other routers: with `forwarding=1` and `accept_ra=1` the kernel ignores
    advertisements, and the route it had expires some minutes after the CNI switched forwarding on.

    ## See it by hand

        sysctl net.ipv6.conf.all.forwarding net.ipv6.conf.<uplink>.accept_ra
        ip -6 route show default

    ## Fix

    `sysctl -w net.ipv6.conf.<uplink>.accept_ra=2` (networkd: `IPv6AcceptRA=yes`), kept in /etc/sysctl.d.

    ## Often confused with

    node-no-default-route: there no advertisement was ever expected.
    """
    host = case.netns
    sysctls = host.sysctls
    if (
        case.trace.packet.v4
        or not host.is_host
        or sysctls is None
        or default_route(host, v4=False) is not None
    ):
        return None
    if not sysctls.number("net.ipv6.conf.all.forwarding"):
        return None
    uplinks = {one.dev for one in host.addresses or () if not is_v4(one.addr) and one.scope == "global"}
    dev = next((d for d in sorted(uplinks) if sysctls.conf(d, "accept_ra", v4=False) == 1 and d != "lo"), "")
    if not dev:
        return None
    key = conf_key(dev, "accept_ra", v4=False)
    like = _siblings_default(case.network, host, v4=False)
    edits: tuple[Edit, ...] = (SetSysctl(host.id, key, "2", "1"),)
    evidence: tuple[Origin, ...] = (sysctls.origin(key), sysctls.origin("net.ipv6.conf.all.forwarding"))
    return Explained(
        f"{host.node} lost its IPv6 default route: it forwards, and with accept_ra=1 {dev} then ignores routers",
        "no IPv6 route leads outside",
        ((*edits, AddRoute(host.id, like)),) if like is not None else (edits,),
        f"let {dev} take router advertisements although the node forwards",
        (
            f"{host.node}: sysctl -w {key}=2",
            f"{host.node}: echo '{key} = 2' >> /etc/sysctl.d/99-kubernetes.conf",
        ),
        "low; the next advertisement brings the route back",
        evidence=evidence,
        evidence_first=True,
    )
