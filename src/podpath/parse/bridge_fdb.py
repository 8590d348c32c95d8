"""``bridge -d -j fdb show``: where bridges and vxlan devices send MAC addresses."""

from __future__ import annotations

from podpath.model.linux.neighbor import FdbEntry
from podpath.model.origin import Origin, Unrecognized
from podpath.parse.json_entries import (
    Fields,
    Item,
    NotUnderstoodError,
    address,
    need_word,
    number,
    parse_entries,
    word,
    words,
)


def parse_bridge_fdb(text: str, file: str) -> tuple[tuple[FdbEntry, ...], tuple[Unrecognized, ...]]:
    """The entries in the order of the file."""

    def build(fields: Fields, item: Item) -> tuple[FdbEntry, ...]:
        dst = address(fields, "dst")
        if "nhid" in fields and dst is None:
            raise NotUnderstoodError("the destination is a next hop group (nhid), which is not modelled")
        return (
            FdbEntry(
                mac=need_word(fields, "mac"),
                dev=need_word(fields, "ifname"),
                dst=dst,
                vni=number(fields, "vni"),
                port=number(fields, "port"),
                self_="self" in words(fields, "flags"),
                master=word(fields, "master"),
                state=word(fields, "state"),
                vlan=number(fields, "vlan"),
                origin=Origin(file, item.line, _text(fields)),
            ),
        )

    return parse_entries(text, file, build)


def _text(fields: Fields) -> str:
    """An entry as ``bridge fdb`` shows it."""
    parts = [word(fields, "mac"), f"dev {word(fields, 'ifname')}"]
    parts += [
        f"{key} {word(fields, key)}" for key in ("dst", "vlan", "port", "vni", "src_vni") if word(fields, key)
    ]
    parts += [f"via {word(fields, 'viaIf')}"] if word(fields, "viaIf") else []
    parts += words(fields, "flags")
    parts += [f"master {word(fields, 'master')}"] if word(fields, "master") else []
    return " ".join([*parts, word(fields, "state")]).rstrip()
