"""A packet is forwarded: TTL, size, FORWARD (ip_forward.c, ip6_output.c)."""

from __future__ import annotations

import msgspec

from podpath.dataplane.errors import TOO_BIG, TTL, heard
from podpath.dataplane.hooks import run_hook
from podpath.dataplane.walk import Outcome, Walk
from podpath.model.trace import Disposition, Step, Symptom


def path_mtu(walk: Walk) -> int:
    """The MTU of the way out: the route's own, else the device's (ip_dst_mtu_maybe_forward)."""
    link = (walk.netns.links or {}).get(walk.oif)
    mtu = link.mtu if link is not None else 1500
    route = walk.fib.route if walk.fib is not None else None
    return min(mtu, route.mtu) if route is not None and route.mtu else mtu


def forward(walk: Walk) -> Outcome:
    """What is tested before FORWARD: TTL and size."""
    packet = walk.packet
    if packet.ttl <= 1:
        step = Step(
            "forward", "the TTL has run out: the packet goes in a circle", kind="ttl-expired", packet=packet
        )
        walk.error = TTL
        return walk.end(Disposition.LOOP, heard(TTL, packet), step)
    mtu = path_mtu(walk)
    if packet.length > mtu and (packet.df or not packet.v4):
        link = (walk.netns.links or {}).get(walk.oif)
        walk.too_big, walk.error = mtu, TOO_BIG
        text = f"{packet.length} bytes do not fit the MTU {mtu} of {walk.oif}; the sender is told (ICMP 3/4)"
        origin = link.origin if link is not None else walk.netns.source("ip-link.json")
        step = Step("forward", text, origin, kind="too-big", dev=walk.oif, packet=packet)
        return walk.end(Disposition.TOO_BIG, Symptom.HANGS, step)
    walk.packet = msgspec.structs.replace(packet, ttl=packet.ttl - 1)
    return Outcome.NEXT


def forward_hook(walk: Walk) -> Outcome:
    """FORWARD."""
    return run_hook(walk, "forward")
