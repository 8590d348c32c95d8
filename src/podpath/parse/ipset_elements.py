"""Elements of IP sets: ``10.0.0.0/8,tcp:80,eth0`` by the type of the set (ipset(8), SET TYPES)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from podpath.model.addr import Prefix, is_v4
from podpath.model.linux.ipset import ElementPart
from podpath.parse.iptables_names import ICMP, ICMP_TYPES, ICMPV6, ICMPV6_TYPES, TCP
from podpath.parse.iptables_values import addresses, dashed_ports, mac, number, prefix, protocol

TYPES = frozenset({
    "bitmap:ip", "bitmap:ip,mac", "bitmap:port", "hash:ip", "hash:mac", "hash:ip,mac", "hash:net", "hash:net,net",
    "hash:ip,port", "hash:net,port", "hash:ip,port,ip", "hash:ip,port,net", "hash:ip,mark", "hash:net,port,net",
    "hash:net,iface", "list:set",
})  # fmt: skip
PHYSDEV = "physdev:"


class ElementReader:
    """Reads the elements of one set."""

    def __init__(self, kind: str, options: Mapping[str, str], *, v4: bool) -> None:
        if kind not in TYPES:
            raise ValueError(f"{kind} is no type of set that is known")
        self.kind = kind
        self.v4 = v4
        self.mask = self._mask(options)
        method, _, dimensions = kind.partition(":")
        readers: Mapping[str, Callable[[str], ElementPart]] = {
            "ip": self.network,
            "net": self.network,
            "port": plain_ports if method == "bitmap" else protocol_ports,
            "mac": mac,
            "mark": number,
            "iface": lambda text: text.removeprefix(PHYSDEV),
            "set": str,
        }
        self.readers = tuple(readers[dimension] for dimension in dimensions.split(","))

    def parts(self, element: str) -> tuple[ElementPart, ...]:
        """The parts of an element; ``ValueError`` if it is no element of such a set."""
        words = element.split(",", len(self.readers) - 1)
        if len(words) != len(self.readers):
            raise ValueError(f"an element of {self.kind} has {len(self.readers)} parts")
        return tuple(reader(word) for reader, word in zip(self.readers, words, strict=True))

    def is_physdev(self, element: str) -> bool:
        """Whether the device of an element is a bridge port."""
        return self.kind.endswith(",iface") and f",{PHYSDEV}" in element

    def network(self, text: str) -> Prefix | tuple[int, int]:
        """An address, network or range. Under a mask an address stands for a network."""
        if "-" in text:
            span = addresses(text)
            if self.mask is not None or is_v4(span[0]) != self.v4:
                raise ValueError(f"{text} is a range under a mask, or of the other family")
            return span
        part = prefix(text)
        if is_v4(part.net) != self.v4:
            raise ValueError(f"{text} is of the other family")
        return part if self.mask is None else Prefix(part.net & self.mask, part.mask & self.mask)

    def _mask(self, options: Mapping[str, str]) -> int | None:
        """``netmask 24`` or ``bitmask 255.0.255.0``: what all addresses of the set, and of packets, are put under."""
        given = options.get("netmask") or options.get("bitmask")
        return prefix(f"{'0.0.0.0' if self.v4 else '::'}/{given}").mask if given else None


def plain_ports(text: str) -> tuple[int, int]:
    """A port or range, of any protocol."""
    return dashed_ports(text.rpartition(":")[2])


def protocol_ports(text: str) -> tuple[int, int, int]:
    """``tcp:80``, ``udp:53-60``, ``80`` (TCP), ``icmp:8/0``, ``icmpv6:echo-request``: protocol, first, last.

    Of ICMP the port is type and code, as the kernel's ip_set_get_ip_port has it: ``type << 8 | code``.
    """
    name, colon, ports = text.rpartition(":")
    kind = protocol(name) if colon else TCP
    if kind in {ICMP, ICMPV6}:
        names = ICMP_TYPES if kind == ICMP else ICMPV6_TYPES
        if ports in names:
            type_, code, _ = names[ports]
        else:
            first, _, second = ports.partition("/")
            type_, code = number(first, 255), number(second, 255)
        return kind, type_ << 8 | code, type_ << 8 | code
    return kind, *dashed_ports(ports)
