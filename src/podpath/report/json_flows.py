"""The answers of ``podpath why --flows``: one object a flow."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from podpath.diagnosis.names import NameAnswer
from podpath.diagnosis.why import WhyCause
from podpath.model.addr import format_addr
from podpath.model.origin import Origin
from podpath.model.trace import Answer, Branch, Disposition, Symptom, Verdict
from podpath.report.json_parts import clean

Chance = Annotated[float, msgspec.Meta(ge=0, le=1)]


class JsonFlowAnswer(msgspec.Struct, frozen=True):
    """What can be said of a flow.

    ``probability`` is that of success, null where it is not known; ``cause`` a fault's code, or a sentence for one that
    has none, and null for what works; ``seen_as`` the client's addresses as servers see them.
    """

    verdict: Literal["works", "fails", "sometimes", "unknown"]
    probability: Chance | None
    disposition: str
    symptom: str
    cause: str | None
    because: list[str]
    seen_as: list[str]


def flow_answer(answer: Answer, cause: WhyCause | None) -> JsonFlowAnswer:
    """An answer in brief: of several ways the one that decides."""
    branch = deciding(answer)
    return JsonFlowAnswer(
        verdict=answer.verdict.value,
        probability=answer.probability,
        disposition=branch.disposition.name if branch is not None else Disposition.INSUFFICIENT_INFO.name,
        symptom=branch.symptom.value if branch is not None else Symptom.UNKNOWN.value,
        cause=None if answer.verdict is Verdict.WORKS else _cause_words(answer, cause),
        because=because(answer, cause),
        seen_as=[format_addr(addr) for addr in answer.seen_as],
    )


def name_answer(found: NameAnswer, cause: WhyCause | None) -> JsonFlowAnswer:
    """Whether a name resolves."""
    branch = deciding(found.failing[1]) if found.failing is not None else None
    if branch is not None:
        disposition = branch.disposition
    else:
        disposition = NAME_DISPOSITIONS.get(found.verdict, Disposition.UNRESOLVED)
    said = clean(cause.code or cause.message) if cause is not None else "; ".join(found.because) or None
    return JsonFlowAnswer(
        verdict=found.verdict.value,
        probability=found.probability,
        disposition=disposition.name,
        symptom=found.symptom,
        cause=None if found.verdict is Verdict.WORKS else said,
        because=[
            *(_line(one) for one in (cause.evidence if cause else ())),
            *(clean(one) for one in found.because),
        ],
        seen_as=[],
    )


NAME_DISPOSITIONS = {
    Verdict.WORKS: Disposition.ACCEPTED,
    Verdict.UNKNOWN: Disposition.INSUFFICIENT_INFO,
}


def deciding(answer: Answer) -> Branch | None:
    """The likeliest branch that fails, else one that is open, else one that works."""
    order = {False: 0, None: 1, True: 2}
    return min(answer.branches, key=lambda branch: (order[branch.works], -branch.probability), default=None)


def _cause_words(answer: Answer, cause: WhyCause | None) -> str:
    if cause is not None:
        if cause.as_designed is not None:
            return clean(cause.code or cause.as_designed.text)
        return clean(cause.code or cause.message)
    branch = deciding(answer)
    said = "; ".join(answer.questions) or (branch.end.last.text if branch is not None else "")
    return clean(said) or "not known"


def because(answer: Answer, cause: WhyCause | None) -> list[str]:
    """``n1, iptables-nft-save:14: :FORWARD DROP [0:0]``: the lines that decide; questions where nothing does."""
    if answer.verdict is Verdict.WORKS:
        return []
    if cause is not None:
        return [_line(origin) for origin in cause.evidence]
    branch = deciding(answer)
    step = branch.end.last if branch is not None else None
    lines = [_line(step.origin)] if step is not None and step.origin.file else []
    return lines + [clean(question) for question in answer.questions] or [
        clean(step.text) if step else "not known"
    ]


def _line(origin: Origin) -> str:
    if not origin.file:
        return clean(origin.text)
    return clean(f"{origin}: {origin.text}" if origin.text else str(origin))
