"""Whether what writes a node's rules and routes runs there: the reason behind many a missing line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from podpath.checks.steps.ranges import host_of
from podpath.model.kube.cluster import Cluster
from podpath.model.kube.pod import Pod
from podpath.model.kube.workload import Workload
from podpath.model.network import Network
from podpath.model.origin import Origin

NAMES: dict[str, re.Pattern[str]] = {
    "kube-proxy": re.compile(r"^kube-proxy"),
    "flannel": re.compile(r"^(?:kube-)?flannel|^canal"),
    "calico": re.compile(r"^calico-node|^canal"),
    "cilium": re.compile(r"^cilium(?:-agent)?(?:-[a-z0-9]{5})?$"),
    "kube-router": re.compile(r"^kube-router"),
    "weave": re.compile(r"^weave-net"),
    "antrea": re.compile(r"^antrea-agent"),
    "ovn-kubernetes": re.compile(r"^ovnkube-node|^ovn-kube"),
    "aws-node": re.compile(r"^aws-node"),
    "azure-npm": re.compile(r"^azure-npm"),
    "ip-masq-agent": re.compile(r"^(?:azure-)?ip-masq-agent"),
    "node-local-dns": re.compile(r"^node-local-dns|^nodelocaldns"),
    "kube-apiserver": re.compile(r"^kube-apiserver"),
}
"""Beginnings of the names of the Pods and DaemonSets that run a component."""
BUILT_INTO = re.compile(r"\+(?:k3s|rke2)")
"""Versions of distributions that run kube-proxy, flannel and kube-router inside their own process."""
INSIDE = frozenset({"kube-proxy", "flannel", "kube-router"})
LOG_OF = {"kube-proxy": "kube-proxy.log", "flannel": "flanneld.log"}
"""Logs of components that run without a Pod."""
MOST_LINES = 2


class Told(NamedTuple):
    """What is known of a component on a node: words, and their lines."""

    text: str = ""
    evidence: tuple[Origin, ...] = ()


def pods_of(network: Network, component: str, node: str = "") -> tuple[Pod, ...]:
    """The Pods that run a component (on a node)."""
    every = _pods_of(network.cluster, component)
    return tuple(pod for pod in every if pod.node == node) if node else every


@lru_cache(maxsize=64)
def _pods_of(cluster: Cluster, component: str) -> tuple[Pod, ...]:
    pattern = NAMES.get(component)
    return tuple(
        pod for pod in cluster.pods.values() if pattern is not None and pattern.search(pod.meta.name)
    )


def daemonset_of(network: Network, component: str) -> Workload | None:
    """The DaemonSet that runs a component."""
    pattern = NAMES.get(component)
    sets = (one for ref, one in network.cluster.workloads.items() if ref.kind == "DaemonSet")
    return next((one for one in sets if pattern is not None and pattern.search(one.meta.name)), None)


def built_in(network: Network, component: str, node: str) -> bool:
    """Whether the node's distribution runs the component in its own process, so that no Pod shows it."""
    known = network.cluster.nodes.get(node)
    version = known.status.node_info.kubelet_version if known is not None else ""
    return component in INSIDE and BUILT_INTO.search(version) is not None


def runs_on(network: Network, component: str, node: str) -> bool | None:
    """Whether a Pod of the component runs on a node; None where Pods do not tell."""
    if not network.cluster.has("pods") or built_in(network, component, node):
        return None
    return any(pod.running and pod.ready for pod in pods_of(network, component, node))


def told(network: Network, component: str, node: str) -> Told:
    """What keeps a component on a node from its work, as far as anything says so; else nothing."""
    found = [*_pods_tell(network, component, node), *_health_tells(network, component, node)]
    if found:
        found += _log_tells(network, component, node)
    texts = dict.fromkeys(one.text for one in found)
    return Told("; ".join(texts), tuple(origin for one in found for origin in one.evidence))


def _pods_tell(network: Network, component: str, node: str) -> Iterator[Told]:
    if not network.cluster.has("pods") or built_in(network, component, node):
        return
    everywhere = pods_of(network, component)
    here = [pod for pod in everywhere if pod.node == node]
    if everywhere and not here:
        yield Told(
            f"no {component} Pod runs on {node}", (Origin("api/pods.json", 0, f"{component} on {node}"),)
        )
    for pod in here:
        if not (pod.running and pod.ready):
            yield Told(f"{pod.ref} is not ready{_why(pod)}", (pod.origin,))


def _why(pod: Pod) -> str:
    """What its containers say."""
    for status in (*pod.status.init_container_statuses, *pod.status.container_statuses):
        ended = status.last_terminated
        if status.waiting_reason:
            said = f", after {ended.reason or f'exit code {ended.exit_code}'}" if ended is not None else ""
            return f": {status.name} is {status.waiting_reason}{said}"
        if status.state.terminated is not None and not status.ready and ended is not None and ended.exit_code:
            return f": {status.name} ended with {ended.reason or f'exit code {ended.exit_code}'}"
    return f": its phase is {pod.status.phase}" if pod.status.phase not in ("Running", "") else ""


def _health_tells(network: Network, component: str, node: str) -> Iterator[Told]:
    """kube-proxy answers at its health port, as long as it lives."""
    known, netns = network.nodes.get(node), host_of(network, node)
    if component != "kube-proxy" or known is None or netns is None:
        return
    facts = known.facts
    if facts is not None and facts.proxy is not None and facts.proxy.healthy is False:
        yield Told(f"kube-proxy on {node} calls itself unhealthy", (facts.proxy.origin,))
    port = 10256
    address = known.kube_proxy.healthz_bind_address if known.kube_proxy is not None else f":{port}"
    number = address.rpartition(":")[2]
    port = int(number) if number.isdecimal() else port
    if (
        port
        and netns.sockets is not None
        and not any(s.port == port and s.state == "LISTEN" for s in netns.sockets)
    ):
        text = f"kube-proxy does not run on {node}: nothing listens on its health port {port}"
        yield Told(text, (netns.source("ss", f"no socket on port {port}"),))


def _log_tells(network: Network, component: str, node: str) -> Iterator[Told]:
    known = network.nodes.get(node)
    names = {f"pods/{pod.meta.namespace}.{pod.meta.name}/" for pod in pods_of(network, component, node)}
    lines = [
        line
        for line in (known.log_lines if known is not None else ())
        if line.level in ("E", "F") and _is_log_of(line.origin.source, component, names)
    ]
    for line in lines[-MOST_LINES:]:
        yield Told(f'its log says "{line.message.splitlines()[0][:160]}"', (line.origin,))


def _is_log_of(source: str, component: str, names: set[str]) -> bool:
    return source == LOG_OF.get(component) or any(source.startswith(name) for name in names)


def restart(network: Network, component: str, node: str) -> str:
    """The command that makes a component write its lines again."""
    pods = pods_of(network, component, node)
    if pods:
        pod = pods[0]
        return f"kubectl -n {pod.meta.namespace} delete pod {pod.meta.name}"
    daemons = daemonset_of(network, component)
    if daemons is not None:
        return f"kubectl -n {daemons.meta.namespace} rollout restart daemonset/{daemons.meta.name}"
    if built_in(network, component, node):
        return (
            f"{node}: systemctl restart k3s  # or k3s-agent, rke2-server, rke2-agent: {component} runs inside"
        )
    return f"{node}: systemctl restart {component}"
