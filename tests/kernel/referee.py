"""The kernel is the referee: the same questions to it and to the tracer, and where their answers differ.

A question is one word or two, an answer follows::

    a b:80 ok                    a's TCP connection to port 80 of b works
    a udp/b:53 timeout           ... over UDP, no answer
    a@10.1.0.9 b:80*20000 ok     ... from an address it binds, with 20,000 bytes each way
    a vip:80 ok as r             ... and the server sees it as r
    a b:80 ok at b:8080          ... and what is asked is port 8080 of b

Names stand for addresses (``Lab.addresses``). Questions are separated by semicolons.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from podpath.dataplane.tracer import trace_flow
from podpath.model.addr import format_addr, parse_addr
from podpath.model.flow import TCP, UDP, Flow
from podpath.model.network import Network
from podpath.model.trace import Answer, Branch, Disposition, Symptom, Verdict
from tests.kernel.lab import Lab
from tests.kernel.prober import IMPATIENT_S, PATIENT_S, Probe

QUESTION = re.compile(
    r"(?P<client>[\w-]+)(?:@(?P<source>\S+?))?(?:#(?P<sport>\d+))?\s+(?:(?P<udp>udp)/)?(?P<host>\[\S+\]|[^\s:]+):(?P<port>\d+)"
    r"(?:\*(?P<size>\d+))?(?:\s+(?P<answer>[\w|-]+))?(?:\s+at\s+(?P<at>\S+))?(?:\s+as\s+(?P<seen>\S+))?$"
)
ANSWERS = {
    Symptom.TIMEOUT: "timeout",
    Symptom.REFUSED: "refused",
    Symptom.HOST_UNREACHABLE: "no-host",
    Symptom.NET_UNREACHABLE: "no-net",
    Symptom.NOT_PERMITTED: "not-permitted",
    Symptom.ACCESS: "access",
    Symptom.INVALID: "invalid",
    Symptom.PROTOCOL_UNREACHABLE: "no-protocol",
    Symptom.HANGS: "hangs",
}


@dataclass
class Question:
    """A connection, what the test says of it, what the kernel made of it, and what the tracer."""

    text: str
    probe: Probe
    answer: str = ""
    at: str = ""
    seen: str = ""
    ours: Answer | None = None

    @property
    def kernel(self) -> str:
        """What the kernel said, in the words of a question."""
        probe = self.probe
        if probe.outcome != "ok":
            return probe.outcome
        return f"ok at {probe.server} {probe.asked[0]}:{probe.asked[1]} as {probe.seen}"


def read_questions(lab: Lab, text: str) -> list[Question]:
    """Questions as tests write them."""
    return [_read(lab, one.strip()) for one in text.split(";") if one.strip()]


def _read(lab: Lab, text: str) -> Question:
    found = QUESTION.match(text)
    if found is None:
        raise ValueError(f"not a question: {text!r}")
    host = _address(lab, found["host"])
    probe = Probe(
        lab[found["client"]],
        host,
        int(found["port"]),
        udp=bool(found["udp"]),
        source=_address(lab, found["source"]) if found["source"] else "",
        sport=int(found["sport"] or next(lab.ports)),
        size=int(found["size"] or 0),
        patience_s=IMPATIENT_S
        if {"timeout", "hangs"} & set((found["answer"] or "").split("|"))
        else PATIENT_S,
    )
    at, seen = found["at"] or "", found["seen"] or ""
    if at:
        name, _, port = at.rpartition(":")
        at = f"{_address(lab, name)}:{port}"
    return Question(text, probe, found["answer"] or "", at, _address(lab, seen) if seen else "")


def _address(lab: Lab, name: str) -> str:
    return lab.addresses.get(name, name.strip("[]"))


def ask_tracer(lab: Lab, network: Network, questions: Sequence[Question]) -> None:
    """Trace all the flows."""
    for question in questions:
        question.ours = trace_flow(network, flow_of(lab, question.probe))


def be_patient(questions: Sequence[Question]) -> None:
    """Wait long for what the tracer says is answered, and not for what it says is not: either way it may be wrong."""
    for question in questions:
        branches = question.ours.branches if question.ours is not None else ()
        answered = any(b.works or ANSWERS.get(b.symptom) not in ("timeout", "hangs") for b in branches)
        question.probe.patience_s = PATIENT_S if answered else IMPATIENT_S


def flow_of(lab: Lab, probe: Probe) -> Flow:
    """The flow that a probe is. A host that no bundle shows asks from outside: by its address."""
    source = probe.source or (
        "" if probe.space.id else lab.addresses[probe.space.name + ("6" if probe.v6 else "")]
    )
    return Flow(
        probe.space.id,
        parse_addr(probe.address),
        UDP if probe.udp else TCP,
        probe.port,
        parse_addr(source) if source else None,
        probe.sport,
        size=probe.size,
        uid=0,
    )


def untrue(question: Question) -> str:
    """Where what the test says of the kernel is not so; empty when it is."""
    probe = question.probe
    if question.answer and probe.outcome not in question.answer.split("|"):
        return f"{question.text}: the kernel says {question.kernel}"
    if question.seen and question.seen != probe.seen:
        return f"{question.text}: the server sees {probe.seen}"
    if question.at and question.at != f"{probe.asked[0]}:{probe.asked[1]}":
        return f"{question.text}: the server is asked at {probe.asked[0]}:{probe.asked[1]}"
    return ""


def disagreement(question: Question) -> str:
    """Where the tracer differs from the kernel; empty when it does not."""
    ours, probe = question.ours, question.probe
    if ours is None:
        return ""
    works = probe.outcome == "ok"
    said = [branch for branch in ours.branches if branch.works is not None and branch.works == works]
    wrong = ours.verdict is Verdict.UNKNOWN or not said
    if not wrong and ours.verdict is not Verdict.SOMETIMES:
        wrong = (ours.verdict is Verdict.WORKS) != works
    if not wrong and works:
        wrong = not any(_same_server(branch, probe) for branch in said)
    elif not wrong:
        wrong = not any(_same_symptom(branch, probe) for branch in said)
    return (
        ""
        if not wrong
        else f"{question.text}: the kernel says {question.kernel}, we say {ours.verdict.value}\n{_told(ours)}"
    )


def _same_server(branch: Branch, probe: Probe) -> bool:
    if branch.seen_as != parse_addr(probe.seen) or branch.server is None:
        return False
    netns, addr, port = branch.server
    hidden = not netns
    return (addr, port) == (parse_addr(probe.asked[0]), probe.asked[1]) and (
        hidden or netns.rpartition("/")[2] == probe.server
    )


def _same_symptom(branch: Branch, probe: Probe) -> bool:
    """Whether the kernel's error is the one we tell.

    A neighbour that does not answer is told after a while; a TCP client of IPv6 does not hear an error that comes while it
    still sends its SYN (LockDroppedIcmps).
    """
    told, outcome = ANSWERS.get(branch.symptom, ""), probe.outcome
    if (
        outcome == told
        or branch.symptom is Symptom.UNKNOWN
        or branch.disposition is Disposition.EXITS_NETWORK
    ):
        return True  # what a host or switch outside says of it no bundle shows
    slow = branch.disposition is Disposition.NEIGHBOR_UNREACHABLE or branch.symptom is Symptom.HANGS
    slow = slow or branch.end.last.kind in ("link-down", "bridge-port")
    slow = slow or branch.disposition is Disposition.REPLY_LOST
    if branch.end.leg == "data":
        return True  # the connection was there already: what its socket tells when it breaks depends on the moment
    unheard = probe.v6 and not probe.udp and outcome == "timeout" and branch.symptom is not Symptom.TIMEOUT
    return (slow and outcome in ("timeout", "no-host", "hangs", "reset")) or unheard


def _told(answer: Answer) -> str:
    lines = [f"    asks: {question}" for question in answer.questions[:3]]
    for branch in answer.branches[:4]:
        end = branch.end.last
        seen = "" if branch.seen_as is None else f", seen as {format_addr(branch.seen_as)}"
        server = (
            ""
            if branch.server is None
            else f" at {branch.server[0]} {format_addr(branch.server[1])}:{branch.server[2]}"
        )
        lines.append(
            f"    {branch.works} {branch.symptom.value}{server}{seen}: {branch.end.leg} ends in {branch.end.netns}: "
            f"{branch.disposition.value}: {end.stage}: {end.text} [{end.origin}] {end.origin.text}"
        )
    return "\n".join(lines)
