"""Values that the API writes as text and the network as numbers, and how they are decoded."""

from __future__ import annotations

from podpath.model.addr import parse_addr
from podpath.model.flow import PROTOCOL_NUMBERS


class Address(int):
    """An IP address of the common space (``podpath.model.addr``), written as text in the API."""

    __slots__ = ()


class Protocol(int):
    """A transport protocol's number; the API writes ``TCP``, ``UDP`` or ``SCTP`` (core/v1 types.go, Protocol)."""

    __slots__ = ()


PROTOCOLS = {name.upper(): Protocol(PROTOCOL_NUMBERS[name]) for name in ("tcp", "udp", "sctp")}
TCP_DEFAULT = PROTOCOLS["TCP"]
"""The protocol of a port that names none (core/v1 defaults.go)."""


def addr_or_none(text: str) -> int | None:
    """An address, where a text is one."""
    try:
        return parse_addr(text)
    except ValueError:
        return None


def decode_scalar(kind: type, value: object) -> object:
    """What ``msgspec`` asks for the types above (its ``dec_hook``)."""
    if not isinstance(value, str):
        raise TypeError(f"expected a string, got {type(value).__name__}")
    if kind is Address:
        return Address(parse_addr(value))
    if kind is Protocol:
        if value not in PROTOCOLS:
            raise ValueError(f"unknown protocol {value!r}")
        return PROTOCOLS[value]
    raise NotImplementedError(kind)
