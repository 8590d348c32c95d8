"""What the node's Kubernetes agents are told (configuration files) and what they say (logs)."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from podpath.model.origin import NOWHERE, Origin


class KubeletConfig(msgspec.Struct, frozen=True):
    """KubeletConfiguration (kubelet.config.k8s.io/v1beta1); what is absent has the API's default."""

    file: str
    cluster_dns: tuple[str, ...] = ()
    cluster_domain: str = ""
    resolv_conf: str = "/etc/resolv.conf"
    hairpin_mode: str = "promiscuous-bridge"
    address: str = "0.0.0.0"
    port: int = 10250
    read_only_port: int = 0
    healthz_port: int = 10248
    max_pods: int = 110
    pod_cidr: str = ""
    anonymous_auth: bool = False
    webhook_auth: bool = True
    client_ca_file: str = ""
    authorization_mode: str = "Webhook"
    lines: Mapping[str, int] = {}
    """Line by path in the file: ``clusterDNS``, ``authentication.anonymous.enabled``."""
    texts: Mapping[str, str] = {}
    """What stands there, by path."""

    def origin(self, path: str) -> Origin:
        """The line that states a setting; line 0 when none does."""
        return _origin(self.file, path, self.lines, self.texts)


class KubeProxyConfig(msgspec.Struct, frozen=True):
    """KubeProxyConfiguration (kubeproxy.config.k8s.io/v1alpha1); what is absent has the API's default."""

    file: str
    mode: str = ""
    """iptables, ipvs, nftables; empty is iptables on Linux."""
    cluster_cidr: tuple[str, ...] = ()
    hostname_override: str = ""
    bind_address: str = "0.0.0.0"
    node_port_addresses: tuple[str, ...] = ()
    detect_local_mode: str = ""
    detect_local_bridge: str = ""
    detect_local_prefix: str = ""
    healthz_bind_address: str = "0.0.0.0:10256"
    metrics_bind_address: str = "127.0.0.1:10249"
    localhost_node_ports: bool = True
    masquerade_all: bool = False
    """Of the section of the mode in use: ``iptables``, ``nftables``, ``ipvs`` (that of iptables)."""
    masquerade_bit: int = 14
    sync_period: str = ""
    min_sync_period: str = ""
    ipvs_scheduler: str = ""
    ipvs_strict_arp: bool = False
    ipvs_exclude_cidrs: tuple[str, ...] = ()
    conntrack_max_per_core: int | None = None
    conntrack_min: int | None = None
    conntrack_tcp_established_timeout: str = ""
    conntrack_tcp_close_wait_timeout: str = ""
    conntrack_tcp_be_liberal: bool = False
    conntrack_udp_timeout: str = ""
    conntrack_udp_stream_timeout: str = ""
    lines: Mapping[str, int] = {}
    texts: Mapping[str, str] = {}

    def origin(self, path: str) -> Origin:
        """The line that states a setting; line 0 when none does."""
        return _origin(self.file, path, self.lines, self.texts)


def _origin(file: str, path: str, lines: Mapping[str, int], texts: Mapping[str, str]) -> Origin:
    return Origin(file, lines.get(path, 0), f"{path}: {texts[path]}" if path in texts else f"{path} (absent)")


class LogLine(msgspec.Struct, frozen=True, gc=False):
    """A complaint of an agent, or another line of its log that tells what it does."""

    time: str
    """As printed."""
    level: str
    """F, E, W, I or D; empty when the line has none."""
    source: str
    """``proxier.go:1169``, ``plugin/errors``; empty when the line has none."""
    message: str
    origin: Origin = NOWHERE
