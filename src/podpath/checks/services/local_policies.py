"""Explanations of kube-proxy's own drops: Local policies, a wrong host name, source ranges."""

from __future__ import annotations

from podpath.checks.case import Case, Explained
from podpath.checks.owners import KUBE_PROXY
from podpath.checks.registry import explanation
from podpath.checks.steps.components import restart
from podpath.checks.steps.translation import asked_service
from podpath.checks.steps.verdicts import FILTERED, verdict_of
from podpath.intent.services import endpoints_for
from podpath.model.addr import format_addr, is_v4
from podpath.model.edit import Outside, PatchObject
from podpath.model.finding import Severity
from podpath.model.kube.service import Service, ServicePort
from podpath.model.refs import ObjectRef


def dropped_by_proxy(case: Case) -> tuple[Service, ServicePort] | None:
    """The Service whose packet kube-proxy itself ended."""
    verdict, asked = verdict_of(case), asked_service(case)
    if verdict is None or verdict.owner != KUBE_PROXY or asked is None or asked[1] is None:
        return None
    return asked[0], asked[1]


def local_only(case: Case, service: Service) -> str:
    """The policy that keeps a Service's traffic on the node it came to; empty where there is none."""
    if case.promise.flow.dst in (service.cluster_ips or ()):
        return "internalTrafficPolicy" if service.internal_local else ""
    return "externalTrafficPolicy" if service.external_local else ""


def has_local(case: Case, service: Service, port: ServicePort) -> bool:
    """Whether the slices name an endpoint on this node."""
    lists = endpoints_for(case.network.cluster, service, port, case.node, v4=is_v4(case.promise.flow.dst))
    return bool(lists.local)


@explanation("kube-proxy-hostname-mismatch", kinds=FILTERED, specificity=41)
def kube_proxy_hostname_mismatch(case: Case) -> Explained | None:
    """kube-proxy does not know its own node's name: it takes no endpoint for a local one.

    ## Why it breaks

    With a Local policy kube-proxy compares the endpoints' nodeName with its own. Started with `--hostname-override`
    (or a host name) that is no Node's name, it finds none, and drops: NodePorts and balancers with Local policy get
    no answer from nodes that do have Pods, and the health check answers 503.

    ## See it by hand

        kubectl -n kube-system get pod <kube-proxy> -o yaml | grep hostname-override
        kubectl get endpointslices -l kubernetes.io/service-name=<name> -o yaml | grep nodeName

    ## Fix

    `--hostname-override=$(NODE_NAME)` with NODE_NAME from the downward API (spec.nodeName), or none at all; restart
    kube-proxy.

    ## Often confused with

    etp-local-no-local-endpoint: there the node really has no endpoint.
    """
    found = dropped_by_proxy(case)
    if found is None or not local_only(case, found[0]) or not has_local(case, *found):
        return None
    service, _ = found
    known = case.network.nodes.get(case.node)
    config = known.kube_proxy if known is not None else None
    named = config.hostname_override if config is not None else ""
    called = f": it is told that it is {named}" if named and named != case.node else ""
    return Explained(
        f"kube-proxy on {case.node} drops Service {service.ref.short} as without local endpoints, "
        f"although it has one{called}",
        "kube-proxy takes no endpoint for its own",
        ((Outside(f"start kube-proxy on {case.node} with --hostname-override={case.node}"),),),
        "give kube-proxy its Node's name",
        (restart(case.network, "kube-proxy", case.node),),
        "low",
        subject=case.node_ref,
        evidence=(config.origin("hostnameOverride"),) if config is not None and called else (service.origin,),
    )


