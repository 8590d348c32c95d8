"""Targets that change a header field which a connection depends on, and let the packet go on: TTL, HL, TCPMSS."""

from __future__ import annotations

import re

from podpath.dataplane.routing import FibKey, fib_of
from podpath.dataplane.walk import Walk
from podpath.model.flow import TCP
from podpath.model.linux.route import Route

REWRITES = frozenset({"TTL", "HL", "TCPMSS", "tcp option"})
"""Names of the ``Noop`` and ``NftNoop`` that are in truth rewrites; what they set stands in the rule's text."""
_TTL = re.compile(r"--(?:ttl|hl)-(set|dec|inc) (\d+)")
_MSS = re.compile(r"--set-mss (\d+)|maxseg size set (\d+)")
_CLAMP = re.compile(r"--clamp-mss-to-pmtu|maxseg size set rt mtu")


def rewrite(name: str, text: str, walk: Walk) -> None:
    """Do to the packet what the rule with this text does."""
    if name in ("TTL", "HL"):
        found = _TTL.search(text)
        if found is not None:
            set_ttl(walk, found[1], int(found[2]))
        return
    if walk.packet.protocol != TCP or not walk.packet.tcp_flags & 2:
        return
    fixed = _MSS.search(text)
    if fixed is not None:
        _lower(walk, int(fixed[1] or fixed[2]))
    elif _CLAMP.search(text):
        _lower(
            walk,
            min(_mtu(walk, walk.fib.route if walk.fib is not None else None, walk.oif), _mtu_back(walk))
            - headers(v4=walk.v4),
        )


def headers(*, v4: bool) -> int:
    """Bytes of the IP and TCP headers of a segment, without options."""
    return 40 if v4 else 60


def set_ttl(walk: Walk, how: str, value: int) -> None:
    """xt_TTL, xt_HL, and ``ip ttl set`` of nft."""
    ttl = walk.packet.ttl
    walk.change(ttl={"set": value, "dec": max(ttl - value, 0), "inc": min(ttl + value, 255)}[how])


def _lower(walk: Walk, mss: int) -> None:
    """An MSS is never raised (tcpmss_mangle_packet, nft_exthdr_tcp_set_eval)."""
    if mss > 0 and (not walk.mss or mss < walk.mss):
        walk.mss = mss


def _mtu(walk: Walk, route: Route | None, dev: str) -> int:
    link = (walk.netns.links or {}).get(dev)
    mtu = link.mtu if link is not None else 1500
    return min(mtu, route.mtu) if route is not None and route.mtu else mtu


def _mtu_back(walk: Walk) -> int:
    """The MTU of this host's way to the packet's source (tcpmss_reverse_mtu)."""
    result = fib_of(walk.netns, v4=walk.v4).lookup(FibKey(walk.packet.src, uid=0))
    return min((_mtu(walk, result.route, hop.dev) for hop in result.hops), default=65535)
