"""Broken promises in a user's words: whom it concerns, and from where."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from podpath.intent.limits import LIMITS
from podpath.model.promise import Promise
from podpath.model.refs import ObjectRef
from podpath.report.names import Names
from podpath.report.style import counted, listed

SERVICE_KINDS = frozenset({"service", "node-port", "load-balancer", "external-ip", "self"})
WAYS = {
    "node-port": "NodePort",
    "load-balancer": "load balancer address",
    "external-ip": "external IP",
}
MOST_PHRASES = 5
MOST_SHARED = 20
"""Services whose backends are counted: each takes some traces."""
MOST_SAMPLES = 12
"""Clients of one Service that are asked for it."""
MOST_HUBS = 3
"""Nodes that all broken pairs have in common; of more the pairs are counted."""

Share = Callable[[Promise], tuple[int, int] | None]
"""How many of a Service's backends fail for a promise, and of how many; None where that is not known."""


class Phrase(NamedTuple):
    """A part of the answer, and how many promises it stands for."""

    text: str
    weight: int


def summarize(promises: Sequence[Promise], names: Names, share: Share | None = None) -> list[str]:
    """``Pods on n2 <-> other nodes``, ``Service shop/api (1 of 3 backends) from everywhere``: most important first."""
    dns = {promise.subject for promise in promises if promise.kind == "dns"}
    by_sort: dict[str, list[Promise]] = {}
    for promise in promises:
        sort = (
            "dns" if promise.subject in dns else "service" if promise.kind in SERVICE_KINDS else promise.kind
        )
        by_sort.setdefault(sort, []).append(promise)
    phrases: list[Phrase] = []
    for sort, some in by_sort.items():
        if sort == "pod":
            phrases += _pods(some, names)
        elif sort == "service":
            phrases += _services(some, names, share)
        else:
            phrases.append(Phrase(_plain(sort, some, names, share), _weight(some)))
    return [phrase.text for phrase in sorted(phrases, key=lambda one: -one.weight)]


def shortened(phrases: Sequence[str], *, verbose: bool = False) -> list[str]:
    """Of many phrases the first, and how many more."""
    if verbose or len(phrases) <= MOST_PHRASES + 1:
        return list(phrases)
    return [*phrases[:MOST_PHRASES], f"and {len(phrases) - MOST_PHRASES:,} more (-v)"]


def _weight(promises: Iterable[Promise]) -> int:
    return sum(promise.stands_for for promise in promises)


# --- Pods to Pods -----------------------------------------------------------------------------------------------------


def _pods(promises: Sequence[Promise], names: Names) -> list[Phrase]:
    across: dict[tuple[str, str], int] = {}
    within: dict[str, int] = {}
    for promise in promises:
        here, there = names.node_of(promise.client), names.node_of(promise.subject)
        if here == there:
            within[here] = within.get(here, 0) + promise.stands_for
        else:
            across[here, there] = across.get((here, there), 0) + promise.stands_for
    found = _across(across, names)
    if within:
        found.append(Phrase(f"Pods on {listed(sorted(within))} among themselves", sum(within.values())))
    return found


def _across(pairs: dict[tuple[str, str], int], names: Names) -> list[Phrase]:
    """Between nodes: the nodes that all broken pairs have in common."""
    if not pairs:
        return []
    hosts = names.nodes_with_pods
    weight = sum(pairs.values())
    if len(hosts) > 2 and len(pairs) == len(hosts) * (len(hosts) - 1):
        return [Phrase("Pods of every node <-> Pods of other nodes", weight)]
    hubs, rest = _hubs(pairs, hosts)
    phrases = []
    if hubs:
        phrases.append(Phrase(f"Pods on {listed(sorted(hubs))} <-> other nodes", weight))
    sides = _one_way(rest, hosts)
    if sides is not None:
        return [*phrases, Phrase(sides, weight)]
    return [*phrases, *_pairs(rest)]


def _hubs(
    pairs: dict[tuple[str, str], int], hosts: frozenset[str]
) -> tuple[list[str], dict[tuple[str, str], int]]:
    """Nodes that are cut off from all others, both ways, and the pairs that this does not explain."""
    others = len(hosts) - 1 if len(hosts) <= LIMITS.every_node else LIMITS.ring
    rest = dict(pairs)
    hubs: list[str] = []
    for node in sorted(hosts):
        touching = {pair for pair in pairs if node in pair}
        if others > 1 and len(touching) >= 2 * others and len(hubs) < MOST_HUBS:
            hubs.append(node)
            rest = {pair: count for pair, count in rest.items() if node not in pair}
    return hubs, rest


def _one_way(pairs: dict[tuple[str, str], int], hosts: frozenset[str]) -> str | None:
    """One node to all others, or all others to one."""
    senders, receivers = {pair[0] for pair in pairs}, {pair[1] for pair in pairs}
    if len(hosts) > 2 and len(pairs) == len(hosts) - 1:
        if len(senders) == 1:
            return f"Pods on {next(iter(senders))} -> other nodes"
        if len(receivers) == 1:
            return f"Pods of other nodes -> Pods on {next(iter(receivers))}"
    return None


def _pairs(pairs: dict[tuple[str, str], int]) -> list[Phrase]:
    """``Pods on n1 <-> n3``, ``Pods on n1 -> n4``."""
    if not pairs:
        return []
    both = sorted({(min(pair), max(pair)) for pair in pairs if pair[::-1] in pairs})
    single = sorted(pair for pair in pairs if pair[::-1] not in pairs)
    words = [f"{a} <-> {b}" for a, b in both] + [f"{a} -> {b}" for a, b in single]
    return [Phrase(f"Pods on {listed(words)}", sum(pairs.values()))]


