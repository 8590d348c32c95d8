"""Where a fact was read: every fact remembers its file and line."""

from __future__ import annotations

import msgspec


class Origin(msgspec.Struct, frozen=True, gc=False):
    """A line of evidence.

    ``file`` is the path inside the bundle (``nodes/n1/iptables-nft-save``, ``api/services.json``), ``line``
    counts from 1, ``text`` is the line itself, or for JSON the entry as its own tool would print it.
    """

    file: str
    line: int
    text: str = ""

    @property
    def node(self) -> str:
        """The node whose state this is; empty for API objects."""
        parts = self.file.split("/")
        return parts[1] if parts[0] == "nodes" and len(parts) > 2 else ""

    @property
    def source(self) -> str:
        """The source within the node or the API: ``iptables-nft-save``, ``pods/ns.name/ss``, ``api/services.json``."""
        parts = self.file.split("/")
        return "/".join(parts[2:]) if parts[0] == "nodes" and len(parts) > 2 else self.file

    def __str__(self) -> str:
        """``n1, iptables-nft-save:14``, as people read it."""
        place = f"{self.source}:{self.line}" if self.line else self.source
        return f"{self.node}, {place}" if self.node else place


NOWHERE = Origin("", 0)
"""The origin of what no line states (a default of the kernel, an absence)."""


class Unrecognized(msgspec.Struct, frozen=True, gc=False):
    """A line, entry or option that was read and not understood: kept, counted, shown."""

    origin: Origin
    reason: str