@explanation("etp-local-no-local-endpoint", kinds=FILTERED, specificity=31, severity=Severity.INFO)
def etp_local_no_local_endpoint(case: Case) -> Explained | None:
    """ExternalTrafficPolicy is Local, and this node has none of the Service's Pods: it drops, as asked.

    ## Why it breaks

    With `externalTrafficPolicy: Local` a node only serves what its own Pods can answer, so that the client's
    address is kept. A node without such a Pod drops (iptables, nftables); IPVS falls back to other nodes, and the
    answer gets lost. Balancers leave such nodes out by the health check at healthCheckNodePort.

    ## See it by hand

        kubectl get endpointslices -l kubernetes.io/service-name=<name> -o wide      # which nodes
        curl http://<node>:<healthCheckNodePort>/healthz                             # 503 where there is none

    ## Fix

    None is needed where a balancer checks health. Else: Pods on that node (a DaemonSet, topologySpreadConstraints),
    or policy Cluster, which hides the client's address.

    ## Often confused with

    kube-proxy-hostname-mismatch (the node does have one), nodeport-firewalled (the rule is not kube-proxy's).
    """
    found = dropped_by_proxy(case)
    if found is None or local_only(case, found[0]) != "externalTrafficPolicy" or has_local(case, *found):
        return None
    service, _ = found
    patch = '{"spec":{"externalTrafficPolicy":"Cluster"}}'
    return Explained(
        f"{case.node} has no Pod of Service {service.ref.short}, whose externalTrafficPolicy is Local",
        "as asked: only nodes with an endpoint answer",
        (
            (Outside(f"run a Pod of {service.ref.short} on {case.node}"),),
            (PatchObject(service.ref, patch, "externalTrafficPolicy: Cluster"),),
        ),
        risk="medium for policy Cluster: servers then see a node's address instead of the client's",
        subject=service.ref,
        evidence=(case.network.cluster.field_origin(service, "spec", "externalTrafficPolicy"),),
    )


@explanation("itp-local-no-endpoint", kinds=FILTERED, specificity=31, severity=Severity.WARNING)
def itp_local_no_endpoint(case: Case) -> Explained | None:
    """InternalTrafficPolicy is Local, and this node has none of the Service's Pods.

    ## Why it breaks

    With `internalTrafficPolicy: Local` clients reach only Pods of their own node. Where there is none, kube-proxy
    drops: the ClusterIP hangs on some nodes, and works on others.

    ## See it by hand

        kubectl get service <name> -o jsonpath='{.spec.internalTrafficPolicy}'
        kubectl get endpointslices -l kubernetes.io/service-name=<name> -o wide

    ## Fix

    A DaemonSet behind the Service; or policy Cluster, with `trafficDistribution: PreferSameNode` where nearness
    matters.

    ## Often confused with

    kube-proxy-rules-missing (no rule at all).
    """
    found = dropped_by_proxy(case)
    if found is None or local_only(case, found[0]) != "internalTrafficPolicy" or has_local(case, *found):
        return None
    service, _ = found
    patch = '{"spec":{"internalTrafficPolicy":"Cluster"}}'
    return Explained(
        f"{case.node} has no Pod of Service {service.ref.short}, whose internalTrafficPolicy is Local",
        "as asked: only Pods of the client's own node answer",
        ((PatchObject(service.ref, patch, "internalTrafficPolicy: Cluster"),),),
        risk="low: clients then also use Pods of other nodes",
        subject=service.ref,
        evidence=(case.network.cluster.field_origin(service, "spec", "internalTrafficPolicy"),),
    )


@explanation("lb-source-ranges-block", kinds=FILTERED, specificity=32, severity=Severity.INFO)
def lb_source_ranges_block(case: Case) -> Explained | None:
    """The client is in none of the Service's loadBalancerSourceRanges.

    ## Why it breaks

    kube-proxy drops what comes to a balancer's address from any other source. It sees the address as it arrives:
    behind a proxy or a source translation that is not the client's own.

    ## See it by hand

        kubectl get service <name> -o jsonpath='{.spec.loadBalancerSourceRanges}'
        iptables -t nat -S | grep KUBE-FW-; iptables -S KUBE-PROXY-FIREWALL

    ## Fix

    Add the client's range, as the node sees it.

    ## Often confused with

    nodeport-firewalled: a firewall of the node.
    """
    found = dropped_by_proxy(case)
    packet = case.step.packet or case.trace.packet
    ranges = found[0].spec.source_ranges if found is not None else ()
    if found is None or not ranges or any(packet.src in one for one in ranges):
        return None
    service = found[0]
    allowed = ", ".join(
        f'"{text}"' for text in (*service.spec.load_balancer_source_ranges, f"{format_addr(packet.src)}/32")
    )
    patch = f'{{"spec":{{"loadBalancerSourceRanges":[{allowed}]}}}}'
    return Explained(
        f"Service {service.ref.short} does not let {format_addr(packet.src)} in: "
        "it is in none of its loadBalancerSourceRanges",
        "the source is in none of the ranges",
        ((PatchObject(service.ref, patch, "the client's range among loadBalancerSourceRanges"),),),
        risk="low: opens the balancer to that address",
        subject=ObjectRef("Service", *service.key),
        evidence=(case.network.cluster.field_origin(service, "spec", "loadBalancerSourceRanges"),),
    )
