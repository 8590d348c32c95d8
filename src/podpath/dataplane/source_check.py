"""May a packet with this source come in by this device? (``fib_validate_source``, fib_frontend.c)

The same is asked of packets that are delivered, of those that are forwarded, and of ARP requests (arp_process).
"""

from __future__ import annotations

from typing import NamedTuple

from podpath.dataplane.routing import FibKey, fib_of
from podpath.model.addr import format_addr
from podpath.model.linux.sysctl import conf_key
from podpath.model.network import Netns
from podpath.model.origin import Origin


class Problem(NamedTuple):
    """Why a source is not accepted."""

    kind: str
    text: str
    origin: Origin
    key: str


def source_problem(
    netns: Netns, dev: str, src: int, dst: int, *, mark: int = 0, tos: int = 0
) -> Problem | None:
    """None when an IPv4 packet from ``src`` may come in by ``dev``."""
    strict = max(_conf(netns, "all", "rp_filter"), _conf(netns, dev, "rp_filter"))
    own = netns.addresses_by_value.get(src)
    if own is None and not strict:
        return None
    accept_local = _conf(netns, "all", "accept_local") or _conf(netns, dev, "accept_local")
    if own is not None and not accept_local:
        return Problem(
            "martian",
            f"the source {format_addr(src)} is this host's own address ({own.dev})",
            own.origin,
            "own-address",
        )
    if not strict:
        return None
    valid_mark = _conf(netns, "all", "src_valid_mark") or _conf(netns, dev, "src_valid_mark")
    back = fib_of(netns, v4=True).lookup(FibKey(src, dst, mark=mark if valid_mark else 0, tos=tos, uid=0))
    if back.type == "unknown" or (back.type == "local" and accept_local):
        return None
    key = conf_key("all" if _conf(netns, "all", "rp_filter") >= strict else dev, "rp_filter")
    origin = netns.sysctls.origin(key) if netns.sysctls is not None else netns.source("sysctl")
    if back.type != "unicast":
        return Problem("rp-filter", f"rp_filter={strict}: no route back to {format_addr(src)}", origin, key)
    if strict == 1 and all(hop.dev != dev for hop in back.hops):
        way = back.origin.text or (format_addr(src) if back.route is None else str(back.route.dst))
        return Problem(
            "rp-filter",
            f"rp_filter=1: {format_addr(src)} came in by {dev}, but the way back is route {way}",
            origin,
            key,
        )
    return None


def _conf(netns: Netns, dev: str, name: str) -> int:
    return (netns.sysctls.conf(dev, name) or 0) if netns.sysctls is not None else 0
