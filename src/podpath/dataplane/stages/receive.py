"""A frame arrives: device, PREROUTING, the routing decision with its source checks, INPUT (ip_input.c, route.c)."""

from __future__ import annotations

from podpath.dataplane.errors import heard
from podpath.dataplane.hooks import run_hook
from podpath.dataplane.routing import fib_of
from podpath.dataplane.source_check import source_problem
from podpath.dataplane.stages.output import fib_key, pick_hop, route_text
from podpath.dataplane.walk import Outcome, Walk
from podpath.model.addr import BROADCAST_V4, LOOPBACK_V4, MULTICAST_V4, THIS_NETWORK_V4, format_addr
from podpath.model.flow import TCP, Packet
from podpath.model.linux.sysctl import conf_key
from podpath.model.origin import Origin
from podpath.model.trace import Disposition, Step, Symptom

NULL_ROUTES = ("blackhole", "unreachable", "prohibit")
NULL_ERRORS = {"unreachable": "icmp-host-unreachable", "prohibit": "icmp-admin-prohibited"}
NULL_ERRORS_V6 = {"unreachable": "icmp6-no-route", "prohibit": "icmp6-adm-prohibited"}
"""What a forwarded sender is told of a null route (ip_error; ip6_pkt_discard); nothing of a blackhole."""


def sysctl_origin(walk: Walk, key: str) -> Origin:
    """The line of a sysctl in the namespace at hand."""
    return walk.netns.sysctls.origin(key) if walk.netns.sysctls is not None else walk.netns.source("sysctl")


def conf_or(walk: Walk, dev: str, name: str, default: int = 0) -> int:
    """A per-device parameter of IPv4."""
    sysctls = walk.netns.sysctls
    value = sysctls.conf(dev, name) if sysctls is not None else None
    return default if value is None else value


def segmented_late(packet: Packet) -> bool:
    """Whether a sender leaves it to the last device to cut its data (is_skb_forwardable, skb_is_gso).

    Within a machine such packets of any size pass.
    """
    return packet.protocol == TCP


def receive(walk: Walk) -> Outcome:
    """The device takes the frame, or does not; a bridge port hands it to its bridge."""
    links = walk.netns.links
    if links is None:
        return walk.blind("device", f"the devices of {walk.netns.folder} were not collected")
    link = links.get(walk.iif)
    if link is None:
        return walk.blind("device", f"device {walk.iif} is not in {walk.netns.folder}")
    if not link.up:
        step = Step(
            "device", f"{link.name} is down", link.origin, kind="link-down", dev=link.name, packet=walk.packet
        )
        return walk.end(Disposition.NOT_FORWARDED, Symptom.TIMEOUT, step)
    if (
        walk.packet.length > link.mtu
        and link.kind == "veth"
        and not segmented_late(walk.packet)
        and walk.inner is None
    ):
        text = f"{link.name} takes no frame of {walk.packet.length} bytes: its MTU is {link.mtu}"
        step = Step("device", text, link.origin, kind="too-big-silent", dev=link.name, packet=walk.packet)
        return walk.end(Disposition.TOO_BIG, Symptom.HANGS, step)
    program = walk.netns.tc_devices.get(link.name)
    if program and walk.decider.unknown(
        f"what {program} on {link.name} of {walk.netns.folder} does to what comes in"
    ):
        return walk.blind("tc", f"what {program} on {link.name} does", walk.netns.source("tc-filter"))
    if link.master:
        master = links.get(link.master)
        if master is not None and master.kind == "bridge":
            return Outcome.BRIDGE
        if master is not None:
            walk.iif = master.name
    return Outcome.NEXT


def prerouting(walk: Walk) -> Outcome:
    """Layer 3 takes the packet if it is for this host, then PRE_ROUTING, once (ip_rcv, ip_sabotage_in)."""
    link = (walk.netns.links or {}).get(walk.iif)
    if walk.dst_mac and link is not None and link.mac and walk.dst_mac != link.mac and not walk.looped:
        text = f"the frame is for {walk.dst_mac}, but {link.name} is {link.mac}"
        step = Step(
            "device",
            text,
            link.origin,
            kind="neighbor-wrong",
            dev=link.name,
            key=walk.dst_mac,
            packet=walk.packet,
        )
        return walk.end(Disposition.MISDELIVERED, Symptom.TIMEOUT, step)
    walk.dst_mac = ""
    if walk.pre_done:
        walk.pre_done = False
        return Outcome.NEXT
    return run_hook(walk, "prerouting")


