"""dns-upstream-unreachable."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from podpath.checks.dns.names import askers, corefiles, services
from podpath.checks.host.log_lines import Said, is_recent, said_by_pod
from podpath.checks.objects.kubectl import stated
from podpath.checks.registry import Promised, state_check
from podpath.dataplane.tracer import trace_flow
from podpath.model.addr import format_addr, parse_addr
from podpath.model.finding import Confidence, Finding, Fix, Severity
from podpath.model.flow import PROTOCOL_NUMBERS, Flow
from podpath.model.kube.cluster import grouped
from podpath.model.kube.pod import Pod
from podpath.model.network import Network
from podpath.model.origin import NOWHERE
from podpath.model.promise import Promise
from podpath.model.refs import pod_netns

FAILED = re.compile(
    r"(?:read|write|dial) (udp|tcp) \S*?->\[?([0-9a-fA-F.:]+?)\]?:(\d+): (.*)"
    r"|dial (udp|tcp) \[?([0-9a-fA-F.:]+?)\]?:(\d+): (.*)"
)
ANSWER = (
    "i/o timeout",
    "no route to host",
    "connection refused",
    "network is unreachable",
    "host is unreachable",
)
MEANS = {
    "i/o timeout": "no answer came",
    "no route to host": "nobody has this address on the way, or a host refuses it",
    "connection refused": "the host is there, and nothing listens on the port",
    "network is unreachable": "the DNS Pod has no route",
    "host is unreachable": "nobody has this address on the way, or a host refuses it",
}
FEW = 2
"""Fewer lines than that are lost packets of some day."""


class Lost(NamedTuple):
    """A question to an upstream that was not answered."""

    said: Said
    pod: Pod
    protocol: int
    addr: int
    port: int
    how: str


@state_check(
    "dns-upstream-unreachable", severity=Severity.ERROR, needs=("api/pods", "api/services", "node/logs")
)
def dns_upstream_unreachable(network: Network, promised: Promised) -> Iterator[Finding]:
    """The DNS Pods do not reach the resolver that they forward to.

    ## Why it breaks

    CoreDNS answers for cluster names itself and forwards all others. If the upstream does not answer, names of the
    outside take some seconds and end in SERVFAIL, and cluster names work.

    ## See it by hand

        kubectl -n kube-system logs -l k8s-app=kube-dns | grep plugin/errors
        kubectl -n kube-system get configmap coredns -o jsonpath='{.data.Corefile}' | grep forward
        dig @<upstream> example.com                    # from the node: told apart, the resolver and the Pods' way out

    ## Fix

    Forward to a resolver that answers; if it answers nodes, cure the Pods' way out (masquerade, firewall, port 53
    by UDP and TCP).

    ## Often confused with

    *dns-pods-not-running*: no name at all is found. *pod-masquerade-missing*: nothing outside is reached by Pods.
    """
    lost = [
        one
        for service in services(network)
        for pod in network.cluster.pods_of(service)
        for one in _lost(network, pod)
    ]
    silent = _pods_with_logs(network) - {one.pod.key for one in lost}
    for (addr, port), to_one in grouped(((one.addr, one.port), one) for one in lost).items():
        pods = {one.pod.key for one in to_one}
        recent = [one for one in to_one if is_recent(network, one.said)]
        if not recent or len(to_one) < FEW:
            continue
        everybody = not silent and pods >= _pods_with_logs(network)
        step = _where_it_ends(network, recent[-1], addr)
        elsewhere = next((one.flow.dst for one in promised.promises if one.kind == "outside"), None)
        cut_off = (
            bool(step) and elsewhere is not None and bool(_where_it_ends(network, recent[-1], elsewhere))
        )
        yield _found(network, addr, port, recent, step, severe=everybody and not cut_off)


def _pods_with_logs(network: Network) -> set[tuple[str, str]]:
    chosen = {
        pod.key for service in services(network) for pod in network.cluster.pods_of(service) if pod.running
    }
    logged = {key for key in said_by_pod(network) if key in chosen}
    return logged or chosen


def _lost(network: Network, pod: Pod) -> Iterator[Lost]:
    """Questions to machines outside the cluster that a DNS Pod's log calls unanswered."""
    cluster = network.cluster
    for one in said_by_pod(network).get(pod.key, ()):
        found = FAILED.search(one.text)
        how = next((answer for answer in ANSWER if found and answer in one.text), "")
        if found is None or not how:
            continue
        groups = [group for group in found.groups() if group is not None]
        try:
            addr = parse_addr(groups[1])
        except ValueError:
            continue
        inside = addr in cluster.services_by_cluster_ip or addr in cluster.pods_by_ip or pod.finished
        if not inside and groups[2] in ("53", "853", "5353"):
            yield Lost(one, pod, PROTOCOL_NUMBERS[groups[0]], addr, int(groups[2]), how)


def _where_it_ends(network: Network, one: Lost, addr: int) -> str:
    """The step at which the model ends such a question; empty if it arrives."""
    netns = pod_netns(*one.pod.key)
    if netns not in network.namespaces:
        return ""
    failing = trace_flow(network, Flow(netns, addr, one.protocol, one.port), any_listener=True).failing
    return failing[0].end.last.text if failing else ""


def _found(network: Network, addr: int, port: int, recent: list[Lost], step: str, *, severe: bool) -> Finding:
    text = format_addr(addr)
    pods = {one.pod.key: one for one in recent}
    how = Counter(one.how for one in recent).most_common(1)[0][0]
    promises = tuple(_promise(one, text) for one in pods.values())
    owner = next(
        (
            one
            for one in corefiles(network)
            if text in one.forwards or any(t.startswith(text) for t in one.forwards)
        ),
        None,
    )
    evidence = [one.said.line.origin for one in list(pods.values())[:2]]
    if owner is not None:
        line = next(line for target, line in owner.lines.items() if target.startswith(text))
        evidence.append(stated(network.cluster, owner.configmap, "data", "Corefile", text=line))
    return Finding(
        code="dns-upstream-unreachable",
        severity=Severity.ERROR if severe else Severity.WARNING,
        subject=owner.configmap.ref if owner else services(network)[0].ref,
        message=f"Names of the outside are not resolved: {len(pods)} DNS Pods get no answer from {text}:{port} ({how})",
        evidence=tuple(evidence),
        cause=MEANS[how],
        confidence=Confidence.CERTAIN if severe else Confidence.LIKELY,
        fix=Fix(
            f"forward to a resolver that answers, or let {text} answer the DNS Pods",
            (
                f"dig @{text} -p {port} example.com      # on a node: answers there? then it is the Pods' way out",
                "kubectl -n kube-system edit configmap coredns      # forward . <a resolver that answers>",
            ),
            "low",
        ),
        reason=f"the trace of such a question: {step}" if step else "",
        breaks=promises if severe else (),
        broken=max(1, askers(network)) if severe else 0,
    )


def _promise(one: Lost, text: str) -> Promise:
    """What was seen to fail."""
    return Promise(
        kind="dns",
        flow=Flow(pod_netns(*one.pod.key), one.addr, one.protocol, one.port),
        subject=one.pod.ref,
        client=one.pod.ref,
        servers=None,
        text=f"{one.pod.ref.short} on {one.pod.node} -> its upstream resolver {text}",
        needs_listener=False,
        origin=NOWHERE,
    )
