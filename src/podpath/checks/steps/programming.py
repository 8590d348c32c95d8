"""What kube-proxy would write for the Services that a node lacks: its restart, as the model can try it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from podpath.checks.steps.ranges import pod_ranges
from podpath.checks.steps.translation import Dispatches, dispatches, live_endpoint, services_chain
from podpath.model.addr import ALL_BITS, Prefix, is_v4
from podpath.model.edit import InsertRule, table_id
from podpath.model.flow import endpoint_text, protocol_name
from podpath.model.kube.service import Service, ServicePort
from podpath.model.linux import netfilter as nl
from podpath.model.linux import xtables as xt
from podpath.model.linux.netfilter import Chain, Item, Rule, Table
from podpath.model.network import Netns, Network

MARKS = ("KUBE-MARK-MASQ", "mark-for-masquerade")
"""kube-proxy's chains that mark for masquerade (iptables mode, nftables mode)."""
MOST = 200
"""So many Service ports are tried at most: they mend the model, nobody types them."""


class Entry(NamedTuple):
    """An address and port of a Service that a node should translate; without ``addr`` a NodePort."""

    service: Service
    port: ServicePort
    addr: int | None
    number: int
    live: tuple[int, int]
    """The endpoint that stands for all."""


@lru_cache(maxsize=8)
def lacking(network: Network, netns: Netns, *, v4: bool) -> tuple[Entry, ...]:
    """What kube-proxy should have written on a node and did not, in order of the Services' names."""
    found = services_chain(netns, v4=v4)
    known: Dispatches = dispatches(*found) if found is not None else {}
    entries = []
    for key in sorted(network.cluster.services):
        service = network.cluster.services[key]
        for port in service.spec.ports if not service.spec.headless else ():
            lacked = [
                (addr, number)
                for addr, number in _wanted(service, port, v4=v4)
                if not _is_written(found, known, addr, number, int(port.protocol))
            ]
            live = live_endpoint(network, service, port, netns.node, v4=v4) if lacked else None
            if live is not None:
                entries += [Entry(service, port, addr, number, live) for addr, number in lacked]
    return tuple(entries)


def _wanted(service: Service, port: ServicePort, *, v4: bool) -> list[tuple[int | None, int]]:
    addresses = [*(service.cluster_ips or ()), *service.lb_ips, *service.spec.external_ips]
    held: list[tuple[int | None, int]] = [(addr, port.port) for addr in addresses if is_v4(addr) == v4]
    return [*held, (None, port.node_port)] if held and port.node_port else held


def _is_written(
    found: tuple[Table, Chain] | None, known: Dispatches, addr: int | None, number: int, protocol: int
) -> bool:
    """Whether a rule leads somewhere that is there and not empty."""
    if found is None:
        return False
    table, _ = found
    if addr is None:
        return _serves_node_port(table, number, protocol)
    target = table.chains.get(known.get((addr, number, protocol), ""))
    return target is not None and bool(target.rules)


def _serves_node_port(table: Table, port: int, protocol: int) -> bool:
    """Whether a rule for the NodePort stands in kube-proxy's chain for them, or in its map."""
    chain = table.chains.get("KUBE-NODEPORTS")
    wanted, same = xt.PortMatch("dst", ((port, port),)), xt.ProtocolMatch(protocol)
    if chain is not None:
        return any(wanted in rule.items and same in rule.items for rule in chain.rules)
    named = table.sets.get("service-nodeports")
    return named is not None and any(str(port) in str(element.key) for element in named.elements)


def reprogrammed(network: Network, netns: Netns, *, v4: bool) -> tuple[InsertRule, ...]:
    """Translations to a live endpoint for all that the node lacks."""
    entries = lacking(network, netns, v4=v4)[:MOST]
    edits = [edit for entry in entries for edit in _translation(netns, entry, v4=v4)]
    return (*edits, *(_masquerades(network, netns, entries, v4=v4) if entries else ()))


