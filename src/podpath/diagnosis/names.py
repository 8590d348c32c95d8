"""Does a name resolve for a Pod? Its search list walked, every query a flow of its own (resolv.conf(5), CoreDNS)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from podpath.dataplane.tracer import trace_flow
from podpath.intent.dns import (
    DNS_PORT,
    Resolver,
    cluster_dns,
    cluster_domain,
    dns_services,
    node_resolver,
    resolver,
)
from podpath.model.addr import format_addr, parse_addr
from podpath.model.flow import UDP, Flow
from podpath.model.kube.pod import Pod
from podpath.model.kube.service import Service
from podpath.model.network import Network
from podpath.model.refs import NetnsId, pod_netns
from podpath.model.trace import Answer, Verdict

PUBLIC = frozenset(("com", "org", "net", "io", "dev", "edu", "gov", "int", "arpa", "app", "cloud", "info"))
"""Top level domains under which a name is taken to exist outside; a cluster's names have none of these."""


class NameAnswer(NamedTuple):
    """Whether a name resolves, and why."""

    verdict: Verdict
    probability: float | None
    symptom: str
    because: tuple[str, ...]
    addresses: tuple[int, ...] = ()
    failing: tuple[Flow, Answer] | None = None
    """The query that keeps it from resolving."""


class _Zone(NamedTuple):
    """What the cluster's DNS knows: its domain, its own Pods, and whom it asks for the rest."""

    domain: str
    services: tuple[Service, ...]


def resolve_name(network: Network, netns: NetnsId, name: str) -> NameAnswer:
    """Walk the search list of the namespace's resolver until a name exists."""
    known = _resolver(network, netns)
    if known is None or not known.nameservers:
        return NameAnswer(
            Verdict.UNKNOWN,
            None,
            "not known",
            ("whom this namespace asks for names: no resolv.conf was collected",),
        )
    chance = 1.0
    queries: dict[int, tuple[Flow, Answer]] = {}
    for candidate in candidates(name, known):
        server = known.nameservers[0]
        flow, answer = queries.setdefault(server, _query(network, netns, server))
        if answer.verdict is Verdict.FAILS:
            why = answer.failing[0].end.last
            return NameAnswer(
                Verdict.FAILS,
                0.0,
                "i/o timeout",
                (f"{format_addr(server)} does not answer: {why.text} ({why.origin})",),
                (),
                (flow, answer),
            )
        if answer.probability is None:
            return NameAnswer(Verdict.UNKNOWN, None, "not known", answer.questions)
        chance *= answer.probability
        found = _ask(network, netns, server, candidate)
        if found is None:
            continue
        if found.verdict is not Verdict.WORKS or chance >= 1:
            return found
        return found._replace(verdict=Verdict.SOMETIMES, probability=chance, failing=(flow, answer))
    return NameAnswer(
        Verdict.FAILS, 0.0, "no such host", (f"{name} does not exist: no candidate of the search list does",)
    )


def candidates(name: str, known: Resolver) -> Iterator[str]:
    """The names that are asked for, in order (ndots)."""
    if name.endswith("."):
        yield name.rstrip(".")
        return
    first = name.count(".") >= known.ndots
    if first:
        yield name
    yield from (f"{name}.{search}".rstrip(".") for search in known.searches)
    if not first:
        yield name


def _resolver(network: Network, netns: NetnsId) -> Resolver | None:
    kind, _, rest = netns.partition("/")
    if kind == "node":
        return node_resolver(network, rest)
    namespace, _, name = rest.partition("/")
    pod = network.cluster.pods.get((namespace, name))
    return resolver(network, pod) if pod is not None else None


def _query(network: Network, netns: NetnsId, server: int) -> tuple[Flow, Answer]:
    flow = Flow(netns, server, UDP, DNS_PORT)
    return flow, trace_flow(network, flow)


def _ask(network: Network, netns: NetnsId, server: int, name: str) -> NameAnswer | None:
    """What a server answers for one name; None is NXDOMAIN."""
    node = network.namespaces[netns].node if netns in network.namespaces else ""
    domain = cluster_domain(network, node)
    services = dns_services(network.cluster, cluster_dns(network, node))
    owned = server in {ip for service in services for ip in service.cluster_ips or ()}
    if owned and (name == domain or name.endswith(f".{domain}")):
        return _cluster_name(network, name.removesuffix(domain).rstrip("."))
    if owned:
        return _forwarded(network, services, name)
    return _outside(network, name)


