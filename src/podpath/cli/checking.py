"""What ``podpath check`` and ``podpath demo`` do."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Sequence
from difflib import get_close_matches
from functools import lru_cache

from podpath.checks.registry import pages
from podpath.cli.console import ProgressLine, style
from podpath.cli.errors import UsageError
from podpath.cli.load import load
from podpath.cli.main import CLEAR, FINDINGS, UNDECIDED
from podpath.cli.targets import target_name
from podpath.diagnosis.run import diagnose
from podpath.diagnosis.target import examine
from podpath.fixes.fill import filled, undo_steps
from podpath.model.diagnosis import Diagnosis
from podpath.model.finding import Severity
from podpath.model.network import Network
from podpath.report.focus import in_namespace
from podpath.report.json_check import json_check
from podpath.report.json_parts import encode
from podpath.report.json_target import json_target
from podpath.report.names import Names
from podpath.report.shares import share_of
from podpath.report.style import Style
from podpath.report.text_check import CheckReport
from podpath.report.text_target import target_lines


def check_all(
    place: str,
    *,
    output: str = "text",
    verbose: bool = False,
    only: Sequence[str] = (),
    skip: Sequence[str] = (),
    severity: str = "warning",
    namespace: str | None = None,
    no_color: bool = False,
) -> int:
    """Load, diagnose, print; the exit code."""
    _known_codes((*only, *skip))
    network, diagnosis, seconds = examined(place, only, skip)
    if namespace is not None:
        _known_namespace(network, namespace)
        diagnosis = in_namespace(diagnosis, namespace)
    lowest = Severity(severity)
    if output == "json":
        sys.stdout.write(encode(json_check(diagnosis, titles(), lowest)))
    else:
        drawn = style(no_color=no_color, verbose=verbose)
        sys.stdout.write(text_of(network, diagnosis, drawn, place=place, seconds=seconds, lowest=lowest))
    return exit_code(diagnosis, lowest, whole=not (only or skip or namespace))


def examined(
    place: str, only: Sequence[str] = (), skip: Sequence[str] = ()
) -> tuple[Network, Diagnosis, float]:
    """A bundle's network, its diagnosis, and how many seconds it took."""
    progress = ProgressLine()
    try:
        started = time.monotonic()
        network = load(place, progress)
        diagnosis = filled(diagnose(network, only=only, skip=skip, progress=progress))
        return network, diagnosis, time.monotonic() - started
    finally:
        progress.clear()


def text_of(
    network: Network,
    diagnosis: Diagnosis,
    drawn: Style,
    *,
    place: str,
    seconds: float | None = None,
    lowest: Severity = Severity.WARNING,
) -> str:
    """The report for people."""
    report = CheckReport(
        diagnosis,
        drawn,
        names=Names(network),
        share=share_of(network),
        undo=undo_steps,
        seconds=seconds,
        lowest=lowest,
        place=shlex.quote(place) if place else "",
    )
    return "".join(f"{line.rstrip()}\n" for line in report.lines())


def exit_code(diagnosis: Diagnosis, lowest: Severity, *, whole: bool = True) -> int:
    """Notes alone (severity info) are no findings; broken promises are, with or without a name for their cause."""
    counted = lowest if lowest is not Severity.INFO else Severity.WARNING
    if diagnosis.at_least(counted) or (whole and diagnosis.broken):
        return FINDINGS
    return UNDECIDED if diagnosis.undecided else CLEAR


@lru_cache(maxsize=1)
def titles() -> dict[str, str]:
    """The summary line of each check, by code."""
    return {code: summary(page) for code, page in pages().items()}


def summary(page: str) -> str:
    """The first paragraph of a page, in one line."""
    return " ".join(page.strip().partition("\n\n")[0].split()).rstrip(".")


def _known_codes(codes: Sequence[str]) -> None:
    for code in codes:
        if code not in pages():
            near = get_close_matches(code, pages(), 1)
            hint = f"did you mean {near[0]}?" if near else "podpath explain --list has all"
            raise UsageError(f"there is no check {code}: {hint}")


def _known_namespace(network: Network, namespace: str) -> None:
    from podpath.cli.objects import known_namespaces

    known = known_namespaces(network.cluster)
    if namespace not in known:
        near = get_close_matches(namespace, known, 1)
        raise UsageError(
            f"there is no namespace {namespace}" + (f": did you mean {near[0]}?" if near else "")
        )


def check_target(place: str, target: str, *, output: str, verbose: bool, no_color: bool) -> int:
    """One object's chain of promises."""
    progress = ProgressLine()
    try:
        network = load(place, progress)
        name = target_name(network, target)
        links = examine(network, name)
    finally:
        progress.clear()
    if output == "json":
        sys.stdout.write(encode(json_target(network.name, name, links)))
    else:
        lines = target_lines(name, links, Names(network), style(no_color=no_color, verbose=verbose))
        sys.stdout.write("".join(f"{line.rstrip()}\n" for line in lines))
    states = {link.state for link in links}
    if "broken" in states:
        return FINDINGS
    return UNDECIDED if "unknown" in states else CLEAR
