"""The chain of one thing: every link with a tick, a cross or a question mark, and the line that says so."""

from __future__ import annotations

from collections.abc import Sequence

from podpath.diagnosis.target import ChainLink, State
from podpath.report.names import Names
from podpath.report.style import Style, columns, counted, printable

INDENT = 2
WIDEST_TITLE = 22
MOST_EVIDENCE = 3
PLAIN = frozenset({"exists", "address"})
"""Links whose addresses are the thing's own."""


def target_lines(target: str, links: Sequence[ChainLink], names: Names, style: Style) -> list[str]:
    """All links, and how many hold."""
    width = min(WIDEST_TITLE, max((columns(printable(link.title)) for link in links), default=0))
    lines = [style.paint("bold", f"{printable(target)}, link by link:"), ""]
    title, part = "", ""
    for link in links:
        if link.part != part:
            lines += (
                ["", f"{' ' * INDENT}{style.paint('bold', printable(link.part))}:"] if link.part else [""]
            )
            title = ""
        lines += _link(link, width, names, style, repeated=link.title == title)
        title, part = link.title, link.part
    hint = (
        ["podpath check without the target names the cause and the fix"]
        if "broken" in states_of(links)
        else []
    )
    return [*lines, "", _summary(links, style), *hint]


def states_of(links: Sequence[ChainLink]) -> list[State]:
    """The states of all links."""
    return [link.state for link in links]


def _link(link: ChainLink, width: int, names: Names, style: Style, *, repeated: bool) -> list[str]:
    mark, role = _mark(link.state, style)
    title = "" if repeated else printable(link.title)
    head = f"{' ' * INDENT}{mark} {title}{' ' * max(0, width - columns(title))}  "
    hang = " " * (INDENT + 4 + width)
    text = link.text if link.title in PLAIN else names.annotated(link.text)
    first, *rest = style.wrap(printable(text), head, hang)
    lines = [" " * INDENT + style.paint(role, mark) + first[INDENT + len(mark) :], *rest]
    if link.state in ("broken", "unknown") or style.verbose:
        lines += _evidence(link, hang, style)
    return lines


def _evidence(link: ChainLink, hang: str, style: Style) -> list[str]:
    """The lines themselves, where something is wrong."""
    shown = link.evidence if style.verbose else link.evidence[:MOST_EVIDENCE]
    lines: list[str] = []
    for origin in shown:
        text = f"{origin}: {origin.text}" if origin.text else str(origin)
        wrapped = style.wrap(printable(text), f"{hang}--> ", f"{hang}      ")
        lines += [style.paint("dim", line) for line in wrapped]
    return lines


def _mark(state: State, style: Style) -> tuple[str, str]:
    marks = {
        "ok": (style.tick, "good"),
        "broken": (style.cross, "error"),
        "unknown": ("?", "warning"),
        "as-designed": ("~", "info"),
        "skipped": ("-", "dim"),
    }
    return marks[state]


def _summary(links: Sequence[ChainLink], style: Style) -> str:
    states = states_of(links)
    broken, unknown = states.count("broken"), states.count("unknown")
    words = [f"{states.count('ok')} of {counted(len(states), 'link')} hold"]
    words += [f"{broken} broken"] if broken else []
    words += [f"{unknown} not known"] if unknown else []
    words += [f"{states.count('as-designed')} as designed (~)"] if "as-designed" in states else []
    return style.paint("error" if broken else "warning" if unknown else "good", ", ".join(words))
