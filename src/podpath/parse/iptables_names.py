"""Names that iptables and ipset accept for numbers: protocols, ports, ICMP types, classes of service."""

from __future__ import annotations

from collections.abc import Mapping

TCP, UDP, SCTP, DCCP, UDPLITE = 6, 17, 132, 33, 136
ICMP, ICMPV6, ESP, AH, IPCOMP, MOBILITY = 1, 58, 50, 51, 108, 135

PROTOCOLS: Mapping[str, int] = {
    "all": 0, "ip": 0, "hopopt": 0, "icmp": ICMP, "igmp": 2, "ggp": 3, "ipencap": 4, "ipv4": 4, "ip-encap": 4,
    "st": 5, "tcp": TCP, "egp": 8, "igp": 9, "pup": 12, "udp": UDP, "hmp": 20, "xns-idp": 22, "rdp": 27,
    "iso-tp4": 29, "dccp": DCCP, "xtp": 36, "ddp": 37, "idpr-cmtp": 38, "ipv6": 41, "ipv6-route": 43,
    "ipv6-frag": 44, "idrp": 45, "rsvp": 46, "gre": 47, "esp": ESP, "ipsec-esp": ESP, "ah": AH, "ipsec-ah": AH,
    "skip": 57, "ipv6-icmp": ICMPV6, "icmpv6": ICMPV6, "icmp6": ICMPV6, "ipv6-nonxt": 59, "ipv6-opts": 60,
    "rspf": 73, "vmtp": 81, "eigrp": 88, "ospf": 89, "ospfigp": 89, "ax.25": 93, "ipip": 94, "etherip": 97,
    "encap": 98, "pim": 103, "ipcomp": IPCOMP, "vrrp": 112, "carp": 112, "l2tp": 115, "isis": 124, "sctp": SCTP,
    "fc": 133, "mobility-header": MOBILITY, "ipv6-mh": MOBILITY, "mh": MOBILITY, "udplite": UDPLITE,
    "mpls-in-ip": 137, "manet": 138, "hip": 139, "shim6": 140, "wesp": 141, "rohc": 142, "ethernet": 143,
}  # fmt: skip
"""/etc/protocols and xtables_chain_protos of libxtables, in lower case."""

PORTS: Mapping[str, int] = {
    "tcpmux": 1, "echo": 7, "discard": 9, "systat": 11, "daytime": 13, "netstat": 15, "qotd": 17, "chargen": 19,
    "ftp-data": 20, "ftp": 21, "ssh": 22, "telnet": 23, "smtp": 25, "mail": 25, "time": 37, "whois": 43,
    "tacacs": 49, "domain": 53, "bootps": 67, "bootpc": 68, "tftp": 69, "gopher": 70, "finger": 79, "http": 80,
    "www": 80, "kerberos": 88, "pop3": 110, "sunrpc": 111, "portmapper": 111, "auth": 113, "nntp": 119, "ntp": 123,
    "epmap": 135, "netbios-ns": 137, "netbios-dgm": 138, "netbios-ssn": 139, "imap2": 143, "imap": 143,
    "snmp": 161, "snmp-trap": 162, "snmptrap": 162, "bgp": 179, "irc": 194, "ldap": 389, "https": 443,
    "microsoft-ds": 445, "kpasswd": 464, "submissions": 465, "isakmp": 500, "syslog": 514, "printer": 515,
    "route": 520, "uucp": 540, "dhcpv6-client": 546, "dhcpv6-server": 547, "ipp": 631, "ldaps": 636,
    "domain-s": 853, "rsync": 873, "ftps": 990, "telnets": 992, "imaps": 993, "pop3s": 995, "socks": 1080,
    "openvpn": 1194, "ms-sql-s": 1433, "l2f": 1701, "radius": 1812, "radius-acct": 1813, "nfs": 2049,
    "mysql": 3306, "ms-wbt-server": 3389, "ipsec-nat-t": 4500, "sip": 5060, "sip-tls": 5061, "xmpp-client": 5222,
    "mdns": 5353, "postgresql": 5432, "amqp": 5672, "x11": 6000, "redis": 6379, "http-alt": 8080,
    "webcache": 8080, "zabbix-agent": 10050, "mongodb": 27017, "bacula-sd": 9103, "git": 9418,
}  # fmt: skip
"""The names of /etc/services that rules on nodes use."""

TypeCodes = tuple[int, int, int]
"""An ICMP type with its first and last code."""

