"""NetworkPolicy by the book: who may open a connection to whom (networking/v1 types.go).

Policies only ever allow: a Pod that none selects for a direction is open in it, one that some select may do what any
rule of any of them allows. Order and names do not matter, and there is no rule that denies.

Addresses and ports are those after the translation of Services: a rule speaks of Pods and their own ports.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache

import msgspec

from podpath.model.addr import format_addr, is_v4
from podpath.model.flow import SCTP, TCP, UDP, protocol_name
from podpath.model.kube.cluster import Cluster
from podpath.model.kube.networkpolicy import NetworkPolicy, Peer, PolicyPort, PolicyRule
from podpath.model.kube.pod import Pod
from podpath.model.kube.selector import LabelSelector
from podpath.model.origin import NOWHERE, Origin

End = Pod | int | str
"""One end of a connection: a Pod, an address, or a node's name."""

INGRESS, EGRESS = "Ingress", "Egress"


class PolicyVerdict(msgspec.Struct, frozen=True, gc=False):
    """What policies say of a connection in one direction."""

    allowed: bool
    direction: str
    """``Ingress`` or ``Egress``: which Pod's policies decided."""
    policies: tuple[NetworkPolicy, ...] = ()
    """Those that select that Pod for the direction; none: it is open."""
    policy: NetworkPolicy | None = None
    """The one whose rule allows."""
    rule: int | None = None
    """The index of that rule in the policy's list."""
    text: str = ""
    """One sentence."""

    @property
    def origin(self) -> Origin:
        """The policy that allows, else the first of those that together deny."""
        if self.policy is not None:
            return self.policy.origin
        return self.policies[0].origin if self.policies else NOWHERE

    @property
    def path(self) -> tuple[str, ...]:
        """Where the allowing rule stands in its policy (see ``Cluster.field_origin``)."""
        return ("spec",) if self.rule is None else ("spec", self.direction.lower(), str(self.rule))


class _Other(msgspec.Struct, frozen=True, gc=False):
    """The far end as a policy sees it."""

    addr: int | None
    pod: Pod | None = None
    """A Pod with a network of its own. A Pod of the host's is its node, and a finished one is nobody."""
    node: str = ""
    """The node, where the end is a node or a Pod of its network."""
    name: str = ""


def allowed(
    cluster: Cluster,
    src: End,
    dst: End,
    protocol: int,
    dport: int,
    *,
    v4: bool = True,
    blocks_match_pods: bool = True,
    hairpin: bool = False,
) -> PolicyVerdict:
    """Whether a new connection is allowed: the direction that denies, else the one whose policies were asked.

    ``v4`` chooses the family where neither end is an address. ``blocks_match_pods``: whether an ``ipBlock`` also
    matches Pods' addresses, which the API leaves to the plugin (Calico, kube-router, Antrea and OVN say yes, Cilium
    no). ``hairpin``: the Pod reaches itself through a Service; only then is traffic to itself policed at all.
    """
    egress, ingress = verdicts(
        cluster, src, dst, protocol, dport, v4=v4, blocks_match_pods=blocks_match_pods, hairpin=hairpin
    )
    if not egress.allowed:
        return egress
    return ingress if ingress.policies or not ingress.allowed or not egress.policies else egress


def verdicts(
    cluster: Cluster,
    src: End,
    dst: End,
    protocol: int,
    dport: int,
    *,
    v4: bool = True,
    blocks_match_pods: bool = True,
    hairpin: bool = False,
) -> tuple[PolicyVerdict, PolicyVerdict]:
    """The verdict on the sender's side and the one on the receiver's."""
    v4 = next((is_v4(end) for end in (src, dst) if isinstance(end, int)), v4)
    source, target = _end(cluster, src, v4=v4), _end(cluster, dst, v4=v4)
    if source.pod is not None and source.pod is target.pod and not hairpin:
        text = f"{source.name} reaches itself inside its own network namespace"
        return PolicyVerdict(True, EGRESS, text=text), PolicyVerdict(True, INGRESS, text=text)
    wanted = _Wanted(protocol, dport, target.pod, blocks_match_pods)
    return _egress(cluster, source, target, wanted), _ingress(cluster, source, target, wanted)


class _Wanted(msgspec.Struct, frozen=True, gc=False):
    """What is asked for, and what a named port means."""

    protocol: int
    dport: int
    target: Pod | None
    blocks_match_pods: bool

    def __str__(self) -> str:
        return (
            f"port {self.dport}/{protocol_name(self.protocol)}"
            if self.dport
            else protocol_name(self.protocol)
        )


def _end(cluster: Cluster, end: End, *, v4: bool) -> _Other:
    """Who an end is. An address is looked up: it may be a Pod's or a node's."""
    if isinstance(end, Pod):
        addr = end.ip(v4=v4)
        if end.host_network:
            return _Other(addr, node=end.node, name=end.ref.short)
        return _Other(addr, end if end.live else None, name=end.ref.short)
    if isinstance(end, str):
        node = cluster.nodes.get(end)
        return _Other(node.internal_ip(v4=v4) if node else None, node=end, name=end)
    pod = cluster.pod_at(end)
    if pod is not None:
        return _Other(end, pod, name=pod.ref.short)
    node = cluster.node_by_address.get(end)
    return _Other(end, node=node.name if node else "", name=node.name if node else format_addr(end))


def _egress(cluster: Cluster, source: _Other, target: _Other, wanted: _Wanted) -> PolicyVerdict:
    if source.pod is None:
        return PolicyVerdict(True, EGRESS, text=f"{source.name} is no Pod with a network of its own")
    return _asked(cluster, source.pod, target, wanted, EGRESS)


