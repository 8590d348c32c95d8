"""cidr-overlap-pod-service, cidr-overlap-host-network, cidr-overlap-docker-bridge."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from podpath.checks.host.ranges import Foreign, Range, foreign_ranges, pod_ranges, service_ranges
from podpath.checks.objects.kubectl import stated
from podpath.checks.registry import Promised, state_check
from podpath.model.addr import Prefix, format_addr
from podpath.model.finding import Confidence, Finding, Fix, Severity
from podpath.model.kube.cluster import grouped
from podpath.model.network import Network
from podpath.model.origin import Origin
from podpath.model.refs import ObjectRef

RENUMBER = Fix(
    "give the cluster ranges that nobody else uses: a new IPPool for Calico, else a rebuild with another"
    " --pod-network-cidr or --service-cidr",
    risk="high: every Pod gets another address",
)


class Meeting(NamedTuple):
    """A network of machines that meets one of the cluster's."""

    foreign: Foreign
    ours: Range
    services: bool

    @property
    def winner(self) -> str:
        """Who gets the addresses that are in both."""
        both = max((self.foreign.prefix, self.ours.prefix), key=lambda one: one.length)
        if self.services:
            return (
                f"in {both} the ClusterIPs in use win (they are translated before a route is looked up), "
                f"and {self.foreign.dev} gets the rest"
            )
        if self.foreign.prefix.length > self.ours.prefix.length:
            return (
                f"{self.foreign.prefix} is the longer prefix: its addresses leave by {self.foreign.dev}, "
                f"and no Pod that has one is reached from {self.foreign.node}"
            )
        return (
            f"{both} goes to Pods where their nodes' routes are longer: machines with such an address "
            f"behind {self.foreign.dev} are not reached"
        )


@state_check("cidr-overlap-pod-service", severity=Severity.WARNING, needs=("api/services",))
def cidr_overlap_pod_service(network: Network, _promised: Promised) -> Iterator[Finding]:
    """The range of Pods and that of Services meet.

    ## Why it breaks

    An address that is a ClusterIP is translated wherever it is met, so a Pod that gets it is never reached. As long as
    no address is used twice nothing breaks: a ClusterIP in use always wins.

    ## See it by hand

        kubectl get nodes -o jsonpath='{.items[*].spec.podCIDR}'
        kubectl get servicecidrs                       # before 1.33: --service-cluster-ip-range of kube-apiserver
        kubectl get services -A -o jsonpath='{.items[*].spec.clusterIP}'

    ## Fix

    Rebuild with ranges that do not meet; with Calico make a new IPPool, disable the old one and recreate the Pods.

    ## Often confused with

    *cidr-overlap-host-network*: the Pods' range and that of machines.
    """
    ranges, listed = service_ranges(network), pod_ranges(network)
    for pods in listed if ranges else ():
        for services in ranges:
            if pods.prefix.overlaps(services.prefix):
                yield _pod_service(network, pods, services.prefix, services.text, services.origin)
    if ranges:
        return
    known = {(one.prefix.mask, one.prefix.net): one for one in listed}
    masks = {mask for mask, _ in known}
    hit = [
        (known[mask, addr & mask], service)
        for addr, service in network.cluster.services_by_cluster_ip.items()
        for mask in masks
        if (mask, addr & mask) in known
    ]
    for pods, service in hit[:1]:
        origin = stated(network.cluster, service, "spec", "clusterIP")
        yield _pod_service(network, pods, None, f"ClusterIP of {service.ref.short}", origin)


def _pod_service(
    network: Network, pods: Range, services: Prefix | None, text: str, origin: Origin
) -> Finding:
    cluster = network.cluster
    twice = [
        (pod, service)
        for addr, service in cluster.services_by_cluster_ip.items()
        if (pod := cluster.pod_at(addr)) is not None
    ]
    message = f"Pods ({pods.prefix}, {pods.text}) and Services ({services or text}) share addresses"
    evidence = [pods.origin, origin]
    if twice:
        pod, service = twice[0]
        addr = format_addr(next(iter(set(pod.ips) & set(service.cluster_ips or ()))))
        message += f": {addr} is Pod {pod.ref.short} and Service {service.ref.short}, and the Service wins"
        evidence.insert(0, stated(cluster, pod, "status", "podIP", text=f"podIP: {addr}"))
    return Finding(
        code="cidr-overlap-pod-service",
        severity=Severity.ERROR if twice else Severity.WARNING,
        subject=twice[0][0].ref if twice else ObjectRef("Cluster", "", network.name),
        message=message,
        evidence=tuple(evidence),
        cause="the two ranges meet",
        confidence=Confidence.CERTAIN,
        fix=RENUMBER,
        broken=len(twice),
    )


