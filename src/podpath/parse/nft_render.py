"""A rule of ``nft -j`` in nft's own syntax: what people see as evidence when there is no listing.

Only how a constant looks depends on its place: devices stand in quotes, marks are hexadecimal. So constants are written
with the keys that they stand beside, one for each part of a concatenation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from podpath.parse.nft_expr import (
    JUMPS,
    VERDICTS,
    Fields,
    fields_of,
    is_number,
    json_text,
    list_of,
    only_item,
)
from podpath.parse.nft_records import ChainRecord

Beside = tuple[str, ...]

PLAIN_META = frozenset(("iif", "oif", "iifname", "oifname", "iifgroup", "oifgroup"))
"""``meta`` keys that nft prints without ``meta``."""
QUOTED = frozenset(
    ("iif", "oif", "iifname", "oifname", "sdifname", "ibrname", "obrname", "helper", "hour", "day", "time")
)
"""Keys whose strings nft prints in quotes."""
MARKS = frozenset(("mark", "secmark"))
"""Keys whose numbers nft prints with eight hexadecimal digits."""
OPERATORS = frozenset(("&", "|", "^", "<<", ">>"))
NATS = frozenset(("dnat", "snat", "masquerade", "redirect", "tproxy"))


def render_rule(expressions: object, comment: str = "") -> str:
    """A rule on one line, as ``nft list ruleset`` would print it."""
    parts = [_statement(one) for one in list_of(expressions)]
    return " ".join([*parts, f'comment "{comment}"'] if comment else parts)


def chain_text(chain: ChainRecord) -> str:
    """The declaration of a chain on one line."""
    if not chain.hook:
        return f"chain {chain.name} {{"
    return f"chain {chain.name} {{ type {chain.type} hook {chain.hook} priority {chain.prio}; policy {chain.policy};"


def _statement(value: object) -> str:
    key, inner = only_item(value)
    fields = fields_of(inner)
    if key in NATS and (inner is None or fields):
        return _nat(key, fields)
    if key in ("jump", "goto"):
        return f"{key} {_word(fields.get('target'))}"
    if key and inner is None:
        return key
    write = _STATEMENTS.get(key)
    return write(fields) if write and fields else _named(key, inner) or json_text(value)


def _named(key: str, name: object) -> str:
    """``counter name "c"``, ``ct helper set "h"``: a statement that refers to an object of the table."""
    if not isinstance(name, str):
        return ""
    return f'{key} set "{name}"' if key.startswith("ct ") else f'{key} name "{name}"'


def _match(fields: Fields) -> str:
    op, left, right = fields.get("op", "=="), fields.get("left"), fields.get("right")
    value = "exists" if right is True else "missing" if right is False else _expr(right, _beside(left))
    exact_flags = op == "==" and _expr(left) == "tcp flags" and not isinstance(right, dict)
    if op == "in" or (op == "==" and not exact_flags and only_item(left)[0] not in OPERATORS):
        return f"{_expr(left)} {value}"
    return f"{_expr(left)} {_word(op)} {value}"


def _vmap(fields: Fields) -> str:
    return f"{_expr(fields.get('key'))} vmap {_expr(fields.get('data'), _beside(fields.get('key')))}"


def _mangle(fields: Fields) -> str:
    return f"{_expr(fields.get('key'))} set {_expr(fields.get('value'), _beside(fields.get('key')))}"


def _nat(kind: str, fields: Fields) -> str:
    addr, port = fields.get("addr"), fields.get("port")
    words = [kind]
    if isinstance(fields.get("family"), str):
        words.append(_word(fields["family"]))
    if "prefix" in list_of(fields.get("type_flags")):
        words.append("prefix")
    if addr is not None or port is not None:
        place = "" if addr is None else _expr(addr)
        words.append(f"to {place}" if port is None else f"to [{place}]:" if ":" in place else f"to {place}:")
        words[-1] += "" if port is None else _expr(port)
    flags = [_word(flag) for flag in list_of(fields.get("flags")) if flag != "netmap"]
    return " ".join([*words, ",".join(flags)] if flags else words)


def _reject(fields: Fields) -> str:
    kind, code = fields.get("type"), fields.get("expr")
    if code == "port-unreachable" or kind is None:
        return "reject"
    return f"reject with {_word(kind)} {_word(code)}" if code else f"reject with {_word(kind)}"


def _counter(fields: Fields) -> str:
    if "map" in fields:
        return f"counter name {_expr(fields)}"
    return f"counter packets {fields.get('packets', 0)} bytes {fields.get('bytes', 0)}"


def _limit(fields: Fields) -> str:
    unit = fields.get("rate_unit")
    over = "over " if fields.get("inv") else ""
    rate = f"limit rate {over}{fields.get('rate')}{f' {unit}' if unit else ''}/{fields.get('per')}"
    burst = fields.get("burst")
    return f"{rate} burst {burst} packets" if is_number(burst) and burst != 5 and not unit else rate


def _log(fields: Fields) -> str:
    words = ["log"]
    for key, value in fields.items():
        words.append(
            f'{key} "{value}"' if key == "prefix" else f"{key} {','.join(map(_word, list_of(value)))}"
        )
    return " ".join(words)


def _dynamic_set(fields: Fields) -> str:
    name = fields.get("set", fields.get("map"))
    words = [_expr(fields.get("elem"))]
    if "data" in fields:
        words.append(f": {_expr(fields['data'])}")
    words += [_statement(one) for one in list_of(fields.get("stmt"))]
    return f"{_word(fields.get('op'))} {_word(name)} {{ {' '.join(words)} }}"


def _meter(fields: Fields) -> str:
    rest = " ".join(_statement(one) for one in list_of(fields.get("stmt")))
    return (
        f"meter {_word(fields.get('name'))} size {fields.get('size')} {{ {_expr(fields.get('key'))} {rest} }}"
    )


def _queue(fields: Fields) -> str:
    flags = ",".join(map(_word, list_of(fields.get("flags"))))
    return (
        f"queue flags {flags} to {_expr(fields.get('num'))}"
        if flags
        else f"queue to {_expr(fields.get('num'))}"
    )


_STATEMENTS: Mapping[str, Callable[[Fields], str]] = {
    "match": _match,
    "vmap": _vmap,
    "mangle": _mangle,
    "reject": _reject,
    "counter": _counter,
    "limit": _limit,
    "log": _log,
    "set": _dynamic_set,
    "map": _dynamic_set,
    "meter": _meter,
    "queue": _queue,
    "ct count": lambda fields: f"ct count {'over ' if fields.get('inv') else ''}{fields.get('val')}",
    "quota": lambda f: f"quota {'over ' if f.get('inv') else ''}{f.get('val')} {_word(f.get('val_unit'))}",
    "flow": lambda fields: f"flow {_word(fields.get('op'))} {_word(fields.get('flowtable'))}",
    "reset": lambda fields: f"reset {_expr(fields)}",
    "dup": lambda fields: f"dup to {_expr(fields.get('addr'), ('oif',))}",
    "fwd": lambda fields: f"fwd to {_expr(fields.get('dev'), ('oif',))}",
    "xt": lambda fields: f'xt {_word(fields.get("type"))} "{_word(fields.get("name"))}"',
}


def _beside(expr: object) -> Beside:
    """The keys beside which a constant stands that an expression is compared with."""
    key, inner = only_item(expr)
    fields = fields_of(inner)
    if key in ("meta", "ct"):
        return (_word(fields.get("key")),)
    if key == "fib":
        return ("oif" if str(fields.get("result")).startswith("oif") else "",)
    if key == "concat":
        return tuple((_beside(part) or ("",))[0] for part in list_of(inner))
    if key in OPERATORS:
        return next((beside for one in list_of(inner) if (beside := _beside(one))), ())
    return ()


def _word(value: object) -> str:
    return value if isinstance(value, str) else json_text(value)


def _expr(value: object, beside: Beside = ()) -> str:
    if not isinstance(value, dict):
        return _constant(value, beside)
    key, inner = only_item(value)
    if key == "concat":
        keys = beside if len(beside) == len(list_of(inner)) else ("",) * len(list_of(inner))
        return " . ".join(_expr(one, (by,)) for one, by in zip(list_of(inner), keys, strict=True))
    if key == "set":
        return f"{{ {', '.join(_element(one, beside) for one in list_of(inner))} }}"
    if key == "range":
        return "-".join(_expr(one, beside) for one in list_of(inner))
    if key in OPERATORS:
        by = () if key in ("<<", ">>") else _beside(value) or beside
        return f" {key} ".join(_operand(one, by, key) for one in list_of(inner))
    fields = fields_of(inner)
    if key == "prefix":
        return f"{_expr(fields.get('addr'), beside)}/{fields.get('len')}"
    write = _EXPRESSIONS.get(key)
    return write(fields) if write and fields else json_text(value)


def _constant(value: object, beside: Beside) -> str:
    key = beside[0] if beside else ""
    if isinstance(value, list):
        return ",".join(_expr(one, beside) for one in value)
    if isinstance(value, str):
        return f'"{value}"' if key in QUOTED and not value.startswith("@") else value
    return f"0x{value:08x}" if is_number(value) and key in MARKS else json_text(value)


def _operand(value: object, beside: Beside, op: str) -> str:
    inner = only_item(value)[0]
    if isinstance(value, list):
        return f"({' | '.join(_expr(one, beside) for one in value)})"
    return (
        f"({_expr(value, beside)})"
        if inner in OPERATORS and (op, inner) != ("|", "&")
        else _expr(value, beside)
    )


def _element(value: object, beside: Beside) -> str:
    if not isinstance(value, list) or len(value) != 2:
        return _expr(value, beside)
    key, result = value
    shown = _statement(result) if only_item(result)[0] in VERDICTS | JUMPS else _expr(result)
    return f"{_expr(key, beside)} : {shown}"


def _payload(fields: Fields) -> str:
    if "base" in fields:
        return f"@{fields['base']},{fields.get('offset')},{fields.get('len')}"
    inner = f"{fields['tunnel']} " if "tunnel" in fields else ""
    return f"{inner}{_word(fields.get('protocol'))} {_word(fields.get('field'))}"


def _meta(fields: Fields) -> str:
    key = _word(fields.get("key"))
    return key if key in PLAIN_META else f"meta {key}"


def _ct(fields: Fields) -> str:
    direction = f"{_word(fields['dir'])} " if "dir" in fields else ""
    return f"ct {direction}{_word(fields.get('key'))}"


def _fib(fields: Fields) -> str:
    return f"fib {' . '.join(map(_word, list_of(fields.get('flags'))))} {_word(fields.get('result'))}"


def _modulo(fields: Fields) -> str:
    seed = f" seed 0x{fields['seed']:x}" if isinstance(fields.get("seed"), int) else ""
    offset = f" offset {fields['offset']}" if fields.get("offset") else ""
    return f"mod {fields.get('mod')}{seed}{offset}"


def _wrapped(fields: Fields) -> str:
    """An element with what belongs to it."""
    words = [_expr(fields.get("val"))]
    words += [f"{key} {fields[key]}s" for key in ("timeout", "expires") if key in fields]
    return " ".join([*words, f'comment "{fields["comment"]}"'] if "comment" in fields else words)


def _option(fields: Fields) -> str:
    return " ".join(_word(fields[key]) for key in ("name", "field") if key in fields)


_EXPRESSIONS: Mapping[str, Callable[[Fields], str]] = {
    "payload": _payload,
    "meta": _meta,
    "ct": _ct,
    "fib": _fib,
    "numgen": lambda fields: f"numgen {_word(fields.get('mode'))} {_modulo(fields)}",
    "jhash": lambda fields: f"jhash {_expr(fields.get('expr'))} {_modulo(fields)}",
    "symhash": lambda fields: f"symhash {_modulo(fields)}",
    "map": lambda f: f"{_expr(f.get('key'))} map {_expr(f.get('data'), _beside(f.get('key')))}",
    "elem": _wrapped,
    "exthdr": lambda fields: _option(fields) if "field" in fields else f"exthdr {_option(fields)}",
    "tcp option": lambda fields: f"tcp option {_option(fields)}",
    "ip option": lambda fields: f"ip option {_option(fields)}",
    "rt": lambda fields: " ".join(
        ["rt", *(_word(fields[key]) for key in ("family", "key") if key in fields)]
    ),
    "socket": lambda fields: f"socket {_word(fields.get('key'))}",
    "osf": lambda fields: f"osf {_word(fields.get('key'))}",
}
