"""Explanations of devices that are down, or not attached where they should be."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from podpath.checks.case import Case, Explained
from podpath.checks.registry import explanation
from podpath.checks.steps.components import restart, told
from podpath.checks.steps.pod_routes import destination, writer_of
from podpath.checks.steps.routes import covering, lost_routes, style_of
from podpath.checks.steps.tunnels import Vtep, fdb_edits, neighbor_edits
from podpath.model.addr import is_v4, parse_addr
from podpath.model.edit import AddRoute, Edit, SetLink
from podpath.model.linux.link import Link
from podpath.model.network import Netns, Network
from podpath.model.origin import Origin
from podpath.model.refs import NetnsId, ObjectRef, pod_netns

ENDS = ("link-down", "wrong-route", "no-route", "reply-elsewhere", "rp-filter")


def set_up(netns: Netns, link: Link) -> SetLink:
    """The device switched on."""
    port = link.port
    if port is not None and port.state == "disabled":  # as a bridge has it while the device is down
        port = msgspec.structs.replace(port, state="forwarding")
    return SetLink(netns.id, link, msgspec.structs.replace(link, up=True, carrier=True, port=port), "up")


@explanation("link-down-cni", kinds=ENDS, specificity=37)
def link_down_cni(case: Case) -> Explained | None:
    """A device of the CNI is down: the Pods' bridge, the tunnel's device, or a Pod's own link on the node.

    ## Why it breaks

    Whoever sets a device down takes its routes and permanent neighbour entries with it; setting it up again does not
    bring them back, only the CNI's restart does. NetworkManager and systemd-networkd do so with devices that they
    believe to be theirs (cni0, flannel.1, vxlan.calico, cali*).

    ## See it by hand

        ip link show | grep -E 'DOWN'
        nmcli device; networkctl            # "connecting", "configuring": not unmanaged

    ## Fix

    `ip link set <device> up`, then restart the CNI's Pod on the node: it writes the routes again. Keep the device
    unmanaged: /etc/NetworkManager/conf.d/cni.conf with `[keyfile] unmanaged-devices=interface-name:cni0;
    interface-name:flannel*;interface-name:cali*;interface-name:vxlan.calico;interface-name:tunl*`.

    ## Often confused with

    podcidr-route-missing (the device is up, its routes are gone), veth-down-or-detached (a single Pod).
    """
    link = _down_device(case)
    if link is None:
        return None
    v4 = is_v4(destination(case))
    missing = lost_routes(case.network, case.netns, v4=v4)
    vtep = Vtep(case.netns, link)
    edits: tuple[Edit, ...] = (
        set_up(case.netns, link),
        *(AddRoute(case.netns.id, route) for _, route in missing if route.dev == link.name),
        *(neighbor_edits(case.network, vtep) if link.vxlan is not None else ()),
        *(fdb_edits(case.network, vtep) if link.vxlan is not None else ()),
    )
    writer = writer_of(case.network, style_of(case.network, case.netns, v4=v4))
    last = (restart(case.network, writer.component, case.node),) if writer is not None else ()
    reasons = tuple(_network_managers(case.network, case.node))
    state = told(case.network, writer.component, case.node) if writer is not None else None
    return Explained(
        f"{case.node} has its device {link.name} down: {_role(link)}",
        "a device of the CNI that is down",
        (edits,),
        f"set {link.name} up, and let the CNI write its routes again",
        (f"{case.node}: ip link set {link.name} up", *last),
        "low; it goes down again unless NetworkManager and networkd leave it alone "
        f"(unmanaged-devices=interface-name:{link.name})",
        subject=case.node_ref,
        evidence=(link.origin, *reasons, *(state.evidence if state is not None else ())),
        evidence_first=True,
        reason=state.text if state is not None else "",
    )


def _down_device(case: Case) -> Link | None:
    """The CNI's device that is down and matters to the packet."""
    links = case.netns.links or {}
    if not case.netns.is_host:
        return None
    if case.step.kind == "link-down":
        link = links.get(case.step.dev)
        return link if link is not None and not link.up and is_cnis(case.network, case.netns, link) else None
    addr = destination(case)
    for route in covering(case.netns, addr):
        link = links.get(route.dev)
        if link is not None and not link.up and is_cnis(case.network, case.netns, link):
            return link
    style = style_of(case.network, case.netns, v4=is_v4(addr))
    link = links.get(style.dev) if style is not None else None
    lost = link is not None and not link.up and link.vxlan is not None and not covering(case.netns, addr)
    return link if lost else None


def is_cnis(network: Network, netns: Netns, link: Link) -> bool:
    """Whether a device belongs to the Pods' network: a tunnel, a bridge of Pods, or a Pod's routed link."""
    if link.vxlan is not None or link.kind in ("ipip", "geneve", "wireguard"):
        return True
    if link.kind == "bridge":
        ports = (one for one in (netns.links or {}).values() if one.master == link.name)
        return any((netns.id, one.name) in network.peers for one in ports)
    return False


