"""``podpath demo``: a check of the packaged bundle, and what to try next on it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from podpath.cli import options

if TYPE_CHECKING:
    from podpath.model.diagnosis import Diagnosis
    from podpath.model.network import Network
    from podpath.report.style import Style


@click.command("demo")
@options.verbose
@options.no_color
def command(*, verbose: bool, no_color: bool) -> int:
    """Show it at work on a cluster that comes with podpath."""
    from podpath.cli.checking import examined, text_of
    from podpath.cli.console import style
    from podpath.cli.load import DEMO

    drawn = style(no_color=no_color, verbose=verbose)
    _write([*_intro(drawn), "", drawn.paint("dim", "$ podpath check demo")])
    network, diagnosis, seconds = examined(DEMO)
    sys.stdout.write(text_of(network, diagnosis, drawn, place="", seconds=seconds))
    _write(["", *_outro(network, diagnosis, drawn)])
    return 0


def _intro(drawn: Style) -> list[str]:
    return drawn.wrap(
        "This is the state of a real Kubernetes cluster, collected after somebody gave one of its three nodes a "
        "firewall of its own. podpath was not told so: it has nothing but the files."
    )


def _outro(network: Network, diagnosis: Diagnosis, drawn: Style) -> list[str]:
    """Commands to go on with."""
    from podpath.demo import demo_bundle_path
    from podpath.report.ask import question_for
    from podpath.report.names import Names

    lines = [drawn.paint("bold", "Try next, on the same bundle (its name is demo):"), ""]
    commands = []
    if diagnosis.findings:
        first = diagnosis.findings[0]
        names = Names(network)
        kinds = {promise.kind: promise for promise in reversed(first.breaks)}
        asked = [question_for(kinds[kind], names) for kind in ("service", "dns") if kind in kinds]
        commands += [f"podpath why demo {question}" for question in asked if question]
        commands += [
            f"podpath check demo {question.split()[1].partition(':')[0]}"
            for question in asked[:1]
            if question
        ]
        commands.append(f"podpath explain {first.code}")
    lines += [f"  {command}" for command in [*commands, "podpath check demo -o json"]]
    with demo_bundle_path() as path:
        lines += ["", *drawn.wrap(f"The bundle itself: {path}")]
    return lines


def _write(lines: list[str]) -> None:
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in lines))
    sys.stdout.flush()
