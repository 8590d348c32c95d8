"""A process sends: route, source address, OUTPUT, POSTROUTING (ip_output.c, route.c, netfilter/ipv4)."""

from __future__ import annotations

from podpath.dataplane.hooks import run_hook
from podpath.dataplane.routing import FibKey, FibResult, fib_of, is_loopback, select_address
from podpath.dataplane.walk import Outcome, Walk
from podpath.model.addr import format_addr
from podpath.model.flow import TCP, UDP
from podpath.model.linux.route import NextHop
from podpath.model.origin import Origin
from podpath.model.trace import Disposition, Step, Symptom

NULL_SYMPTOMS_LOCAL = {
    "blackhole": Symptom.INVALID,
    "unreachable": Symptom.HOST_UNREACHABLE,
    "prohibit": Symptom.ACCESS,
}
"""What a local sender gets from a null route (fib_props, fib_semantics.c; measured)."""
UNSPECIFIED = 0


def fib_key(walk: Walk, *, src: int, iif: str) -> FibKey:
    """The look-up for the packet at hand."""
    packet = walk.packet
    uid = packet.uid if iif == "lo" else 0  # what is forwarded counts as root's (ip_route_input_rcu)
    return FibKey(
        packet.dst, src, iif, "", packet.mark, packet.tos, packet.protocol, packet.sport, packet.dport, uid
    )


def pick_hop(walk: Walk, result: FibResult) -> NextHop | None:
    """One next hop of a route, by weight; a connection keeps its own (fib_select_path, fib_multipath_hash)."""
    if not result.hops:
        return None
    if len(result.hops) == 1:
        return result.hops[0]
    ends = sorted((walk.packet.src, walk.packet.dst))
    return result.hops[
        walk.decider.random(
            [hop.weight for hop in result.hops], "multipath", key=(walk.netns.id, *ends, result.hops)
        )
    ]


def route_text(result: FibResult) -> str:
    """A route in one line."""
    return (
        f"route {result.route.origin.text or result.route.dst}"
        if result.route is not None
        else f"route: {result.type}"
    )


def route_output(walk: Walk) -> Outcome:
    """Look up the way out and the source; who connects looks up once more with the source (ip_route_connect)."""
    if (walk.netns.routes if walk.v4 else walk.netns.routes6) is None:
        return walk.blind("route", f"the routes of {walk.netns.folder} were not collected")
    source = walk.packet.src
    result = fib_of(walk.netns, v4=walk.v4).lookup(fib_key(walk, src=source, iif="lo"))
    outcome = _take(walk, result)
    if outcome is not Outcome.NEXT:
        return outcome
    if source == UNSPECIFIED:
        chosen = _source(walk, result)
        if chosen is None and walk.netns.addresses is None:
            return walk.blind(
                "route",
                f"which address {walk.oif} has: the addresses of {walk.netns.folder} were not collected",
            )
        if chosen is None:
            step = Step(
                "route",
                f"no source address for {format_addr(walk.packet.dst)} on {walk.oif}",
                result.origin,
                kind="no-route",
            )
            return walk.end(Disposition.NO_ROUTE, Symptom.NET_UNREACHABLE, step)
        walk.change(src=chosen)
        if (
            walk.v4
            and walk.packet.protocol in (TCP, UDP)
            and walk.inner is None
            and not fib_of(walk.netns, v4=True).simple
        ):
            result = fib_of(walk.netns, v4=walk.v4).lookup(fib_key(walk, src=chosen, iif="lo"))
            outcome = _take(walk, result)
            if outcome is not Outcome.NEXT:
                return outcome
    if walk.first_packet is None:
        walk.first_packet = walk.packet
    walk.note("route", route_text(result), result.origin, dev=walk.oif, packet=walk.packet)
    return Outcome.NEXT


