"""What fails as designed: a policy that denies, a Service that promises this client nothing."""

from __future__ import annotations

from podpath.intent.policy import End, allowed
from podpath.intent.services import OUTSIDE, Client, backends
from podpath.model.flow import Flow
from podpath.model.kube.service import Service, ServicePort
from podpath.model.network import Network
from podpath.model.promise import NotPromised
from podpath.model.trace import Branch, Disposition

DENIALS = frozenset(
    (Disposition.DENIED_IN, Disposition.DENIED_FORWARD, Disposition.DENIED_OUT, Disposition.EXITS_NETWORK)
)
"""Ends that a promise not given can explain: a rule's, or an address that nobody translates."""


def designed(network: Network, flow: Flow, branch: Branch) -> NotPromised | None:
    """Why nobody promised this connection; None when it should work."""
    if branch.disposition not in DENIALS:
        return None
    return _refused_by_service(network, flow) or _denied_by_policy(network, flow, branch)


def _denied_by_policy(network: Network, flow: Flow, branch: Branch) -> NotPromised | None:
    """A NetworkPolicy denies it, at the address and port that the packet had after translation."""
    packet = branch.traces[0].packet
    if packet.protocol != flow.protocol or branch.traces[0].hops[-1].outer:
        return None
    source, target = _asker(network, flow), network.cluster.pod_at(packet.dst) or packet.dst
    itself = network.cluster.pod_at(packet.dst) is not None and source == target
    verdict = allowed(
        network.cluster, source, target, packet.protocol, packet.dport, v4=flow.v4, hairpin=itself
    )
    if verdict.allowed or not verdict.policies:
        return None
    return NotPromised("network-policy", verdict.text, verdict.policies[0].ref, verdict.origin)


def _asker(network: Network, flow: Flow) -> End:
    kind, _, rest = flow.netns.partition("/")
    if kind == "pod":
        namespace, _, name = rest.partition("/")
        return network.cluster.pods.get((namespace, name)) or flow.src or 0
    return rest if kind == "node" else flow.src or 0


def _refused_by_service(network: Network, flow: Flow) -> NotPromised | None:
    asked = _service(network, flow)
    if asked is None:
        return None
    service, port, via = asked
    if port is None:
        text = f"Service {service.ref.short} has no port {flow.dport} of this protocol"
        return NotPromised("port-not-in-service", text, service.ref, service.origin)
    client = _client(network, flow)
    owner = network.cluster.node_by_address.get(flow.dst)
    node = owner.name if via == "node-port" and owner is not None else client.node
    if not node:
        return None
    found = backends(network.cluster, service, port, client, via, node, v4=flow.v4)
    return found if isinstance(found, NotPromised) else None


def _service(network: Network, flow: Flow) -> tuple[Service, ServicePort | None, str] | None:
    """The Service that an address and port belong to, and by which door."""
    cluster = network.cluster
    service = cluster.services_by_cluster_ip.get(flow.dst)
    if service is not None:
        ports = [p for p in service.spec.ports if (p.port, int(p.protocol)) == (flow.dport, flow.protocol)]
        return service, ports[0] if ports else None, "cluster-ip"
    if flow.dst in cluster.node_by_address:
        service = cluster.services_by_node_port.get((flow.dport, flow.protocol))
        ports = [p for p in service.spec.ports if p.node_port == flow.dport] if service is not None else []
        return (service, ports[0], "node-port") if service is not None and ports else None
    return None


def _client(network: Network, flow: Flow) -> Client:
    netns = network.namespaces.get(flow.netns)
    if netns is None:
        return Client("outside", "", flow.src) if flow.src is not None else OUTSIDE
    return Client("node" if netns.is_host else "pod", netns.node, flow.src)
