"""Who listens where, in the namespace in which a connection ended."""

from __future__ import annotations

from collections.abc import Iterator

from podpath.checks.case import Case
from podpath.model.addr import LOOPBACK_V4, LOOPBACK_V6, format_addr
from podpath.model.flow import SCTP, TCP, UDP, protocol_name
from podpath.model.kube.pod import Pod
from podpath.model.linux.sockets import Socket
from podpath.model.network import Netns

LISTENING = {TCP: ("LISTEN",), UDP: ("UNCONN",), SCTP: ("LISTEN", "UNCONN")}


def listeners(netns: Netns, protocol: int | None = None) -> Iterator[Socket]:
    """The sockets that take connections (of a protocol)."""
    for one in netns.sockets or ():
        if protocol in (None, one.protocol) and one.state in LISTENING.get(one.protocol, ()):
            yield one


def is_loopback(socket: Socket) -> bool:
    """Whether only the namespace itself reaches it."""
    return socket.local is not None and (socket.local in LOOPBACK_V4 or socket.local == LOOPBACK_V6)


def socket_text(socket: Socket) -> str:
    """``8080/tcp (nginx)``, ``127.0.0.1:8080/tcp``."""
    where = "" if socket.local is None else f"{format_addr(socket.local)}:"
    who = f" ({socket.process})" if socket.process else ""
    return f"{where}{socket.port}/{protocol_name(socket.protocol)}{who}"


def server_pod(case: Case) -> Pod | None:
    """The Pod in whose namespace the step stands; of a node's namespace, the one that is to listen there."""
    if not case.netns.is_host:
        namespace, name = case.netns.id.split("/", 2)[1:]
        return case.network.cluster.pods.get((namespace, name))
    packet = case.step.packet or case.trace.packet
    pods = case.network.cluster.pods_by_ip.get(packet.dst, ())
    wanted = (pod for pod in pods if any(port.container_port == packet.dport for port in pod.ports()))
    return next(wanted, None)
