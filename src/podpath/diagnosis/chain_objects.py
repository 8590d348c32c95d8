"""The chains of a Pod, a node, the cluster's DNS and the API server."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from podpath.diagnosis.chain import ChainLink, Made, State, absent, by_kind, trouble, walked
from podpath.diagnosis.chain_service import service_chain
from podpath.diagnosis.names import resolve_name
from podpath.intent.api_promises import api_promises, control_plane_promises
from podpath.intent.clients import Clients
from podpath.intent.dns import cluster_dns, dns_promises, dns_services, effective_policy
from podpath.intent.permission import Permissions
from podpath.intent.promises import promises
from podpath.intent.service_promises import API_SERVICE
from podpath.model.addr import format_addr, is_v4
from podpath.model.flow import ICMP, ICMPV6, Flow
from podpath.model.network import Network
from podpath.model.promise import Promise
from podpath.model.refs import NetnsId, ObjectRef, node_netns, pod_netns
from podpath.model.trace import Verdict

INSIDE, OUTSIDE = "kubernetes.default.svc", "www.example.com"
"""Names that every cluster, and everybody's upstream, knows."""
KINDS = {
    "pod": "Pods to Pods",
    "node": "kubelet's probes",
    "outside": "the outside",
    "dns": "DNS",
    "api": "the API server",
    "kubelet": "kubelet, from the API",
    "service": "Services",
    "self": "through itself",
    "node-port": "NodePorts",
    "load-balancer": "load balancers",
    "external-ip": "external IPs",
}
"""What a kind of promise is called in the chain of a Pod or a node."""


def pod_chain(network: Network, namespace: str, name: str) -> Iterator[ChainLink]:
    """All links of a Pod."""
    pod = network.cluster.pods.get((namespace, name))
    if pod is None:
        yield absent(network, "pods", ObjectRef("Pod", namespace, name))
        return
    if not pod.node:
        yield ChainLink("scheduled", "broken", f"it is on no node ({trouble(pod)})", (pod.origin,))
        return
    yield ChainLink("scheduled", "ok", f"on {pod.node}", (pod.origin,))
    if pod.ready:
        yield ChainLink("ready", "ok", "it is", (pod.origin,))
    else:
        yield ChainLink("ready", "broken", f"it is not ({trouble(pod)})", (pod.origin,))
    if not pod.live:
        yield ChainLink(
            "address", "broken", f"it has none ({pod.status.phase or 'no status'})", (pod.origin,)
        )
        return
    yield ChainLink("address", "ok", ", ".join(map(format_addr, pod.ips)), (pod.origin,))
    own = network.namespaces.get(node_netns(pod.node) if pod.host_network else pod_netns(*pod.key))
    if own is None or own.assumed:
        text = own.assumed[0] if own is not None else "its network namespace is not in the bundle"
        yield ChainLink("its own state", "unknown", text)
    services = network.cluster.services_by_pod.get(pod.key, ())
    if services:
        text = ", ".join(service.ref.short for service in services)
        yield ChainLink("is behind", "ok", f"Service {text}", (services[0].origin,))
    yield from by_kind(network, _about(network, {pod.ref}), lambda kind: KINDS.get(kind, kind))


def node_chain(network: Network, name: str) -> Iterator[ChainLink]:
    """All links of a node."""
    node = network.cluster.nodes.get(name)
    if node is None and name not in network.nodes:
        yield absent(network, "nodes", ObjectRef("Node", "", name))
        return
    if node is not None:
        condition = node.condition("Ready")
        why = (
            f" ({condition.reason}: {condition.message})" if condition is not None and not node.ready else ""
        )
        text = "it is" if node.ready else f"it is not{why}"
        yield ChainLink("ready", "ok" if node.ready else "broken", text, (node.origin,))
    if name not in network.nodes:
        yield ChainLink("its own state", "unknown", f"nothing that was read on {name} is in the bundle")
    yield from walked(network, "from other nodes", list(_pings(network, name)))
    refs = {pod.ref for pod in network.cluster.pods_by_node.get(name, ())} | {ObjectRef("Node", "", name)}
    yield from by_kind(network, _about(network, refs), lambda kind: KINDS.get(kind, kind))