ICMP_TYPES: Mapping[str, TypeCodes] = {
    "any": (255, 0, 255), "echo-reply": (0, 0, 255), "pong": (0, 0, 255),
    "destination-unreachable": (3, 0, 255), "network-unreachable": (3, 0, 0), "host-unreachable": (3, 1, 1),
    "protocol-unreachable": (3, 2, 2), "port-unreachable": (3, 3, 3), "fragmentation-needed": (3, 4, 4),
    "source-route-failed": (3, 5, 5), "network-unknown": (3, 6, 6), "host-unknown": (3, 7, 7),
    "network-prohibited": (3, 9, 9), "host-prohibited": (3, 10, 10), "tos-network-unreachable": (3, 11, 11),
    "tos-host-unreachable": (3, 12, 12), "communication-prohibited": (3, 13, 13),
    "host-precedence-violation": (3, 14, 14), "precedence-cutoff": (3, 15, 15), "source-quench": (4, 0, 255),
    "redirect": (5, 0, 255), "network-redirect": (5, 0, 0), "host-redirect": (5, 1, 1),
    "tos-network-redirect": (5, 2, 2), "tos-host-redirect": (5, 3, 3), "echo-request": (8, 0, 255),
    "ping": (8, 0, 255), "router-advertisement": (9, 0, 255), "router-solicitation": (10, 0, 255),
    "time-exceeded": (11, 0, 255), "ttl-exceeded": (11, 0, 255), "ttl-zero-during-transit": (11, 0, 0),
    "ttl-zero-during-reassembly": (11, 1, 1), "parameter-problem": (12, 0, 255), "ip-header-bad": (12, 0, 0),
    "required-option-missing": (12, 1, 1), "timestamp-request": (13, 0, 255), "timestamp-reply": (14, 0, 255),
    "info-request": (15, 0, 255), "info-reply": (16, 0, 255), "address-mask-request": (17, 0, 255),
    "address-mask-reply": (18, 0, 255),
}  # fmt: skip
ICMPV6_TYPES: Mapping[str, TypeCodes] = {
    "destination-unreachable": (1, 0, 255), "no-route": (1, 0, 0), "communication-prohibited": (1, 1, 1),
    "beyond-scope": (1, 2, 2), "address-unreachable": (1, 3, 3), "port-unreachable": (1, 4, 4),
    "failed-policy": (1, 5, 5), "reject-route": (1, 6, 6), "packet-too-big": (2, 0, 255),
    "time-exceeded": (3, 0, 255), "ttl-exceeded": (3, 0, 255), "ttl-zero-during-transit": (3, 0, 0),
    "ttl-zero-during-reassembly": (3, 1, 1), "parameter-problem": (4, 0, 255), "bad-header": (4, 0, 0),
    "unknown-header-type": (4, 1, 1), "unknown-option": (4, 2, 2), "echo-request": (128, 0, 255),
    "ping": (128, 0, 255), "echo-reply": (129, 0, 255), "pong": (129, 0, 255), "mld-listener-query": (130, 0, 255),
    "mld-listener-report": (131, 0, 255), "mld-listener-done": (132, 0, 255),
    "mld-listener-reduction": (132, 0, 255), "router-solicitation": (133, 0, 255),
    "router-advertisement": (134, 0, 255), "neighbour-solicitation": (135, 0, 255),
    "neighbor-solicitation": (135, 0, 255), "neighbour-advertisement": (136, 0, 255),
    "neighbor-advertisement": (136, 0, 255), "redirect": (137, 0, 255),
}  # fmt: skip
"""The types that ``iptables -p icmp -h`` and ``ip6tables -p icmpv6 -h`` list, in lower case."""

REJECTS: Mapping[str, Mapping[str, str]] = {
    "ip": {
        "icmp-net-unreachable": "net-unreach",
        "icmp-host-unreachable": "host-unreach",
        "icmp-proto-unreachable": "proto-unreach",
        "icmp-port-unreachable": "port-unreach",
        "icmp-net-prohibited": "net-prohib",
        "icmp-host-prohibited": "host-prohib",
        "icmp-admin-prohibited": "admin-prohib",
        "tcp-reset": "tcp-rst",
    },
    "ip6": {
        "icmp6-no-route": "no-route",
        "icmp6-adm-prohibited": "adm-prohibited",
        "icmp6-addr-unreachable": "addr-unreach",
        "icmp6-port-unreachable": "port-unreach",
        "icmp6-policy-fail": "policy-fail",
        "icmp6-reject-route": "reject-route",
        "tcp-reset": "tcp-rst",
    },
}
"""What ``--reject-with`` takes, and the short name of each, by family."""

DSCP_CLASSES: Mapping[str, int] = {
    "CS0": 0x00, "CS1": 0x08, "CS2": 0x10, "CS3": 0x18, "CS4": 0x20, "CS5": 0x28, "CS6": 0x30, "CS7": 0x38,
    "BE": 0x00, "AF11": 0x0A, "AF12": 0x0C, "AF13": 0x0E, "AF21": 0x12, "AF22": 0x14, "AF23": 0x16,
    "AF31": 0x1A, "AF32": 0x1C, "AF33": 0x1E, "AF41": 0x22, "AF42": 0x24, "AF43": 0x26, "EF": 0x2E,
}  # fmt: skip

TOS_SYMBOLS: Mapping[str, int] = {
    "minimize-delay": 0x10,
    "maximize-throughput": 0x08,
    "maximize-reliability": 0x04,
    "minimize-cost": 0x02,
    "normal-service": 0x00,
}
"""A symbol of ``--tos`` is compared under the mask 0x3f."""

ADDRESS_TYPES = frozenset({
    "UNSPEC", "UNICAST", "LOCAL", "BROADCAST", "ANYCAST", "MULTICAST", "BLACKHOLE", "UNREACHABLE", "PROHIBIT",
    "THROW", "NAT", "XRESOLVE",
})  # fmt: skip

TCP_FLAGS: Mapping[str, int] = {
    "FIN": 1, "SYN": 2, "RST": 4, "PSH": 8, "ACK": 16, "URG": 32, "ALL": 63, "NONE": 0,
}  # fmt: skip
