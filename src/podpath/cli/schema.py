"""``podpath schema``: the JSON Schema of an output."""

from __future__ import annotations

import sys

import click

OUTPUTS = ("check", "why", "flows", "target")


@click.command("schema")
@click.argument("output", type=click.Choice(OUTPUTS))
def command(*, output: str) -> int:
    """Print the JSON Schema of an output.

    check is `podpath check -o json`, target the same with a TARGET, why is `podpath why -o json`, and flows what
    `podpath why --flows` prints.
    """
    from podpath.report.json_parts import encode
    from podpath.report.schemas import schema_of

    sys.stdout.write(encode(schema_of(output)))
    return 0
