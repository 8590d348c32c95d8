"""Explanations of an INPUT that does not let in what the cluster lives on: tunnels, BGP, kubelet, API server, DNS."""

from __future__ import annotations

from podpath.checks.case import Case, Explained
from podpath.checks.owners import CALICO
from podpath.checks.registry import explanation
from podpath.checks.steps.ranges import api_endpoints, in_pod_ranges, kubelet_of, node_networks, pod_ranges
from podpath.checks.steps.rules import let_port_in
from podpath.checks.steps.verdicts import FILTERED, Verdict, names_port, verdict_of
from podpath.model.addr import ALL_BITS, Prefix
from podpath.model.edit import Edit
from podpath.model.flow import TCP, UDP, Packet, protocol_name

BGP = 179
DNS = 53
RISK = "low: only that port, from the cluster's own addresses; lost at reboot, so put it into whatever writes INPUT"


def opened(
    case: Case, verdict: Verdict, port: int, sources: tuple[Prefix, ...]
) -> tuple[tuple[Edit, ...], ...]:
    """The port opened for its peers; the line removed, first where it speaks of that port alone."""
    accepts = let_port_in(verdict, case.trace.packet.protocol, port, sources)
    removal: tuple[Edit, ...] = (verdict.removal,)
    if verdict.rule is not None and names_port(verdict.rule, port):
        return (removal, accepts)
    return (accepts, removal)


def line_of(verdict: Verdict) -> str:
    """The line in words."""
    if verdict.rule is None:
        return f"the policy of {verdict.base.name} is DROP and no rule accepts it"
    who = f" of {verdict.owner.name}" if verdict.owner is not None else ""
    return f"a rule{who} in {verdict.place}{verdict.comment} {verdict.how} it"


def peers_of(case: Case, packet: Packet) -> tuple[Prefix, ...]:
    """Whom to let in: the nodes, and Pods where the source is one."""
    nodes = node_networks(case.network, v4=packet.v4)
    if in_pod_ranges(case.network, packet.src):
        return (*pod_ranges(case.network, v4=packet.v4), *nodes)
    return nodes or (Prefix(packet.src, ALL_BITS),)


@explanation("host-input-drop-overlay", kinds=("chain-policy-drop",))
def host_input_drop_overlay(case: Case) -> Explained | None:
    """The policy of INPUT is DROP, and nothing accepts the tunnel's packets, BGP or the node's DNS.

    ## Why it breaks

    A default-deny INPUT is meant for the node's own services. With an overlay, every packet between Pods of two
    nodes is first a packet *to* the node: UDP 8472 (flannel, Cilium), 4789 (Calico, Antrea), 6081 (Geneve), 51820
    (WireGuard), protocol 4 (IPIP). An accept for ESTABLISHED does not help: the outer source port changes with each
    inner connection, and each direction has its own. With plain routes the same INPUT breaks nothing.

    ## See it by hand

        iptables -S INPUT                      # -P INPUT DROP and no accept for the port
        ip -d link show type vxlan             # which port it is (dstport)

    ## Fix

    Accept the port from the nodes' addresses, on every node: `iptables -I INPUT -s <nodes> -p udp --dport 8472 -j
    ACCEPT`. Keep it where the policy comes from.

    ## Often confused with

    vxlan-port-blocked (a rule ends it, not the policy), underlay-blocks-overlay-protocol (no line on either node).
    """
    verdict = verdict_of(case)
    packet = case.step.packet or case.trace.packet
    if verdict is None or verdict.rule is not None or verdict.hook != "input":
        return None
    tunnel = case.outer
    resolver = case.promise.kind == "dns" and packet.dport == DNS
    if not tunnel and not (packet.protocol == TCP and packet.dport == BGP) and not resolver:
        return None
    what = (
        "the tunnel's packets"
        if tunnel
        else "BGP"
        if packet.dport == BGP
        else "DNS queries to the node's own cache"
    )
    port = packet.dport if packet.protocol in (TCP, UDP) else 0
    shown = f"{protocol_name(packet.protocol)} {port}" if port else protocol_name(packet.protocol)
    return Explained(
        f"{case.node} drops {what} ({shown}): the policy of INPUT is DROP and no rule accepts them",
        "what no rule accepts ends here, and the tunnel's packets are for the node itself"
        if tunnel
        else "what no rule accepts ends here",
        opened(case, verdict, port, peers_of(case, packet)),
        risk=RISK,
    )


