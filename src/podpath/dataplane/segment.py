"""Layer 2: who is on a segment, who answers for an address, and where a MAC address is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple
from weakref import WeakKeyDictionary

from podpath.dataplane.routing import FibKey, address_type, fib_of, is_loopback
from podpath.dataplane.source_check import source_problem
from podpath.model.addr import is_v4, make_prefix
from podpath.model.linux.link import Link
from podpath.model.network import Netns, Network
from podpath.model.refs import NetnsId

CABLES = frozenset({"", "bond", "vlan", "team", "veth", "macvlan", "hv_netvsc", "ipvlan"})
"""Kinds of host devices that lead out of the machine when their other end is not in the bundle."""


class Station(NamedTuple):
    """A device of a namespace, on some segment."""

    netns: Netns
    link: Link


def is_wire(network: Network, netns: Netns, link: Link) -> bool:
    """Whether a device leads to the network between the nodes: nothing in the bundle is its other end."""
    if not netns.is_host or link.kind not in CABLES or link.kind == "loopback" or link.name == "lo":
        return False
    return (netns.id, link.name) not in network.peers and not _pod_side(netns, link)


def _pod_side(netns: Netns, link: Link) -> bool:
    """A veth of the host without an address leads to some Pod whose namespace was not collected."""
    return link.kind == "veth" and not any(
        a.dev == link.name and a.scope == "global" for a in netns.addresses or ()
    )


_WIRES: WeakKeyDictionary[Network, tuple[Station, ...]] = WeakKeyDictionary()


def wires(network: Network) -> tuple[Station, ...]:
    """All devices by which nodes reach each other."""
    known = _WIRES.get(network)
    if known is None:
        known = _WIRES[network] = tuple(
            Station(netns, link)
            for netns in network.hosts
            for link in (netns.links or {}).values()
            if is_wire(network, netns, link)
        )
    return known


def stations(network: Network, netns: Netns, dev: str) -> Iterator[Station]:
    """The other devices on the segment that a device of a namespace is attached to, without the underlay."""
    links = netns.links or {}
    link = links.get(dev)
    if link is None:
        return
    if link.kind == "bridge":
        yield from _ports(network, netns, link.name, "")
        return
    peer = network.peers.get((netns.id, dev))
    if peer is None:
        return
    other = network.namespaces.get(peer[0])
    other_link = (other.links or {}).get(peer[1]) if other is not None else None
    if other is None or other_link is None:
        return
    master = (other.links or {}).get(other_link.master) if other_link.master else None
    if master is not None and master.kind == "bridge":
        yield Station(other, master)
        yield from _ports(network, other, master.name, other_link.name)
    else:
        yield Station(other, other_link)


def _ports(network: Network, netns: Netns, bridge: str, without: str) -> Iterator[Station]:
    for link in (netns.links or {}).values():
        if link.master != bridge or link.name == without:
            continue
        peer = network.peers.get((netns.id, link.name))
        other = network.namespaces.get(peer[0]) if peer is not None else None
        other_link = (other.links or {}).get(peer[1]) if other is not None and peer is not None else None
        if other is not None and other_link is not None:
            yield Station(other, other_link)


class _Segment(NamedTuple):
    """The stations on a bridge, itself the first, and which of them to ask for an address.

    Those that hold it, and those that may answer for what they do not hold: a bridge has a hundred ports, and an
    address one holder.
    """

    stations: tuple[Station, ...]
    holders: Mapping[int, tuple[int, ...]]
    others: tuple[int, ...]


_SEGMENTS: WeakKeyDictionary[Network, dict[tuple[NetnsId, str, bool], _Segment]] = WeakKeyDictionary()


def answerer(network: Network, netns: Netns, dev: str, target: int, asker: int) -> Station | None:
    """The first of the ``stations`` on the segment of a device that answers for an address."""
    bridge = _bridge_of(network, netns, dev)
    if bridge is None or is_loopback(target):
        return next((one for one in stations(network, netns, dev) if answers(one, target, asker)), None)
    known = _SEGMENTS.setdefault(network, {})
    key = bridge.netns.id, bridge.link.name, is_v4(target)
    segment = known.get(key)
    if segment is None:
        segment = known[key] = _segment(network, bridge, v4=is_v4(target))
    holders = segment.holders.get(target, ())
    for at in sorted({*holders, *segment.others}) if segment.others else holders:
        station = segment.stations[at]
        if (station.netns is not netns or station.link.name != dev) and answers(station, target, asker):
            return station
    return None


_PORTS: WeakKeyDictionary[Network, dict[tuple[NetnsId, str], dict[str, Link]]] = WeakKeyDictionary()


def port_of(network: Network, netns: Netns, bridge: Link, mac: str) -> Link | None:
    """The first port of a bridge behind which a device has a MAC address."""
    known = _PORTS.setdefault(network, {})
    key = netns.id, bridge.name
    ports = known.get(key)
    if ports is None:
        ports = known[key] = {}
        for port in (netns.links or {}).values():
            peer = network.peers.get((netns.id, port.name)) if port.master == bridge.name else None
            other = network.namespaces.get(peer[0]) if peer is not None else None
            link = (other.links or {}).get(peer[1]) if other is not None and peer is not None else None
            if link is not None:
                ports.setdefault(link.mac, port)
    return ports.get(mac)


def _bridge_of(network: Network, netns: Netns, dev: str) -> Station | None:
    """The bridge that a device is, or that its other end is a port of."""
    link = (netns.links or {}).get(dev)
    if link is None or link.kind == "bridge":
        return None if link is None else Station(netns, link)
    peer = network.peers.get((netns.id, dev))
    other = network.namespaces.get(peer[0]) if peer is not None else None
    if other is None or peer is None:
        return None
    links = other.links or {}
    port = links.get(peer[1])
    master = links.get(port.master) if port is not None and port.master else None
    return Station(other, master) if master is not None and master.kind == "bridge" else None


def _segment(network: Network, bridge: Station, *, v4: bool) -> _Segment:
    found = (bridge, *_ports(network, bridge.netns, bridge.link.name, ""))
    holders: dict[int, tuple[int, ...]] = {}
    others: list[int] = []
    for at, (netns, link) in enumerate(found):
        local = fib_of(netns, v4=v4).local_addresses
        for addr in local or ():
            holders[addr] = (*holders.get(addr, ()), at)
        if local is None or (v4 and _may_proxy(netns, link.name)):
            others.append(at)
    return _Segment(found, holders, tuple(others))


def _may_proxy(netns: Netns, dev: str) -> bool:
    on = _conf(netns, "all", "proxy_arp") or _conf(netns, dev, "proxy_arp")
    return bool(on) or any(neighbor.proxy for neighbor in netns.neighbors or ())


def answers(station: Station, target: int, asker: int) -> bool:
    """Whether a host answers ``who-has target tell asker`` on a device (arp.c, arp_process; ndisc.c)."""
    netns, link = station
    if not link.up:
        return False
    if address_type(netns, target) == "LOCAL":
        may = _may_answer(netns, link.name, target, asker)
    else:
        may = is_v4(target) and _proxies(netns, link.name, target, asker)
    if may and is_v4(target) and is_v4(asker):
        return (
            source_problem(netns, link.name, asker, target) is None
        )  # an ARP request passes the source check, too
    return may


def _may_answer(netns: Netns, dev: str, target: int, asker: int) -> bool:
    """Whether a host tells of an own address on a device (ndisc_recv_ns; arp_ignore, arp_filter)."""
    own = netns.addresses_by_value.get(target)
    here = own is not None and own.dev == dev
    if not is_v4(target):
        return here
    ignore = max(_conf(netns, "all", "arp_ignore"), _conf(netns, dev, "arp_ignore"))
    if ignore == 2 and own is not None:
        here = here and asker in make_prefix(own.addr, own.length)
    if ignore and not (here and ignore < 3):
        return False
    if not (_conf(netns, "all", "arp_filter") or _conf(netns, dev, "arp_filter")):
        return True
    back = fib_of(netns, v4=True).lookup(FibKey(asker, target, uid=0))
    return any(hop.dev == dev for hop in back.hops)


def _proxies(netns: Netns, dev: str, target: int, asker: int) -> bool:
    """proxy_arp: on for all or the device, forwarding on, and a route to the target by another device."""
    if not (_conf(netns, "all", "proxy_arp") or _conf(netns, dev, "proxy_arp")):
        return any(n.proxy and n.dst == target and n.dev == dev for n in netns.neighbors or ())
    if not _conf(netns, dev, "forwarding"):
        return False
    result = fib_of(netns, v4=True).lookup(FibKey(target, asker, dev))
    return result.type == "unicast" and any(hop.dev != dev for hop in result.hops)


def _conf(netns: Netns, dev: str, name: str) -> int:
    return (netns.sysctls.conf(dev, name) or 0) if netns.sysctls is not None else 0


def wire_answerer(network: Network, asking: Netns, target: int, asker: int) -> Station | None:
    """The node device on the underlay that answers for an address; None when none in the bundle does."""
    for netns_id, dev in network.owners.get(target, ()):
        netns = network.namespaces[netns_id]
        if netns is asking or not netns.is_host:
            continue
        entrance = entrance_of(network, netns, dev) or (_uplink(network, netns) if is_v4(target) else None)
        if entrance is None:
            continue
        master = (netns.links or {}).get(entrance.link.master)
        device = master if master is not None and master.kind == "bridge" else entrance.link
        if _may_answer(netns, device.name, target, asker):
            return entrance
    return None


def _uplink(network: Network, netns: Netns) -> Station | None:
    return next((station for station in wires(network) if station.netns is netns), None)


def held_in_silence(network: Network, asking: Netns, target: int) -> bool:
    """Whether another node holds an address, for which ``wire_answerer`` found that none answers.

    For a balancer's address a program may answer (MetalLB), whatever the kernel is told.
    """
    if not any(
        netns_id != asking.id and network.namespaces[netns_id].is_host
        for netns_id, _ in network.owners.get(target, ())
    ):
        return False
    services = network.cluster.services.values()
    balanced = (
        ip
        for one in services
        for ip in (*one.spec.external_ips, *(i.ip for i in one.status.load_balancer.ingress))
    )
    return all(target != ip for ip in balanced)


def entrance_of(network: Network, netns: Netns, dev: str) -> Station | None:
    """The device by which frames for an address on ``dev`` come in from the underlay: itself, or a bridge's uplink."""
    link = (netns.links or {}).get(dev)
    if link is None:
        return None
    if is_wire(network, netns, link):
        return Station(netns, link)
    if link.kind == "bridge":
        for port in (netns.links or {}).values():
            if port.master == dev and is_wire(network, netns, port):
                return Station(netns, port)
    if link.name == "lo" or link.kind == "dummy":
        uplinks = [other for other in (netns.links or {}).values() if is_wire(network, netns, other)]
        return Station(netns, uplinks[0]) if uplinks else None
    return None
