"""``conntrack -L``, with and without ``-o extended``, and ``/proc/net/nf_conntrack``: the tracked connections."""

from __future__ import annotations

import re

from podpath.model.addr import parse_addr
from podpath.model.linux.conntrack import ConntrackEntry, Tuple
from podpath.model.origin import Origin, Unrecognized
from podpath.parse.text_lines import text_lines

ENTRY = re.compile(
    r"(?:(?:ipv[46]|unknown)\s+\d+\s+)?"  # -o extended: the layer 3 protocol
    r"(?P<name>[^\s=]+)\s+(?P<proto>\d+)\s+"
    r"(?:(?P<timeout>\d+)\s+)?"  # an offloaded flow has neither timeout nor state (ctnetlink_fill_info)
    r"(?:(?P<state>[A-Z][A-Z0-9_]*)\s+)?"
    r"(?P<rest>src=.*)"
)
SUMMARY = re.compile(r"conntrack v\S+ \(conntrack-tools\): \d+ flow entries have been shown\.")
FLAGS = frozenset({"[UNREPLIED]", "[ASSURED]", "[OFFLOAD]", "[HW_OFFLOAD]"})
TUPLE_KEYS = frozenset({"src", "dst", "sport", "dport", "id", "type", "code", "srckey", "dstkey"})
ZONES = frozenset({"zone", "orig-zone", "zone-orig"})
OTHER_KEYS = frozenset(
    {
        *(
            "mark",
            "use",
            "id",
            "secctx",
            "secmark",
            "helper",
            "labels",
            "delta-time",
            "timestamp",
            "start",
            "stop",
        ),
        *("packets", "bytes", "reply-zone", "zone-reply", "synproxy", "isn", "its", "tsoff", "l3proto"),
    }
)
"""Printed, and of no effect on where a packet goes."""
TIMESTAMP = re.compile(r"\[(?:start|stop)=[^]]*\]")
"""``-o timestamp`` prints a date with blanks."""

Side = dict[str, str]


def parse_conntrack(text: str, file: str) -> tuple[tuple[ConntrackEntry, ...], tuple[Unrecognized, ...]]:
    """The entries in the order of the file."""
    entries: list[ConntrackEntry] = []
    lost: list[Unrecognized] = []
    for line, content in text_lines(text):
        try:
            entries.append(_entry(content, Origin(file, line, content)))
        except ValueError as error:
            if not SUMMARY.match(content):
                lost.append(Unrecognized(Origin(file, line, content), str(error)))
    return tuple(entries), tuple(lost)


def _entry(content: str, origin: Origin) -> ConntrackEntry:
    found = ENTRY.match(content)
    if not found:
        raise ValueError("not an entry as conntrack prints one")
    rest = found["rest"]
    original, reply, others, flags = _words(
        TIMESTAMP.sub("", rest) if "=[" in rest or "[st" in rest else rest
    )
    proto = int(found["proto"])
    return ConntrackEntry(
        original=_tuple(original, proto),
        reply=_tuple(reply, proto),
        state=found["state"] or "",
        timeout_s=int(found["timeout"] or 0),
        unreplied="[UNREPLIED]" in flags,
        assured=bool(
            flags - {"[UNREPLIED]"}
        ),  # only an assured flow is offloaded, and then says that instead
        mark=int(others.get("mark", "0"), 0),
        zone=int(next((others[key] for key in ZONES if key in others), "0")),
        origin=origin,
    )


def _words(rest: str) -> tuple[Side, Side, Side, set[str]]:
    """Both directions, what else has a value, and the flags. The second ``src=`` begins the reply."""
    original: Side = {}
    reply: Side = {}
    others: Side = {}
    flags: set[str] = set()
    side = original
    for token in rest.split():
        key, equals, value = token.partition("=")
        if not equals:
            if token not in FLAGS:
                raise ValueError(f"not understood: {token}")
            flags.add(token)
        elif key in TUPLE_KEYS and not (key == "id" and "type" not in side):
            if key == "src" and side is original and original:
                side = reply
            if key not in side:  # after both tuples id= is the entry's own
                side[key] = value
        elif key in OTHER_KEYS or key in ZONES:
            others.setdefault(key, value)
        else:
            raise ValueError(f"not understood: {token}")
    return original, reply, others, flags


def _tuple(side: Side, proto: int) -> Tuple:
    if "src" not in side or "dst" not in side:
        raise ValueError("a direction has no src or dst")
    if "type" in side:
        sport, dport = int(side.get("id", "0")), int(side["type"]) * 256 + int(side.get("code", "0"))
    else:
        sport = int(side.get("sport") or side.get("srckey") or "0", 0)
        dport = int(side.get("dport") or side.get("dstkey") or "0", 0)
    return Tuple(proto, parse_addr(side["src"]), parse_addr(side["dst"]), sport, dport)
