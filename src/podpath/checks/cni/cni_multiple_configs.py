"""cni-multiple-configs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from podpath.checks.registry import Promised, state_check
from podpath.model.addr import format_addr, is_v4
from podpath.model.finding import Confidence, Finding, Fix, Severity
from podpath.model.kube.pod import Pod
from podpath.model.linux.cni import EXTENSIONS, CniConfig, config_in_use
from podpath.model.network import Network
from podpath.model.refs import ObjectRef

META = ("multus", "genie", "danm", "tuning-meta")
"""Plugins that call other configurations, so that several are meant to be there."""
PASSED_ON = ("delegates", "delegate", "clusterNetwork", "defaultnetwork")


@state_check("cni-multiple-configs", severity=Severity.WARNING, needs=("node/cni-net.d",))
def cni_multiple_configs(network: Network, _promised: Promised) -> Iterator[Finding]:
    """Several CNI configurations lie on a node, and the first is not the one that other nodes use.

    ## Why it breaks

    The runtime takes the first file by name. A file that a package of containerd, podman or CRI-O brought, or that an
    old CNI left behind, wins over the CNI's own by its name: Pods get addresses that the cluster does not route.

    ## See it by hand

        ls /etc/cni/net.d                              # on the node: the first name wins
        kubectl get pods -A -o wide --field-selector spec.nodeName=<node>

    ## Fix

    Remove the file that is not the CNI's, restart the runtime, and recreate the Pods that it attached.

    ## Often confused with

    *cni0-wrong-address*: the right CNI, and an old address on its bridge.
    """
    first = {
        name: config
        for name, node in network.nodes.items()
        if (config := config_in_use(node.cni or ())) is not None
    }
    usual = Counter(config.name for config in first.values()).most_common(1)
    for node, config in first.items():
        every = [
            one for one in network.nodes[node].cni or () if one.plugins and one.file.endswith(EXTENSIONS)
        ]
        strays = _strays(network, node)
        if len(every) < 2 or _is_meta(config):
            continue
        odd = len(first) > 1 and config.name != usual[0][0] and any(one.name == usual[0][0] for one in every)
        if odd or strays:
            yield _found(network, node, config, every, strays)


def _is_meta(config: CniConfig) -> bool:
    main = config.main
    return main is not None and (main.type.startswith(META) or any(key in main.raw for key in PASSED_ON))


def _strays(network: Network, node: str) -> list[Pod]:
    """Pods whose address is outside the node's range, where other nodes' Pods are inside theirs."""
    own = [pod for pod in network.cluster.pods_by_node.get(node, ()) if _is_inside(network, pod) is False]
    if not own:
        return []
    elsewhere = (pod for pod in network.cluster.pods.values() if pod.node != node)
    return own if any(_is_inside(network, pod) for pod in elsewhere) else []


def _is_inside(network: Network, pod: Pod) -> bool | None:
    """Whether a Pod's addresses are of its node's range; None where that is no question."""
    node = network.cluster.nodes.get(pod.node)
    ranges = node.pod_cidrs if node else ()
    asked = [ip for ip in pod.ips if any(is_v4(ip) == is_v4(prefix.net) for prefix in ranges)]
    if pod.host_network or not pod.live or not asked:
        return None
    return all(any(ip in prefix for prefix in ranges) for ip in asked)


def _found(
    network: Network, node: str, config: CniConfig, every: list[CniConfig], strays: list[Pod]
) -> Finding:
    name = config.file.rpartition("/")[2]
    others = ", ".join(one.file.rpartition("/")[2] for one in every if one is not config)
    message = f"On {node} the CNI configuration {name} wins over {others}"
    evidence = [config.origin, *(one.origin for one in every if one is not config)][:2]
    if strays:
        addr = format_addr(strays[0].ips[0])
        message += (
            f", and {len(strays)} Pods have addresses outside the node's range ({strays[0].ref.short} {addr})"
        )
        evidence.append(network.cluster.field_origin(strays[0], "status", "podIP"))
    return Finding(
        code="cni-multiple-configs",
        severity=Severity.ERROR if strays else Severity.WARNING,
        subject=ObjectRef("Node", "", node),
        message=message,
        evidence=tuple(evidence),
        cause="the first file by name is the one in use",
        confidence=Confidence.CERTAIN,
        fix=Fix(
            f"remove {name} if it is not the CNI's, and recreate the Pods that it attached",
            (
                f"{node}: mv /etc/cni/net.d/{name} /root/; systemctl restart containerd",
                f"kubectl delete pods -A --field-selector spec.nodeName={node}      # those with strange addresses",
            ),
            "medium: Pods are recreated",
        ),
        broken=len(strays),
    )
