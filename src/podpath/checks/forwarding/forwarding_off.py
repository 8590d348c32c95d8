"""Explanations of a node that does not forward: the switch of the whole node, or of one device."""

from __future__ import annotations

from podpath.checks.case import Case, Explained
from podpath.checks.registry import explanation
from podpath.checks.steps.ranges import host_of
from podpath.model.addr import LINK_LOCAL_V4, format_addr
from podpath.model.edit import SetSysctl
from podpath.model.network import Netns
from podpath.model.origin import Origin

FILE = "/etc/sysctl.d/99-kubernetes.conf"
GLOBAL = {True: "net.ipv4.ip_forward", False: "net.ipv6.conf.all.forwarding"}
RISK = (
    "low: makes the node a router, as every Kubernetes node is; `sysctl -w` is lost at reboot, the line in "
    f"{FILE} stays, unless a later file in /etc/sysctl.d sets it back"
)


def set_and_kept(node: str, key: str) -> tuple[str, str]:
    """Set now, and at every boot."""
    return f"{node}: sysctl -w {key}=1", f"{node}: echo '{key} = 1' >> {FILE}"


def switched_off(netns: Netns, key: str) -> Origin | None:
    """The line that says 0."""
    sysctls = netns.sysctls
    return sysctls.origin(key) if sysctls is not None and sysctls.number(key) == 0 else None


def _explained(case: Case, netns: Netns, key: str, evidence: tuple[Origin, ...] = ()) -> Explained:
    family = "IPv4" if key == GLOBAL[True] else "IPv6"
    return Explained(
        f"{netns.node} forwards no {family} packets: {key} is 0",
        "packets for others end here",
        ((SetSysctl(netns.id, key, "1", "0"),),),
        f"switch forwarding on, on {netns.node}",
        set_and_kept(netns.node, key),
        RISK,
        subject=case.node_ref,
        evidence=evidence,
        evidence_first=bool(evidence),
    )


@explanation("ip-forward-off", kinds=("forwarding-off", "neighbor-unresolved"), specificity=45)
def ip_forward_off(case: Case) -> Explained | None:
    """Forwarding is off on a node (`net.ipv4.ip_forward=0`): no packet of a Pod leaves it, none from elsewhere gets in.

    ## Why it breaks

    Pods are behind their node, so the node must route. With forwarding off, Pods of the node reach each other on the
    bridge and nothing else: no other node, no internet, no Service (not even with an endpoint on the same node), and
    no NodePort through the node works. The node itself works, so it looks healthy. With Calico, proxy ARP stops too:
    Pods cannot resolve their gateway 169.254.1.1.

    ## See it by hand

        sysctl net.ipv4.ip_forward net.ipv6.conf.all.forwarding
        nstat -az IpInAddrErrors        # twice, around a failing try: it moves (its value alone says nothing)

    ## Fix

    `sysctl -w net.ipv4.ip_forward=1`, and a file in /etc/sysctl.d so that it stays. Then find who set it back: a
    hardening profile, tuned, cloud-init, a later sysctl.d file.

    ## Often confused with

    iface-forwarding-off (one device), rp-filter-strict-asymmetric (another counter moves), calico-proxy-arp-off (the
    same unresolved gateway, with forwarding on).
    """
    v4 = case.trace.packet.v4
    key = GLOBAL[v4]
    if case.step.kind == "forwarding-off":
        return _explained(case, case.netns, key) if case.step.key == key else None
    host = _routed_gateways_host(case)
    line = switched_off(host, key) if host is not None else None
    return _explained(case, host, key, (line,)) if host is not None and line is not None else None


def _routed_gateways_host(case: Case) -> Netns | None:
    """The node behind a link-local gateway that a Pod cannot resolve: it answers only while it forwards."""
    packet = case.step.packet
    target = packet.dst if packet is not None else 0
    gateways = {hop.gateway for r in case.netns.routes or () for hop in r.nexthops if hop.gateway is not None}
    resolved = next((one for one in gateways if format_addr(one) == case.step.key), target)
    if case.netns.is_host or resolved not in LINK_LOCAL_V4:
        return None
    return host_of(case.network, case.node)


@explanation("iface-forwarding-off", kinds=("forwarding-off",), specificity=40)
def iface_forwarding_off(case: Case) -> Explained | None:
    """Forwarding is off for one device, although `ip_forward` is 1.

    ## Why it breaks

    The kernel asks the switch of the device that the packet came in by (`net.ipv4.conf.<device>.forwarding`);
    `ip_forward` only sets them all when it is written. A hardening drop-in that sets `conf.default.forwarding` or one
    device's to 0 closes the way in by that device alone: from Pods (cni0, cali*), or from the wire (eth0).

    ## See it by hand

        sysctl -a -r 'net.ipv4.conf.*.forwarding'

    ## Fix

    `sysctl -w net.ipv4.conf.<device>.forwarding=1`, and take the line out of the file that sets it to 0
    (/etc/sysctl.d, a .network file of systemd-networkd).

    ## Often confused with

    ip-forward-off: everything, not one direction.
    """
    if case.step.key in GLOBAL.values() or not case.step.key.endswith(".forwarding"):
        return None
    key, dev = case.step.key, case.step.dev
    return Explained(
        f"{case.node} forwards nothing that comes in by {dev}: {key} is 0, although forwarding is on",
        f"packets that came in by {dev} end here",
        ((SetSysctl(case.netns.id, key, "1", "0"),),),
        f"switch forwarding on for {dev}, on {case.node}",
        set_and_kept(case.node, key),
        RISK,
    )
