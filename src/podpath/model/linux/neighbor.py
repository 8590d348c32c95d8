"""Neighbours (ARP, ND) and forwarding database entries (``ip -j neigh``, ``bridge -j fdb``)."""

from __future__ import annotations

import msgspec

from podpath.model.origin import NOWHERE, Origin


class Neighbor(msgspec.Struct, frozen=True, gc=False):
    """Who holds an address on a device. States as ip-neighbour(8): PERMANENT, REACHABLE, STALE, FAILED ..."""

    dst: int
    dev: str
    lladdr: str = ""
    state: str = ""
    proxy: bool = False
    origin: Origin = NOWHERE

    @property
    def static(self) -> bool:
        """Whether the kernel will never ask for this address (NUD_PERMANENT, NUD_NOARP)."""
        return self.state in ("PERMANENT", "NOARP")


class FdbEntry(msgspec.Struct, frozen=True, gc=False):
    """Where a bridge or a vxlan device sends a MAC address (bridge(8), fdb)."""

    mac: str
    dev: str
    dst: int | None = None
    """Remote tunnel endpoint of a vxlan entry."""
    vni: int | None = None
    port: int | None = None
    self_: bool = False
    master: str = ""
    state: str = ""
    """permanent (the bridge's own address when on a port), static, stale or empty (learned)."""
    vlan: int | None = None
    origin: Origin = NOWHERE
