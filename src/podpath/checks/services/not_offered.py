"""Explanations of a Service asked at a port or an address where it is not offered."""

from __future__ import annotations

from podpath.checks.case import Case, Explained
from podpath.checks.registry import explanation
from podpath.checks.steps.translation import asked_service
from podpath.checks.steps.words import listed
from podpath.model.addr import format_addr, parse_prefix
from podpath.model.edit import Outside
from podpath.model.finding import Severity
from podpath.model.flow import protocol_name
from podpath.model.kube.pod import Pod
from podpath.model.linux import nftables as nf
from podpath.model.linux.cni import config_in_use
from podpath.model.network import Netns
from podpath.model.origin import Origin

UNSERVED = ("nat-missing", "no-listener", "wrong-route", "rule-reject", "rule-drop", "no-route")


@explanation("svc-port-string-or-missing", kinds=UNSERVED, specificity=45, severity=Severity.INFO)
def svc_port_string_or_missing(case: Case) -> Explained | None:
    """A client asks a Service at a port that the Service does not have.

    ## Why it breaks

    kube-proxy translates a ClusterIP at the ports of `spec.ports` only. In iptables mode any other port of it is an
    address like any other, and times out; in nftables mode it is refused. Often the Pod's port (8080) is asked
    instead of the Service's (80).

    ## See it by hand

        kubectl get service <name> -o jsonpath='{.spec.ports}'

    ## Fix

    Ask a port that the Service has, or add one to `spec.ports`.

    ## Often confused with

    kube-proxy-rules-missing (the Service has the port, the node has no rule), svc-targetport-mismatch.
    """
    asked = asked_service(case)
    flow = case.promise.flow
    if asked is None or asked[1] is not None or flow.dst not in case.network.cluster.services_by_cluster_ip:
        return None
    service = asked[0]
    ports = listed(f"{port.port}/{protocol_name(port.protocol)}" for port in service.spec.ports)
    wanted = f"{flow.dport}/{protocol_name(flow.protocol)}"
    return Explained(
        f"Service {service.ref.short} has no port {wanted}; it has {ports or 'none'}",
        "not a port of the Service",
        ((Outside(f"ask {service.ref.short} at {ports}, or add {wanted} to its ports"),),),
        f"ask one of its ports ({ports}), or add {wanted} to spec.ports",
        (),
        "low",
        subject=service.ref,
        evidence=(case.network.cluster.field_origin(service, "spec", "ports"),),
        evidence_first=True,
    )


@explanation("nodeport-addresses-restricted", kinds=UNSERVED, specificity=44, severity=Severity.INFO)
def nodeport_addresses_restricted(case: Case) -> Explained | None:
    """A NodePort is asked at an address of the node where kube-proxy does not serve NodePorts.

    ## Why it breaks

    `nodePortAddresses` limits NodePorts to ranges; in nftables mode the default is the node's primary address only.
    At its other addresses (a second interface, a VIP) the port is closed.

    ## See it by hand

        kubectl -n kube-system get configmap kube-proxy -o yaml | grep -A3 nodePortAddresses
        nft list set ip kube-proxy nodeport-ips

    ## Fix

    Add the range (`nodePortAddresses: ["0.0.0.0/0"]`) in kube-proxy's configuration and restart it, or ask the
    primary address.

    ## Often confused with

    nodeport-firewalled (a firewall's rule), kube-proxy-rules-missing.
    """
    flow = case.promise.flow
    service = case.network.cluster.services_by_node_port.get((flow.dport, flow.protocol))
    if service is None or not case.netns.is_host or flow.dst not in case.netns.addresses_by_value:
        return None
    line = _restriction(case, case.netns, flow.dst)
    if line is None:
        return None
    addr = format_addr(flow.dst)
    return Explained(
        f"kube-proxy on {case.node} does not serve NodePorts at {addr} (nodePortAddresses)",
        "this address is not among those",
        ((Outside(f"add {addr} to nodePortAddresses in kube-proxy's configuration, and restart it"),),),
        "ask the node's primary address, or widen nodePortAddresses",
        (
            "kubectl -n kube-system edit configmap kube-proxy  # nodePortAddresses",
            "kubectl -n kube-system rollout restart daemonset/kube-proxy",
        ),
        "low: opens NodePorts at more addresses",
        evidence=(line,),
        evidence_first=True,
    )


def _restriction(case: Case, netns: Netns, addr: int) -> Origin | None:
    """The line by which an address is left out."""
    known = case.network.nodes.get(case.node)
    config = known.kube_proxy if known is not None else None
    ranges = config.node_port_addresses if config is not None else ()
    plain = [one for one in ranges if one != "primary"]
    if (
        config is not None
        and plain
        and not any(addr in parse_prefix(one) for one in plain)
        and "primary" not in ranges
    ):
        return config.origin("nodePortAddresses")
    for table in netns.tables:
        served = table.sets.get("nodeport-ips") if table.name == "kube-proxy" else None
        if served is not None and not served.unknown and (addr >> 32 == 0xFFFF) == (table.family == "ip"):
            held = {e.key.value for e in served.elements if isinstance(e.key, nf.Const)}
            if held and addr not in held:
                return served.origin
    return None


@explanation("hostport-no-portmap", kinds=("nat-missing", "no-listener"), specificity=43)
def hostport_no_portmap(case: Case) -> Explained | None:
    """A Pod asks for a hostPort, and the node does not forward it: the CNI configuration lacks portmap.

    ## Why it breaks

    A hostPort is no socket of the node: the CNI's portmap plugin writes a translation for it. Without the plugin in
    the chain (or without its capability `portMappings`) the Pod starts all the same, and the port is refused.

    ## See it by hand

        cat /etc/cni/net.d/*.conflist | grep -A2 portmap
        iptables -t nat -S | grep CNI-DN-

    ## Fix

    Add `{"type": "portmap", "capabilities": {"portMappings": true}}` to the plugins of the CNI configuration and
    make the Pod again; or use hostNetwork or a NodePort. Cilium has its own hostPort.

    ## Often confused with

    container-not-listening (the Pod's own port), hostnetwork-port-conflict.
    """
    packet = case.step.packet or case.trace.packet
    if not case.netns.is_host or packet.dst not in case.netns.addresses_by_value:
        return None
    pod = _asks_for(case, packet.dport, packet.protocol)
    known = case.network.nodes.get(case.node)
    if pod is None or known is None:
        return None
    config = config_in_use(known.cni or ())
    has = config is not None and any(one.type == "portmap" for one in config.plugins)
    why = (
        "the node has no translation for it"
        if has or config is None
        else f"{config.file} has no portmap plugin"
    )
    return Explained(
        f"{case.node} does not forward hostPort {packet.dport} to Pod {pod.ref.short}: {why}",
        "nothing translates this port",
        ((Outside(f"add portmap to the CNI configuration of {case.node}, and make the Pod again"),),),
        "add the portmap plugin to the CNI configuration, and make the Pod again",
        (f"kubectl -n {pod.meta.namespace} delete pod {pod.meta.name}",) if has else (),
        "low: only new Pods are concerned",
        subject=pod.ref,
        evidence=(pod.origin, *((config.origin,) if config is not None else ())),
        evidence_first=True,
    )


def _asks_for(case: Case, port: int, protocol: int) -> Pod | None:
    pods = case.network.cluster.pods_by_node.get(case.node, ())
    return next(
        (p for p in pods if any((o.host_port, o.protocol) == (port, protocol) for o in p.host_ports)), None
    )
