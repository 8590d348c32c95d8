"""Changes: applied to the model a counterfactual, printed a fix, inverted an undo."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import msgspec

from podpath.model.addr import is_v4
from podpath.model.linux.link import Link
from podpath.model.linux.neighbor import FdbEntry, Neighbor
from podpath.model.linux.netfilter import Chain, Rule, Table
from podpath.model.linux.route import Route, RoutingRule
from podpath.model.network import Netns, Network
from podpath.model.refs import NetnsId, ObjectRef


class SetSysctl(msgspec.Struct, frozen=True, gc=False):
    """``sysctl -w key=value``."""

    netns: NetnsId
    key: str
    value: str
    before: str = ""


class SetChainPolicy(msgspec.Struct, frozen=True, gc=False):
    """``iptables -P CHAIN policy`` or the nft equivalent. ``table`` is the table's identity, see ``table_id``."""

    netns: NetnsId
    table: str
    chain: str
    policy: str
    before: str = ""


class InsertRule(msgspec.Struct, frozen=True, gc=False):
    """A rule at a position (0 is the top; -1 the end)."""

    netns: NetnsId
    table: str
    chain: str
    rule: Rule
    position: int = 0


class DeleteRule(msgspec.Struct, frozen=True, gc=False):
    """A rule taken out."""

    netns: NetnsId
    table: str
    chain: str
    rule: Rule


class AddRoute(msgspec.Struct, frozen=True, gc=False):
    """``ip route add``."""

    netns: NetnsId
    route: Route


class DeleteRoute(msgspec.Struct, frozen=True, gc=False):
    """``ip route del``."""

    netns: NetnsId
    route: Route


class ReplaceRoute(msgspec.Struct, frozen=True, gc=False):
    """``ip route replace``."""

    netns: NetnsId
    before: Route
    route: Route


class DeleteRoutingRule(msgspec.Struct, frozen=True, gc=False):
    """``ip rule del``."""

    netns: NetnsId
    rule: RoutingRule


class SetNeighbor(msgspec.Struct, frozen=True, gc=False):
    """``ip neigh replace``; ``before`` None when there was none."""

    netns: NetnsId
    neighbor: Neighbor
    before: Neighbor | None = None


class DeleteNeighbor(msgspec.Struct, frozen=True, gc=False):
    """``ip neigh del``."""

    netns: NetnsId
    neighbor: Neighbor


class SetFdb(msgspec.Struct, frozen=True, gc=False):
    """``bridge fdb replace``; ``before`` are the entries of the same MAC and device that it replaces."""

    netns: NetnsId
    entry: FdbEntry
    before: tuple[FdbEntry, ...] = ()


class SetLink(msgspec.Struct, frozen=True, gc=False):
    """``ip link set``: the device as it should be. ``change`` in words of ip-link(8), e.g. ``up``, ``mtu 1450``."""

    netns: NetnsId
    before: Link
    link: Link
    change: str


class SetBridgePort(msgspec.Struct, frozen=True, gc=False):
    """``bridge link set dev X hairpin on``: ``change`` in words of bridge(8)."""

    netns: NetnsId
    before: Link
    link: Link
    change: str


class PatchObject(msgspec.Struct, frozen=True, gc=False):
    """A change of a Kubernetes object: not applied to the model, proven by ``intent``."""

    target: ObjectRef
    patch: str
    """A merge patch as JSON."""
    summary: str = ""


class Outside(msgspec.Struct, frozen=True, gc=False):
    """What the model does not hold: a process, a cloud, a switch. Named, not proven."""

    what: str


Edit = (
    SetSysctl
    | SetChainPolicy
    | InsertRule
    | DeleteRule
    | AddRoute
    | DeleteRoute
    | ReplaceRoute
    | DeleteRoutingRule
    | SetNeighbor
    | DeleteNeighbor
    | SetFdb
    | SetLink
    | SetBridgePort
    | PatchObject
    | Outside
)


