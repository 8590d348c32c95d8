"""The answer in one sentence: how often it works, who is not reached, and what stands in the way."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from podpath.model.flow import protocol_name
from podpath.model.trace import Answer, Branch, Step, Symptom, Trace, Verdict
from podpath.report.names import Names
from podpath.report.style import counted, printable

MOST_PARTS = 12
"""Chances are told as "one time in n" up to here."""
NUMBERS = (
    "no",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
)

DOINGS = {
    "chain-policy-drop": "{where} drops it in {hook}, where no rule accepts it",
    "rule-drop": "a rule in {hook} on {where} drops it",
    "rule-reject": "a rule in {hook} on {where} rejects it",
    "no-route": "{where} has no route to it",
    "null-route": "a route on {where} throws it away",
    "forwarding-off": "{where} does not forward",
    "link-down": "a device on {where} is down",
    "rp-filter": "{where} takes its source for a forged one",
    "martian": "{where} takes its source for an impossible one",
    "ttl-expired": "it goes in a circle",
    "neighbor-unresolved": "{where} finds nobody who has the next address",
    "neighbor-wrong": "the frame reaches a device on {where} for which it is not meant",
    "tunnel-no-peer": "the tunnel on {where} does not know where to send it",
    "tunnel-wrong-peer": "the tunnel on {where} sends it to the wrong node",
    "tunnel-refused": "{where} does not take the tunnel's packet",
    "wrong-route": "a route on {where} leads it astray",
    "no-listener": "nothing listens on port {port} of {place}",
    "listener-elsewhere": "what listens on port {port} of {place} does so at another address",
    "reply-not-untranslated": "{where} gets a reply from an address that it did not ask",
    "queue-full": "the program's queue is full",
    "conntrack-full": "the connection table on {where} is full",
    "nat-no-free-port": "{where} has no free port left to translate it to",
    "source-unanswerable": "it leaves with a source address that nobody outside can answer",
    "too-big-silent": "{where} drops packets that are too big, and the sender is not told",
    "too-big": "{where} drops packets that are too big",
}
"""By kind of step. A kind that is not here is told in the step's own words."""


def sentence(answer: Answer, names: Names) -> str:
    """What happens to the connection."""
    match answer.verdict:
        case Verdict.WORKS:
            return _works(answer, names)
        case Verdict.UNKNOWN:
            return _unknown(answer, names)
        case Verdict.FAILS:
            often = "It fails"
        case Verdict.SOMETIMES:
            often = f"It fails {chance_words(1 - (answer.probability or 0.0))}"
    failing = sorted(answer.failing, key=lambda branch: -branch.probability)
    return f"{often}: {_failure(failing, answer, names)}. {_client_sees(failing)}".rstrip()


def chance_words(chance: float) -> str:
    """``one time in three``; ``17 % of the time`` where no small number of parts fits."""
    part = Fraction(chance).limit_denominator(MOST_PARTS)
    if abs(float(part) - chance) > 0.005 or not 0 < part < 1:
        return f"{100 * chance:.0f} % of the time"
    times = "one time" if part.numerator == 1 else f"{NUMBERS[part.numerator]} times"
    return f"{times} in {NUMBERS[part.denominator]}"


def _works(answer: Answer, names: Names) -> str:
    walked = any(trace.leg == "data" for branch in answer.branches for trace in branch.traces)
    data = ", and with full-size data" if walked else ""
    servers = {branch.server for branch in answer.branches if branch.server is not None}
    if len(servers) > 1:
        return f"It works, there and back{data}, with each of its {len(servers)} backends."
    who = ""
    for server in servers:
        if server[1] != answer.flow.dst:
            who = f": {names.place(server[1])} answers"
    return f"It works, there and back{data}{who}."


def _unknown(answer: Answer, names: Names) -> str:
    if any(branch.works is False for branch in answer.branches):
        return "Cannot tell: it fails or works, depending on what the bundle does not show."
    open_ = next((branch for branch in answer.branches if branch.works is None), None)
    if open_ is None:
        return "Cannot tell: there is too much that the bundle does not show."
    where = names.netns(open_.end.netns) if open_.end.netns else "the world outside"
    return f"Cannot tell: sight ends at {printable(where)}."


def _failure(failing: Sequence[Branch], answer: Answer, names: Names) -> str:
    """Who is not reached, and what is in the way; of several different failures the likeliest."""
    first = failing[0]
    doing = _doing(first.end, names)
    also = {_doing(branch.end, names) for branch in failing[1:]} - {doing}
    more = f" (and {counted(len(also), 'other reason')} for other ways)" if also else ""
    return f"{_loss(first, answer, names)}{doing}{more}"


def _loss(branch: Branch, answer: Answer, names: Names) -> str:
    """Whose packet is lost: said when it is not the one that was asked anyway."""
    request = branch.traces[0]
    backend = names.place(request.packet.dst) if request.packet.dst != answer.flow.dst else ""
    if branch.end.leg.startswith("data"):
        return "it connects, but full-size data does not arrive; "
    if branch.end.leg.startswith("reply"):
        return f"{backend or 'the server'} gets the packet, but its reply is lost; "
    return f"{backend} never gets the packet; " if backend and _outlives_choice(request) else ""


def _outlives_choice(request: Trace) -> bool:
    """Whether the packet was already on its way to one backend when it ended."""
    return request.last.kind not in ("no-listener", "listener-elsewhere")


def _doing(trace: Trace, names: Names) -> str:
    step = trace.last
    where = printable(names.netns(trace.netns))
    words = DOINGS.get(step.kind)
    if words is None:
        return f"{_own_words(step, names)} (on {where})"
    port = f"{trace.packet.dport}/{protocol_name(trace.packet.protocol)}"
    return words.format(
        where=where, hook=step.stage, port=port, place=printable(names.place(trace.packet.dst))
    )


def _own_words(step: Step, names: Names) -> str:
    return printable(names.annotated(step.text))


def _client_sees(failing: Sequence[Branch]) -> str:
    seen = dict.fromkeys(branch.symptom for branch in failing)
    words = [SYMPTOMS[symptom] for symptom in seen if symptom in SYMPTOMS]
    return f"The client {' or '.join(words)}." if words else ""


SYMPTOMS = {
    Symptom.TIMEOUT: "waits until it times out",
    Symptom.REFUSED: 'gets "connection refused"',
    Symptom.HOST_UNREACHABLE: 'gets "no route to host"',
    Symptom.NET_UNREACHABLE: 'gets "network is unreachable"',
    Symptom.NOT_PERMITTED: 'gets "operation not permitted"',
    Symptom.ACCESS: 'gets "permission denied"',
    Symptom.INVALID: 'gets "invalid argument"',
    Symptom.PROTOCOL_UNREACHABLE: 'gets "protocol not available"',
    Symptom.HANGS: "connects and then hangs",
    Symptom.NO_SUCH_HOST: 'gets "no such host"',
}
