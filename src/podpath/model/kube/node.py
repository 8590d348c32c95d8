"""Node (core/v1 types.go)."""

from __future__ import annotations

from typing import Literal

import msgspec

from podpath.model.addr import Prefix, is_v4, parse_prefix
from podpath.model.kube.meta import KubeObject
from podpath.model.kube.pod import Condition
from podpath.model.kube.scalars import addr_or_none

ZONE_LABEL = "topology.kubernetes.io/zone"
KUBELET_PORT = 10250
"""Where the kubelet listens by default (kubelet/pkg/apis/config/v1beta1 defaults.go)."""


class Taint(msgspec.Struct, frozen=True, gc=False):
    """What keeps Pods away."""

    key: str
    effect: str = ""
    value: str = ""


class NodeSpec(msgspec.Struct, frozen=True, gc=False, rename="camel", kw_only=True):
    """What was given to the node."""

    pod_cidrs: tuple[str, ...] = msgspec.field(name="podCIDRs", default=())
    pod_cidr: str = msgspec.field(name="podCIDR", default="")
    provider_id: str = msgspec.field(name="providerID", default="")
    taints: tuple[Taint, ...] = ()
    unschedulable: bool = False

    def __post_init__(self) -> None:
        """An unreadable range makes the object unreadable, not a later question."""
        for text in (*self.pod_cidrs, self.pod_cidr):
            if text:
                parse_prefix(text)


class NodeAddress(msgspec.Struct, frozen=True, gc=False):
    """InternalIP, ExternalIP, Hostname, InternalDNS or ExternalDNS, and the text."""

    type: str
    address: str


class DaemonEndpoint(msgspec.Struct, frozen=True, gc=False):
    """Where a daemon of the node listens. The API spells it ``Port``."""

    port: int = msgspec.field(name="Port", default=0)


class DaemonEndpoints(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """The daemons of the node."""

    kubelet_endpoint: DaemonEndpoint = DaemonEndpoint()


class NodeInfo(msgspec.Struct, frozen=True, gc=False, rename="camel", kw_only=True):
    """What the kubelet says about its machine."""

    kubelet_version: str = ""
    kernel_version: str = ""
    os_image: str = ""
    operating_system: str = ""
    container_runtime_version: str = ""
    machine_id: str = msgspec.field(name="machineID", default="")
    system_uuid: str = msgspec.field(name="systemUUID", default="")


class NodeStatus(msgspec.Struct, frozen=True, gc=False, rename="camel", kw_only=True):
    """What became of the node."""

    addresses: tuple[NodeAddress, ...] = ()
    conditions: tuple[Condition, ...] = ()
    daemon_endpoints: DaemonEndpoints = DaemonEndpoints()
    node_info: NodeInfo = NodeInfo()
    allocatable: dict[str, str] = {}


class Node(KubeObject, frozen=True, gc=False, rename="camel", kw_only=True):
    """A Node object; what was read on the node itself is ``podpath.model.network.Node``."""

    kind: Literal["Node"] = "Node"
    spec: NodeSpec = NodeSpec()
    status: NodeStatus = NodeStatus()

    @property
    def name(self) -> str:
        """Its name."""
        return self.meta.name

    @property
    def zone(self) -> str:
        """Its zone; empty when it has no label."""
        return self.meta.labels.get(ZONE_LABEL, "")

    @property
    def pod_cidrs(self) -> tuple[Prefix, ...]:
        """The ranges its Pods' addresses come from."""
        texts = self.spec.pod_cidrs or ((self.spec.pod_cidr,) if self.spec.pod_cidr else ())
        return tuple(parse_prefix(text) for text in texts)

    def addresses(self, *types: str) -> tuple[int, ...]:
        """Its IP addresses of these types (all IP types when none is named), in the API's order."""
        wanted = types or ("InternalIP", "ExternalIP")
        return tuple(
            addr
            for one in self.status.addresses
            if one.type in wanted and (addr := addr_or_none(one.address)) is not None
        )

    def internal_ip(self, *, v4: bool) -> int | None:
        """Its first InternalIP of a family: what peers and control planes use."""
        return next((addr for addr in self.addresses("InternalIP") if is_v4(addr) == v4), None)

    def condition(self, type_: str) -> Condition | None:
        """A condition by its type."""
        return next((one for one in self.status.conditions if one.type == type_), None)

    @property
    def ready(self) -> bool:
        """Whether the Ready condition is True."""
        condition = self.condition("Ready")
        return condition is not None and condition.status == "True"

    @property
    def kubelet_port(self) -> int:
        """Where its kubelet answers the API server."""
        return self.status.daemon_endpoints.kubelet_endpoint.port or KUBELET_PORT
