"""Who asks: the first name of a question."""

from __future__ import annotations

from typing import NamedTuple

from podpath.cli.errors import UsageError
from podpath.cli.objects import find_node, find_pod, find_service, find_workload_pod, pods_in_order
from podpath.cli.spec import Spec
from podpath.intent.dns import dns_services
from podpath.intent.outside import neighbour_of
from podpath.intent.service_promises import API_SERVICE
from podpath.model.addr import format_addr, is_v4
from podpath.model.kube.pod import Pod
from podpath.model.kube.service import Service
from podpath.model.network import Network
from podpath.model.refs import NetnsId, node_netns, pod_netns


class Source(NamedTuple):
    """A client."""

    text: str
    """As it was written."""
    label: str
    netns: NetnsId = NetnsId("")
    """Empty: somebody outside."""
    node: str = ""
    pod: Pod | None = None
    addrs: tuple[int, ...] | None = None
    """Its addresses; None when it may have one of either family."""
    bound: int | None = None
    """The address that it is to speak from."""
    note: str = ""

    def speaks(self, *, v4: bool) -> bool:
        """Whether it has an address of the family."""
        if self.bound is not None:
            return is_v4(self.bound) == v4
        return self.addrs is None or any(is_v4(addr) == v4 for addr in self.addrs)

    def outside_address(self, network: Network, target: int) -> int:
        """An address beside the node that holds the target: its router, or a neighbour."""
        cluster = network.cluster
        holder = cluster.node_by_address.get(target)
        nodes = [holder] if holder is not None else [cluster.nodes[name] for name in sorted(cluster.nodes)]
        for node in nodes:
            near = target if holder is not None else node.internal_ip(v4=is_v4(target))
            addr = neighbour_of(network, node, near) if near is not None else None
            if addr is not None:
                return addr
        raise UsageError(
            f"{self.text}: no network of a node is known that somebody outside could ask from; name an address"
        )


def find_source(network: Network, spec: Spec, dst: Spec) -> Source:
    """The client that a name means."""
    if spec.kind == "name":
        raise UsageError(f"{spec.text} is a name to be resolved: a client is a Pod, a node or an address")
    if spec.port and spec.kind != "address":
        raise UsageError(
            f"{spec.text}: a client needs no port, it takes any free one (the port of {dst.text} counts)"
        )
    match spec.kind:
        case "pod":
            return _pod(spec, find_pod(network, spec))
        case "deploy" | "sts" | "ds":
            pod = find_workload_pod(network, spec)
            return _pod(spec, pod, f"{spec.text}: asked by its Pod {pod.ref.short} on {pod.node}")
        case "svc":
            return _backend(network, spec, find_service(network, spec))
        case "dns":
            return _backend(network, spec, _dns(network, spec))
        case "node":
            return _node(network, spec.text, find_node(network, spec))
        case "api":
            return _api(network, spec)
        case "address":
            return _address(network, spec.text, spec.addr)
    return Source(spec.text, "outside")


def _pod(spec: Spec, pod: Pod, note: str = "") -> Source:
    label = f"{pod.ref.short} on {pod.node}"
    netns = node_netns(pod.node) if pod.host_network else pod_netns(*pod.key)
    return Source(spec.text, label, netns, pod.node, pod, pod.ips, note=note)


def _node(network: Network, text: str, node: str) -> Source:
    known = network.cluster.nodes.get(node)
    return Source(text, f"node {node}", node_netns(node), node, addrs=known.addresses() if known else None)


def _backend(network: Network, spec: Spec, service: Service) -> Source:
    """A Pod behind a Service."""
    pods = pods_in_order(network, (pod for pod in network.cluster.pods_of(service) if pod.running))
    if not pods:
        raise UsageError(f"Service {service.ref.short} selects no running Pod that could ask")
    return _pod(spec, pods[0], f"{spec.text}: asked by its Pod {pods[0].ref.short} on {pods[0].node}")


def _dns(network: Network, spec: Spec) -> Service:
    found = dns_services(network.cluster)
    if not found:
        raise UsageError(f"{spec.text}: no DNS Service is known in this cluster")
    return found[0]


def _api(network: Network, spec: Spec) -> Source:
    """The API server: the first address that its Service announces."""
    service = network.cluster.services.get(API_SERVICE)
    slices = network.cluster.slices_of(service) if service is not None else ()
    addr = next((addr for one in slices for endpoint in one.endpoints for addr in endpoint.addresses), None)
    if addr is None:
        raise UsageError(f"{spec.text}: Service default/kubernetes announces no address of an API server")
    return _address(network, spec.text, addr)._replace(
        note=f"{spec.text}: the API server at {format_addr(addr)}"
    )


def _address(network: Network, text: str, addr: int) -> Source:
    """Whoever holds an address: a Pod, a node, a device, or nobody that we see."""
    pod = network.cluster.pod_at(addr)
    if pod is not None:
        label = f"{pod.ref.short} on {pod.node}"
        return Source(text, label, pod_netns(*pod.key), pod.node, pod, (addr,), addr)
    node = network.cluster.node_by_address.get(addr)
    if node is not None:
        return Source(text, f"node {node.name}", node_netns(node.name), node.name, None, (addr,), addr)
    held = network.owners.get(addr)
    if held is not None:
        netns = network.namespaces[held[0][0]]
        return Source(text, f"{held[0][1]} of {netns.node}", netns.id, netns.node, None, (addr,), addr)
    return Source(text, f"outside ({format_addr(addr)})", NetnsId(""), "", None, (addr,), addr)
