"""ipam-exhausted-leak, podcidr-too-small, subnet-ip-exhausted and eni-limit-maxpods: no address is left to give."""

from __future__ import annotations

import re
from collections.abc import Iterator

from podpath.checks.cni.sandbox import Complaint, Waits, unfulfilled, waiting
from podpath.checks.objects.kubectl import stated
from podpath.checks.registry import Promised, state_check
from podpath.model.addr import is_v4
from podpath.model.finding import Confidence, Finding, Fix, Severity
from podpath.model.kube.cluster import grouped
from podpath.model.kube.node import Node
from podpath.model.linux.cni import config_in_use
from podpath.model.network import Network

NO_ADDRESS = re.compile(
    r"no IP addresses available in (?:range set|network)|No available addresses", re.IGNORECASE
)
CLOUD = re.compile(
    r"failed to assign an IP address to "
    r"container|InsufficientFreeAddressesInSubnet|InsufficientSubnetSize|InsufficientCidrBlocks"
)
REMOVE_DEAD = (
    'cd /var/lib/cni/networks && for f in */[0-9]*; do id=$(head -1 "$f" | tr -d "\\r"); '
    'crictl pods --no-trunc -q | grep -q "$id" || rm -v "$f"; done'
)
RESERVED = 3
"""Of a range: its own address, the bridge's and the broadcast."""
LEAK = 0.5
"""Fewer live Pods than this share of the addresses: the rest was given and never taken back."""


def _usable(node: Node) -> int | None:
    """IPv4 addresses for Pods; None where there is no IPv4 range."""
    ranges = [prefix for prefix in node.pod_cidrs if is_v4(prefix.net)]
    return sum((1 << (32 - prefix.length)) - RESERVED for prefix in ranges) if ranges else None


def _with_address(network: Network, node: str) -> int:
    return sum(pod.live and not pod.host_network for pod in network.cluster.pods_by_node.get(node, ()))


def _run_out(network: Network) -> Iterator[tuple[str, tuple[Waits, ...], bool, Node | None]]:
    """Nodes that have no address left, their Pods that wait, and whether the addresses leaked."""
    hits = [one for one in waiting(network) if NO_ADDRESS.search(one.text)]
    for node, pods in grouped((one.pod.node, one) for one in hits).items():
        object_ = network.cluster.nodes.get(node)
        usable = _usable(object_) if object_ else None
        leaked = usable is None or _with_address(network, node) < usable * LEAK
        yield node, pods, leaked, object_


@state_check("ipam-exhausted-leak", severity=Severity.ERROR, needs=("api/events", "api/pods"))
def ipam_exhausted_leak(network: Network, _promised: Promised) -> Iterator[Finding]:
    """A node's addresses are given out to Pods that no longer exist.

    ## Why it breaks

    host-local keeps a file for each address that it gave. When Pods end while the runtime or the node is down, the
    files stay, and after some weeks no address is left although few Pods run.

    ## See it by hand

        ls /var/lib/cni/networks/* | wc -l; crictl pods -q | wc -l     # on the node
        kubectl get pods -A --field-selector spec.nodeName=<node> -o wide

    ## Fix

    Remove the files whose container no longer exists, with the kubelet stopped; or drain the node and remove all.

    ## Often confused with

    *podcidr-too-small*: all addresses belong to Pods that live.
    """
    for node, pods, leaked, object_ in _run_out(network):
        if not leaked:
            continue
        live = _with_address(network, node)
        room = f" of {_usable(object_)}" if object_ and _usable(object_) else ""
        complaint = Complaint(
            "ipam-exhausted-leak",
            "",
            f"all addresses are given out, and only {live}{room} belong to Pods",
            "leases of containers that no longer exist",
            Fix(
                "remove the leases whose container no longer exists",
                (
                    f"{node}: systemctl stop kubelet",
                    f"{node}: {REMOVE_DEAD}",
                    f"{node}: systemctl start kubelet",
                ),
                "medium: removing a lease in use gives one address to two Pods",
            ),
        )
        evidence = (
            pods[0].origin,
            *((stated(network.cluster, object_, "spec", "podCIDR"),) if object_ else ()),
        )
        yield unfulfilled(network, complaint, node, pods, (), evidence)


@state_check("podcidr-too-small", severity=Severity.ERROR, needs=("api/nodes", "api/pods"))
def podcidr_too_small(network: Network, _promised: Promised) -> Iterator[Finding]:
    """A node's range has fewer addresses than the node may have Pods.

    ## Why it breaks

    The scheduler counts Pods up to the kubelet's maxPods; the range has its own end. Pods beyond it stay in
    ContainerCreating.

    ## See it by hand

        kubectl get node <node> -o jsonpath='{.spec.podCIDR} {.status.allocatable.pods}'

    ## Fix

    Lower maxPods below the number of addresses, or rebuild with larger ranges (``--node-cidr-mask-size``).

    ## Often confused with

    *ipam-exhausted-leak*: few Pods live, and the addresses are gone all the same.
    """
    told = set()
    for node, pods, leaked, object_ in _run_out(network):
        if leaked or object_ is None:
            continue
        told.add(node)
        complaint = Complaint(
            "podcidr-too-small",
            "",
            f"its range has {_usable(object_)} addresses, and {_with_address(network, node)} Pods have one",
            "the range is used up by Pods that live",
            _lower(object_),
        )
        evidence = (pods[0].origin, stated(network.cluster, object_, "spec", "podCIDR"))
        yield unfulfilled(network, complaint, node, pods, (), evidence)
    for object_ in network.cluster.nodes.values():
        usable, most = _usable(object_), _most_pods(network, object_)
        small = usable is not None and usable < most and _takes_from_podcidr(network, object_.name)
        if small and object_.name not in told:
            yield _small(network, object_, most)


