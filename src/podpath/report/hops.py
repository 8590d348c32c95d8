"""One trace, hop by hop: what each node decided, by which line, and what became of the packet."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from podpath.model.flow import Packet, endpoint_text
from podpath.model.trace import Disposition, Hop, Step, Trace
from podpath.report.names import Names
from podpath.report.style import Style, columns, printable

STAGE = 13
"""Columns of a stage's name."""
INDENT = 4
NARROWEST_TEXT = 24
"""Columns that a step's words need beside their source; in narrower windows the source goes under them."""
QUIET_STAGES = frozenset({"neighbor", "mark"})
"""Steps that are shown only with -v, or when they end the way."""
UNSEEN = "unreadable"
"""The kind of step where sight ends."""
ARRIVED = (Disposition.ACCEPTED, Disposition.EXITS_NETWORK)

_ROUTE_TAIL = re.compile(r" (?:proto|scope|src|metric|pref|onlink)\b.*")


class Row(NamedTuple):
    """A step as it is drawn."""

    stage: str
    text: str
    source: str
    rule: str
    """The line itself, where it is worth showing."""
    ends: bool = False
    open: bool = False
    """It ends here only as far as we see."""


class TraceDrawing:
    """Draws one trace after the other in the same manner."""

    def __init__(
        self, names: Names, style: Style, *, backends: int = 1, src: str = "", dst: str = ""
    ) -> None:
        self.names = names
        self.style = style
        self.backends = backends
        """Among how many a Service's translation chooses."""
        self.src = src
        self.dst = dst
        """The names that were asked, for the headline of the request."""

    def lines(self, trace: Trace, *, failed: bool) -> list[str]:
        """All hops, by node."""
        lines: list[str] = []
        node = None
        for number, hop in enumerate(trace.hops):
            here = self.names.node_of_netns(hop.netns) or "outside"
            if here != node:
                lines += self._header(here, hop, trace, first=number == 0)
                node = here
            last = number == len(trace.hops) - 1
            for row in self._rows(hop, ends=last and failed, closes=last):
                lines += self._draw(row)
        return lines

    def _header(self, node: str, hop: Hop, trace: Trace, *, first: bool) -> list[str]:
        name = printable(node)
        came = self._ends(hop, trace) if first else f"in by {hop.dev}"
        line, *rest = self.style.wrap(printable(came), f"  {name}  ")
        return [f"  {self.style.paint('bold', name)}{line[2 + len(name) :]}", *rest]

    def _ends(self, hop: Hop, trace: Trace) -> str:
        """Who speaks to whom."""
        packet = hop.packet
        src = self.names.endpoint(packet.src, 0) if packet.src else self.names.netns(hop.netns)
        dst = self.names.endpoint(packet.dst, packet.dport)
        if trace.leg == "request" and self.src and self.dst:
            node = self.names.node_of_netns(hop.netns)
            src, dst = (
                self.src.removesuffix(f" on {node}"),
                f"{self.dst} {endpoint_text(packet.dst, packet.dport)}",
            )
        return f"{src} -> {dst}"

    # --- rows ---------------------------------------------------------------------------------------------------------

    def _rows(self, hop: Hop, *, ends: bool, closes: bool) -> Iterator[Row]:
        packet = hop.packet
        for number, step in enumerate(hop.steps):
            last = number == len(hop.steps) - 1
            if step.stage in QUIET_STAGES and not (self.style.verbose or (ends and last)):
                continue
            if hop.outer and step.stage == "route" and not (self.style.verbose or (closes and last)):
                continue
            yield self._row(hop, step, packet, ends=ends and last)
            packet = step.packet or packet

    def _row(self, hop: Hop, step: Step, packet: Packet, *, ends: bool) -> Row:
        text = self._change(step, packet) or self._words(hop, step)
        shown = self.style.verbose or ends
        shown = shown and step.origin.line > 0 and step.origin.text != step.text
        rule = step.origin.text if shown else ""
        return Row(
            self._stage(hop, step),
            printable(text),
            self._source(hop, step),
            printable(rule),
            ends,
            step.kind == UNSEEN,
        )

    def _stage(self, hop: Hop, step: Step) -> str:
        if hop.outer and step.stage == "route":
            return "route (outer)"
        return (
            f"pod {step.stage}"
            if hop.netns.startswith("pod/") and step.stage in ("route", "socket")
            else step.stage
        )

    def _words(self, hop: Hop, step: Step) -> str:
        """The step's own words, without what its stage says already and with names for addresses."""
        text = step.text
        for lead in (f"{step.stage} ", "again: "):
            text = text.removeprefix(lead)
        if step.stage == "route" and not self.style.verbose and not step.kind:
            text = _ROUTE_TAIL.sub("", text)
        if hop.netns.startswith("pod/") and step.stage == "socket" and not step.kind:
            return f"{self.names.netns(hop.netns)}: {text}"
        return self.names.annotated(text)

    def _change(self, step: Step, before: Packet) -> str:
        """What a translation made of the packet; empty for a step that changed no address."""
        after = step.packet
        if after is None or not before.src or step.kind:
            return ""
        parts = []
        if (after.dst, after.dport) != (before.dst, before.dport):
            choice = f"1 of {self.backends}:" if self.backends > 1 and step.rule is not None else "to"
            parts.append(f"{choice} {self.names.endpoint(after.dst, after.dport)}")
        if (after.src, after.sport) != (before.src, before.sport):
            parts.append(f"from {self.names.endpoint(after.src, 0)}")
        if not parts:
            return ""
        back = ", as the connection was" if step.key == "conntrack" else ""
        return f"{', '.join(parts)}{back}"

    def _source(self, hop: Hop, step: Step) -> str:
        """File and line; the node stands in the hop's header, the Pod in its stage."""
        if not step.origin.file:
            return ""
        source = step.origin.source
        if hop.netns.startswith("pod/") and source.startswith("pods/"):
            source = source.split("/", 2)[-1]
        return f"{source}:{step.origin.line}" if step.origin.line else source

    # --- drawing ------------------------------------------------------------------------------------------------------

    def _draw(self, row: Row) -> list[str]:
        style = self.style
        mark = " " if not row.ends else "?" if row.open else style.cross
        head = f"{' ' * INDENT}{mark} {row.stage:{STAGE}} "
        room = style.width - columns(row.source) - 2
        beside = room - columns(head) >= NARROWEST_TEXT
        first, *rest = style.wrap(row.text, head, width=room if beside else style.width)
        role = "" if not row.ends else "warning" if row.open else "error"
        source = style.paint("dim", row.source)
        gap = " " * (style.width - columns(row.source) - (columns(first) if beside else 0))
        lines = [_painted(style, role, head) + _painted(style, role, first[len(head) :])]
        lines[0] += gap + source if beside and row.source else ""
        lines += [_painted(style, role, one) for one in rest]
        lines += [gap + source] if row.source and not beside else []
        if row.rule:
            hang = " " * (columns(head) + 2)
            lines += [style.paint("dim", one) for one in style.wrap(row.rule, hang, hang)]
        return lines


def _painted(style: Style, role: str, text: str) -> str:
    return style.paint(role, text) if role else text


def path_of(trace: Trace, names: Names) -> str:
    """``n1 -> n2``: the nodes that a packet passed, each once in a row."""
    nodes: list[str] = []
    for hop in trace.hops:
        node = names.node_of_netns(hop.netns) or "outside"
        if not nodes or nodes[-1] != node:
            nodes.append(node)
    return " -> ".join(nodes)


def arrived(traces: Sequence[Trace]) -> bool:
    """Whether all of them ended well."""
    return all(trace.disposition in ARRIVED for trace in traces)
