"""Connections that are really made: sockets of many namespaces in one loop, clients and servers both.

A socket belongs to the namespace its thread was in when it was made, so one process can stand in all of them. Servers
answer with the address they were asked at and the address they saw; over UDP from the address they were asked at
(IP_PKTINFO), as DNS servers do.
"""

from __future__ import annotations

import errno
import selectors
import socket
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from tests.kernel.lab import Space, entered

PATIENT_S, IMPATIENT_S = 3.0, 0.45
"""How long a probe waits that ought to be answered, and one that ought not."""
AGAIN_S = 0.2
"""After this long a large datagram is sent once more: the first may have been lost to learn the path's MTU."""
IP_PKTINFO, IPV6_RECVPKTINFO, IPV6_PKTINFO = 8, 49, 50
WORDS = {
    errno.ECONNREFUSED: "refused",
    errno.EHOSTUNREACH: "no-host",
    errno.ENETUNREACH: "no-net",
    errno.EPERM: "not-permitted",
    errno.EACCES: "access",
    errno.EINVAL: "invalid",
    errno.ENOPROTOOPT: "no-protocol",
    errno.EPROTO: "no-protocol",
    errno.EMSGSIZE: "too-big",
    errno.ECONNRESET: "reset",
    errno.EADDRNOTAVAIL: "no-address",
}


class Listener(NamedTuple):
    """What a server waits on; ``address`` empty is any of both families."""

    space: Space
    port: int
    udp: bool = False
    address: str = ""
    v6only: bool = False


@dataclass(eq=False)
class Probe:
    """One connection, and what came of it."""

    space: Space
    address: str
    port: int
    udp: bool = False
    source: str = ""
    sport: int = 0
    size: int = 0
    patience_s: float = PATIENT_S
    outcome: str = ""
    """ok, timeout, or a word for the error."""
    server: str = ""
    """The namespace that answered, and the address and port it was asked at."""
    asked: tuple[str, int] = ("", 0)
    seen: str = ""
    """The client's address as the server saw it."""
    got: bytearray = field(default_factory=bytearray)
    left: bytes = b""
    connected: bool = False
    resend: Callable[[], None] = lambda: None

    @property
    def v6(self) -> bool:
        """Its family."""
        return ":" in self.address


