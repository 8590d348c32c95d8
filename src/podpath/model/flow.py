"""A question, and the packets that answer it."""

from __future__ import annotations

import enum

import msgspec

from podpath.model.addr import format_addr, is_v4
from podpath.model.refs import NetnsId

ICMP, TCP, UDP, ICMPV6, SCTP = 1, 6, 17, 58, 132
PROTOCOL_NAMES = {
    ICMP: "icmp",
    TCP: "tcp",
    UDP: "udp",
    ICMPV6: "icmpv6",
    SCTP: "sctp",
    4: "ipencap",
    41: "ipv6",
    47: "gre",
    50: "esp",
}
PROTOCOL_NUMBERS = {"tcp": TCP, "udp": UDP, "sctp": SCTP, "icmp": ICMP, "icmpv6": ICMPV6}

EPHEMERAL_PORT = 51234
"""The source port of a flow that names none: inside Linux's default ip_local_port_range (32768-60999)."""


def protocol_name(protocol: int) -> str:
    """``tcp`` for 6; the number where it has no name here."""
    return PROTOCOL_NAMES.get(protocol, str(protocol))


class Flow(msgspec.Struct, frozen=True, gc=False):
    """A connection somebody wants: from a network namespace (or, ``netns`` empty, from an address outside)."""

    netns: NetnsId
    dst: int
    protocol: int = TCP
    dport: int = 0
    src: int | None = None
    """The source address if the client binds one; of a flow from outside, always."""
    sport: int = EPHEMERAL_PORT
    size: int = 0
    """Bytes that go each way after the first packets; 0 asks for the first packets only."""
    uid: int | None = None

    @property
    def v4(self) -> bool:
        """Whether it is an IPv4 flow."""
        return is_v4(self.dst)

    def __str__(self) -> str:
        """``pod/ops/client -> 10.96.0.1:443/tcp``."""
        source = self.netns or (format_addr(self.src) if self.src is not None else "outside")
        return f"{source} -> {endpoint_text(self.dst, self.dport)}/{protocol_name(self.protocol)}"


def endpoint_text(addr: int, port: int) -> str:
    """``10.0.0.1:80``, ``[fd00::1]:80``; without a port the address alone."""
    text = format_addr(addr)
    if not port:
        return text
    return f"{text}:{port}" if is_v4(addr) else f"[{text}]:{port}"


class CtDirection(enum.Enum):
    """Which way of a tracked connection a packet goes."""

    ORIGINAL = "original"
    REPLY = "reply"


class Packet(msgspec.Struct, frozen=True, gc=False):
    """A packet (or frame) at one moment. ``length`` is the layer 3 length in bytes."""

    protocol: int
    src: int
    dst: int
    sport: int
    dport: int
    mark: int = 0
    ttl: int = 64
    length: int = 60
    df: bool = True
    tcp_flags: int = 2
    """SYN 2, SYN+ACK 18, ACK 16, PSH+ACK 24."""
    icmp_type: int = 8
    icmp_code: int = 0
    tos: int = 0
    uid: int | None = None

    @property
    def v4(self) -> bool:
        """Whether it is an IPv4 packet."""
        return is_v4(self.dst)

    def __str__(self) -> str:
        """``10.244.0.7:51234 -> 10.96.0.1:443 tcp``."""
        ends = f"{endpoint_text(self.src, self.sport)} -> {endpoint_text(self.dst, self.dport)}"
        return f"{ends} {protocol_name(self.protocol)}"
