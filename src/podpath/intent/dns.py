"""Whom a Pod asks for names (kubernetes pkg/kubelet/network/dns/dns.go, GetPodDNS), and that they answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple, TypeVar

from podpath.intent.clients import Asker, Clients
from podpath.intent.permission import Permissions
from podpath.intent.services import backends
from podpath.model.addr import LINK_LOCAL_V4, LOOPBACK_V4, LOOPBACK_V6, format_addr, is_v4, parse_addr
from podpath.model.flow import TCP, UDP, Flow, protocol_name
from podpath.model.kube.cluster import Cluster, grouped
from podpath.model.kube.pod import Pod
from podpath.model.kube.service import Service
from podpath.model.network import Network
from podpath.model.origin import NOWHERE
from podpath.model.promise import NotPromised, Promise
from podpath.model.refs import node_netns, pod_netns

T = TypeVar("T")
Made = Iterator[Promise | NotPromised]

DNS_PORT = 53
MAX_NAMESERVERS = 3
"""More are cut off (pkg/apis/core/validation, MaxDNSNameservers)."""
MAX_SEARCHES = 32
CLUSTER_NDOTS = "5"
"""defaultDNSOptions of the kubelet: a name with fewer dots is tried with the search list first."""
DEFAULT_DOMAIN = "cluster.local"
DNS_LABELS = {"k8s-app": "kube-dns"}
DNS_NAMES = ("kube-dns", "coredns", "rke2-coredns-rke2-coredns", "dns-default", "core-dns")


class Resolver(NamedTuple):
    """What stands in a resolv.conf."""

    nameservers: tuple[int, ...]
    searches: tuple[str, ...] = ()
    options: Mapping[str, str] = {}

    @property
    def ndots(self) -> int:
        """A name with fewer dots is tried with the search list first (resolv.conf(5); 1 by default)."""
        text = self.options.get("ndots", "1")
        return int(text) if text.isascii() and text.isdigit() else 1


def dns_services(cluster: Cluster, addresses: tuple[int, ...] = ()) -> tuple[Service, ...]:
    """The cluster's DNS Service: whose address the kubelets hand out, else by its usual label, else by its name."""
    known = cluster.services_by_cluster_ip
    asked = {known[addr].key: known[addr] for addr in addresses if addr in known}
    return tuple(asked.values()) or _usual_dns(cluster)


@lru_cache(maxsize=2)
def _usual_dns(cluster: Cluster) -> tuple[Service, ...]:
    """The DNS Service by its label, else by its name: asked for every Pod where kubelets' settings are not known."""
    services = [one for one in cluster.services.values() if one.meta.namespace == "kube-system"]
    labelled = [
        one for one in services if DNS_LABELS.items() <= one.meta.labels.items() and not one.spec.headless
    ]
    return tuple(labelled) or tuple(one for one in services if one.meta.name in DNS_NAMES)


def cluster_dns(network: Network, node: str) -> tuple[int, ...]:
    """The addresses that the kubelet of a node hands out; where its settings are not known, the DNS Service's."""
    known = network.nodes.get(node)
    if known is not None and known.kubelet is not None and known.kubelet.cluster_dns:
        return tuple(addr for text in known.kubelet.cluster_dns if (addr := _addr_or_none(text)) is not None)
    return tuple(addr for one in dns_services(network.cluster) for addr in one.cluster_ips or ())


def cluster_domain(network: Network, node: str) -> str:
    """The domain that the kubelet of a node puts into search lists."""
    known = network.nodes.get(node)
    kubelet = known.kubelet if known is not None else None
    return DEFAULT_DOMAIN if kubelet is None else kubelet.cluster_domain


def node_resolver(network: Network, node: str) -> Resolver | None:
    """The node's own resolv.conf; None where it was not collected."""
    netns = network.namespaces.get(node_netns(node))
    resolv = netns.resolv if netns is not None else None
    return None if resolv is None else Resolver(resolv.nameservers, resolv.search, resolv.options)


def effective_policy(pod: Pod) -> str:
    """Its dnsPolicy as the kubelet takes it: with hostNetwork, ClusterFirst means Default (getPodDNSType)."""
    policy = pod.spec.dns_policy
    if policy == "ClusterFirst" and pod.host_network:
        return "Default"
    return "ClusterFirst" if policy == "ClusterFirstWithHostNet" else policy


def expected_resolver(network: Network, pod: Pod) -> Resolver | None:
    """What its resolv.conf should hold; None where the node's own is needed and was not collected."""
    base: Resolver | None
    policy = effective_policy(pod)
    if policy == "None":
        base = Resolver(())
    else:
        base = node_resolver(network, pod.node)
        servers = cluster_dns(network, pod.node)
        if policy == "ClusterFirst" and servers:
            base = _cluster_first(network, pod, servers, base)
    return None if base is None else _merged(base, pod)


