"""Sockets (``ss -Htulnpe`` and the like)."""

from __future__ import annotations

import msgspec

from podpath.model.origin import NOWHERE, Origin


class Socket(msgspec.Struct, frozen=True, gc=False):
    """A TCP, UDP or SCTP socket. ``local`` None is the wildcard address."""

    protocol: int
    """IP protocol number: 6, 17, 132."""
    state: str
    """LISTEN, UNCONN, ESTAB ... as ss prints it."""
    local: int | None
    port: int
    v4: bool = True
    """Whether IPv4 packets reach it (an AF_INET socket, or AF_INET6 without v6only)."""
    v6: bool = False
    peer: int | None = None
    peer_port: int | None = None
    dev: str = ""
    """SO_BINDTODEVICE."""
    recv_q: int = 0
    send_q: int = 0
    process: str = ""
    drops: int = 0
    origin: Origin = NOWHERE
