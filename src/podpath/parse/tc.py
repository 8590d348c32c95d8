"""``tc -s -j qdisc show`` and ``tc filter show``: what may drop, delay or take packets beside the stack."""

from __future__ import annotations

import re
from itertools import zip_longest
from typing import NamedTuple

from podpath.model.linux.counters import Qdisc, TcFilter
from podpath.model.origin import Origin, Unrecognized
from podpath.parse.json_entries import Fields, Item, child, need_word, number, parse_entries, word
from podpath.parse.text_lines import text_lines

HARMLESS = frozenset(
    {
        *("noqueue", "noop", "pfifo_fast", "fq_codel", "fq", "mq", "clsact", "ingress"),
        *("pfifo", "bfifo", "multiq", "cake"),
    }
)
"""Disciplines that lose a packet only when a queue is full, whose options therefore are not kept."""

HEADING = re.compile(r"[#=\s]*+(?:dev\s+)?(?P<dev>[^\s:]\S*?)\s+(?P<parent>ingress|egress|root)\s*[:=]*\s*")
"""``# dev eth0 ingress``: of the collecting script, since ``tc filter show dev eth0 ingress`` repeats neither."""
FILTER = re.compile(
    r"filter\s+(?:(?:added|deleted|replaced)\s+)?(?:block\s+\d+\s+)?(?:dev\s+(?P<dev>\S+)\s+)?"
    r"(?:parent\s+(?P<parent>\S+)\s+|(?P<hook>root|ingress|egress)\s+)?"
    r"(?:protocol\s+(?P<protocol>\S+)\s+)?(?:pref\s+(?P<pref>\d{1,10})\s+)?(?P<kind>[a-z][\w-]*)(?P<rest>\s.*|$)"
)
HANDLE = re.compile(r"\b(?:handle|fh)\s")
ACTION = re.compile(r"action order \d+:\s*(\w+)(?:\s*(?:action\s+(\w+)|\((?:\w+ )?(Redirect|Mirror)))?")
HOOKS = {"ffff:fff2": "ingress", "ffff:fff3": "egress", "ffff:": "ingress"}
"""TC_H_MIN_INGRESS, TC_H_MIN_EGRESS, and the ingress qdisc."""


def parse_tc_qdisc(text: str, file: str) -> tuple[tuple[Qdisc, ...], tuple[Unrecognized, ...]]:
    """The queueing disciplines in the order of the file."""

    def build(fields: Fields, item: Item) -> tuple[Qdisc, ...]:
        return (_qdisc(fields, Origin(file, item.line, _qdisc_text(fields))),)

    return parse_entries(text, file, build)


def _qdisc(fields: Fields, origin: Origin) -> Qdisc:
    kind = need_word(fields, "kind")
    return Qdisc(
        dev=need_word(fields, "dev"),
        kind=kind,
        handle=word(fields, "handle"),
        parent=word(fields, "parent"),
        root="root" in fields,
        bytes=number(fields, "bytes") or 0,
        packets=number(fields, "packets") or 0,
        drops=number(fields, "drops") or 0,
        overlimits=number(fields, "overlimits") or 0,
        requeues=number(fields, "requeues") or 0,
        backlog=number(fields, "backlog") or 0,
        qlen=number(fields, "qlen") or 0,
        options="" if kind in HARMLESS else _options(child(fields, "options")),
        origin=origin,
    )


def _options(options: Fields, prefix: str = "") -> str:
    """Options as words; a nested one after its name (``loss-random loss 0.1``)."""
    parts: list[str] = []
    for key, value in options.items():
        if isinstance(value, dict):
            parts.append(_options(value, f"{prefix}{key}."))
        elif value not in (None, False, "", 0):
            parts.append(f"{prefix}{key} {value}")
    return " ".join(part for part in parts if part)


def _qdisc_text(fields: Fields) -> str:
    """A discipline as ``tc qdisc`` shows it, with its first counters."""
    parts = [f"qdisc {word(fields, 'kind')} {word(fields, 'handle')} dev {word(fields, 'dev')}"]
    parts += ["root"] if "root" in fields else []
    parts += [f"parent {word(fields, 'parent')}"] if word(fields, "parent") else []
    parts += [f"dropped {word(fields, 'drops')}"] if word(fields, "drops") else []
    return " ".join(parts)


class _Open(NamedTuple):
    """A filter whose lines are still being read."""

    found: re.Match[str]
    dev: str
    parent: str
    origin: Origin
    more: list[str]


def parse_tc_filter(text: str, file: str) -> tuple[tuple[TcFilter, ...], tuple[Unrecognized, ...]]:
    """The filters in the order of the file. tc prints a head without a handle before those of a pref: it is none."""
    opened: list[_Open] = []
    lost: list[Unrecognized] = []
    dev = parent = ""
    for line, content in text_lines(text):
        origin = Origin(file, line, content.rstrip())
        found = FILTER.match(content)
        heading = HEADING.fullmatch(content)
        if found:
            hook = found["hook"] or HOOKS.get(found["parent"] or "", found["parent"]) or parent
            opened.append(_Open(found, found["dev"] or dev, hook, origin, []))
        elif heading and not content.startswith(("\t", " ")):
            dev, parent = heading["dev"], heading["parent"]
        elif opened and content[0].isspace():
            opened[-1].more.append(content)
        else:
            lost.append(Unrecognized(origin, "not a filter as tc prints one"))
    return tuple(_filter(entry) for entry in _leaves(opened)), tuple(lost)


def _leaves(opened: list[_Open]) -> list[_Open]:
    """Without the head of each pref, unless nothing follows it."""
    kept: list[_Open] = []
    entry: _Open
    after: _Open | None
    for entry, after in zip_longest(opened, opened[1:]):
        same = after is not None and _place(entry) == _place(after)
        if HANDLE.search(entry.found["rest"]) or not same:
            kept.append(entry)
    return kept


def _place(entry: _Open) -> tuple[str, str, str, str]:
    return entry.dev, entry.parent, entry.found["pref"] or "", entry.found["kind"]


def _filter(entry: _Open) -> TcFilter:
    body = "\n".join([entry.found["rest"], *entry.more])
    actions = [" ".join(part.lower() for part in found if part) for found in ACTION.findall(body)]
    if "direct-action" in body:
        actions.append("direct-action")
    return TcFilter(
        dev=entry.dev,
        parent=entry.parent,
        kind=entry.found["kind"],
        protocol=entry.found["protocol"] or "",
        pref=int(entry.found["pref"] or 0),
        bpf=entry.found["kind"] == "bpf" or "bpf" in {action.split()[0] for action in actions},
        actions=tuple(actions),
        origin=entry.origin,
    )