def _ingress(cluster: Cluster, source: _Other, target: _Other, wanted: _Wanted) -> PolicyVerdict:
    if target.pod is None:
        return PolicyVerdict(True, INGRESS, text=f"{target.name} is no Pod with a network of its own")
    if source.node and source.node == target.pod.node:
        return PolicyVerdict(True, INGRESS, text=f"a Pod's own node ({source.node}) is always let in")
    return _asked(cluster, target.pod, source, wanted, INGRESS)


def _asked(cluster: Cluster, subject: Pod, other: _Other, wanted: _Wanted, direction: str) -> PolicyVerdict:
    """What the policies of a Pod say in a direction."""
    policies = policies_of(cluster, subject, direction)
    name = subject.ref.short
    if not policies:
        return PolicyVerdict(True, direction, text=f"no policy limits {direction.lower()} of {name}")
    for policy in policies:
        for index, rule in enumerate(policy.rules(direction)):
            if _rule_matches(cluster, policy, rule, other, wanted, direction):
                text = f"NetworkPolicy {policy.ref.short} allows it ({direction.lower()} rule {index + 1})"
                return PolicyVerdict(True, direction, policies, policy, index, text)
    names = ", ".join(policy.meta.name for policy in policies)
    way = "to" if direction == EGRESS else "from"
    limited = f"{direction.lower()} of {name} is limited by NetworkPolicy {names}"
    return PolicyVerdict(
        False, direction, policies, text=f"{limited}: no rule allows {way} {other.name} {wanted}"
    )


def _rule_matches(
    cluster: Cluster, policy: NetworkPolicy, rule: PolicyRule, other: _Other, wanted: _Wanted, direction: str
) -> bool:
    """Peers AND ports; an empty list of either is no condition. A port's name says nothing about a bare address."""
    peers = rule.destinations if direction == EGRESS else rule.sources
    if not peers:
        return _ports_match(rule.ports, wanted, named=True)
    return any(
        _peer_matches(cluster, policy, peer, other, wanted)
        and _ports_match(rule.ports, wanted, named=direction == INGRESS or peer.ip_block is None)
        for peer in peers
    )


def _peer_matches(
    cluster: Cluster, policy: NetworkPolicy, peer: Peer, other: _Other, wanted: _Wanted
) -> bool:
    if peer.ip_block is not None:
        if other.pod is not None and not wanted.blocks_match_pods:
            return False
        return other.addr is not None and other.addr in peer.ip_block
    pod = other.pod
    if pod is None:
        return False
    if peer.namespace_selector is None:
        in_namespace = pod.meta.namespace == policy.meta.namespace
    else:
        in_namespace = peer.namespace_selector.matches(cluster.namespace_labels(pod.meta.namespace))
    return in_namespace and (peer.pod_selector is None or peer.pod_selector.matches(pod.meta.labels))


def _ports_match(ports: tuple[PolicyPort, ...], wanted: _Wanted, *, named: bool) -> bool:
    """Other protocols than TCP, UDP and SCTP have no ports: only a rule without ports lets them through."""
    if not ports:
        return True
    if wanted.protocol not in (TCP, UDP, SCTP):
        return False
    return any(
        port.protocol == wanted.protocol and _port_matches(port, wanted, named=named) for port in ports
    )


def _port_matches(port: PolicyPort, wanted: _Wanted, *, named: bool) -> bool:
    if port.port is None:
        return True
    if isinstance(port.port, str):
        if not named or wanted.target is None:
            return False
        return wanted.target.port_number(port.port, port.protocol) == wanted.dport
    return port.port <= wanted.dport <= (port.end_port or port.port)


def policies_of(cluster: Cluster, pod: Pod, direction: str) -> tuple[NetworkPolicy, ...]:
    """The policies that select a Pod for a direction. Those of the host's network are not selected in practice."""
    if pod.host_network:
        return ()
    return _selections(cluster).of(pod)[direction]


class _Selections:
    """Which policies select a Pod: asked once for all Pods of a namespace with equal labels (those that count)."""

    def __init__(self, cluster: Cluster) -> None:
        self.policies = cluster.policies
        self.keys = {
            namespace: sorted({key for policy in policies for key in policy.spec.pod_selector.keys})
            for namespace, policies in cluster.policies.items()
        }
        self.known: dict[tuple[str, tuple[str | None, ...]], Mapping[str, tuple[NetworkPolicy, ...]]] = {}

    def of(self, pod: Pod) -> Mapping[str, tuple[NetworkPolicy, ...]]:
        namespace, labels = pod.meta.namespace, pod.meta.labels
        group = namespace, tuple(labels.get(key) for key in self.keys.get(namespace, ()))
        if group not in self.known:
            self.known[group] = self._select(namespace, labels)
        return self.known[group]

    def _select(self, namespace: str, labels: Mapping[str, str]) -> Mapping[str, tuple[NetworkPolicy, ...]]:
        chosen = [one for one in self.policies.get(namespace, ()) if one.spec.pod_selector.matches(labels)]
        return {way: tuple(one for one in chosen if way in one.directions) for way in (INGRESS, EGRESS)}


@lru_cache(maxsize=2)
def _selections(cluster: Cluster) -> _Selections:
    return _Selections(cluster)


def peer_keys(cluster: Cluster) -> frozenset[str]:
    """The label keys of Pods by which policies tell peers apart."""
    return frozenset(key for selector in _peer_selectors(cluster) for key in selector.keys)


def _peer_selectors(cluster: Cluster) -> Iterator[LabelSelector]:
    for policies in cluster.policies.values():
        for policy in policies:
            for rule in (*policy.spec.ingress, *policy.spec.egress):
                yield from (peer.pod_selector for peer in rule.peers if peer.pod_selector is not None)
