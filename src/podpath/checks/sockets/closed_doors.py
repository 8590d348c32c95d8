"""Explanations of special servers that take no connection: sidecars, node-local DNS, API servers, full queues."""

from __future__ import annotations

from podpath.checks.case import Case, Explained
from podpath.checks.owners import ISTIO, owner_of
from podpath.checks.registry import explanation
from podpath.checks.steps.components import pods_of, restart, told
from podpath.checks.steps.ranges import api_endpoints
from podpath.checks.steps.sockets import listeners, server_pod
from podpath.checks.steps.translation import Translation, translations
from podpath.checks.steps.verdicts import verdict_of
from podpath.model.addr import LINK_LOCAL_V4, format_addr
from podpath.model.edit import Edit, Outside, SetSysctl
from podpath.model.flow import TCP, endpoint_text
from podpath.model.kube.pod import Pod
from podpath.model.linux import netfilter as nl
from podpath.model.linux.netfilter import Rule
from podpath.model.refs import ObjectRef

SIDECAR_PORTS = (15001, 15006)
"""Envoy's ports for outbound and inbound connections (istio/pkg/config/constants)."""
DNS = 53
SOMAXCONN = "net.core.somaxconn"
MORE_BACKLOG = "4096"
"""The kernel's own default since 5.4 (include/linux/socket.h, SOMAXCONN)."""


@explanation(
    "istio-redirect-no-listener",
    kinds=("no-listener", "listener-elsewhere", "nat-wrong-target"),
    specificity=49,
)
def istio_redirect_no_listener(case: Case) -> Explained | None:
    """The mesh's rules redirect a Pod's connections to a sidecar that does not listen.

    ## Why it breaks

    An injected Pod has rules that redirect whatever it sends and gets to Envoy (ports 15001 and 15006). While Envoy
    is not up - at start, after it crashed, after the application of a Job has ended and the sidecar with it - every
    connection is refused.

    ## See it by hand

        kubectl exec <pod> -c istio-proxy -- ss -lnt | grep -E '15001|15006'
        nsenter -t <pid> -n iptables -t nat -S | grep REDIRECT

    ## Fix

    `holdApplicationUntilProxyStarts: true`, or native sidecars (Kubernetes 1.29, Istio 1.19 and later); exclude
    ports that must work without it; restart the Pod.

    ## Often confused with

    container-not-listening: no redirect stood before it.
    """
    packet = case.step.packet or case.trace.packet
    pod = server_pod(case)
    found = _redirect(case)
    if found is None or pod is None or any(one.port == packet.dport for one in listeners(case.netns, TCP)):
        return None
    return Explained(
        f"Pod {pod.ref.short} redirects its connections to the mesh's sidecar (port {packet.dport}), "
        "which does not listen",
        "redirected to a sidecar that is not there",
        ((Outside(f"bring the sidecar of Pod {pod.ref.short} up, or start the Pod anew"),),),
        "bring the sidecar up before the application (holdApplicationUntilProxyStarts, native sidecars)",
        (f"kubectl -n {pod.meta.namespace} delete pod {pod.meta.name}",),
        "low where a controller makes the Pod again",
        subject=pod.ref,
        evidence=(found.step.origin,),
        reason=_sidecars_state(pod),
    )


def _redirect(case: Case) -> Translation | None:
    """The mesh's translation in the Pod's own namespace."""
    packet = case.step.packet or case.trace.packet
    for translation in translations(case.branch.traces[0], destination=True):
        rule, step = translation.rule, translation.step
        at_home = translation.hop.netns == case.netns.id and not case.netns.is_host
        mesh = owner_of(step.table, step.chain) == ISTIO or packet.dport in SIDECAR_PORTS
        if at_home and mesh and rule is not None and _redirects(rule):
            return translation
    return None


def _redirects(rule: Rule) -> bool:
    return any(isinstance(item, nl.Redirect | nl.Dnat) for item in rule.items)


def _sidecars_state(pod: Pod) -> str:
    statuses = (*pod.status.container_statuses, *pod.status.init_container_statuses)
    proxy = next((one for one in statuses if "proxy" in one.name), None)
    return f"container {proxy.name} is not ready" if proxy is not None and not proxy.ready else ""


