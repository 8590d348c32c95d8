"""The names that nft prints for numbers, and the data type of what a rule looks at.

Types are called as nft calls them (``nft describe``). ``addr`` is ours: an address whose family the rule does not say.
"""

from __future__ import annotations

from collections.abc import Mapping

from podpath.parse import iptables_names

PROTOCOLS: Mapping[str, int] = {
    **iptables_names.PROTOCOLS, "comp": 108, "ipip": 94, "cphb": 73, "ipv6-crypt": 50, "ipv6-auth": 51,
}  # fmt: skip
"""/etc/protocols of Debian, Fedora and Alpine: nft asks getprotobynumber(3)."""

ICMP_TYPES: Mapping[str, int] = {
    "echo-reply": 0, "destination-unreachable": 3, "source-quench": 4, "redirect": 5, "echo-request": 8,
    "router-advertisement": 9, "router-solicitation": 10, "time-exceeded": 11, "parameter-problem": 12,
    "timestamp-request": 13, "timestamp-reply": 14, "info-request": 15, "info-reply": 16,
    "address-mask-request": 17, "address-mask-reply": 18,
}  # fmt: skip

ICMP_CODES: Mapping[str, int] = {
    "net-unreachable": 0, "host-unreachable": 1, "prot-unreachable": 2, "port-unreachable": 3, "frag-needed": 4,
    "net-prohibited": 9, "host-prohibited": 10, "admin-prohibited": 13,
}  # fmt: skip

ICMPV6_TYPES: Mapping[str, int] = {
    "destination-unreachable": 1, "packet-too-big": 2, "time-exceeded": 3, "parameter-problem": 4,
    "echo-request": 128, "echo-reply": 129, "mld-listener-query": 130, "mld-listener-report": 131,
    "mld-listener-done": 132, "mld-listener-reduction": 132, "nd-router-solicit": 133, "nd-router-advert": 134,
    "nd-neighbor-solicit": 135, "nd-neighbor-advert": 136, "nd-redirect": 137, "router-renumbering": 138,
    "ind-neighbor-solicit": 141, "ind-neighbor-advert": 142, "mld2-listener-report": 143,
}  # fmt: skip

ICMPV6_CODES: Mapping[str, int] = {
    "no-route": 0, "admin-prohibited": 1, "addr-unreachable": 3, "port-unreachable": 4, "policy-fail": 5,
    "reject-route": 6,
}  # fmt: skip

ICMPX_CODES: Mapping[str, int] = {
    "no-route": 0, "port-unreachable": 1, "host-unreachable": 2, "admin-prohibited": 3,
}  # fmt: skip
"""include/uapi/linux/netfilter/nf_tables.h, enum nft_reject_inet_code."""

DSCP: Mapping[str, int] = {
    "be": 0, "df": 0, "lephb": 1, "va": 44, "ef": 46,
    **{f"cs{n}": 8 * n for n in range(8)},
    **{f"af{n}{drop}": 8 * n + 2 * drop for n in range(1, 5) for drop in range(1, 4)},
}  # fmt: skip

NUMBERS: Mapping[str, Mapping[str, int]] = {
    "inet_proto": PROTOCOLS,
    "inet_service": iptables_names.PORTS,
    "dscp": DSCP,
    "ecn": {"not-ect": 0, "ect1": 1, "ect0": 2, "ce": 3},
    "icmp_type": ICMP_TYPES,
    "icmp_code": ICMP_CODES,
    "icmpv6_type": ICMPV6_TYPES,
    "icmpv6_code": ICMPV6_CODES,
    "icmpx_code": ICMPX_CODES,
    "integer": {},
    "mark": {},
    "uid": {},
    "gid": {},
    "time": {},
}
"""Types whose values are numbers, and their names. A name that is not here is not understood."""

ADDRESSES = frozenset(("ipv4_addr", "ipv6_addr", "addr"))

NUMERIC = ADDRESSES | NUMBERS.keys() | {"tcp_flag"}
"""Types whose values are ints in the model; those of the others are strings."""

