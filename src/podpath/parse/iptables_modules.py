"""All match modules and targets of iptables that are known, by name."""

from __future__ import annotations

from collections.abc import Mapping

from podpath.parse.iptables_grammar import Module
from podpath.parse.iptables_header_matches import header_modules
from podpath.parse.iptables_names import (
    AH,
    DCCP,
    ESP,
    ICMP,
    ICMPV6,
    IPCOMP,
    MOBILITY,
    SCTP,
    TCP,
    UDP,
    UDPLITE,
)
from podpath.parse.iptables_opaque_matches import opaque_modules
from podpath.parse.iptables_state_matches import state_modules
from podpath.parse.iptables_targets import TargetModule, target_modules

MODULES: Mapping[str, Module] = {**dict(header_modules()), **dict(state_modules()), **dict(opaque_modules())}

MODULE_ALIASES: Mapping[str, str] = {
    "icmpv6": "icmp6",
    "ipv6-icmp": "icmp6",
    "ipv6-mh": "mh",
    "udplite": "udp",
}
"""Protocols after which a module may be called."""

PROTOCOL_MODULES: Mapping[int, str] = {
    TCP: "tcp", UDP: "udp", UDPLITE: "udp", SCTP: "sctp", DCCP: "dccp", ICMP: "icmp", ICMPV6: "icmp6", ESP: "esp",
    AH: "ah", IPCOMP: "ipcomp", MOBILITY: "mh",
}  # fmt: skip
"""The module that ``-p`` loads once one of its options is seen."""

TARGETS: Mapping[str, TargetModule] = dict(target_modules())
