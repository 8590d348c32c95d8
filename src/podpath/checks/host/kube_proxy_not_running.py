"""kube-proxy-not-running."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from podpath.checks.host.log_lines import said
from podpath.checks.objects.kubectl import kubectl, stated
from podpath.checks.objects.pod_state import troubles
from podpath.checks.registry import Promised, state_check
from podpath.model.finding import Confidence, Finding, Fix, Severity
from podpath.model.kube.cluster import Cluster
from podpath.model.kube.pod import Container, Pod
from podpath.model.network import Network
from podpath.model.origin import Origin
from podpath.model.refs import ObjectRef, node_netns

HEALTH_PORT = 10256


class Sign(NamedTuple):
    """What speaks for it, and the lines."""

    text: str
    evidence: tuple[Origin, ...]
    pod: Pod | None = None


@state_check("kube-proxy-not-running", severity=Severity.WARNING)
def kube_proxy_not_running(network: Network, _promised: Promised) -> Iterator[Finding]:
    """kube-proxy does not run on a node, or is not well.

    ## Why it breaks

    Its rules stay in the kernel when it ends: Services work on as they were, and change no more. New Services and
    endpoints are not known on this node, and Pods that are gone are still asked. If the rules are lost as well (a
    reboot, a flush), no Service works there; then the broken promises name their own line.

    ## See it by hand

        kubectl -n kube-system get pods -o wide -l k8s-app=kube-proxy
        curl -s http://127.0.0.1:10256/healthz; ss -ltn 'sport = :10256'      # on the node

    ## Fix

    Read its log, cure what it says, and restart it.

    ## Often confused with

    *kube-proxy-rules-missing*: it runs, and one Service is not programmed. A replacement by eBPF (Cilium) runs no
    kube-proxy at all, on any node.
    """
    pods = {
        pod.node: pod
        for pod in network.cluster.pods.values()
        if pod.node and not pod.finished and is_kube_proxy(pod)
    }
    well = {node for node in network.nodes if _is_well(network, node)}
    for node in sorted({*network.nodes, *network.cluster.nodes}):
        sign = (
            _absent(network, node, pods)
            or _unwell(network, node, pods.get(node))
            or _silent(network, node, well)
        )
        if sign is not None:
            yield _found(network, node, sign)


def is_kube_proxy(pod: Pod) -> bool:
    """Whether a container starts the program kube-proxy."""
    return any(_starts(one) for one in pod.spec.containers)


def _starts(container: Container) -> bool:
    words = (*container.command, *container.args)
    return any(word.rpartition("/")[2] in ("kube-proxy", "kube-proxy.exe") for word in words)


def _absent(network: Network, node: str, pods: dict[str, Pod]) -> Sign | None:
    """No Pod of it here, where a DaemonSet has one on most other nodes."""
    object_ = network.cluster.nodes.get(node)
    if (
        object_ is None
        or node in pods
        or len(pods) * 2 <= len(network.cluster.nodes)
        or not network.cluster.has("pods")
    ):
        return None
    example = next(iter(pods.values()))
    text = f"no kube-proxy Pod is on {node}, as on {len(pods)} other nodes"
    return Sign(text, (stated(network.cluster, object_, "metadata", text=text), example.origin))


def _unwell(network: Network, node: str, pod: Pod | None) -> Sign | None:
    """Its Pod is not ready, or it says itself that it is not healthy."""
    if pod is not None and not pod.ready and not pod.terminating:
        found = troubles(network, pod)
        return Sign(
            f"its Pod {pod.ref.short} is not ready: {found[0].text}",
            tuple(one.origin for one in found[:2]),
            pod,
        )
    known = network.nodes.get(node)
    health = known.facts.proxy if known and known.facts else None
    if health is not None and health.healthy is False:
        stale = ", ".join(family for family, fine in health.families.items() if not fine)
        return Sign(
            "it calls itself unhealthy" + (f" ({stale} rules are not up to date)" if stale else ""),
            (health.origin,),
            pod,
        )
    return None


def _is_well(network: Network, node: str) -> bool:
    known = network.nodes[node]
    return bool(known.facts and known.facts.proxy and known.facts.proxy.healthy is not False)


def _silent(network: Network, node: str, well: set[str]) -> Sign | None:
    """It does not answer at its health check here, and does on other nodes."""
    netns, known = network.namespaces.get(node_netns(node)), network.nodes.get(node)
    if known is None or node in well or not well or netns is None or netns.sockets is None:
        return None
    port = HEALTH_PORT
    if known.kube_proxy is not None:
        last = known.kube_proxy.healthz_bind_address.rpartition(":")[2]
        port = int(last) if last.isdecimal() else HEALTH_PORT
    if port == 0 or any(socket.port == port and socket.state == "LISTEN" for socket in netns.sockets):
        return None
    others = f"as on {len(well)} other nodes"
    nobody = Origin(f"{netns.folder}/ss", 0, f"no program listens on port {port}, {others}")
    return Sign(
        f"nobody answers at its health check (port {port}), {others}", (nobody, *_last_words(network, node))
    )


def _last_words(network: Network, node: str) -> tuple[Origin, ...]:
    lines = [
        one for one in said(network) if one.node == node and one.line.origin.source.endswith("kube-proxy.log")
    ]
    return tuple(one.line.origin for one in lines[-1:] if one.line.level in ("E", "F"))


def _found(network: Network, node: str, sign: Sign) -> Finding:
    restart = (
        kubectl("delete", sign.pod.ref)
        if sign.pod
        else f"{node}: systemctl restart kube-proxy      # where it is no Pod"
    )
    daemon = _daemon(network.cluster, sign.pod)
    steps = (
        (restart,)
        if daemon is None
        else (f"kubectl -n {daemon.namespace} logs {sign.pod.meta.name if sign.pod else ''}", restart)
    )
    return Finding(
        code="kube-proxy-not-running",
        severity=Severity.WARNING,
        subject=ObjectRef("Node", "", node),
        message=f"kube-proxy does not work on {node}: {sign.text}",
        evidence=sign.evidence,
        cause="Services change no more on this node",
        confidence=Confidence.CERTAIN,
        fix=Fix("restart kube-proxy: it writes all rules anew", steps, "low"),
    )


def _daemon(cluster: Cluster, pod: Pod | None) -> ObjectRef | None:
    owner = pod.meta.owner if pod else None
    ref = ObjectRef(owner[0], pod.meta.namespace, owner[1]) if owner and pod else None
    return ref if ref in cluster.workloads else None