def table_id(table: Table) -> str:
    """A table's identity within its namespace: ``nft/ip/filter``."""
    return f"{table.backend}/{table.family}/{table.name}"


def apply_edit(network: Network, edit: Edit) -> Network:
    """The network as it would be after the edit. Edits the model does not hold change nothing."""
    if isinstance(edit, PatchObject | Outside):
        return network
    netns = network.namespaces.get(edit.netns)
    return network if netns is None else network.with_netns(_changed(netns, edit))


def apply_edits(network: Network, edits: tuple[Edit, ...]) -> Network:
    """The network after all edits in order."""
    for edit in edits:
        network = apply_edit(network, edit)
    return network


def _changed(netns: Netns, edit: Edit) -> Netns:
    match edit:
        case SetSysctl(key=key, value=value):
            return (
                netns
                if netns.sysctls is None
                else replace(netns, sysctls=netns.sysctls.with_value(key, value))
            )
        case SetChainPolicy(table=table, chain=chain, policy=policy):
            return _with_chain(netns, table, chain, lambda c: c.with_policy(policy))
        case InsertRule(table=table, chain=chain, rule=rule, position=at):
            return _with_chain(netns, table, chain, lambda c: c.with_rules(_inserted(c.rules, rule, at)))
        case DeleteRule(table=table, chain=chain, rule=rule):
            return _with_chain(
                netns,
                table,
                chain,
                lambda c: c.with_rules(tuple(r for r in c.rules if r is not rule and r != rule)),
            )
        case AddRoute(route=route):
            return _with_routes(netns, route, None)
        case DeleteRoute(route=route):
            return _with_routes(netns, None, route)
        case ReplaceRoute(before=before, route=route):
            return _with_routes(netns, route, before)
        case DeleteRoutingRule(rule=routing_rule):
            rules, rules6 = netns.rules or (), netns.rules6 or ()
            return replace(
                netns,
                rules=tuple(r for r in rules if r != routing_rule),
                rules6=tuple(r for r in rules6 if r != routing_rule),
            )
        case SetNeighbor(neighbor=neighbor):
            others = tuple(n for n in netns.neighbors or () if (n.dst, n.dev) != (neighbor.dst, neighbor.dev))
            return replace(netns, neighbors=(*others, neighbor))
        case DeleteNeighbor(neighbor=neighbor):
            return replace(netns, neighbors=tuple(n for n in netns.neighbors or () if n != neighbor))
        case SetFdb(entry=entry, before=before_entries):
            kept = tuple(e for e in netns.fdb or () if e not in before_entries)
            return replace(netns, fdb=(*kept, entry))
        case SetLink(link=link) | SetBridgePort(link=link):
            return replace(netns, links={**(netns.links or {}), link.name: _enabled(link)})
        case PatchObject() | Outside():
            return netns


def _enabled(link: Link) -> Link:
    """A port that comes up begins to forward, where no spanning tree makes it wait (br_stp_enable_port)."""
    if link.port is None or not link.up or link.port.state != "disabled":
        return link
    return msgspec.structs.replace(link, port=msgspec.structs.replace(link.port, state="forwarding"))


def _inserted(rules: tuple[Rule, ...], rule: Rule, position: int) -> tuple[Rule, ...]:
    at = len(rules) if position < 0 else position
    return (*rules[:at], rule, *rules[at:])


def _with_chain(netns: Netns, table: str, chain: str, change: Callable[[Chain], Chain]) -> Netns:
    tables = tuple(
        t.with_chain(change(t.chains[chain])) if table_id(t) == table and chain in t.chains else t
        for t in netns.tables
    )
    return replace(netns, tables=tables)


def _with_routes(netns: Netns, added: Route | None, removed: Route | None) -> Netns:
    one = added or removed
    if one is None:
        return netns
    v4 = is_v4(one.dst.net)
    routes = tuple(r for r in (netns.routes if v4 else netns.routes6) or () if r != removed)
    if added is not None:
        routes = (*routes, added)
    return replace(netns, routes=routes) if v4 else replace(netns, routes6=routes)