@explanation(
    "dns-nodelocal-broken",
    kinds=(
        "no-listener",
        "listener-elsewhere",
        "wrong-route",
        "no-route",
        "rule-drop",
        "rule-reject",
        "chain-policy-drop",
        "neighbor-unresolved",
    ),
    specificity=50,
)
def dns_nodelocal_broken(case: Case) -> Explained | None:
    """The node-local DNS cache, whom the Pods ask (169.254.20.10), does not answer on this node.

    ## Why it breaks

    With NodeLocal DNSCache the kubelets hand out a link-local address that a DaemonSet puts on every node. Where
    its Pod is down, its address or its rules are gone, or INPUT of the node does not let it in, all names fail, on
    this node only.

    ## See it by hand

        kubectl -n kube-system get pods -l k8s-app=node-local-dns -o wide
        ip addr show nodelocaldns; ss -lnup 'sport = 53'

    ## Fix

    Restart its Pod on the node, then read its log. Where INPUT drops: accept udp and tcp 53 for that address.

    ## Often confused with

    dns-endpoints-empty (all nodes: refused), kubelet-clusterdns-mismatch (nobody ever had the address).
    """
    flow = case.promise.flow
    packet = case.step.packet or case.trace.packet
    if flow.dst not in LINK_LOCAL_V4 or flow.dport != DNS or packet.dst != flow.dst:
        return None
    state = told(case.network, "node-local-dns", case.node)
    verdict = verdict_of(case)
    addr = format_addr(flow.dst)
    held = flow.dst in case.network.owners
    held_line = case.step.origin if held else case.netns.source("ip-addr.json", f"{addr} on {case.node}")
    edits: tuple[Edit, ...] = (Outside(f"bring node-local-dns on {case.node} up"),)
    if verdict is not None:
        edits = (verdict.removal,)
        why = f"{verdict.place} {verdict.how} its packets"
    elif case.step.kind in ("no-listener", "listener-elsewhere"):
        why = "nobody listens there"
    else:
        why = f"{case.node} does not hold the address" if not held else "the packets do not get there"
    there = bool(pods_of(case.network, "node-local-dns"))
    return Explained(
        f"Pods on {case.node} ask the node-local DNS cache at {addr}, which does not answer: {why}",
        "no names for the Pods of this node",
        (edits,),
        f"restart node-local-dns on {case.node}",
        (restart(case.network, "node-local-dns", case.node),) if there else (),
        "low: the cache on this node is empty afterwards",
        subject=case.node_ref,
        evidence=(held_line, *state.evidence),
        reason=state.text,
    )


@explanation("apiserver-down", kinds=("no-listener", "listener-elsewhere"), specificity=44)
def apiserver_down(case: Case) -> Explained | None:
    """The API server does not run at an address where the cluster looks for it.

    ## Why it breaks

    The Service default/kubernetes lists the API servers' addresses. Where nothing listens at one of them,
    connections are refused at once. Nothing new happens in the cluster, while what runs goes on; with several API
    servers, one connection in n fails.

    ## See it by hand

        ss -lntp | grep 6443                                  # on the control-plane node
        crictl ps -a | grep kube-apiserver; crictl logs <id>  # why it ended
        journalctl -u kubelet | grep -i apiserver

    ## Fix

    Mend what its log says: etcd not reachable, an expired certificate, a wrong flag in
    /etc/kubernetes/manifests/kube-apiserver.yaml, a full disk.

    ## Often confused with

    apiserver-firewalled (a timeout, not refused), kubernetes-svc-endpoints-wrong (an address that never was one).
    """
    packet = case.step.packet or case.trace.packet
    if packet.protocol != TCP or (packet.dst, packet.dport) not in api_endpoints(case.network):
        return None
    node = case.network.cluster.node_by_address.get(packet.dst)
    state = told(case.network, "kube-apiserver", case.node)
    where = f"on {case.node} ({endpoint_text(packet.dst, packet.dport)})"
    return Explained(
        f"no API server listens {where}",
        "connections to the API server are refused",
        ((Outside(f"start the API server {where}"),),),
        f"find out why kube-apiserver on {case.node} does not run",
        (
            f"{case.node}: crictl ps -a --name kube-apiserver",
            f"{case.node}: crictl logs $(crictl ps -a -q --name kube-apiserver | head -1)",
        ),
        "none",
        subject=ObjectRef("Node", "", node.name) if node is not None else None,
        evidence=state.evidence,
        reason=state.text,
    )


@explanation("listen-overflow", kinds=("queue-full",))
def listen_overflow(case: Case) -> Explained | None:
    """The queue of connections that wait for the application to take them is full.

    ## Why it breaks

    The kernel completes connections and queues them until the application calls accept(). The queue's length is the
    smaller of what the application asked for and `net.core.somaxconn`. When it is full, further connections are
    dropped: clients try again after 1, 3, 7 seconds, or time out. The application is too slow, or stuck.

    ## See it by hand

        ss -lnt                                       # Recv-Q above Send-Q of that socket
        nstat -az TcpExtListenOverflows TcpExtListenDrops

    ## Fix

    Find out why it does not accept (CPU limit, a blocked thread, too few workers); more replicas. A longer queue
    helps against bursts only: the application's backlog and `net.core.somaxconn` of the Pod
    (securityContext.sysctls), then a restart.

    ## Often confused with

    syn-backlog-drop (half-open connections), conntrack-table-full (all Pods of the node).
    """
    pod = server_pod(case)
    name = f"Pod {pod.ref.short}" if pod is not None else case.node
    packet = case.step.packet or case.trace.packet
    limit = case.netns.sysctls.number(SOMAXCONN) if case.netns.sysctls is not None else None
    edits: list[tuple[Edit, ...]] = [(Outside(f"let {name} accept connections faster, or run more of it"),)]
    if limit is not None and limit < int(MORE_BACKLOG):
        edits.append((SetSysctl(case.netns.id, SOMAXCONN, MORE_BACKLOG, str(limit)),))
    return Explained(
        f"{name} does not take new connections on port {packet.dport}: its accept queue is full",
        "the queue of waiting connections is full",
        tuple(edits),
        "find out why the application does not accept; more replicas in the meantime",
        (f"kubectl -n {pod.meta.namespace} top pod {pod.meta.name} --containers",) if pod is not None else (),
        "none; a longer queue (somaxconn) needs a restart of the application to take effect",
        subject=pod.ref if pod is not None else None,
        evidence=(case.netns.sysctls.origin(SOMAXCONN),)
        if case.netns.sysctls is not None and limit is not None
        else (),
    )
