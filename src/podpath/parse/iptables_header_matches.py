"""Match modules that read the packet: ports, flags, ICMP types, addresses, lengths, marks (iptables-extensions(8))."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from podpath.model.linux.xtables import (
    AlwaysMatch,
    DscpMatch,
    IcmpTypeMatch,
    LengthMatch,
    MacMatch,
    MarkMatch,
    Match,
    PktTypeMatch,
    PortMatch,
    RangeMatch,
    Ranges,
    TcpFlagsMatch,
    TtlMatch,
)
from podpath.parse.iptables_grammar import Module, Option, each, no_negation, together
from podpath.parse.iptables_names import (
    DCCP,
    DSCP_CLASSES,
    ICMP,
    ICMP_TYPES,
    ICMPV6,
    ICMPV6_TYPES,
    SCTP,
    TCP,
    TCP_FLAGS,
    TOS_SYMBOLS,
    UDP,
    UDPLITE,
)
from podpath.parse.iptables_values import (
    addresses,
    icmp_type,
    mac,
    masked,
    number,
    numbers,
    ports,
)

Handler = Callable[[Option], Match]

SYN_FLAGS = TCP_FLAGS["FIN"] | TCP_FLAGS["SYN"] | TCP_FLAGS["RST"] | TCP_FLAGS["ACK"]
"""``--syn`` is ``--tcp-flags FIN,SYN,RST,ACK SYN``."""


def _ports(side: str) -> Handler:
    return lambda option: PortMatch(side, (ports(option.value),), option.negate)


def _port_list(side: str) -> Handler:
    return lambda option: PortMatch(side, _ranges(option.value), option.negate)


def _ranges(text: str) -> Ranges:
    return tuple(ports(item) for item in text.split(","))


PORTS: Mapping[str, Handler] = {
    "--sport": _ports("src"),
    "--source-port": _ports("src"),
    "--dport": _ports("dst"),
    "--destination-port": _ports("dst"),
}
PORT_LISTS: Mapping[str, Handler] = {
    "--sports": _port_list("src"),
    "--source-ports": _port_list("src"),
    "--dports": _port_list("dst"),
    "--destination-ports": _port_list("dst"),
    "--ports": _port_list("either"),
}


def _flags(text: str) -> int:
    bits = 0
    for name in text.upper().split(","):
        if name not in TCP_FLAGS:
            raise ValueError(f"{name} is not a TCP flag")
        bits |= TCP_FLAGS[name]
    return bits


def _tcp_flags(option: Option) -> Match:
    return TcpFlagsMatch(_flags(option.values[0]), _flags(option.values[1]), option.negate)


def _syn(option: Option) -> Match:
    return TcpFlagsMatch(SYN_FLAGS, TCP_FLAGS["SYN"], option.negate)


def not_in_a_question(option: Option) -> Match:
    """A header field that a question does not fix."""
    del option
    raise ValueError("no question fixes what it reads")


def _icmp(option: Option) -> Match:
    kind, first, last = icmp_type(option.value, ICMP_TYPES)
    return IcmpTypeMatch(kind, (first, last), negate=option.negate)


def _icmp6(option: Option) -> Match:
    kind, first, last = icmp_type(option.value, ICMPV6_TYPES)
    if kind == 255:
        raise ValueError("255 stands for no type of ICMPv6")
    return IcmpTypeMatch(kind, (first, last), v4=False, negate=option.negate)


def _length(option: Option) -> Match:
    lo, hi = numbers(option.value, 0xFFFF)
    return LengthMatch(lo, hi, option.negate)


def _ttl(operator: str) -> Handler:
    def handler(option: Option) -> Match:
        if operator != "eq":
            no_negation(option)
        return TtlMatch(operator, number(option.value, 255), option.negate)

    return handler


def _ttl_options(name: str) -> Mapping[str, Handler]:
    return {
        f"--{name}": _ttl("eq"),
        f"--{name}-eq": _ttl("eq"),
        f"--{name}-lt": _ttl("lt"),
        f"--{name}-gt": _ttl("gt"),
    }


def _dscp(option: Option) -> Match:
    return DscpMatch(number(option.value, 63) << 2, 63 << 2, option.negate)


def _dscp_class(option: Option) -> Match:
    if option.value.upper() not in DSCP_CLASSES:
        raise ValueError(f"{option.value} is not a class of DSCP")
    return DscpMatch(DSCP_CLASSES[option.value.upper()] << 2, 63 << 2, option.negate)


def _tos(option: Option) -> Match:
    if option.value.lower() in TOS_SYMBOLS:
        return DscpMatch(TOS_SYMBOLS[option.value.lower()], 0x3F, option.negate)
    value, _, mask = option.value.partition("/")
    return DscpMatch(number(value, 255), number(mask or "0xff", 255), option.negate)


def _ecn_bits(option: Option) -> Match:
    return DscpMatch(number(option.value, 3), 3, option.negate)


PACKET_TYPES = {"bcast": "broadcast", "mcast": "multicast", "host": "unicast"}


def _packet_type(option: Option) -> Match:
    name = PACKET_TYPES.get(option.value.lower(), option.value.lower())
    if name not in PACKET_TYPES.values():
        raise ValueError(f"{option.value} is not a type of packet")
    return PktTypeMatch(name, option.negate)


def _mac(option: Option) -> Match:
    return MacMatch(mac(option.value), option.negate)


def _range(side: str) -> Handler:
    return lambda option: RangeMatch(side, *addresses(option.value), option.negate)


def _mark(*, connection: bool) -> Handler:
    def handler(option: Option) -> Match:
        value, mask = masked(option.value)
        return MarkMatch(value, mask, connection, option.negate)

    return handler


def _comment(options: Mapping[str, Option]) -> Iterator[Match]:
    if not options:
        raise ValueError("it has no comment")
    yield AlwaysMatch("comment")


def _one_each(handlers: Mapping[str, Handler]) -> Mapping[str, int]:
    return dict.fromkeys(handlers, 1)


def _single(
    handlers: Mapping[str, Handler], protocols: frozenset[int] = frozenset(), *, bare: bool = False
) -> Module:
    """A module all of whose options take one value."""
    return Module(_one_each(handlers), each(handlers, bare=bare), protocols)


_TCP: Mapping[str, Handler] = {
    **PORTS,
    "--tcp-flags": _tcp_flags,
    "--syn": _syn,
    "--tcp-option": not_in_a_question,
}
_SCTP: Mapping[str, Handler] = {**PORTS, "--chunk-types": not_in_a_question}
_ECN: Mapping[str, Handler] = {
    "--ecn-ip-ect": _ecn_bits,
    "--ecn-tcp-cwr": not_in_a_question,
    "--ecn-tcp-ece": not_in_a_question,
}


def header_modules() -> Iterator[tuple[str, Module]]:
    """The modules by name."""
    yield (
        "tcp",
        Module({**_one_each(_TCP), "--tcp-flags": 2, "--syn": 0}, each(_TCP, bare=True), frozenset({TCP})),
    )
    yield "udp", _single(PORTS, frozenset({UDP, UDPLITE}), bare=True)
    yield "sctp", Module({**_one_each(_SCTP), "--chunk-types": 2}, each(_SCTP, bare=True), frozenset({SCTP}))
    yield "multiport", _single(PORT_LISTS, frozenset({TCP, UDP, UDPLITE, DCCP, SCTP}))
    yield "icmp", _single({"--icmp-type": _icmp}, frozenset({ICMP}), bare=True)
    yield "icmp6", _single({"--icmpv6-type": _icmp6}, frozenset({ICMPV6}), bare=True)
    yield "length", _single({"--length": _length})
    yield "ttl", _single(_ttl_options("ttl"))
    yield "hl", _single(_ttl_options("hl"))
    yield "dscp", _single({"--dscp": _dscp, "--dscp-class": _dscp_class})
    yield "tos", _single({"--tos": _tos})
    yield "ecn", Module({"--ecn-ip-ect": 1, "--ecn-tcp-cwr": 0, "--ecn-tcp-ece": 0}, each(_ECN))
    yield "pkttype", _single({"--pkt-type": _packet_type})
    yield "mac", _single({"--mac-source": _mac})
    yield "iprange", _single({"--src-range": _range("src"), "--dst-range": _range("dst")})
    yield "mark", _single({"--mark": _mark(connection=False)})
    yield "connmark", _single({"--mark": _mark(connection=True)})
    yield "comment", Module({"--comment": 1}, together(_comment, positive={"--comment"}))
