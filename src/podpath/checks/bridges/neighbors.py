"""Explanations of neighbour entries: nobody answers, or an entry names the wrong one."""

from __future__ import annotations

from collections.abc import Iterator

from podpath.checks.case import Case, Explained
from podpath.checks.registry import explanation
from podpath.checks.steps.ranges import host_of
from podpath.checks.steps.routes import default_route
from podpath.checks.steps.tunnels import is_tunnel_device
from podpath.model.addr import LINK_LOCAL_V4, format_addr, parse_addr
from podpath.model.edit import DeleteNeighbor, Edit, SetNeighbor, SetSysctl
from podpath.model.linux.neighbor import Neighbor
from podpath.model.linux.sysctl import conf_key
from podpath.model.network import Netns
from podpath.model.refs import ObjectRef

TABLE_LIMIT = {True: "net.ipv4.neigh.default.gc_thresh3", False: "net.ipv6.neigh.default.gc_thresh3"}
NEARLY_FULL = 0.98


@explanation("calico-proxy-arp-off", kinds=("neighbor-unresolved",))
def calico_proxy_arp_off(case: Case) -> Explained | None:
    """A Pod cannot resolve its gateway 169.254.1.1: the node does not answer for it (`proxy_arp=0`).

    ## Why it breaks

    Routed CNIs (Calico) give every Pod the same gateway, an address that nobody has. The node answers for it by proxy
    ARP, on the Pod's own link. With `proxy_arp` off there (and for all), the Pod never learns where to send: whatever
    it starts fails, and so does every answer that it owes. The node still reaches the Pod.

    ## See it by hand

        kubectl exec <pod> -- ip neigh              # 169.254.1.1 INCOMPLETE or FAILED
        sysctl net.ipv4.conf.all.proxy_arp net.ipv4.conf.<cali...>.proxy_arp

    ## Fix

    `sysctl -w net.ipv4.conf.<link>.proxy_arp=1`; stop the hardening tool that sets it to 0; restart calico-node.

    ## Often confused with

    ip-forward-off and node-no-default-route: proxy ARP answers only while the node forwards and has a route. Look at
    those two first.
    """
    try:
        gateway = parse_addr(case.step.key)
    except ValueError:
        return None
    far = case.network.peers.get((case.netns.id, case.step.dev))
    host = host_of(case.network, case.node)
    if (
        case.netns.is_host
        or gateway not in LINK_LOCAL_V4
        or far is None
        or host is None
        or host.sysctls is None
    ):
        return None
    sysctls, dev = host.sysctls, far[1]
    if (sysctls.conf("all", "proxy_arp") or 0) or (sysctls.conf(dev, "proxy_arp") or 0):
        return None
    if not sysctls.conf(dev, "forwarding") or default_route(host, v4=True) is None:
        return None
    key = conf_key(dev, "proxy_arp")
    _, namespace, name = case.netns.id.split("/", 2)
    return Explained(
        f"Pod {namespace}/{name} on {host.node} cannot resolve its gateway {format_addr(gateway)}: {key} is 0",
        "the node does not answer for the Pods' gateway",
        ((SetSysctl(host.id, key, "1", "0"),),),
        risk="low; Calico sets it when it makes the link: what sets it back (a hardening tool) must be stopped",
        evidence=(sysctls.origin(key), sysctls.origin(conf_key("all", "proxy_arp"))),
        evidence_first=True,
    )


