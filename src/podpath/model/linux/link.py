"""Network devices (``ip -d -j link``, ``bridge -d -j link``)."""

from __future__ import annotations

import msgspec

from podpath.model.origin import NOWHERE, Origin


class Vxlan(msgspec.Struct, frozen=True, gc=False):
    """``linkinfo.info_data`` of a vxlan device (ip-link(8), VXLAN)."""

    vni: int
    port: int = 8472
    """UDP destination port; the Linux default is 8472, IANA's is 4789."""
    local: int | None = None
    """Outer source address (common address space of ``addr``)."""
    remote: int | None = None
    """Unicast ``remote`` or multicast ``group``: the default destination."""
    dev: str = ""
    learning: bool = True
    proxy: bool = False
    external: bool = False
    """Collect-metadata mode: VNI and destination are set by eBPF or OVS, not by fdb."""


class Bridge(msgspec.Struct, frozen=True, gc=False):
    """``linkinfo.info_data`` of a bridge."""

    vlan_filtering: bool = False
    stp: bool = False
    nf_call_iptables: bool = False
    """The per-bridge switch, OR-ed with the sysctl (br_netfilter_hooks.c)."""
    nf_call_ip6tables: bool = False


class BridgePort(msgspec.Struct, frozen=True, gc=False):
    """``bridge -d link``: what a port of a bridge may do. ``None`` is not known."""

    state: str = "forwarding"
    hairpin: bool | None = None
    isolated: bool | None = False
    learning: bool = True
    flood: bool = True
    neigh_suppress: bool = False
    vlans: tuple[int, ...] = ()
    pvid: int = 1
    origin: Origin = NOWHERE
    """The line that states hairpin."""


class Link(msgspec.Struct, frozen=True, gc=False):
    """A network device of one network namespace."""

    name: str
    index: int
    kind: str
    """``info_kind``: veth, bridge, vxlan, dummy, ipip, wireguard ...; ``loopback``; empty for a real device."""
    mtu: int
    up: bool
    """IFF_UP."""
    carrier: bool = True
    """IFF_LOWER_UP, or not NO-CARRIER."""
    mac: str = ""
    master: str = ""
    peer_index: int | None = None
    """``link_index``: the peer of a veth, the lower device of a vlan or macvlan."""
    peer_netnsid: int | None = None
    """``link_netnsid``: present when the peer is in another namespace."""
    promisc: bool = False
    vxlan: Vxlan | None = None
    bridge: Bridge | None = None
    port: BridgePort | None = None
    xdp: bool = False
    qdisc: str = ""
    noarp: bool = False
    lower: str = ""
    """Name of the lower device where the kernel printed one (``link``)."""
    details: str = ""
    """Attributes of kinds we do not model, as printed; shown when a packet meets them."""
    origin: Origin = NOWHERE


class InterfaceAddress(msgspec.Struct, frozen=True, gc=False):
    """An address of a device (``ip -j addr``)."""

    dev: str
    addr: int
    length: int
    """Prefix length in the family's own counting."""
    scope: str = "global"
    secondary: bool = False
    deprecated: bool = False
    tentative: bool = False
    peer: int | None = None
    origin: Origin = NOWHERE
