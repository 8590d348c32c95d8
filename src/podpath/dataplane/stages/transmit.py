"""A packet leaves by a device: neighbour, frame, and what the device is (neighbour.c, arp.c, dev.c, vxlan_core.c)."""

from __future__ import annotations

import msgspec

from podpath.dataplane.discovery import discovery_stopped
from podpath.dataplane.errors import heard
from podpath.dataplane.routing import address_type, select_address
from podpath.dataplane.segment import (
    Station,
    answerer,
    answers,
    held_in_silence,
    is_wire,
    wire_answerer,
    wires,
)
from podpath.dataplane.stages.receive import conf_or
from podpath.dataplane.walk import Outcome, Walk
from podpath.model.addr import format_addr, is_v4, make_prefix
from podpath.model.flow import UDP, Packet
from podpath.model.linux.link import Link
from podpath.model.linux.neighbor import FdbEntry, Neighbor
from podpath.model.network import Netns
from podpath.model.trace import Disposition, Step, Symptom

EVERY_MAC = "00:00:00:00:00:00"
"""The default entry of a vxlan device's forwarding database."""
TUNNEL_PORTS = {"request": 44001, "reply": 44002, "data": 44003}
"""Source ports of outer packets: each direction has its own, so they never look like replies."""


def transmit(walk: Walk) -> Outcome:
    """Resolve the neighbour and hand the frame to the device."""
    if walk.oif == "lo":
        walk.reenter("lo")
        walk.looped = True
        return Outcome.LOOPBACK
    link = (walk.netns.links or {}).get(walk.oif)
    if link is None:
        return walk.blind("device", f"device {walk.oif} is not in {walk.netns.folder}")
    if not link.up or not link.carrier:
        state = "down" if not link.up else "without carrier"
        step = Step(
            "device",
            f"{link.name} is {state}",
            link.origin,
            kind="link-down",
            dev=link.name,
            packet=walk.packet,
        )
        symptom = Symptom.TIMEOUT
        if link.up and not walk.local_out:
            walk.error = "icmp-host-unreachable"  # nobody answers there
            symptom = heard(walk.error, walk.packet)
        elif link.up:
            symptom = Symptom.HOST_UNREACHABLE
        return walk.end(Disposition.NOT_FORWARDED, symptom, step)
    program = walk.netns.tc_devices.get(link.name)
    if program and walk.decider.unknown(
        f"what {program} on {link.name} of {walk.netns.folder} does to what goes out"
    ):
        return walk.blind("tc", f"what {program} on {link.name} does", walk.netns.source("tc-filter"))
    next_ip = walk.hop.gateway if walk.hop is not None and walk.hop.gateway is not None else walk.packet.dst
    if link.vxlan is not None:
        return _resolve_vxlan(walk, link, next_ip)
    if link.kind == "bridge":
        return _resolve_segment(walk, link, next_ip, Outcome.BRIDGE)
    if (walk.netns.id, link.name) in walk.network.peers:
        return _resolve_segment(walk, link, next_ip, Outcome.CABLE)
    if is_wire(walk.network, walk.netns, link):
        return _resolve_segment(walk, link, next_ip, Outcome.WIRE)
    if link.kind == "dummy":
        step = Step(
            "device",
            f"{link.name} is a dummy device: what it sends is gone",
            link.origin,
            kind="wrong-route",
            dev=link.name,
        )
        return walk.end(Disposition.MISDELIVERED, Symptom.TIMEOUT, step)
    what = f"what device {link.name} ({link.kind or 'unknown kind'}) does with the packet"
    return walk.blind(
        "device", what + ("" if walk.netns.is_host else ": its other end was not collected"), link.origin
    )


def _entry(walk: Walk, dev: str, target: int) -> Neighbor | None:
    return next(
        (n for n in walk.netns.neighbors or () if n.dst == target and n.dev == dev and not n.proxy), None
    )


def _resolve_segment(walk: Walk, link: Link, target: int, outcome: Outcome) -> Outcome:
    """ARP or ND on an Ethernet segment: a permanent entry, else whoever answers."""
    entry = _entry(walk, link.name, target)
    walk.receiver = None
    if link.noarp:
        walk.dst_mac = ""
        return outcome
    if entry is not None and entry.static:
        walk.dst_mac = entry.lladdr
        walk.note(
            "neighbor",
            entry.origin.text or f"{format_addr(target)} is {entry.lladdr}",
            entry.origin,
            key=format_addr(target),
        )
        if outcome is Outcome.WIRE:
            # the switch floods what no node has, and the owner of the address finds that the frame is not for it
            asker = _asker(walk, link, target)
            walk.receiver = _by_mac(walk, entry.lladdr) or wire_answerer(
                walk.network, walk.netns, target, asker
            )
        return outcome
    asker = _asker(walk, link, target)
    station = answerer(walk.network, walk.netns, link.name, target, asker)
    if station is not None:
        return _found(walk, link, station, target, entry, outcome)
    if outcome is Outcome.WIRE or _has_uplink(walk, link):
        return _resolve_wire(walk, link, target, entry, outcome)
    if entry is not None and entry.lladdr and entry.state not in ("FAILED", "INCOMPLETE"):
        walk.dst_mac = entry.lladdr
        return outcome
    return _unresolved(walk, link, target, entry)