def _cluster_first(network: Network, pod: Pod, servers: tuple[int, ...], host: Resolver | None) -> Resolver:
    domain = cluster_domain(network, pod.node)
    searches = (f"{pod.meta.namespace}.svc.{domain}", f"svc.{domain}", domain) if domain else ()
    return Resolver(servers, (*searches, *(host.searches if host else ())), {"ndots": CLUSTER_NDOTS})


def _merged(base: Resolver, pod: Pod) -> Resolver:
    """With the Pod's dnsConfig: servers and searches are added, options replace (appendDNSConfig)."""
    config = pod.spec.dns_config
    if config is None:
        return Resolver(
            _once(base.nameservers)[:MAX_NAMESERVERS], _once(base.searches)[:MAX_SEARCHES], base.options
        )
    options = {**base.options, **{one.name: one.value or "" for one in config.options}}
    servers = _once((*base.nameservers, *config.nameservers))
    return Resolver(
        servers[:MAX_NAMESERVERS], _once((*base.searches, *config.searches))[:MAX_SEARCHES], options
    )


def _once(values: tuple[T, ...]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(values))


def resolver(network: Network, pod: Pod) -> Resolver | None:
    """Whom a Pod asks: its own resolv.conf where that was collected, else what it should hold."""
    netns = network.namespaces.get(pod_netns(*pod.key))
    resolv = netns.resolv if netns is not None and not pod.host_network else None
    if resolv is not None:
        return Resolver(resolv.nameservers, resolv.search, resolv.options)
    return expected_resolver(network, pod)


def dns_promises(clients: Clients, permissions: Permissions) -> Made:
    """Pods of each sort to each of their resolvers, by UDP and by TCP."""
    for node in clients.nodes:
        for alike in _groups(clients, node):
            known = resolver(clients.network, alike[0])
            for addr in known.nameservers if known is not None else ():
                asker = clients.pod(alike[0], v4=is_v4(addr), stands_for=len(alike))
                if asker.client.kind == "pod" and asker.client.addr is None:
                    continue  # a Pod without an address of the family asks its other resolvers
                for protocol in (UDP, TCP):
                    yield _asked(clients, permissions, asker, addr, protocol)


def _groups(clients: Clients, node: str) -> Iterator[tuple[Pod, ...]]:
    """Pods of a node with the same resolvers and of the same sort; in a large cluster one sort for each resolver."""
    network, whole = clients.network, clients.small
    hosted = tuple(pod for pod in clients.running.get(node, ()) if pod.host_network)
    sorts = [*(one.pods for one in clients.classes.get(node, ())), hosted]
    seen: set[tuple[int, ...]] = set()
    for pods in sorts:
        for servers, alike in grouped((_servers(network, pod), pod) for pod in pods).items():
            if servers and (whole or servers not in seen):
                seen.add(servers)
                yield alike


def _servers(network: Network, pod: Pod) -> tuple[int, ...]:
    known = resolver(network, pod)
    return () if known is None else known.nameservers


def _asked(
    clients: Clients, permissions: Permissions, asker: Asker, addr: int, protocol: int
) -> Promise | NotPromised:
    """The promise of one resolver."""
    service = clients.cluster.services_by_cluster_ip.get(addr)
    servers: frozenset[tuple[int, int]] | None
    subject = asker.ref if service is None else service.ref
    if service is not None:
        port = service.port(DNS_PORT, protocol)
        if port is None:
            text = f"Service {service.ref.short} has no port 53/{protocol_name(protocol)}"
            return NotPromised("port-not-in-service", text, service.ref, service.origin)
        found = backends(
            clients.cluster, service, port, asker.client, "cluster-ip", asker.client.node, v4=is_v4(addr)
        )
        if isinstance(found, NotPromised):
            return found
        servers = found
    else:
        servers = frozenset({(addr, DNS_PORT)}) if _is_inside(clients.cluster, addr) else None
    refused = permissions.refusal(asker, servers or [(addr, DNS_PORT)], protocol, subject)
    if refused is not None:
        return refused
    name = f"Service {service.ref.short}" if service is not None else format_addr(addr)
    return Promise(
        kind="dns",
        flow=Flow(asker.netns, addr, protocol, DNS_PORT),
        subject=subject,
        client=asker.ref,
        servers=servers,
        text=f"{asker} -> DNS at {name}, {protocol_name(protocol)}",
        stands_for=asker.stands_for,
        needs_listener=servers is not None,
        origin=NOWHERE if service is None else service.origin,
    )


def _is_inside(cluster: Cluster, addr: int) -> bool:
    """Whether a resolver is to be found on a machine of the cluster: a node-local cache, a Pod, a node."""
    local = addr in LOOPBACK_V4 or addr == LOOPBACK_V6 or addr in LINK_LOCAL_V4
    return local or addr in cluster.pods_by_ip or addr in cluster.node_by_address


def _addr_or_none(text: str) -> int | None:
    try:
        return parse_addr(text)
    except ValueError:
        return None
