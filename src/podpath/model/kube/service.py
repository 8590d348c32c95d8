"""Service (core/v1 types.go)."""

from __future__ import annotations

from typing import Literal

import msgspec

from podpath.model.addr import Prefix, is_v4, parse_addr, parse_prefix
from podpath.model.kube.meta import KubeObject
from podpath.model.kube.scalars import TCP_DEFAULT, Address, Protocol

AFFINITY_TIMEOUT_S = 10800
"""The default of sessionAffinityConfig.clientIP.timeoutSeconds (core/v1 DefaultClientIPServiceAffinitySeconds)."""


class ServicePort(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """One port of a Service."""

    port: int
    name: str = ""
    protocol: Protocol = TCP_DEFAULT
    target_port: int | str = 0
    """A number, or a container port's name, which each Pod resolves for itself. Absent: ``port``."""
    node_port: int = 0
    app_protocol: str = ""

    @property
    def target(self) -> int | str:
        """TargetPort with its default."""
        return self.target_port or self.port

    @property
    def label(self) -> str:
        """Its name, else its number."""
        return self.name or str(self.port)


class ClientIPConfig(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """How long a client keeps its endpoint."""

    timeout_seconds: int = AFFINITY_TIMEOUT_S


class SessionAffinityConfig(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """``spec.sessionAffinityConfig``."""

    client_ip: ClientIPConfig = msgspec.field(name="clientIP", default=ClientIPConfig())


class ServiceSpec(msgspec.Struct, frozen=True, gc=False, rename="camel", kw_only=True):
    """What was asked for and allocated."""

    type: str = "ClusterIP"
    cluster_ips_listed: tuple[str, ...] = msgspec.field(name="clusterIPs", default=())
    cluster_ip_text: str = msgspec.field(name="clusterIP", default="")
    ports: tuple[ServicePort, ...] = ()
    selector: dict[str, str] = {}
    external_traffic_policy: str = "Cluster"
    internal_traffic_policy: str = "Cluster"
    session_affinity: str = "None"
    session_affinity_config: SessionAffinityConfig = SessionAffinityConfig()
    external_ips: tuple[Address, ...] = msgspec.field(name="externalIPs", default=())
    load_balancer_source_ranges: tuple[str, ...] = ()
    load_balancer_class: str = ""
    allocate_load_balancer_node_ports: bool = True
    health_check_node_port: int = 0
    publish_not_ready_addresses: bool = False
    external_name: str = ""
    ip_families: tuple[str, ...] = ()
    ip_family_policy: str = ""
    traffic_distribution: str = ""

    def __post_init__(self) -> None:
        """An unreadable address or range makes the object unreadable, not a later question."""
        for text in (*self.cluster_ips_listed, self.cluster_ip_text):
            if text not in ("", "None"):
                parse_addr(text)
        for text in self.load_balancer_source_ranges:
            parse_prefix(text.strip())

    @property
    def headless(self) -> bool:
        """``clusterIP: None``: DNS answers with Pods' addresses, and no node translates anything."""
        return self.cluster_ip_text == "None" or "None" in self.cluster_ips_listed

    @property
    def cluster_ips(self) -> tuple[int, ...] | None:
        """Its virtual addresses, the primary one first; None for a headless Service."""
        if self.headless:
            return None
        texts = self.cluster_ips_listed or ((self.cluster_ip_text,) if self.cluster_ip_text else ())
        return tuple(parse_addr(text) for text in texts)

    @property
    def source_ranges(self) -> tuple[Prefix, ...]:
        """loadBalancerSourceRanges, trimmed as kube-proxy does (pkg/proxy/serviceport.go)."""
        return tuple(parse_prefix(text.strip()) for text in self.load_balancer_source_ranges)

    @property
    def affinity_s(self) -> int | None:
        """Seconds a client keeps its endpoint; None without session affinity."""
        if self.session_affinity != "ClientIP":
            return None
        return self.session_affinity_config.client_ip.timeout_seconds


class LoadBalancerIngress(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """Where the balancer answers."""

    ip: Address | None = None
    hostname: str = ""
    ip_mode: str = "VIP"
    """VIP: nodes capture it. Proxy: they do not (KEP-1860)."""


class LoadBalancerStatus(msgspec.Struct, frozen=True, gc=False):
    """``status.loadBalancer``."""

    ingress: tuple[LoadBalancerIngress, ...] = ()


class ServiceStatus(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """What a load balancer's controller reported."""

    load_balancer: LoadBalancerStatus = LoadBalancerStatus()


class Service(KubeObject, frozen=True, gc=False, rename="camel", kw_only=True):
    """A Service."""

    kind: Literal["Service"] = "Service"
    spec: ServiceSpec = ServiceSpec()
    status: ServiceStatus = ServiceStatus()

    @property
    def cluster_ips(self) -> tuple[int, ...] | None:
        """Its virtual addresses; None for a headless Service."""
        return self.spec.cluster_ips

    def cluster_ip(self, *, v4: bool) -> int | None:
        """Its virtual address of a family."""
        return next((addr for addr in self.spec.cluster_ips or () if is_v4(addr) == v4), None)

    @property
    def lb_ips(self) -> tuple[int, ...]:
        """Balancer addresses that every node captures (ipMode VIP, the default)."""
        return tuple(
            one.ip for one in self.status.load_balancer.ingress if one.ip is not None and one.ip_mode == "VIP"
        )

    @property
    def externally_accessible(self) -> bool:
        """Whether it has a NodePort, a balancer's address or an external one (ServicePort.ExternallyAccessible)."""
        return bool(self.lb_ips or self.spec.external_ips or any(port.node_port for port in self.spec.ports))

    @property
    def external_local(self) -> bool:
        """externalTrafficPolicy: Local."""
        return self.spec.external_traffic_policy == "Local"

    @property
    def internal_local(self) -> bool:
        """internalTrafficPolicy: Local."""
        return self.spec.internal_traffic_policy == "Local"

    def port(self, wanted: int | str, protocol: int | None = None) -> ServicePort | None:
        """A port by number or name."""
        for port in self.spec.ports:
            if wanted in (port.port, port.name) and protocol in (None, port.protocol):
                return port
        return None
