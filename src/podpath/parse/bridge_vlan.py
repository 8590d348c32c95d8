"""``bridge -j vlan show``: the VLANs of the ports of bridges that filter them."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from podpath.model.origin import Unrecognized
from podpath.parse.json_entries import (
    Fields,
    Item,
    children,
    need_number,
    need_word,
    number,
    parse_entries,
    words,
)

LAST_VLAN = 4094


class PortVlans(NamedTuple):
    """The VLANs that a port is a member of, and the one that untagged frames belong to (0: they are dropped)."""

    vlans: tuple[int, ...] = ()
    pvid: int = 0


def parse_bridge_vlan(text: str, file: str) -> tuple[dict[str, PortVlans], tuple[Unrecognized, ...]]:
    """The memberships by port."""

    def build(fields: Fields, _item: Item) -> tuple[tuple[str, PortVlans], ...]:
        return ((need_word(fields, "ifname"), _port(children(fields, "vlans"))),)

    found, lost = parse_entries(_as_array(text), file, build)
    return dict(found), lost


def _as_array(text: str) -> str:
    """iproute2 before 5.0 prints one object with the ports as keys (``{"veth0":[{"vlan":1}]}``)."""
    if not text.lstrip().startswith("{"):
        return text
    try:
        by_port = msgspec.json.decode(text, type=dict[str, object])
        entries = [{"ifname": name, "vlans": vlans} for name, vlans in by_port.items()]
        return msgspec.json.encode(entries).decode()
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        return text  # whose error parse_entries reports


def _port(entries: tuple[Fields, ...]) -> PortVlans:
    vlans: list[int] = []
    pvid = 0
    for entry in entries:
        if not entry:
            continue
        first = need_number(entry, "vlan")
        last = number(entry, "vlanEnd")
        last = first if last is None else last
        if not 0 <= first <= last <= LAST_VLAN:
            raise ValueError(f"not a range of VLANs: {first}-{last}")
        vlans.extend(range(first, last + 1))
        if "PVID" in words(entry, "flags"):
            pvid = first
    return PortVlans(tuple(vlans), pvid)
