"""A bridge: ports, br_netfilter, the forwarding decision (br_input.c, br_forward.c, br_netfilter_hooks.c)."""

from __future__ import annotations

from podpath.dataplane.hooks import run_bridge_hook, run_hook
from podpath.dataplane.routing import fib_of
from podpath.dataplane.segment import is_wire, port_of
from podpath.dataplane.stages.output import fib_key
from podpath.dataplane.stages.receive import forwarding_off, segmented_late, source_check
from podpath.dataplane.stages.transmit import resolve_on_bridge
from podpath.dataplane.walk import Outcome, Walk
from podpath.model.linux.link import BridgePort, Link
from podpath.model.origin import Origin
from podpath.model.trace import Disposition, Step, Symptom

NO_PORT = BridgePort(hairpin=None, isolated=None)
"""A port of which nothing is known."""


def netfilter_switch(walk: Walk, bridge: Link) -> tuple[bool | None, Origin]:
    """Whether bridged packets pass iptables here: the sysctl or the bridge's own switch; an absent sysctl is off."""
    own = bridge.bridge is not None and (
        bridge.bridge.nf_call_iptables if walk.v4 else bridge.bridge.nf_call_ip6tables
    )
    if own:
        return True, bridge.origin
    sysctls = walk.netns.sysctls
    key = "net.bridge.bridge-nf-call-iptables" if walk.v4 else "net.bridge.bridge-nf-call-ip6tables"
    if sysctls is None:
        return None, walk.netns.source("sysctl")
    return sysctls.number(key, 0) == 1, sysctls.origin(key)


def bridge_in(walk: Walk) -> Outcome:
    """A port takes a frame; PREROUTING in the bridge, and the destination after it (br_nf_pre_routing)."""
    links = walk.netns.links or {}
    port = links[walk.iif]
    bridge = links[port.master]
    walk.sender_port = port.name
    settings = port.port or NO_PORT
    if not bridge.up:
        step = Step(
            "bridge",
            f"{bridge.name} is down",
            bridge.origin,
            kind="link-down",
            dev=bridge.name,
            packet=walk.packet,
        )
        return walk.end(Disposition.NOT_FORWARDED, Symptom.TIMEOUT, step)
    if settings.state != "forwarding":
        return _port_stops(walk, port, f"the port is {settings.state}", "state")
    if run_bridge_hook(walk, "prerouting") is Outcome.END:
        return Outcome.END
    walk.iif = bridge.name
    active, origin = netfilter_switch(walk, bridge)
    if active is None:
        active = walk.decider.unknown("is bridge-nf-call-iptables 0 here (sysctl was not collected)") == 0
    if not active:
        walk.note(
            "bridge",
            f"{bridge.name}: iptables does not see bridged packets",
            origin,
            dev=bridge.name,
            key="bridge-nf-call-iptables",
        )
        return Outcome.NEXT
    walk.phys_in = port.name
    before = walk.packet
    outcome = run_hook(walk, "prerouting")
    if outcome is Outcome.END:
        return outcome
    walk.pre_done = True
    if walk.packet.dst != before.dst:
        return _readdress(walk, bridge)
    return Outcome.NEXT


def _readdress(walk: Walk, bridge: Link) -> Outcome:
    """Where a frame with a translated destination goes (br_nf_pre_routing_finish).

    On the same bridge it is re-addressed and stays in it, else it goes up to be routed.
    """
    result = fib_of(walk.netns, v4=walk.v4).lookup(fib_key(walk, src=walk.packet.src, iif=bridge.name))
    hop = result.hops[0] if result.type == "unicast" and result.hops else None
    if hop is None or hop.dev != bridge.name or (walk.v4 and (forwarding_off(walk) or source_check(walk))):
        walk.dst_mac = ""  # up to layer 3, which finds the same (ip_route_input)
        return Outcome.NEXT
    walk.hop = hop
    target = hop.gateway if hop.gateway is not None else walk.packet.dst
    return resolve_on_bridge(walk, bridge, target)


def bridge_decide(walk: Walk) -> Outcome:
    """Up to layer 3, or across to another port."""
    links = walk.netns.links or {}
    bridge = links[walk.iif] if walk.iif in links else links[walk.oif]
    if walk.dst_mac in ("", bridge.mac) or _own_mac(walk, bridge):
        walk.dst_mac = ""
        if run_bridge_hook(walk, "input") is Outcome.END:
            return Outcome.END
        return Outcome.UP
    return _out_port(walk, bridge)


def _own_mac(walk: Walk, bridge: Link) -> bool:
    return any(
        link.mac == walk.dst_mac and link.master == bridge.name for link in (walk.netns.links or {}).values()
    )


def bridge_send(walk: Walk) -> Outcome:
    """The host itself sends by the bridge (br_dev_xmit)."""
    bridge = (walk.netns.links or {})[walk.oif]
    walk.sender_port = ""
    return _out_port(walk, bridge)