def _translation(netns: Netns, entry: Entry, *, v4: bool) -> Iterator[InsertRule]:
    for table, chain in _places(netns, v4=v4):
        ident = table_id(table)
        native = table.backend == "native"
        to = "dnat to" if native else "-j DNAT --to-destination"
        live = entry.live
        target = nl.Dnat((live[0], live[0]), (live[1], live[1]))
        words = _words(table, chain, entry, v4=v4)
        yield InsertRule(
            netns.id,
            ident,
            chain.name,
            Rule(0, f"{words} {to} {endpoint_text(*live)}", (*_selected(entry), target)),
            0,
        )
        mark = next((name for name in MARKS if name in table.chains), "")
        if mark and entry.addr not in (entry.service.cluster_ips or ()):
            jump = f"{words} {'jump' if native else '-j'} {mark}"
            yield InsertRule(
                netns.id, ident, chain.name, Rule(0, jump, (*_selected(entry), nl.Jump(mark))), 0
            )


def _places(netns: Netns, *, v4: bool) -> Iterator[tuple[Table, Chain]]:
    """kube-proxy's chain; where there is none, the base chains that translate destinations."""
    found = services_chain(netns, v4=v4)
    if found is not None:
        yield found
        return
    yield from (place for hook in ("prerouting", "output") for place in _bases(netns, hook, v4=v4))


def _bases(netns: Netns, hook: str, *, v4: bool) -> list[tuple[Table, Chain]]:
    """The first base chain of NAT at a hook."""
    places = (
        (table, chain)
        for table in netns.tables
        if table.family == ("ip" if v4 else "ip6")
        for chain in table.chains.values()
        if chain.base is not None and chain.base.type == "nat" and chain.base.hook == hook
    )
    return list(places)[:1]


def _masquerades(
    network: Network, netns: Netns, entries: tuple[Entry, ...], *, v4: bool
) -> Iterator[InsertRule]:
    """Where kube-proxy's own are gone too: for what a Pod sends to itself, and what does not come from Pods."""
    for table, chain in _bases(netns, "postrouting", v4=v4):
        if services_chain(netns, v4=v4) is not None:
            return
        own = sorted(
            {entry.live[0] for entry in entries if network.cluster.pod_at(entry.live[0]) is not None}
        )
        for addr in own:
            one = Prefix(addr, ALL_BITS)
            items: tuple[Item, ...] = (
                xt.AddressMatch("src", one),
                xt.AddressMatch("dst", one),
                nl.Masquerade(),
            )
            rule = Rule(0, f"-A {chain.name} -s {one} -d {one} -j MASQUERADE", items)
            yield InsertRule(netns.id, table_id(table), chain.name, rule, 0)
        for one in pod_ranges(network, v4=v4)[:1]:
            strangers = xt.AddressMatch("src", one, negate=True)
            translated = xt.CtStateMatch(xt.CtState.DNAT)
            text = f"-A {chain.name} ! -s {one} -m conntrack --ctstate DNAT -j MASQUERADE"
            rule = Rule(0, text, (strangers, translated, nl.Masquerade()))
            yield InsertRule(netns.id, table_id(table), chain.name, rule, 0)


def _selected(entry: Entry) -> tuple[Item, ...]:
    where = (
        xt.AddrTypeMatch("dst", frozenset({"LOCAL"}))
        if entry.addr is None
        else xt.AddressMatch("dst", Prefix(entry.addr, ALL_BITS))
    )
    number = entry.number
    return (where, xt.ProtocolMatch(int(entry.port.protocol)), xt.PortMatch("dst", ((number, number),)))


def _words(table: Table, chain: Chain, entry: Entry, *, v4: bool) -> str:
    name = protocol_name(entry.port.protocol)
    if table.backend == "native":
        layer3 = "ip" if v4 else "ip6"
        local = (
            "fib daddr type local" if entry.addr is None else f"{layer3} daddr {endpoint_text(entry.addr, 0)}"
        )
        return f"{local} {name} dport {entry.number}"
    local = "-m addrtype --dst-type LOCAL" if entry.addr is None else f"-d {Prefix(entry.addr, ALL_BITS)}"
    return f"-A {chain.name} {local} -p {name} -m {name} --dport {entry.number}"
