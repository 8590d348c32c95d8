"""The joined whole: nodes, network namespaces, Pods and the objects of the cluster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

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

End = tuple[NetnsId, str]
"""A device of a namespace: an end of a veth pair."""


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
    def derived(self) -> dict[object, Any]:
        """What was worked out of it (its routing tables, the order of its hooks): kept with it, gone with it."""
        return {}

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
    """A cluster's network at one moment. Its parts may be read when they are asked for."""

    name: str
    cluster: Cluster
    nodes: Mapping[str, Node] = field(default_factory=dict)
    namespaces: Mapping[NetnsId, Netns] = field(default_factory=dict)
    peers: Mapping[End, End] = field(default_factory=dict)
    """The other end of a veth pair, both ways."""
    unrecognized: Sequence[Unrecognized] = ()
    """Read and not understood. A bundle that is read on demand is read to its end when this is asked for, unless it is
    too large: then it holds what was come across so far, and ``unread_files`` says how much nobody looked at."""
    missing: tuple[Origin, ...] = ()
    """Sources that were asked for and did not come, with the reason as text."""

    def with_netns(self, netns: Netns) -> Network:
        """A copy in which one namespace is replaced."""
        before = self.namespaces.get(netns.id)
        copy = replace(self, namespaces=ChangedNamespaces.of(self.namespaces, netns))
        if before is not None and netns.addresses is before.addresses:
            copy.__dict__["owners"] = self.owners
        return copy

    @property
    def unread_files(self) -> int:
        """Files of nodes that nobody has looked into, of a bundle that is too large to be read for one answer."""
        unread: int = getattr(self.unrecognized, "unread_files", 0)
        return unread

    @cached_property
    def hosts(self) -> tuple[Netns, ...]:
        """The nodes' own namespaces."""
        return tuple(netns for netns in self.namespaces.values() if netns.is_host)

    def peers_of(self, netns: Netns) -> Mapping[str, End]:
        """The other ends of the veth pairs of one namespace, by its devices."""
        ends = ((name, self.peers.get((netns.id, name))) for name in netns.links or ())
        return {name: end for name, end in ends if end is not None}

    @cached_property
    def owners(self) -> Mapping[int, tuple[tuple[NetnsId, str], ...]]:
        """Who holds an address: (namespace, device), hosts first. Loopback and link-local addresses are nobody's."""
        owners: dict[int, tuple[tuple[NetnsId, str], ...]] = {}
        for netns in sorted(self.namespaces.values(), key=lambda n: not n.is_host):
            for address in netns.addresses or ():
                if address.scope in ("global", "site", "0") or address.scope.isdigit():
                    owners[address.addr] = (*owners.get(address.addr, ()), (netns.id, address.dev))
        return owners


class ChangedNamespaces(Mapping[NetnsId, Netns]):
    """Namespaces of which some are replaced."""

    def __init__(self, namespaces: Mapping[NetnsId, Netns], changed: Mapping[NetnsId, Netns]) -> None:
        self._namespaces = namespaces
        self._changed = changed

    @classmethod
    def of(cls, namespaces: Mapping[NetnsId, Netns], netns: Netns) -> ChangedNamespaces:
        """These namespaces with one replaced or added."""
        if isinstance(namespaces, cls):
            return namespaces.changed_again(netns)
        return cls(namespaces, {netns.id: netns})

    def changed_again(self, netns: Netns) -> ChangedNamespaces:
        """These with another one replaced or added."""
        return ChangedNamespaces(self._namespaces, {**self._changed, netns.id: netns})

    def get(self, key: NetnsId, default: Netns | None = None) -> Netns | None:  # type: ignore[override]
        """The namespace, without the cost of an exception where there is none."""
        return self._changed.get(key) or self._namespaces.get(key, default)

    def __getitem__(self, key: NetnsId) -> Netns:
        return self._changed.get(key) or self._namespaces[key]

    def __contains__(self, key: object) -> bool:
        return key in self._namespaces or key in self._changed

    def __iter__(self) -> Iterator[NetnsId]:
        yield from self._namespaces
        yield from (key for key in self._changed if key not in self._namespaces)

    def __len__(self) -> int:
        return len(self._namespaces) + sum(key not in self._namespaces for key in self._changed)