class Prober:
    """Servers that stay, and clients that come and go, in one loop."""

    def __init__(self) -> None:
        self.selector = selectors.DefaultSelector()
        self.servers: list[socket.socket] = []
        self.sockets: list[socket.socket] = []

    def close(self) -> None:
        """Close all sockets."""
        for one in (*self.sockets, *self.servers):
            one.close()
        self.selector.close()

    def probe(self, probes: Sequence[Probe]) -> None:
        """Make all connections at once; ``outcome`` of each is set."""
        for probe in probes:
            self.begin(probe)
        start = time.monotonic()
        again = {probe for probe in probes if probe.udp and probe.size and not probe.outcome}
        while waiting := [probe for probe in probes if not probe.outcome]:
            now = time.monotonic() - start
            if now > AGAIN_S:
                for probe in again.intersection(waiting):
                    probe.resend()
                again.clear()
            left = max(probe.patience_s for probe in waiting) - now
            if left <= 0:
                break
            for key, _ in self.selector.select(min(left, AGAIN_S) if again else left):
                key.data()
        for probe in probes:
            probe.outcome = probe.outcome or ("hangs" if probe.connected and probe.size else "timeout")
        for one in self.sockets:
            self.forget(one)
            one.close()
        self.sockets.clear()

    def make_socket(self, space: Space, *, v6: bool, udp: bool) -> socket.socket:
        family, kind = (
            (socket.AF_INET6 if v6 else socket.AF_INET),
            (socket.SOCK_DGRAM if udp else socket.SOCK_STREAM),
        )
        with entered(space.netns):
            one = socket.socket(family, kind)
        one.setblocking(False)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sockets.append(one)
        return one

    def watch(
        self, one: socket.socket, ready: Callable[[], None], events: int = selectors.EVENT_READ
    ) -> None:
        if one.fileno() in self.selector.get_map():
            self.selector.modify(one, events, ready)
        else:
            self.selector.register(one, events, ready)

    def forget(self, one: socket.socket) -> None:
        with suppress(KeyError, ValueError):
            self.selector.unregister(one)

    # --- servers --------------------------------------------------------------------------------------------------

    def serve(self, listener: Listener) -> None:
        v6 = ":" in listener.address or not listener.address
        one = self.make_socket(listener.space, v6=v6, udp=listener.udp)
        self.servers.append(self.sockets.pop())
        if v6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, listener.v6only or bool(listener.address))
        if listener.udp:
            one.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
            if v6:
                one.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)
        one.bind((listener.address, listener.port))
        if listener.udp:
            self.watch(one, lambda: self._datagram(one, listener))
        else:
            one.listen(512)
            self.watch(one, lambda: self._accept(one, listener))

    def _accept(self, one: socket.socket, listener: Listener) -> None:
        with suppress(BlockingIOError, ConnectionError):
            while True:
                peer, _ = one.accept()
                peer.setblocking(False)
                self.sockets.append(peer)
                self.watch(peer, partial(self._request, peer, bytearray(), listener))

    def _request(self, peer: socket.socket, got: bytearray, listener: Listener) -> None:
        try:
            chunk = peer.recv(1 << 16)
        except OSError:
            chunk = b""
        if not chunk:
            self.forget(peer)
            return
        got += chunk
        size, newline, _ = bytes(got[:20]).partition(b"\n")
        if not newline or len(got) < int(size):
            return
        try:
            answer = _answer(listener, peer.getsockname(), peer.getpeername(), int(size))
        except OSError:
            self.forget(peer)
            return
        self.watch(peer, partial(self._pour, peer, bytearray(answer)), selectors.EVENT_WRITE)

    def _pour(self, peer: socket.socket, rest: bytearray) -> None:
        with suppress(OSError):
            del rest[: peer.send(rest)]
        if not rest:
            self.forget(peer)

    def _datagram(self, one: socket.socket, listener: Listener) -> None:
        with suppress(OSError):
            while True:
                data, info, _, peer = one.recvmsg(1 << 16, 512)
                size = int(data.partition(b"\n")[0])
                local, reply = _packet_info(info)
                answer = _answer(listener, (local, listener.port), peer, size)
                one.sendmsg([answer], reply, 0, peer)

    # --- clients --------------------------------------------------------------------------------------------------

    def begin(self, probe: Probe) -> None:
        one = self.make_socket(probe.space, v6=probe.v6, udp=probe.udp)
        try:
            one.bind((probe.source or ("::" if probe.v6 else "0.0.0.0"), probe.sport))
            one.connect((probe.address, probe.port))
        except BlockingIOError:
            pass
        except OSError as error:
            probe.outcome = _word(error.errno)
            return
        probe.left = f"{probe.size}\n".encode().ljust(max(probe.size, 4), b".")
        if probe.udp:
            self._send_datagram(probe, one)
        else:
            self.watch(one, lambda: self._stream(probe, one), selectors.EVENT_WRITE)

    def _send_datagram(self, probe: Probe, one: socket.socket) -> None:
        try:
            one.send(probe.left)
        except OSError as error:
            probe.outcome = _word(error.errno)
            return
        probe.resend = lambda: self._send_again(probe, one)
        self.watch(one, lambda: self._receive(probe, one))

    def _send_again(self, probe: Probe, one: socket.socket) -> None:
        with suppress(OSError):
            one.send(probe.left)

    def _stream(self, probe: Probe, one: socket.socket) -> None:
        failed = one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if failed:
            self._done(probe, one, _word(failed))
            return
        probe.connected = True
        try:
            probe.left = probe.left[one.send(probe.left) :]
        except BlockingIOError:
            return
        except OSError as error:
            self._done(probe, one, _word(error.errno))
            return
        if not probe.left:
            self.watch(one, lambda: self._receive(probe, one))

    def _receive(self, probe: Probe, one: socket.socket) -> None:
        try:
            chunk = one.recv(1 << 16)
        except BlockingIOError:
            return
        except OSError as error:
            self._done(probe, one, _word(error.errno))
            return
        probe.got += chunk
        if not chunk:
            self._done(probe, one, "reset")
        elif b"\n" in probe.got and len(probe.got) >= probe.size:
            name, address, port, seen = probe.got.partition(b"\n")[0].decode().split()
            probe.server, probe.asked, probe.seen = name, (address, int(port)), seen
            self._done(probe, one, "ok")

    def _done(self, probe: Probe, one: socket.socket, outcome: str) -> None:
        probe.outcome = outcome
        self.forget(one)


def _answer(listener: Listener, local: Sequence[object], peer: Sequence[object], size: int) -> bytes:
    line = f"{listener.space.name} {_plain(local[0])} {local[1]} {_plain(peer[0])}\n"
    return line.encode().ljust(size, b".")


def _plain(address: object) -> str:
    return str(address).removeprefix("::ffff:").partition("%")[0]


def _packet_info(
    info: Iterator[tuple[int, int, bytes]] | list[tuple[int, int, bytes]],
) -> tuple[str, list[tuple[int, int, bytes]]]:
    """The address a datagram was sent to, and what makes the answer come from it (ip(7), ipv6(7))."""
    for level, kind, data in info:
        if level == socket.IPPROTO_IP and kind == IP_PKTINFO:
            _, _, to = struct.unpack("i4s4s", data[:12])
            return socket.inet_ntop(socket.AF_INET, to), [
                (level, kind, struct.pack("i4s4s", 0, to, bytes(4)))
            ]
        if level == socket.IPPROTO_IPV6 and kind == IPV6_PKTINFO:
            address = socket.inet_ntop(socket.AF_INET6, data[:16])
            return _plain(address), [(level, kind, data[:16] + bytes(4))]
    return "", []


def _word(number: int | None) -> str:
    return WORDS.get(number or 0, errno.errorcode.get(number or 0, "error"))
