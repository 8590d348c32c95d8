"""dns-resolvconf-limits."""

from __future__ import annotations

from collections.abc import Iterator

from podpath.checks.registry import Promised, state_check
from podpath.model.addr import format_addr
from podpath.model.finding import Confidence, Finding, Fix, Severity
from podpath.model.kube.event import Event
from podpath.model.network import Netns, Network
from podpath.model.origin import Origin
from podpath.model.refs import ObjectRef

SHORTEN = Fix(
    "leave three nameservers and a short search list in the file that the kubelet reads",
    (
        "on the node: printf 'nameserver <a>\\nnameserver <b>\\n' > /etc/kubernetes/resolv.conf",
        "on the node, in the KubeletConfiguration: resolvConf: /etc/kubernetes/resolv.conf; systemctl restart kubelet",
    ),
    "low: Pods read it when they are made",
)


@state_check("dns-resolvconf-limits", severity=Severity.WARNING)
def dns_resolvconf_limits(network: Network, _promised: Promised) -> Iterator[Finding]:
    """A resolv.conf has more entries than are ever used.

    ## Why it breaks

    C libraries ask three nameservers and no more, and the kubelet cuts longer lists (nameservers, and search domains
    beyond 32 or 2048 characters). What was cut is never asked: names that only the fourth server knows are not found.

    ## See it by hand

        kubectl get events -A --field-selector reason=DNSConfigForming
        grep -c nameserver /etc/resolv.conf            # on the node

    ## Fix

    Shorten the list where it is made (DHCP, netplan, NetworkManager), or give the kubelet a file of its own.

    ## Often confused with

    *dns-one-dead-nameserver*: the list is short enough, and one of the servers does not answer.
    """
    seen = set()
    for netns in network.namespaces.values():
        if netns.is_host and netns.resolv is not None and netns.resolv.ignored and _is_read(network, netns):
            seen.add(netns.node)
            yield _too_many(netns)
    events: dict[str, Event] = {}
    for event in network.cluster.events:
        if event.reason == "DNSConfigForming" and "limits were exceeded" in event.message:
            pod = network.cluster.pods.get((event.object.namespace, event.object.name))
            node = pod.node if pod else event.object.name if event.object.kind == "Node" else ""
            if node:
                events[node] = event
    for node, event in sorted(events.items()):
        if node not in seen:
            yield _cut(node, event)


def _is_read(network: Network, netns: Netns) -> bool:
    """Whether the kubelet reads this file, as far as it is known."""
    known = network.nodes.get(netns.node)
    return known is None or known.kubelet is None or known.kubelet.resolv_conf in ("", "/etc/resolv.conf")


def _too_many(netns: Netns) -> Finding:
    resolv = netns.resolv
    ignored = ", ".join(format_addr(one) for one in (resolv.ignored if resolv else ()))
    lines = resolv.nameserver_origins if resolv else ()
    return Finding(
        code="dns-resolvconf-limits",
        severity=Severity.WARNING,
        subject=ObjectRef("Node", "", netns.node),
        message=f"{netns.node} has more than three nameservers: {ignored} is never asked",
        evidence=(lines[-1] if lines else netns.source("resolv.conf", f"ignored: {ignored}"),),
        cause="only the first three are asked",
        confidence=Confidence.CERTAIN,
        fix=SHORTEN,
    )


def _cut(node: str, event: Event) -> Finding:
    return Finding(
        code="dns-resolvconf-limits",
        severity=Severity.WARNING,
        subject=ObjectRef("Node", "", node),
        message=f"The kubelet of {node} cuts the resolv.conf of Pods: {event.message[:200]}",
        evidence=(
            Origin(event.origin.file, event.origin.line, f"event DNSConfigForming: {event.message[:250]}"),
        ),
        cause="the list is longer than what is used",
        confidence=Confidence.CERTAIN,
        fix=SHORTEN,
    )
