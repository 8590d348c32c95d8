"""What the NAT targets of iptables take: addresses, ports and options (iptables-extensions(8), DNAT, SNAT ...)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from podpath.model.linux.netfilter import Dnat, Masquerade, Netmap, Redirect, Snat
from podpath.parse.iptables_values import addresses, dashed_ports, port, prefix

Span = tuple[int, int]


def mapped(text: str) -> tuple[Span | None, Span | None, str]:
    """Addresses, ports and base port of ``a[-b][:p[-q][/base]]``; an IPv6 address before a port stands in brackets.

    With a base port, port ``base + n`` becomes the n-th of the range.
    """
    where, colon, ports = text.partition(":")
    if text.startswith("["):
        inside, _, ports = text[1:].rpartition("]")
        where, colon, ports = inside.replace("]-[", "-"), ports[:1], ports[1:]
    elif ":" in ports:
        where, colon, ports = text, "", ""
    if (colon or ports) and not (colon == ":" and ports):
        raise ValueError(f"not an address with a port: {text}")
    span, base = _ports(ports) if ports else (None, "")
    if not (where or span):
        raise ValueError("it maps to nothing")
    return (addresses(where) if where else None), span, base


@lru_cache(maxsize=1 << 12)
def _ports(text: str) -> tuple[Span, str]:
    ports, slash, base = text.partition("/")
    span = dashed_ports(ports)
    if not span[0] or (slash and (span[0] == span[1] or not port(base))):
        raise ValueError(f"not a port: {text}")
    return span, str(port(base)) if slash else ""


def _flags(values: Mapping[str, str]) -> str:
    """The options that choose among several mappings, as written."""
    return " ".join(name for name in ("--random", "--random-fully", "--persistent") if name in values)


def dnat_to(text: str, options: str = "") -> Dnat:
    """``-j DNAT --to-destination TEXT``."""
    addr, span, base = mapped(text)
    return Dnat(addr, span, f"{options} base={base}".lstrip() if base else options)


def dnat(values: Mapping[str, str]) -> Dnat:
    """``-j DNAT``."""
    return dnat_to(values["--to-destination"], _flags(values))


def snat(values: Mapping[str, str]) -> Snat:
    """``-j SNAT``."""
    to = dnat_to(values["--to-source"], _flags(values))
    return Snat(to.addr, to.port, to.options)


def masquerade(values: Mapping[str, str]) -> Masquerade:
    """``-j MASQUERADE``."""
    span = dashed_ports(values["--to-ports"]) if "--to-ports" in values else None
    return Masquerade(span, _flags(values))


def redirect(values: Mapping[str, str]) -> Redirect:
    """``-j REDIRECT``; ``--random`` only says which port of a range."""
    return Redirect(dashed_ports(values["--to-ports"]) if "--to-ports" in values else None)


def netmap(values: Mapping[str, str]) -> Netmap:
    """``-j NETMAP``."""
    return Netmap(prefix(values["--to"]))