def _pings(network: Network, name: str) -> Iterator[Promise]:
    """From every other node, without any Pod."""
    node = network.cluster.nodes.get(name)
    ref = ObjectRef("Node", "", name)
    for addr in node.addresses("InternalIP") if node is not None else ():
        for other in sorted(network.nodes):
            flow = Flow(node_netns(other), addr, ICMP if is_v4(addr) else ICMPV6)
            if other != name and flow.netns in network.namespaces:
                text = f"{other} -> {name}, {format_addr(addr)}"
                yield Promise("node", flow, ref, ObjectRef("Node", "", other), None, text)


def _about(network: Network, refs: Collection[ObjectRef]) -> Made:
    """The promises from or to some objects, and what is not promised to them."""
    for one in promises(network):
        if (isinstance(one, Promise) and one.client in refs) or one.subject in refs:
            yield one


def dns_chain(network: Network) -> Iterator[ChainLink]:
    """The cluster's DNS: its Service, who asks it, and whether names resolve."""
    services = dns_services(network.cluster)
    if not services:
        state: State = "broken" if network.cluster.has("services") else "unknown"
        yield ChainLink("exists", state, "no Service of the cluster's DNS is known")
        return
    for service in services:
        yield from service_chain(network, *service.key)
    handed = {addr for name in network.nodes for addr in cluster_dns(network, name)}
    strange = handed - {addr for service in services for addr in service.cluster_ips or ()}
    text = f"they hand out {', '.join(format_addr(addr) for addr in sorted(handed))}"
    text += ", which is not the Service's address (a node-local cache?)" if strange else ""
    yield ChainLink("kubelets", "ok", text)
    yield from by_kind(
        network, dns_promises(Clients(network), Permissions(network)), lambda _kind: "Pods ask it"
    )
    asker = _asker(network)
    if asker is not None:
        yield _name(network, asker, "a name inside", INSIDE)
        yield _name(network, asker, "a name outside", OUTSIDE)


def _asker(network: Network) -> NetnsId | None:
    """A Pod that asks the cluster's DNS, as most do; the DNS Pods themselves do not."""
    for pod in network.cluster.pods.values():
        netns = network.namespaces.get(pod_netns(*pod.key))
        if netns is not None and not netns.assumed and effective_policy(pod) == "ClusterFirst":
            return netns.id
    return None


def _name(network: Network, asker: NetnsId, title: str, name: str) -> ChainLink:
    """Whether a Pod resolves a name."""
    found = resolve_name(network, asker, name)
    states: dict[Verdict, State] = {Verdict.WORKS: "ok", Verdict.UNKNOWN: "unknown"}
    state = states.get(found.verdict, "broken")
    text = "; ".join(found.because) or ", ".join(format_addr(addr) for addr in found.addresses)
    if found.verdict is Verdict.SOMETIMES:
        text = f"resolves {100 * (found.probability or 0):.0f} % of the time"
    failing = found.failing[1].failing if found.failing is not None else ()
    line = failing[0].end.last.origin if failing else None
    evidence = (line,) if line is not None and line.file and state != "ok" else ()
    return ChainLink(title, state, f"{asker.partition('/')[2]} asks for {name}: {text}", evidence)


def api_chain(network: Network) -> Iterator[ChainLink]:
    """The API server: its Service, its own addresses, and the kubelets and webhooks that it calls."""
    yield from service_chain(network, *API_SERVICE)
    clients = Clients(network)
    virtual = {addr for service in network.cluster.services.values() for addr in service.cluster_ips or ()}
    direct = [
        one
        for one in api_promises(clients, Permissions(network))
        if isinstance(one, Promise) and one.flow.dst not in virtual
    ]
    yield from walked(network, "its own address", direct)
    names = {"kubelet": "kubelets"}
    yield from by_kind(network, control_plane_promises(clients), lambda kind: names.get(kind, "webhooks"))
