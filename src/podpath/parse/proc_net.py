"""``/proc/net/snmp``, ``netstat``, ``snmp6`` and ``softnet_stat``: what the protocols and the receive path counted."""

from __future__ import annotations

import re
from itertools import count

from podpath.model.linux.counters import SnmpCounters, SoftnetCpu
from podpath.model.origin import Origin, Unrecognized
from podpath.parse.text_lines import text_lines

SNMP6 = re.compile(r"(Ip6|Icmp6|UdpLite6|Udp6)(\w+)\s+(-?\d+)\s*")
SOFTNET = re.compile(r"[0-9a-fA-F]{8}(\s+[0-9a-fA-F]{8}){2,}\s*")


def parse_snmp(text: str, file: str) -> tuple[SnmpCounters, tuple[Unrecognized, ...]]:
    """``snmp`` and ``netstat``: a line of names, then a line of numbers under the same title (``Ip: ...``)."""
    values: dict[str, int] = {}
    lines: dict[str, int] = {}
    lost: list[Unrecognized] = []
    names: tuple[Origin, list[str]] | None = None
    for line, content in text_lines(text):
        origin = Origin(file, line, content)
        words = content.split()
        if names is None:
            names = origin, words
        elif len(words) == len(names[1]) and words[0] == names[1][0] and words[0].endswith(":"):
            try:
                row = {
                    f"{words[0]}{name}".replace(":", "."): int(word) for name, word in _row(names[1], words)
                }
            except ValueError:
                lost.append(Unrecognized(origin, "not a line of numbers"))
                row = {}
            values |= row
            lines |= dict.fromkeys(row, line)
            names = None
        else:
            lost.append(Unrecognized(names[0], "no line of numbers follows these names"))
            names = origin, words
    if names:
        lost.append(Unrecognized(names[0], "no line of numbers follows these names"))
    return SnmpCounters(file, values, lines), tuple(lost)


def _row(names: list[str], words: list[str]) -> list[tuple[str, str]]:
    return list(zip(names[1:], words[1:], strict=True))


def parse_snmp6(text: str, file: str) -> tuple[SnmpCounters, tuple[Unrecognized, ...]]:
    """``snmp6``: one counter a line (``Ip6InNoRoutes  0``), named here as the others are: ``Ip6.InNoRoutes``."""
    values: dict[str, int] = {}
    lines: dict[str, int] = {}
    lost: list[Unrecognized] = []
    for line, content in text_lines(text):
        found = SNMP6.fullmatch(content)
        if found:
            key = f"{found[1]}.{found[2]}"
            values[key], lines[key] = int(found[3]), line
        elif not content.startswith("ifIndex"):  # the head of a device's own file
            lost.append(Unrecognized(Origin(file, line, content), "not a counter of IPv6"))
    return SnmpCounters(file, values, lines), tuple(lost)


def parse_softnet_stat(text: str, file: str) -> tuple[tuple[SoftnetCpu, ...], tuple[Unrecognized, ...]]:
    """A line of hexadecimal columns for each CPU that is online; the 13th (Linux 5.10) is its number."""
    cpus: list[SoftnetCpu] = []
    lost: list[Unrecognized] = []
    place = count()
    for line, content in text_lines(text):
        origin = Origin(file, line, content)
        if not SOFTNET.fullmatch(content):
            lost.append(Unrecognized(origin, "not the counters of a CPU"))
            continue
        columns = dict(enumerate(int(word, 16) for word in content.split()))
        index = next(place)
        cpus.append(
            SoftnetCpu(
                cpu=columns.get(12, index),
                processed=columns[0],
                dropped=columns[1],
                time_squeeze=columns[2],
                received_rps=columns.get(9, 0),
                flow_limit=columns.get(10, 0),
                origin=origin,
            )
        )
    return tuple(cpus), tuple(lost)
