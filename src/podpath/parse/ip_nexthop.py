"""``ip -d -j nexthop show``: next hop objects, to which routes refer by ``nhid``."""

from __future__ import annotations

import msgspec

from podpath.model.linux.route import NextHop
from podpath.model.origin import Unrecognized
from podpath.parse.json_entries import (
    Fields,
    Item,
    NotUnderstoodError,
    address,
    child,
    children,
    decode_object,
    file_items,
    need_number,
    number,
    unrecognized,
    word,
    words,
)

NextHops = dict[int, tuple[NextHop, ...]]


def parse_ip_nexthop(text: str, file: str) -> tuple[NextHops, tuple[Unrecognized, ...]]:
    """The next hops of each object; of a blackhole there are none. Objects of fdb entries are not for routes."""
    found: NextHops = {}
    groups: list[tuple[Item, Fields]] = []
    lost: list[Unrecognized] = []
    for item in file_items(text, file):
        try:
            fields = decode_object(item.raw)
            if not fields or "fdb" in fields:
                continue
            if "group" in fields:
                groups.append((item, fields))
            else:
                found[need_number(fields, "id")] = () if "blackhole" in fields else (next_hop(fields),)
        except ValueError as error:
            lost.append(unrecognized(file, item, str(error)))
    for item, fields in groups:  # a group names objects, never another group (nexthop.c, nh_check_attr_group)
        try:
            found[need_number(fields, "id")] = _group(fields, found)
        except ValueError as error:
            lost.append(unrecognized(file, item, str(error)))
    return found, tuple(lost)


def _group(fields: Fields, found: NextHops) -> tuple[NextHop, ...]:
    ways: list[NextHop] = []
    for member in children(fields, "group"):
        of_member = found.get(need_number(member, "id"))
        if of_member is None:
            raise NotUnderstoodError(f"the group names {word(member, 'id')}, which is not printed")
        ways += [msgspec.structs.replace(way, weight=number(member, "weight") or 1) for way in of_member]
    return tuple(ways)


def next_hop(fields: Fields) -> NextHop:
    """One way on, as ``ip nexthop``, a route and an element of its ``nexthops`` print it alike."""
    flags = words(fields, "flags")
    gateway = address(fields, "gateway")
    if gateway is None:
        gateway = address(child(fields, "via"), "host")  # of the other family: RTA_VIA
    return NextHop(
        dev=word(fields, "dev"),
        gateway=gateway,
        weight=number(fields, "weight") or 1,
        onlink="onlink" in flags,
        dead="dead" in flags,
        linkdown="linkdown" in flags,
        encap=word(fields, "encap"),
    )
