"""``ip -j neigh show``: the ARP and ND tables of one network namespace."""

from __future__ import annotations

from podpath.model.linux.neighbor import Neighbor
from podpath.model.origin import Origin, Unrecognized
from podpath.parse.json_entries import (
    Fields,
    Item,
    NotUnderstoodError,
    address,
    need_word,
    parse_entries,
    word,
    words,
)

TRAITS = ("router", "proxy", "managed", "extern_learn", "offload")
"""Flags, printed as keys without a value, in the order of ``ip neigh``."""


def parse_ip_neigh(text: str, file: str) -> tuple[tuple[Neighbor, ...], tuple[Unrecognized, ...]]:
    """The neighbours in the order of the file."""

    def build(fields: Fields, item: Item) -> tuple[Neighbor, ...]:
        dst = address(fields, "dst")
        if dst is None:
            raise NotUnderstoodError("the entry has no dst")
        return (
            Neighbor(
                dst=dst,
                dev=need_word(fields, "dev"),
                lladdr=word(fields, "lladdr"),
                state=" ".join(words(fields, "state")),
                proxy="proxy" in fields,
                origin=Origin(file, item.line, _text(fields)),
            ),
        )

    return parse_entries(text, file, build)


def _text(fields: Fields) -> str:
    """A neighbour as ``ip neigh`` shows it."""
    parts = [word(fields, "dst"), f"dev {word(fields, 'dev')}"]
    parts += [f"lladdr {word(fields, 'lladdr')}"] if word(fields, "lladdr") else []
    parts += [trait for trait in TRAITS if trait in fields]
    return " ".join([*parts, *words(fields, "state")])
