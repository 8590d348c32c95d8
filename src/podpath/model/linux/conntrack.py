"""Tracked connections (``conntrack -L``) and the statistics of the tracker (``conntrack -S``)."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from podpath.model.origin import NOWHERE, Origin


class Tuple(NamedTuple):
    """One direction of a connection. For ICMP ``sport`` is the id and ``dport`` is type * 256 + code."""

    proto: int
    src: int
    dst: int
    sport: int
    dport: int


class ConntrackEntry(msgspec.Struct, frozen=True, gc=False):
    """An entry of the table."""

    original: Tuple
    reply: Tuple
    state: str = ""
    timeout_s: int = 0
    unreplied: bool = False
    assured: bool = False
    mark: int = 0
    zone: int = 0
    origin: Origin = NOWHERE
