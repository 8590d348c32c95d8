"""The grammar of names: ``pod/ns/name:8080/udp``, ``[fd00::1]:53``, ``internet``."""

from __future__ import annotations

from typing import NamedTuple

from podpath.cli.errors import UsageError
from podpath.model.addr import is_v4, parse_addr
from podpath.model.flow import ICMP, ICMPV6, SCTP, TCP, UDP

KINDS = {
    "pod": ("pod", "pods", "po"),
    "svc": ("svc", "service", "services"),
    "deploy": ("deploy", "deployment", "deployments"),
    "sts": ("sts", "statefulset", "statefulsets"),
    "ds": ("ds", "daemonset", "daemonsets"),
    "node": ("node", "nodes", "no"),
}
"""Kinds of objects, with the names and short names that kubectl takes."""
WORDS = ("internet", "outside", "dns", "api")
PROTOCOLS = {"tcp": TCP, "udp": UDP, "sctp": SCTP, "icmp": ICMP, "ping": ICMP}
FORMS = "pod/NAMESPACE/NAME, svc/NAMESPACE/NAME:PORT, node/NAME, an IP address, internet, dns, api or name/HOSTNAME"

_KIND_OF = {name: kind for kind, names in KINDS.items() for name in names}


class Spec(NamedTuple):
    """A name taken apart. Kind: one of ``KINDS``, of ``WORDS``, ``address``, or ``name`` (of a host, to resolve)."""

    text: str
    kind: str
    namespace: str = ""
    name: str = ""
    addr: int = 0
    port: str = ""
    """A number or a port's name; empty when none was given."""
    protocol: int | None = None

    @property
    def port_number(self) -> int | None:
        """The port where it is a number; ``UsageError`` when no port has it."""
        if not (self.port.isascii() and self.port.isdigit()):
            return None
        if not 0 < int(self.port) < 65536:
            raise UsageError(f"{self.text}: {self.port} is no port, those go from 1 to 65535")
        return int(self.port)

    def protocol_in(self, *, v4: bool, default: int = TCP) -> int:
        """The protocol as the family has it."""
        protocol = default if self.protocol is None else self.protocol
        return ICMPV6 if protocol == ICMP and not v4 else protocol


def parse_spec(text: str) -> Spec:
    """A name as somebody wrote it; ``UsageError`` for what is none."""
    body, protocol = _without_protocol(text.strip())
    address = _address(text, body, protocol)
    if address is not None:
        return address
    kind, *rest = body.split("/")
    if kind == "name" and len(rest) == 1 and rest[0]:
        return Spec(text, kind, name=rest[0], protocol=protocol)
    word, port = _with_port(kind)
    if not rest and word in WORDS:
        return Spec(text, word, port=port, protocol=protocol)
    known = _KIND_OF.get(kind.lower())
    if known is None:
        raise UsageError(_no_kind(text, body))
    return _object(text, known, rest, protocol)


def is_spec(text: str) -> bool:
    """Whether it reads as a name of something, and not as a path."""
    try:
        parse_spec(text)
    except UsageError:
        return False
    return True


def _object(text: str, kind: str, parts: list[str], protocol: int | None) -> Spec:
    wanted = 1 if kind == "node" else 2
    form = "node/NAME" if kind == "node" else f"{kind}/NAMESPACE/NAME"
    if len(parts) != wanted or not all(parts):
        raise UsageError(f"{text or 'an empty name'} is not complete: write {form}")
    name, port = _with_port(parts[-1])
    return Spec(text, kind, "" if kind == "node" else parts[0], name, port=port, protocol=protocol)


def _without_protocol(text: str) -> tuple[str, int | None]:
    """A last part that is a protocol; it is none where it is needed as a name (``node/udp``)."""
    body, slash, last = text.rpartition("/")
    if not slash or last.lower() not in PROTOCOLS:
        return text, None
    kind, *parts = body.split("/")
    needed = {"node": 1}.get(_KIND_OF.get(kind.lower(), ""), 2 if kind.lower() in _KIND_OF else 0)
    return (body, PROTOCOLS[last.lower()]) if len(parts) >= needed else (text, None)


def _with_port(text: str) -> tuple[str, str]:
    name, colon, port = text.rpartition(":")
    return (name, port) if colon else (text, "")


def _address(text: str, body: str, protocol: int | None) -> Spec | None:
    """``10.0.0.1:80``, ``[fd00::1]:80``, ``fd00::1``; None when it is no address."""
    addr, port = body, ""
    if body.startswith("["):
        addr, _, port = body[1:].partition("]")
        port = port.removeprefix(":")
    elif body.count(":") == 1:
        addr, _, port = body.partition(":")
    try:
        number = parse_addr(addr)
    except ValueError:
        return None
    if port and not (port.isascii() and port.isdigit()):
        raise UsageError(f"{text}: {port} is no port, an address takes a number")
    if protocol in (ICMP, ICMPV6) and not is_v4(number):
        protocol = ICMPV6
    return Spec(text, "address", addr=number, port=port, protocol=protocol)


def _no_kind(text: str, body: str) -> str:
    if not text:
        return f"an empty name means nothing here: write {FORMS}"
    if body.count("/") == 1:
        return f"{text} is ambiguous: write pod/{body}, svc/{body} or deploy/{body}"
    return f"{text} names nothing that podpath knows: write {FORMS}"