def _take(walk: Walk, result: FibResult) -> Outcome:
    """Follow a look-up's result, or end with what the sender sees."""
    dst = format_addr(walk.packet.dst)
    walk.fib = result
    match result.type:
        case "unicast":
            walk.hop = pick_hop(walk, result)
            walk.oif = walk.hop.dev if walk.hop is not None else ""
            return Outcome.NEXT
        case "local" | "anycast":
            walk.hop, walk.oif = None, "lo"
            return Outcome.NEXT
        case "none":
            step = Step(
                "route",
                f"no route to {dst}",
                walk.netns.source("ip-route.json"),
                kind="no-route",
                packet=walk.packet,
            )
            return walk.end(Disposition.NO_ROUTE, Symptom.NET_UNREACHABLE, step)
        case "unknown":
            return walk.blind("route", result.question, result.origin)
        case "broadcast" | "multicast":
            step = Step(
                "route",
                f"{dst} is a {result.type} address",
                result.origin,
                kind="wrong-route",
                packet=walk.packet,
            )
            return walk.end(Disposition.MISDELIVERED, Symptom.ACCESS, step)
    step = Step(
        "route", f"{result.type} route for {dst}", result.origin, kind="null-route", packet=walk.packet
    )
    symptom = NULL_SYMPTOMS_LOCAL.get(result.type, Symptom.TIMEOUT)
    if result.route is None and result.type == "unreachable":
        symptom = Symptom.NET_UNREACHABLE  # of a rule: fib4_rule_action
    return walk.end(Disposition.NULL_ROUTED, symptom, step)


def _source(walk: Walk, result: FibResult) -> int | None:
    """Source selection: the route's hint, else the device's address (fib_result_prefsrc, ipv6_dev_get_saddr)."""
    dst = walk.packet.dst
    if result.type == "local":
        if is_loopback(dst):
            return dst
        return result.route.prefsrc if result.route is not None and result.route.prefsrc is not None else dst
    if result.route is not None and result.route.prefsrc is not None:
        return result.route.prefsrc
    towards = walk.hop.gateway if walk.v4 and walk.hop is not None and walk.hop.gateway is not None else dst
    chosen = select_address(walk.netns, walk.oif, towards)
    return chosen.addr if chosen is not None else None


def output_hook(walk: Walk) -> Outcome:
    """LOCAL_OUT. Its chains see the first route's device, whatever was routed anew in between (nf_hook_state.out)."""
    walk.iif = ""
    walk.local_out = True
    walk.rerouted = False
    first = walk.oif
    new = ""

    def reroute(walk: Walk) -> Outcome:
        nonlocal new
        outcome = _route_again(walk)
        new, walk.oif = walk.oif, first
        return outcome

    outcome = run_hook(walk, "output", reroute)
    walk.oif = new or first
    return outcome


def _route_again(walk: Walk) -> Outcome:
    """The destination, or the mark, was changed (ip_route_me_harder)."""
    packet = walk.packet
    result = fib_of(walk.netns, v4=walk.v4).lookup(fib_key(walk, src=packet.src, iif="lo"))
    outcome = _take(walk, result)
    if outcome is not Outcome.NEXT:
        if packet.protocol == TCP:  # its timers take no notice of a SYN that could not be sent (tcp_connect)
            walk.symptom = Symptom.TIMEOUT
        return outcome
    if walk.v4 and is_loopback(packet.src) and walk.oif != "lo" and not _localnet_allowed(walk, walk.oif):
        key = f"net.ipv4.conf.{walk.oif.replace('.', '/')}.route_localnet"
        text = f"source {format_addr(packet.src)} may not leave by {walk.oif}: route_localnet is 0"
        step = Step("route", text, _origin(walk, key), kind="martian", key=key, packet=packet)
        return walk.end(Disposition.MARTIAN_SOURCE, Symptom.TIMEOUT, step)
    walk.note("route", f"again: {route_text(result)}", result.origin, dev=walk.oif)
    return Outcome.NEXT


def _localnet_allowed(walk: Walk, dev: str) -> bool:
    sysctls = walk.netns.sysctls
    return sysctls is not None and bool(
        (sysctls.conf("all", "route_localnet") or 0) or (sysctls.conf(dev, "route_localnet") or 0)
    )


def _origin(walk: Walk, key: str) -> Origin:
    return walk.netns.sysctls.origin(key) if walk.netns.sysctls is not None else walk.netns.source("sysctl")


def postrouting_hook(walk: Walk) -> Outcome:
    """POST_ROUTING: source NAT, then the entry is confirmed."""
    return run_hook(walk, "postrouting")
