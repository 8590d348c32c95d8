"""A dump of iptables line by line: without what every node has of its own, and beside another dump."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

MOST_RUNS = 4_000
"""Runs of equal lines beyond which two dumps have little in common; a node's own Pods make some dozens."""
WINDOWS = (64, 1_024, 8_192)
"""How far the next line that both have is looked for."""
_COUNTERS = re.compile(r"^\[[0-9]+:[0-9]+\] ", re.MULTILINE)
"""``[12:840] -A FORWARD ...``"""


def plain_lines(text: str) -> list[str]:
    """The lines of a dump without counters and times, which differ between nodes that have the same rules."""
    if "\n[" in text:
        text = _COUNTERS.sub("", text)
    lines = text.split("\n")
    if "\r" in text:  # a terminal's ends of lines: ``kubectl exec -t``
        lines = [line.rstrip("\r") for line in lines]
    at = 0
    while at < len(lines):
        line = lines[at]
        if line.startswith("#"):
            lines[at] = line.partition(" on ")[0]
        elif line.startswith(":") and " - [" not in line:
            lines[at] = line.partition(" [")[0]
        elif line and not line.startswith("*"):  # chains without a policy, and rules: on to behind the table
            at = committed(lines, at) + 1
            continue
        at += 1
    return lines


def committed(lines: list[str], start: int) -> int:
    """The line that ends a table; behind the last one where none does."""
    try:
        return lines.index("COMMIT", start)
    except ValueError:
        return len(lines)


class Run(NamedTuple):
    """Lines that two dumps have alike: where they begin in one and in the other, and how many they are."""

    ours: int
    theirs: int
    size: int


def equal_runs(ours: list[str], theirs: list[str]) -> list[Run] | None:
    """The lines that both have, in order; None when they are too torn apart to be worth it."""
    runs: list[Run] = []
    i = j = 0
    while i < len(ours) and j < len(theirs):
        count = _equal(ours, i, theirs, j)
        if count:
            runs.append(Run(i, j, count))
            i, j = i + count, j + count
            if len(runs) > MOST_RUNS:
                return None
        else:
            more, fewer = _next_alike(ours, i, theirs, j)
            i, j = i + more, j + fewer
    return runs


def only_ours(ours: list[str], runs: list[Run]) -> Iterator[str]:
    """The lines between the runs."""
    at = 0
    for run in runs:
        yield from ours[at : run.ours]
        at = run.ours + run.size
    yield from ours[at:]


def _equal(ours: list[str], i: int, theirs: list[str], j: int) -> int:
    """How many lines from here on are equal."""
    most = min(len(ours) - i, len(theirs) - j)
    done, size = 0, 16
    while done < most:
        size = min(size, most - done)
        if ours[i + done : i + done + size] == theirs[j + done : j + done + size]:
            done += size
            size *= 2
            continue
        while size > 1:
            half = size // 2
            if ours[i + done : i + done + half] == theirs[j + done : j + done + half]:
                done += half
                size -= half
            else:
                size = half
        return done
    return done


def _next_alike(ours: list[str], i: int, theirs: list[str], j: int) -> tuple[int, int]:
    """How many lines to leave out of each: of one alone where its line is found further on in the other."""
    for window in WINDOWS:
        more = _place(ours, theirs[j], i, window)
        fewer = _place(theirs, ours[i], j, window)
        if more is not None and (fewer is None or more <= fewer):
            return more, 0
        if fewer is not None:
            return 0, fewer
    return 1, 1


def _place(lines: list[str], line: str, start: int, window: int) -> int | None:
    try:
        return lines.index(line, start, start + window) - start
    except ValueError:
        return None
