"""What a node has beside its network namespace: facts, agents' configuration and logs, CNI files."""

from __future__ import annotations

from collections.abc import Mapping

from podpath.assemble.namespace import Reader
from podpath.model.linux.agents import LogLine
from podpath.model.linux.cni import CniConfig
from podpath.model.network import Node
from podpath.model.origin import Unrecognized
from podpath.parse.cni_conf import parse_cni_conf
from podpath.parse.klog import parse_log
from podpath.parse.kube_proxy_config import parse_kube_proxy_config
from podpath.parse.kubelet_config import parse_kubelet_config
from podpath.parse.node_facts import parse_node_facts

FACT_FILES = ("uname", "os-release", "selinux", "iptables-version", "proxy-healthz", "flannel-subnet.env")


def read_node(files: Mapping[str, bytes], node: str) -> tuple[Node, tuple[Unrecognized, ...]]:
    """A node from its folder."""
    reader = Reader(files, f"nodes/{node}")
    texts = {f"nodes/{node}/{name}": text for name in FACT_FILES if (text := reader.text(name)) is not None}
    facts, lost = parse_node_facts(texts)
    reader.lost += lost
    kubelet = reader.read("kubelet-config.json", parse_kubelet_config)
    kube_proxy = reader.read("kube-proxy-config.json", parse_kube_proxy_config)
    cni: list[CniConfig] | None = None
    logs: list[LogLine] = []
    prefix = f"nodes/{node}/"
    for path in _own(files, prefix):
        name = path.removeprefix(prefix)
        if name.startswith("cni-net.d/"):
            config = reader.read(name, parse_cni_conf)
            cni = [*(cni or []), config] if config is not None else cni
        elif name.endswith(".log") or name.endswith("/logs"):
            logs += reader.read(name, parse_log) or ()
    return Node(node, facts, kubelet, kube_proxy, tuple(cni) if cni is not None else None, tuple(logs)), tuple(reader.lost)


def _own(files: Mapping[str, bytes], prefix: str) -> list[str]:
    index = getattr(files, "under", None)
    return list(index(prefix)) if index is not None else [path for path in files if path.startswith(prefix)]
