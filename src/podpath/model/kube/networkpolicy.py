"""NetworkPolicy (networking/v1 types.go)."""

from __future__ import annotations

from typing import Literal

import msgspec

from podpath.model.addr import Prefix, is_v4, parse_prefix
from podpath.model.kube.meta import KubeObject
from podpath.model.kube.scalars import TCP_DEFAULT, Protocol
from podpath.model.kube.selector import LabelSelector


class IPBlock(msgspec.Struct, frozen=True, gc=False):
    """A range without some smaller ones. Both are read sloppily: ``10.1.2.3/8`` is 10.0.0.0/8 (ParseCIDRSloppy)."""

    cidr: str
    excepted: tuple[str, ...] = msgspec.field(name="except", default=())

    def __post_init__(self) -> None:
        """An unreadable range makes the policy unreadable, not a later question."""
        for text in (self.cidr, *self.excepted):
            parse_prefix(text)

    def __contains__(self, addr: object) -> bool:
        """Whether an address of its family lies in the range and in none of the excepted ones."""
        return _holds(self.cidr, addr) and not any(_holds(text, addr) for text in self.excepted)

    @property
    def prefix(self) -> Prefix:
        """The range."""
        return parse_prefix(self.cidr)

    def __str__(self) -> str:
        """``10.0.0.0/8 except 10.1.0.0/16``."""
        return f"{self.cidr} except {', '.join(self.excepted)}" if self.excepted else self.cidr


def _holds(cidr: str, addr: object) -> bool:
    """Whether a range holds an address; ``::/0`` holds no IPv4 address."""
    prefix = parse_prefix(cidr)
    return isinstance(addr, int) and is_v4(addr) == is_v4(prefix.net) and addr in prefix


class Peer(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """Pods by their labels and those of their namespace, or addresses."""

    pod_selector: LabelSelector | None = None
    namespace_selector: LabelSelector | None = None
    ip_block: IPBlock | None = None


class PolicyPort(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """A protocol, and a port, a range of ports or a port's name on the destination Pod."""

    protocol: Protocol = TCP_DEFAULT
    port: int | str | None = None
    end_port: int | None = None


class PolicyRule(msgspec.Struct, frozen=True, gc=False):
    """A rule of either direction: ``from`` or ``to`` are its peers. Without peers anybody, without ports any port."""

    ports: tuple[PolicyPort, ...] = ()
    sources: tuple[Peer, ...] = msgspec.field(name="from", default=())
    destinations: tuple[Peer, ...] = msgspec.field(name="to", default=())

    @property
    def peers(self) -> tuple[Peer, ...]:
        """Whoever stands at the other end."""
        return self.sources or self.destinations


class PolicySpec(msgspec.Struct, frozen=True, gc=False, rename="camel", kw_only=True):
    """What a policy says."""

    pod_selector: LabelSelector = LabelSelector()
    policy_types: tuple[str, ...] = ()
    ingress: tuple[PolicyRule, ...] = ()
    egress: tuple[PolicyRule, ...] = ()


class NetworkPolicy(KubeObject, frozen=True, gc=False, rename="camel", kw_only=True):
    """A NetworkPolicy."""

    kind: Literal["NetworkPolicy"] = "NetworkPolicy"
    spec: PolicySpec = PolicySpec()

    @property
    def directions(self) -> tuple[str, ...]:
        """``Ingress``, ``Egress``: policyTypes with the API's default (networking/v1 defaults.go)."""
        if self.spec.policy_types:
            return self.spec.policy_types
        return ("Ingress", "Egress") if self.spec.egress else ("Ingress",)

    def rules(self, direction: str) -> tuple[PolicyRule, ...]:
        """The rules of a direction."""
        return self.spec.ingress if direction == "Ingress" else self.spec.egress
