"""Explanations of full-size packets that do not fit, and of the error about them that does not arrive."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from podpath.checks.case import Case, Explained
from podpath.checks.registry import explanation
from podpath.checks.steps.ranges import hosts
from podpath.checks.steps.rules import accept_too_big, put
from podpath.checks.steps.verdicts import names_port, verdict_of
from podpath.checks.steps.words import listed
from podpath.model.addr import format_addr
from podpath.model.edit import Edit, SetLink
from podpath.model.finding import Severity
from podpath.model.linux.link import Link
from podpath.model.network import Netns, Network
from podpath.model.origin import Origin
from podpath.model.refs import NetnsId

KEEP = "new Pods take the MTU from the CNI configuration (flannel: its own device's, Calico: veth_mtu), so set it there"


def set_mtu(netns: Netns, link: Link, mtu: int) -> SetLink:
    """A device with another MTU."""
    return SetLink(netns.id, link, msgspec.structs.replace(link, mtu=mtu), f"mtu {mtu}")


def smallest(case: Case) -> tuple[Netns, Link] | None:
    """The device that the packet did not fit into."""
    for trace in reversed(case.branch.traces):
        for hop in trace.hops:
            netns = case.network.namespaces.get(hop.netns)
            for step in hop.steps if netns is not None else ():
                link = (netns.links or {}).get(step.dev) if netns is not None else None
                if step.kind in ("too-big", "too-big-silent") and link is not None and netns is not None:
                    return netns, link
    return None


def sender_of_data(case: Case) -> NetnsId | None:
    """Who sent what did not fit."""
    return next((trace.hops[0].netns for trace in reversed(case.branch.traces) if trace.leg == "data"), None)


def pod_ends(network: Network, sender: NetnsId, mtu: int) -> Iterator[SetLink]:
    """A Pod's device, and its end on the node, made to fit."""
    netns = network.namespaces.get(sender)
    for link in (netns.links or {}).values() if netns is not None else ():
        far = network.peers.get((sender, link.name))
        if netns is None or far is None:
            continue
        if link.mtu > mtu:
            yield set_mtu(netns, link, mtu)


@explanation("mtu-pod-exceeds-overlay", kinds=("too-big",), severity=Severity.WARNING)
def mtu_pod_exceeds_overlay(case: Case) -> Explained | None:
    """Pods send larger packets than the tunnel carries; the sender is told, and shrinks them.

    ## Why it breaks

    A tunnel adds a header (vxlan 50 bytes, IPIP 20, WireGuard 60 to 80), so Pods behind it need a smaller MTU than
    the node's. When theirs is too large the node answers with ICMP "fragmentation needed", and the sender goes on
    with smaller packets: the first transfer to each destination is slow. Where that ICMP message does not arrive,
    large transfers hang (pmtud-icmp-blocked).

    ## See it by hand

        ip -o link | grep -oE '^[0-9]+: [^:]+|mtu [0-9]+'          # on the node and in the Pod
        nstat -az IpFragFails IcmpOutDestUnreachs

    ## Fix

    Set the CNI's MTU to the smallest on the path, and make the Pods again.

    ## Often confused with

    pmtud-icmp-blocked (it never recovers), underlay-mtu-smaller (no node knows the smaller MTU).
    """
    found, sender = smallest(case), sender_of_data(case)
    if found is None or sender is None:
        return None
    netns, link = found
    edits = tuple(pod_ends(case.network, sender, link.mtu))
    unlike = _unlike_siblings(case.network, netns, link)
    return Explained(
        f"packets of Pods do not fit {link.name} on {netns.node}, whose MTU is {link.mtu}; "
        "the sender is told and shrinks them",
        f"takes no more than {link.mtu} bytes",
        (edits,) if edits else (),
        f"give Pods the MTU {link.mtu}",
        risk=f"low; {KEEP}",
        subject=case.node_ref,
        reason=unlike,
    )


def _unlike_siblings(network: Network, netns: Netns, link: Link) -> str:
    """Whether the device has another MTU than those of the same name on other nodes."""
    others = {
        host.node: (host.links or {})[link.name].mtu
        for host in hosts(network)
        if link.name in (host.links or {})
    }
    odd = sorted(node for node, mtu in others.items() if mtu != link.mtu and node != netns.node)
    return f"on {listed(odd)} {link.name} has another MTU ({max(others.values())})" if odd else ""


@explanation(
    "mtu-inconsistent-nodes", kinds=("too-big", "too-big-silent"), specificity=33, severity=Severity.WARNING
)
def mtu_inconsistent_nodes(case: Case) -> Explained | None:
    """One node's device has a smaller MTU than the same device on the other nodes.

    ## Why it breaks

    Nodes of one cluster should carry packets of one size. Where one differs (a 9000-byte group beside a 1500-byte
    one, another uplink when the CNI started), packets that fit everywhere else must be shrunk for it, or are lost.

    ## See it by hand

        for node in ...; do ssh $node ip -o link show <device>; done

    ## Fix

    Set the MTU of the odd node's device, in netplan, networkd or NetworkManager; restart the CNI on it, then its
    Pods.

    ## Often confused with

    mtu-pod-exceeds-overlay: all nodes alike, Pods too large.
    """
    found = smallest(case)
    if found is None or (case.step.kind == "too-big-silent" and case.trace.leg != "data"):
        return None
    netns, link = found
    others = [
        (host, (host.links or {})[link.name])
        for host in hosts(case.network)
        if link.name in (host.links or {})
    ]
    larger = [
        (host, one)
        for host, one in others
        if one.mtu > link.mtu and host is not netns and one.kind == link.kind
    ]
    if (
        not netns.is_host
        or len(larger) < 2
        or len(larger) != len(others) - 1
        or (link.kind == "veth" and link.master)
    ):
        return None
    common = min(one.mtu for _, one in larger)
    return Explained(
        f"{link.name} on {netns.node} has MTU {link.mtu}, on the other nodes {common}",
        f"takes no more than {link.mtu} bytes",
        ((set_mtu(netns, link, common),),),
        risk="low where the network carries it (try a full-size packet with DF first); "
        "keep it in the system's network configuration",
        subject=case.node_ref,
        evidence=(link.origin, *(one.origin for _, one in larger[:1])),
        evidence_first=True,
    )


