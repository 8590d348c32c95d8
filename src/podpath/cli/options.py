"""Options that several commands have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def output(function: F) -> F:
    """``-o text|json``."""
    option = click.option(
        "-o",
        "--output",
        type=click.Choice(["text", "json"]),
        default="text",
        help="For people, or for programs.",
    )
    return option(function)


def verbose(function: F) -> F:
    """``-v``."""
    return click.option("-v", "--verbose", is_flag=True, help="Everything: no list is cut short.")(function)


def no_color(function: F) -> F:
    """``--no-color``."""
    text = "No colours (also NO_COLOR; FORCE_COLOR forces them)."
    return click.option("--no-color", is_flag=True, help=text)(function)
