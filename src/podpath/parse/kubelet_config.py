"""The kubelet's configuration: its file, or what it answers at ``/configz``."""

from __future__ import annotations

from podpath.model.linux.agents import KubeletConfig
from podpath.model.origin import Unrecognized
from podpath.parse.agent_settings import read_settings


def parse_kubelet_config(text: str, file: str) -> tuple[KubeletConfig, tuple[Unrecognized, ...]]:
    """The settings that networking needs."""
    known = read_settings(text, file, wrapper="kubeletconfig")
    config = KubeletConfig(
        file=file,
        cluster_dns=known.words("clusterDNS"),
        cluster_domain=known.text("clusterDomain"),
        resolv_conf=known.text("resolvConf", "/etc/resolv.conf"),
        hairpin_mode=known.text("hairpinMode", "promiscuous-bridge"),
        address=known.text("address", "0.0.0.0"),
        port=known.number("port", 10250),
        read_only_port=known.number("readOnlyPort", 0),
        healthz_port=known.number("healthzPort", 10248),
        max_pods=known.number("maxPods", 110),
        pod_cidr=known.text("podCIDR"),
        anonymous_auth=known.flag("authentication.anonymous.enabled", default=False),
        webhook_auth=known.flag("authentication.webhook.enabled", default=True),
        client_ca_file=known.text("authentication.x509.clientCAFile"),
        authorization_mode=known.text("authorization.mode", "Webhook"),
        lines=known.lines,
        texts=known.texts,
    )
    return config, known.lost
