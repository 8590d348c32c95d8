"""What the end of a packet's way sends back: an ICMP error or a reset, with a way of its own to the sender.

Whoever drops a packet and says so sends another packet (icmp.c, nf_reject_ipv4.c, tcp_ipv4.c), which may be lost too.
"""

from __future__ import annotations

from collections.abc import Mapping

from podpath.dataplane.conntrack import CtView, Direction
from podpath.dataplane.routing import address_type
from podpath.dataplane.walk import Walk
from podpath.model.flow import ICMP, ICMPV6, TCP, UDP, Packet
from podpath.model.linux.xtables import CtState
from podpath.model.trace import Symptom

RST_ACK = 20
RESET, TTL, TOO_BIG = "tcp-reset", "ttl-exceeded", "too-big"

HEARD: Mapping[str, tuple[Symptom, bool]] = {
    RESET: (Symptom.REFUSED, True),
    TTL: (Symptom.HOST_UNREACHABLE, False),
    "icmp-net-unreachable": (Symptom.NET_UNREACHABLE, False),
    "icmp-host-unreachable": (Symptom.HOST_UNREACHABLE, False),
    "icmp-proto-unreachable": (Symptom.PROTOCOL_UNREACHABLE, True),
    "icmp-port-unreachable": (Symptom.REFUSED, True),
    "icmp-net-prohibited": (Symptom.NET_UNREACHABLE, True),
    "icmp-host-prohibited": (Symptom.HOST_UNREACHABLE, True),
    "icmp-admin-prohibited": (Symptom.HOST_UNREACHABLE, True),
    "icmp6-no-route": (Symptom.NET_UNREACHABLE, False),
    "icmp6-adm-prohibited": (Symptom.ACCESS, True),
    "icmp6-addr-unreachable": (Symptom.HOST_UNREACHABLE, False),
    "icmp6-port-unreachable": (Symptom.REFUSED, True),
    "icmp6-policy-fail": (Symptom.ACCESS, True),
    "icmp6-reject-route": (Symptom.ACCESS, True),
}
"""What a socket tells its program of an error, and whether the error is a hard one: a connected UDP socket keeps soft
ones to itself (icmp_err_convert of icmp.c, tab_unreach of icmpv6.c; __udp4_lib_err)."""

ICMPX: Mapping[str, str] = {
    "icmp-net-unreachable": "icmp6-no-route",
    "icmp-host-unreachable": "icmp6-addr-unreachable",
    "icmp-port-unreachable": "icmp6-port-unreachable",
    "icmp-admin-prohibited": "icmp6-adm-prohibited",
}
"""What an error of both families is in IPv6 (nft_reject.c, icmp_code_v6)."""


def heard(how: str, packet: Packet) -> Symptom:
    """What the client sees of an error that reaches it; ``packet`` is the one the error is about."""
    if not packet.v4:
        how = ICMPX.get(how, how)
    symptom, hard = HEARD.get(how, (Symptom.REFUSED, True))
    return symptom if hard or packet.protocol != UDP else Symptom.TIMEOUT


def error_walk(ended: Walk, leg: str) -> Walk:
    """The walk, not begun yet, of the error that the end of another walk sends."""
    about = ended.packet
    reset = ended.error == RESET
    source = about.dst if reset or address_type(ended.netns, about.dst) == "LOCAL" else 0
    if reset:
        packet = Packet(
            TCP, source, about.src, about.dport, about.sport, length=40 if about.v4 else 60, tcp_flags=RST_ACK
        )
    else:
        packet = _icmp(ended.error, about, source)
    walk = Walk(ended.network, ended.decider, ended.tracker, leg, ended.netns, packet)
    walk.related = None if reset else about
    if reset and ended.phys_in and not ended.at_socket:
        # nf_send_reset: what came in by a port gets its reset by that port, past all hooks and untranslated
        walk.phys_out, walk.oif = ended.phys_in, ended.iif
        return walk
    view = ended.ct
    if view is not None and view.entry is not None and not ended.at_socket:
        # nf_ct_attach: the error is of the connection, even of one that was never confirmed
        other = Direction.REPLY if view.direction is Direction.ORIGINAL else Direction.ORIGINAL
        walk.ct = CtView(CtState.RELATED, view.entry, other)
    return walk


def _icmp(how: str, about: Packet, source: int) -> Packet:
    kind, code = _TYPES.get(how, (3, 3)) if about.v4 else _TYPES6.get(ICMPX.get(how, how), (1, 4))
    length = min(576 if about.v4 else 1280, about.length + (28 if about.v4 else 48))
    protocol = ICMP if about.v4 else ICMPV6
    return Packet(protocol, source, about.src, 0, 0, icmp_type=kind, icmp_code=code, length=length, df=False)


_TYPES: Mapping[str, tuple[int, int]] = {
    TTL: (11, 0),
    TOO_BIG: (3, 4),
    "icmp-net-unreachable": (3, 0),
    "icmp-host-unreachable": (3, 1),
    "icmp-proto-unreachable": (3, 2),
    "icmp-port-unreachable": (3, 3),
    "icmp-net-prohibited": (3, 9),
    "icmp-host-prohibited": (3, 10),
    "icmp-admin-prohibited": (3, 13),
}
_TYPES6: Mapping[str, tuple[int, int]] = {
    TTL: (3, 0),
    TOO_BIG: (2, 0),
    "icmp6-no-route": (1, 0),
    "icmp6-adm-prohibited": (1, 1),
    "icmp6-addr-unreachable": (1, 3),
    "icmp6-port-unreachable": (1, 4),
    "icmp6-policy-fail": (1, 5),
    "icmp6-reject-route": (1, 6),
}


def hears(client: Packet, error: Walk) -> bool:
    """Whether what an error is about is the client's own socket (__udp4_lib_err, tcp_v4_err)."""
    got = error.related
    if got is None:
        back = error.packet
        return (back.src, back.sport, back.dst, back.dport) == (
            client.dst,
            client.dport,
            client.src,
            client.sport,
        )
    return (got.src, got.sport, got.dst, got.dport) == (client.src, client.sport, client.dst, client.dport)