def _found(
    walk: Walk, link: Link, station: Station, target: int, entry: Neighbor | None, outcome: Outcome
) -> Outcome:
    """Somebody would answer: in IPv6 the question and the answer may still be dropped, unless the answer is known."""
    known = entry is not None and entry.lladdr and entry.state not in ("FAILED", "INCOMPLETE")
    if not is_v4(target) and not known:
        stopped = discovery_stopped(walk, link, station, target, _asker(walk, link, target))
        if stopped is not None:
            walk.steps.append(
                msgspec.structs.replace(
                    stopped, text=f"the search for {format_addr(target)} is {stopped.text}"
                )
            )
            return _unresolved(walk, link, target, entry)
    walk.dst_mac = _mac_of(station)
    return outcome


def _asker(walk: Walk, link: Link, target: int) -> int:
    """The address an ARP request asks for: the packet's source if it is an own one, else the device's (arp_solicit)."""
    announce = (
        max(conf_or(walk, "all", "arp_announce"), conf_or(walk, link.name, "arp_announce")) if walk.v4 else 0
    )
    source = walk.packet.src
    if (
        announce < 2
        and address_type(walk.netns, source) == "LOCAL"
        and not (announce and not _onlink(walk.netns, link, source, target))
    ):
        return source
    own = select_address(walk.netns, link.name, target, scope_link=True)
    return own.addr if own is not None else 0


def _onlink(netns: Netns, link: Link, source: int, target: int) -> bool:
    """Whether source and target share a subnet of a device (inet_addr_onlink)."""
    subnets = [make_prefix(a.addr, a.length) for a in netns.addresses or () if a.dev == link.name]
    return any(source in subnet and target in subnet for subnet in subnets)


def resolve_on_bridge(walk: Walk, bridge: Link, target: int) -> Outcome:
    """The MAC address for a frame that br_netfilter re-addresses within a bridge; ``Outcome.NEXT`` when it is found."""
    outcome = _resolve_segment(walk, bridge, target, Outcome.BRIDGE)
    return Outcome.NEXT if outcome is Outcome.BRIDGE else outcome


def _has_uplink(walk: Walk, link: Link) -> bool:
    return link.kind == "bridge" and any(
        port.master == link.name and is_wire(walk.network, walk.netns, port)
        for port in (walk.netns.links or {}).values()
    )


def _resolve_wire(walk: Walk, link: Link, target: int, entry: Neighbor | None, outcome: Outcome) -> Outcome:
    station = wire_answerer(walk.network, walk.netns, target, _asker(walk, link, target))
    if station is not None:
        if not station.link.up:
            return _unresolved(walk, link, target, entry)
        walk.receiver = station
        return _found(walk, link, station, target, entry, outcome)
    if entry is not None and entry.state in ("FAILED", "INCOMPLETE"):
        return _unresolved(walk, link, target, entry)
    if entry is None and held_in_silence(walk.network, walk.netns, target):
        return _unresolved(walk, link, target, entry)
    walk.dst_mac = entry.lladdr if entry is not None else ""
    return outcome


def _mac_of(station: Station) -> str:
    """The MAC that a node answers with: its bridge's, where its uplink is a port of one."""
    master = (station.netns.links or {}).get(station.link.master)
    return master.mac if master is not None and master.kind == "bridge" else station.link.mac


def _by_mac(walk: Walk, mac: str) -> Station | None:
    return next(
        (s for s in wires(walk.network) if s.netns is not walk.netns and mac in (s.link.mac, _mac_of(s))),
        None,
    )


def _unresolved(walk: Walk, link: Link, target: int, entry: Neighbor | None) -> Outcome:
    origin = (
        entry.origin
        if entry is not None
        else walk.netns.source("ip-neigh.json", f"no entry for {format_addr(target)} on {link.name}")
    )
    text = f"nobody on {link.name} answers for {format_addr(target)}"
    step = Step(
        "neighbor",
        text,
        origin,
        kind="neighbor-unresolved",
        dev=link.name,
        key=format_addr(target),
        packet=walk.packet,
    )
    if walk.local_out:
        return walk.end(Disposition.NEIGHBOR_UNREACHABLE, Symptom.HOST_UNREACHABLE, step)
    walk.error = "icmp-host-unreachable"  # arp_error_report, ipv4_link_failure
    return walk.end(Disposition.NEIGHBOR_UNREACHABLE, heard(walk.error, walk.packet), step)


