"""What happens to a connection: traces of hops (network namespaces) of steps (decisions with their reason)."""

from __future__ import annotations

import enum

import msgspec

from podpath.model.flow import Flow, Packet
from podpath.model.linux.netfilter import Rule
from podpath.model.origin import NOWHERE, Origin
from podpath.model.refs import NetnsId


class Disposition(enum.Enum):
    """How a packet's way ends (Batfish's word, with additions for one machine's network stack)."""

    ACCEPTED = "accepted"
    EXITS_NETWORK = "exits-network"
    DENIED_IN = "denied-in"
    DENIED_FORWARD = "denied-forward"
    DENIED_OUT = "denied-out"
    NO_ROUTE = "no-route"
    NULL_ROUTED = "null-routed"
    NOT_FORWARDED = "not-forwarded"
    MISDELIVERED = "misdelivered"
    NEIGHBOR_UNREACHABLE = "neighbor-unreachable"
    LOOP = "loop"
    MARTIAN_SOURCE = "martian-source"
    NO_STATE = "no-state"
    REPLY_LOST = "reply-lost"
    TOO_BIG = "too-big"
    NO_LISTENER = "no-listener"
    SOCKET_FULL = "socket-full"
    UNRESOLVED = "unresolved"
    LEAVES_SIGHT = "leaves-sight"
    INSUFFICIENT_INFO = "insufficient-info"


class Symptom(enum.Enum):
    """What the client sees."""

    NONE = "none"
    TIMEOUT = "timeout"
    REFUSED = "connection refused"
    HOST_UNREACHABLE = "no route to host"
    NET_UNREACHABLE = "network is unreachable"
    NOT_PERMITTED = "operation not permitted"
    ACCESS = "permission denied"
    INVALID = "invalid argument"
    PROTOCOL_UNREACHABLE = "protocol not available"
    HANGS = "connects, then large data hangs"
    NO_SUCH_HOST = "no such host"
    UNKNOWN = "not known"


class Step(msgspec.Struct, frozen=True, gc=False):
    """One decision and its reason.

    ``kind`` is empty for an ordinary step, and for a step that ends or bends a connection one of the kinds of the
    table ``docs/packet-path.md`` (chain-policy-drop, rule-drop, no-route, forwarding-off, hairpin ...).
    """

    stage: str
    """Where in the pipeline: route, PREROUTING, bridge, neighbor, vxlan, socket ..."""
    text: str
    origin: Origin = NOWHERE
    kind: str = ""
    table: str = ""
    """``nft/ip/filter``: back end, family and name of the table."""
    chain: str = ""
    hook: str = ""
    rule: Rule | None = None
    dev: str = ""
    key: str = ""
    """The sysctl, address or name the decision hangs on."""
    packet: Packet | None = None
    """The packet as it is after the step, where the step changed it or ended it."""


class Hop(msgspec.Struct, frozen=True, gc=False):
    """A network namespace on the way. ``dev`` is the device the packet came in by; empty where it began."""

    netns: NetnsId
    dev: str
    packet: Packet
    steps: tuple[Step, ...]
    outer: bool = False
    """Whether the hop is that of a tunnel's outer packet."""


class Trace(msgspec.Struct, frozen=True, gc=False):
    """The way of one packet from its sender to its end."""

    leg: str
    """request, reply, data, or the same with ``icmp`` for an error message on its way back."""
    hops: tuple[Hop, ...]
    disposition: Disposition
    packet: Packet
    """As it was at the end."""
    netns: NetnsId
    """Where it ended."""

    @property
    def last(self) -> Step:
        """The step that ended it."""
        for hop in reversed(self.hops):
            if hop.steps:
                return hop.steps[-1]
        return Step("start", "nothing happened")


class Branch(msgspec.Struct, frozen=True, gc=False):
    """One way a connection can go: its traces in order of time and how it ends."""

    probability: float
    """Of this branch among the random choices, given the assumptions."""
    assumptions: tuple[str, ...]
    """What had to be assumed where a match or a state was not known."""
    traces: tuple[Trace, ...]
    works: bool | None
    """None: not known, whatever is assumed."""
    symptom: Symptom
    server: tuple[NetnsId, int, int] | None = None
    """Namespace, address and port where the request was accepted; the namespace is empty outside."""
    seen_as: int | None = None
    """The client's address as the server sees it."""

    @property
    def end(self) -> Trace:
        """The trace that decided."""
        return self.traces[-1]

    @property
    def disposition(self) -> Disposition:
        """How it ends."""
        return self.traces[-1].disposition


class Verdict(enum.Enum):
    """What may be said of a connection."""

    WORKS = "works"
    FAILS = "fails"
    SOMETIMES = "sometimes"
    UNKNOWN = "unknown"


class Answer(msgspec.Struct, frozen=True, gc=False):
    """What is known about a flow: all its branches, and the verdict over them."""

    flow: Flow
    branches: tuple[Branch, ...]
    verdict: Verdict
    probability: float | None
    """Of success; None where it is not known."""
    questions: tuple[str, ...] = ()
    """What would decide it, where the verdict is unknown."""

    @property
    def failing(self) -> tuple[Branch, ...]:
        """The branches that fail."""
        return tuple(branch for branch in self.branches if branch.works is False)

    @property
    def seen_as(self) -> tuple[int, ...]:
        """The client's addresses that servers see, in branches that work."""
        return tuple(sorted({b.seen_as for b in self.branches if b.works and b.seen_as is not None}))