@explanation("static-neigh-wrong", kinds=("neighbor-wrong", "neighbor-unresolved"))
def static_neigh_wrong(case: Case) -> Explained | None:
    """A permanent neighbour entry names a MAC address that the holder of the address does not have.

    ## Why it breaks

    The kernel never asks for an address whose entry is PERMANENT. When the device got another MAC address since (the
    Pod was made again, udev's MACAddressPolicy=persistent), frames go to a MAC address that nobody, or somebody else,
    has, and are dropped without an error.

    ## See it by hand

        ip neigh show nud permanent
        ip -s -s link show <receiving device>       # RX "otherhost" grows

    ## Fix

    `ip neigh del <address> dev <device>`, or recreate the Pod. Where a CNI writes the entries itself (AWS VPC CNI),
    keep the MAC addresses: `MACAddressPolicy=none` for its devices in /etc/systemd/network.

    ## Often confused with

    vtep-mac-stale (a tunnel's device), duplicate-pod-ip (two holders of one address).
    """
    if is_tunnel_device(case.netns, case.step.dev):
        return None
    found = next(_wrong_entries(case), None)
    if found is None:
        return None
    netns, entry = found
    where = netns.node if netns.is_host else f"Pod {netns.id.split('/', 1)[1]} on {netns.node}"
    real = _real_mac(case, netns, entry)
    right = Neighbor(entry.dst, entry.dev, real, "PERMANENT") if real else None
    edits: list[tuple[Edit, ...]] = [(DeleteNeighbor(netns.id, entry),)]
    if right is not None:
        edits.append((SetNeighbor(netns.id, right, entry),))
    addr = format_addr(entry.dst)
    return Explained(
        f"{where} has a permanent neighbour entry with the wrong MAC address: {addr} is not {entry.lladdr}"
        + (f" but {real}" if real else ""),
        "a permanent entry is never asked for again",
        tuple(edits),
        risk="low; comes back if something writes it again",
        subject=_holder(netns),
        evidence=(entry.origin,),
        evidence_first=True,
    )


def _holder(netns: Netns) -> ObjectRef:
    """Whose entry it is."""
    if netns.is_host:
        return ObjectRef("Node", "", netns.node)
    _, namespace, name = netns.id.split("/", 2)
    return ObjectRef("Pod", namespace, name)


def _wrong_entries(case: Case) -> Iterator[tuple[Netns, Neighbor]]:
    """Permanent entries, of the namespaces on the way, with the MAC address that nobody took."""
    mac = case.step.key
    for hop in reversed(case.trace.hops):
        netns = case.network.namespaces.get(hop.netns)
        for entry in (netns.neighbors or ()) if netns is not None else ():
            if (
                netns is not None
                and entry.static
                and entry.lladdr == mac
                and mac
                and not is_tunnel_device(netns, entry.dev)
            ):
                yield netns, entry


def _real_mac(case: Case, netns: Netns, entry: Neighbor) -> str:
    """The MAC address of the device that holds the address."""
    for netns_id, dev in case.network.owners.get(entry.dst, ()):
        other = case.network.namespaces[netns_id]
        link = (other.links or {}).get(dev)
        if other is not netns and link is not None and not link.mac.startswith("assumed"):
            return link.mac
    return ""


@explanation("neigh-table-overflow", kinds=("neighbor-unresolved",), specificity=40)
def neigh_table_overflow(case: Case) -> Explained | None:
    """The neighbour table is full: new addresses on the segment cannot be resolved.

    ## Why it breaks

    The kernel keeps at most `gc_thresh3` neighbours (1024 by default). On large flat networks a node talks to more;
    whoever is not in the table cannot be reached ("neighbour: arp_cache: neighbor table overflow!").

    ## See it by hand

        ip -s neigh | wc -l; sysctl net.ipv4.neigh.default.gc_thresh3
        dmesg | grep 'table overflow'; cat /proc/net/stat/arp_cache     # table_fulls

    ## Fix

    Raise gc_thresh1, gc_thresh2 and gc_thresh3 to the size of the network, in /etc/sysctl.d.

    ## Often confused with

    podcidr-route-wrong-nexthop (one address does not answer), static-neigh-wrong.
    """
    v4 = (case.step.packet or case.trace.packet).v4
    host = host_of(case.network, case.node)
    key = TABLE_LIMIT[v4]
    limit = host.sysctls.number(key) if host is not None and host.sysctls is not None else None
    if host is None or host.sysctls is None or not limit:
        return None
    entries = [one for one in host.neighbors or () if not one.static and (one.dst >> 32 == 0xFFFF) == v4]
    if len(entries) < limit * NEARLY_FULL:
        return None
    raised = str(max(4 * limit, 8192))
    return Explained(
        f"{host.node} cannot resolve new neighbours: its table is full ({len(entries)} of {limit}, {key})",
        "no room for another neighbour",
        ((SetSysctl(host.id, key, raised, str(limit)),),),
        risk="low (some memory); to keep it, set gc_thresh1 to gc_thresh3 in a file of /etc/sysctl.d",
        evidence=(host.sysctls.origin(key),),
    )
