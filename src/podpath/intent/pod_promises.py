"""What the Pod network promises: Pods reach each other and the outside, and each node its own Pods."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice, product

from podpath.intent.clients import Asker, Clients, PodClass
from podpath.intent.limits import FULL_SIZE
from podpath.intent.outside import elsewhere
from podpath.intent.permission import Permissions
from podpath.intent.services import target_port
from podpath.model.addr import format_addr, parse_addr
from podpath.model.flow import TCP, Flow, endpoint_text, protocol_name
from podpath.model.kube.pod import Container, Pod
from podpath.model.origin import NOWHERE
from podpath.model.promise import NotPromised, Promise
from podpath.model.refs import ObjectRef, node_netns

ANY_PORT = 8080
"""Asked of a Pod that names no port: what counts is that the packet gets there."""
HTTPS = 443

Made = Iterator[Promise | NotPromised]


def pod_promises(clients: Clients, permissions: Permissions) -> Made:
    """Pods to Pods: within a node, and from each node to those it is to be walked to."""
    for node in clients.nodes:
        yield from _between(clients, permissions, node, node)
        for other in clients.peers(node):
            yield from _between(clients, permissions, node, other)


def _between(clients: Clients, permissions: Permissions, node: str, other: str) -> Made:
    """Each sort of Pods of a node to each sort of another node's (or the same)."""
    pairs = product(clients.classes.get(node, ()), clients.classes.get(other, ()))
    wanted = clients.limits.class_pairs if clients.small else clients.limits.walked_pairs
    walked = {True: 0, False: 0}
    for source, target in islice(pairs, clients.limits.class_pairs):
        for v4 in (one for one, count in walked.items() if count < wanted):
            made = _pod_to_pod(clients, permissions, source, target, v4=v4)
            walked[v4] += isinstance(made, Promise)
            if made is not None:
                yield made


def _pod_to_pod(
    clients: Clients, permissions: Permissions, source: PodClass, target: PodClass, *, v4: bool
) -> Promise | NotPromised | None:
    server = min(target.pods, key=lambda pod: not clients.cluster.services_by_pod.get(pod.key))
    client = source.one(avoid=[server])
    addr = server.ip(v4=v4)
    if addr is None or client.ip(v4=v4) is None or client.key == server.key:
        return None
    alike = source.pods == target.pods
    count = len(source.pods) * (len(target.pods) - alike)
    asker = clients.pod(client, v4=v4, stands_for=count)
    refused = None
    for port, protocol in _ports(clients, server):
        refused = permissions.refusal(asker, [(addr, port)], protocol, server.ref)
        if refused is None:
            return Promise(
                kind="pod",
                flow=Flow(asker.netns, addr, protocol, port, size=FULL_SIZE if protocol == TCP else 0),
                subject=server.ref,
                client=asker.ref,
                servers=frozenset({(addr, 0)}),
                text=f"{asker} -> {server.ref.short} on {server.node}, {endpoint_text(addr, port)}",
                stands_for=count,
                needs_listener=False,
                origin=server.origin,
            )
    return refused


def _ports(clients: Clients, pod: Pod) -> Iterable[tuple[int, int]]:
    """Ports by which a Pod may be reached: those that Services lead to, then its containers', TCP before others."""
    services = clients.cluster.services_by_pod.get(pod.key, ())
    targets = [
        (target_port(pod, port), int(port.protocol)) for service in services for port in service.spec.ports
    ]
    known = [(number, protocol) for number, protocol in targets if number is not None]
    known += [(port.container_port, int(port.protocol)) for port in pod.ports()]
    return sorted(dict.fromkeys(known), key=lambda one: one[1] != TCP) or [(ANY_PORT, TCP)]


def outside_promises(clients: Clients, permissions: Permissions) -> Made:
    """Pods of each sort, and nodes, to an address that nobody in the cluster has."""
    for v4 in (True, False):
        addr = elsewhere(clients.network, v4=v4)
        if addr is None:
            continue
        for node in clients.nodes:
            askers = [
                clients.pod(alike.one(), v4=v4, stands_for=len(alike.pods))
                for alike in clients.pods_asking(node, 0, v4=v4, whole=clients.small)
            ]
            for asker in (*askers, clients.node(node, v4=v4)):
                refused = permissions.refusal(asker, [(addr, HTTPS)], TCP, asker.ref)
                yield refused or _to_outside(clients, asker, addr)


def _to_outside(clients: Clients, asker: Asker, addr: int) -> Promise:
    known = clients.cluster.lookup(asker.ref)
    return Promise(
        kind="outside",
        flow=Flow(asker.netns, addr, TCP, HTTPS, size=FULL_SIZE),
        subject=asker.ref,
        client=asker.ref,
        servers=None,
        text=f"{asker} -> the outside ({format_addr(addr)})",
        stands_for=asker.stands_for,
        needs_listener=False,
        origin=NOWHERE if known is None else known.origin,
    )


def probe_promises(clients: Clients) -> Made:
    """Each node to the Pods it runs: the kubelet asks their probes. No policy may stand in its way."""
    for node in clients.nodes:
        seen: dict[tuple[object, ...], list[tuple[Pod, int, int]]] = {}
        for pod in sorted(clients.running.get(node, ()), key=lambda pod: (pod.ready, pod.key)):
            for name, addr, port in _probed(pod):
                alike = pod.meta.owner or pod.key, pod.meta.namespace, pod.ready, name, port
                seen.setdefault(alike, []).append((pod, addr, port))
        for asked in islice(seen.values(), clients.limits.probes):
            yield _probe(node, asked)


def _probed(pod: Pod) -> Iterator[tuple[str, int, int]]:
    """Container, address and port of the probes that a Pod's running containers are asked."""
    asked = set()
    for container in pod.serving_containers:
        if not _runs(pod, container):
            continue
        for _, probe in container.probes:
            action = probe.action
            if action is None:
                continue
            number = action.port if isinstance(action.port, int) else container.port_number(action.port, TCP)
            addr = _address(action.host) if action.host else next(iter(pod.ips), None)
            if number and addr is not None and (addr, number) not in asked:
                asked.add((addr, number))
                yield container.name, addr, number


def _runs(pod: Pod, container: Container) -> bool:
    """Whether it runs, as far as is said: what is down or waits cannot answer, and its reason is known."""
    statuses = (*pod.status.container_statuses, *pod.status.init_container_statuses)
    known = next((one for one in statuses if one.name == container.name), None)
    return known is None or (known.state.waiting is None and known.state.terminated is None)


def _address(host: str) -> int | None:
    try:
        return parse_addr(host)
    except ValueError:
        return None


def _probe(node: str, asked: list[tuple[Pod, int, int]]) -> Promise:
    pod, addr, port = asked[0]
    return Promise(
        kind="node",
        flow=Flow(node_netns(node), addr, TCP, port),
        subject=pod.ref,
        client=ObjectRef("Node", "", node),
        servers=frozenset({(addr, port)}),
        text=f"{node} -> its Pod {pod.ref.short}, probe at {endpoint_text(addr, port)}/{protocol_name(TCP)}",
        stands_for=len(asked),
        origin=pod.origin,
    )
