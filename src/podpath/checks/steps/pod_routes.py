"""Routes to the Pods of other nodes: which one is wanted, who writes it, whether it is lost."""

from __future__ import annotations

from podpath.checks.case import Case
from podpath.checks.owners import CALICO, FLANNEL, KUBE_ROUTER, Owner
from podpath.checks.steps.ranges import home_of
from podpath.checks.steps.routes import Style, covering
from podpath.model.network import Network

ASTRAY = ("wrong-route", "no-route", "reply-elsewhere", "rp-filter")
"""The kinds of step behind which a missing route may be."""


def writer_of(network: Network, style: Style | None, protocol: str = "") -> Owner | None:
    """Who writes a node's routes to other nodes' Pods."""
    told_by = style.protocol if style is not None else protocol
    if told_by == "bird":
        return CALICO
    if any("flannel" in key for node in network.cluster.nodes.values() for key in node.meta.annotations):
        return FLANNEL
    if any(node.facts is not None and node.facts.flannel is not None for node in network.nodes.values()):
        return FLANNEL
    return KUBE_ROUTER if told_by in ("17", "kube-router") else None


def destination(case: Case) -> int:
    """The address that a route is wanted for: where the packet goes, or for the source check where it came from."""
    packet = case.step.packet or case.trace.packet
    return packet.src if case.step.kind == "rp-filter" else packet.dst


def lost(case: Case) -> str:
    """The node whose Pods the case's node has no route to; empty where that is not the fault."""
    addr = destination(case)
    owner = home_of(case.network, addr)
    known = case.network.cluster.nodes.get(owner)
    if not case.netns.is_host or case.outer or owner in ("", case.node) or known is None:
        return ""
    return owner if any(addr in one for one in known.pod_cidrs) and not covering(case.netns, addr) else ""
