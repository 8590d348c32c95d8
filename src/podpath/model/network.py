"""The joined whole: nodes, network namespaces, Pods and the objects of the cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from podpath.model.kube.cluster import Cluster
from podpath.model.linux.agents import KubeletConfig, KubeProxyConfig, LogLine
from podpath.model.linux.cni import CniConfig
from podpath.model.linux.conntrack import ConntrackEntry
from podpath.model.linux.counters import ConntrackStats, Qdisc, SnmpCounters
from podpath.model.linux.ipset import IpSet
from podpath.model.linux.link import InterfaceAddress, Link
from podpath.model.linux.neighbor import FdbEntry, Neighbor
from podpath.model.linux.netfilter import Table
from podpath.model.linux.node_facts import NodeFacts
from podpath.model.linux.resolv import ResolvConf
from podpath.model.linux.route import Route, RoutingRule
from podpath.model.linux.sockets import Socket
from podpath.model.linux.sysctl import Sysctls
from podpath.model.origin import Origin, Unrecognized
from podpath.model.refs import NetnsId, node_netns


@dataclass(frozen=True, eq=False)
class Netns:
    """One network namespace. A field is None where its source was not collected or could not be read."""

    id: NetnsId
    node: str
    folder: str
    """Where its sources stand in the bundle: ``nodes/n1`` or ``nodes/n1/pods/ops.client``."""
    links: Mapping[str, Link] | None = None
    addresses: tuple[InterfaceAddress, ...] | None = None
    routes: tuple[Route, ...] | None = None
    """IPv4 routes of all tables."""
    routes6: tuple[Route, ...] | None = None
    rules: tuple[RoutingRule, ...] | None = None
    rules6: tuple[RoutingRule, ...] | None = None
    neighbors: tuple[Neighbor, ...] | None = None
    fdb: tuple[FdbEntry, ...] | None = None
    sysctls: Sysctls | None = None
    sockets: tuple[Socket, ...] | None = None
    tables: tuple[Table, ...] = ()
    """All tables of iptables (both back ends) and native nftables."""
    unread_tables: tuple[str, ...] = ()
    """Sources of rules that were not collected, or not readable: rules may exist that we do not see."""
    ipsets: Mapping[str, IpSet] | None = None
    conntrack: tuple[ConntrackEntry, ...] | None = None
    conntrack_stats: tuple[ConntrackStats, ...] | None = None
    counters: SnmpCounters | None = None
    qdiscs: tuple[Qdisc, ...] | None = None
    tc_devices: Mapping[str, str] = field(default_factory=dict)
    """Devices with a tc filter or an eBPF program whose effect we do not know, and what stands there."""
    resolv: ResolvConf | None = None
    assumed: tuple[str, ...] = ()
    """What was assumed because the namespace's own state was not collected."""

    @property
    def is_host(self) -> bool:
        """Whether it is a node's own namespace."""
        return self.id == node_netns(self.node)

    def source(self, name: str, text: str = "") -> Origin:
        """A whole source as evidence (of an absence)."""
        return Origin(f"{self.folder}/{name}", 0, text)

    @cached_property
    def addresses_by_value(self) -> Mapping[int, InterfaceAddress]:
        """Own addresses."""
        return {address.addr: address for address in reversed(self.addresses or ())}


@dataclass(frozen=True, eq=False)
class Node:
    """What a node has beside its network namespace."""

    name: str
    facts: NodeFacts | None = None
    kubelet: KubeletConfig | None = None
    kube_proxy: KubeProxyConfig | None = None
    cni: tuple[CniConfig, ...] | None = None
    log_lines: tuple[LogLine, ...] = ()
    """Lines of component logs that tell something."""


@dataclass(frozen=True, eq=False)
class Network:
    """A cluster's network at one moment."""

    name: str
    cluster: Cluster
    nodes: Mapping[str, Node] = field(default_factory=dict)
    namespaces: Mapping[NetnsId, Netns] = field(default_factory=dict)
    peers: Mapping[tuple[NetnsId, str], tuple[NetnsId, str]] = field(default_factory=dict)
    """The other end of a veth pair, both ways."""
    unrecognized: tuple[Unrecognized, ...] = ()
    missing: tuple[Origin, ...] = ()
    """Sources that were asked for and did not come, with the reason as text."""

    def with_netns(self, netns: Netns) -> Network:
        """A copy in which one namespace is replaced."""
        return replace(self, namespaces={**self.namespaces, netns.id: netns})

    @cached_property
    def owners(self) -> Mapping[int, tuple[tuple[NetnsId, str], ...]]:
        """Who holds an address: (namespace, device), hosts first. Loopback and link-local addresses are nobody's."""
        owners: dict[int, list[tuple[NetnsId, str]]] = {}
        for netns in sorted(self.namespaces.values(), key=lambda n: not n.is_host):
            for address in netns.addresses or ():
                if address.scope in ("global", "site", "0") or address.scope.isdigit():
                    owners.setdefault(address.addr, []).append((netns.id, address.dev))
        return {addr: tuple(places) for addr, places in owners.items()}