def _small(network: Network, node: Node, most: int) -> Finding:
    """Nobody waits yet."""
    return Finding(
        code="podcidr-too-small",
        severity=Severity.WARNING,
        subject=node.ref,
        message=f"{node.name} may have {most} Pods and has {_usable(node)} addresses for them",
        evidence=(
            stated(network.cluster, node, "spec", "podCIDR"),
            stated(network.cluster, node, "status", "allocatable", "pods", text=f"pods: {most}"),
        ),
        cause="the range ends before maxPods",
        confidence=Confidence.CERTAIN,
        fix=_lower(node),
    )


def _lower(node: Node) -> Fix:
    usable = _usable(node) or 0
    step = f"{node.name}: in /var/lib/kubelet/config.yaml: maxPods: {max(usable - 4, 1)}; systemctl restart kubelet"
    return Fix(
        "lower maxPods of the kubelet below the number of addresses",
        (step,),
        "low: Pods beyond it go elsewhere",
    )


def _most_pods(network: Network, node: Node) -> int:
    text = node.status.allocatable.get("pods", "")
    known = network.nodes.get(node.name)
    if text.isdecimal():
        return int(text)
    return known.kubelet.max_pods if known and known.kubelet else 0


def _takes_from_podcidr(network: Network, node: str) -> bool:
    """Whether Pods' addresses come from the node's range, as the CNI's file says."""
    known = network.nodes.get(node)
    config = config_in_use((known.cni if known else None) or ())
    plugin = config.main if config else None
    return plugin is not None and (plugin.type == "flannel" or plugin.ipam == "host-local")


@state_check("subnet-ip-exhausted", severity=Severity.ERROR, needs=("api/events", "api/pods"))
def subnet_ip_exhausted(network: Network, _promised: Promised) -> Iterator[Finding]:
    """The cloud's subnet has no address left for Pods.

    ## Why it breaks

    With a cloud's own CNI each Pod has an address of the nodes' subnet. When the subnet is used up, new Pods wait on
    all its nodes.

    ## See it by hand

        kubectl get events -A --field-selector reason=FailedCreatePodSandBox
        aws ec2 describe-subnets --query 'Subnets[].[SubnetId,AvailableIpAddressCount]'

    ## Fix

    Add a range to the network and give Pods a subnet of their own (custom networking), or delegate prefixes, or free
    interfaces that nothing uses.

    ## Often confused with

    *eni-limit-maxpods*: the subnet has room, and an instance cannot hold more; only full nodes complain.
    """
    failing = _by_cloud(network)
    schedulable = {name for name, node in network.cluster.nodes.items() if not node.spec.unschedulable}
    if failing and (len(failing) > 1 or set(failing) == schedulable):
        for node, pods in failing.items():
            complaint = Complaint(
                "subnet-ip-exhausted",
                "",
                "the subnet has no address left",
                "the cloud gave no address",
                Fix(
                    "give Pods a larger subnet: custom networking with a second range, or prefix delegation",
                    (),
                    "medium",
                ),
            )
            yield unfulfilled(network, complaint, node, pods, (), (pods[0].origin,))


@state_check("eni-limit-maxpods", severity=Severity.ERROR, needs=("api/events", "api/pods"))
def eni_limit_maxpods(network: Network, _promised: Promised) -> Iterator[Finding]:
    """An instance cannot hold more addresses, and its kubelet accepts more Pods than that.

    ## Why it breaks

    Each instance type has a limit of interfaces, and of addresses on each. A maxPods above it lets the scheduler send
    Pods that can never get an address there.

    ## See it by hand

        curl -s localhost:61679/v1/enis                # on the node: assigned and total addresses

    ## Fix

    Set maxPods to interfaces * (addresses - 1) + 2, or turn prefix delegation on.

    ## Often confused with

    *subnet-ip-exhausted*: all nodes of the subnet complain.
    """
    failing = _by_cloud(network)
    others = set(network.cluster.nodes) - set(failing)
    if len(failing) == 1 and others:
        for node, pods in failing.items():
            complaint = Complaint(
                "eni-limit-maxpods",
                "",
                f"{_with_address(network, node)} Pods have one, and the instance takes no more",
                "other nodes still get addresses: it is this instance's limit",
                Fix(
                    "lower maxPods to what the instance type can hold, or delegate prefixes",
                    (
                        (
                            "kubectl -n kube-system set env daemonset aws-node "
                            "ENABLE_PREFIX_DELEGATION=true      # Nitro instances"
                        ),
                    ),
                    "low",
                ),
            )
            yield unfulfilled(network, complaint, node, pods, (), (pods[0].origin,))


def _by_cloud(network: Network) -> dict[str, tuple[Waits, ...]]:
    hits = [one for one in waiting(network) if CLOUD.search(one.text)]
    return dict(grouped((one.pod.node, one) for one in hits))
