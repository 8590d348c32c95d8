"""Single facts about a node: kernel, distribution, SELinux, iptables, kube-proxy's health, flannel's subnet."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from podpath.model.addr import Prefix
from podpath.model.origin import NOWHERE, Origin


class Uname(msgspec.Struct, frozen=True, gc=False):
    """``uname -a`` (or ``uname -r`` alone)."""

    release: str
    hostname: str = ""
    machine: str = ""
    origin: Origin = NOWHERE

    @property
    def version(self) -> tuple[int, int]:
        """``(6, 18)`` of ``6.18.44-generic``; ``(0, 0)`` when it does not begin with numbers."""
        first, _, rest = self.release.partition(".")
        second = rest.split(".")[0].split("-")[0]
        return (int(first), int(second)) if (first + second).isdecimal() and first and second else (0, 0)


class OsRelease(msgspec.Struct, frozen=True, gc=False):
    """``/etc/os-release`` (os-release(5))."""

    id: str
    version_id: str = ""
    pretty_name: str = ""
    id_like: tuple[str, ...] = ()
    origin: Origin = NOWHERE


class SelinuxMode(msgspec.Struct, frozen=True, gc=False):
    """``getenforce``: enforcing, permissive or disabled."""

    mode: str
    origin: Origin = NOWHERE


class IptablesVersion(msgspec.Struct, frozen=True, gc=False):
    """``iptables --version``; before 1.8 there is no back end but legacy, and none is printed."""

    version: str
    backend: str
    """nf_tables or legacy."""
    origin: Origin = NOWHERE


class ProxyHealth(msgspec.Struct, frozen=True):
    """What kube-proxy answers at ``:10256/healthz``. None where its version does not say."""

    healthy: bool | None = None
    node_eligible: bool | None = None
    last_updated: str = ""
    current_time: str = ""
    families: Mapping[str, bool] = {}
    """``{"IPv4": True, "IPv6": False}``: whether the rules of the family are up to date."""
    origin: Origin = NOWHERE


class FlannelSubnet(msgspec.Struct, frozen=True, gc=False):
    """``/run/flannel/subnet.env``, which the flannel CNI plugin reads."""

    networks: tuple[Prefix, ...] = ()
    """``FLANNEL_NETWORK`` and ``FLANNEL_IPV6_NETWORK``: all Pods of the cluster."""
    gateways: tuple[int, ...] = ()
    """The bridge's addresses: of ``FLANNEL_SUBNET`` and ``FLANNEL_IPV6_SUBNET``."""
    subnets: tuple[Prefix, ...] = ()
    """The Pods of this node."""
    mtu: int | None = None
    ip_masq: bool | None = None
    origin: Origin = NOWHERE


class NodeFacts(msgspec.Struct, frozen=True):
    """What of these was collected; None is not known."""

    uname: Uname | None = None
    os_release: OsRelease | None = None
    selinux: SelinuxMode | None = None
    iptables: IptablesVersion | None = None
    proxy: ProxyHealth | None = None
    flannel: FlannelSubnet | None = None
