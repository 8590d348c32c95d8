"""kube-proxy's configuration: its file, or the ``config.conf`` of its ConfigMap."""

from __future__ import annotations

from podpath.model.linux.agents import KubeProxyConfig
from podpath.model.origin import Unrecognized
from podpath.parse.agent_settings import read_settings


def parse_kube_proxy_config(text: str, file: str) -> tuple[KubeProxyConfig, tuple[Unrecognized, ...]]:
    """The settings that decide what kube-proxy writes into the kernel."""
    known = read_settings(text, file)
    mode = known.text("mode")
    section = mode if mode == "nftables" else "iptables"
    timing = mode if mode in ("nftables", "ipvs") else "iptables"
    config = KubeProxyConfig(
        file=file,
        mode=mode,
        cluster_cidr=known.comma_words("clusterCIDR"),
        hostname_override=known.text("hostnameOverride"),
        bind_address=known.text("bindAddress", "0.0.0.0"),
        node_port_addresses=known.words("nodePortAddresses"),
        detect_local_mode=known.text("detectLocalMode"),
        detect_local_bridge=known.text("detectLocal.bridgeInterface"),
        detect_local_prefix=known.text("detectLocal.interfaceNamePrefix"),
        healthz_bind_address=known.text("healthzBindAddress", "0.0.0.0:10256"),
        metrics_bind_address=known.text("metricsBindAddress", "127.0.0.1:10249"),
        localhost_node_ports=known.flag("iptables.localhostNodePorts", default=True),
        masquerade_all=known.flag(f"{section}.masqueradeAll", default=False),
        masquerade_bit=known.number(f"{section}.masqueradeBit", 14),
        sync_period=known.text(f"{timing}.syncPeriod"),
        min_sync_period=known.text(f"{timing}.minSyncPeriod"),
        ipvs_scheduler=known.text("ipvs.scheduler"),
        ipvs_strict_arp=known.flag("ipvs.strictARP", default=False),
        ipvs_exclude_cidrs=known.words("ipvs.excludeCIDRs"),
        conntrack_max_per_core=known.maybe_number("conntrack.maxPerCore"),
        conntrack_min=known.maybe_number("conntrack.min"),
        conntrack_tcp_established_timeout=known.text("conntrack.tcpEstablishedTimeout"),
        conntrack_tcp_close_wait_timeout=known.text("conntrack.tcpCloseWaitTimeout"),
        conntrack_tcp_be_liberal=known.flag("conntrack.tcpBeLiberal", default=False),
        conntrack_udp_timeout=known.text("conntrack.udpTimeout"),
        conntrack_udp_stream_timeout=known.text("conntrack.udpStreamTimeout"),
        lines=known.lines,
        texts=known.texts,
    )
    return config, known.lost
