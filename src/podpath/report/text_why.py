"""The answer to one question: a sentence, the way hop by hop, the other ways folded, the one thing to change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from podpath.diagnosis.why import WhyCause
from podpath.model.addr import format_addr
from podpath.model.finding import Fix
from podpath.model.trace import Answer, Branch, Trace, Verdict
from podpath.report.frame import frame, gutter_of
from podpath.report.hops import TraceDrawing, path_of
from podpath.report.names import Names
from podpath.report.notes import Notes, Undo, headline
from podpath.report.style import Style, listed, printable
from podpath.report.why_sentence import NUMBERS, sentence

MOST_DRAWN = {False: 3, None: 1, True: 1}
"""Different ways to fail, to stay open, to work, that are drawn whole; the others are a line."""
ALIKE = {
    True: ("works in the same way", "work in the same way"),
    False: ("ends there too", "end there too"),
    None: ("is not known either", "are not known either"),
}
"""What is said of one, or several, branches that end as the one that is drawn."""
LEGS = {"reply": "the reply", "data": "full-size data", "data icmp": "the ICMP error about it"}


class Asked(NamedTuple):
    """The question in names, and what was chosen where they left a choice."""

    src: str = ""
    dst: str = ""
    notes: tuple[str, ...] = ()


NOT_NAMED = Asked()


class WhyReport:
    """Draws one answer."""

    def __init__(
        self,
        answer: Answer,
        names: Names,
        style: Style,
        *,
        asked: Asked = NOT_NAMED,
        cause: WhyCause | None = None,
        fix: Fix | None = None,
        undo: Undo | None = None,
    ) -> None:
        self.answer = answer
        self.names = names
        self.style = style
        self.cause = cause
        self.fix = fix
        self.undo = undo
        self.asked = asked
        choices = {(b.traces[0].packet.dst, b.traces[0].packet.dport) for b in answer.branches if b.traces}
        self.drawing = TraceDrawing(names, style, backends=len(choices), src=asked.src, dst=asked.dst)

    def lines(self) -> list[str]:
        """The whole answer."""
        role = {Verdict.WORKS: "good", Verdict.UNKNOWN: "warning"}.get(self.answer.verdict, "error")
        said = sentence(self.answer, self.names)
        if self.cause is not None and self.cause.as_designed is not None:
            said = f"It fails by design: {printable(self.cause.as_designed.text)}."
        lines = [self.style.paint(role, line) for line in self.style.wrap(said)]
        for note in self.asked.notes:
            lines += [self.style.paint("dim", line) for line in self.style.wrap(f"({printable(note)})")]
        lines.append("")
        drawn: list[bool | None] = []
        for group in self._groups():
            works = group[0].works
            whole = self.style.verbose or (drawn.count(works) < MOST_DRAWN[works] and not (works and drawn))
            lines += [*(self._group(group) if whole else self._other(group)), ""]
            drawn.append(works)
        lines += [*self._questions(), *self._cause()]
        return lines[:-1] if lines[-1] == "" else lines

    # --- branches -----------------------------------------------------------------------------------------------------

    def _groups(self) -> list[list[Branch]]:
        """Branches that end alike; failing ones first, then open ones, the likeliest of each first."""
        groups: dict[object, list[Branch]] = {}
        for branch in self.answer.branches:
            step = branch.end.last
            key = (branch.works, branch.end.leg, branch.end.netns, step.kind, step.origin, step.chain)
            groups.setdefault(branch.works if branch.works is not False else key, []).append(branch)
        order = {False: 0, None: 1, True: 2}
        return sorted(
            groups.values(), key=lambda group: (order[group[0].works], -sum(b.probability for b in group))
        )

    def _group(self, group: list[Branch]) -> list[str]:
        """One of them whole, the others by name."""
        lines = self._branch(group[0])
        if len(group) > 1:
            lines += self._folded(group[1:], *ALIKE[group[0].works])
        return lines

    def _other(self, group: list[Branch]) -> list[str]:
        """All of them in a line."""
        if group[0].works is not False:
            return self._folded(
                group, *(("works, there and back", "work, there and back") if group[0].works else ALIKE[None])
            )
        end = group[0].end.last
        words = f": {printable(self.names.annotated(end.text))}" + (
            f" ({end.origin})" if end.origin.file else ""
        )
        return self._folded(group, f"fails otherwise{words}", f"fail otherwise{words}", "one more", "{} more")

    def _branch(self, branch: Branch) -> list[str]:
        lines: list[str] = []
        for assumption in branch.assumptions:
            lines += self.style.wrap(f"if {printable(assumption)}:", "  ")
        folded: list[Trace] = []
        for trace in branch.traces:
            ends = trace is branch.end and branch.works is not True
            if trace.leg != "request" and not ends and not self.style.verbose:
                folded.append(trace)
                continue
            lines += [*self._arrived(folded), *self._leg(trace), *self.drawing.lines(trace, failed=ends)]
            lines += self._seen(branch) if trace.leg == "request" else []
            folded = []
        return [*lines, *self._arrived(folded)]

    def _leg(self, trace: Trace) -> list[str]:
        """The headline of a leg after the first."""
        if trace.leg == "request":
            return []
        return ["", f"  {self.style.paint('bold', LEGS.get(trace.leg, trace.leg) + ':')}"]

    def _arrived(self, traces: Sequence[Trace]) -> list[str]:
        """Legs that went well, in one line each; data goes both ways."""
        ways: dict[str, list[str]] = {}
        for trace in traces:
            ways.setdefault(trace.leg, []).append(path_of(trace, self.names))
        lines: list[str] = []
        for leg, paths in ways.items():
            name = LEGS.get(leg, leg)
            both = " both ways" if leg == "data" and len(paths) == 2 else ""
            text = f"{name} arrives{both} ({listed(dict.fromkeys(paths))})"
            lines += self.style.wrap(
                printable(text), f"  {self.style.paint('good', self.style.tick)} ", "    "
            )
        return lines

    def _seen(self, branch: Branch) -> list[str]:
        """As whom the server sees the client, where that is not the client itself."""
        request = branch.traces[0]
        if branch.server is None or branch.seen_as is None or not request.hops:
            return []
        first = next(
            (s.packet for hop in request.hops for s in hop.steps if s.packet is not None),
            request.hops[0].packet,
        )
        if branch.seen_as in (first.src, request.hops[0].packet.src):
            return []
        who = self.names.addr(branch.seen_as)
        text = (
            f"the server sees {format_addr(branch.seen_as)}"
            + (f" ({who})" if who else "")
            + ", not the client"
        )
        return self.style.wrap(printable(text), "    ")

    def _folded(
        self,
        group: Sequence[Branch],
        one: str,
        several: str,
        first: str = "the other one",
        others: str = "the other {}",
    ) -> list[str]:
        """``the other two (shop/api-1 on n1, shop/api-2 on n3) work, there and back``."""
        who = list(dict.fromkeys(self._backend(branch) for branch in group))
        number = NUMBERS[len(group)] if len(group) < len(NUMBERS) else str(len(group))
        subject = first if len(group) == 1 else others.format(number)
        named = f" ({listed(who, 99 if self.style.verbose else 4)})" if any(who) else ""
        return self.style.wrap(f"{subject}{printable(named)} {one if len(group) == 1 else several}", "  ")

    def _backend(self, branch: Branch) -> str:
        request = branch.traces[0]
        return self.names.place(branch.server[1] if branch.server is not None else request.packet.dst)

    # --- cause and fix ------------------------------------------------------------------------------------------------

    def _questions(self) -> list[str]:
        """What would decide it."""
        if self.answer.verdict is not Verdict.UNKNOWN:
            return []
        lines = [self.style.paint("bold", "It would be decided by:")]
        for question in self.answer.questions or ("more of the state than the bundle holds",):
            lines += self.style.wrap(printable(question), "  - ")
        return [*lines, ""]

    def _cause(self) -> list[str]:
        """The cause by its name, the lines that it stands on, and the one thing to change."""
        cause = self.cause
        if cause is None or cause.as_designed is not None:
            return []
        lines = headline("error", cause.code, cause.message, self.style) if cause.code else []
        if self._has_more_evidence(cause):
            lines += frame(cause.evidence, "", self.style)
        notes = Notes(self.style, gutter_of(cause.evidence, self.style))
        if self.fix is not None:
            notes.fix(self.fix, self.undo)
        if cause.code:
            notes.text("more", f"podpath explain {cause.code}")
        return [*lines, *notes.lines]

    def _has_more_evidence(self, cause: WhyCause) -> bool:
        """Whether the cause stands on other lines than the one that the way ends at."""
        ends = {branch.end.last.origin for branch in self.answer.branches}
        return any(origin not in ends for origin in cause.evidence)