# --- Services ---------------------------------------------------------------------------------------------------------


def _services(promises: Sequence[Promise], names: Names, share: Share | None) -> list[Phrase]:
    """A phrase a Service; Services that break in the same way for the same clients in one."""
    by_service: dict[ObjectRef, list[Promise]] = {}
    for promise in promises:
        by_service.setdefault(promise.subject, []).append(promise)
    share = share if len(by_service) <= MOST_SHARED else None
    alike: dict[tuple[str, str], list[tuple[str, int]]] = {}
    for ref, some in by_service.items():
        how = "; ".join(word for word in (_ways(some), _share_words(some, names, share)) if word)
        key = f" ({how})" if how else "", _from(some, names)
        alike.setdefault(key, []).append((_service_name(ref, some, names), _weight(some)))
    if len(alike) > MOST_PHRASES:
        refs = sorted(by_service, key=lambda ref: -_weight(by_service[ref]))
        such = listed((ref.short for ref in refs[:3]), 3)
        told = f"{len(refs):,} Services, such as {such}, {_from(promises, names)}"
        return [Phrase(told, _weight(promises))]
    phrases = []
    for (how, origin), services in alike.items():
        services.sort(key=lambda one: (-one[1], one[0]))
        noun = "Service" if len(services) == 1 else "Services"
        whose = origin if len(services) == 1 else origin.replace("its own Pods", "their own Pods")
        text = f"{noun} {listed(name for name, _ in services)}{how} {whose}"
        phrases.append(Phrase(text, sum(weight for _, weight in services)))
    return phrases


def _service_name(ref: ObjectRef, promises: Sequence[Promise], names: Names) -> str:
    """Its name, and its ports if only some of them break."""
    ports = sorted(
        {promise.port_name or str(promise.flow.dport) for promise in promises if promise.kind == "service"}
    )
    return ref.short + (f":{','.join(ports)}" if ports and len(ports) < names.ports_of(ref) else "")


def _ways(promises: Sequence[Promise]) -> str:
    """The ways in that break, if it is not its own address alone."""
    kinds = {promise.kind for promise in promises}
    ways = [word for kind, word in WAYS.items() if kind in kinds]
    if not ways:
        return ""
    return f"{listed(ways)} too" if "service" in kinds else f"by {listed(ways)}"


def _share_words(promises: Sequence[Promise], names: Names, share: Share | None) -> str:
    """``1 of 3 backends``; for some clients it may be more than for others."""
    if share is None:
        return ""
    samples = list(
        {(p.kind, names.node_of(p.client), p.client.kind): p for p in promises if p.kind != "self"}.values()
    )
    step = max(1, -(-len(samples) // MOST_SAMPLES))
    shares = {known for promise in samples[::step] if (known := share(promise)) is not None}
    failing, most = {one[0] for one in shares}, {one[1] for one in shares}
    if len(most) != 1 or failing == most:
        return ""
    low, high, backends = min(failing), max(failing), most.pop()
    between = " or " if high - low == 1 else " to "
    return f"{low if low == high else f'{low}{between}{high}'} of {counted(backends, 'backend')}"


# --- the rest ---------------------------------------------------------------------------------------------------------


def _plain(sort: str, promises: Sequence[Promise], names: Names, share: Share | None) -> str:
    subjects = listed(sorted({promise.subject.short for promise in promises}))
    match sort:
        case "dns":
            part = _share_words(promises, names, share)
            return f"DNS{f' ({part})' if part else ''} {_from(promises, names)}"
        case "api":
            return f"the API server {_from(promises, names)}"
        case "kubelet":
            return f"the API server -> kubelets of {subjects}"
        case "node":
            nodes = listed(sorted({promise.client.name for promise in promises}))
            return f"probes of the kubelet on {nodes}"
        case "outside":
            return f"the outside {_from(promises, names)}"
    return f"{sort}: {subjects} {_from(promises, names)}"


def _from(promises: Sequence[Promise], names: Names) -> str:
    """``from everywhere``, ``from Pods on n1 and n3``, ``from all Pods, from n1 itself and from outside``."""
    pods = {names.node_of(one.client) for one in promises if one.client.kind == "Pod"}
    hosts = {one.client.name for one in promises if one.client.kind == "Node"}
    outside = any(one.client.kind not in ("Pod", "Node") for one in promises)
    if pods >= names.nodes_with_pods and hosts >= set(names.nodes) and hosts:
        return "from everywhere"
    own = "its own Pods" if all(promise.kind == "self" for promise in promises) else "Pods"
    if pods and pods == hosts:
        parts = [listed(sorted(pods))]
    elif pods and pods == names.nodes_with_pods and len(pods) > 1:
        parts = ["all Pods" if own == "Pods" else own]
    elif pods == {""}:
        parts = [own]  # of nodes that are not known
    else:
        parts = [f"{own} on {listed(sorted(pods))}"] if pods else []
    if hosts and hosts != pods:
        themselves = "itself" if len(hosts) == 1 else "themselves"
        parts.append(f"{listed(sorted(hosts))} {themselves}")
    parts += ["outside"] if outside else []
    return listed((f"from {part}" for part in parts), most=9)
