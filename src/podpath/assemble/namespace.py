"""One network namespace from the files of its folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeVar

import msgspec

from podpath.model.linux.counters import SnmpCounters
from podpath.model.linux.link import BridgePort, Link
from podpath.model.linux.netfilter import Table
from podpath.model.linux.route import Route
from podpath.model.network import Netns
from podpath.model.origin import Origin, Unrecognized
from podpath.model.refs import NetnsId
from podpath.parse.bridge_fdb import parse_bridge_fdb
from podpath.parse.bridge_link import parse_bridge_link, parse_hairpin_mode
from podpath.parse.bridge_vlan import parse_bridge_vlan
from podpath.parse.conntrack import parse_conntrack
from podpath.parse.conntrack_stats import parse_conntrack_stats
from podpath.parse.errors import ParseError
from podpath.parse.ip_addr import parse_ip_addr
from podpath.parse.ip_link import parse_ip_link
from podpath.parse.ip_neigh import parse_ip_neigh
from podpath.parse.ip_nexthop import parse_ip_nexthop
from podpath.parse.ip_route import parse_ip_route
from podpath.parse.ip_rule import parse_ip_rule
from podpath.parse.ipset_save import parse_ipset_save
from podpath.parse.iptables_save import parse_iptables_save
from podpath.parse.nft_json import parse_nft_json
from podpath.parse.proc_net import parse_snmp
from podpath.parse.resolv_conf import parse_resolv_conf
from podpath.parse.ss import parse_ss
from podpath.parse.sysctl import parse_sysctl
from podpath.parse.tc import parse_tc_filter, parse_tc_qdisc

T = TypeVar("T")
Parser = Callable[[str, str], tuple[T, tuple[Unrecognized, ...]]]

IPTABLES_SOURCES = (
    ("iptables-nft-save", "nft", "ip"),
    ("iptables-legacy-save", "legacy", "ip"),
    ("ip6tables-nft-save", "nft", "ip6"),
    ("ip6tables-legacy-save", "legacy", "ip6"),
)
"""Both back ends are evaluated by the kernel, so both are read (datapath, 1.4)."""


class Reader:
    """The files of one folder; a file that cannot be parsed is counted as not understood, and absent."""

    def __init__(self, files: Mapping[str, bytes], folder: str) -> None:
        """``folder`` without a slash at its end."""
        self._files = files
        self.folder = folder
        self.lost: list[Unrecognized] = []

    def text(self, name: str) -> str | None:
        """A file's text, or None when there is no such file."""
        content = self._files.get(f"{self.folder}/{name}")
        return None if content is None else content.decode("utf-8", "replace")

    def read(self, name: str, parse: Parser[T]) -> T | None:
        """What a file says, or None when it is absent or not to be understood at all."""
        text = self.text(name)
        if text is None:
            return None
        try:
            facts, lost = parse(text, f"{self.folder}/{name}")
        except ParseError as error:
            self.lost.append(Unrecognized(Origin(f"{self.folder}/{name}", 0), str(error)))
            return None
        self.lost += lost
        return facts


def read_namespace(
    files: Mapping[str, bytes], folder: str, netns_id: NetnsId, node: str
) -> tuple[Netns, tuple[Unrecognized, ...]]:
    """All that was collected of a namespace."""
    reader = Reader(files, folder)
    links = reader.read("ip-link.json", parse_ip_link)
    tables, unread = _tables(reader)
    routes, routes6 = _routes(reader)
    filters = reader.read("tc-filter", parse_tc_filter)
    by_name = _with_ports(reader, links) if links is not None else None
    sysctls = reader.read("sysctl", parse_sysctl)
    rules = reader.read("ip-rule.json", lambda text, file: parse_ip_rule(text, file, family="ip"))
    rules6 = reader.read("ip-rule6.json", lambda text, file: parse_ip_rule(text, file, family="ip6"))
    netns = Netns(
        netns_id,
        node,
        folder,
        links=by_name,
        addresses=reader.read("ip-addr.json", parse_ip_addr),
        routes=routes,
        routes6=routes6,
        rules=rules,
        rules6=rules6,
        neighbors=reader.read("ip-neigh.json", parse_ip_neigh),
        fdb=reader.read("bridge-fdb.json", parse_bridge_fdb),
        sysctls=sysctls,
        sockets=reader.read("ss", parse_ss),
        tables=tables,
        unread_tables=unread,
        ipsets=reader.read("ipset-save", parse_ipset_save),
        conntrack=reader.read("conntrack", parse_conntrack),
        conntrack_stats=reader.read("conntrack-stats", parse_conntrack_stats),
        counters=_counters(reader),
        qdiscs=reader.read("qdisc.json", parse_tc_qdisc),
        tc_devices=_programs({f.dev: f"a tc filter ({f.kind})" for f in filters or () if f.bpf or f.actions}, by_name or {}),
        resolv=reader.read("resolv.conf", parse_resolv_conf),
    )
    return netns, tuple(reader.lost)


