"""Explanations of a Service that is translated to somebody who does not serve it."""

from __future__ import annotations

from collections.abc import Iterator

from podpath.checks.case import Case, Explained
from podpath.checks.owners import CNI_PLUGINS, KUBE_PROXY
from podpath.checks.registry import explanation
from podpath.checks.steps.components import restart, told
from podpath.checks.steps.translation import (
    Translation,
    asked_service,
    dnat_of,
    live_endpoint,
    services_chain,
)
from podpath.checks.steps.verdicts import jumps, reachable
from podpath.intent.services import listed_endpoints
from podpath.model.addr import is_v4
from podpath.model.edit import DeleteRule, Edit, InsertRule, table_id
from podpath.model.flow import endpoint_text, protocol_name
from podpath.model.kube.service import Service, ServicePort
from podpath.model.linux import netfilter as nl
from podpath.model.linux.netfilter import Rule, Table
from podpath.model.network import Netns
from podpath.model.refs import ObjectRef

ENDS = (
    "nat-wrong-target",
    "neighbor-unresolved",
    "wrong-route",
    "no-route",
    "null-route",
    "no-listener",
    "listener-elsewhere",
    "rule-reject",
    "rule-drop",
    "ttl-expired",
)
"""Where a packet for somebody who is gone may end."""


def strayed(case: Case) -> tuple[Netns, Translation, Service, ServicePort] | None:
    """The translation of a Service's address to none of its endpoints, and the node that did it."""
    asked, translation = asked_service(case), dnat_of(case)
    if asked is None or asked[1] is None or translation is None:
        return None
    service, port = asked[0], asked[1]
    netns = case.network.namespaces.get(translation.hop.netns)
    target = translation.after.dst, translation.after.dport
    ends = listed_endpoints(case.network.cluster, service, port, v4=is_v4(case.promise.flow.dst))
    if netns is None or not netns.is_host or target in {(one.addr, one.port) for one in ends}:
        return None
    return netns, translation, service, port


@explanation("kube-proxy-stale-endpoint", kinds=ENDS, specificity=46)
def kube_proxy_stale_endpoint(case: Case) -> Explained | None:
    """A node still sends part of a Service's connections to an endpoint that no longer exists.

    ## Why it breaks

    kube-proxy on that node has not taken over a change of the EndpointSlices: it hangs, it cannot reach the API
    server, or its rules cannot be written. One connection in n goes to an address of nobody (a timeout, "no route
    to host"), or of another Pod that got it since (refused, a wrong answer).

    ## See it by hand

        kubectl get endpointslices -l kubernetes.io/service-name=<name> -o wide
        iptables-save -t nat | grep -- '--to-destination' | grep <name>      # an address that is in no slice

    ## Fix

    Restart kube-proxy on that node, then read its log.

    ## Often confused with

    ct-stale-udp-old-endpoint (the rules are right, a tracked UDP flow is old), endpoints-manual-stale (the slice
    itself).
    """
    found = strayed(case)
    if found is None or found[1].owner != KUBE_PROXY or found[1].rule is None:
        return None
    netns, translation, service, port = found
    live = live_endpoint(case.network, service, port, netns.node, v4=is_v4(case.promise.flow.dst))
    edits: tuple[Edit, ...] = ()
    if live is not None:
        step = translation.step
        native, dnat = (
            step.table.startswith("native"),
            f"-A {step.chain} -p {protocol_name(port.protocol)} -j DNAT",
        )
        to = "dnat to" if native else f"{dnat} --to-destination"
        rule = Rule(0, f"{to} {endpoint_text(*live)}", (nl.Dnat((live[0], live[0]), (live[1], live[1])),))
        edits = (InsertRule(netns.id, step.table, step.chain, rule, 0),)
    state = told(case.network, "kube-proxy", netns.node)
    gone = endpoint_text(translation.after.dst, translation.after.dport)
    slices = case.network.cluster.slices_of(service)
    return Explained(
        f"{netns.node} sends part of Service {service.ref.short}:{port.label} to {gone}, none of its endpoints",
        "no EndpointSlice has this endpoint",
        (edits,) if edits else (),
        f"restart kube-proxy on {netns.node}: it writes its rules from the slices again",
        (restart(case.network, "kube-proxy", netns.node),),
        "low: connections that stand are not touched",
        subject=ObjectRef("Node", "", netns.node),
        evidence=(translation.step.origin, *(one.origin for one in slices[:1]), *state.evidence),
        evidence_first=True,
        reason=state.text,
    )


