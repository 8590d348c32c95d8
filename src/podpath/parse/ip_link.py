"""``ip -d -j link show``: the network devices of one network namespace."""

from __future__ import annotations

import msgspec

from podpath.model.linux.link import Bridge, Link, Vxlan
from podpath.model.origin import Origin, Unrecognized
from podpath.parse.bridge_link import port_of
from podpath.parse.json_entries import (
    Fields,
    Item,
    address,
    child,
    need_number,
    need_word,
    number,
    parse_entries,
    switch,
    word,
    words,
)

MODELLED = frozenset({"", "loopback", "veth", "bridge", "dummy"})
"""Kinds whose attributes are in ``Link`` or do not matter to a packet."""
VXLAN_ODD = ("gbp", "gpe", "vnifilter", "remcsum_rx", "remcsum_tx")
"""VXLAN extensions that change what stands on the wire."""


def parse_ip_link(text: str, file: str) -> tuple[tuple[Link, ...], tuple[Unrecognized, ...]]:
    """The devices in the order of the file."""
    links, lost = parse_entries(text, file, lambda fields, item: (_link(fields, item, file),))
    by_name = {link.name: link.index for link in links}
    return tuple(_with_peer(link, by_name) for link in links), lost


def _with_peer(link: Link, by_name: dict[str, int]) -> Link:
    """The kernel names a peer or lower device of the same namespace (``link``) and numbers one of another."""
    if link.peer_index is None and link.peer_netnsid is None and link.lower in by_name:
        return msgspec.structs.replace(link, peer_index=by_name[link.lower])
    return link


def _link(fields: Fields, item: Item, file: str) -> Link:
    flags = words(fields, "flags")
    info = child(fields, "linkinfo")
    data = child(info, "info_data")
    kind = _kind(fields, info)
    origin = Origin(file, item.line, link_text(fields))
    return Link(
        name=need_word(fields, "ifname"),
        index=need_number(fields, "ifindex"),
        kind=kind,
        mtu=need_number(fields, "mtu"),
        up="UP" in flags,
        carrier="LOWER_UP" in flags,
        mac=word(fields, "address"),
        master=word(fields, "master"),
        peer_index=number(fields, "link_index") or None,
        peer_netnsid=number(fields, "link_netnsid"),
        promisc="PROMISC" in flags or bool(number(fields, "promiscuity")),
        vxlan=_vxlan(data) if kind == "vxlan" and data else None,
        bridge=_bridge(data) if kind == "bridge" and data else None,
        port=port_of(child(info, "info_slave_data"), origin)
        if word(info, "info_slave_kind") == "bridge"
        else None,
        xdp=_has_xdp(fields),
        qdisc=word(fields, "qdisc"),
        noarp="NOARP" in flags,
        lower=word(fields, "link"),
        details=_details(kind, data),
        origin=origin,
    )


def _kind(fields: Fields, info: Fields) -> str:
    """``info_kind``; without it the hardware type, where that says more (``ipip``, ``sit``, ``loopback``)."""
    hardware = word(fields, "link_type")
    return word(info, "info_kind") or ("" if hardware in ("ether", "none", "void") else hardware)


def _vxlan(data: Fields) -> Vxlan:
    external = bool(switch(data, "external") or switch(data, "collect_metadata"))
    learning = switch(data, "learning")
    far = [address(data, key) for key in ("remote", "remote6", "group", "group6")]
    near = [address(data, key) for key in ("local", "local6")]
    return Vxlan(
        vni=(number(data, "id") or 0) if external else need_number(data, "id"),
        port=need_number(data, "port"),
        local=next((addr for addr in near if addr is not None), None),
        remote=next((addr for addr in far if addr is not None), None),
        dev=word(data, "link"),
        # iproute2 6.5 prints only what differs from the default (vxlan_opts), which is to learn
        learning=learning is not False,
        proxy=bool(switch(data, "proxy")),
        external=external,
    )


def _bridge(data: Fields) -> Bridge:
    return Bridge(
        vlan_filtering=bool(number(data, "vlan_filtering")),
        stp=bool(number(data, "stp_state")),
        nf_call_iptables=bool(number(data, "nf_call_iptables")),
        nf_call_ip6tables=bool(number(data, "nf_call_ip6tables")),
    )


def _has_xdp(fields: Fields) -> bool:
    """Whether a program is attached: ``xdp`` is printed with its mode, 0 when there is none."""
    xdp = child(fields, "xdp")
    return bool(xdp) and (number(xdp, "mode") != 0 or "prog" in xdp)


def _details(kind: str, data: Fields) -> str:
    """What the kind says beyond the model, as words."""
    if kind in MODELLED:
        return ""
    if kind == "vxlan":
        return " ".join(key for key in VXLAN_ODD if key in data)
    said = [
        f"{key} {value}" for key, value in data.items() if isinstance(value, str | int) and value is not False
    ]
    return " ".join([kind, *said])


def link_text(fields: Fields) -> str:
    """A device as the first line of ``ip link`` shows it."""
    index, lower = number(fields, "link_index"), word(fields, "link")
    peer = f"@if{index}" if index else f"@{lower}" if lower else ""
    parts = [
        f"{word(fields, 'ifindex')}: {word(fields, 'ifname')}{peer}: <{','.join(words(fields, 'flags'))}>",
        f"mtu {word(fields, 'mtu')}",
    ]
    parts += [f"{key} {word(fields, key)}" for key in ("master",) if word(fields, key)]
    parts += [f"state {word(fields, 'operstate')}"] if word(fields, "operstate") else []
    return " ".join(parts)
