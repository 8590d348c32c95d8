"""``ss -Htulnpe``, ``ss -tunape`` and the like: the sockets of one network namespace."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from podpath.model.addr import V4_UNSPECIFIED, V6_UNSPECIFIED, is_v4, parse_addr
from podpath.model.linux.sockets import Socket
from podpath.model.origin import Origin, Unrecognized
from podpath.parse.text_lines import text_lines

PROTOCOLS = {"tcp": 6, "udp": 17, "sctp": 132, "dccp": 33, "udplite": 136}
NOT_PORTS = frozenset(
    (
        "raw",
        "icmp6",
        "???",
        "mptcp",
        "u_str",
        "u_dgr",
        "u_seq",
        "p_raw",
        "p_dgr",
        "nl",
        "v_str",
        "v_dgr",
        "xdp",
        "tipc",
    )
)
"""Other values of Netid: sockets that no TCP, UDP or SCTP packet is delivered to by address and port."""
STATES = frozenset(
    {
        *(
            "ESTAB",
            "SYN-SENT",
            "SYN-RECV",
            "FIN-WAIT-1",
            "FIN-WAIT-2",
            "TIME-WAIT",
            "UNCONN",
            "CLOSE-WAIT",
            "LAST-ACK",
        ),
        *("LISTEN", "CLOSING", "NEW-SYN-RECV", "BOUND", "BOUND-INACTIVE", "UNKNOWN"),
        # associations of SCTP
        *(
            "CLOSED",
            "COOKIE_WAIT",
            "COOKIE_ECHOED",
            "SHUTDOWN_PENDING",
            "SHUTDOWN_SENT",
            "SHUTDOWN_RECEIVED",
            "ACK_SENT",
        ),
    }
)
HEADER = frozenset(
    {
        *(
            "Netid",
            "State",
            "Recv-Q",
            "Send-Q",
            "Local",
            "Peer",
            "Address",
            "Address:Port",
            "Port",
            "Process",
        ),
        "Address:PortProcess",  # where the column of the peer is as narrow as its title
    }
)
ASSOCIATION = "`-"
"""Before the state of an SCTP association, which has no Netid of its own."""
SHOWN = 400
"""How much of a line is kept: ``-i`` appends more than anybody reads."""

USERS = re.compile(r'\("((?:[^"\\]|\\.)*)",')
DROPS = re.compile(r"skmem:\([^)]*\bd(\d+)\)")
V6ONLY = re.compile(r"\bv6only:([01])\b")
ENDPOINT = re.compile(r"(?P<host>\[[^]]*\]|[^%\s]*?)(?:%(?P<dev>\S+?))?:(?P<port>\*|\d+)")


class _Record(NamedTuple):
    """A socket's line, joined with those onto which it was wrapped."""

    line: int
    words: list[str]


def parse_ss(text: str, file: str) -> tuple[tuple[Socket, ...], tuple[Unrecognized, ...]]:
    """The sockets in the order of the file; only a header means that there is none."""
    sockets: list[Socket] = []
    lost: list[Unrecognized] = []
    records = list(_records(text, file, lost))
    only = _only_protocol(records)
    old = any(":::" in word for record in records for word in record.words[2:6])
    for record in records:
        origin = Origin(file, record.line, " ".join(record.words)[:SHOWN])
        try:
            socket = _socket(record.words, only, origin, old=old)
        except ValueError as error:
            lost.append(Unrecognized(origin, str(error)))
            continue
        if socket is not None:
            sockets.append(socket)
    return tuple(sockets), tuple(lost)


def _records(text: str, file: str, lost: list[Unrecognized]) -> Iterator[_Record]:
    """The records of a file. iproute2 wraps lines: what begins with neither a Netid nor a state continues a record."""
    current: _Record | None = None
    in_header = False
    for line, content in text_lines(text):
        words = content.split()
        if HEADER.issuperset(words):
            in_header = True
        elif words[0] in PROTOCOLS or words[0] in NOT_PORTS or words[0] in STATES or words[0] == ASSOCIATION:
            if current:
                yield current
            current, in_header = _Record(line, words), False
        elif current and not in_header:
            current.words.extend(words)
        else:
            lost.append(
                Unrecognized(Origin(file, line, content.rstrip()[:SHOWN]), "not a socket as ss prints one")
            )
    if current:
        yield current


def _only_protocol(records: list[_Record]) -> str:
    """The protocol of a listing without Netid: ss leaves the column out when it was asked for one alone.

    Only TCP has more states than these two.
    """
    states = {record.words[0] for record in records}
    return "udp" if "UNCONN" in states and states <= {"UNCONN", "ESTAB"} else "tcp"


def _socket(words: list[str], only: str, origin: Origin, *, old: bool) -> Socket | None:
    if words[0] in NOT_PORTS:
        return None
    if words[0] == ASSOCIATION:
        words = ["sctp", *words[1:]]
    elif words[0] in STATES:
        words = [only, *words]
    if len(words) < 6 or words[1] not in STATES:
        raise ValueError("not a socket as ss prints one")
    rest = " ".join(words[6:])
    local = _endpoint(words[4], old=old)
    peer = _endpoint(words[5], old=old)
    v4, v6 = _families(local, peer, V6ONLY.search(rest))
    drops = DROPS.search(rest)
    return Socket(
        protocol=PROTOCOLS[words[0]],
        state=words[1],
        local=local.addr,
        port=local.port or 0,
        v4=v4,
        v6=v6,
        peer=peer.addr,
        peer_port=peer.port,
        dev=local.dev,
        recv_q=int(words[2]),
        send_q=int(words[3]),
        process=",".join(dict.fromkeys(USERS.findall(rest))),
        drops=int(drops[1]) if drops else 0,
        origin=origin,
    )


class _Endpoint(NamedTuple):
    """One side of a socket; a wildcard has no address but says of which families it is."""

    addr: int | None
    port: int | None
    dev: str
    v4: bool
    v6: bool


def _endpoint(text: str, *, old: bool) -> _Endpoint:
    """``0.0.0.0%eth0:68``, ``[::]:80``, ``*:80``: inet_addr_print of ss.c.

    ``*`` is the wildcard of a dual-stack socket; iproute2 before 4.15 prints it for IPv4, and ``:::80`` for IPv6.
    """
    found = ENDPOINT.fullmatch(text)
    if not found:
        raise ValueError(f"not an address and port: {text}")
    host, dev = found["host"].strip("[]"), found["dev"] or ""
    port = None if found["port"] == "*" else int(found["port"])
    if port is not None and port > 65535:
        raise ValueError(f"not a port: {port}")
    if host == "*":
        return _Endpoint(None, port, dev, v4=True, v6=not old)
    host, percent, scope = host.partition("%")
    dev = scope if percent else dev
    addr = parse_addr(host)
    if addr in (V4_UNSPECIFIED, V6_UNSPECIFIED):
        v4 = addr == V4_UNSPECIFIED
        return _Endpoint(None, port, dev, v4=v4, v6=not v4)
    return _Endpoint(addr, port, dev, v4=is_v4(addr), v6=not is_v4(addr))


def _families(local: _Endpoint, peer: _Endpoint, v6only: re.Match[str] | None) -> tuple[bool, bool]:
    """Which packets reach a socket: for a wildcard ``v6only`` says it, or the family of the peer."""
    if local.addr is not None:
        return local.v4, local.v6
    if peer.addr is not None:
        return peer.v4, peer.v6
    if v6only and local.v6:
        return v6only[1] == "0", True
    return local.v4, local.v6
