"""A question is a connection: the first packet out, the reply back, then full-size data.

``trace_flow`` follows all of it, over every choice, and says what may be said.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from podpath.dataplane.conntrack import Tracker
from podpath.dataplane.decisions import Choice, Decider, explore, probability, success_bounds
from podpath.dataplane.errors import error_walk, hears
from podpath.dataplane.pipeline import Stage, run
from podpath.dataplane.reach import (
    cluster_address,
    external_service_addresses,
    pod_entrance,
    underlay_knows_pods,
)
from podpath.dataplane.rewrites import headers
from podpath.dataplane.segment import Station
from podpath.dataplane.stages.forward import path_mtu
from podpath.dataplane.stages.output import route_output
from podpath.dataplane.stages.underlay import deliver_by_address
from podpath.dataplane.walk import Walk
from podpath.model.addr import LINK_LOCAL_V4, format_addr
from podpath.model.flow import EPHEMERAL_PORT, ICMP, ICMPV6, TCP, UDP, Flow, Packet, endpoint_text
from podpath.model.network import Netns, Network
from podpath.model.origin import NOWHERE
from podpath.model.refs import NetnsId
from podpath.model.trace import Answer, Branch, Disposition, Step, Symptom, Verdict

SYN, SYN_ACK, ACK = 2, 18, 24
MOST_RESENDS = 6
"""How often a sender may shrink its packets before the walk gives up."""
ETHERNET_MTU = 1500
"""What is assumed of hosts that are not in the bundle."""


def trace_flow(network: Network, flow: Flow, *, any_listener: bool = False) -> Answer:
    """Everything that can happen to a connection, and the verdict over it.

    ``any_listener``: whether a socket waits is not asked; what reaches the namespace has arrived.
    """
    remembers = flow.sport != EPHEMERAL_PORT
    leaves, complete = explore(
        lambda decider: _Question(network, flow, decider, any_listener, Tracker(remembers=remembers)).answer()
    )
    branches = tuple(_weighed(branch, choices) for choices, branch in leaves)
    low, high = success_bounds([(choices, branch.works) for choices, branch in leaves])
    if not complete:
        low, high = 0.0, 1.0 if high > 0 else 0.0
    return Answer(
        flow,
        branches,
        _verdict(low, high),
        low if high - low < 1e-9 else None,
        _questions(branches, low, high),
    )


def _verdict(low: float, high: float) -> Verdict:
    nearly = 1e-6
    if high < nearly:
        return Verdict.FAILS
    if low > 1 - nearly:
        return Verdict.WORKS
    if low > nearly and high < 1 - nearly:
        return Verdict.SOMETIMES
    return Verdict.SOMETIMES if high - low < nearly else Verdict.UNKNOWN


def _questions(branches: tuple[Branch, ...], low: float, high: float) -> tuple[str, ...]:
    if high - low < 1e-9:
        return ()
    asked = dict.fromkeys(question for branch in branches for question in branch.assumptions)
    asked |= dict.fromkeys(
        b.end.last.text for b in branches if b.disposition is Disposition.INSUFFICIENT_INFO
    )
    return tuple(asked)


def _weighed(branch: Branch, choices: tuple[Choice, ...]) -> Branch:
    assumptions = tuple(
        f"{choice.question}: {'no' if choice.chosen == 0 else 'yes'}"
        for choice in choices
        if not choice.is_random
    )
    return msgspec.structs.replace(branch, probability=probability(choices), assumptions=assumptions)


@dataclass
class _Question:
    """One run over one way: the legs of a connection, one after the other."""

    network: Network
    flow: Flow
    decider: Decider
    any_listener: bool = False
    tracker: Tracker = field(default_factory=Tracker)
    walks: list[Walk] = field(default_factory=list)
    client: Packet | None = None
    """The request as the client's socket has it."""
    seen: Packet | None = None
    """The request as the server sees it."""
    exit_place: tuple[NetnsId, str] | None = None
    server: tuple[NetnsId, int, int] | None = None
    mss: tuple[int, int] = (0, 0)
    """The size of segments that the SYN and the SYN-ACK allow, where rules changed it; else 0."""

    def answer(self) -> Branch:
        """All legs, until one fails."""
        request = self._request()
        if request.disposition is Disposition.EXITS_NETWORK:
            return self._outside(request)
        if request.disposition is not Disposition.ACCEPTED:
            return self._ends(request)
        self.seen, self.server, self.mss = request.packet, request.server, (_mtu_of(request), 0)
        reply = self._send("reply", request.netns, self._reply_packet(request.packet))
        return self._after_reply(reply)

    def _after_reply(self, reply: Walk) -> Branch:
        self.mss = (self.mss[0], _mtu_of(reply))
        lost = self._lost(reply)
        if lost is not None:
            return lost
        if self.flow.protocol == TCP or (self.flow.size and self.flow.protocol == UDP):
            return self._data()
        return self._branch(works=True, symptom=Symptom.NONE)

    # --- the first packet -----------------------------------------------------------------------------------------

    def _request(self) -> Walk:
        flow = self.flow
        packet = Packet(
            flow.protocol,
            flow.src or 0,
            flow.dst,
            flow.sport,
            flow.dport,
            length=60 if flow.v4 else 80,
            tcp_flags=SYN,
            icmp_type=8 if flow.v4 else 128,
            uid=flow.uid,
        )
        if flow.netns:
            netns = self.network.namespaces.get(flow.netns)
            if netns is None:
                return self._unseen(
                    "request", packet, f"the network namespace {flow.netns} is not in the bundle"
                )
            walk = self._send("request", netns, packet)
            self.client = walk.first_packet or packet
            return walk
        self.client = packet
        entrance = self._entrance(flow.dst)
        if entrance is None:
            return self._unseen(
                "request", packet, f"which node gets packets from outside for {format_addr(flow.dst)}"
            )
        return self._arrive("request", entrance, packet)

    def _entrance(self, addr: int) -> Station | None:
        """Where a packet from outside enters: at the holder of the address; for a balancer's address anywhere."""
        station = deliver_by_address(self.network, addr)
        if station is not None:
            return station
        if addr in self.network.cluster.pods_by_ip:
            return pod_entrance(self.network, addr, self.decider)
        if addr in external_service_addresses(self.network):
            nodes = sorted(
                netns.id for netns in self.network.namespaces.values() if netns.is_host and netns.addresses
            )
            if not nodes:
                return None
            chosen = self.network.namespaces[
                nodes[self.decider.unknown(f"which node gets packets for {format_addr(addr)}", len(nodes))]
            ]
            return next(
                (
                    s
                    for a in chosen.addresses or ()
                    if (s := deliver_by_address(self.network, a.addr)) is not None
                ),
                None,
            )
        return None

    def _outside(self, request: Walk) -> Branch:
        """The request left for a host that we do not see: does it belong there, and can it answer?"""
        packet = request.packet
        if cluster_address(self.network, packet.dst):
            request.retag(
                "wrong-route",
                f"{format_addr(packet.dst)} is an address of the cluster, but the packet leaves it",
            )
            return self._branch(works=False, symptom=Symptom.TIMEOUT)
        if packet.dst in external_service_addresses(self.network):
            return self._branch(works=None, symptom=Symptom.UNKNOWN)
        if packet.dst in LINK_LOCAL_V4:
            text = f"whether anybody beside this node answers for the link-local address {format_addr(packet.dst)}"
            request.retag("unreadable", text, Disposition.INSUFFICIENT_INFO)
            return self._branch(works=None, symptom=Symptom.UNKNOWN)
        self.seen, self.exit_place, self.mss = packet, request.exit_place, (_mtu_of(request), 0)
        self.server = (NetnsId(""), packet.dst, packet.dport)
        back = msgspec.structs.replace(self._reply_packet(packet), mark=0)
        station = deliver_by_address(self.network, packet.src)
        if station is None:
            if not underlay_knows_pods(self.network, packet, self.flow, self.decider):
                text = f"the source {format_addr(packet.src)} is unknown outside: nobody can answer it"
                request.retag("source-unanswerable", text)
                return self._branch(works=False, symptom=Symptom.TIMEOUT)
            station = pod_entrance(self.network, packet.src, self.decider)
        if station is None:
            return self._branch(works=None, symptom=Symptom.UNKNOWN)
        return self._after_reply(self._arrive("reply", station, back))

    # --- the reply ------------------------------------------------------------------------------------------------

    def _reply_packet(self, request: Packet) -> Packet:
        return Packet(
            request.protocol,
            request.dst,
            request.src,
            request.sport if request.protocol in (ICMP, ICMPV6) else request.dport,
            request.dport if request.protocol in (ICMP, ICMPV6) else request.sport,
            length=60 if request.v4 else 80,
            tcp_flags=SYN_ACK,
            icmp_type=0 if request.v4 else 129,
        )

    def _lost(self, reply: Walk) -> Branch | None:
        """None when the reply reached the asking socket with the addresses it expects."""
        if reply.disposition is Disposition.INSUFFICIENT_INFO:
            return self._branch(works=None, symptom=Symptom.UNKNOWN)
        client, got = self.client, reply.packet
        if client is None:
            return self._branch(works=None, symptom=Symptom.UNKNOWN)
        if self.flow.netns:
            home = reply.disposition is Disposition.ACCEPTED and reply.netns.id == self.flow.netns
        else:
            home = reply.disposition is Disposition.EXITS_NETWORK and got.dst == client.src
        if home and (got.src, got.sport, got.dst, got.dport) == (
            client.dst,
            client.dport,
            client.src,
            client.sport,
        ):
            return None
        if home and client.protocol in (ICMP, ICMPV6) and (got.src, got.dst) == (client.dst, client.src):
            return None
        if home and (got.src, got.sport) != (client.dst, client.dport):
            came, asked = endpoint_text(got.src, got.sport), endpoint_text(client.dst, client.dport)
            text = f"the reply comes from {came}, but the client asked {asked}"
            reply.retag("reply-not-untranslated", text, Disposition.REPLY_LOST)
        elif reply.disposition in (Disposition.ACCEPTED, Disposition.EXITS_NETWORK):
            where = reply.netns.id if reply.disposition is Disposition.ACCEPTED else "the network outside"
            reply.retag(
                "reply-elsewhere",
                f"the reply to {format_addr(got.dst)} goes to {where}, not to the client",
                Disposition.REPLY_LOST,
            )
        return self._branch(works=False, symptom=Symptom.TIMEOUT)

    # --- data: the third packet of TCP's handshake and a few bytes, or full-size segments ----------------------------

    def _data(self) -> Branch:
        client, seen = self.client, self.seen
        if client is None or seen is None or self.server is None:
            return self._branch(works=None, symptom=Symptom.UNKNOWN)
        there = msgspec.structs.replace(client, tcp_flags=ACK, mark=0, ttl=64)
        back = msgspec.structs.replace(self._reply_packet(seen), tcp_flags=ACK)
        ends = (self.flow.netns or None, self.server[0] or None)
        mtus = (
            (self._device_mtu(ends[0], there), self._device_mtu(ends[1], back)) if self.flow.size else (0, 0)
        )
        for sender, packet, wanted, own, told in (
            (ends[0], there, seen, mtus[0], self.mss[1] or mtus[1]),
            (ends[1], back, _turned(client), mtus[1], self.mss[0] or mtus[0]),
        ):
            failed = self._stream(sender, packet, wanted, self._most(packet, own, told))
            if failed is not None:
                return failed
        return self._branch(works=True, symptom=Symptom.NONE)

    def _most(self, packet: Packet, own: int, told: int) -> int:
        """The size of a sender's largest packets.

        TCP's depend on the MTU of the other end, too (its MSS); a datagram too large for its own device is cut there.
        """
        if not self.flow.size:
            return packet.length
        if packet.protocol == UDP:
            return min(own, self.flow.size + headers(v4=packet.v4) - 12)
        return min(own, told, self.flow.size + headers(v4=packet.v4))

    def _device_mtu(self, netns_id: NetnsId | None, packet: Packet) -> int:
        """The MTU a host builds its segments for: of its route, and told to the other side as MSS (tcp_mss)."""
        netns = self.network.namespaces.get(netns_id) if netns_id is not None else None
        if netns is None or netns.links is None:
            return ETHERNET_MTU
        probe = Walk(self.network, Decider(), Tracker(), "probe", netns, packet)
        route_output(probe)
        return path_mtu(probe) if probe.oif else ETHERNET_MTU

    def _stream(self, sender: NetnsId | None, packet: Packet, wanted: Packet, most: int) -> Branch | None:
        """Packets one way, to arrive as ``wanted``; the sender shrinks them when it is told (tcp_v4_mtu_reduced)."""
        size = most
        silence = Symptom.HANGS if self.flow.size else Symptom.TIMEOUT
        for _ in range(MOST_RESENDS):
            sized = msgspec.structs.replace(packet, length=size)
            if sender is not None:
                walk = self._send("data", self.network.namespaces[sender], sized)
            else:
                station = deliver_by_address(self.network, packet.dst)
                if station is None:
                    return None
                walk = self._arrive("data", station, sized)
            if walk.disposition in (Disposition.ACCEPTED, Disposition.EXITS_NETWORK):
                return self._as_wanted(walk, wanted, silence)
            if walk.disposition is Disposition.INSUFFICIENT_INFO:
                return self._branch(works=None, symptom=Symptom.UNKNOWN)
            if not walk.too_big or walk.too_big >= size:
                return self._branch(works=False, symptom=silence)
            told, error = self._told(walk, sender, packet)
            self.walks.append(error)
            if not told:
                error.retag("too-big-silent", "the ICMP error that tells the sender the MTU never reaches it")
                return self._branch(works=False, symptom=silence)
            size = walk.too_big
        return self._branch(works=False, symptom=silence)

    def _as_wanted(self, walk: Walk, wanted: Packet, silence: Symptom) -> Branch | None:
        """None when data arrived as the connection's: what conntrack picked up in the middle may be translated anew."""
        got = walk.packet
        if _ends_of(got) == _ends_of(wanted):
            return None
        where = f"{format_addr(got.src)}:{got.sport} -> {format_addr(got.dst)}:{got.dport}"
        walk.retag(
            "reply-not-untranslated",
            f"data arrives as {where}, which is another connection",
            Disposition.REPLY_LOST,
        )
        return self._branch(works=False, symptom=silence)

    def _told(self, ended: Walk, sender: NetnsId | None, sent: Packet) -> tuple[bool, Walk]:
        """Whether the error that the end of a walk sends reaches the socket it is about, and its own walk."""
        error = error_walk(ended, f"{ended.leg} icmp")
        run(error, Stage.PORT_SEND if error.phys_out else Stage.ROUTE_OUTPUT)
        if sender is None:
            home = error.disposition is Disposition.EXITS_NETWORK and error.packet.dst == sent.src
        else:
            home = error.disposition is Disposition.ACCEPTED and error.netns.id == sender
        return home and hears(sent, error), error

    # --- walking --------------------------------------------------------------------------------------------------

    def _send(self, leg: str, netns: Netns, packet: Packet) -> Walk:
        walk = Walk(
            self.network, self.decider, self.tracker, leg, netns, packet, any_listener=self.any_listener
        )
        run(walk, Stage.ROUTE_OUTPUT)
        self.walks.append(walk)
        return walk

    def _arrive(self, leg: str, station: Station, packet: Packet) -> Walk:
        walk = Walk(
            self.network,
            self.decider,
            self.tracker,
            leg,
            station.netns,
            packet,
            iif=station.link.name,
            any_listener=self.any_listener,
        )
        run(walk, Stage.RECEIVE)
        self.walks.append(walk)
        return walk

    def _unseen(self, leg: str, packet: Packet, question: str) -> Walk:
        nowhere = Netns(NetnsId(""), "", "")
        walk = Walk(self.network, self.decider, self.tracker, leg, nowhere, packet)
        walk.end(
            Disposition.INSUFFICIENT_INFO,
            Symptom.UNKNOWN,
            Step("start", question, NOWHERE, kind="unreadable"),
        )
        self.walks.append(walk)
        return walk

    def _ends(self, request: Walk) -> Branch:
        if request.disposition is Disposition.INSUFFICIENT_INFO:
            self.server = request.server
            self.seen = request.packet if request.server is not None else None
            return self._branch(works=None, symptom=Symptom.UNKNOWN)
        symptom = request.symptom
        if request.inner is not None:
            symptom = Symptom.TIMEOUT  # what happens to a tunnel's packets is not told to those inside
        elif (
            request.error
            and self.client is not None
            and not self._told(request, self.flow.netns or None, self.client)[0]
        ):
            symptom = Symptom.TIMEOUT
        return self._branch(works=False, symptom=symptom)

    def _branch(self, *, works: bool | None, symptom: Symptom) -> Branch:
        traces = tuple(walk.trace() for walk in self.walks)
        return Branch(
            1.0, (), traces, works, symptom, self.server, self.seen.src if self.seen is not None else None
        )


def _mtu_of(walk: Walk) -> int:
    """The size of segments that a SYN's MSS allows, where rules changed it; else 0."""
    return walk.mss + headers(v4=walk.v4) if walk.mss else 0


def _ends_of(packet: Packet) -> tuple[int, int, int, int]:
    """By what a socket knows its packets."""
    return packet.src, packet.sport, packet.dst, packet.dport


def _turned(packet: Packet) -> Packet:
    """The packet that answers."""
    return msgspec.structs.replace(
        packet, src=packet.dst, dst=packet.src, sport=packet.dport, dport=packet.sport
    )
