"""``podpath check``: what is wrong in a bundle, the causes first."""

from __future__ import annotations

import click

from podpath.cli import options

USAGE = "podpath check BUNDLE [TARGET]"


@click.command("check")
@click.argument("arguments", metavar="BUNDLE [TARGET]", nargs=-1)
@options.output
@options.verbose
@click.option("--only", metavar="CODE", multiple=True, help="Only this check (may be repeated).")
@click.option("--skip", metavar="CODE", multiple=True, help="All but this check (may be repeated).")
@click.option(
    "--severity",
    type=click.Choice(["error", "warning", "info"]),
    default="warning",
    show_default=True,
    help="Show findings from this severity on.",
)
@click.option("--namespace", "-n", metavar="NS", help="Only what concerns this namespace.")
@options.no_color
def command(
    *,
    arguments: tuple[str, ...],
    output: str,
    verbose: bool,
    only: tuple[str, ...],
    skip: tuple[str, ...],
    severity: str,
    namespace: str | None,
    no_color: bool,
) -> int:
    """Find what is wrong in a bundle, the causes first.

    BUNDLE is a folder or a .tar.zst, .tar.xz or .tar.gz archive; without one, the variable PODPATH_BUNDLE names it.
    With a TARGET (svc/NAMESPACE/NAME, pod/NAMESPACE/NAME, node/NAME, dns or api) the chain of that one thing is
    shown, link by link.
    """
    from podpath.cli.checking import check_all, check_target
    from podpath.cli.errors import UsageError
    from podpath.cli.load import bundle_named

    place, rest = bundle_named(arguments, _others(arguments), USAGE)
    if len(rest) > 1:
        raise UsageError(f"one target at a time, please: {USAGE}")
    if rest:
        return check_target(place, rest[0], output=output, verbose=verbose, no_color=no_color)
    return check_all(
        place,
        output=output,
        verbose=verbose,
        only=only,
        skip=skip,
        severity=severity,
        namespace=namespace,
        no_color=no_color,
    )


def _others(arguments: tuple[str, ...]) -> int:
    """A single argument that reads as a target, and is no file, leaves the bundle to the environment."""
    from pathlib import Path

    from podpath.cli.spec import is_spec

    return int(len(arguments) == 1 and is_spec(arguments[0]) and not Path(arguments[0]).exists())
