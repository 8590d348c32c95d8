"""The step that breaks a promise, and the promises that break at one step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from podpath.checks.case import Case
from podpath.dataplane.reach import cluster_address
from podpath.diagnosis.judge import Judged
from podpath.model.addr import format_addr
from podpath.model.flow import endpoint_text
from podpath.model.network import Network
from podpath.model.promise import Promise
from podpath.model.refs import NetnsId
from podpath.model.trace import Branch, Disposition, Hop, Step, Trace

SERVICE_KINDS = frozenset(
    {"service", "node-port", "load-balancer", "external-ip", "self", "dns", "api", "asked"}
)
TRANSLATING = ("prerouting", "output")


class CauseKey(NamedTuple):
    """What makes two broken promises one cause."""

    netns: NetnsId
    kind: str
    table: str
    chain: str
    line: int
    file: str
    dev: str
    key: str
    entry: str = ""
    """The entry itself, where a file holds many in one line."""


class Broken(NamedTuple):
    """A broken promise with its branch and the step that broke it."""

    promise: Promise
    branch: Branch
    netns: NetnsId
    step: Step
    trace: Trace
    key: CauseKey


class Group(NamedTuple):
    """All that breaks at one step: an example with its traces, and the promises."""

    key: CauseKey
    example: Broken
    promises: tuple[Promise, ...]

    def case(self, network: Network) -> Case | None:
        """The case that explanations are asked about."""
        example = self.example
        netns = network.namespaces.get(example.netns)
        if netns is None:
            return None
        return Case(
            network, netns, example.step, example.trace, example.branch, example.promise, self.promises
        )


class Causes:
    """Broken promises by the step that breaks them, gathered one by one; of each step only one trace is kept."""

    def __init__(self, network: Network) -> None:
        """``network`` is the one that the promises are walked in."""
        self._network = network
        self._examples: dict[CauseKey, Broken] = {}
        self._promises: dict[CauseKey, dict[int, Promise]] = {}

    def add(self, judged: Judged) -> None:
        """Take the broken branches of a promise."""
        for branch in judged.broken:
            broken = locate(self._network, judged.promise, branch)
            self._examples.setdefault(broken.key, broken)
            self._promises.setdefault(broken.key, {})[id(judged.promise)] = judged.promise

    def groups(self) -> list[Group]:
        """One group a step; the one that breaks most first."""
        found = [
            Group(key, self._examples[key], tuple(promises.values()))
            for key, promises in self._promises.items()
        ]
        return sorted(found, key=lambda group: (-weight(group.promises), group.key))


def weight(promises: Sequence[Promise]) -> int:
    """How many promises these stand for."""
    return sum(promise.stands_for for promise in promises)


def locate(network: Network, promise: Promise, branch: Branch) -> Broken:
    """The deciding step of a broken branch, under its right kind."""
    trace = branch.end
    request = branch.traces[0]
    netns_id, step = trace.netns, trace.last
    untranslated = _untranslated(network, promise, branch)
    if untranslated is not None:
        netns_id, step = untranslated
        trace = _up_to(request, netns_id, step)
    elif branch.works is not False or _strayed(promise, request):
        netns_id, step = _wrong_target(request, branch)
        trace = _up_to(request, netns_id, step)
    elif step.kind == "reply-not-untranslated":
        netns_id, step = _translator(network, branch, step)
        trace = _up_to(trace, netns_id, step)
    elif (
        trace.disposition in (Disposition.EXITS_NETWORK, Disposition.REPLY_LOST) and step.stage == "underlay"
    ):
        step = _wrong_way(network, trace, step)
    return Broken(promise, branch, netns_id, step, trace, _key(netns_id, step))


def _key(netns: NetnsId, step: Step) -> CauseKey:
    origin = step.origin
    entry = origin.text if origin.file.endswith(".json") else ""
    return CauseKey(
        netns, step.kind, step.table, step.chain, origin.line, origin.file, step.dev, step.key, entry
    )


def _untranslated(network: Network, promise: Promise, branch: Branch) -> tuple[NetnsId, Step] | None:
    """A Service's address that no node translated: the fault is where the translation is missing, not where it ends."""
    request = branch.traces[0]
    flow = promise.flow
    cluster = network.cluster
    virtual = (
        flow.dst in cluster.services_by_cluster_ip
        or (flow.dport, flow.protocol) in cluster.services_by_node_port
    )
    if not virtual or promise.kind not in SERVICE_KINDS or len(branch.traces) > 1:
        return None
    if (request.packet.dst, request.packet.dport) != (flow.dst, flow.dport):
        return None
    if request.disposition is Disposition.NO_ROUTE and not request.hops[-1].dev:
        return None  # a local sender needs a route before any translation is tried
    if request.disposition not in (
        Disposition.EXITS_NETWORK,
        Disposition.NO_LISTENER,
        Disposition.NO_ROUTE,
        Disposition.NEIGHBOR_UNREACHABLE,
        Disposition.LOOP,
    ):
        return None
    host = next(
        (hop for hop in reversed(request.hops) if hop.netns.startswith("node/") and not hop.outer), None
    )
    if flow.dst in cluster.services_by_cluster_ip:
        host = next((hop for hop in request.hops if hop.netns.startswith("node/")), host)
    if host is None:
        return None
    netns = network.namespaces[host.netns]
    untracked = next((step for step in host.steps if step.kind == "notrack"), None)
    if untracked is not None:
        text = f"{endpoint_text(flow.dst, flow.dport)} is not translated, since the packet is not tracked"
        return netns.id, msgspec.structs.replace(
            untracked, kind="nat-missing", text=text, packet=request.packet
        )
    hook = "output" if not host.dev else "prerouting"
    service = (
        cluster.services_by_cluster_ip.get(flow.dst)
        or cluster.services_by_node_port[flow.dport, flow.protocol]
    )
    text = f"{endpoint_text(flow.dst, flow.dport)} ({service.ref.short}) is not translated here"
    step = Step(
        hook.upper(),
        text,
        netns.source("iptables-nft-save"),
        kind="nat-missing",
        hook=hook,
        key=f"{service.meta.namespace}/{service.meta.name}",
        packet=request.packet,
    )
    return netns.id, step


