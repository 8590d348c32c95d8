"""``/proc/net/snmp``, ``netstat``, ``snmp6`` and ``softnet_stat``: what the protocols and the receive path counted."""

from __future__ import annotations

import re
from itertools import count

from podpath.model.linux.counters import SnmpCounters, SoftnetCpu
from podpath.model.origin import Origin, Unrecognized
from podpath.parse.text_lines import text_lines

NUMBER = re.compile(r"-?[0-9]{1,20}")
SNMP6 = re.compile(r"(Ip6|Icmp6|UdpLite6|Udp6)(\w+)\s+(-?[0-9]{1,20})\s*")
SOFTNET = re.compile(r"[0-9a-fA-F]{8}(\s+[0-9a-fA-F]{8}){2,}\s*")


def parse_snmp(text: str, file: str) -> tuple[SnmpCounters, tuple[Unrecognized, ...]]:
    """``snmp`` and ``netstat``: a line of names, then a line of numbers under the same title (``Ip: ...``)."""
    values: dict[str, int] = {}
    lines: dict[str, int] = {}
    lost: list[Unrecognized] = []
    names: list[str] = []
    waiting: list[Origin] = []
    for line, content in text_lines(text):
        words = content.split()
        origin = Origin(file, line, content)
        if not all(NUMBER.fullmatch(word) for word in words[1:]):
            lost += [Unrecognized(place, "no line of numbers follows these names") for place in waiting]
            names, waiting = words, [origin]
            continue
        if waiting and words[0] == names[0] and words[0].endswith(":") and len(words) == len(names):
            row = {
                f"{words[0][:-1]}.{name}": int(word) for name, word in zip(names[1:], words[1:], strict=True)
            }
            values |= row
            lines |= dict.fromkeys(row, line)
        else:
            lost += [Unrecognized(place, "names and numbers do not match") for place in (*waiting, origin)]
        waiting = []
    lost += [Unrecognized(place, "no line of numbers follows these names") for place in waiting]
    return SnmpCounters(file, values, lines), tuple(lost)


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