def _resolve_vxlan(walk: Walk, link: Link, target: int) -> Outcome:
    """A vxlan device: the inner MAC from the neighbour table, the remote end from the forwarding database."""
    if link.vxlan is not None and link.vxlan.external:
        return walk.blind(
            "vxlan", f"where {link.name} sends this: it is in collect-metadata mode", link.origin
        )
    entry = _entry(walk, link.name, target)
    if entry is not None and entry.lladdr and entry.state not in ("FAILED", "INCOMPLETE"):
        walk.dst_mac = entry.lladdr
        walk.note(
            "neighbor",
            entry.origin.text or f"{format_addr(target)} is {entry.lladdr}",
            entry.origin,
            key=format_addr(target),
        )
        return Outcome.TUNNEL
    for station in _tunnel_stations(walk, link):
        if answers(station, target, _asker(walk, link, target)):
            walk.dst_mac = station.link.mac
            return Outcome.TUNNEL
    if walk.netns.neighbors is None:
        return walk.blind(
            "neighbor", f"whom {link.name} knows: the neighbours of {walk.netns.folder} were not collected"
        )
    outcome = _unresolved(walk, link, target, entry)
    walk.symptom = Symptom.TIMEOUT
    return outcome


def _tunnel_stations(walk: Walk, link: Link) -> list[Station]:
    """Whom a broadcast on a vxlan device reaches: the ends that default entries name."""
    ends = {
        e.dst for e in walk.netns.fdb or () if e.dev == link.name and e.mac == EVERY_MAC and e.dst is not None
    }
    if link.vxlan is not None and link.vxlan.remote is not None:
        ends.add(link.vxlan.remote)
    found = []
    for end in ends:
        for netns_id, _ in walk.network.owners.get(end, ()):
            netns = walk.network.namespaces[netns_id]
            found += [
                Station(netns, other)
                for other in (netns.links or {}).values()
                if other.vxlan is not None and link.vxlan is not None and other.vxlan.vni == link.vxlan.vni
            ]
    return found


def encapsulate(walk: Walk) -> Outcome:
    """Wrap the frame for a remote end; this namespace sends the outer packet, with the inner's mark (vxlan_xmit)."""
    link = (walk.netns.links or {})[walk.oif]
    vxlan = link.vxlan
    if vxlan is None:
        return walk.blind("tunnel", f"what {link.name} does", link.origin)
    entry = _remote(walk, link)
    remote = entry.dst if entry is not None else vxlan.remote
    vni = entry.vni if entry is not None and entry.vni is not None else vxlan.vni
    if remote is None and walk.netns.fdb is None:
        return walk.blind(
            "vxlan", f"where {link.name} sends this: bridge fdb of {walk.netns.folder} was not collected"
        )
    if remote is None:
        origin = walk.netns.source("bridge-fdb.json", f"no entry for {walk.dst_mac} on {link.name}")
        text = f"{link.name} knows no remote end for {walk.dst_mac}: the packet is dropped"
        step = Step(
            "vxlan", text, origin, kind="tunnel-no-peer", dev=link.name, key=walk.dst_mac, packet=walk.packet
        )
        return walk.end(Disposition.NOT_FORWARDED, Symptom.TIMEOUT, step)
    text = f"vxlan id {vni} to {format_addr(remote)}:{entry.port if entry is not None and entry.port else vxlan.port}"
    walk.note(
        "vxlan", text, entry.origin if entry is not None else link.origin, dev=link.name, key=walk.dst_mac
    )
    inner = walk.packet
    walk.close_hop()
    walk.inner_related, walk.related = walk.related, None
    walk.inner, walk.inner_mac, walk.tunnel, walk.vni = (inner, walk.netns.id), walk.dst_mac, link, vni
    walk.packet = Packet(
        UDP,
        vxlan.local or 0,
        remote,
        TUNNEL_PORTS.get(walk.leg, 44004),
        entry.port if entry is not None and entry.port else vxlan.port,
        mark=inner.mark,
        length=inner.length + (50 if is_v4(remote) else 70),
        df=False,
    )
    walk.ct, walk.dst_mac = None, ""
    walk.iif = walk.oif = walk.phys_in = walk.phys_out = ""
    walk.bridged = walk.looped = False
    walk.restart_hop()
    return Outcome.NEXT


def _remote(walk: Walk, link: Link) -> FdbEntry | None:
    entries = [e for e in walk.netns.fdb or () if e.dev == link.name and e.dst is not None]
    exact = next((e for e in entries if e.mac == walk.dst_mac), None)
    if exact is not None:
        return exact
    floods = [e for e in entries if e.mac == EVERY_MAC]
    for entry in floods:
        for netns_id, _ in walk.network.owners.get(entry.dst or 0, ()):
            links = walk.network.namespaces[netns_id].links or {}
            if any(other.vxlan is not None and other.mac == walk.dst_mac for other in links.values()):
                return entry
    return floods[0] if floods else None


def cable(walk: Walk) -> Outcome:
    """Over a veth pair to the other end."""
    dev = walk.phys_out or walk.oif
    peer = walk.network.peers.get((walk.netns.id, dev))
    other = walk.network.namespaces.get(peer[0]) if peer is not None else None
    if peer is None or other is None:
        return walk.blind("device", f"what is at the other end of {dev} of {walk.netns.folder}")
    walk.enter(other, peer[1])
    return Outcome.NEXT