def _programs(filters: dict[str, str], links: Mapping[str, Link]) -> dict[str, str]:
    return filters | {link.name: "an XDP program" for link in links.values() if link.xdp}


def _counters(reader: Reader) -> SnmpCounters | None:
    snmp = reader.read("snmp", parse_snmp)
    netstat = reader.read("netstat", parse_snmp)
    if snmp is None or netstat is None:
        return snmp or netstat
    return SnmpCounters(snmp.file, {**snmp.values, **netstat.values}, {**snmp.lines, **netstat.lines})


def _routes(reader: Reader) -> tuple[tuple[Route, ...] | None, tuple[Route, ...] | None]:
    """Routes of IPv4 and IPv6; ``ip -d -j route show table all`` may hold both families in one file."""
    nexthops = reader.read("ip-nexthop.json", parse_ip_nexthop)
    both = reader.read("ip-route.json", lambda text, file: parse_ip_route(text, file, family="ip", nexthops=nexthops))
    own = reader.read("ip-route6.json", lambda text, file: parse_ip_route(text, file, family="ip6", nexthops=nexthops))
    if both is None:
        return None, own
    v4 = tuple(route for route in both if route.dst.net >> 32 == 0xFFFF and route.dst.mask >> 32 == (1 << 96) - 1)
    kept = set(map(id, v4))
    v6 = tuple(route for route in both if id(route) not in kept)
    return v4, own if own is not None else v6


def _with_ports(reader: Reader, links: tuple[Link, ...]) -> dict[str, Link]:
    """Devices with what ``bridge -d link`` and ``bridge vlan`` say of those that are ports."""
    ports = reader.read("bridge-link.json", parse_bridge_link)
    hairpins = reader.read("hairpin_mode", parse_hairpin_mode) or {}
    vlans = reader.read("bridge-vlan.json", parse_bridge_vlan) or {}
    bridges = {link.name for link in links if link.kind == "bridge"}
    found: dict[str, Link] = {}
    for link in links:
        if link.master not in bridges:
            found[link.name] = link
            continue
        port = (ports or {}).get(link.name)
        hairpin = hairpins.get(link.name)
        if port is None:
            port = hairpin or BridgePort(hairpin=None, isolated=None if ports is None else False, origin=link.origin)
        elif port.hairpin is None and hairpin is not None:
            port = msgspec.structs.replace(port, hairpin=hairpin.hairpin, origin=hairpin.origin)
        if link.name in vlans:
            port = msgspec.structs.replace(port, vlans=vlans[link.name].vlans, pvid=vlans[link.name].pvid)
        found[link.name] = msgspec.structs.replace(link, port=port)
    return found


def _tables(reader: Reader) -> tuple[tuple[Table, ...], tuple[str, ...]]:
    """All tables of iptables and nftables, and the sources that are missing."""
    tables: list[Table] = []
    unread: list[str] = []
    for family, plain in (("ip", "iptables-save"), ("ip6", "ip6tables-save")):
        seen = False
        for name, backend, of in IPTABLES_SOURCES:
            if of == family and reader.text(name) is not None:
                seen = True
                tables += reader.read(name, _iptables(backend, family)) or ()
        text = reader.text(plain)
        if not seen and text is not None:
            seen = True
            tables += reader.read(plain, _iptables("legacy" if "legacy" in text[:400] else "nft", family)) or ()
        if not seen and (family == "ip" or reader.folder.count("/") == 1):
            unread.append(plain)
    native = reader.text("nft-list-ruleset.json")
    if native is not None:
        tables = _native(reader, native, tables)
    elif reader.folder.count("/") == 1:
        unread.append("nft-list-ruleset.json")
    return tuple(tables), tuple(unread)


def _iptables(backend: str, family: str) -> Parser[tuple[Table, ...]]:
    return lambda text, file: parse_iptables_save(text, file, backend=backend, family=family)


def _native(reader: Reader, text: str, tables: list[Table]) -> list[Table]:
    """The tables of iptables with those of nft. Those that iptables keeps in nf_tables take their place in nft's list:
    it is the order in which tables were made."""
    file = f"{reader.folder}/nft-list-ruleset"
    try:
        ruleset = parse_nft_json(text, f"{file}.json", reader.text("nft-list-ruleset"), file)
    except ParseError as error:
        reader.lost.append(Unrecognized(Origin(f"{file}.json", 0), str(error)))
        return tables
    reader.lost += ruleset.unrecognized
    orders = {(table.family, table.name): table.order for table in ruleset.lossy}
    known = {(table.family, table.name) for table in tables if table.backend == "nft"}
    placed = [replace(t, order=orders.get((t.family, t.name), t.order)) if t.backend == "nft" else t for t in tables]
    return [*placed, *ruleset.tables, *(table for table in ruleset.lossy if (table.family, table.name) not in known)]