@explanation("pmtud-icmp-blocked", kinds=("too-big-silent",), specificity=34)
def pmtud_icmp_blocked(case: Case) -> Explained | None:
    """The ICMP error that tells a sender the smaller MTU is filtered: connections open, then large data hangs.

    ## Why it breaks

    TCP sends full-size packets that must not be fragmented. A hop with a smaller MTU drops them and answers with
    ICMP type 3 code 4 (IPv6: packet too big). A rule that drops ICMP on the way back leaves the sender repeating
    the same large packet for ever. Small requests work, TLS handshakes and downloads hang.

    ## See it by hand

        nstat -az IpFragFails                              # grows on the node with the smaller MTU
        iptables-save -c | grep -i icmp                    # the rule that counts
        curl -so /dev/null <large file>                    # hangs, a small one does not

    ## Fix

    Let ICMP "destination unreachable" (IPv6: packet-too-big) through. Beside it: a smaller MTU for the Pods, or `-t
    mangle -A FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu`.

    ## Often confused with

    underlay-mtu-smaller (nobody sends the error: IpFragFails stands still), mtu-pod-exceeds-overlay (it recovers).
    """
    verdict = verdict_of(case)
    found, sender = smallest(case), sender_of_data(case)
    if verdict is None or verdict.hook not in ("input", "forward", "output", "prerouting", "postrouting"):
        return None
    packet = case.step.packet or case.trace.packet
    accept = accept_too_big(verdict.table, verdict.base.name, v4=packet.v4)
    alternatives: list[tuple[Edit, ...]] = [(put(case.netns, verdict.table, verdict.base, accept),)]
    if verdict.rule is not None and not names_port(verdict.rule, 0):
        alternatives.append((verdict.removal,))
    evidence: tuple[Origin, ...] = ()
    small = ""
    if found is not None and sender is not None:
        netns, link = found
        shrunk = tuple(pod_ends(case.network, sender, link.mtu))
        alternatives += [shrunk] if shrunk else []
        evidence, small = (link.origin,), f": {link.name} on {netns.node} takes {link.mtu} bytes"
    return Explained(
        f"large transfers hang: {case.node} {verdict.how} the ICMP errors that tell senders the smaller MTU "
        f"(in {verdict.place}{verdict.comment}){small}",
        "the error about packets that are too big ends here",
        tuple(alternatives),
        risk="low: this ICMP error is safe to let in; lost at reboot, so keep it where the firewall is configured",
        subject=case.node_ref,
        evidence=evidence,
    )


@explanation("pod-mtu-of-port-smaller", kinds=("too-big-silent",))
def pod_mtu_of_port_smaller(case: Case) -> Explained | None:
    """One end of a link takes smaller frames than the other sends: they are dropped without an error.

    ## Why it breaks

    Within a bridge, and on a veth pair, nobody sends ICMP errors: a frame that is larger than the port's or the
    receiving device's MTU is dropped. It comes from an MTU that was changed on one end only, or from Pods made
    before and after a change of the CNI's MTU.

    ## See it by hand

        ip link show | grep mtu                         # ports of one bridge with different values
        ip -s link show <port>                          # dropped grows

    ## Fix

    The same MTU on both ends and on all ports of the bridge; make the Pods again after changing the CNI's MTU.

    ## Often confused with

    pmtud-icmp-blocked: there a router does send the error.
    """
    link = (case.netns.links or {}).get(case.step.dev)
    packet = case.step.packet or case.trace.packet
    if link is None or link.mtu >= packet.length or case.step.rule is not None:
        return None
    sender = case.trace.hops[0].netns
    raised: tuple[Edit, ...] = (set_mtu(case.netns, link, packet.length),)
    lowered: tuple[Edit, ...] = tuple(pod_ends(case.network, sender, link.mtu))
    place = f"{case.node}" if case.netns.is_host else f"Pod {case.netns.id.split('/', 1)[1]} on {case.node}"
    whom = format_addr(packet.src)
    return Explained(
        f"{link.name} of {place} takes frames of {link.mtu} bytes, while its neighbours send {packet.length}: "
        "they are dropped silently",
        f"takes no more than {link.mtu} bytes, and tells nobody",
        tuple(one for one in (raised, lowered) if one),
        f"the same MTU for {link.name} as for who sends to it ({whom})",
        risk=f"low; lost when the Pod is made again: {KEEP}",
        evidence=(link.origin,),
        evidence_first=True,
    )