def _cluster_name(network: Network, name: str) -> NameAnswer | None:
    """``service.namespace.svc`` and what stands below a headless Service (the DNS specification for Kubernetes)."""
    labels = name.split(".")
    if len(labels) < 3 or labels[-1] != "svc":
        return None
    service = network.cluster.services.get((labels[-2], labels[-3]))
    if service is None:
        return None
    if service.spec.type == "ExternalName":
        return NameAnswer(Verdict.WORKS, 1.0, "none", (f"an alias of {service.spec.external_name}",))
    if len(labels) == 3 and service.cluster_ips:
        return NameAnswer(Verdict.WORKS, 1.0, "none", (), service.cluster_ips)
    ready = service.spec.publish_not_ready_addresses
    endpoints = [
        e
        for one in network.cluster.slices_of(service)
        for e in one.endpoints
        if ready or e.conditions.ready is not False
    ]
    addresses = tuple(addr for endpoint in endpoints for addr in endpoint.addresses)
    if len(labels) == 3 and addresses:
        return NameAnswer(Verdict.WORKS, 1.0, "none", (), addresses)
    if len(labels) == 4 and any(endpoint.hostname == labels[0] for endpoint in endpoints):
        return NameAnswer(Verdict.WORKS, 1.0, "none", ())
    return None


def _forwarded(network: Network, services: tuple[Service, ...], name: str) -> NameAnswer | None:
    """The cluster's DNS asks its upstream: from its own Pods, by their resolv.conf."""
    complaint = _complaint(network)
    for pod in (pod for service in services for pod in network.cluster.pods_of(service)):
        upstream = _upstream(network, pod)
        for server in upstream[:1]:
            flow, answer = _query(network, pod_netns(*pod.key), server)
            if answer.verdict is Verdict.FAILS:
                why = answer.failing[0].end.last
                return NameAnswer(
                    Verdict.FAILS,
                    0.0,
                    "server misbehaving",
                    (f"upstream {format_addr(server)}: {why.text} ({why.origin})",),
                    (),
                    (flow, answer),
                )
    if complaint:
        return NameAnswer(Verdict.FAILS, 0.0, "server misbehaving", (complaint,))
    return _outside(network, name)


def _upstream(network: Network, pod: Pod) -> tuple[int, ...]:
    """The servers of ``forward . TARGET``: addresses, or those of a resolv.conf."""
    for configmap in network.cluster.configmaps.values():
        for line in configmap.data.get("Corefile", "").splitlines():
            words = line.split()
            if words[:2] != ["forward", "."]:
                continue
            found = []
            for word in words[2:]:
                try:
                    found.append(
                        parse_addr(word.removeprefix("dns://").removeprefix("tls://").partition(":")[0])
                    )
                except ValueError:
                    continue
            if found:
                return tuple(found)
    own = resolver(network, pod)
    return own.nameservers if own is not None else ()


def _complaint(network: Network) -> str:
    """A line in which the cluster's DNS says that its upstream does not answer."""
    for node in network.nodes.values():
        for line in node.log_lines:
            if "plugin/errors" in line.source + line.message and (
                "i/o timeout" in line.message
                or "no route to host" in line.message
                or "refused" in line.message
            ):
                return f"{line.message} ({line.origin})"
    return ""


def _outside(network: Network, name: str) -> NameAnswer | None:
    """A name that only somebody outside can know."""
    last = name.rstrip(".").rpartition(".")[2]
    if last in PUBLIC:
        return NameAnswer(Verdict.WORKS, 1.0, "none", (f"{name} is asked outside, and taken to exist there",))
    namespaces = set(network.cluster.namespaces) | {key[0] for key in network.cluster.services}
    if last in namespaces or last in ("local", "svc", "internal") or "." not in name:
        return None
    return NameAnswer(Verdict.UNKNOWN, None, "not known", (f"whether {name} exists outside",))
