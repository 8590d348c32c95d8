"""``podpath why``: one connection, hop by hop; or a file of them."""

from __future__ import annotations

import click

from podpath.cli import options

USAGE = "podpath why BUNDLE SRC DST"


@click.command("why")
@click.argument("arguments", metavar="BUNDLE SRC DST", nargs=-1)
@options.output
@options.verbose
@click.option(
    "--size",
    metavar="BYTES",
    type=click.IntRange(min=0),
    default=0,
    help="Ask about so many bytes each way (full-size packets) after the first ones.",
)
@click.option("-6", "--ipv6", is_flag=True, help="Ask by IPv6.")
@click.option(
    "--flows",
    metavar="FILE",
    help="Answer a JSON list of flows with a JSON list of verdicts, instead of SRC and DST.",
)
@options.no_color
def command(
    *,
    arguments: tuple[str, ...],
    output: str,
    verbose: bool,
    size: int,
    ipv6: bool,
    flows: str | None,
    no_color: bool,
) -> int:
    """Say why one connection works or fails, hop by hop.

    SRC and DST are pod/NAMESPACE/NAME, svc/NAMESPACE/NAME:PORT, deploy/, sts/ or ds/NAMESPACE/NAME, node/NAME, an
    address, internet, dns or api; DST takes a port (:8080, :http) and a protocol (/udp, /sctp, /icmp). SRC may be
    outside, DST may be name/HOSTNAME: does it resolve? Without BUNDLE, the variable PODPATH_BUNDLE names it.
    """
    from podpath.cli.asking import answer_flows, answer_one
    from podpath.cli.errors import UsageError
    from podpath.cli.load import bundle_named

    place, rest = bundle_named(arguments, 0 if flows is not None else 2, USAGE)
    if flows is not None:
        if rest:
            raise UsageError(f"--flows takes the place of SRC and DST, so {' '.join(rest)} is too much")
        return answer_flows(place, flows)
    if len(rest) != 2:
        raise UsageError(f"a question has two ends: {USAGE}")
    return answer_one(
        place, rest[0], rest[1], output=output, verbose=verbose, size=size, v6=ipv6, no_color=no_color
    )
