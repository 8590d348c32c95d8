"""EndpointSlice (discovery/v1 types.go)."""

from __future__ import annotations

from typing import Literal

import msgspec

from podpath.model.kube.meta import KubeObject
from podpath.model.kube.scalars import TCP_DEFAULT, Protocol, addr_or_none

SERVICE_LABEL = "kubernetes.io/service-name"
"""Decides which Service a slice belongs to; ownership does not (discovery/v1 well_known_labels.go)."""
MANAGED_BY_LABEL = "endpointslice.kubernetes.io/managed-by"


class EndpointConditions(msgspec.Struct, frozen=True, gc=False):
    """True, False or not said; what "not said" means is the reader's matter (``podpath.intent.services``)."""

    ready: bool | None = None
    serving: bool | None = None
    terminating: bool | None = None


class Hint(msgspec.Struct, frozen=True, gc=False):
    """A zone or a node that an endpoint is for."""

    name: str


class EndpointHints(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """For whom an endpoint is meant."""

    for_zones: tuple[Hint, ...] = ()
    for_nodes: tuple[Hint, ...] = ()


class TargetRef(msgspec.Struct, frozen=True, gc=False):
    """The object behind an endpoint."""

    kind: str = ""
    name: str = ""
    namespace: str = ""
    uid: str = ""


class Endpoint(msgspec.Struct, frozen=True, gc=False, rename="camel", kw_only=True):
    """One endpoint of a slice; only the first of its addresses is ever used."""

    addresses_text: tuple[str, ...] = msgspec.field(name="addresses", default=())
    conditions: EndpointConditions = EndpointConditions()
    node_name: str | None = None
    zone: str = ""
    hostname: str = ""
    hints: EndpointHints | None = None
    target_ref: TargetRef | None = None

    @property
    def addresses(self) -> tuple[int, ...]:
        """Its IP addresses; none in a slice of addressType FQDN."""
        return tuple(addr for text in self.addresses_text if (addr := addr_or_none(text)) is not None)

    @property
    def zone_hints(self) -> frozenset[str]:
        """hints.forZones."""
        return frozenset(one.name for one in self.hints.for_zones) if self.hints else frozenset()

    @property
    def node_hints(self) -> frozenset[str]:
        """hints.forNodes."""
        return frozenset(one.name for one in self.hints.for_nodes) if self.hints else frozenset()


class EndpointPort(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """A port that all endpoints of a slice have."""

    name: str | None = None
    port: int | None = None
    protocol: Protocol = TCP_DEFAULT
    app_protocol: str = ""


class EndpointSlice(KubeObject, frozen=True, gc=False, rename="camel", kw_only=True):
    """A part of a Service's endpoints."""

    kind: Literal["EndpointSlice"] = "EndpointSlice"
    address_type: str = "IPv4"
    endpoints: tuple[Endpoint, ...] = ()
    ports: tuple[EndpointPort, ...] = ()

    @property
    def service(self) -> str:
        """The name of its Service, in its own namespace; empty when it belongs to none."""
        return self.meta.labels.get(SERVICE_LABEL, "")

    @property
    def managed_by(self) -> str:
        """Who keeps it up to date; empty for one that somebody made by hand."""
        return self.meta.labels.get(MANAGED_BY_LABEL, "")
