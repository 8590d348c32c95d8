"""IP sets (``ipset save``)."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from podpath.model.addr import Prefix
from podpath.model.origin import NOWHERE, Origin

ElementPart = Prefix | tuple[int, int] | tuple[int, int, int] | str | int
"""One dimension of an element: a network; an address or plain port range (lo, hi); a port range with its protocol
(proto, lo, hi); an interface, MAC or set name; a mark."""


class IpSetEntry(msgspec.Struct, frozen=True, gc=False):
    """An element of a set, one part a dimension."""

    parts: tuple[ElementPart, ...]
    nomatch: bool = False
    timeout_s: int | None = None
    physdev: bool = False
    text: str = ""
    line: int = 0


class IpSet(msgspec.Struct, frozen=True):
    """A set: ``type`` as created (``hash:ip,port``), elements in order of the file."""

    name: str
    type: str
    v4: bool = True
    entries: tuple[IpSetEntry, ...] = ()
    options: Mapping[str, str] = {}
    unknown: str = ""
    """Not empty when an element was not understood: a miss is then unknown."""
    origin: Origin = NOWHERE

    @property
    def dimensions(self) -> tuple[str, ...]:
        """``("ip", "port")`` of ``hash:ip,port``."""
        return tuple(self.type.partition(":")[2].split(","))
