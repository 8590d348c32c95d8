"""hostnetwork-dnspolicy."""

from __future__ import annotations

import re
from collections.abc import Iterator

from podpath.checks.host.log_lines import Said, said_by_pod
from podpath.checks.objects.kubectl import merge_patch, stated
from podpath.checks.registry import Promised, state_check
from podpath.intent.dns import cluster_domain
from podpath.model.finding import Confidence, Finding, Fix, Severity
from podpath.model.kube.cluster import Cluster
from podpath.model.kube.pod import Pod
from podpath.model.network import Network
from podpath.model.refs import ObjectRef

LOOKUP = re.compile(
    r"lookup ([\w.-]+)(?: on (\S+))?: (?:no such host|server misbehaving)|Could not resolve host:? "
    r"([\w.-]+)|Name or service not known:? ([\w.-]+)"
)


@state_check(
    "hostnetwork-dnspolicy", severity=Severity.WARNING, needs=("api/pods", "api/services", "node/logs")
)
def hostnetwork_dnspolicy(network: Network, _promised: Promised) -> Iterator[Finding]:
    """A Pod of the host's network looks for a Service by name, and asks the node's resolver.

    ## Why it breaks

    With ``hostNetwork: true`` the policy ClusterFirst means Default: the Pod gets the node's resolv.conf, whose
    servers know no cluster names. Most such Pods need none, so only one that was seen to look for a Service is told.

    ## See it by hand

        kubectl -n <namespace> get pod <pod> -o jsonpath='{.spec.hostNetwork} {.spec.dnsPolicy}'
        kubectl -n <namespace> exec <pod> -- cat /etc/resolv.conf

    ## Fix

    ``dnsPolicy: ClusterFirstWithHostNet`` in the Pod's template.

    ## Often confused with

    *svc-not-found*: the name is asked of the right server, and no such Service exists.
    """
    for key, lines in said_by_pod(network).items():
        pod = network.cluster.pods.get(key)
        if pod is None or not pod.host_network or pod.spec.dns_policy != "ClusterFirst":
            continue
        for one in reversed(lines):
            name = _service_name(network.cluster, pod, one.text, cluster_domain(network, pod.node))
            if name:
                yield _found(network, pod, one, name)
                break


def _service_name(cluster: Cluster, pod: Pod, text: str, domain: str) -> str:
    """The name in a line about a failed lookup, if it is that of a Service."""
    found = LOOKUP.search(text)
    name = next((group for group in (found[1], found[3], found[4]) if group), "") if found else ""
    parts = name.rstrip(".").removesuffix(f".{domain}").removesuffix(".svc").split(".")
    if not name or len(parts) > 2:
        return ""
    namespace = parts[1] if len(parts) == 2 else pod.meta.namespace
    return name if (namespace, parts[0]) in cluster.services else ""


def _found(network: Network, pod: Pod, one: Said, name: str) -> Finding:
    kind, owner = pod.meta.owner or ("Pod", pod.meta.name)
    ref = ObjectRef(kind, pod.meta.namespace, owner)
    patch = {"spec": {"template": {"spec": {"dnsPolicy": "ClusterFirstWithHostNet"}}}}
    return Finding(
        code="hostnetwork-dnspolicy",
        severity=Severity.WARNING,
        subject=pod.ref,
        message=(
            f"Pod {pod.ref.short} of the host's network looks for {name} at the node's resolver, which "
            "knows no Services"
        ),
        evidence=(
            one.line.origin,
            stated(
                network.cluster, pod, "spec", "dnsPolicy", text="hostNetwork: true, dnsPolicy: ClusterFirst"
            ),
        ),
        cause="with hostNetwork ClusterFirst means the node's resolv.conf",
        confidence=Confidence.CERTAIN,
        fix=Fix(
            "dnsPolicy: ClusterFirstWithHostNet in the Pod's template",
            () if kind in ("Pod", "Node") else (merge_patch(ref, patch),),
            "low: its Pods are recreated",
        ),
    )
