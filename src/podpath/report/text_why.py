"""The answer to one question: a sentence, the way hop by hop, the other ways folded, the one thing to change."""

from __future__ import annotations

from collections.abc import Sequence

from podpath.diagnosis.why import WhyCause
from podpath.model.addr import format_addr
from podpath.model.finding import Fix
from podpath.model.trace import Answer, Branch, Trace, Verdict
from podpath.report.frame import frame
from podpath.report.hops import TraceDrawing, path_of
from podpath.report.names import Names
from podpath.report.style import Style, counted, listed, printable
from podpath.report.why_sentence import NUMBERS, sentence

MOST_FAILURES = 3
"""Different ways to fail that are drawn whole."""
LEGS = {"reply": "the reply", "data": "full-size data", "data icmp": "the ICMP error about it"}


class WhyReport:
    """Draws one answer."""

    def __init__(
        self,
        answer: Answer,
        names: Names,
        style: Style,
        *,
        src: str = "",
        dst: str = "",
        cause: WhyCause | None = None,
        fix: Fix | None = None,
        notes: Sequence[str] = (),
    ) -> None:
        self.answer = answer
        self.names = names
        self.style = style
        self.src = src
        self.dst = dst
        self.cause = cause
        self.fix = fix
        self.notes = notes
        choices = {(b.traces[0].packet.dst, b.traces[0].packet.dport) for b in answer.branches if b.traces}
        self.drawing = TraceDrawing(names, style, len(choices))

    def lines(self) -> list[str]:
        """The whole answer."""
        role = {Verdict.WORKS: "good", Verdict.UNKNOWN: "warning"}.get(self.answer.verdict, "error")
        said = sentence(self.answer, self.names)
        if self.cause is not None and self.cause.as_designed is not None:
            said = f"It fails by design: {printable(self.cause.as_designed.text)}."
        lines = [self.style.paint(role, line) for line in self.style.wrap(said)]
        for note in self.notes:
            lines += [self.style.paint("dim", line) for line in self.style.wrap(f"({printable(note)})")]
        lines += [*self._cause(), ""]
        for index, group in enumerate(self._groups()):
            lines += self._group(group, first=index == 0)
        return [*lines, *self._questions(), *self._mend()]

    # --- branches -----------------------------------------------------------------------------------------------------

    def _groups(self) -> list[list[Branch]]:
        """Branches that end alike; failing ones first, then open ones, the likeliest of each first."""
        groups: dict[object, list[Branch]] = {}
        for branch in self.answer.branches:
            step = branch.end.last
            key = (branch.works, branch.end.leg, branch.end.netns, step.kind, step.origin, step.chain)
            groups.setdefault(True if branch.works else key, []).append(branch)
        order = {False: 0, None: 1, True: 2}
        return sorted(groups.values(), key=lambda group: (order[group[0].works], -sum(b.probability for b in group)))

    def _group(self, group: list[Branch], *, first: bool) -> list[str]:
        """One of them whole, the others by name."""
        branch = group[0]
        if branch.works and not first:
            return [*self._folded(group, "works, there and back", "work, there and back"), ""]
        lines = self._branch(branch)
        if len(group) > 1:
            words = ("works in the same way", "work in the same way") if branch.works else ("ends", "end")
            lines += self._folded(group[1:], *(words if branch.works else ("ends there too", "end there too")))
        return [*lines, ""]

    def _branch(self, branch: Branch) -> list[str]:
        lines: list[str] = []
        for assumption in branch.assumptions:
            lines += self.style.wrap(f"if {printable(assumption)}:", "  ")
        for trace in branch.traces:
            whole = trace is branch.traces[0] or trace is branch.end and not branch.works or self.style.verbose
            if trace.leg != "request":
                lines += self._leg(trace, whole=whole, arrived=branch.works is True or trace is not branch.end)
            if whole:
                lines += self.drawing.lines(trace, failed=trace is branch.end and branch.works is not True)
            if trace is branch.traces[0]:
                lines += self._seen(branch)
        return lines

    def _leg(self, trace: Trace, *, whole: bool, arrived: bool) -> list[str]:
        """The headline of a later leg; folded to one line when it arrived."""
        name = LEGS.get(trace.leg, trace.leg)
        if whole:
            return ["", f"  {self.style.paint('bold', f'{name}:')}"]
        way = path_of(trace, self.names)
        return self.style.wrap(f"{name} {'arrives' if arrived else 'ends'} ({way})", f"  {self.style.tick} ", "    ")

    def _seen(self, branch: Branch) -> list[str]:
        """As whom the server sees the client, where that is not the client itself."""
        request = branch.traces[0]
        if branch.server is None or branch.seen_as is None or not request.hops:
            return []
        first = next((s.packet for hop in request.hops for s in hop.steps if s.packet is not None), request.hops[0].packet)
        if branch.seen_as in (first.src, request.hops[0].packet.src):
            return []
        who = self.names.addr(branch.seen_as)
        text = f"the server sees {format_addr(branch.seen_as)}" + (f" ({who})" if who else "") + ", not the client"
        return self.style.wrap(printable(text), "    ")

    def _folded(self, group: Sequence[Branch], one: str, several: str) -> list[str]:
        """``the other two (shop/api-1 on n1, shop/api-2 on n3) work, there and back``."""
        who = list(dict.fromkeys(self._backend(branch) for branch in group))
        number = NUMBERS[len(group)] if len(group) < len(NUMBERS) else str(len(group))
        subject = "the other one" if len(group) == 1 else f"the other {number}"
        named = f" ({listed(who, 99 if self.style.verbose else 4)})" if any(who) else ""
        return self.style.wrap(f"{subject}{printable(named)} {one if len(group) == 1 else several}", "  ")

    def _backend(self, branch: Branch) -> str:
        request = branch.traces[0]
        return self.names.place(branch.server[1] if branch.server is not None else request.packet.dst)

    # --- cause and fix ------------------------------------------------------------------------------------------------

    def _cause(self) -> list[str]:
        cause = self.cause
        if cause is None or cause.as_designed is not None or not cause.code:
            return []
        head = f"[{cause.code}]"
        lines = self.style.wrap(f"{head}: {printable(cause.message)}", hang="  ")
        return ["", self.style.paint("error", head) + lines[0][len(head) :], *lines[1:]]

    def _questions(self) -> list[str]:
        """What would decide it."""
        if self.answer.verdict is not Verdict.UNKNOWN:
            return []
        lines = [self.style.paint("bold", "It would be decided by:")]
        for question in self.answer.questions or ("more of the state than the bundle holds",):
            lines += self.style.wrap(printable(question), "  - ")
        return lines

    def _mend(self) -> list[str]:
        """The evidence beside the way, and the one thing to change."""
        if self.cause is None:
            return []
        lines = frame(self.cause.evidence, "", self.style) if self._more_evidence() else []
        fix = self.fix
        if fix is None or self.cause.as_designed is not None:
            return lines
        lines += self.style.wrap(printable(fix.summary), f"{self.style.paint('bold', 'fix')}   ", "      ")
        lines += [f"      {printable(line)}" for step in fix.steps for line in step.splitlines()]
        if fix.risk:
            lines += self.style.wrap(printable(fix.risk), "risk  ")
        return lines

    def _more_evidence(self) -> bool:
        """Whether the cause stands on lines that the way does not show."""
        shown = {step.origin for branch in self.answer.branches for t in branch.traces for h in t.hops for step in h.steps}
        return self.cause is not None and any(origin not in shown for origin in self.cause.evidence)


def count_words(number: int) -> str:
    """Small numbers in words."""
    return NUMBERS[number] if number < len(NUMBERS) else counted(number, "way")
