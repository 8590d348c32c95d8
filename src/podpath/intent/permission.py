"""Whether policies stand in the way of a promise, from every address its packets may come with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from podpath.intent.clients import Asker
from podpath.intent.policy import End, PolicyVerdict, allowed
from podpath.model.addr import is_v4
from podpath.model.network import Network
from podpath.model.origin import NOWHERE, Origin
from podpath.model.promise import NotPromised
from podpath.model.refs import ObjectRef, node_netns

FOREIGN_POLICIES = {
    "networkpolicies.crd.projectcalico.org": "Calico NetworkPolicy",
    "globalnetworkpolicies.crd.projectcalico.org": "Calico GlobalNetworkPolicy",
    "networkpolicies.projectcalico.org": "Calico NetworkPolicy",
    "globalnetworkpolicies.projectcalico.org": "Calico GlobalNetworkPolicy",
    "ciliumnetworkpolicies.cilium.io": "CiliumNetworkPolicy",
    "ciliumclusterwidenetworkpolicies.cilium.io": "CiliumClusterwideNetworkPolicy",
    "adminnetworkpolicies.policy.networking.k8s.io": "AdminNetworkPolicy",
    "baselineadminnetworkpolicies.policy.networking.k8s.io": "BaselineAdminNetworkPolicy",
    "clusternetworkpolicies.policy.networking.k8s.io": "ClusterNetworkPolicy",
    "networkpolicies.crd.antrea.io": "Antrea NetworkPolicy",
    "clusternetworkpolicies.crd.antrea.io": "Antrea ClusterNetworkPolicy",
}
"""Lists of policies whose languages are not read here: what they touch is not promised, since they may deny it."""


@dataclass(frozen=True, eq=False)
class Permissions:
    """What policies say of the flows of a cluster."""

    network: Network

    @cached_property
    def _foreign(self) -> dict[str, tuple[str, Origin]]:
        """By namespace (empty: all of them) a policy that is not understood."""
        found: dict[str, tuple[str, Origin]] = {}
        for listed, kind in FOREIGN_POLICIES.items():
            for policy in self.network.cluster.others.get(listed, ()):
                found.setdefault(policy.meta.namespace, (f"{kind} {policy.ref.short}", policy.origin))
        return found

    @cached_property
    def _open(self) -> bool:
        """Whether there is no policy at all."""
        return not self.network.cluster.policies and not self._foreign

    def refusal(
        self,
        asker: Asker,
        servers: Iterable[tuple[int, int]],
        protocol: int,
        subject: ObjectRef,
        entry: str = "",
    ) -> NotPromised | None:
        """Why an asker is not promised all these servers; None when policies let it through to each of them.

        ``entry`` is the node whose kube-proxy may put its own address in place of the asker's (NodePorts).
        """
        if self._open:
            return None
        for addr, port in sorted(servers):
            pod = self.network.cluster.pod_at(addr)
            target: End = pod or addr
            for source in self._sources(asker, entry, pod.node if pod else "", v4=is_v4(addr)):
                hairpin = source is target
                verdict = allowed(
                    self.network.cluster, source, target, protocol, port, v4=is_v4(addr), hairpin=hairpin
                )
                refused = _refused(verdict, subject) or self._foreign_refusal((source, target), subject)
                if refused is not None:
                    return refused
        return None

    def _sources(self, asker: Asker, entry: str, at: str, *, v4: bool) -> Iterator[End]:
        """Everybody as whom an asker may appear to a server on the node ``at``."""
        yield asker.end
        nodes = {asker.client.node if asker.client.kind == "node" else "", entry} - {""}
        for node in sorted(nodes):
            if node != asker.end:
                yield node
            if node != at:
                yield from self._tunnel_addresses(node, v4=v4)

    def _tunnel_addresses(self, node: str, *, v4: bool) -> Iterator[int]:
        """Addresses of a node inside its Pods' range by which other nodes see it: those of a tunnel's device.

        That of the bridge (cni0) is seen by Pods on the node itself only.
        """
        known = self.network.cluster.nodes.get(node)
        netns = self.network.namespaces.get(node_netns(node))
        if known is None or netns is None:
            return
        for address in netns.addresses or ():
            link = (netns.links or {}).get(address.dev)
            if is_v4(address.addr) != v4 or (link is not None and link.kind == "bridge"):
                continue
            if any(address.addr in prefix for prefix in known.pod_cidrs):
                yield address.addr

    def _foreign_refusal(self, ends: Iterable[End], subject: ObjectRef) -> NotPromised | None:
        if not self._foreign:
            return None
        for end in ends:
            if isinstance(end, int | str) or end.host_network:
                continue
            policy, origin = self._foreign.get(end.meta.namespace) or self._foreign.get("") or ("", NOWHERE)
            if policy:
                text = f"{policy} may deny it, and is not read here"
                return NotPromised("policy-not-understood", text, subject, origin)
        return None


def _refused(verdict: PolicyVerdict, subject: ObjectRef) -> NotPromised | None:
    if verdict.allowed:
        return None
    return NotPromised("network-policy", verdict.text, subject, verdict.origin)
