"""One network namespace from the files of its folder, each field when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

import msgspec

from podpath.assemble.reading import Folder, Parser
from podpath.assemble.recent import Held
from podpath.assemble.sysctl_file import sysctls_of
from podpath.assemble.tables import read_tables
from podpath.model.linux.counters import SnmpCounters
from podpath.model.linux.link import BridgePort, Link
from podpath.model.linux.route import Route
from podpath.model.network import Netns
from podpath.model.refs import NetnsId
from podpath.parse.bridge_fdb import parse_bridge_fdb
from podpath.parse.bridge_link import parse_bridge_link, parse_hairpin_mode
from podpath.parse.bridge_vlan import parse_bridge_vlan
from podpath.parse.conntrack import parse_conntrack
from podpath.parse.conntrack_stats import parse_conntrack_stats
from podpath.parse.ip_addr import parse_ip_addr
from podpath.parse.ip_link import parse_ip_link
from podpath.parse.ip_neigh import parse_ip_neigh
from podpath.parse.ip_nexthop import parse_ip_nexthop
from podpath.parse.ip_route import parse_ip_route
from podpath.parse.ip_rule import parse_ip_rule
from podpath.parse.ipset_save import parse_ipset_save
from podpath.parse.proc_net import parse_snmp
from podpath.parse.resolv_conf import parse_resolv_conf
from podpath.parse.ss import parse_ss
from podpath.parse.tc import parse_tc_filter, parse_tc_qdisc

T = TypeVar("T")
Fields = dict[str, object]
"""Fields of ``Netns`` that are read together."""


class LazyNetns(Netns):
    """A namespace whose fields are read when they are first asked for.

    A changed copy (``dataclasses.replace``) is a plain ``Netns``: it has all fields already.
    """

    _own: Folder

    def __new__(cls, *_place: object, **fields: object) -> Netns:  # type: ignore[misc]  # a copy is no longer lazy
        """Without ``fields`` one that is read from its place; they are those of a copy."""
        return Netns(**fields) if fields else object.__new__(cls)  # type: ignore[arg-type]

    def __init__(self, id: NetnsId, node: str, folder: Folder) -> None:
        self.__dict__.update(id=id, node=node, folder=folder.path, _own=folder)

    def read_all(self) -> None:
        """Read every field now."""
        for name in LOADERS:
            getattr(self, name)


class _Field:
    """Reads a field; being no data descriptor, it is asked only until the namespace has a value of its own."""

    def __init__(self, name: str, load: Callable[[Folder, LazyNetns], Fields]) -> None:
        self._name = name
        self._load = load

    def __get__(self, netns: LazyNetns | None, _owner: type[LazyNetns]) -> object:
        if netns is None:
            return self
        held = netns.__dict__
        held.update(self._load(held["_own"], netns))
        return held[self._name]


def _one(name: str, source: str, parse: Parser[T]) -> tuple[str, Callable[[Folder, LazyNetns], Fields]]:
    """A field that is what one source says."""
    return name, lambda folder, _netns: {name: folder.read(source, parse)}


def _shared(name: str, source: str, parse: Parser[T]) -> tuple[str, Callable[[Folder, LazyNetns], Fields]]:
    """A field whose entries many namespaces have alike."""
    return name, lambda folder, _netns: {
        name: folder.read(source, folder.reading.entries.parsed(source, parse))
    }


def _held(
    name: str, source: str, parse: Parser[tuple[T, ...]]
) -> tuple[str, Callable[[Folder, LazyNetns], Fields]]:
    """A field that is held in a large bundle only as long as it is among the latest."""

    def load(folder: Folder, _netns: LazyNetns) -> Fields:
        reading = folder.reading
        if not reading.large or not folder.has(source):
            return {name: folder.read(source, parse)}
        return {name: Held(reading.facts, f"{folder.path}/{source}", lambda: folder.read(source, parse))}

    return name, load


def _links(folder: Folder, _netns: LazyNetns) -> Fields:
    links = folder.read("ip-link.json", parse_ip_link)
    return {"links": None if links is None else _with_ports(folder, links)}


def _with_ports(folder: Folder, links: tuple[Link, ...]) -> dict[str, Link]:
    """Devices with what ``bridge -d link`` and ``bridge vlan`` say of those that are ports."""
    ports = folder.read("bridge-link.json", parse_bridge_link)
    hairpins = folder.read("hairpin_mode", parse_hairpin_mode) or {}
    vlans = folder.read("bridge-vlan.json", parse_bridge_vlan) or {}
    bridges = {link.name for link in links if link.kind == "bridge"}
    found: dict[str, Link] = {}
    for link in links:
        if link.master not in bridges:
            found[link.name] = link
            continue
        port = (ports or {}).get(link.name)
        hairpin = hairpins.get(link.name)
        if port is None:
            port = hairpin or BridgePort(
                hairpin=None, isolated=None if ports is None else False, origin=link.origin
            )
        elif port.hairpin is None and hairpin is not None:
            port = msgspec.structs.replace(port, hairpin=hairpin.hairpin, origin=hairpin.origin)
        if link.name in vlans:
            port = msgspec.structs.replace(port, vlans=vlans[link.name].vlans, pvid=vlans[link.name].pvid)
        found[link.name] = msgspec.structs.replace(link, port=port)
    return found


def _routes(folder: Folder, _netns: LazyNetns) -> Fields:
    """Routes of IPv4 and IPv6; ``ip -d -j route show table all`` may hold both families in one file."""
    nexthops = folder.read("ip-nexthop.json", parse_ip_nexthop)

    def parser(family: str) -> Parser[tuple[Route, ...]]:
        def parse(text: str, file: str) -> tuple[tuple[Route, ...], tuple[object, ...]]:
            return parse_ip_route(text, file, family=family, nexthops=nexthops)

        # what an nhid stands for is each namespace's own
        return parse if nexthops else folder.reading.entries.parsed(f"route {family}", parse)  # type: ignore[arg-type,return-value]

    both = folder.read("ip-route.json", parser("ip"))
    own = folder.read("ip-route6.json", parser("ip6"))
    if both is None:
        return {"routes": None, "routes6": own}
    v4 = tuple(
        route for route in both if route.dst.net >> 32 == 0xFFFF and route.dst.mask >> 32 == (1 << 96) - 1
    )
    if own is None:
        kept = set(map(id, v4))
        own = tuple(route for route in both if id(route) not in kept)
    return {"routes": v4, "routes6": own}


def _counters(folder: Folder, _netns: LazyNetns) -> Fields:
    snmp = folder.read("snmp", parse_snmp)
    netstat = folder.read("netstat", parse_snmp)
    if snmp is None or netstat is None:
        return {"counters": snmp or netstat}
    both = SnmpCounters(snmp.file, {**snmp.values, **netstat.values}, {**snmp.lines, **netstat.lines})
    return {"counters": both}


def _programs(folder: Folder, netns: LazyNetns) -> Fields:
    """Devices with a program of tc or XDP."""
    filters = folder.read("tc-filter", parse_tc_filter) or ()
    found = {one.dev: f"a tc filter ({one.kind})" for one in filters if one.bpf or one.actions}
    found |= {link.name: "an XDP program" for link in (netns.links or {}).values() if link.xdp}
    return {"tc_devices": found}


def _tables(folder: Folder, _netns: LazyNetns) -> Fields:
    tables, unread = read_tables(folder)
    return {"tables": tables, "unread_tables": unread}


LOADERS: Mapping[str, Callable[[Folder, LazyNetns], Fields]] = dict(
    (
        ("links", _links),
        _one("addresses", "ip-addr.json", parse_ip_addr),
        ("routes", _routes),
        ("routes6", _routes),
        _shared("rules", "ip-rule.json", lambda text, file: parse_ip_rule(text, file, family="ip")),
        _shared("rules6", "ip-rule6.json", lambda text, file: parse_ip_rule(text, file, family="ip6")),
        _shared("neighbors", "ip-neigh.json", parse_ip_neigh),
        _shared("fdb", "bridge-fdb.json", parse_bridge_fdb),
        ("sysctls", lambda folder, _netns: {"sysctls": sysctls_of(folder)}),
        _held("sockets", "ss", parse_ss),
        ("tables", _tables),
        ("unread_tables", _tables),
        _one("ipsets", "ipset-save", parse_ipset_save),
        _held("conntrack", "conntrack", parse_conntrack),
        _one("conntrack_stats", "conntrack-stats", parse_conntrack_stats),
        ("counters", _counters),
        _one("qdiscs", "qdisc.json", parse_tc_qdisc),
        ("tc_devices", _programs),
        _one("resolv", "resolv.conf", parse_resolv_conf),
    )
)
"""What reads each field of a namespace."""

for _name, _load in LOADERS.items():
    setattr(LazyNetns, _name, _Field(_name, _load))
