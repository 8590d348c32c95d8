"""Names for addresses and namespaces: who is 10.244.1.3, as people know it."""

from __future__ import annotations

import re
from functools import cached_property, lru_cache

from podpath.model.addr import format_addr, parse_addr
from podpath.model.flow import endpoint_text
from podpath.model.kube.cluster import Cluster
from podpath.model.network import Network
from podpath.model.refs import NetnsId, ObjectRef

_ADDRESS = re.compile(
    r"(?<![\w.:/-])(\d{1,3}(?:\.\d{1,3}){3})(?::\d+(?:/(?:tcp|udp|sctp))?)?(?![\w./]|-\d)"
    r"|(?<![\w.:/\[-])((?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4})(?![\w:/.])"
)
"""An address in running text, of IPv4 with a port perhaps; no prefix, no part of a name."""


class Names:
    """Look-ups of one network; an empty one knows nothing and shows addresses as they are."""

    def __init__(self, network: Network | None = None) -> None:
        self.network = network if network is not None else Network("", Cluster())
        self.addr = lru_cache(maxsize=1 << 16)(self._addr)

    @cached_property
    def nodes(self) -> tuple[str, ...]:
        """All nodes."""
        known = set(self.network.cluster.nodes) or {*self.network.nodes, *self.network.cluster.pods_by_node}
        return tuple(sorted(known))

    @cached_property
    def nodes_with_pods(self) -> frozenset[str]:
        """Nodes that run Pods with an address of their own."""
        pods = self.network.cluster.pods.values()
        return frozenset(pod.node for pod in pods if pod.running and not pod.host_network)

    def node_of(self, ref: ObjectRef) -> str:
        """The node of a Pod, or the node itself; empty for what has none."""
        if ref.kind == "Node":
            return ref.name
        pod = self.network.cluster.pods.get((ref.namespace, ref.name)) if ref.kind == "Pod" else None
        return pod.node if pod is not None else ""

    def ports_of(self, ref: ObjectRef) -> int:
        """How many ports a Service has."""
        service = self.network.cluster.services.get((ref.namespace, ref.name))
        return len(service.spec.ports) if service is not None else 0

    def node_of_netns(self, netns: NetnsId) -> str:
        """The node of a network namespace; empty for the world outside."""
        known = self.network.namespaces.get(netns)
        if known is not None:
            return known.node
        kind, _, rest = netns.partition("/")
        if kind == "pod":
            namespace, _, name = rest.partition("/")
            return self.node_of(ObjectRef("Pod", namespace, name))
        return rest

    def netns(self, netns: NetnsId) -> str:
        """``ops/client``, ``n1``, ``outside``."""
        return netns.partition("/")[2] or "outside"

    def _addr(self, addr: int) -> str:
        """Who has an address: a Pod, a Service, a node, a device of a node; empty when nobody is known."""
        cluster = self.network.cluster
        pod = cluster.pod_at(addr)
        if pod is not None:
            return pod.ref.short
        service = cluster.services_by_cluster_ip.get(addr)
        if service is not None:
            return f"Service {service.ref.short}"
        node = cluster.node_by_address.get(addr)
        if node is not None:
            return node.name
        for netns_id, dev in self.network.owners.get(addr, ()):
            netns = self.network.namespaces[netns_id]
            return f"{dev} of {netns.node}" if netns.is_host else self.netns(netns_id)
        return ""

    def place(self, addr: int) -> str:
        """A Pod with its node (``shop/api-1 on n2``), else the name, else the address."""
        pod = self.network.cluster.pod_at(addr)
        return f"{pod.ref.short} on {pod.node}" if pod is not None else self.addr(addr) or format_addr(addr)

    def endpoint(self, addr: int, port: int) -> str:
        """``shop/api-1 10.244.1.3:8080``; for a Service its port's name too."""
        text = endpoint_text(addr, port)
        service = self.network.cluster.services_by_cluster_ip.get(addr)
        known = service.port(port) if service is not None and port else None
        name = self.addr(addr) + (f":{known.name}" if known is not None and known.name else "")
        return f"{name} {text}" if name else text

    def annotated(self, text: str) -> str:
        """Running text, with the name behind each address of somebody known."""

        def named(match: re.Match[str]) -> str:
            try:
                name = self.addr(parse_addr(match[1] or match[2]))
            except ValueError:
                return match[0]  # a MAC address, a number like 999.1.1.1
            return f"{match[0]} ({name})" if name and name not in text else match[0]

        return _ADDRESS.sub(named, text)
