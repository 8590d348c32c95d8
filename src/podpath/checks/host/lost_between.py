"""lost-between."""

from __future__ import annotations

from collections.abc import Iterator

from podpath.checks.host.dialing import TIMEOUT, Dialed, dialed, model_fails, place
from podpath.checks.host.log_lines import is_recent
from podpath.checks.registry import Promised, state_check
from podpath.model.finding import Confidence, Finding, Fix, Severity
from podpath.model.flow import endpoint_text, protocol_name
from podpath.model.kube.cluster import grouped
from podpath.model.network import Network
from podpath.model.refs import NetnsId, ObjectRef

FEW = 2


@state_check("lost-between", severity=Severity.WARNING, needs=("node/logs",))
def lost_between(network: Network, _promised: Promised) -> Iterator[Finding]:
    """Packets leave one node and do not arrive at another, and the state of neither says why.

    ## Why it breaks

    What stands between two nodes is in no bundle: a cloud's security group or route table, a switch's access list, an
    instance that may only send with its own address. The model delivers the packet, and a log says that no answer came.

    ## See it by hand

        tcpdump -ni <uplink> host <address>            # on both nodes, while it is tried
        podpath probe <source> <destination>

    ## Fix

    Compare pairs that work with pairs that do not: all Pod addresses but no node address is a security group or
    source check; exactly two segments is a router's access list; only large packets is an MTU.

    ## Often confused with

    A busy or restarting server: it logs timeouts too, for a moment.
    """
    lines = [one for one in dialed(network) if one.how == TIMEOUT and is_recent(network, one.said)]
    for (netns, addr, port), alike in grouped(
        ((place(network, one), one.addr, one.port), one) for one in lines
    ).items():
        other = _other_node(network, netns, addr)
        if other and len(alike) >= FEW and not model_fails(network, alike[-1]):
            yield _found(network, other, endpoint_text(addr, port), alike)


def _other_node(network: Network, netns: NetnsId, addr: int) -> str:
    """The node of an address, where the state of it and of the asking node is known and they are two."""
    here = network.namespaces.get(netns)
    owners = network.owners.get(addr, ())
    there = network.namespaces[owners[0][0]].node if owners else ""
    return there if here is not None and there and there != here.node else ""


def _found(network: Network, other: str, target: str, alike: tuple[Dialed, ...]) -> Finding:
    last = alike[-1]
    subject = ObjectRef("Pod", *last.said.pod) if last.said.pod else ObjectRef("Node", "", last.said.node)
    owner = network.owners[last.addr][0]
    addresses = network.namespaces[owner[0]].addresses or ()
    there = next(one.origin for one in addresses if one.addr == last.addr)
    return Finding(
        code="lost-between",
        severity=Severity.WARNING,
        subject=subject,
        message=(
            f"{last.said.speaker} gets no answer from {target} on {other}, and nothing in the state of the "
            "two nodes stops it"
        ),
        evidence=(last.said.line.origin, there),
        cause="what is between the nodes is not in sight",
        confidence=Confidence.LIKELY,
        fix=Fix(
            "see on both nodes whether the packet leaves and arrives",
            (
                f"{last.said.node} and {other}: tcpdump -ni any {protocol_name(last.protocol)} port {last.port}",
            ),
            "low: it only reads",
        ),
    )
