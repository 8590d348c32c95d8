"""Destination and source translations of a connection, and what kube-proxy should have written for a Service."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from podpath.checks.case import Case
from podpath.checks.owners import KUBE_PROXY, Owner, owner_of
from podpath.checks.steps.verdicts import jumps
from podpath.intent.services import listed_endpoints
from podpath.model.addr import ALL_BITS, is_v4
from podpath.model.edit import table_id
from podpath.model.flow import Packet
from podpath.model.kube.service import Service, ServicePort
from podpath.model.linux import netfilter as nl
from podpath.model.linux import nftables as nf
from podpath.model.linux import xtables as xt
from podpath.model.linux.netfilter import Chain, Rule, Table
from podpath.model.network import Netns, Network
from podpath.model.trace import Hop, Step, Trace


class Translation(NamedTuple):
    """A rule gave a packet another address."""

    hop: Hop
    step: Step
    before: Packet
    after: Packet

    @property
    def owner(self) -> Owner | None:
        """Whose rule did it."""
        return owner_of(self.step.table, self.step.chain)

    @property
    def rule(self) -> Rule | None:
        """The rule."""
        return self.step.rule


def translations(trace: Trace, *, destination: bool) -> Iterator[Translation]:
    """The translations by rules on a packet's way, in order."""
    for hop in trace.hops:
        before = hop.packet
        for step in hop.steps:
            after = step.packet
            if after is None:
                continue
            old = (before.dst, before.dport) if destination else (before.src, before.sport)
            new = (after.dst, after.dport) if destination else (after.src, after.sport)
            known_source = destination or before.src & 0xFFFFFFFF
            if (
                step.rule is not None
                and old != new
                and known_source
                and _translates(step.rule, destination=destination)
            ):
                yield Translation(hop, step, before, after)
            before = after


def _translates(rule: Rule, *, destination: bool) -> bool:
    for item in rule.items:
        match item:
            case nl.Dnat() | nl.Redirect():
                return destination
            case nl.Snat() | nl.Masquerade():
                return not destination
            case nl.Netmap():
                return True
            case nf.NftNat(kind=kind):
                return destination == (kind in ("dnat", "redirect"))
    return False


def dnat_of(case: Case) -> Translation | None:
    """The last destination translation of the request."""
    return next(iter(reversed([*translations(case.branch.traces[0], destination=True)])), None)


def service_at(
    network: Network, addr: int, port: int, protocol: int
) -> tuple[Service, ServicePort | None] | None:
    """The Service whose virtual address, balancer address or NodePort it is, and its port there (None: it has none)."""
    cluster = network.cluster
    service = cluster.services_by_cluster_ip.get(addr)
    if service is None:
        held = (
            one for one in cluster.services.values() if addr in one.lb_ips or addr in one.spec.external_ips
        )
        service = next(held, None)
    if service is not None:
        return service, service.port(port, protocol)
    service = cluster.services_by_node_port.get((port, protocol))
    if service is None:
        return None
    return service, next((one for one in service.spec.ports if one.node_port == port), None)


def asked_service(case: Case) -> tuple[Service, ServicePort | None] | None:
    """The Service that the example asks for."""
    flow = case.promise.flow
    return service_at(case.network, flow.dst, flow.dport, flow.protocol)


def services_chain(netns: Netns, *, v4: bool) -> tuple[Table, Chain] | None:
    """kube-proxy's chain of all Services: ``KUBE-SERVICES`` of nat, or ``services`` of its own nftables table."""
    for table in netns.tables:
        if table.family != ("ip" if v4 else "ip6"):
            continue
        if table.backend != "native" and table.name == "nat" and "KUBE-SERVICES" in table.chains:
            return table, table.chains["KUBE-SERVICES"]
        if table.name == "kube-proxy" and "services" in table.chains:
            return table, table.chains["services"]
    return None


Dispatches = Mapping[tuple[int, int, int], str]
"""The chain of a Service, by (address, port, protocol)."""


@lru_cache(maxsize=16)
def dispatches(table: Table, chain: Chain) -> Dispatches:
    """The chain that ``KUBE-SERVICES`` sends each Service's address to, by (address, port, protocol)."""
    found: dict[tuple[int, int, int], str] = {}
    for rule in chain.rules:
        key = _named_by(rule)
        if key is not None:
            found.setdefault(key, next(jumps(table, rule), ""))
        for element in _elements(table, rule):
            parts = _key_of(element.key)
            if parts is not None and isinstance(element.data, nf.VerdictExpr):
                found.setdefault(parts, element.data.chain)
    return found


def _named_by(rule: Rule) -> tuple[int, int, int] | None:
    """The address, port and protocol that a rule of iptables names, where it names exactly one of each."""
    addr = port = protocol = -1
    for item in rule.items:
        match item:
            case xt.AddressMatch(side="dst", prefix=prefix, negate=False) if prefix.mask == ALL_BITS:
                addr = prefix.net
            case xt.ProtocolMatch(protocol=number, negate=False):
                protocol = number
            case xt.PortMatch(side="dst", ranges=((low, high),), negate=False) if low == high:
                port = low
    return (addr, port, protocol) if -1 not in (addr, port, protocol) else None


def _elements(table: Table, rule: Rule) -> Iterator[nf.SetElement]:
    for item in rule.items:
        if isinstance(item, nf.Vmap):
            data = item.data
            if isinstance(data, nf.NamedSet) and data.name in table.sets:
                yield from table.sets[data.name].elements
            elif isinstance(data, nf.SetExpr):
                yield from data.elements


def _key_of(key: nf.Expr) -> tuple[int, int, int] | None:
    """``address . protocol . port`` of kube-proxy's map service-ips."""
    if not isinstance(key, nf.Concat):
        return None
    values = [part.value for part in key.parts if isinstance(part, nf.Const)]
    match values:
        case [int(addr), int(protocol), int(port)]:
            return addr, port, protocol
    return None


def live_endpoint(
    network: Network, service: Service, port: ServicePort, node: str, *, v4: bool
) -> tuple[int, int] | None:
    """A ready endpoint of a Service, one on the node if there is one."""
    ready = [one for one in listed_endpoints(network.cluster, service, port, v4=v4) if one.ready]
    chosen = min(ready, key=lambda one: one.node != node, default=None)
    return None if chosen is None else (chosen.addr, chosen.port)


def is_kube_proxys(table: Table, chain: str) -> bool:
    """Whether kube-proxy writes a chain."""
    return owner_of(table_id(table), chain) == KUBE_PROXY


def family_of(case: Case) -> bool:
    """Whether the example is IPv4."""
    return is_v4(case.promise.flow.dst)
