"""``ip -j addr show``: the addresses of the devices of one network namespace."""

from __future__ import annotations

from podpath.model.addr import is_v4
from podpath.model.linux.link import InterfaceAddress
from podpath.model.origin import Origin, Unrecognized
from podpath.parse.json_entries import (
    Fields,
    Item,
    NotUnderstoodError,
    address,
    decode_object,
    file_items,
    need_number,
    need_word,
    nested_items,
    switch,
    unrecognized,
    word,
)

FAMILIES = {"inet": True, "inet6": False}
TRAITS = ("secondary", "temporary", "tentative", "dadfailed", "deprecated", "dynamic")
"""Flags that ``ip addr`` prints and that we show, in its order."""


def parse_ip_addr(text: str, file: str) -> tuple[tuple[InterfaceAddress, ...], tuple[Unrecognized, ...]]:
    """The addresses in the order of the file; a device without one says nothing."""
    found: list[InterfaceAddress] = []
    lost: list[Unrecognized] = []
    for item in file_items(text, file):
        try:
            device = decode_object(item.raw)
            entries = nested_items(item.raw, "addr_info", item.line)
            name = need_word(device, "ifname") if device else ""
        except ValueError as error:
            lost.append(unrecognized(file, item, str(error)))
            continue
        for entry in entries:
            try:
                fields = decode_object(entry.raw)
                if fields:  # old versions print {} for what a filter leaves out
                    found.append(
                        _address(fields, entry, name, Origin(file, entry.line, _text(device, fields)))
                    )
            except ValueError as error:
                lost.append(unrecognized(file, entry, str(error)))
    return tuple(found), tuple(lost)


def _address(fields: Fields, entry: Item, dev: str, origin: Origin) -> InterfaceAddress:
    family = word(fields, "family")
    local = address(fields, "local")
    if local is None or FAMILIES.get(family) != is_v4(local):
        raise NotUnderstoodError(
            f"not an address of a family that is modelled: {family} on line {entry.line}"
        )
    length = need_number(fields, "prefixlen")
    if not 0 <= length <= (32 if is_v4(local) else 128):
        raise NotUnderstoodError(f"not a prefix length: {length}")
    return InterfaceAddress(
        dev=dev,
        addr=local,
        length=length,
        scope=word(fields, "scope") or "global",
        secondary=bool(switch(fields, "secondary") or switch(fields, "temporary")),
        deprecated=bool(switch(fields, "deprecated")),
        tentative=bool(switch(fields, "tentative") or switch(fields, "dadfailed")),
        peer=address(fields, "address"),
        origin=origin,
    )


def _text(device: Fields, fields: Fields) -> str:
    """An address as ``ip -o addr`` shows it."""
    local, peer, length = word(fields, "local"), word(fields, "address"), word(fields, "prefixlen")
    parts = [f"{word(device, 'ifindex')}: {word(device, 'ifname')} {word(fields, 'family')}"]
    parts.append(f"{local} peer {peer}/{length}" if peer else f"{local}/{length}")
    parts += [f"brd {word(fields, 'broadcast')}"] if word(fields, "broadcast") else []
    parts.append(f"scope {word(fields, 'scope') or 'global'}")
    parts += [trait for trait in TRAITS if switch(fields, trait)]
    parts += [word(fields, "label")] if word(fields, "label") else []
    return " ".join(parts)
