"""cni0-wrong-address."""

from __future__ import annotations

import re
from collections.abc import Iterator

from podpath.checks.cni.sandbox import Complaint, unfulfilled, waiting
from podpath.checks.registry import Promised, state_check
from podpath.model.addr import is_v4
from podpath.model.finding import Confidence, Finding, Fix, Severity
from podpath.model.kube.cluster import grouped
from podpath.model.linux.cni import config_in_use
from podpath.model.linux.link import InterfaceAddress
from podpath.model.network import Network
from podpath.model.refs import ObjectRef, node_netns

PATTERN = re.compile(r'"?([\w.-]+)"? already has an IP address different from (\S+)')
OWN_RANGE = frozenset({"bridge", "flannel"})
"""Plugins whose bridge has an address of the node's podCIDR, when host-local gives the addresses."""


def _fix(node: str, bridge: str) -> Fix:
    return Fix(
        f"delete {bridge}: the next Pod makes it anew, with the right address",
        (
            f"{node}: ip link set {bridge} down; ip link delete {bridge} type bridge",
            f"{node}: rm -rf /var/lib/cni/networks/*          # leases of the old range",
            f"kubectl delete pods -A --field-selector spec.nodeName={node}      # those that hung on the old bridge",
        ),
        "medium: the node's Pods lose their network until they are recreated",
    )


@state_check("cni0-wrong-address", severity=Severity.ERROR, needs=("api/nodes", "api/pods"))
def cni0_wrong_address(network: Network, _promised: Promised) -> Iterator[Finding]:
    """The Pods' bridge has an address outside the node's podCIDR.

    ## Why it breaks

    A node that left and joined again has another podCIDR, but the old bridge is still there with its old address. The
    bridge plugin refuses to add another one: new Pods get no sandbox, and old Pods keep addresses that nobody routes.

    ## See it by hand

        kubectl get node <node> -o jsonpath='{.spec.podCIDR}'
        ip -4 addr show cni0                           # on the node

    ## Fix

    Delete the bridge and the old leases, and recreate the node's Pods.

    ## Often confused with

    *cni-multiple-configs*: Pods hang on another CNI's bridge. *node-podcidr-duplicate*: two nodes got one range.
    """
    hits = [(one, found) for one in waiting(network) if (found := PATTERN.search(one.text)) is not None]
    told = set()
    for node, of_node in grouped((one.pod.node, (one, found)) for one, found in hits).items():
        first, found = of_node[0]
        told.add(node)
        wrong = _wrong_address(network, node)
        complaint = Complaint(
            "cni0-wrong-address",
            "",
            f"bridge {found[1]} has an address that is not {found[2]}",
            "left over from another podCIDR",
            _fix(node, found[1]),
        )
        evidence = (first.origin, *((wrong.origin,) if wrong else ()))
        yield unfulfilled(network, complaint, node, tuple(one for one, _ in of_node), (), evidence)
    for node in sorted(set(network.nodes) - told):
        wrong = _wrong_address(network, node)
        if wrong is not None:
            yield _will_fail(network, node, wrong)


def _will_fail(network: Network, node: str, wrong: InterfaceAddress) -> Finding:
    """No Pod waits yet."""
    return Finding(
        code="cni0-wrong-address",
        severity=Severity.WARNING,
        subject=ObjectRef("Node", "", node),
        message=f"On {node} bridge {wrong.dev} has an address outside the node's podCIDR: new Pods will not start",
        evidence=(
            wrong.origin,
            network.cluster.field_origin(network.cluster.nodes[node], "spec", "podCIDR"),
        ),
        cause="left over from another podCIDR",
        confidence=Confidence.LIKELY,
        fix=_fix(node, wrong.dev),
    )


def _wrong_address(network: Network, node: str) -> InterfaceAddress | None:
    """An address of the bridge that is in none of the node's ranges, where one of its family should be."""
    object_, known, netns = (
        network.cluster.nodes.get(node),
        network.nodes.get(node),
        network.namespaces.get(node_netns(node)),
    )
    config = config_in_use((known.cni if known else None) or ())
    plugin = config.main if config else None
    if (
        object_ is None
        or netns is None
        or plugin is None
        or plugin.type not in OWN_RANGE
        or not object_.pod_cidrs
    ):
        return None
    if plugin.ranges or plugin.ipam not in ("", "host-local"):
        return None  # the configuration names a range of its own
    bridge = plugin.bridge or "cni0"
    own = [one for one in netns.addresses or () if one.dev == bridge and one.scope != "link"]
    for v4 in (True, False):
        ranges = [prefix for prefix in object_.pod_cidrs if is_v4(prefix.net) == v4]
        addresses = [one for one in own if is_v4(one.addr) == v4]
        if ranges and addresses and not any(one.addr in prefix for one in addresses for prefix in ranges):
            return addresses[0]
    return None
