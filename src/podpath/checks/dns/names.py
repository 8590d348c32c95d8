"""Who answers for names: the addresses that kubelets hand out, the Services and Pods behind them, the Corefile."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from podpath.intent.dns import DNS_PORT, dns_services, effective_policy
from podpath.model.addr import LINK_LOCAL_V4, LOOPBACK_V4, LOOPBACK_V6, parse_addr
from podpath.model.flow import UDP
from podpath.model.kube.configmap import ConfigMap
from podpath.model.kube.pod import Pod
from podpath.model.kube.service import Service
from podpath.model.kube.workload import Workload
from podpath.model.network import Network
from podpath.model.origin import Origin

REVERSE = ("in-addr.arpa", "ip6.arpa")


class Handed(NamedTuple):
    """An address that Pods of a node are told to ask, and the line that says so."""

    addr: int
    node: str
    origin: Origin


@lru_cache(maxsize=4)
def handed_out(network: Network) -> tuple[Handed, ...]:
    """What kubelets hand out to Pods with dnsPolicy ClusterFirst."""
    return tuple(_from_kubelets(network))


def _from_kubelets(network: Network) -> Iterator[Handed]:
    for node in network.nodes.values():
        for text in node.kubelet.cluster_dns if node.kubelet else ():
            try:
                addr = parse_addr(text)
            except ValueError:
                continue
            if node.kubelet is not None:
                yield Handed(addr, node.name, node.kubelet.origin("clusterDNS"))


@lru_cache(maxsize=4)
def services(network: Network) -> tuple[Service, ...]:
    """The Services that answer for names."""
    return dns_services(network.cluster, tuple(dict.fromkeys(one.addr for one in handed_out(network))))


def is_somebodys(network: Network, addr: int) -> bool:
    """Whether an address is that of a machine or Pod: a node-local cache, a resolver on a node."""
    local = addr in LINK_LOCAL_V4 or addr in LOOPBACK_V4 or addr == LOOPBACK_V6
    cluster = network.cluster
    return local or addr in network.owners or addr in cluster.pods_by_ip or addr in cluster.node_by_address


def askers(network: Network, nodes: frozenset[str] | None = None) -> int:
    """How many running Pods ask the cluster's DNS: those with dnsPolicy ClusterFirst (of some nodes)."""
    return sum(
        pod.running and effective_policy(pod) == "ClusterFirst" and (nodes is None or pod.node in nodes)
        for pod in network.cluster.pods.values()
    )


def serves_names(pod: Pod | Workload) -> bool:
    """Whether a Pod (or a template) says that it listens on port 53/UDP."""
    containers = pod.spec.containers if isinstance(pod, Pod) else pod.containers
    return any(
        port.container_port == DNS_PORT and port.protocol == UDP for one in containers for port in one.ports
    )


class Corefile(NamedTuple):
    """CoreDNS's configuration, as far as it matters here."""

    configmap: ConfigMap
    zones: tuple[str, ...]
    """The zones that the plugin ``kubernetes`` serves, without reverse ones."""
    forwards: tuple[str, ...]
    """Targets of ``forward``."""
    lines: Mapping[str, str]
    """The line of each zone, and of each target."""


@lru_cache(maxsize=4)
def corefiles(network: Network) -> tuple[Corefile, ...]:
    """The Corefiles of the namespaces in which DNS Services stand."""
    places = {service.meta.namespace for service in services(network)}
    return tuple(
        read_corefile(one, one.data["Corefile"])
        for one in network.cluster.configmaps.values()
        if one.meta.namespace in places and "Corefile" in one.data
    )


def read_corefile(configmap: ConfigMap, text: str) -> Corefile:
    """Server blocks, and in them the directives ``kubernetes`` and ``forward`` (coredns.io/manual/configuration)."""
    depth = 0
    block: tuple[str, ...] = ()
    zones: list[str] = []
    forwards: list[str] = []
    lines: dict[str, str] = {}
    for raw in text.splitlines():
        line = raw.split("#", 1)[0].strip()
        words = line.rstrip("{").replace(",", " ").split()
        if depth == 0 and line.endswith("{"):
            block = tuple(_zone(word) for word in words)
        elif depth == 1 and words and words[0] == "kubernetes":
            named = [_zone(word) for word in words[1:]] or list(block)
            zones += [zone for zone in named if not zone.endswith(REVERSE)]
            lines.update(dict.fromkeys(named, line))
        elif depth == 1 and words and words[0] == "forward":
            forwards += words[2:]
            lines.update(dict.fromkeys(words[2:], line))
        depth += line.count("{") - line.count("}")
    return Corefile(configmap, tuple(zones), tuple(forwards), lines)


def _zone(word: str) -> str:
    """``cluster.local`` of ``dns://cluster.local:53`` or ``cluster.local.``."""
    return word.rpartition("://")[2].partition(":")[0].rstrip(".").lower()
