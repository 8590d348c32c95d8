"""IPv6 neighbour discovery is ICMPv6, so ip6tables may drop it (ndisc.c); ARP has tables of its own."""

from __future__ import annotations

from podpath.dataplane.conntrack import UNTRACKED, Tracker
from podpath.dataplane.hooks import run_hook
from podpath.dataplane.hooks import stations as hooked
from podpath.dataplane.segment import Station
from podpath.dataplane.walk import Outcome, Walk
from podpath.model.flow import ICMPV6, Packet
from podpath.model.linux.link import Link
from podpath.model.network import Netns
from podpath.model.trace import Step

SOLICITATION, ADVERTISEMENT = 135, 136
HOOKS = ("output", "postrouting", "prerouting", "input", "forward")


def discovery_stopped(walk: Walk, link: Link, station: Station, target: int, asker: int) -> Step | None:
    """The step that keeps a solicitation from the station that would answer, or its answer from the asker."""
    there, dev = station.netns, station.link.name
    spaces = (walk.netns, there)
    bridge = _bridge(walk, link, there)
    if not any(
        hooked(netns, hook, v4=False)
        for netns in (*spaces, *([bridge[0]] if bridge else []))
        for hook in HOOKS
    ):
        return None
    solicitation = Packet(ICMPV6, asker, target, 0, 0, icmp_type=SOLICITATION, ttl=255, length=72)
    advertisement = Packet(ICMPV6, target, asker, 0, 0, icmp_type=ADVERTISEMENT, ttl=255, length=72)
    for packet, (sender, out), (receiver, into) in (
        (solicitation, (walk.netns, link.name), (there, dev)),
        (advertisement, (there, dev), (walk.netns, link.name)),
    ):
        probe = Walk(
            walk.network,
            walk.decider,
            Tracker(),
            "neighbor",
            sender,
            packet,
            oif=out,
            ct=UNTRACKED,
            local_out=True,
        )
        outcome = _pass(probe, ("output", "postrouting"))
        if outcome is Outcome.NEXT and bridge is not None:
            probe.netns, probe.iif, probe.oif, probe.local_out, probe.bridged = (
                bridge[0],
                bridge[1],
                bridge[1],
                False,
                True,
            )
            outcome = _pass(probe, ("prerouting", "forward", "postrouting"))
        if outcome is Outcome.NEXT:
            probe.netns, probe.iif, probe.oif, probe.local_out, probe.bridged = (
                receiver,
                into,
                "",
                False,
                False,
            )
            outcome = _pass(probe, ("prerouting", "input"))
        if outcome is Outcome.END:
            return probe.trace().last
    return None


def _pass(probe: Walk, hooks: tuple[str, ...]) -> Outcome:
    """The hooks of one namespace; discovery is never tracked (nf_conntrack_icmpv6_error)."""
    for hook in hooks:
        probe.ct = UNTRACKED
        if run_hook(probe, hook) is Outcome.END:
            return Outcome.END
    return Outcome.NEXT


def _bridge(walk: Walk, link: Link, there: Netns) -> tuple[Netns, str] | None:
    """The bridge between the two, where it stands in a third namespace and shows ip6tables what it carries."""
    peer = walk.network.peers.get((walk.netns.id, link.name))
    host = walk.network.namespaces.get(peer[0]) if peer is not None else None
    port = (host.links or {}).get(peer[1]) if host is not None and peer is not None else None
    if host is None or port is None or host is there or host.sysctls is None:
        return None
    bridge = (host.links or {}).get(port.master)
    if (
        bridge is None
        or bridge.kind != "bridge"
        or host.sysctls.number("net.bridge.bridge-nf-call-ip6tables", 0) != 1
    ):
        return None
    return host, bridge.name
