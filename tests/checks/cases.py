"""Real clusters, broken on purpose: what is named, with which edit, and whether the edit mends it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import msgspec

from podpath.assemble.network import build_network
from podpath.bundle import open_bundle
from podpath.diagnosis.causes import Causes
from podpath.diagnosis.explain import name_cause
from podpath.diagnosis.judge import Judged, judge
from podpath.intent.promises import promises
from podpath.model.addr import parse_addr, parse_prefix
from podpath.model.diagnosis import CrashedCheck
from podpath.model.edit import DeleteRule, InsertRule, SetChainPolicy, apply_edits, table_id
from podpath.model.finding import Finding
from podpath.model.flow import TCP, Flow
from podpath.model.linux.link import InterfaceAddress, Link
from podpath.model.linux.netfilter import Base, Chain, Rule, Table
from podpath.model.linux.route import NextHop, Route
from podpath.model.network import Network
from podpath.model.origin import Origin
from podpath.model.promise import Promise
from podpath.model.refs import NetnsId, ObjectRef, node_netns
from podpath.parse.iptables_rule import compile_rule
from tests.conftest import packed_bundles

VXLAN, HOST_GW, FLANNEL, DUAL = (
    "iptables-vxlan-healthy",
    "nftables-hostgw-healthy",
    "coredns-healthy",
    "dual-healthy",
)
POLICED = "nft-kube-router-healthy"

Wanted = Callable[[Promise], bool]


@functools.cache
def healthy(name: str = VXLAN) -> Network:
    """A captured cluster in which all is well."""
    with open_bundle(packed_bundles()[name]) as bundle:
        return build_network(name, {path: bundle.read(path) for path in bundle.files()})


def host(network: Network, node: str) -> Any:
    """A node's own namespace."""
    return network.namespaces[node_netns(node)]


def pod_of(network: Network, app: str, node: str = "") -> Any:
    """A running Pod by its ``app`` (or ``k8s-app``) label."""
    pods = sorted(network.cluster.pods.values(), key=lambda pod: pod.key)
    return next(
        pod
        for pod in pods
        if app in (pod.meta.labels.get("app"), pod.meta.labels.get("k8s-app")) and node in ("", pod.node)
    )


def changed(network: Network, node: str, **fields: Any) -> Network:
    """A node's namespace with other fields."""
    return network.with_netns(replace(host(network, node), **fields))


def changed_netns(network: Network, netns: NetnsId, **fields: Any) -> Network:
    """Any namespace with other fields."""
    return network.with_netns(replace(network.namespaces[netns], **fields))


def with_cluster(network: Network, **fields: Any) -> Network:
    """Other objects."""
    return replace(network, cluster=replace(network.cluster, **fields))


def with_node(network: Network, node: str, **fields: Any) -> Network:
    """What is known of a node beside its namespace."""
    return replace(network, nodes={**network.nodes, node: replace(network.nodes[node], **fields)})


# --- sysctls, links, routes ---------------------------------------------------------------------------------------


def sysctl(network: Network, node: str, key: str, value: str | None) -> Network:
    """One parameter set, or absent."""
    netns = host(network, node)
    assert netns.sysctls is not None
    values = {k: v for k, v in netns.sysctls.values.items() if k != key}
    if value is not None:
        values[key] = value
    return changed(network, node, sysctls=replace(netns.sysctls, values=values))


def link(network: Network, node: str, name: str, **fields: Any) -> Network:
    """One device with other fields."""
    netns = host(network, node)
    assert netns.links is not None
    return changed(
        network, node, links={**netns.links, name: msgspec.structs.replace(netns.links[name], **fields)}
    )


def with_links(network: Network, node: str, *links: Link) -> Network:
    """More devices."""
    return changed(
        network, node, links={**(host(network, node).links or {}), **{one.name: one for one in links}}
    )


def a_route(dst: str, dev: str, via: str = "", *, table: str = "main", type: str = "unicast") -> Route:
    """A route, as a line of its own."""
    prefix = parse_prefix("0.0.0.0/0" if dst == "default" else dst)
    gateway = parse_addr(via) if via else None
    hops = (NextHop(dev, gateway),) if dev else ()
    text = f"{dst} via {via} dev {dev} table {table} {type}"
    return Route(
        prefix, table, type, hops, protocol="static", origin=Origin("nodes/x/ip-route.json", 99, text)
    )


def routes(
    network: Network, node: str, keep: Callable[[Route], bool] = lambda _: True, *added: Route
) -> Network:
    """Only some of a node's routes, and others."""
    netns = host(network, node)
    return changed(network, node, routes=(*(route for route in netns.routes or () if keep(route)), *added))


def no_route_to(network: Network, node: str, dst: str) -> Network:
    """A node without a route."""
    prefix = parse_prefix("0.0.0.0/0" if dst == "default" else dst)
    return routes(network, node, lambda route: route.dst != prefix or route.table != "main")


def address(network: Network, node: str, dev: str, addr: str, length: int) -> Network:
    """One more address."""
    one = InterfaceAddress(
        dev, parse_addr(addr), length, origin=Origin(f"nodes/{node}/ip-addr.json", 99, f"{addr} {dev}")
    )
    return changed(network, node, addresses=(*(host(network, node).addresses or ()), one))


