"""A diagnosis as people read it: one sentence a fault, its line, what it breaks, the proof, the fix."""

from __future__ import annotations

from collections.abc import Sequence

from podpath.model.diagnosis import Diagnosis
from podpath.model.finding import Confidence, Finding, Severity
from podpath.report.ask import question_for
from podpath.report.breaks import Share, shortened, summarize
from podpath.report.frame import frame, gutter_of
from podpath.report.names import Names
from podpath.report.not_seen import not_seen
from podpath.report.notes import Notes, Undo, headline
from podpath.report.style import Style, counted, printable

MOST_FINDINGS = 10
"""In full form; the rest is counted."""
MOST_CONSEQUENCES = 5


class CheckReport:
    """Draws one diagnosis."""

    def __init__(
        self,
        diagnosis: Diagnosis,
        style: Style,
        *,
        names: Names | None = None,
        share: Share | None = None,
        undo: Undo | None = None,
        seconds: float | None = None,
        lowest: Severity = Severity.WARNING,
        place: str = "",
    ) -> None:
        self.diagnosis = diagnosis
        self.style = style
        self.names = names or Names()
        self.share = share
        self.undo = undo
        self.seconds = seconds
        self.lowest = lowest
        """Findings below it are only counted."""
        self.place = place
        """The bundle as a shell takes it, for the commands to go on with."""

    def lines(self) -> list[str]:
        """The whole report."""
        found = self.diagnosis.at_least(self.lowest)
        lines = [*self._head(found), ""]
        shown = found if self.style.verbose else found[:MOST_FINDINGS]
        for finding in shown:
            lines += [*self.finding(finding), ""]
        if len(found) > len(shown):
            lines += [self._rest(found[len(shown) :]), ""]
        if self.diagnosis.broken and not any(one.breaks for one in found):
            lines += [*self._unexplained(), ""]
        elif not found:
            lines += [*self._healthy(), ""]
        hidden = len(self.diagnosis.findings) - len(found)
        if hidden:
            lines += [
                f"not shown: {counted(hidden, 'finding')} below {self.lowest.value} (--severity info)",
                "",
            ]
        lines += not_seen(self.diagnosis, self.style)
        lines += self._next(found)
        return lines[:-1] if lines[-1] == "" else lines

    # --- the first line -----------------------------------------------------------------------------------------------

    def _head(self, found: Sequence[Finding]) -> list[str]:
        d = self.diagnosis
        size = ", ".join([counted(d.nodes, "node"), counted(d.pods, "pod"), counted(d.services, "service")])
        took = f" in {self.seconds:.1f} s" if self.seconds is not None else ""
        walked = (
            f"{counted(d.walked, 'promise')} walked{took}, {f'{d.broken:,}' if d.broken else 'none'} broken"
        )
        causes = sum(finding.severity is Severity.ERROR for finding in found)
        warnings = sum(finding.severity is Severity.WARNING for finding in found)
        told = [counted(causes, "cause")] if causes else []
        told += [counted(warnings, "warning")] if warnings else []
        name = printable(d.bundle)
        first, *rest = self.style.wrap(f"{name}  {size}; {', '.join([walked, *told])}", hang="  ")
        return [self.style.paint("bold", first[: len(name)]) + first[len(name) :], *rest]

    # --- one finding --------------------------------------------------------------------------------------------------

    def finding(self, finding: Finding) -> list[str]:
        """One fault in full form."""
        style = self.style
        return [
            *headline(finding.severity.value, finding.code, finding.message, style),
            *frame(finding.evidence, printable(finding.cause), style),
            *self._notes(finding),
        ]

    def _notes(self, finding: Finding) -> list[str]:
        notes = Notes(self.style, gutter_of(finding.evidence, self.style))
        if finding.breaks:
            self._broken(finding, notes)
        if finding.reason:
            notes.text("because", printable(finding.reason))
        if finding.proof:
            notes.text("proof", printable(finding.proof))
        elif finding.confidence is Confidence.LIKELY:
            notes.text("proof", "likely, not proven: no change of the model shows it")
        if finding.fix is not None:
            notes.fix(finding.fix, self.undo)
        for other in self._consequences(finding):
            notes.text("also", other)
        return notes.lines

    def _broken(self, finding: Finding, notes: Notes) -> None:
        count = finding.broken or sum(promise.stands_for for promise in finding.breaks)
        phrases = shortened(summarize(finding.breaks, self.names, self.share), verbose=self.style.verbose)
        head = f"{counted(count, 'promise')}: "
        if len(phrases) == 1:
            notes.text("breaks", printable(head + phrases[0]))
        else:
            notes.text("breaks", head)
            for phrase in phrases:
                notes.text("", printable(phrase), bullet="- ")
        if self.style.verbose:
            notes.text("", "in full:")
            for promise in finding.breaks:
                notes.text("", printable(promise.text), bullet="- ")

    def _consequences(self, finding: Finding) -> list[str]:
        every = finding.consequences
        shown = every if self.style.verbose else every[:MOST_CONSEQUENCES]
        texts = [f"{one.severity.value}[{one.code}] {printable(one.message)}" for one in shown]
        if len(shown) < len(every):
            texts.append(f"{len(every) - len(shown)} more that follow from it (-v)")
        return texts

    # --- the end ------------------------------------------------------------------------------------------------------

    def _rest(self, findings: Sequence[Finding]) -> str:
        codes: dict[str, int] = {}
        for finding in findings:
            codes[finding.code] = codes.get(finding.code, 0) + 1
        told = ", ".join(
            f"{code} ({count})" if count > 1 else code for code, count in list(codes.items())[:8]
        )
        more = ", ..." if len(codes) > 8 else ""
        return f"... and {counted(len(findings), 'more finding')} (-v shows all): {told}{more}"

    def _next(self, found: Sequence[Finding]) -> list[str]:
        """What to type next, with this bundle and the first finding."""
        if not found or not self.place:
            return []
        first = found[0]
        commands = [f"podpath explain {first.code}"]
        example = next((one for one in first.breaks if one.kind == "service"), next(iter(first.breaks), None))
        question = question_for(example, self.names) if example is not None else ""
        commands += [f"podpath why {self.place} {question}"] if question else []
        return [
            f"{'next:' if number == 0 else '     '} {self.style.paint('dim', printable(command))}"
            for number, command in enumerate(commands)
        ]

    def _unexplained(self) -> list[str]:
        text = f"{counted(self.diagnosis.broken, 'promise')} broken, by no cause that is shown here"
        return self.style.wrap(f"{text} (--only, --skip, --severity and --namespace leave findings out).")

    def _healthy(self) -> list[str]:
        d = self.diagnosis
        if not d.walked:
            return self.style.wrap(
                "Nothing could be walked: the bundle holds no Pods, Services or nodes of which anything is promised."
            )
        undecided = sum(one.promise.stands_for for one in d.undecided)
        kept = f"{d.walked - undecided:,} of the" if undecided else "All"
        sentence = (
            f"{kept} {counted(d.walked, 'promise')} that were walked are kept, there and back: Pods to Pods, to "
            "Services, to DNS, to the API server and to the outside; nodes to the same, and to their Pods."
        )
        lines = [self.style.paint("good", line) for line in self.style.wrap(sentence)]
        designed = dict.fromkeys(one.text for one in d.as_designed)
        if designed:
            sorts = counted(len(designed), "sort of flow fails", "sorts of flows fail")
            hint = "" if self.style.verbose else " -v lists them."
            text = f"{sorts} by design (a policy denies it, a Local Service has no Pod there, ...).{hint}"
            lines += self.style.wrap(text)
            if self.style.verbose:
                lines += [f"  - {printable(text)}" for text in designed]
        return lines
