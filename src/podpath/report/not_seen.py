"""What a diagnosis could not see: sources, checks, lines and promises that stay open."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from podpath.model.diagnosis import Diagnosis, Undecided
from podpath.model.origin import Origin
from podpath.report.style import Style, counted, listed, printable

MOST_SOURCES = 5
MOST_QUESTIONS = 5
MOST_LINES = 20
"""Lines that were not understood, of those shown with -v."""
LABEL = 11


def not_seen(diagnosis: Diagnosis, style: Style) -> list[str]:
    """The sections at the end; nothing when all was seen."""
    open_ = _undecided(diagnosis.undecided, style)
    unseen = [
        *_sources(diagnosis.missing, style),
        *_skipped(diagnosis, style),
        *_crashed(diagnosis, style),
        *_unrecognized(diagnosis, style),
    ]
    lines = [style.paint("warning", "undecided:"), *open_, ""] if open_ else []
    return [*lines, style.paint("bold", "not seen:"), *unseen, ""] if unseen else lines


def _undecided(undecided: Sequence[Undecided], style: Style) -> list[str]:
    """Promises, and what would decide them: one question for many."""
    by_question: dict[str, list[Undecided]] = {}
    for one in undecided:
        for question in one.questions or ("what happens to it",):
            by_question.setdefault(question, []).append(one)
    ordered = sorted(by_question.items(), key=lambda item: -_weight(item[1]))
    shown = ordered if style.verbose else ordered[:MOST_QUESTIONS]
    lines: list[str] = []
    for question, some in shown:
        example = printable(some[0].promise.text)
        more = f" and {_weight(some) - 1:,} more" if _weight(some) > 1 else ""
        lines += style.wrap(f"{example}{more}: it would be decided by {printable(question)}", "  ", "    ")
    if len(shown) < len(ordered):
        lines.append(f"  ... and {counted(len(ordered) - len(shown), 'more question')} (-v)")
    return lines


def _weight(undecided: Iterable[Undecided]) -> int:
    return sum(one.promise.stands_for for one in undecided)


def _sources(missing: Sequence[Origin], style: Style) -> list[str]:
    """By source and reason, with the nodes where it is missing."""
    places: dict[tuple[str, str], list[str]] = {}
    for origin in missing:
        places.setdefault((origin.source, origin.text), []).append(origin.node)
    shown = list(places.items()) if style.verbose else list(places.items())[:MOST_SOURCES]
    lines: list[str] = []
    for (source, reason), nodes in shown:
        where = f" of {listed(node for node in nodes if node)}" if any(nodes) else ""
        why = f" ({printable(reason)})" if reason else ""
        lines += _item("source" if not lines else "", f"{printable(source)}{printable(where)}{why}", style)
    if len(shown) < len(places):
        lines += _item("", f"and {counted(len(places) - len(shown), 'more source')} (-v)", style)
    return lines


def _skipped(diagnosis: Diagnosis, style: Style) -> list[str]:
    """Checks by what they lack."""
    by_need: dict[tuple[str, ...], list[str]] = {}
    for one in diagnosis.skipped:
        by_need.setdefault(one.missing, []).append(one.code)
    lines: list[str] = []
    for need, codes in by_need.items():
        verb = "did not run"
        text = f"{listed(codes, 99 if style.verbose else 4)} {verb} (no {listed(need)} in the bundle)"
        lines += _item("checks" if not lines else "", printable(text), style)
    return lines


def _crashed(diagnosis: Diagnosis, style: Style) -> list[str]:
    lines: list[str] = []
    for one in diagnosis.crashed:
        last = (one.traceback.strip().splitlines() or [""])[-1]
        text = f"{one.code} failed itself, which is a bug of podpath: please report it ({printable(last)})"
        lines += _item("crashed" if not lines else "", text, style)
        if style.verbose:
            lines += [f"  {printable(line)}" for line in one.traceback.splitlines()]
    return lines


def _unrecognized(diagnosis: Diagnosis, style: Style) -> list[str]:
    """How many lines were not understood, and in which files."""
    lost = diagnosis.unrecognized
    if not lost:
        return []
    files: dict[str, int] = {}
    for one in lost:
        files[one.origin.file] = files.get(one.origin.file, 0) + 1
    words = [f"{_file(file)} ({count})" if count > 1 else _file(file) for file, count in files.items()]
    hint = "" if style.verbose else "; -v shows them"
    text = f"{counted(len(lost), 'line')} not understood: {listed(words)}{hint}"
    lines = _item("lines", printable(text), style)
    if style.verbose:
        for one in lost[:MOST_LINES]:
            lines.append(f"  {'':{LABEL}}{printable(str(one.origin))}: {printable(one.reason)}")
            lines += [f"  {'':{LABEL}}  {printable(one.origin.text)}"] if one.origin.text else []
        if len(lost) > MOST_LINES:
            lines.append(f"  {'':{LABEL}}... and {len(lost) - MOST_LINES:,} more (-o json has the number)")
    return lines


def _file(path: str) -> str:
    return str(Origin(path, 0))


def _item(label: str, text: str, style: Style) -> list[str]:
    return style.wrap(text, f"  {label:{LABEL}}")