def _out_port(walk: Walk, bridge: Link) -> Outcome:
    port = find_port(walk, bridge)
    if port is None:
        text = f"no port of {bridge.name} leads to {walk.dst_mac}"
        step = Step(
            "bridge",
            text,
            bridge.origin,
            kind="neighbor-wrong",
            dev=bridge.name,
            key=walk.dst_mac,
            packet=walk.packet,
        )
        return walk.end(Disposition.MISDELIVERED, Symptom.TIMEOUT, step)
    stopped = _may_pass(walk, port)
    if stopped is not None:
        return stopped
    walk.phys_out = port.name
    if not walk.sender_port:
        return Outcome.ACROSS if run_bridge_hook(walk, "output") is not Outcome.END else Outcome.END
    walk.oif = bridge.name
    if run_bridge_hook(walk, "forward") is Outcome.END:
        return Outcome.END
    if walk.phys_in:
        walk.bridged = True
        if run_hook(walk, "forward") is Outcome.END:
            return Outcome.END
        walk.iif = ""  # br_nf_post_routing names no way in, other than ip_output
        if run_hook(walk, "postrouting") is Outcome.END:
            return Outcome.END
    return Outcome.ACROSS


def find_port(walk: Walk, bridge: Link) -> Link | None:
    """The port behind which a MAC address is: where its owner is attached, else what the bridge learned.

    Even a static entry moves to the port its owner is heard on (br_fdb_update).
    """
    links = walk.netns.links or {}
    attached = port_of(walk.network, walk.netns, bridge, walk.dst_mac)
    if attached is not None:
        return attached
    learned = next(
        (
            e
            for e in walk.netns.fdb or ()
            if e.mac == walk.dst_mac and e.master == bridge.name and e.state != "permanent"
        ),
        None,
    )
    if learned is not None and learned.dev in links:
        return links[learned.dev]
    ports = (link for link in links.values() if link.master == bridge.name)
    return next((port for port in ports if is_wire(walk.network, walk.netns, port)), None)


def _may_pass(walk: Walk, port: Link) -> Outcome | None:
    """What keeps a frame from a port: its state, isolation, the port it came from, VLANs (should_deliver)."""
    settings = port.port or NO_PORT
    sender = (walk.netns.links or {}).get(walk.sender_port)
    sender_settings = sender.port or NO_PORT if sender is not None else None
    if not port.up or not port.carrier:
        step = Step(
            "bridge", f"{port.name} is down", port.origin, kind="link-down", dev=port.name, packet=walk.packet
        )
        return walk.end(Disposition.NOT_FORWARDED, Symptom.TIMEOUT, step)
    if settings.state != "forwarding":
        return _port_stops(walk, port, f"the port is {settings.state}", "state")
    if sender is not None and sender_settings is not None:
        if sender.name == port.name and not settings.hairpin:
            if settings.hairpin is None:
                return walk.blind("bridge", f"whether hairpin is on for {port.name}", port.origin)
            return _port_stops(
                walk, port, "the frame would leave by the port it came in by, and hairpin is off", "hairpin"
            )
        if settings.isolated and sender_settings.isolated:
            return _port_stops(walk, port, f"{sender.name} and {port.name} are both isolated", "isolated")
        bridge = (walk.netns.links or {}).get(port.master)
        filtering = bridge is not None and bridge.bridge is not None and bridge.bridge.vlan_filtering
        if filtering and settings.vlans and sender_settings.pvid not in settings.vlans:
            return _port_stops(
                walk, port, f"VLAN {sender_settings.pvid} is not allowed on {port.name}", "vlan"
            )
    return None


def _port_stops(walk: Walk, port: Link, text: str, key: str) -> Outcome:
    origin = port.port.origin if port.port is not None and port.port.origin.file else port.origin
    step = Step(
        "bridge",
        f"{port.name}: {text}",
        origin,
        kind="bridge-port",
        dev=port.name,
        key=key,
        packet=walk.packet,
    )
    return walk.end(Disposition.NOT_FORWARDED, Symptom.TIMEOUT, step)


def port_send(walk: Walk) -> Outcome:
    """The frame leaves by a port: size, then the cable or the wire (br_dev_queue_push_xmit)."""
    port = (walk.netns.links or {})[walk.phys_out]
    if walk.packet.length > port.mtu and not (port.kind == "veth" and segmented_late(walk.packet)):
        text = f"{port.name} takes no frame of {walk.packet.length} bytes: its MTU is {port.mtu}"
        step = Step("bridge", text, port.origin, kind="too-big-silent", dev=port.name, packet=walk.packet)
        return walk.end(Disposition.TOO_BIG, Symptom.HANGS, step)
    program = walk.netns.tc_devices.get(port.name)
    if program and walk.decider.unknown(
        f"what {program} on {port.name} of {walk.netns.folder} does to what goes out"
    ):
        return walk.blind("tc", f"what {program} on {port.name} does", walk.netns.source("tc-filter"))
    if (walk.netns.id, port.name) in walk.network.peers:
        return Outcome.CABLE
    if is_wire(walk.network, walk.netns, port):
        return Outcome.WIRE
    return walk.blind(
        "device", f"what is at the other end of {port.name} of {walk.netns.folder}", port.origin
    )
