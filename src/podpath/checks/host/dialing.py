"""Connections that somebody was seen to fail at: who, to whom, how, and what the model says of the same flow."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from podpath.checks.host.log_lines import Said, said
from podpath.dataplane.tracer import trace_flow
from podpath.model.addr import parse_addr
from podpath.model.flow import PROTOCOL_NUMBERS, TCP, Flow
from podpath.model.network import Network
from podpath.model.refs import NetnsId, node_netns, pod_netns
from podpath.model.trace import Verdict

DIALED = re.compile(
    r"(?:dial|read|write) (tcp|udp)[46]?:? (?:\S*?->)?\[?([0-9a-fA-F.:]+?)\]?:(\d+): (?:connect: "
    r"|read: |write: )?([\w /]+)"
)
REQUESTED = re.compile(
    r'https?://\[?([0-9a-fA-F.:]+?)\]?(?::(\d+))?/[^"\s]*"?: .*?'
    r"(TLS handshake timeout|context deadline exceeded|Client\.Timeout)"
)
TIMEOUT, REFUSED, NO_ROUTE = "i/o timeout", "connection refused", "no route to host"
HOW = {
    "i/o timeout": TIMEOUT,
    "connection timed out": TIMEOUT,
    "TLS handshake timeout": TIMEOUT,
    "context deadline exceeded": TIMEOUT,
    "Client.Timeout": TIMEOUT,
    "connection refused": REFUSED,
    "no route to host": NO_ROUTE,
    "host is unreachable": NO_ROUTE,
}


class Dialed(NamedTuple):
    """A connection that failed, in the words of the one who tried."""

    said: Said
    protocol: int
    addr: int
    port: int
    how: str
    api: bool
    """Whether the line speaks of the API server: of a path that only it has."""

    @property
    def netns(self) -> NetnsId:
        """Where it was tried from, if the speaker has a network of its own."""
        return pod_netns(*self.said.pod) if self.said.pod else node_netns(self.said.node)


@lru_cache(maxsize=4)
def dialed(network: Network) -> tuple[Dialed, ...]:
    """All failed connections that logs tell of."""
    return tuple(_dialed(network))


def _dialed(network: Network) -> Iterator[Dialed]:
    for one in said(network):
        found = DIALED.search(one.text)
        if found is not None:
            how = next((HOW[words] for words in HOW if found[4].strip().startswith(words)), "")
            target, protocol = (found[2], found[3]), PROTOCOL_NUMBERS[found[1]]
        else:
            found = REQUESTED.search(one.text)
            if found is None:
                continue
            how, target, protocol = HOW[found[3]], (found[1], found[2] or "443"), TCP
        try:
            addr = parse_addr(target[0])
        except ValueError:
            continue
        if how:
            api = "/api/v1" in one.text or "/apis/" in one.text
            yield Dialed(one, protocol, addr, int(target[1]), how, api)


def place(network: Network, one: Dialed) -> NetnsId:
    """The namespace a line was said from: a Pod of the host's network speaks from its node."""
    pod = network.cluster.pods.get(one.said.pod) if one.said.pod else None
    if one.said.pod is not None and (pod is None or not pod.host_network):
        return one.netns
    return node_netns(one.said.node)


def model_fails(network: Network, one: Dialed) -> bool:
    """Whether the model fails at the same flow: then the trace tells the cause, and the log is only its echo."""
    netns = place(network, one)
    if netns not in network.namespaces:
        return False
    verdict = trace_flow(network, Flow(netns, one.addr, one.protocol, one.port)).verdict
    return verdict in (Verdict.FAILS, Verdict.SOMETIMES)