@explanation("vxlan-port-blocked", kinds=("rule-drop", "rule-reject"))
def vxlan_port_blocked(case: Case) -> Explained | None:
    """A firewall rule on a node ends the tunnel's outer packets.

    ## Why it breaks

    Packets between Pods of two nodes travel inside UDP packets between the nodes (8472, 4789, 6081, 51820). A rule
    that drops them cuts the node off: Pods of one node still talk, nodes still ping each other, and everything
    across fails with a timeout. No error comes back, since the sender of the inner packet is never told.

    ## See it by hand

        iptables-save -c | grep -E '8472|4789|6081|51820'
        ip -s link show type vxlan             # on the receiver: RX stands still while the sender's TX grows

    ## Fix

    Delete the rule, or accept the port from the other nodes in front of it. On every node, in both directions.

    ## Often confused with

    host-input-drop-overlay (the policy, not a rule), vxlan-vni-mismatch and vxlan-dstport-mismatch (the packets
    arrive and are refused), underlay-blocks-overlay-protocol (no line on either node).
    """
    verdict = verdict_of(case)
    if verdict is None or verdict.rule is None or not case.outer:
        return None
    packet = case.step.packet or case.trace.packet
    calico = " (Calico does not know the sender as one of its nodes)" if verdict.owner == CALICO else ""
    return Explained(
        f"{case.node} {verdict.how} the tunnel's packets ({protocol_name(packet.protocol)} {packet.dport}): "
        f"a rule in {verdict.place}{verdict.comment}{calico}",
        "the tunnel between the nodes ends here",
        opened(case, verdict, packet.dport, node_networks(case.network, v4=packet.v4)),
        risk="low: only the tunnel's port; the rule comes back if whatever wrote it runs again",
    )


@explanation("kubelet-10250-blocked", kinds=FILTERED)
def kubelet_10250_blocked(case: Case) -> Explained | None:
    """A firewall keeps the API server from a kubelet's port: `kubectl logs` and `exec` fail, metrics are missing.

    ## Why it breaks

    The API server opens a connection to port 10250 of the node for logs, exec, attach, port-forward and metrics.
    A firewall on the node (a policy, a rule, firewalld) that does not let it in breaks just these: Pods run, Services
    work. A REJECT of firewalld reads "no route to host", and is no routing fault.

    ## See it by hand

        nc -vz <node> 10250                                # from a control-plane node
        iptables -S INPUT; nft list ruleset | grep -A9 'hook input'

    ## Fix

    Accept tcp 10250 from the control plane's addresses, where the firewall is configured.

    ## Often confused with

    tunnel-agent-down (konnectivity), apiserver-cert-san (it connects, then TLS fails).
    """
    verdict = verdict_of(case)
    packet = case.step.packet or case.trace.packet
    node = kubelet_of(case.network, packet.dst, packet.dport)
    if verdict is None or not node or packet.protocol != TCP or case.trace.leg != "request":
        return None
    return Explained(
        f"{case.node} does not let the API server reach the kubelet of {node} (tcp {packet.dport}): {line_of(verdict)}",
        "the API server's connection ends here",
        opened(
            case,
            verdict,
            packet.dport,
            (Prefix(packet.src, ALL_BITS), *node_networks(case.network, v4=packet.v4)),
        ),
        risk=RISK,
    )


@explanation("apiserver-firewalled", kinds=FILTERED, specificity=32)
def apiserver_firewalled(case: Case) -> Explained | None:
    """A firewall stands before the API server: packets for it are dropped or rejected.

    ## Why it breaks

    Pods and nodes reach the API server at the addresses that the Service default/kubernetes lists (usually port 6443
    of control-plane nodes). A default deny there, or a rule for another range, ends them. Pods that are not
    masqueraded come with their own addresses: an accept for the nodes' range alone does not let them in.

    ## See it by hand

        kubectl get endpointslices -l kubernetes.io/service-name=kubernetes
        nc -vz <address> 6443                               # times out: firewall; refused: apiserver-down

    ## Fix

    Accept the port from the nodes and, where they are not masqueraded, from the Pods' range.

    ## Often confused with

    apiserver-down (refused at once), kubernetes-svc-endpoints-wrong (an address that is no API server's).
    """
    verdict = verdict_of(case)
    packet = case.step.packet or case.trace.packet
    if (
        verdict is None
        or packet.protocol != TCP
        or (packet.dst, packet.dport) not in api_endpoints(case.network)
    ):
        return None
    who = "Pods" if in_pod_ranges(case.network, packet.src) else "nodes"
    return Explained(
        f"{who} do not reach the API server at port {packet.dport}: on {case.node} {line_of(verdict)}",
        "connections to the API server end here",
        opened(case, verdict, packet.dport, peers_of(case, packet)),
        risk=RISK,
    )
