"""``conntrack -S``: what the tracker counted, by CPU."""

from __future__ import annotations

from podpath.model.linux.counters import ConntrackStats
from podpath.model.origin import Origin, Unrecognized
from podpath.parse.text_lines import text_lines


def parse_conntrack_stats(
    text: str, file: str
) -> tuple[tuple[ConntrackStats, ...], tuple[Unrecognized, ...]]:
    """A line for each CPU: ``cpu=0  found=0 invalid=2 insert_failed=0 drop=0 ...``."""
    stats: list[ConntrackStats] = []
    lost: list[Unrecognized] = []
    for line, content in text_lines(text):
        origin = Origin(file, line, content)
        try:
            pairs = dict(_pair(token) for token in content.split())
            stats.append(ConntrackStats(pairs.pop("cpu"), pairs, origin))
        except (ValueError, KeyError):
            lost.append(Unrecognized(origin, "not the counters of a CPU"))
    return tuple(stats), tuple(lost)


def _pair(token: str) -> tuple[str, int]:
    key, _, value = token.partition("=")
    return key, int(value)
