"""``ip -j rule show`` (also ``ip -6``): the routing policy database of one network namespace."""

from __future__ import annotations

from podpath.model.addr import EVERYTHING, Prefix, parse_prefix
from podpath.model.linux.route import MAIN, RoutingRule
from podpath.model.origin import Origin, Unrecognized
from podpath.parse.iproute_names import protocol_number, table_name, tos_number
from podpath.parse.iproute_text import rule_text
from podpath.parse.json_entries import (
    Fields,
    Item,
    NotUnderstoodError,
    need_number,
    number,
    parse_entries,
    word,
)

KNOWN = frozenset(
    {
        *(
            "priority",
            "not",
            "src",
            "srclen",
            "dst",
            "dstlen",
            "tos",
            "dsfield",
            "fwmark",
            "fwmask",
            "iif",
            "oif",
        ),
        *(
            "iif_detached",
            "oif_detached",
            "l3mdev",
            "uid_start",
            "uid_end",
            "ipproto",
            "sport",
            "sport_start",
        ),
        *(
            "sport_end",
            "dport",
            "dport_start",
            "dport_end",
            "table",
            "suppress_prefixlen",
            "suppress_prefixlength",
        ),
        *("goto", "unresolved", "nop", "action", "dscp"),
        # do not change which packets match nor where they go
        *("protocol", "flow_from", "flow_to", "realm_from", "realm_to", "deleted"),
    }
)
"""Every key of ``print_rule`` that the model holds. Any other is a selector that it does not."""
ACTIONS = {
    "blackhole": "blackhole",
    "unreachable": "unreachable",
    "prohibit": "prohibit",
    "lookup": "lookup",
    "to_tbl": "lookup",
    "nop": "nop",
}
MARK_BITS = 0xFFFFFFFF


def parse_ip_rule(
    text: str, file: str, *, family: str = ""
) -> tuple[tuple[RoutingRule, ...], tuple[Unrecognized, ...]]:
    """The rules in the order of the file, which is that of the kernel. ``family`` ("ip6") reads ``from 0/8``."""
    v4 = family != "ip6"
    return parse_entries(text, file, lambda fields, item: (_rule(fields, item, file, v4=v4),))


def _rule(fields: Fields, item: Item, file: str, *, v4: bool) -> RoutingRule:
    action, unknown = _action(fields)
    mark, mask = _mark(fields)
    uid = number(fields, "uid_start")
    unknowns = [f"{key} {word(fields, key)}".rstrip() for key in fields if key not in KNOWN]
    suppress = number(fields, "suppress_prefixlen")
    if suppress is None:
        suppress = number(fields, "suppress_prefixlength")
    return RoutingRule(
        priority=need_number(fields, "priority"),
        action=action,
        table=table_name(word(fields, "table") or MAIN),
        invert="not" in fields,
        src=_selector(fields, "src", v4=v4),
        dst=_selector(fields, "dst", v4=v4),
        iif=word(fields, "iif"),
        oif=word(fields, "oif"),
        mark=mark,
        mark_mask=mask,
        tos=_tos(fields),
        ipproto=protocol_number(word(fields, "ipproto")) if word(fields, "ipproto") else None,
        sport=_ports(fields, "sport"),
        dport=_ports(fields, "dport"),
        uid=None if uid is None else (uid, need_number(fields, "uid_end")),
        goto=number(fields, "goto") if word(fields, "goto") != "none" else None,
        suppress_length=None if suppress is None or suppress < 0 else suppress,
        l3mdev="l3mdev" in fields,
        unknown=", ".join([*unknowns, unknown] if unknown else unknowns),
        origin=Origin(file, item.line, rule_text(fields)),
    )


def _action(fields: Fields) -> tuple[str, str]:
    """What the rule does, and what of that is not understood."""
    said = word(fields, "action")
    if said:
        return (ACTIONS[said], "") if said in ACTIONS else (said, f"action {said}")
    if "goto" in fields:
        return "goto", ""
    if "nop" in fields:
        return "nop", ""
    if "table" in fields or "l3mdev" in fields:
        return "lookup", ""
    raise NotUnderstoodError("the rule has no action")


def _selector(fields: Fields, key: str, *, v4: bool) -> Prefix:
    text, length = word(fields, key), number(fields, f"{key}len")
    if text in ("", "all", "any", "default"):
        return EVERYTHING
    if text == "0" and length is not None:  # print_rule: a selector of zeros is printed as "0"
        text = "0.0.0.0" if v4 else "::"
    return parse_prefix(text if length is None else f"{text}/{length}")


def _mark(fields: Fields) -> tuple[int, int]:
    mark, mask = number(fields, "fwmark"), number(fields, "fwmask")
    if mark is None and mask is None:
        return 0, 0
    mask = MARK_BITS if mask is None else mask
    return (mark or 0) & mask, mask


def _tos(fields: Fields) -> int | None:
    """``tos`` and ``dsfield`` are the octet, ``dscp`` (iproute2 6.12) its upper six bits."""
    for key in ("tos", "dsfield"):
        if word(fields, key):
            return tos_number(word(fields, key))
    dscp = word(fields, "dscp")
    if not dscp:
        return None
    value = tos_number(dscp)
    return value << 2 if dscp[0].isdigit() else value


def _ports(fields: Fields, key: str) -> tuple[int, int] | None:
    """``"sport": 53``, ``"dport": "10-20"`` of old versions, or ``dport_start`` and ``dport_end``."""
    first, last = word(fields, f"{key}_start"), word(fields, f"{key}_end")
    if not first:
        first, _, last = word(fields, key).partition("-")
    if not first:
        return None
    low, high = int(first, 0), int(last or first, 0)
    if not 0 <= low <= high <= 65535:
        raise NotUnderstoodError(f"not a range of ports: {low}-{high}")
    return low, high
