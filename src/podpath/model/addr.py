"""IP addresses and prefixes as integers.

One integer space serves both families: an IPv4 address is held as its IPv4-mapped IPv6 address
(RFC 4291, 2.5.5.2: ``::ffff:a.b.c.d``), which never occurs on a wire as such. So one comparison
``addr & mask == net`` matches either family and a mask of one family never matches the other.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import NamedTuple

V4_MAPPED = 0xFFFF << 32
"""What is added to a 32-bit IPv4 address to place it in the common space."""
ALL_BITS = (1 << 128) - 1


class Prefix(NamedTuple):
    """A network: ``net`` and ``mask`` in the common space. Non-contiguous masks are legal (iptables)."""

    net: int
    mask: int

    def __contains__(self, addr: object) -> bool:
        """Whether an address (an int of the common space) lies in the network."""
        return isinstance(addr, int) and addr & self.mask == self.net

    def covers(self, other: Prefix) -> bool:
        """Whether every address of ``other`` lies in this network."""
        return other.mask & self.mask == self.mask and other.net & self.mask == self.net

    def overlaps(self, other: Prefix) -> bool:
        """Whether the two networks share an address."""
        both = self.mask & other.mask
        return self.net & both == other.net & both

    @property
    def length(self) -> int:
        """Prefix length in the family's own counting (0-32 or 0-128)."""
        ones = self.mask.bit_count()
        return ones - 96 if is_v4(self.net) and ones >= 96 else ones

    def __str__(self) -> str:
        """The usual notation: ``10.0.0.0/8``."""
        return format_prefix(self)


EVERYTHING = Prefix(0, 0)
ANY_V4 = Prefix(V4_MAPPED, ALL_BITS ^ 0xFFFFFFFF)
"""0.0.0.0/0: every IPv4 address and no IPv6 address."""
V6_UNSPECIFIED = 0
V4_UNSPECIFIED = V4_MAPPED
LOOPBACK_V4 = Prefix(V4_MAPPED | 0x7F000000, ALL_BITS ^ 0xFFFFFF)
LOOPBACK_V6 = 1
MULTICAST_V4 = Prefix(V4_MAPPED | 0xE0000000, ALL_BITS ^ 0x0FFFFFFF)
MULTICAST_V6 = Prefix(0xFF << 120, 0xFF << 120)
BROADCAST_V4 = V4_MAPPED | 0xFFFFFFFF
THIS_NETWORK_V4 = Prefix(V4_MAPPED, ALL_BITS ^ 0xFFFFFF)
LINK_LOCAL_V6 = Prefix(0xFE80 << 112, 0xFFC0 << 112)
LINK_LOCAL_V4 = Prefix(V4_MAPPED | 0xA9FE0000, ALL_BITS ^ 0xFFFF)


def is_v4(addr: int) -> bool:
    """Whether an address of the common space is an IPv4 address."""
    return addr >> 32 == 0xFFFF


@lru_cache(maxsize=1 << 16)
def parse_addr(text: str) -> int:
    """``10.0.0.1`` or ``fe80::1`` (a zone suffix is dropped) as an int; ``ValueError`` if it is neither."""
    try:
        if ":" not in text:
            if text.count(".") != 3:
                msg = f"not an IP address: {text!r}"
                raise ValueError(msg)
            return V4_MAPPED | int.from_bytes(_quad(text), "big")
        return int(ipaddress.IPv6Address(text.partition("%")[0]))
    except (OSError, ipaddress.AddressValueError, UnicodeError) as error:
        msg = f"not an IP address: {text!r}"
        raise ValueError(msg) from error


def _quad(text: str) -> bytes:
    """The four bytes of a dotted quad; decimal only, leading zeros allowed (ParseCIDRSloppy of Kubernetes)."""
    parts = text.split(".")
    if len(parts) != 4 or not all(part.isascii() and part.isdigit() and int(part) < 256 for part in parts):
        msg = f"not an IPv4 address: {text!r}"
        raise ValueError(msg)
    return bytes(int(part) for part in parts)


@lru_cache(maxsize=1 << 16)
def parse_prefix(text: str) -> Prefix:
    """``10.0.0.0/8``, ``10.0.0.0/255.0.0.0`` or a bare address; host bits are cleared as the kernel does."""
    base, _, suffix = text.partition("/")
    addr = parse_addr(base)
    v4 = is_v4(addr)
    if not suffix:
        return Prefix(addr, ALL_BITS)
    if "." in suffix or ":" in suffix:
        mask = parse_addr(suffix)
        if v4:
            mask |= ALL_BITS ^ 0xFFFFFFFF
    else:
        if not (suffix.isascii() and suffix.isdigit()) or int(suffix) > (32 if v4 else 128):
            msg = f"not a prefix length: {text!r}"
            raise ValueError(msg)
        mask = length_mask(int(suffix), v4=v4)
    return Prefix(addr & mask, mask)


def length_mask(length: int, *, v4: bool) -> int:
    """The mask of a prefix length of the family, in the common space."""
    bits = length + 96 if v4 else length
    return ALL_BITS ^ ((1 << (128 - bits)) - 1)


def make_prefix(addr: int, length: int) -> Prefix:
    """The network of an address and a prefix length of the address's own family."""
    mask = length_mask(length, v4=is_v4(addr))
    return Prefix(addr & mask, mask)


@lru_cache(maxsize=1 << 16)
def format_addr(addr: int) -> str:
    """The usual notation of an address."""
    if is_v4(addr):
        return f"{addr >> 24 & 255}.{addr >> 16 & 255}.{addr >> 8 & 255}.{addr & 255}"
    return str(ipaddress.IPv6Address(addr))


def format_prefix(prefix: Prefix) -> str:
    """``10.0.0.0/8``; a non-contiguous mask is written out."""
    v4 = is_v4(prefix.net)
    width = 32 if v4 else 128
    host = (prefix.mask ^ ALL_BITS) & ((1 << width) - 1)
    if host & (host + 1):
        mask = (prefix.mask & 0xFFFFFFFF) | V4_MAPPED if v4 else prefix.mask
        return f"{format_addr(prefix.net)}/{format_addr(mask)}"
    return f"{format_addr(prefix.net)}/{width - host.bit_length()}"


def broadcast_of(prefix: Prefix) -> int:
    """The last address of a network (IPv4's subnet broadcast)."""
    return prefix.net | (prefix.mask ^ ALL_BITS)
