"""What commands print on a made-up node: links, addresses, routes, kernel parameters, sockets, tracked connections."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

NODE_FILES = (
    "bridge-fdb.json",
    "bridge-link.json",
    "conntrack",
    "ip-addr.json",
    "ip-link.json",
    "ip-neigh.json",
    "ip-route.json",
    "ip-rule.json",
    "ip6tables-nft-save",
    "ipset-save",
    "iptables-nft-save",
    "nft-list-ruleset",
    "nft-list-ruleset.json",
    "ss",
    "sysctl",
)
POD_FILES = (
    "ip-addr.json",
    "ip-link.json",
    "ip-neigh.json",
    "ip-route.json",
    "ip-rule.json",
    "iptables-save",
    "ss",
    "sysctl",
)
V4_CONF = """
accept_local=0 accept_redirects=1 accept_source_route=1 arp_accept=0 arp_announce=0
arp_evict_nocarrier=1 arp_filter=0 arp_ignore=0 arp_notify=0 bc_forwarding=0 bootp_relay=0
disable_policy=0 disable_xfrm=0 drop_gratuitous_arp=0 drop_unicast_in_l2_multicast=0
force_igmp_version=0 forwarding=FORWARDS igmpv2_unsolicited_report_interval=10000
igmpv3_unsolicited_report_interval=1000 ignore_routes_with_linkdown=0 log_martians=0 mc_forwarding=0
medium_id=0 promote_secondaries=0 proxy_arp=0 proxy_arp_pvlan=0 route_localnet=0 rp_filter=0
secure_redirects=1 send_redirects=1 shared_media=1 src_valid_mark=0 tag=0
"""
V6_CONF = """
accept_dad=1 accept_ra=1 accept_ra_defrtr=1 accept_ra_from_local=0 accept_ra_min_hop_limit=1
accept_ra_min_lft=0 accept_ra_mtu=1 accept_ra_pinfo=1 accept_ra_rt_info_max_plen=0
accept_ra_rt_info_min_plen=0 accept_ra_rtr_pref=1 accept_redirects=1 accept_source_route=0
accept_untracked_na=0 addr_gen_mode=0 autoconf=1 dad_transmits=1 disable_ipv6=0 disable_policy=0
drop_unicast_in_l2_multicast=0 drop_unsolicited_na=0 enhanced_dad=1 force_mld_version=0
force_tllao=0 forwarding=0 hop_limit=64 ignore_routes_with_linkdown=0 ioam6_enabled=0 ioam6_id=65535
ioam6_id_wide=4294967295 keep_addr_on_down=0 max_addresses=16 max_desync_factor=600 mc_forwarding=0
mtu=1500 ndisc_evict_nocarrier=1 ndisc_notify=0 ndisc_tclass=0 optimistic_dad=0 proxy_ndp=0
ra_defrtr_metric=1024 regen_max_retry=3 router_probe_interval=60 router_solicitation_delay=1
router_solicitation_interval=4 router_solicitations=-1 rpl_seg_enabled=0 seg6_enabled=0
suppress_frag_ndisc=1 temp_prefered_lft=86400 temp_valid_lft=604800 use_oif_addrs_only=0
use_optimistic=0 use_tempaddr=0
"""
NEIGH = """
anycast_delay=100 app_solicit=0 base_reachable_time_ms=30000 delay_first_probe_time=5
gc_stale_time=60 interval_probe_time_ms=5000 locktime=100 mcast_resolicit=0 mcast_solicit=3
proxy_delay=80 proxy_qlen=64 retrans_time_ms=1000 ucast_solicit=3 unres_qlen=101
unres_qlen_bytes=212992
"""
BRIDGE = ("nf-call-arptables", "nf-call-ip6tables", "nf-call-iptables")


def _block(prefix: str, values: str) -> str:
    return "".join(f"{prefix}.DEV.{one.replace('=', ' = ')}\n" for one in values.split())


DEVICE = tuple(
    _block(prefix, values)
    for prefix, values in (
        ("net.ipv4.conf", V4_CONF),
        ("net.ipv4.neigh", NEIGH),
        ("net.ipv6.conf", V6_CONF),
        ("net.ipv6.neigh", NEIGH),
    )
)
"""What the kernel has for each device, some 120 lines."""
OTHER = "".join(f"kernel.parameter_{number}.of_the_machine = {number * 37 % 1009}\n" for number in range(640))
"""What has nothing to do with networks, as long as it is in a whole ``sysctl -a``."""
TCP = "".join(f"net.ipv4.tcp_parameter_{number} = {number * 91 % 4096}\n" for number in range(220))


def sysctl(devices: Sequence[str], *, forwards: bool, own: int) -> str:
    """All parameters of a namespace; ``own`` makes the counters among them differ from those of every other."""
    forward = str(int(forwards))
    head = f"kernel.random.uuid = 2f0e1c4a-{own & 0xFFFF:04x}-4e0b-9d3a-{own:012x}\n"
    bridge = "".join(f"net.bridge.bridge-{name} = 1\n" for name in BRIDGE) if forwards else ""
    devs = ["all", "default", *devices]
    blocks = [
        block.replace(".DEV.", f".{dev}.").replace("FORWARDS", forward) for block in DEVICE for dev in devs
    ]
    tracked = f"net.netfilter.nf_conntrack_count = {own % 4001}\nnet.netfilter.nf_conntrack_max = 262144\n"
    return "".join((OTHER, head, bridge, f"net.ipv4.ip_forward = {forward}\n", TCP, *blocks, tracked))


def link(
    name: str, index: int, mac: str, *, kind: str = "", master: str = "", peer: int = 0
) -> dict[str, Any]:
    """A device as ``ip -d -s -j link`` prints it."""
    flags = ["LOOPBACK", "UP", "LOWER_UP"] if name == "lo" else ["BROADCAST", "MULTICAST", "UP", "LOWER_UP"]
    counts = {"bytes": index * 9_176_401, "packets": index * 7_919, "errors": 0, "dropped": 0}
    one: dict[str, Any] = {"ifindex": index}
    if peer:
        one["link_index"] = peer
    one |= {"ifname": name, "flags": flags, "mtu": 1500, "qdisc": "noqueue"}
    if master:
        one["master"] = master
    one |= {
        "operstate": "UP",
        "linkmode": "DEFAULT",
        "group": "default",
        "txqlen": 1000,
        "link_type": "loopback" if name == "lo" else "ether",
        "address": mac,
        "broadcast": "ff:ff:ff:ff:ff:ff",
        "promiscuity": int(bool(master)),
        "min_mtu": 68,
        "max_mtu": 65535,
        "inet6_addr_gen_mode": "eui64",
        "num_tx_queues": 2,
        "num_rx_queues": 2,
        "gso_max_size": 65536,
        "gso_max_segs": 65535,
        "stats64": {"rx": counts, "tx": counts},
    }
    if peer:
        one["link_netnsid"] = index if master else 0
    if kind:
        one["linkinfo"] = {"info_kind": kind}
    return one


def addresses(name: str, index: int, addr: str, length: int, mac: str = "") -> dict[str, Any]:
    """The addresses of a device as ``ip -j addr`` prints them."""
    scope = "host" if name == "lo" else "global"
    v4 = {"family": "inet", "local": addr, "prefixlen": length, "scope": scope, "label": name}
    v6 = {
        "family": "inet6",
        "local": "::1" if name == "lo" else link_local(mac),
        "prefixlen": 128 if name == "lo" else 64,
    }
    v6["scope"] = "host" if name == "lo" else "link"
    lives = {"valid_life_time": 4294967295, "preferred_life_time": 4294967295}
    return {
        "ifindex": index,
        "ifname": name,
        "mtu": 1500,
        "operstate": "UP",
        "addr_info": [v4 | lives, v6 | lives],
    }


def route(
    dst: str, dev: str, *, via: str = "", src: str = "", kind: str = "unicast", table: str = "main"
) -> dict[str, Any]:
    """A route as ``ip -d -j route show table all`` prints it."""
    one: dict[str, Any] = {"type": kind, "dst": dst}
    if via:
        one["gateway"] = via
    one |= {"dev": dev, "table": table, "protocol": "kernel" if src else "boot"}
    one["scope"] = "global" if via else "host" if kind == "local" else "link"
    if src:
        one["prefsrc"] = src
    return one | {"flags": []}


def own_routes(dev: str, addr: str, length: int) -> list[dict[str, Any]]:
    """What the kernel adds for an address of a /24 or /12."""
    first = addr.rpartition(".")[0]
    subnet, last = (f"{first}.0/24", f"{first}.255") if length == 24 else ("172.16.0.0/12", "172.31.255.255")
    return [
        route(subnet, dev, src=addr),
        route(addr, dev, src=addr, kind="local", table="local"),
        route(last, dev, src=addr, kind="broadcast", table="local"),
    ]


LOOPBACK_ROUTES = [
    route("127.0.0.0/8", "lo", src="127.0.0.1", kind="local", table="local"),
    route("127.0.0.1", "lo", src="127.0.0.1", kind="local", table="local"),
    route("127.255.255.255", "lo", src="127.0.0.1", kind="broadcast", table="local"),
]
RULES = [
    {"priority": priority, "src": "all", "table": table}
    for priority, table in ((0, "local"), (32766, "main"), (32767, "default"))
]


def printed(entries: Iterable[dict[str, Any]]) -> bytes:
    """Entries as iproute2 prints them: on one line."""
    return json.dumps(list(entries), separators=(",", ":")).encode() + b"\n"


def link_local(mac: str) -> str:
    """The address that the kernel makes of a MAC address."""
    parts = [int(part, 16) for part in mac.split(":")]
    return (
        f"fe80::{parts[0] ^ 2:x}{parts[1]:02x}:{parts[2]:02x}ff:fe{parts[3]:02x}:{parts[4]:02x}{parts[5]:02x}"
    )


def mac(kind: int, at: int, number: int) -> str:
    """A MAC address of our own."""
    return ":".join(f"{part:02x}" for part in (kind, at, *number.to_bytes(4, "big")))


def sockets(ports: dict[int, str], talks: Iterable[tuple[str, str]] = ()) -> str:
    """``ss -tunap`` of who listens on ports, and of connections that stand."""
    lines = ["Netid State Recv-Q Send-Q Local Address:Port Peer Address:Port Process"]
    more = "ino:775160 sk:108a cgroup:unreachable:f3d v6only:0 <-> skmem:(r0,rb131072,t0,tb16384,f0,w0,o0,bl0,d0)"
    lines += [
        f'tcp LISTEN 0 4096 *:{port} *:* users:(("{name}",pid=71,fd=6)) {more}'
        for port, name in ports.items()
    ]
    lines += [f'tcp ESTAB 0 0 {here} {there} users:(("main",pid=90,fd=7)) {more}' for here, there in talks]
    return "\n".join(lines) + "\n"


def tracked(connections: Iterable[tuple[str, str, str]]) -> str:
    """``conntrack -L -o extended``: from a client, by a Service's address, to a server."""
    return "".join(
        f"ipv4     2 tcp      6 {80000 + at} ESTABLISHED src={src} dst={vip} sport={33000 + at} dport=80 "
        f"src={server} dst={src} sport=8080 dport={33000 + at} [ASSURED] mark=0 use=1\n"
        for at, (src, vip, server) in enumerate(connections)
    )
