"""``podpath why -o json``: one answer with all its branches, hops and steps. Schema: ``docs/schema/why.json``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from podpath.diagnosis.why import WhyCause
from podpath.model.addr import format_addr
from podpath.model.finding import Fix
from podpath.model.flow import Packet, protocol_name
from podpath.model.trace import Answer, Branch, Hop, Step, Trace
from podpath.report.json_flows import Chance, because, flow_answer
from podpath.report.json_parts import JsonEvidence, JsonFix, clean, json_evidence, json_fix
from podpath.report.names import Names
from podpath.report.why_sentence import sentence


class JsonPacket(msgspec.Struct, frozen=True):
    """The headers at one moment."""

    protocol: str
    src: str
    sport: int
    dst: str
    dport: int
    length: int
    ttl: int
    mark: int


class JsonStep(msgspec.Struct, frozen=True):
    """One decision. ``kind`` is empty for an ordinary one, ``packet`` null where it changed nothing."""

    stage: str
    text: str
    kind: str
    table: str
    chain: str
    evidence: JsonEvidence | None
    packet: JsonPacket | None


class JsonHop(msgspec.Struct, frozen=True):
    """A network namespace on the way. ``outer``: the packet is a tunnel's."""

    netns: str
    node: str
    device: str
    outer: bool
    packet: JsonPacket
    steps: list[JsonStep]


class JsonTrace(msgspec.Struct, frozen=True):
    """The way of one packet. ``leg``: request, reply, data, or ``data icmp`` for an error message."""

    leg: str
    disposition: str
    hops: list[JsonHop]


class JsonServer(msgspec.Struct, frozen=True):
    """Who got the request. ``netns`` is empty outside."""

    netns: str
    name: str
    ip: str
    port: int


class JsonBranch(msgspec.Struct, frozen=True):
    """One way the connection can go. ``works`` is null where that is not known."""

    probability: float
    assumptions: list[str]
    works: bool | None
    disposition: str
    symptom: str
    server: JsonServer | None
    seen_as: str | None
    traces: list[JsonTrace]


class JsonQuestion(msgspec.Struct, frozen=True):
    """What was asked. ``src`` and ``dst`` are names, ``ip`` and ``port`` what was dialled."""

    src: str
    dst: str
    ip: str
    port: int
    protocol: str
    bytes: int


class JsonWhy(msgspec.Struct, frozen=True):
    """An answer: its first fields are those of ``why --flows``."""

    schema: Literal["podpath.why/v1"]
    bundle: str
    question: JsonQuestion
    verdict: Literal["works", "fails", "sometimes", "unknown"]
    probability: Chance | None
    disposition: str
    symptom: str
    cause: str | None
    because: list[str]
    seen_as: list[str]
    answer: str
    """The sentence for people."""
    message: str
    """What the cause is, in words."""
    as_designed: bool
    questions: list[str]
    evidence: list[JsonEvidence]
    fix: JsonFix | None
    branches: list[JsonBranch]


def json_why(
    bundle: str,
    answer: Answer,
    names: Names,
    *,
    src: str,
    dst: str,
    cause: WhyCause | None,
    fix: Fix | None,
) -> JsonWhy:
    """The answer as it is printed."""
    brief = flow_answer(answer, cause)
    flow = answer.flow
    return JsonWhy(
        schema="podpath.why/v1",
        bundle=clean(bundle),
        question=JsonQuestion(
            clean(src), clean(dst), format_addr(flow.dst), flow.dport, protocol_name(flow.protocol), flow.size
        ),
        verdict=brief.verdict,
        probability=brief.probability,
        disposition=brief.disposition,
        symptom=brief.symptom,
        cause=brief.cause,
        because=because(answer, cause),
        seen_as=brief.seen_as,
        answer=clean(sentence(answer, names)),
        message=clean(cause.message) if cause is not None else "",
        as_designed=cause is not None and cause.as_designed is not None,
        questions=[clean(question) for question in answer.questions],
        evidence=[json_evidence(origin) for origin in cause.evidence] if cause is not None else [],
        fix=json_fix(fix),
        branches=[_branch(branch, names) for branch in answer.branches],
    )


def _branch(branch: Branch, names: Names) -> JsonBranch:
    server = None
    if branch.server is not None:
        netns, addr, port = branch.server
        server = JsonServer(clean(netns), clean(names.addr(addr)), format_addr(addr), port)
    return JsonBranch(
        branch.probability,
        [clean(one) for one in branch.assumptions],
        branch.works,
        branch.disposition.name,
        branch.symptom.value,
        server,
        format_addr(branch.seen_as) if branch.seen_as is not None else None,
        [_trace(trace, names) for trace in branch.traces],
    )


def _trace(trace: Trace, names: Names) -> JsonTrace:
    return JsonTrace(trace.leg, trace.disposition.name, [_hop(hop, names) for hop in trace.hops])


def _hop(hop: Hop, names: Names) -> JsonHop:
    node = names.node_of_netns(hop.netns)
    return JsonHop(
        clean(hop.netns), clean(node), clean(hop.dev), hop.outer, _packet(hop.packet), _steps(hop.steps)
    )


def _steps(steps: Sequence[Step]) -> list[JsonStep]:
    return [
        JsonStep(
            step.stage,
            clean(step.text),
            step.kind,
            clean(step.table),
            clean(step.chain),
            json_evidence(step.origin) if step.origin.file else None,
            _packet(step.packet) if step.packet is not None else None,
        )
        for step in steps
    ]


def _packet(packet: Packet) -> JsonPacket:
    return JsonPacket(
        protocol_name(packet.protocol),
        format_addr(packet.src),
        packet.sport,
        format_addr(packet.dst),
        packet.dport,
        packet.length,
        packet.ttl,
        packet.mark,
    )
