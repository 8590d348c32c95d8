"""Looking up what a name means among the objects of a cluster, and what was meant when it means nothing."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from podpath.cli.errors import UsageError
from podpath.cli.spec import Spec
from podpath.model.kube.cluster import Cluster
from podpath.model.kube.node import Node
from podpath.model.kube.pod import Pod
from podpath.model.kube.service import Service
from podpath.model.kube.workload import Workload
from podpath.model.network import Network
from podpath.model.refs import ObjectRef, pod_netns

WORKLOADS = {"deploy": "Deployment", "sts": "StatefulSet", "ds": "DaemonSet"}
LISTS = {
    "pod": "pods",
    "svc": "services",
    "deploy": "deployments",
    "sts": "statefulsets",
    "ds": "daemonsets",
    "node": "nodes",
}
LABELS = {"pod": "Pod", "svc": "Service", "node": "node", **WORKLOADS}
MOST_COMPARED = 20_000
"""Names that are compared letter by letter; of more only those that begin alike."""


def find_pod(network: Network, spec: Spec) -> Pod:
    """A Pod that has an address."""
    pod = network.cluster.pods.get((spec.namespace, spec.name))
    if pod is None:
        raise UsageError(not_found(network, spec))
    if not pod.live or not pod.node:
        phase = pod.status.phase or "Pending"
        raise UsageError(
            f"Pod {pod.ref.short} is {phase} and has no address of its own: no packet comes from or to it"
        )
    return pod


def find_service(network: Network, spec: Spec) -> Service:
    """A Service."""
    service = network.cluster.services.get((spec.namespace, spec.name))
    if service is None:
        raise UsageError(not_found(network, spec))
    return service


def find_node(network: Network, spec: Spec) -> str:
    """A node's name."""
    if spec.name not in network.cluster.nodes and spec.name not in network.nodes:
        raise UsageError(not_found(network, spec))
    return spec.name


def find_workload_pod(network: Network, spec: Spec) -> Pod:
    """A running Pod of a Deployment, StatefulSet or DaemonSet: one whose state was read, on the first node."""
    ref = ObjectRef(WORKLOADS[spec.kind], spec.namespace, spec.name)
    workload = network.cluster.workloads.get(ref)
    pods = pods_of_workload(network.cluster, ref, workload)
    if workload is None and not pods:
        raise UsageError(not_found(network, spec))
    if not pods:
        raise UsageError(f"{ref} has no running Pod")
    return pods_in_order(network, pods)[0]


def pods_in_order(network: Network, pods: Iterable[Pod]) -> list[Pod]:
    """Ready ones before others, those whose state was read before others, then by node and name."""
    seen = network.namespaces
    return sorted(pods, key=lambda pod: (not pod.ready, pod_netns(*pod.key) not in seen, pod.node, pod.key))


def pods_of_workload(cluster: Cluster, ref: ObjectRef, workload: Workload | None) -> list[Pod]:
    """Its running Pods: by owner, through its ReplicaSets, or by its selector where owners are not told."""
    owners = {(ref.kind, ref.name)}
    for other in cluster.workloads.values():
        if (
            other.kind == "ReplicaSet"
            and other.meta.namespace == ref.namespace
            and other.meta.owner in owners
        ):
            owners.add((other.kind, other.meta.name))
    pods = [pod for pod in cluster.pods_by_namespace.get(ref.namespace, ()) if pod.running]
    owned = [pod for pod in pods if pod.meta.owner in owners]
    if owned or workload is None:
        return owned
    return [pod for pod in pods if pod.meta.owner is None and workload.spec.selector.matches(pod.meta.labels)]


def not_found(network: Network, spec: Spec) -> str:
    """Why a name means nothing, and the nearest that mean something."""
    cluster = network.cluster
    wanted = "/".join(part for part in (spec.namespace, spec.name) if part)
    label, listed = LABELS[spec.kind], LISTS[spec.kind]
    if not cluster.has(listed) and not (spec.kind == "node" and network.nodes):
        return f"the bundle has no list of {listed} (api/{listed}*.json), so {label} {wanted} is not known"
    near = nearest(network, spec)
    if near:
        return f"there is no {label} {wanted}: did you mean {_or(near)}?"
    if spec.namespace and spec.namespace not in known_namespaces(cluster):
        close = get_close_matches(spec.namespace, known_namespaces(cluster), 1, 0.6)
        return f"there is no namespace {spec.namespace}" + (f": did you mean {close[0]}?" if close else "")
    return f"there is no {label} {wanted}"


def nearest(network: Network, spec: Spec, most: int = 3) -> list[str]:
    """Names like the wanted one: of its kind, and those of other kinds that have exactly its name."""
    wanted = f"{spec.namespace}/{spec.name}" if spec.namespace else spec.name
    known = names_of(network, spec.kind)
    begins = [name for name in known if name.startswith(wanted)]
    if len(known) > MOST_COMPARED:
        known = [name for name in known if name[:3] == wanted[:3]]
    elsewhere = [name for name in known if spec.namespace and name.partition("/")[2] == spec.name]
    near = list(
        dict.fromkeys([*begins[:most], *elsewhere[:most], *get_close_matches(wanted, known, most, 0.7)])
    )
    other_kinds = [
        f"{kind}/{wanted}" for kind in LISTS if kind != spec.kind and wanted in names_of(network, kind)
    ]
    return [*other_kinds, *(f"{spec.kind}/{name}" for name in near)][:most]


def names_of(network: Network, kind: str) -> list[str]:
    """The names of all objects of a kind, as they are written behind the kind."""
    cluster = network.cluster
    match kind:
        case "pod":
            return [pod.ref.short for pod in cluster.pods.values()]
        case "svc":
            return [service.ref.short for service in cluster.services.values()]
        case "node":
            return sorted({*cluster.nodes, *network.nodes})
    return [ref.short for ref in cluster.workloads if ref.kind == WORKLOADS[kind]]


def known_namespaces(cluster: Cluster) -> list[str]:
    """The namespaces that exist, as far as objects tell."""
    return sorted({*cluster.namespaces, *cluster.pods_by_namespace, *(key[0] for key in cluster.services)})


def node_address(network: Network, node: str, *, v4: bool) -> int | None:
    """The address by which a node is asked: as its object says, else the first global one that it holds."""
    known: Node | None = network.cluster.nodes.get(node)
    if known is not None:
        return known.internal_ip(v4=v4)
    return next(
        (
            addr
            for addr, places in network.owners.items()
            if (addr >> 32 == 0xFFFF) == v4 and places[0][0] == f"node/{node}"
        ),
        None,
    )


def _or(words: list[str]) -> str:
    return " or ".join((", ".join(words[:-1]), words[-1])) if len(words) > 1 else words[0]
