"""Names that iproute2 prints for numbers, from its own tables (``/etc/iproute2``) and ``/etc/protocols``."""

from __future__ import annotations

from podpath.parse.json_entries import NotUnderstoodError

TABLES = {"255": "local", "254": "main", "253": "default"}
"""``ip -N`` prints the three built-in tables by number."""

DSFIELD = {
    "default": 0x00, "lowdelay": 0x10, "throughput": 0x08, "reliability": 0x04,
    "AF11": 0x28, "AF12": 0x30, "AF13": 0x38, "AF21": 0x48, "AF22": 0x50, "AF23": 0x58,
    "AF31": 0x68, "AF32": 0x70, "AF33": 0x78, "AF41": 0x88, "AF42": 0x90, "AF43": 0x98,
    "CS0": 0x00, "CS1": 0x20, "CS2": 0x40, "CS3": 0x60, "CS4": 0x80, "CS5": 0xA0, "CS6": 0xC0, "CS7": 0xE0,
    "EF": 0xB8, "LE": 0x04, "VOICE-ADMIT": 0xB0,
}  # fmt: skip
"""``rt_dsfield``: names of the former TOS octet."""

PROTOCOLS = {
    "ip": 0, "hopopt": 0, "icmp": 1, "igmp": 2, "ggp": 3, "ipencap": 4, "ipip": 4, "ipv4": 4, "st": 5, "tcp": 6,
    "egp": 8, "igp": 9, "pup": 12, "udp": 17, "hmp": 20, "xns-idp": 22, "rdp": 27, "iso-tp4": 29, "dccp": 33,
    "xtp": 36, "ddp": 37,
    "idpr-cmtp": 38, "ipv6": 41, "ipv6-route": 43, "ipv6-frag": 44, "idrp": 45, "rsvp": 46, "gre": 47, "esp": 50,
    "ipsec-esp": 50, "ah": 51, "ipsec-ah": 51, "skip": 57, "ipv6-icmp": 58, "icmpv6": 58, "ipv6-nonxt": 59,
    "ipv6-opts": 60, "rspf": 73, "vmtp": 81, "eigrp": 88, "ospf": 89, "ax.25": 93, "ipip-encap": 94, "etherip": 97,
    "encap": 98, "pim": 103, "ipcomp": 108, "vrrp": 112, "l2tp": 115, "isis": 124, "sctp": 132, "fc": 133,
    "mobility-header": 135, "udplite": 136, "mpls-in-ip": 137, "manet": 138, "hip": 139, "shim6": 140, "wesp": 141,
    "rohc": 142, "ethernet": 143, "mptcp": 262,
}  # fmt: skip
"""IP protocol numbers by their name in ``/etc/protocols``, in lower case."""


def table_name(text: str) -> str:
    """A table as the model names it: the built-in ones by name, others as printed."""
    return TABLES.get(text, text)


def tos_number(text: str) -> int:
    """``0x10``, ``CS6`` or nothing, as the octet of the IP header."""
    if not text:
        return 0
    if text in DSFIELD:
        return DSFIELD[text]
    try:
        return int(text, 0)
    except ValueError:
        raise NotUnderstoodError(f"not a type of service: {text}") from None


def protocol_number(text: str) -> int:
    """``tcp``, ``ipproto-200`` or ``47`` as a number."""
    name = text.lower().removeprefix("ipproto-")
    if name.isascii() and name.isdigit():
        return int(name)
    if name in PROTOCOLS:
        return PROTOCOLS[name]
    raise NotUnderstoodError(f"not an IP protocol: {text}")
