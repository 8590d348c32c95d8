"""What ``podpath why`` does."""

from __future__ import annotations

import sys

from podpath.cli.console import ProgressLine, style
from podpath.cli.flows import answered_flows, read_flows
from podpath.cli.load import load
from podpath.cli.main import CLEAR, FINDINGS, UNDECIDED
from podpath.cli.names import Question, ask
from podpath.cli.resolving import Resolution
from podpath.cli.spec import parse_spec
from podpath.dataplane.tracer import trace_flow
from podpath.diagnosis.why import WhyCause, explain_answer
from podpath.fixes.fill import filled_fix, undo_steps
from podpath.model.finding import Fix
from podpath.model.flow import Flow
from podpath.model.network import Network
from podpath.model.trace import Answer, Verdict
from podpath.report.json_parts import encode
from podpath.report.json_why import json_why
from podpath.report.names import Names
from podpath.report.style import Style, printable
from podpath.report.text_why import Asked, WhyReport

Answered = tuple[Answer, WhyCause | None, Fix | None]


def answer_one(
    place: str, src: str, dst: str, *, output: str, verbose: bool, size: int, v6: bool, no_color: bool
) -> int:
    """Load, ask, print; the exit code."""
    progress = ProgressLine()
    try:
        network = load(place, progress)
        client, server = parse_spec(src), parse_spec(dst)
        if server.kind == "name":
            return _resolved(
                Resolution(network, client, server), output, style(no_color=no_color, verbose=verbose)
            )
        question = ask(network, src, dst, size=size, v6=v6)
        answered = [_answered(network, flow) for flow in question.flows]
    finally:
        progress.clear()
    if output == "json":
        printed = [
            json_why(network.name, answer, Names(network), src=question.src, dst=label, cause=cause, fix=fix)
            for label, (answer, cause, fix) in zip(question.dst, answered, strict=True)
        ]
        sys.stdout.write(encode(printed[0] if len(printed) == 1 else printed))
    else:
        drawn = style(no_color=no_color, verbose=verbose)
        lines = _lines(network, question, answered, drawn)
        sys.stdout.write("".join(f"{line.rstrip()}\n" for line in lines))
    return _exit_code([answer for answer, _, _ in answered])


def _answered(network: Network, flow: Flow) -> Answered:
    answer = trace_flow(network, flow)
    cause = explain_answer(network, flow, answer)
    return answer, cause, filled_fix(cause.fix) if cause is not None and cause.fix is not None else None


def _resolved(resolution: Resolution, output: str, drawn: Style) -> int:
    """A name instead of a connection."""
    if output == "json":
        sys.stdout.write(encode(resolution.json()))
    else:
        sys.stdout.write("".join(f"{line.rstrip()}\n" for line in resolution.lines(drawn)))
    return VERDICT_CODES[resolution.verdict]


def _lines(network: Network, question: Question, answered: list[Answered], drawn: Style) -> list[str]:
    """The answers, one after the other; of several each has a headline."""
    names = Names(network)
    lines: list[str] = []
    for number, (label, (answer, cause, fix)) in enumerate(zip(question.dst, answered, strict=True)):
        asked = Asked(question.src, label, () if number else question.notes)
        report = WhyReport(answer, names, drawn, asked=asked, cause=cause, fix=fix, undo=undo_steps)
        if len(answered) > 1:
            headline = drawn.paint("bold", f"{printable(question.src)} -> {printable(label)}:")
            lines += [headline] if number == 0 else ["", headline]
        lines += report.lines()
    return lines


VERDICT_CODES = {
    Verdict.FAILS: FINDINGS,
    Verdict.SOMETIMES: FINDINGS,
    Verdict.UNKNOWN: UNDECIDED,
    Verdict.WORKS: CLEAR,
}
"""Exit codes; of several answers the first of these decides."""


def _exit_code(answers: list[Answer]) -> int:
    verdicts = {answer.verdict for answer in answers}
    return next(code for verdict, code in VERDICT_CODES.items() if verdict in verdicts)


def answer_flows(place: str, file: str) -> int:
    """A file of flows; answers are printed, so the exit code only says that they could be given."""
    questions = read_flows(file)
    progress = ProgressLine()
    try:
        answers = answered_flows(load(place, progress), questions, progress)
    finally:
        progress.clear()
    sys.stdout.write(encode(answers))
    return CLEAR
