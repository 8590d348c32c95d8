"""What a node has beside its network namespace: facts, agents' configuration and logs, CNI files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from podpath.assemble.reading import Folder
from podpath.model.linux.agents import LogLine
from podpath.model.linux.cni import CniConfig
from podpath.model.network import Node
from podpath.parse.cni_conf import parse_cni_conf
from podpath.parse.klog import parse_log
from podpath.parse.kube_proxy_config import parse_kube_proxy_config
from podpath.parse.kubelet_config import parse_kubelet_config
from podpath.parse.node_facts import parse_node_facts

FACT_FILES = ("uname", "os-release", "selinux", "iptables-version", "proxy-healthz", "flannel-subnet.env")

LOG_FILES = ("logs", "logs-previous", "dmesg")


class Nodes(Mapping[str, Node]):
    """Nodes by name, each read when it is first asked for."""

    def __init__(self, names: Iterable[str], read: Callable[[str], Node]) -> None:
        self._read = read
        self._known: dict[str, Node | None] = dict.fromkeys(names)

    def __getitem__(self, name: str) -> Node:
        node = self._known[name]
        if node is None:
            node = self._known[name] = self._read(name)
        return node

    def __contains__(self, name: object) -> bool:
        return name in self._known

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)


def read_node(folder: Folder, node: str, names: Iterable[str]) -> Node:
    """A node from its folder, in which there are files of these names."""
    texts = {f"{folder.path}/{name}": text for name in FACT_FILES if (text := folder.text(name)) is not None}
    facts, lost = parse_node_facts(texts)
    for file in texts:
        folder.reading.lose(file, (one for one in lost if one.origin.file == file))
    kubelet = folder.read("kubelet-config.json", parse_kubelet_config)
    kube_proxy = folder.read("kube-proxy-config.json", parse_kube_proxy_config)
    cni: list[CniConfig] | None = None
    logs: list[LogLine] = []
    for name in names:
        if name.startswith("cni-net.d/"):
            config = folder.read(name, parse_cni_conf)
            cni = [*(cni or []), config] if config is not None else cni
        elif name.endswith(".log") or name.rpartition("/")[2] in LOG_FILES:
            logs += folder.read(name, parse_log) or ()
    return Node(node, facts, kubelet, kube_proxy, tuple(cni) if cni is not None else None, tuple(logs))