@explanation("kube-proxy-mode-leftover", kinds=ENDS, specificity=48)
def kube_proxy_mode_leftover(case: Case) -> Explained | None:
    """Rules of a mode that kube-proxy no longer uses still translate Services, to endpoints of that day.

    ## Why it breaks

    When kube-proxy's mode is changed (iptables, ipvs, nftables), the new one does not always clear what the old one
    wrote. Both are asked; the first that translates wins, and the leftover knows nothing of Pods made since.

    ## See it by hand

        kubectl -n kube-system get configmap kube-proxy -o yaml | grep 'mode:'
        iptables-save | grep -c KUBE-SEP-; nft list table ip kube-proxy | wc -l; ip link show kube-ipvs0

    ## Fix

    `kube-proxy --cleanup` on the node, then restart kube-proxy; or drain and reboot it.

    ## Often confused with

    kube-proxy-stale-endpoint (the rules of the mode in use are old).
    """
    found = strayed(case)
    if found is None or found[1].owner != KUBE_PROXY:
        return None
    netns, translation, service, _ = found
    known = case.network.nodes.get(netns.node)
    config = known.kube_proxy if known is not None else None
    used = "nftables" if translation.step.table.startswith("native") else "iptables"
    if config is None or used == (config.mode or "iptables"):
        return None
    table = next((one for one in netns.tables if table_id(one) == translation.step.table), None)
    edits = tuple(_entries(netns, table)) if table is not None else ()
    return Explained(
        f"{netns.node} translates Service {service.ref.short} by leftover rules of kube-proxy's {used} mode; "
        f"its mode is {config.mode or 'iptables'}",
        f"a rule of the {used} mode, which is not in use",
        (edits,) if edits else (),
        f"clear what the {used} mode left behind",
        (f"{netns.node}: kube-proxy --cleanup", restart(case.network, "kube-proxy", netns.node)),
        "medium: --cleanup takes all rules of kube-proxy away until it is restarted",
        subject=ObjectRef("Node", "", netns.node),
        evidence=(translation.step.origin, config.origin("mode")),
        evidence_first=True,
    )


def _entries(netns: Netns, table: Table) -> Iterator[DeleteRule]:
    """The rules by which packets come to kube-proxy's chain of Services."""
    found = services_chain(netns, v4=table.family == "ip")
    target = "services" if table.backend == "native" else "KUBE-SERVICES"
    if found is None and target not in table.chains:
        return
    for chain in table.chains.values():
        for rule in chain.rules if chain.base is not None and chain.base.type == "nat" else ():
            if any(target in reachable(table, name) for name in jumps(table, rule)):
                yield DeleteRule(netns.id, table_id(table), chain.name, rule)


@explanation("hostport-shadows-service", kinds=ENDS, specificity=47)
def hostport_shadows_service(case: Case) -> Explained | None:
    """A Pod's hostPort takes the packets for a Service's port on that node.

    ## Why it breaks

    The CNI's portmap plugin writes its translations before kube-proxy's. A hostPort with the number of a NodePort
    or of a balancer's port, and a stale one of a Pod that is gone, win on that node: the Service answers with the
    wrong Pod, or not at all.

    ## See it by hand

        iptables -t nat -S PREROUTING                     # CNI-HOSTPORT-DNAT before KUBE-SERVICES
        iptables-save -t nat | grep CNI-DN- | grep <port>

    ## Fix

    Stale: delete the CNI-DN- chain, or restart the container runtime. Live: another hostPort, or another port for
    the Service.

    ## Often confused with

    kube-proxy-stale-endpoint: there kube-proxy's own rule is old.
    """
    found = strayed(case)
    if found is None or found[1].owner != CNI_PLUGINS or found[1].rule is None:
        return None
    netns, translation, service, _ = found
    pod = case.network.cluster.pod_at(translation.after.dst)
    whose = f"Pod {pod.ref.short}'s hostPort" if pod is not None else "the hostPort of a Pod that is gone"
    step = translation.step
    edits: tuple[Edit, ...] = ()
    if step.rule is not None:
        edits = (DeleteRule(netns.id, step.table, step.chain, step.rule),)
    return Explained(
        f"on {netns.node} {whose} takes port {translation.before.dport} from Service {service.ref.short}",
        "the CNI's translation comes before kube-proxy's",
        (edits,) if edits else (),
        f"use another hostPort than {translation.before.dport}"
        if pod is not None
        else "delete the stale translation",
        (),
        "medium: the Pod is then not reached by its hostPort"
        if pod is not None
        else "low: nobody has that address",
        subject=pod.ref if pod is not None else None,
        evidence=(step.origin, *((pod.origin,) if pod is not None else ())),
        evidence_first=True,
    )
