"""``podpath why SRC name/HOSTNAME``: whether a name resolves, and if not, which query fails."""

from __future__ import annotations

from podpath.cli.errors import UsageError
from podpath.cli.sources import find_source
from podpath.cli.spec import Spec
from podpath.diagnosis.names import NameAnswer, resolve_name
from podpath.diagnosis.why import explain_answer
from podpath.fixes.fill import filled_fix, undo_steps
from podpath.model.addr import format_addr
from podpath.model.network import Network
from podpath.model.trace import Verdict
from podpath.report.json_flows import JsonFlowAnswer, name_answer
from podpath.report.names import Names
from podpath.report.style import Style, printable
from podpath.report.text_why import Asked, WhyReport


class Resolution:
    """One name, asked by one client."""

    def __init__(self, network: Network, src: Spec, dst: Spec) -> None:
        self.network = network
        self.source = find_source(network, src, dst)
        if not self.source.netns:
            raise UsageError(f"{src.text}: of a client outside podpath does not know whom it asks for names")
        self.name = dst.name
        self.found: NameAnswer = resolve_name(network, self.source.netns, dst.name)
        failing = self.found.failing
        self.cause = explain_answer(network, *failing) if failing is not None else None

    @property
    def verdict(self) -> Verdict:
        """Whether it resolves."""
        return self.found.verdict

    def json(self) -> JsonFlowAnswer:
        """As ``why --flows`` has it."""
        return name_answer(self.found, self.cause)

    def lines(self, style: Style) -> list[str]:
        """The answer in one sentence, and the query that fails."""
        role = {Verdict.WORKS: "good", Verdict.UNKNOWN: "warning"}.get(self.verdict, "error")
        lines = [style.paint(role, line) for line in style.wrap(printable(self._sentence()))]
        if self.source.note:
            lines += [style.paint("dim", line) for line in style.wrap(f"({printable(self.source.note)})")]
        if self.found.failing is None:
            return lines
        flow, answer = self.found.failing
        names = Names(self.network)
        asked = Asked(names.netns(flow.netns), f"DNS {names.addr(flow.dst)}".strip())
        fix = filled_fix(self.cause.fix) if self.cause is not None and self.cause.fix is not None else None
        report = WhyReport(answer, names, style, asked=asked, cause=self.cause, fix=fix, undo=undo_steps)
        return [*lines, "", style.paint("bold", "The query that fails:"), *report.lines()]

    def _sentence(self) -> str:
        found, who = self.found, f"{self.source.label} asks for {self.name}"
        why = "; ".join(found.because)
        match found.verdict:
            case Verdict.WORKS:
                addresses = ", ".join(format_addr(addr) for addr in found.addresses)
                return f"It resolves: {who} and gets {addresses or why or 'an answer'}."
            case Verdict.FAILS:
                return f'It does not resolve: {who} and gets "{found.symptom}"{f": {why}" if why else ""}.'
            case Verdict.SOMETIMES:
                chance = f"{100 * (found.probability or 0):.0f} % of the time"
                return f"It resolves {chance}: {who}, and not every query is answered."
        return (
            f"Cannot tell: {who}. It would be decided by {why or 'more of the state than the bundle holds'}."
        )
