"""Explanations of the checks on a packet's source: reverse path filter and martians."""

from __future__ import annotations

from podpath.checks.case import Case, Explained
from podpath.checks.registry import explanation
from podpath.checks.steps.ranges import home_of
from podpath.checks.steps.routes import looked_up, route_text, route_to_pods
from podpath.checks.steps.translation import asked_service
from podpath.model.addr import LOOPBACK_V4, format_addr
from podpath.model.edit import AddRoute, Edit, PatchObject, SetSysctl
from podpath.model.linux.sysctl import conf_key
from podpath.model.origin import Origin

IPVS_DEVICE = "kube-ipvs0"
"""kube-proxy's device for all Service addresses in IPVS mode (pkg/proxy/ipvs, DefaultDummyDevice)."""


@explanation("rp-filter-strict-asymmetric", kinds=("rp-filter",))
def rp_filter_strict_asymmetric(case: Case) -> Explained | None:
    """The reverse path filter drops packets whose way back would take another device.

    ## Why it breaks

    With `rp_filter=1` a packet passes only if the route to its source leaves by the device that it came in by. On
    nodes with several interfaces, with a balancer, BGP or policy routing, the way back is another one, and the packet
    ends without a trace in any firewall. The value that counts is the larger of `conf.all` and the device's own.

    ## See it by hand

        sysctl net.ipv4.conf.all.rp_filter net.ipv4.conf.<device>.rp_filter
        ip route get <source>                                 # leaves by another device
        nstat -az TcpExtIPReversePathFilter                   # twice, around a failing try

    ## Fix

    `rp_filter=2` (loose: some way back is enough) on that device, or a route back by it. 0 opens the node to forged
    sources: not needed.

    ## Often confused with

    ip-forward-off (IpInAddrErrors moves instead), podcidr-route-missing (the way back is missing, not another).
    """
    packet = case.step.packet or case.trace.packet
    dev = case.step.dev
    back = looked_up(case.netns, packet.src)
    loose: tuple[Edit, ...] = (SetSysctl(case.netns.id, conf_key(dev, "rp_filter"), "2", "1"),)
    owner = home_of(case.network, packet.src)
    route = (
        route_to_pods(case.network, case.netns, owner, v4=packet.v4) if owner not in ("", case.node) else None
    )
    by_route: tuple[Edit, ...] = (
        (AddRoute(case.netns.id, route),) if route is not None and route.dev == dev else ()
    )
    found = back.route is not None and back.type == "unicast"
    way = (
        f"the way back is {route_text(back.route)}"
        if found and back.route is not None
        else "there is no way back"
    )
    alternatives = (loose, by_route) if found else (by_route, loose)
    evidence: tuple[Origin, ...] = (back.route.origin,) if found and back.route is not None else ()
    return Explained(
        f"{case.node} drops what comes in by {dev}: rp_filter is strict there, and {way}",
        "the source is not reached by the device that the packet came in by",
        tuple(one for one in alternatives if one),
        risk="low: loose still refuses sources with no way back; "
        f"to keep it, net.ipv4.conf.{dev}.rp_filter = 2 in a file of /etc/sysctl.d",
        evidence=evidence,
    )


@explanation("lb-ip-on-kube-ipvs0", kinds=("martian",), specificity=35)
def lb_ip_on_kube_ipvs0(case: Case) -> Explained | None:
    """In IPVS mode the balancer's own address is on every node, so a packet that comes from it is taken for forged.

    ## Why it breaks

    kube-proxy in IPVS mode puts every Service address, a balancer's too, on the device kube-ipvs0. A balancer
    whose probes or connections come from that very address then speaks with the node's own address: the kernel
    drops the packet, and counts it nowhere.

    ## See it by hand

        ip addr show kube-ipvs0 | grep <balancer address>
        ip route get <node address> from <balancer address> iif eth0        # Invalid argument

    ## Fix

    A balancer that reports `ipMode: Proxy` in the Service's status (Kubernetes 1.29 and later), or a host name
    instead of an address; or another mode of kube-proxy.

    ## Often confused with

    nodeport-firewalled (a line in a firewall), healthcheck-nodeport-blocked.
    """
    packet = case.step.packet or case.trace.packet
    held = case.netns.addresses_by_value.get(packet.src)
    if case.step.key != "own-address" or held is None or held.dev != IPVS_DEVICE:
        return None
    services = case.network.cluster.services.values()
    service = next((one for one in services if packet.src in one.lb_ips), None)
    if service is None:
        return None
    addr = format_addr(packet.src)
    patch = f'{{"status":{{"loadBalancer":{{"ingress":[{{"ip":"{addr}","ipMode":"Proxy"}}]}}}}}}'
    edit = PatchObject(service.ref, patch, f"let the balancer of {service.ref.short} report ipMode Proxy")
    return Explained(
        f"{case.node} drops what the load balancer {addr} of Service {service.ref.short} sends: "
        f"the address is its own, on {IPVS_DEVICE}",
        "the balancer's address is the node's own",
        ((edit,),),
        risk="low: nodes then send traffic for that address to the balancer instead of short-cutting it",
        evidence=(service.origin,),
    )


@explanation("nodeport-localhost-unsupported", kinds=("martian",), specificity=30)
def nodeport_localhost_unsupported(case: Case) -> Explained | None:
    """A NodePort asked at 127.0.0.1 does not answer: the kernel lets no loopback address out to a Pod.

    ## Why it breaks

    The translated packet would leave the node with 127.0.0.1 as its source, which the kernel refuses unless
    `route_localnet` is 1. kube-proxy sets it in iptables mode only, and not with `localhostNodePorts: false`; the modes
    nftables and ipvs never support NodePorts on localhost.

    ## See it by hand

        sysctl -a -r route_localnet
        curl http://<node address>:<nodePort>                # works

    ## Fix

    Ask the node's own address. `localhostNodePorts: true` (iptables mode) brings it back, with the guard in
    KUBE-FIREWALL against CVE-2020-8558.

    ## Often confused with

    nodeport-addresses-restricted (another address of the node).
    """
    packet = case.step.packet or case.trace.packet
    if not case.step.key.endswith(".route_localnet") or not (
        packet.src in LOOPBACK_V4 or packet.dst in LOOPBACK_V4
    ):
        return None
    found = asked_service(case)
    named = f" of Service {found[0].ref.short}" if found is not None else ""
    known = case.network.nodes.get(case.node)
    mode = known.kube_proxy.mode if known is not None and known.kube_proxy is not None else ""
    never = f"; kube-proxy's mode {mode} does not support it" if mode in ("nftables", "ipvs") else ""
    return Explained(
        f"a NodePort{named} does not answer at 127.0.0.1 of {case.node}: route_localnet is 0{never}",
        "a loopback address may not leave the node",
        ((SetSysctl(case.netns.id, case.step.key, "1", "0"),),) if not never else (),
        "ask the node's own address instead of 127.0.0.1",
        risk="medium: route_localnet lets neighbours reach what listens on 127.0.0.1, but for kube-proxy's guard",
    )
