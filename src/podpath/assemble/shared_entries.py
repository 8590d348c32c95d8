"""Entries that many namespaces list alike - the route to another node, a tunnel's neighbour - parsed and held once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec

from podpath.assemble.recent import Recent
from podpath.model.linux.neighbor import FdbEntry, Neighbor
from podpath.model.linux.route import Route, RoutingRule
from podpath.model.origin import Origin, Unrecognized
from podpath.parse.json_entries import file_items

Entry = TypeVar("Entry", Route, RoutingRule, Neighbor, FdbEntry)
Parse = Callable[[str, str], tuple[tuple[Entry, ...], tuple[Unrecognized, ...]]]

LATEST = 16_384
"""Entries of each kind that are remembered; a cluster of 1,000 nodes has about as many routes that differ."""


class SharedEntries:
    """What entries of iproute2's JSON say, by their own bytes; only file and line differ from place to place."""

    def __init__(self) -> None:
        self._known: dict[str, Recent[bytes, tuple[object, ...]]] = {}

    def parsed(self, kind: str, parse: Parse[Entry]) -> Parse[Entry]:
        """A parser of whole files that asks ``parse`` only about entries it has not seen. ``kind`` names its sort."""
        known = self._known.setdefault(kind, Recent(LATEST))

        def read(text: str, file: str) -> tuple[tuple[Entry, ...], tuple[Unrecognized, ...]]:
            facts: list[Entry] = []
            lost: list[Unrecognized] = []
            for item in file_items(text, file):
                made: tuple[Entry, ...] | None = known.get(item.raw)  # type: ignore[assignment]  # of this sort alone
                if made is None:
                    made, unread = parse(f"[{item.raw.decode()}]", file)
                    lost += [_at(one, item.line - 1) for one in unread]
                    if not unread:
                        known.put(item.raw, made)
                facts += [_placed(fact, file, item.line - 1) for fact in made]
            return tuple(facts), tuple(lost)

        return read


def _placed(fact: Entry, file: str, below: int) -> Entry:
    origin = fact.origin
    return msgspec.structs.replace(fact, origin=Origin(file, origin.line + below, origin.text))


def _at(lost: Unrecognized, below: int) -> Unrecognized:
    origin = lost.origin
    return Unrecognized(Origin(origin.file, origin.line + below, origin.text), lost.reason)
