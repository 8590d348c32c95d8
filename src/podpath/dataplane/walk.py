"""One packet on its way: what it is, where it is, and what was noted of it."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

import msgspec

from podpath.dataplane.conntrack import CtView, Tracker
from podpath.dataplane.decisions import Decider
from podpath.dataplane.routing import FibResult
from podpath.dataplane.segment import Station
from podpath.model.addr import is_v4
from podpath.model.flow import Packet
from podpath.model.linux.link import Link
from podpath.model.linux.netfilter import Rule, Table
from podpath.model.linux.route import NextHop
from podpath.model.network import Netns, Network
from podpath.model.origin import NOWHERE, Origin
from podpath.model.refs import NetnsId
from podpath.model.trace import Disposition, Hop, Step, Symptom, Trace

MOST_STAGES = 400
"""A packet that passes more stages runs in a circle that no TTL ends (bridges only)."""


class Outcome(enum.Enum):
    """How a stage ends; ``pipeline.PIPELINE`` says which stage comes next."""

    __hash__ = object.__hash__  # as in ``pipeline.Stage``
    NEXT = "next"
    LOCAL = "local"
    FORWARD = "forward"
    UP = "up to layer 3"
    ACROSS = "across the bridge"
    LOOPBACK = "loopback"
    BRIDGE = "into the bridge"
    TUNNEL = "into the tunnel"
    DECAPSULATED = "out of the tunnel"
    CABLE = "to the peer"
    WIRE = "to the underlay"
    END = "end"


@dataclass
class Walk:
    """The state of one packet; stages read and change it."""

    network: Network
    decider: Decider
    tracker: Tracker
    leg: str
    netns: Netns
    packet: Packet
    any_listener: bool = False
    iif: str = ""
    oif: str = ""
    phys_in: str = ""
    phys_out: str = ""
    bridged: bool = False
    """Whether br_netfilter shows the packet as bridged (physdev-is-bridged)."""
    pre_done: bool = False
    """Whether PREROUTING already ran in the bridge (ip_sabotage_in)."""
    looped: bool = False
    """Whether the packet came over lo and keeps its conntrack entry."""
    ct: CtView | None = None
    dst_mac: str = ""
    """Destination of the frame; empty when it is the receiving device's own."""
    fib: FibResult | None = None
    hop: NextHop | None = None
    receiver: Station | None = None
    """The node device that answered for the next hop on the underlay."""
    sender_port: str = ""
    """The bridge port a frame came in by."""
    related: Packet | None = None
    """The packet an ICMP error is about."""
    inner: tuple[Packet, NetnsId] | None = None
    """The packet inside a tunnel's outer packet, and where it was wrapped."""
    tunnel: Link | None = None
    vni: int | None = None
    inner_mac: str = ""
    inner_related: Packet | None = None
    local_out: bool = False
    """Whether this packet was sent by this namespace (not forwarded)."""
    too_big: int = 0
    """MTU that a hop told in an ICMP error, for the sender."""
    error: str = ""
    """What the end of the way sends back to the sender: ``tcp-reset``, or an ICMP error as iptables names it."""
    at_socket: bool = False
    """Whether a socket got the packet, or would have: its conntrack entry is left behind (nf_reset_ct)."""
    mss: int = 0
    """The MSS that rules on the way put into a SYN; 0 where none did."""
    chain: str = ""
    """The chain that is visited."""
    rerouted: bool = False
    """Whether a chain of LOCAL_OUT changed what the packet is routed by."""
    steps: list[Step] = field(default_factory=list)
    hops: list[Hop] = field(default_factory=list)
    disposition: Disposition | None = None
    symptom: Symptom = Symptom.NONE
    visited: int = 0
    server: tuple[NetnsId, int, int] | None = None
    exit_place: tuple[NetnsId, str] | None = None
    """Namespace and device by which the packet left sight."""
    first_packet: Packet | None = None
    """What the sending socket sent: the packet with its source address, before any translation."""
    _hop_start: tuple[str, Packet] = ("", Packet(0, 0, 0, 0, 0))

    def __post_init__(self) -> None:
        """The first hop begins where the walk begins."""
        self._hop_start = (self.iif, self.packet)

    @property
    def v4(self) -> bool:
        """The family of the packet at hand."""
        return is_v4(self.packet.dst)

    @property
    def link(self) -> Link | None:
        """The device the packet came in by, or leaves by."""
        return (self.netns.links or {}).get(self.oif or self.iif)

    def change(self, **fields: object) -> None:
        """Replace fields of the packet."""
        self.packet = msgspec.structs.replace(self.packet, **fields)

    def note(self, stage: str, text: str, origin: Origin = NOWHERE, **more: object) -> None:
        """Remember a step."""
        self.steps.append(Step(stage, text, origin, **more))  # type: ignore[arg-type]

    def note_rule(
        self, stage: str, text: str, table: Table, chain: str, rule: Rule | None, **more: object
    ) -> None:
        """Remember a step that a rule decided."""
        origin = table.origin(rule) if rule is not None else table.chain_origin(table.chains[chain])
        ident = f"{table.backend}/{table.family}/{table.name}"
        self.steps.append(Step(stage, text, origin, table=ident, chain=chain, rule=rule, **more))  # type: ignore[arg-type]

    def end(self, disposition: Disposition, symptom: Symptom, step: Step | None = None) -> Outcome:
        """The packet's way ends here."""
        if step is not None:
            self.steps.append(step)
        self.disposition = disposition
        self.symptom = symptom
        self.close_hop()
        return Outcome.END

    def blind(self, stage: str, question: str, origin: Origin = NOWHERE) -> Outcome:
        """Sight ends: what happens is not known, and ``question`` would decide it."""
        return self.end(
            Disposition.INSUFFICIENT_INFO, Symptom.UNKNOWN, Step(stage, question, origin, kind="unreadable")
        )

    def close_hop(self) -> None:
        """The packet leaves this namespace, or ends in it."""
        dev, packet = self._hop_start
        self.hops.append(Hop(self.netns.id, dev, packet, tuple(self.steps), self.inner is not None))
        self.steps = []

    def enter(self, netns: Netns, dev: str) -> None:
        """The packet arrives in another namespace: mark, conntrack and route are left behind (skb_scrub_packet)."""
        self.close_hop()
        self.netns = netns
        self.iif, self.oif = dev, ""
        self.phys_in = self.phys_out = self.sender_port = ""
        self.bridged = self.pre_done = self.looped = self.local_out = False
        self.ct = None
        self.fib = self.hop = None
        if self.packet.mark:
            self.change(mark=0)
        self._hop_start = (dev, self.packet)

    def reenter(self, dev: str) -> None:
        """The packet begins anew on another device of the same namespace (tunnel, lo)."""
        self.close_hop()
        self.iif, self.oif = dev, ""
        self.phys_in = self.phys_out = self.sender_port = ""
        self.bridged = self.pre_done = self.local_out = False
        self.fib = self.hop = None
        self._hop_start = (dev, self.packet)

    def restart_hop(self) -> None:
        """The hop that just began is about another packet (the inner one of a tunnel)."""
        self._hop_start = (self.iif, self.packet)

    def retag(self, kind: str, text: str, disposition: Disposition | None = None) -> None:
        """The way ended here for a reason that shows only in the whole: another kind and text for the last step."""
        hop = self.hops[-1]
        last = hop.steps[-1] if hop.steps else Step("end", "")
        said = f"{last.text}: {text}" if last.text and last.kind else text
        step = msgspec.structs.replace(last, kind=kind, text=said, packet=self.packet)
        self.hops[-1] = msgspec.structs.replace(hop, steps=(*hop.steps[:-1], step))
        if disposition is not None:
            self.disposition = disposition

    def trace(self) -> Trace:
        """What was walked."""
        if self.disposition is None:
            self.end(
                Disposition.INSUFFICIENT_INFO,
                Symptom.UNKNOWN,
                Step("end", "the walk did not end", kind="unreadable"),
            )
        return Trace(
            self.leg,
            tuple(self.hops),
            self.disposition or Disposition.INSUFFICIENT_INFO,
            self.packet,
            self.netns.id,
        )
