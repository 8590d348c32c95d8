"""``podpath explain``: the page of a check."""

from __future__ import annotations

import sys
from difflib import get_close_matches

import click

from podpath.cli import options


@click.command("explain")
@click.argument("code", required=False)
@click.option("--list", "all_of_them", is_flag=True, help="All faults that podpath knows by name.")
@options.no_color
def command(*, code: str | None, all_of_them: bool, no_color: bool) -> int:
    """Tell all about one fault, by its CODE: why it breaks, how to see it by hand, how to mend it."""
    from podpath.cli.checking import titles
    from podpath.cli.console import style
    from podpath.cli.errors import UsageError
    from podpath.report.text_page import list_lines, page_lines

    drawn = style(no_color=no_color)
    if all_of_them:
        lines = list_lines(titles(), drawn)
    elif code is None:
        raise UsageError("which fault? podpath explain CODE, or podpath explain --list for all of them")
    else:
        lines = page_lines(code, _page(code), drawn)
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in lines))
    return 0


def _page(code: str) -> str:
    from podpath.checks.registry import pages
    from podpath.cli.errors import UsageError

    known = pages()
    if code in known:
        return known[code]
    near = get_close_matches(code, known, 3, 0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else "podpath explain --list has all of them"
    raise UsageError(f"there is no fault {code}: {hint}")
