"""conntrack-nearly-full, neigh-table-nearly-full and nodeport-ephemeral-overlap: limits of a node's kernel."""

from __future__ import annotations

from collections.abc import Iterator

from podpath.checks.registry import Promised, state_check
from podpath.model.addr import is_v4
from podpath.model.finding import Confidence, Finding, Fix, Severity
from podpath.model.linux.sockets import Socket
from podpath.model.linux.sysctl import Sysctls
from podpath.model.network import Netns, Network
from podpath.model.origin import Origin
from podpath.model.refs import ObjectRef

NEAR = 0.85
NEAR_NEIGH = 0.9
MAX, COUNT = "net.netfilter.nf_conntrack_max", "net.netfilter.nf_conntrack_count"
RANGE, KEPT = "net.ipv4.ip_local_port_range", "net.ipv4.ip_local_reserved_ports"


@state_check("conntrack-nearly-full", severity=Severity.WARNING, needs=("node/sysctl",))
def conntrack_nearly_full(network: Network, _promised: Promised) -> Iterator[Finding]:
    """A node's table of tracked connections is nearly full.

    ## Why it breaks

    Nothing yet. When the table is full, the kernel drops the first packet of every new connection that it would have
    to track, whoever sends it; old connections go on.

    ## See it by hand

        sysctl net.netfilter.nf_conntrack_count net.netfilter.nf_conntrack_max
        conntrack -L | awk '{print $1, $4}' | sort | uniq -c | sort -rn | head      # who opens so many

    ## Fix

    Raise the limit (about 300 bytes an entry), and with it the buckets; where kube-proxy sets it, its
    ``conntrack.maxPerCore`` and ``conntrack.min``. Find the one who opens so many connections.

    ## Often confused with

    *snat-port-exhaustion-node*: connections to one destination only. *instance-conntrack-allowance*: the cloud's own
    table, which the kernel does not show.
    """
    for netns, sysctls in _hosts(network):
        most, count = sysctls.number(MAX), sysctls.number(COUNT)
        if most is None or (count is None and netns.conntrack is None):
            continue
        held = count if count is not None else len(netns.conntrack or ())
        if most <= 0 or held < most * NEAR:
            continue
        yield _tracked(netns, sysctls, held, most)


def _tracked(netns: Netns, sysctls: Sysctls, held: int, most: int) -> Finding:
    more = max(most * 2, 262144)
    share = held * 100 // most
    buckets = f"echo {more // 4} > /sys/module/nf_conntrack/parameters/hashsize"
    return Finding(
        code="conntrack-nearly-full",
        severity=Severity.WARNING,
        subject=ObjectRef("Node", "", netns.node),
        message=f"{netns.node} tracks {held} connections of at most {most} ({share} %): beyond it new ones are dropped",
        evidence=(sysctls.origin(MAX), sysctls.origin(COUNT)),
        cause="the table has an end",
        confidence=Confidence.CERTAIN,
        fix=Fix(
            f"raise the limit to {more}",
            (
                f"{netns.node}: sysctl -w {MAX}={more}; {buckets}",
                f"{netns.node}: echo '{MAX} = {more}' > /etc/sysctl.d/90-conntrack.conf      # to keep it",
            ),
            f"low: {more * 300 // 1_000_000} MB when it is full",
        ),
    )