@state_check("cidr-overlap-host-network", severity=Severity.WARNING)
def cidr_overlap_host_network(network: Network, _promised: Promised) -> Iterator[Finding]:
    """The cluster's ranges meet a network that its nodes are in, or route to.

    ## Why it breaks

    A node has one route for an address, the one with the longest prefix. Either Pods with such an address are sent out
    to the other network, or machines of that network are looked for among the Pods. A resolver or a proxy inside the
    Pods' range is lost on every node.

    ## See it by hand

        ip route show; ip route get <address>          # on each node
        kubectl get nodes -o jsonpath='{.items[*].spec.podCIDR}'

    ## Fix

    Give the cluster another range. A static route that is wider than needed can be narrowed instead.

    ## Often confused with

    *cidr-overlap-docker-bridge*: the other network is one of containers on the node itself, and easily moved.
    *podcidr-route-missing*: the CNI's own route is not there.
    """
    yield from _overlaps(network, "cidr-overlap-host-network", ("connected", "route"))
    yield from _resolvers(network)


@state_check("cidr-overlap-docker-bridge", severity=Severity.WARNING)
def cidr_overlap_docker_bridge(network: Network, _promised: Promised) -> Iterator[Finding]:
    """The cluster's ranges meet the network of a bridge for other containers or virtual machines.

    ## Why it breaks

    The bridge's route is a local one, and often longer than the route to a node's Pods: Pods of other nodes with such
    addresses are then looked for behind docker0, virbr0 or podman0.

    ## See it by hand

        ip -4 route show | grep -E 'docker|br-|virbr|podman|cni-podman'

    ## Fix

    Move the bridge: ``bip`` and ``default-address-pools`` in /etc/docker/daemon.json; ``virsh net-edit default``.
    Remove it (``ip link del docker0``) where nothing uses it.

    ## Often confused with

    *cni-multiple-configs*: Pods themselves hang on that bridge.
    """
    yield from _overlaps(network, "cidr-overlap-docker-bridge", ("bridge",))


def _overlaps(network: Network, code: str, kinds: tuple[str, ...]) -> Iterator[Finding]:
    meetings = grouped(
        ((one.foreign.prefix, one.ours.prefix), one)
        for one in _meetings(network)
        if one.foreign.kind in kinds
    )
    for alike in meetings.values():
        yield _met(code, alike)


def _meetings(network: Network) -> Iterator[Meeting]:
    ours = [*((one, False) for one in pod_ranges(network)), *((one, True) for one in service_ranges(network))]
    met: dict[Prefix, list[tuple[Range, bool]]] = {}
    for foreign in foreign_ranges(network):
        if foreign.prefix not in met:  # most nodes are in the same networks
            met[foreign.prefix] = [one for one in ours if one[0].prefix.overlaps(foreign.prefix)]
        for one, services in met[foreign.prefix]:
            yield Meeting(foreign, one, services)


def _met(code: str, alike: tuple[Meeting, ...]) -> Finding:
    first = alike[0]
    nodes = sorted({one.foreign.node for one in alike})
    where = nodes[0] if len(nodes) == 1 else f"{len(nodes)} nodes"
    wider = first.foreign.kind == "route" and first.foreign.prefix.length < first.ours.prefix.length
    what = "Services" if first.services else "Pods"
    fix = RENUMBER
    if first.foreign.kind == "bridge":
        fix = Fix(
            f"move the network of {first.foreign.dev}, or remove the bridge if nothing uses it",
            (f"{nodes[0]}: ip link del {first.foreign.dev}     # or another bip in /etc/docker/daemon.json",),
            "low if nothing hangs on it",
        )
    return Finding(
        code=code,
        severity=Severity.INFO if wider else Severity.WARNING,
        subject=ObjectRef("Node", "", nodes[0]),
        message=(
            f"On {where} {first.foreign.prefix} at {first.foreign.dev} meets {first.ours.prefix} of {what} "
            f"({first.ours.text}); {first.winner}"
        ),
        evidence=(first.foreign.origin, first.ours.origin),
        cause="the ranges share addresses",
        confidence=Confidence.CERTAIN,
        fix=fix,
    )


def _resolvers(network: Network) -> Iterator[Finding]:
    """A node's resolver in the Pods' range that is no Pod: nobody can be asked there."""
    for netns in network.namespaces.values():
        if not netns.is_host or netns.resolv is None:
            continue
        for addr, origin in zip(netns.resolv.nameservers, netns.resolv.nameserver_origins, strict=False):
            ours = next((one for one in pod_ranges(network) if addr in one.prefix), None)
            if ours is None or addr in network.cluster.pods_by_ip or addr in network.owners:
                continue
            yield Finding(
                code="cidr-overlap-host-network",
                severity=Severity.WARNING,
                subject=ObjectRef("Node", "", netns.node),
                message=(
                    f"{netns.node} asks {format_addr(addr)} for names, an address for Pods ({ours.text}) "
                    "that no Pod has"
                ),
                evidence=(origin, ours.origin),
                cause="the ranges share addresses",
                confidence=Confidence.CERTAIN,
                fix=RENUMBER,
            )
