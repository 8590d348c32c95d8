"""Values as iptables and ipset write them. What is no such value raises ``ValueError`` with one sentence."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from podpath.model.addr import ALL_BITS, V4_MAPPED, Prefix, is_v4, length_mask, parse_addr, parse_prefix
from podpath.parse.iptables_names import PORTS, PROTOCOLS, TypeCodes

ALL_MARK = 0xFFFFFFFF
LAST_PORT = 0xFFFF

_OCTETS = {str(number): number for number in range(256)}
_V4_MASKS = {str(length): length_mask(length, v4=True) for length in range(33)}
_NUMBER = re.compile(r"(0[xX][0-9a-fA-F]{1,16})|(0[0-7]{0,20})|([1-9][0-9]{0,19})", re.ASCII)
_SHORT_NET = re.compile(r"([0-9]+(?:\.[0-9]+){0,2})/([0-9]+)", re.ASCII)
_MAC = re.compile(r"[0-9a-f]{1,2}(?::[0-9a-f]{1,2}){5}", re.ASCII)


@lru_cache(maxsize=1 << 12)
def _network(text: str) -> int:
    """The first three bytes of a dotted quad, in place."""
    a, b, c = text.split(".")
    return V4_MAPPED | _OCTETS[a] << 24 | _OCTETS[b] << 16 | _OCTETS[c] << 8


def address(text: str) -> int:
    """An address of either family. Dotted quads, many of few networks, are most of a large dump."""
    network, _, host = text.rpartition(".")
    try:
        return _network(network) | _OCTETS[host]
    except (ValueError, KeyError):
        return parse_addr(text)


@lru_cache(maxsize=1 << 14)
def _host(text: str) -> tuple[int, int]:
    """The last byte of a dotted quad, and the mask that follows it: ``4/32``."""
    byte, slash, length = text.partition("/")
    return _OCTETS[byte], _V4_MASKS[length] if slash else ALL_BITS


def prefix(text: str) -> Prefix:
    """``10.0.0.0/8``, ``10.0.0.0/255.0.0.0``, ``fd00::/64``, a bare address, or ``10.1/16`` as people type it."""
    network, _, host = text.rpartition(".")
    try:
        byte, mask = _host(host)
        return tuple.__new__(
            Prefix, ((_network(network) | byte) & mask, mask)
        )  # half the time of Prefix(...)
    except (ValueError, KeyError):
        return _any_prefix(text)


def _any_prefix(text: str) -> Prefix:
    base, _, length = text.partition("/")
    if short := _SHORT_NET.fullmatch(text):
        return parse_prefix(f"{short[1]}{'.0' * (3 - short[1].count('.'))}/{short[2]}")
    if (":" in length or "." in length) and is_v4(parse_addr(base)) != is_v4(parse_addr(length)):
        raise ValueError(f"address and mask of two families: {text}")
    return parse_prefix(text)


def addresses(text: str) -> tuple[int, int]:
    """An address or an inclusive range ``a-b`` of one family."""
    if "-" not in text:
        only = address(text)
        return only, only
    first, _, last = text.partition("-")
    lo, hi = address(first), address(last)
    if is_v4(lo) != is_v4(hi) or hi < lo:
        raise ValueError(f"not a range of addresses: {text}")
    return lo, hi


def number(text: str, limit: int = ALL_MARK) -> int:
    """A number as strtoul(3) reads it with base 0: decimal, ``0x`` hexadecimal or ``0`` octal."""
    found = _NUMBER.fullmatch(text)
    if not found:
        raise ValueError(f"not a number: {text}")
    value = int(text, 8 if found[2] else 0)
    if value > limit:
        raise ValueError(f"{text} is more than {limit}")
    return value


def numbers(text: str, limit: int, separator: str = ":") -> tuple[int, int]:
    """``a``, ``a:b``, ``a:``, ``:b`` or ``:`` as an inclusive range."""
    first, ranged, last = text.partition(separator)
    if not ranged:
        value = number(first, limit)
        return value, value
    return _ordered(number(first, limit) if first else 0, number(last, limit) if last else limit, text)


def masked(text: str, mask: int = ALL_MARK) -> tuple[int, int]:
    """``value[/mask]`` of a mark."""
    value, slash, given = text.partition("/")
    return number(value), number(given) if slash else mask


def port(text: str) -> int:
    """A port by number or name."""
    return PORTS[text] if text in PORTS else number(text, LAST_PORT)


def ports(text: str) -> tuple[int, int]:
    """``a``, ``a:b``, ``a:`` or ``:b``, by number or name, as an inclusive range."""
    first, ranged, last = text.partition(":")
    if not ranged:
        value = port(first)
        return value, value
    return _ordered(port(first) if first else 0, port(last) if last else LAST_PORT, text)


def dashed_ports(text: str) -> tuple[int, int]:
    """``a`` or ``a-b``, as NAT targets and ipset write it; a name may itself have a dash (``ftp-data``)."""
    if text in PORTS:
        return PORTS[text], PORTS[text]
    first, _, last = text.replace("[", "").replace("]", "").partition("-")
    return _ordered(port(first), port(last or first), text)


def _ordered(lo: int, hi: int, text: str) -> tuple[int, int]:
    if lo > hi:
        raise ValueError(f"the range {text} is empty")
    return lo, hi


def protocol(text: str) -> int:
    """A protocol by name, in either case, or number."""
    name = text.lower()
    return PROTOCOLS[name] if name in PROTOCOLS else number(text, 255)


def icmp_type(text: str, names: Mapping[str, TypeCodes]) -> TypeCodes:
    """A type of ICMP by name, ``type``, ``type/code`` or ``type/first:last``."""
    if text.lower() in names:
        return names[text.lower()]
    kind, slash, codes = text.partition("/")
    first, last = numbers(codes, 255) if slash else (0, 255)
    return number(kind, 255), first, last


def device(text: str) -> tuple[str, bool]:
    """A device's name, and whether a trailing ``+`` makes it the beginning of one."""
    return (text[:-1], True) if text.endswith("+") else (text, not text)


def mac(text: str) -> str:
    """A MAC address in lower case, two digits a byte."""
    lower = text.lower()
    if not _MAC.fullmatch(lower):
        raise ValueError(f"not a MAC address: {text}")
    return ":".join(byte.zfill(2) for byte in lower.split(":"))