@state_check("neigh-table-nearly-full", severity=Severity.WARNING, needs=("node/sysctl",))
def neigh_table_nearly_full(network: Network, _promised: Promised) -> Iterator[Finding]:
    """A node's table of neighbours is nearly full.

    ## Why it breaks

    Nothing yet. At ``gc_thresh3`` the kernel takes no more entries ("neighbor table overflow"): it no longer finds
    out who has an address, and one machine or Pod after the other is not reached.

    ## See it by hand

        ip neigh | wc -l; sysctl net.ipv4.neigh.default.gc_thresh3
        dmesg | grep -i 'neighbo.*table overflow'

    ## Fix

    Raise the three thresholds, in this order of size.

    ## Often confused with

    *vtep-neigh-missing*: one entry that the CNI should have written is absent.
    """
    for netns, sysctls in _hosts(network):
        for v4, family in ((True, "ipv4"), (False, "ipv6")):
            key = f"net.{family}.neigh.default.gc_thresh3"
            most = sysctls.number(key)
            held = [one for one in netns.neighbors or () if is_v4(one.dst) == v4 and not one.static]
            if not most or len(held) < most * NEAR_NEIGH:
                continue
            settings = " ".join(
                f"net.{family}.neigh.default.gc_thresh{i}={n}"
                for i, n in ((1, most * 2), (2, most * 4), (3, most * 8))
            )
            yield Finding(
                code="neigh-table-nearly-full",
                severity=Severity.WARNING,
                subject=ObjectRef("Node", "", netns.node),
                message=(
                    f"{netns.node} knows {len(held)} neighbours of at most {most}: beyond it new ones are "
                    "not found"
                ),
                evidence=(
                    sysctls.origin(key),
                    Origin(f"{netns.folder}/ip-neigh.json", 0, f"{len(held)} entries"),
                ),
                cause="the table has an end",
                confidence=Confidence.CERTAIN,
                fix=Fix("raise the thresholds", (f"{netns.node}: sysctl -w {settings}",), "low: some memory"),
            )


@state_check("nodeport-ephemeral-overlap", severity=Severity.INFO, needs=("node/sysctl", "api/services"))
def nodeport_ephemeral_overlap(network: Network, _promised: Promised) -> Iterator[Finding]:
    """A node takes the ports of its own connections from a range that holds NodePorts.

    ## Why it breaks

    A connection of the node that happens to leave from a NodePort's number gets its replies translated to the
    Service: it fails. That is rare, so this is a remark; where such a connection is seen it is a warning.

    ## See it by hand

        sysctl net.ipv4.ip_local_port_range net.ipv4.ip_local_reserved_ports

    ## Fix

    Keep NodePorts out of the range: ``ip_local_reserved_ports=30000-32767``.

    ## Often confused with

    *ephemeral-port-exhaustion*: the range is used up.
    """
    ports = {number for number, _ in network.cluster.services_by_node_port}
    for netns, sysctls in _hosts(network):
        words = (sysctls.get(RANGE) or "").split()
        if len(words) != 2 or not all(word.isdecimal() for word in words):
            continue
        free = {one for one in ports if int(words[0]) <= one <= int(words[1]) and not _is_kept(sysctls, one)}
        if free:
            yield _overlap(netns, sysctls, free)


def _overlap(netns: Netns, sysctls: Sysctls, free: set[int]) -> Finding:
    used = [one for one in netns.sockets or () if _leaves_from(one, free)]
    seen = f", and a connection leaves from {used[0].port} now" if used else ""
    return Finding(
        code="nodeport-ephemeral-overlap",
        severity=Severity.WARNING if used else Severity.INFO,
        subject=ObjectRef("Node", "", netns.node),
        message=f"{netns.node} may use {len(free)} NodePorts (such as {min(free)}) for its own connections{seen}",
        evidence=(sysctls.origin(RANGE), *(one.origin for one in used[:1])),
        cause="the range of local ports holds NodePorts",
        confidence=Confidence.CERTAIN,
        fix=Fix("keep NodePorts out of it", (f"{netns.node}: sysctl -w {KEPT}=30000-32767",), "low"),
    )


def _leaves_from(socket: Socket, ports: set[int]) -> bool:
    return socket.state == "ESTAB" and socket.port in ports


def _is_kept(sysctls: Sysctls, port: int) -> bool:
    """Whether ip_local_reserved_ports (``8080,30000-32767``) holds a port."""
    for part in (sysctls.get(KEPT) or "").split(","):
        first, _, last = part.strip().partition("-")
        if first.isdecimal() and int(first) <= port <= int(last if last.isdecimal() else first):
            return True
    return False


def _hosts(network: Network) -> Iterator[tuple[Netns, Sysctls]]:
    for netns in network.namespaces.values():
        if netns.is_host and netns.sysctls is not None:
            yield netns, netns.sysctls