def route_input(walk: Walk) -> Outcome:
    """The routing decision (ip_route_input_slow)."""
    if walk.looped:
        return Outcome.LOCAL
    if (walk.netns.routes if walk.v4 else walk.netns.routes6) is None:
        return walk.blind("route", f"the routes of {walk.netns.folder} were not collected")
    martian = _martian(walk) if walk.v4 else None
    if martian is not None:
        return walk.end(Disposition.MARTIAN_SOURCE, Symptom.TIMEOUT, martian)
    result = fib_of(walk.netns, v4=walk.v4).lookup(fib_key(walk, src=walk.packet.src, iif=walk.iif))
    walk.fib = result
    dst = format_addr(walk.packet.dst)
    if result.type == "unknown":
        return walk.blind("route", result.question, result.origin)
    if result.type in ("local", "anycast"):
        wrong = source_check(walk)
        if wrong is not None:
            return walk.end(Disposition.MARTIAN_SOURCE, Symptom.TIMEOUT, wrong)
        walk.oif = ""
        return Outcome.LOCAL
    if walk.netns.sysctls is None:
        question = f"the sysctls of {walk.netns.folder} were not collected: is forwarding on?"
        if walk.decider.unknown(question):
            return walk.blind("route", question)
    closed = forwarding_off(walk)
    if closed is not None:
        return walk.end(Disposition.NOT_FORWARDED, Symptom.TIMEOUT, closed)
    if result.type == "none":
        step = Step(
            "route",
            f"no route to {dst}",
            walk.netns.source("ip-route.json"),
            kind="no-route",
            packet=walk.packet,
        )
        walk.error = "icmp-net-unreachable"
        return walk.end(Disposition.NO_ROUTE, heard(walk.error, walk.packet), step)
    if result.type != "unicast":
        kind = "null-route" if result.type in NULL_ROUTES else "wrong-route"
        step = Step("route", f"{result.type} route for {dst}", result.origin, kind=kind, packet=walk.packet)
        walk.error = (NULL_ERRORS if walk.v4 else NULL_ERRORS_V6).get(result.type, "")
        if result.route is None and walk.error == "icmp-host-unreachable":
            walk.error = "icmp-net-unreachable"  # of a rule: fib4_rule_action
        return walk.end(
            Disposition.NULL_ROUTED, heard(walk.error, walk.packet) if walk.error else Symptom.TIMEOUT, step
        )
    wrong = source_check(walk)
    if wrong is not None:
        return walk.end(Disposition.MARTIAN_SOURCE, Symptom.TIMEOUT, wrong)
    walk.hop = pick_hop(walk, result)
    walk.oif = walk.hop.dev if walk.hop is not None else ""
    walk.note("route", route_text(result), result.origin, dev=walk.oif)
    return Outcome.FORWARD


def _martian(walk: Walk) -> Step | None:
    """Sources and destinations that no host accepts from a wire."""
    packet = walk.packet
    if (
        packet.src in MULTICAST_V4
        or packet.src == BROADCAST_V4
        or packet.src in THIS_NETWORK_V4
        or packet.dst in THIS_NETWORK_V4
    ):
        text = f"{format_addr(packet.src)} -> {format_addr(packet.dst)} cannot come from a wire"
        return Step("route", text, walk.netns.source("ip-route.json"), kind="martian", packet=packet)
    if (packet.src not in LOOPBACK_V4 and packet.dst not in LOOPBACK_V4) or walk.iif == "lo":
        return None
    if conf_or(walk, "all", "route_localnet") or conf_or(walk, walk.iif, "route_localnet"):
        return None
    key = conf_key(walk.iif, "route_localnet")
    text = f"a loopback address on {walk.iif}: route_localnet is 0"
    return Step("route", text, sysctl_origin(walk, key), kind="martian", key=key, packet=packet)


def forwarding_off(walk: Walk) -> Step | None:
    """Forwarding is a switch of the device the packet came in by; IPv6 reads the one for all (ip6_forward)."""
    sysctls = walk.netns.sysctls
    if sysctls is None:
        return None
    if walk.v4:
        key = conf_key(walk.iif, "forwarding")
        value = sysctls.number(key)
        if value is None:
            key = "net.ipv4.ip_forward"
            value = sysctls.number(key, 1)
    else:
        key = "net.ipv6.conf.all.forwarding"
        value = sysctls.number(key, 1)
    if value:
        return None
    if walk.v4 and sysctls.number("net.ipv4.ip_forward") == 0:
        key = "net.ipv4.ip_forward"
    text = f"not forwarded: {key} is 0"
    return Step(
        "route", text, sysctls.origin(key), kind="forwarding-off", key=key, dev=walk.iif, packet=walk.packet
    )


def source_check(walk: Walk) -> Step | None:
    """The step that refuses a packet's source; None when it may pass. IPv6 has no such check."""
    if not walk.v4:
        return None
    packet = walk.packet
    problem = source_problem(walk.netns, walk.iif, packet.src, packet.dst, mark=packet.mark, tos=packet.tos)
    if problem is None:
        return None
    return Step(
        "source check",
        problem.text,
        problem.origin,
        kind=problem.kind,
        key=problem.key,
        dev=walk.iif,
        packet=packet,
    )


def input_hook(walk: Walk) -> Outcome:
    """LOCAL_IN."""
    return run_hook(walk, "input")
