"""The edit that takes a step away, by its kind, where no fault of the catalogue says a better one."""

from __future__ import annotations

import msgspec

from podpath.checks.case import Case
from podpath.checks.owners import HOST_SOFTWARE, owner_of
from podpath.checks.steps.ranges import home_of, pod_ranges
from podpath.checks.steps.routes import route_to_pods, taken
from podpath.checks.steps.rules import let_through
from podpath.checks.steps.translation import dnat_of
from podpath.checks.steps.verdicts import verdict_of
from podpath.model.addr import format_addr
from podpath.model.edit import (
    AddRoute,
    DeleteRoute,
    DeleteRoutingRule,
    DeleteRule,
    Edit,
    Outside,
    ReplaceRoute,
    SetBridgePort,
    SetLink,
    SetSysctl,
)
from podpath.model.linux.route import RoutingRule


def nothing(_case: Case) -> tuple[tuple[Edit, ...], ...]:
    """No edit of the model mends it."""
    return ()


def line_away(case: Case) -> tuple[tuple[Edit, ...], ...]:
    """The rule deleted, or the policy set to accept; for a policy that closes FORWARD, accepts for the Pods first."""
    verdict = verdict_of(case)
    if verdict is None or (verdict.owner is not None and verdict.owner not in HOST_SOFTWARE):
        return ()  # a component of Kubernetes wrote it, and would write it again
    removal: tuple[Edit, ...] = (verdict.removal,)
    if verdict.rule is None and verdict.hook == "forward":
        scoped = let_through(verdict, pod_ranges(case.network, v4=case.trace.packet.v4))
        return (scoped, removal) if scoped else (removal,)
    return (removal,)


def route_wanted(case: Case) -> tuple[tuple[Edit, ...], ...]:
    """The route to the Pods' node, where the destination has one; else the routing rule that led astray taken away."""
    packet = case.step.packet or case.trace.packet
    owner = home_of(case.network, packet.dst)
    route = taken(case)
    wanted = (
        route_to_pods(case.network, case.netns, owner, v4=packet.v4) if owner not in ("", case.node) else None
    )
    if wanted is None or not case.netns.is_host:
        return ()
    if route is not None and route.dst == wanted.dst and route.table == wanted.table:
        return ((ReplaceRoute(case.netns.id, route, wanted),),)
    return ((AddRoute(case.netns.id, wanted),),)


def null_away(case: Case) -> tuple[tuple[Edit, ...], ...]:
    """The null route, or the routing rule, deleted."""
    route = taken(case)
    if route is not None:
        return ((DeleteRoute(case.netns.id, route),),)
    rules: tuple[RoutingRule, ...] = (*(case.netns.rules or ()), *(case.netns.rules6 or ()))
    rule = next((one for one in rules if one.origin == case.step.origin), None)
    return ((DeleteRoutingRule(case.netns.id, rule),),) if rule is not None else ()


def switch_on(case: Case) -> tuple[tuple[Edit, ...], ...]:
    """The sysctl that the step names set to 1."""
    return ((SetSysctl(case.netns.id, case.step.key, "1", "0"),),) if "." in case.step.key else ()


def loose(case: Case) -> tuple[tuple[Edit, ...], ...]:
    """The reverse path filter set to loose."""
    key = f"net.ipv4.conf.{case.step.dev.replace('.', '/')}.rp_filter"
    return ((SetSysctl(case.netns.id, key, "2", "1"),),) if case.step.dev else ()


def link_up(case: Case) -> tuple[tuple[Edit, ...], ...]:
    """The device set up."""
    link = (case.netns.links or {}).get(case.step.dev)
    if link is None:
        return ()
    return ((SetLink(case.netns.id, link, msgspec.structs.replace(link, up=True, carrier=True), "up"),),)


def port_open(case: Case) -> tuple[tuple[Edit, ...], ...]:
    """The property of the bridge port that stops the frame, turned."""
    link = (case.netns.links or {}).get(case.step.dev)
    if link is None or link.port is None:
        return ()
    changed, words = {
        "hairpin": (msgspec.structs.replace(link.port, hairpin=True), "hairpin on"),
        "isolated": (msgspec.structs.replace(link.port, isolated=False), "isolated off"),
        "state": (msgspec.structs.replace(link.port, state="forwarding"), "state 3"),
    }.get(case.step.key, (link.port, ""))
    if not words:
        return ()
    return ((SetBridgePort(case.netns.id, link, msgspec.structs.replace(link, port=changed), words),),)


def larger(case: Case) -> tuple[tuple[Edit, ...], ...]:
    """The device's MTU raised to what it was asked to carry."""
    link = (case.netns.links or {}).get(case.step.dev)
    length = (case.step.packet or case.trace.packet).length
    if link is None or link.mtu >= length:
        return line_away(case)
    return ((SetLink(case.netns.id, link, msgspec.structs.replace(link, mtu=length), f"mtu {length}"),),)


def more_room(case: Case) -> tuple[tuple[Edit, ...], ...]:
    """The limit that the step names, doubled."""
    sysctls = case.netns.sysctls
    limit = sysctls.number(case.step.key) if sysctls is not None and case.step.key else None
    return ((SetSysctl(case.netns.id, case.step.key, str(2 * limit), str(limit)),),) if limit else ()


def translation_away(case: Case) -> tuple[tuple[Edit, ...], ...]:
    """The rule that translated, deleted."""
    found = dnat_of(case)
    step = case.step if case.step.rule is not None else found.step if found is not None else None
    where = (
        case.netns.id
        if case.step.rule is not None
        else found.hop.netns
        if found is not None
        else case.netns.id
    )
    owner = owner_of(step.table, step.chain) if step is not None else None
    if step is None or step.rule is None or (owner is not None and owner not in HOST_SOFTWARE):
        return ()
    return ((DeleteRule(where, step.table, step.chain, step.rule),),)


def process(case: Case) -> tuple[tuple[Edit, ...], ...]:
    """A process: not in the model."""
    packet = case.step.packet or case.trace.packet
    return ((Outside(f"let something listen at {format_addr(packet.dst)}:{packet.dport}"),),)