def _strayed(promise: Promise, request: Trace) -> bool:
    """Whether the request was translated to somebody who was not promised, wherever it ended then."""
    packet, flow = request.packet, promise.flow
    if promise.servers is None or promise.kind not in SERVICE_KINDS or packet.protocol != flow.protocol:
        return False
    if (packet.dst, packet.dport) == (flow.dst, flow.dport) or request.hops[-1].outer:
        return False
    return not {(packet.dst, packet.dport), (packet.dst, 0)} & promise.servers


def _wrong_target(request: Trace, branch: Branch) -> tuple[NetnsId, Step]:
    """The translation that sent the flow to somebody who was not promised; without one, where it ended."""
    for hop in request.hops:
        for step in hop.steps:
            if (
                step.hook in TRANSLATING
                and step.packet is not None
                and not step.kind
                and step.rule is not None
            ):
                return hop.netns, msgspec.structs.replace(step, kind="nat-wrong-target")
    ended = branch.server[1] if branch.server is not None else request.packet.dst
    text = f"the flow ends at {format_addr(ended)}, which was not promised"
    return request.netns, msgspec.structs.replace(request.last, kind="nat-wrong-target", text=text)


def _translator(network: Network, branch: Branch, step: Step) -> tuple[NetnsId, Step]:
    """The node that translated the request and should have translated the reply.

    Where a bridge hid the reply from iptables, that switch is the step.
    """
    midway = _picked_up_midway(branch)
    if midway is not None:
        return midway
    translated = next(
        (
            hop
            for hop in branch.traces[0].hops
            for s in hop.steps
            if s.hook in TRANSLATING and s.rule is not None
        ),
        None,
    )
    if translated is None:
        return branch.end.netns, step
    for trace in branch.traces:
        for hop in trace.hops:
            switch = next((s for s in hop.steps if s.key == "bridge-nf-call-iptables"), None)
            if hop.netns == translated.netns and switch is not None:
                return hop.netns, msgspec.structs.replace(
                    step, origin=switch.origin, dev=switch.dev, key=switch.key
                )
    untracked = next(
        (s for trace in branch.traces for hop in trace.hops for s in hop.steps if s.kind == "notrack"), None
    )
    if untracked is not None:
        return translated.netns, msgspec.structs.replace(
            untracked, kind=step.kind, text=f"{step.text}; {untracked.text}", packet=step.packet
        )
    return translated.netns, msgspec.structs.replace(
        step, origin=network.namespaces[translated.netns].source("iptables-nft-save")
    )


def _picked_up_midway(branch: Branch) -> tuple[NetnsId, Step] | None:
    """A rule that translated data of a connection whose beginning that node never saw (nf_conntrack_tcp_loose)."""
    if not branch.end.leg.startswith("data"):
        return None
    for hop in branch.end.hops:
        for step in hop.steps:
            if (
                step.hook in (*TRANSLATING, "postrouting")
                and step.rule is not None
                and step.packet is not None
                and not step.kind
            ):
                why = "this node sees one direction alone, and translates it as a new connection"
                text = f"{branch.end.last.text}: {why}"
                return hop.netns, msgspec.structs.replace(step, kind="source-replaced", text=text)
    return None


def _wrong_way(network: Network, trace: Trace, step: Step) -> Step:
    """A packet for the inside that left by the underlay: the routing decision before it is the step."""
    packet = trace.packet
    if not cluster_address(network, packet.dst):
        return step
    route = next((s for s in reversed(trace.hops[-1].steps) if s.stage == "route" and s.origin.file), None)
    owner = _owner_node(network, packet.dst)
    text = (
        f"{format_addr(packet.dst)}"
        + (f" on {owner}" if owner else "")
        + f" is sent out of the cluster: {route.text if route else step.text}"
    )
    origin = route.origin if route is not None else step.origin
    return msgspec.structs.replace(
        step, kind="wrong-route", text=text, origin=origin, key=owner or step.key, stage="route"
    )


def _owner_node(network: Network, addr: int) -> str:
    """The node whose Pod range or Pod an address is."""
    for netns_id, _ in network.owners.get(addr, ()):
        return network.namespaces[netns_id].node
    return next(
        (
            name
            for name, node in network.cluster.nodes.items()
            if any(addr in cidr for cidr in node.pod_cidrs)
        ),
        "",
    )


def _up_to(request: Trace, netns: NetnsId, step: Step) -> Trace:
    """The trace as far as the namespace where the fault is, ending with the step."""
    hops: list[Hop] = []
    for hop in request.hops:
        if hop.netns == netns:
            hops.append(msgspec.structs.replace(hop, steps=(*hop.steps, step)))
            break
        hops.append(hop)
    return msgspec.structs.replace(request, hops=tuple(hops), netns=netns)
