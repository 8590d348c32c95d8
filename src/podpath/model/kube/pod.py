"""Pod (core/v1 types.go)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

from podpath.model.addr import is_v4
from podpath.model.kube.meta import KubeObject
from podpath.model.kube.scalars import PROTOCOLS, Address, addr_or_none


class ContainerPort(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """A port that a container says it listens on: a hint, except for its name."""

    container_port: int
    name: str = ""
    protocol_name: str = msgspec.field(name="protocol", default="TCP")
    host_port: int = 0
    host_ip: str = msgspec.field(name="hostIP", default="")

    @property
    def protocol(self) -> int:
        """Its protocol's number; 0 for one that does not exist."""
        return PROTOCOLS.get(self.protocol_name, 0)


class ProbeAction(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """Where httpGet, tcpSocket or grpc go."""

    port: int | str
    host: str = ""
    """Empty: the Pod's own address."""


class ExecAction(msgspec.Struct, frozen=True, gc=False):
    """A command inside the container: no packet."""

    command: tuple[str, ...] = ()


class Probe(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """What the kubelet asks a container."""

    http_get: ProbeAction | None = None
    tcp_socket: ProbeAction | None = None
    grpc: ProbeAction | None = None
    exec: ExecAction | None = None

    @property
    def action(self) -> ProbeAction | None:
        """Where a packet goes; None for a command."""
        return self.http_get or self.tcp_socket or self.grpc


class Container(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """A container, of whatever sort."""

    name: str
    image: str = ""
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    ports: tuple[ContainerPort, ...] = ()
    readiness_probe: Probe | None = None
    liveness_probe: Probe | None = None
    startup_probe: Probe | None = None
    restart_policy: str = ""
    """``Always`` on an init container makes it a sidecar (KEP-753)."""

    @property
    def probes(self) -> tuple[tuple[str, Probe], ...]:
        """Its probes, with their kinds: readiness, liveness, startup."""
        kinds = (
            ("readiness", self.readiness_probe),
            ("liveness", self.liveness_probe),
            ("startup", self.startup_probe),
        )
        return tuple((kind, probe) for kind, probe in kinds if probe is not None)

    def port_number(self, name: str, protocol: int | None = None) -> int | None:
        """The number of a named port (of that protocol, when one is given)."""
        for port in self.ports:
            if port.name == name and protocol in (None, port.protocol):
                return port.container_port
        return None


class DnsOption(msgspec.Struct, frozen=True, gc=False):
    """One of ``dnsConfig.options``."""

    name: str
    value: str | None = None


class DnsConfig(msgspec.Struct, frozen=True, gc=False):
    """``spec.dnsConfig``: merged with what dnsPolicy yields."""

    nameservers: tuple[Address, ...] = ()
    searches: tuple[str, ...] = ()
    options: tuple[DnsOption, ...] = ()


class HostAlias(msgspec.Struct, frozen=True, gc=False):
    """A line of the Pod's /etc/hosts."""

    ip: str
    hostnames: tuple[str, ...] = ()


class PodSpec(msgspec.Struct, frozen=True, gc=False, rename="camel", kw_only=True):
    """What was asked for."""

    node_name: str = ""
    host_network: bool = False
    containers: tuple[Container, ...] = ()
    init_containers: tuple[Container, ...] = ()
    dns_policy: str = "ClusterFirst"
    dns_config: DnsConfig | None = None
    host_aliases: tuple[HostAlias, ...] = ()
    hostname: str = ""
    subdomain: str = ""
    service_account_name: str = ""
    automount_service_account_token: bool | None = None
    enable_service_links: bool = True


class Terminated(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """How a container ended."""

    exit_code: int = 0
    reason: str = ""
    message: str = ""
    finished_at: str = ""


class Waiting(msgspec.Struct, frozen=True, gc=False):
    """Why a container does not run."""

    reason: str = ""
    message: str = ""


class Running(msgspec.Struct, frozen=True, gc=False):
    """That a container runs."""


class ContainerState(msgspec.Struct, frozen=True, gc=False):
    """One of three."""

    waiting: Waiting | None = None
    running: Running | None = None
    terminated: Terminated | None = None


class ContainerStatus(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """What became of a container."""

    name: str
    ready: bool = False
    started: bool | None = None
    restart_count: int = 0
    state: ContainerState = ContainerState()
    last_state: ContainerState = ContainerState()

    @property
    def waiting_reason(self) -> str:
        """``CrashLoopBackOff`` and the like; empty when it does not wait."""
        return self.state.waiting.reason if self.state.waiting else ""

    @property
    def last_terminated(self) -> Terminated | None:
        """How it ended: now if it is down, else the time before."""
        return self.state.terminated or self.last_state.terminated


class Condition(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """A condition of a Pod, a node or an APIService."""

    type: str
    status: str
    reason: str = ""
    message: str = ""
    last_transition_time: str = ""


class PodIP(msgspec.Struct, frozen=True, gc=False):
    """One of ``status.podIPs``."""

    ip: str


class PodStatus(msgspec.Struct, frozen=True, gc=False, rename="camel", kw_only=True):
    """What became of it. Conditions are Ready, and those that are not True."""

    phase: str = ""
    reason: str = ""
    message: str = ""
    pod_ips_listed: tuple[PodIP, ...] = msgspec.field(name="podIPs", default=())
    pod_ip_text: str = msgspec.field(name="podIP", default="")
    host_ip_text: str = msgspec.field(name="hostIP", default="")
    conditions: tuple[Condition, ...] = ()
    container_statuses: tuple[ContainerStatus, ...] = ()
    init_container_statuses: tuple[ContainerStatus, ...] = ()

    @property
    def pod_ips(self) -> tuple[int, ...]:
        """Its addresses, one a family; the primary one first."""
        texts = [one.ip for one in self.pod_ips_listed] or [self.pod_ip_text]
        return tuple(addr for text in texts if (addr := addr_or_none(text)) is not None)

    @property
    def host_ip(self) -> int | None:
        """Its node's address."""
        return addr_or_none(self.host_ip_text)


class Pod(KubeObject, frozen=True, gc=False, rename="camel", kw_only=True):
    """A Pod."""

    kind: Literal["Pod"] = "Pod"
    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()

    @property
    def node(self) -> str:
        """The node it is bound to; empty while it is not scheduled."""
        return self.spec.node_name

    @property
    def host_network(self) -> bool:
        """Whether it lives in its node's own network namespace."""
        return self.spec.host_network

    @property
    def ips(self) -> tuple[int, ...]:
        """Its addresses."""
        return self.status.pod_ips

    def ip(self, *, v4: bool) -> int | None:
        """Its address of a family."""
        return next((addr for addr in self.status.pod_ips if is_v4(addr) == v4), None)

    @property
    def finished(self) -> bool:
        """Succeeded or Failed: its address may be somebody else's by now."""
        return self.status.phase in ("Succeeded", "Failed")

    @property
    def live(self) -> bool:
        """Whether it has an address of its own now: not finished, and addressed."""
        return not self.finished and bool(self.status.pod_ips)

    @property
    def running(self) -> bool:
        """Whether it may be a client or a server: Running, on a node, and addressed."""
        return self.status.phase == "Running" and bool(self.node) and bool(self.status.pod_ips)

    @property
    def terminating(self) -> bool:
        """Whether it is being deleted."""
        return self.meta.deletion_timestamp is not None

    @property
    def ready(self) -> bool:
        """The Ready condition (podutil.IsPodReady)."""
        return any(one.type == "Ready" and one.status == "True" for one in self.status.conditions)

    @property
    def sidecars(self) -> tuple[Container, ...]:
        """Init containers that keep running."""
        return tuple(one for one in self.spec.init_containers if one.restart_policy == "Always")

    @property
    def serving_containers(self) -> tuple[Container, ...]:
        """The containers whose ports count: those of the Pod, then sidecars (podutil.FindPort)."""
        return (*self.spec.containers, *self.sidecars) if self.spec.init_containers else self.spec.containers

    def ports(self) -> Iterator[ContainerPort]:
        """The ports of all containers that keep running."""
        for container in self.serving_containers:
            yield from container.ports

    def port_number(self, name: str, protocol: int) -> int | None:
        """What a named port of a Service or a policy means on this Pod (podutil.FindPort)."""
        for port in self.ports():
            if port.name == name and port.protocol == protocol:
                return port.container_port
        return None

    @property
    def host_ports(self) -> tuple[ContainerPort, ...]:
        """Ports that its node forwards to it. With hostNetwork the API copies containerPort there: none counts."""
        if self.host_network:
            return ()
        return tuple(port for port in self.ports() if port.host_port)
