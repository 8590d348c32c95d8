"""Local delivery: tunnels take their outer packets, sockets the rest (udp.c, inet_hashtables.c, vxlan_core.c)."""

from __future__ import annotations

from podpath.dataplane.errors import RESET
from podpath.dataplane.walk import Outcome, Walk
from podpath.model.addr import is_v4
from podpath.model.flow import ICMP, ICMPV6, TCP, UDP, Packet, endpoint_text, protocol_name
from podpath.model.linux.link import Link
from podpath.model.linux.sockets import Socket
from podpath.model.trace import Disposition, Step, Symptom

LISTENING = {TCP: ("LISTEN",), UDP: ("UNCONN",), 132: ("LISTEN", "UNCONN")}


def deliver(walk: Walk) -> Outcome:
    """To a tunnel device, the kernel's own ICMP, or a socket."""
    packet = walk.packet
    if walk.inner is not None:
        return _decapsulate(walk)
    walk.at_socket = True
    if walk.leg != "request" or packet.protocol in (ICMP, ICMPV6):
        walk.note("socket", "delivered", packet=packet)
        return walk.end(Disposition.ACCEPTED, Symptom.NONE)
    if walk.any_listener:
        walk.server = (walk.netns.id, packet.dst, packet.dport)
        walk.note("socket", "arrived", packet=packet)
        return walk.end(Disposition.ACCEPTED, Symptom.NONE)
    sockets = walk.netns.sockets
    where = f"{endpoint_text(packet.dst, packet.dport)}/{protocol_name(packet.protocol)}"
    if sockets is None:
        walk.server = (walk.netns.id, packet.dst, packet.dport)
        return walk.blind(
            "socket",
            f"whether anything listens on {where} in {walk.netns.folder}: its sockets were not collected",
        )
    listener = find_listener(sockets, walk)
    if listener is None:
        return _nobody(walk, sockets, where)
    walk.server = (walk.netns.id, packet.dst, packet.dport)
    if listener.state == "LISTEN" and listener.recv_q > listener.send_q:
        text = f"the accept queue of {where} is full ({listener.recv_q} of {listener.send_q}): new ones are dropped"
        step = Step("socket", text, listener.origin, kind="queue-full", packet=packet)
        return walk.end(Disposition.SOCKET_FULL, Symptom.TIMEOUT, step)
    walk.note(
        "socket",
        f"{where} is open" + (f" ({listener.process})" if listener.process else ""),
        listener.origin,
        packet=packet,
    )
    return walk.end(Disposition.ACCEPTED, Symptom.NONE)


def find_listener(sockets: tuple[Socket, ...], walk: Walk) -> Socket | None:
    """The socket that takes the packet: an exact address before the wildcard (inet_lookup_listener's score)."""
    packet = walk.packet
    best: tuple[int, Socket] | None = None
    for socket in sockets:
        if (
            socket.protocol != packet.protocol
            or socket.port != packet.dport
            or socket.state not in LISTENING.get(packet.protocol, ())
        ):
            continue
        if not (socket.v4 if packet.v4 else socket.v6) or socket.local not in (None, packet.dst):
            continue
        if socket.dev and socket.dev != walk.iif:
            continue
        score = (socket.local is not None) * 2 + bool(socket.dev)
        if best is None or score > best[0]:
            best = (score, socket)
    return best[1] if best is not None else None


def _nobody(walk: Walk, sockets: tuple[Socket, ...], where: str) -> Outcome:
    packet = walk.packet
    walk.error = RESET if packet.protocol == TCP else "icmp-port-unreachable"
    same_port = [
        s
        for s in sockets
        if s.port == packet.dport
        and s.protocol == packet.protocol
        and s.state in LISTENING.get(packet.protocol, ())
    ]
    kind = "listener-elsewhere" if same_port else "no-listener"
    origin = same_port[0].origin if same_port else walk.netns.source("ss", f"no socket on {where}")
    text = f"nothing listens on {where}"
    if same_port:
        text += f": the socket is bound to {same_port[0].origin.text or 'another address'}"
    step = Step("socket", text, origin, kind=kind, key=str(packet.dport), packet=packet)
    return walk.end(Disposition.NO_LISTENER, Symptom.REFUSED, step)


def _decapsulate(walk: Walk) -> Outcome:
    packet = walk.packet
    tunnel, inner = walk.tunnel, walk.inner
    if tunnel is None or tunnel.vxlan is None or inner is None:
        return walk.blind("tunnel", "what this tunnel does")
    candidates = [link for link in (walk.netns.links or {}).values() if _listens(link, packet)]
    fitting = [link for link in candidates if link.vxlan is not None and link.vxlan.vni == walk.vni]
    if not fitting:
        return _refused(walk, candidates)
    link = fitting[0]
    if not link.up:
        step = Step(
            "vxlan", f"{link.name} is down", link.origin, kind="link-down", dev=link.name, packet=packet
        )
        return walk.end(Disposition.NOT_FORWARDED, Symptom.TIMEOUT, step)
    walk.note("vxlan", f"unwrapped by {link.name}", link.origin, dev=link.name)
    walk.reenter(link.name)
    walk.packet, walk.inner, walk.tunnel = inner[0], None, None
    walk.related, walk.inner_related = walk.inner_related, None
    walk.dst_mac, walk.inner_mac = walk.inner_mac, ""
    walk.change(mark=0)
    walk.ct = None
    walk.restart_hop()
    return Outcome.DECAPSULATED


def _listens(link: Link, packet: Packet) -> bool:
    """Whether a vxlan device's socket takes an outer packet: its port, and its family (vxlan_sock_add)."""
    vxlan = link.vxlan
    if vxlan is None or vxlan.port != packet.dport:
        return False
    end = vxlan.local if vxlan.local is not None else vxlan.remote
    return end is None or is_v4(end) == packet.v4


def _refused(walk: Walk, candidates: list[Link]) -> Outcome:
    packet = walk.packet
    sent = walk.vni or 0
    shown = next(
        (link for link in (*candidates, *(walk.netns.links or {}).values()) if link.vxlan is not None), None
    )
    vxlan = shown.vxlan if shown is not None else None
    if shown is None or vxlan is None:
        text = f"no vxlan device here takes id {sent} on port {packet.dport}"
        origin = walk.netns.source("ip-link.json", "no vxlan device")
    elif candidates:
        text = f"no vxlan device with id {sent} here: {shown.name} has id {vxlan.vni}"
        origin = shown.origin
    else:
        text = f"no vxlan device on port {packet.dport} here: {shown.name} uses {vxlan.port}"
        origin = shown.origin
    step = Step("vxlan", text, origin, kind="tunnel-refused", key=str(sent), packet=packet)
    return walk.end(Disposition.NO_LISTENER, Symptom.TIMEOUT, step)