def _role(link: Link) -> str:
    if link.kind == "bridge":
        return "its Pods are cut off"
    return (
        "its Pods and those of other nodes do not reach each other"
        if link.vxlan is not None
        else "its tunnel is off"
    )


def _network_managers(network: Network, node: str) -> Iterator[Origin]:
    known = network.nodes.get(node)
    for line in known.log_lines if known is not None else ():
        if "NetworkManager" in line.origin.file or "NetworkManager" in line.message:
            yield line.origin
            return


@explanation(
    "veth-down-or-detached",
    kinds=("link-down", "bridge-port", "neighbor-unresolved", "neighbor-wrong"),
    specificity=34,
)
def veth_down_or_detached(case: Case) -> Explained | None:
    """A Pod's link on the node is down, or is no port of the bridge.

    ## Why it breaks

    A Pod hangs on the node by a pair of veth devices. When the node's end is down, or not attached to the bridge that
    the other Pods hang on, this one Pod is cut off. NetworkManager, a network script that rebuilds the bridge, and
    `ip link set ... nomaster` do it.

    ## See it by hand

        ip link show | grep -A1 veth            # DOWN, or no "master cni0"
        kubectl exec <pod> -- cat /sys/class/net/eth0/iflink     # the index of the node's end

    ## Fix

    `ip link set <veth> up`, `ip link set <veth> master <bridge>`; or delete the Pod, and keep NetworkManager away
    from veth*.

    ## Often confused with

    pod-no-default-route (the Pod reaches its neighbours), link-down-cni (the bridge itself is down: all Pods).
    """
    for pod in _pods_concerned(case):
        near = _near_end(case.network, pod)
        if near is None:
            continue
        netns, link, far_netns, far = near
        _, namespace, name = pod.split("/", 2)
        subject = ObjectRef("Pod", namespace, name)
        if not link.up or not far.up:
            down = [
                (ns, one) for ns, one in ((netns, link), (far_netns, far)) if not (one.up and one.carrier)
            ]
            place = f"{link.name} on {netns.node}" if not link.up else f"{far.name} in the Pod"
            return Explained(
                f"Pod {namespace}/{name} on {netns.node} is cut off: its link {place} is down",
                "the Pod's link is down",
                (tuple(set_up(ns, one) for ns, one in down),),
                risk="low; look for what sets it down (NetworkManager, a script), or it goes down again",
                subject=subject,
                evidence=(link.origin, far.origin),
            )
        bridge = _siblings_bridge(case.network, netns)
        if bridge and not link.master:
            port = next(
                (one.port for one in (netns.links or {}).values() if one.master == bridge and one.port), None
            )
            attached = msgspec.structs.replace(link, master=bridge, port=port)
            return Explained(
                f"Pod {namespace}/{name} on {netns.node} is cut off: {link.name} is no port of {bridge}",
                f"the Pod's link is not attached to {bridge}",
                ((SetLink(netns.id, link, attached, f"master {bridge}"),),),
                risk="low; lost when the Pod is made again, which attaches it anew",
                subject=subject,
                evidence=(link.origin,),
                evidence_first=True,
            )
    return None


def _pods_concerned(case: Case) -> Iterator[NetnsId]:
    """The Pods at the two ends of the place where the packet ended."""
    if not case.netns.is_host:
        yield case.netns.id
    peer = case.network.peers.get((case.netns.id, case.step.dev))
    if peer is not None and peer[0].startswith("pod/"):
        yield peer[0]
    packet = case.step.packet or case.trace.packet
    try:
        wanted = parse_addr(case.step.key)
    except ValueError:
        wanted = packet.dst
    for addr in (wanted, packet.dst):
        pod = case.network.cluster.pod_at(addr)
        if pod is not None and pod.node == case.node:
            yield pod_netns(*pod.key)


def _near_end(network: Network, pod: NetnsId) -> tuple[Netns, Link, Netns, Link] | None:
    """The node's end of a Pod's link, and the Pod's own."""
    far_netns = network.namespaces.get(pod)
    for (netns_id, dev), (other_id, other_dev) in network.peers.items():
        if netns_id != pod or far_netns is None:
            continue
        netns = network.namespaces.get(other_id)
        link = (netns.links or {}).get(other_dev) if netns is not None else None
        far = (far_netns.links or {}).get(dev)
        if netns is not None and link is not None and far is not None:
            return netns, link, far_netns, far
    return None


def _siblings_bridge(network: Network, netns: Netns) -> str:
    """The bridge that the links of the node's other Pods hang on."""
    for link in (netns.links or {}).values():
        if link.master and (netns.id, link.name) in network.peers:
            return link.master
    return ""