# --- rules --------------------------------------------------------------------------------------------------------


def table(network: Network, node: str, name: str, backend: str = "nft", family: str = "ip") -> Any:
    """One table of a node."""
    return next(
        t for t in host(network, node).tables if (t.backend, t.family, t.name) == (backend, family, name)
    )


def rule(where: Table, line: str, number: int = 900) -> Rule:
    """A line of iptables-save as a rule."""
    return compile_rule(line, number, where.chains, family=where.family)


def insert(
    network: Network, node: str, name: str, line: str, position: int = 0, backend: str = "nft"
) -> Network:
    """A rule of iptables put in: ``-A FORWARD ... -j DROP``."""
    where = table(network, node, name, backend)
    return apply_edits(
        network,
        (InsertRule(node_netns(node), table_id(where), line.split()[1], rule(where, line), position),),
    )


def delete(
    network: Network, node: str, name: str, piece: str, family: str = "ip", backend: str = "nft"
) -> Network:
    """All rules of a table whose text holds a piece taken out."""
    where = table(network, node, name, backend, family)
    gone = [
        DeleteRule(node_netns(node), table_id(where), chain.name, one)
        for chain in where.chains.values()
        for one in chain.rules
        if piece in one.text
    ]
    assert gone, f"no rule says {piece}"
    return apply_edits(network, tuple(gone))


def policy(network: Network, node: str, name: str, chain: str, value: str) -> Network:
    """Another policy of a built-in chain."""
    where = table(network, node, name)
    return apply_edits(network, (SetChainPolicy(node_netns(node), table_id(where), chain, value),))


def chain(
    name: str, *rules: Rule, hook: str = "", policy: str = "accept", type: str = "filter", priority: int = 0
) -> Chain:
    """A chain; a base chain when it has a hook."""
    base = Base(hook, priority, type, policy) if hook else None
    return Chain(name, lambda: rules, base, 7, f":{name} {policy.upper() if hook else '-'} [0:0]")


def with_table(network: Network, node: str, *tables: Table) -> Network:
    """More tables."""
    return changed(network, node, tables=(*host(network, node).tables, *tables))


def with_chains(network: Network, node: str, name: str, *chains: Chain, backend: str = "nft") -> Network:
    """More chains in a table (or others of the same name)."""
    where = table(network, node, name, backend)
    for one in chains:
        where = where.with_chain(one)
    others = tuple(t for t in host(network, node).tables if table_id(t) != table_id(where))
    return changed(network, node, tables=(*others, where))


def without_chains(network: Network, node: str, name: str, start: str, backend: str = "nft") -> Network:
    """A table without the chains whose names begin so."""
    where = table(network, node, name, backend)
    kept = {key: one for key, one in where.chains.items() if not key.startswith(start)}
    smaller = Table(where.backend, where.family, where.name, where.file, kept, where.sets, where.order)
    others = tuple(t for t in host(network, node).tables if table_id(t) != table_id(where))
    return changed(network, node, tables=(*others, smaller))


def a_table(name: str, *chains: Chain, backend: str = "native", family: str = "inet") -> Table:
    """A table of its own."""
    return Table(
        backend, family, name, "nodes/x/nft-list-ruleset", {one.name: one for one in chains}, order=90
    )


def from_outside(dst: str, port: int, protocol: int = TCP, src: str = "172.30.0.1") -> Flow:
    """A connection from a host on the nodes' network that is no node."""
    return Flow(NetnsId(""), parse_addr(dst), protocol, port, src=parse_addr(src))


# --- what is said -------------------------------------------------------------------------------------------------


def named(network: Network, wanted: Wanted = lambda _: True) -> list[Any]:
    """The causes behind the broken promises, as the diagnosis names and proves them."""
    made = [one for one in promises(network) if isinstance(one, Promise) and wanted(one)]
    return _named(network, [judge(network, one) for one in made])


def asked(network: Network, flow: Flow, kind: str = "asked", **fields: Any) -> list[Any]:
    """The causes behind one connection."""
    ref = ObjectRef("Flow", "", str(flow))
    promise = Promise(
        kind, flow, **{"subject": ref, "client": ref, "servers": None, "text": str(flow), **fields}
    )
    return _named(network, [judge(network, promise)])


def _named(network: Network, judged: list[Judged]) -> list[Any]:
    causes = Causes(network)
    crashed: list[CrashedCheck] = []
    for one in judged:
        causes.add(one)
    keeping = [one.promise for one in judged if one.kept]
    found = [name_cause(network, group, keeping, lambda _code: True, crashed) for group in causes.groups()]
    assert not crashed, crashed[0].traceback
    return [one.finding for one in found if one is not None]


def codes(findings: Iterable[Finding]) -> set[str]:
    """Their names."""
    return {one.code for one in findings}


def mended_by(finding: Finding) -> set[str]:
    """The sorts of edits that its fix is made of."""
    assert finding.fix is not None
    return {type(edit).__name__ for edit in finding.fix.edits}


def the(findings: list[Any], code: str) -> Any:
    """The finding of a name."""
    found = [one for one in findings if one.code == code]
    assert found, f"{code} was not named, but {sorted(codes(findings)) or 'nothing'}"
    return found[0]