WIDTHS: Mapping[str, int] = {"mark": 32, "inet_service": 16, "inet_proto": 8, "uid": 32, "gid": 32}
"""Bits of the types for which nft prints a prefix of a number (``meta mark 0x4000/18``)."""

PAYLOAD_TYPES: Mapping[tuple[str, str], str] = {
    ("ip", "saddr"): "ipv4_addr",
    ("ip", "daddr"): "ipv4_addr",
    ("ip", "protocol"): "inet_proto",
    ("ip", "dscp"): "dscp",
    ("ip", "ecn"): "ecn",
    ("ip6", "saddr"): "ipv6_addr",
    ("ip6", "daddr"): "ipv6_addr",
    ("ip6", "nexthdr"): "inet_proto",
    ("ip6", "dscp"): "dscp",
    ("ip6", "ecn"): "ecn",
    ("tcp", "flags"): "tcp_flag",
    ("icmp", "type"): "icmp_type",
    ("icmp", "code"): "icmp_code",
    ("icmp", "gateway"): "integer",
    ("icmpv6", "type"): "icmpv6_type",
    ("icmpv6", "code"): "icmpv6_code",
    ("icmpv6", "taddr"): "ipv6_addr",
    ("icmpv6", "daddr"): "ipv6_addr",
    ("igmp", "type"): "igmp_type",
    ("igmp", "group"): "ipv4_addr",
    ("dccp", "type"): "dccp_pkttype",
    ("ah", "nexthdr"): "inet_proto",
    ("comp", "nexthdr"): "inet_proto",
    ("ether", "saddr"): "ether_addr",
    ("ether", "daddr"): "ether_addr",
    ("ether", "type"): "ether_type",
    ("vlan", "type"): "ether_type",
    ("arp", "operation"): "arp_op",
    ("arp", "ptype"): "ether_type",
    ("arp", "saddr ip"): "ipv4_addr",
    ("arp", "daddr ip"): "ipv4_addr",
    ("arp", "saddr ether"): "ether_addr",
    ("arp", "daddr ether"): "ether_addr",
}
"""Fields that are not plain integers."""

PORT_FIELDS = frozenset(("sport", "dport"))

META_TYPES: Mapping[str, str] = {
    "mark": "mark",
    "iif": "iface_index",
    "oif": "iface_index",
    "sdif": "iface_index",
    "iifname": "ifname",
    "oifname": "ifname",
    "sdifname": "ifname",
    "ibrname": "ifname",
    "obrname": "ifname",
    "ibridgename": "ifname",
    "obridgename": "ifname",
    "iifkind": "ifkind",
    "oifkind": "ifkind",
    "iiftype": "iface_type",
    "oiftype": "iface_type",
    "iifgroup": "devgroup",
    "oifgroup": "devgroup",
    "l4proto": "inet_proto",
    "nfproto": "nf_proto",
    "protocol": "ether_type",
    "ibrvproto": "ether_type",
    "pkttype": "pkt_type",
    "skuid": "uid",
    "skgid": "gid",
    "priority": "classid",
    "rtclassid": "realm",
    "ipsec": "boolean",
    "secpath": "boolean",
    "broute": "boolean",
}

TIME_OF_DAY = frozenset(("time", "hour", "day"))
"""``meta`` keys that ask the clock, which no dump shows."""

CT_TYPES: Mapping[str, str] = {
    "state": "ct_state",
    "status": "ct_status",
    "direction": "ct_dir",
    "event": "ct_event",
    "label": "ct_label",
    "helper": "string",
    "mark": "mark",
    "secmark": "mark",
    "expiration": "time",
    "l3proto": "nf_proto",
    "protocol": "inet_proto",
    "proto-src": "inet_service",
    "proto-dst": "inet_service",
}

FIB_TYPES: Mapping[str, str] = {
    "type": "fib_addrtype",
    "oif": "iface_index",
    "oifname": "ifname",
    "check": "boolean",
}


def payload_type(protocol: str, field: str) -> str:
    """The data type of a header field."""
    if field in PORT_FIELDS:
        return "inet_service"
    return PAYLOAD_TYPES.get((protocol, field), "integer")
