"""A route and a routing rule as ``ip route`` and ``ip rule`` print them, from what ``ip -j`` says."""

from __future__ import annotations

from podpath.parse.json_entries import Fields, child, children, number, word, words

SHOWN_FLAGS = ("dead", "onlink", "pervasive", "linkdown", "offload", "trap")
"""In the order of ``print_rt_flags``."""


def route_text(fields: Fields) -> str:
    """``10.244.1.0/24 via 10.244.1.0 dev flannel.1 onlink``: in the order of ``print_route``, without ``-d``."""
    parts: list[str] = []
    _add(parts, "", fields, "type", unless="unicast")
    _add(parts, "", fields, "dst")
    for name in ("from", "nhid", "encap", "tos"):
        _add(parts, name, fields, name)
    parts += _way(fields)
    _add(parts, "table", fields, "table", unless="main")
    _add(parts, "proto", fields, "protocol", unless="boot")
    _add(parts, "scope", fields, "scope", unless="global")
    _add(parts, "src", fields, "prefsrc")
    _add(parts, "metric", fields, "metric")
    parts += [flag for flag in SHOWN_FLAGS if flag in words(fields, "flags")]
    for metrics in children(fields, "metrics"):
        parts += [f"{key} {value}" for key, value in metrics.items()]
    _add(parts, "iif", fields, "iif")
    _add(parts, "pref", fields, "pref")
    for hop in children(fields, "nexthops"):
        flags = [flag for flag in SHOWN_FLAGS if flag in words(hop, "flags")]
        parts += ["nexthop", *_way(hop), f"weight {number(hop, 'weight') or 1}", *flags]
    return " ".join(parts)


def _way(fields: Fields) -> list[str]:
    parts: list[str] = []
    _add(parts, "via", fields, "gateway")
    via = child(fields, "via")
    parts += [f"via {word(via, 'family')} {word(via, 'host')}"] if via else []
    _add(parts, "dev", fields, "dev")
    return parts


def _add(parts: list[str], name: str, fields: Fields, key: str, *, unless: str = "") -> None:
    value = word(fields, key).strip()
    if value and value != unless:
        parts.append(f"{name} {value}".lstrip())


def rule_text(fields: Fields) -> str:
    """``32765: not from all fwmark 0x80000/0xff0000 lookup 100``: in the order of ``print_rule``."""
    parts = [f"{word(fields, 'priority')}:"]
    parts += ["not"] if "not" in fields else []
    for name, key in (("from", "src"), ("to", "dst")):
        length = word(fields, f"{key}len")
        _add(parts, name, {key: word(fields, key) + (f"/{length}" if length else "")}, key)
    _add(parts, "tos", fields, "tos")
    mask = word(fields, "fwmask")
    _add(parts, "fwmark", {"fwmark": word(fields, "fwmark") + (f"/{mask}" if mask else "")}, "fwmark")
    for key in ("iif", "oif"):
        _add(parts, key, fields, key)
        parts += ["[detached]"] if f"{key}_detached" in fields else []
    if "uid_start" in fields:
        parts.append(f"uidrange {word(fields, 'uid_start')}-{word(fields, 'uid_end')}")
    _add(parts, "ipproto", fields, "ipproto")
    for key in ("sport", "dport"):
        _add(parts, key, fields, key)
        if f"{key}_start" in fields:
            parts.append(f"{key} {word(fields, f'{key}_start')}-{word(fields, f'{key}_end')}")
    _add(parts, "tun_id", fields, "tun_id")
    return " ".join([*parts, *_action(fields)])


def _action(fields: Fields) -> list[str]:
    parts: list[str] = []
    if "l3mdev" in fields and "table" not in fields:
        parts.append("lookup [l3mdev-table]")
    _add(parts, "lookup", fields, "table")
    for key in ("suppress_prefixlen", "suppress_prefixlength"):
        _add(parts, "suppress_prefixlength", fields, key)
    _add(parts, "suppress_ifgroup", fields, "suppress_ifgroup")
    _add(parts, "goto", fields, "goto")
    parts += ["[unresolved]"] if "unresolved" in fields else []
    parts += ["nop"] if "nop" in fields else []
    _add(parts, "", fields, "action", unless="lookup")
    _add(parts, "dscp", fields, "dscp")
    return parts
