"""Routes and routing rules as ip-route(8) and ip-rule(8) take them."""

from __future__ import annotations

from podpath.model.addr import EVERYTHING, format_addr, format_prefix, is_v4
from podpath.model.edit import AddRoute, DeleteRoute, DeleteRoutingRule, ReplaceRoute
from podpath.model.linux.route import MAIN, NextHop, Route, RoutingRule


def route_steps(edit: AddRoute | DeleteRoute | ReplaceRoute) -> tuple[str, str]:
    """Change a route, and change it back."""
    add, remove = _route("add", edit.route), _route("del", edit.route)
    if isinstance(edit, AddRoute):
        return add, remove
    if isinstance(edit, DeleteRoute):
        return remove, add
    if edit.before.dst == edit.route.dst and edit.before.table == edit.route.table:
        return _route("replace", edit.route), _route("replace", edit.before)
    return f"{_route('del', edit.before)} && {add}", f"{remove} && {_route('add', edit.before)}"


def rule_steps(edit: DeleteRoutingRule) -> tuple[str, str]:
    """Delete a routing rule, and add it again."""
    family = "" if _is_v4(edit.rule) else " -6"
    words = rule_words(edit.rule)
    return f"ip{family} rule del {words}", f"ip{family} rule add {words}"


def _is_v4(rule: RoutingRule) -> bool:
    """The family of a rule: by its prefixes, else by the file that it was read from."""
    prefixes = [prefix for prefix in (rule.src, rule.dst) if prefix != EVERYTHING]
    return (
        all(is_v4(prefix.net) for prefix in prefixes)
        if prefixes
        else not rule.origin.file.endswith("rule6.json")
    )


def _route(verb: str, route: Route) -> str:
    family = "" if is_v4(route.dst.net) else " -6"
    return f"ip{family} route {verb} {route_words(route)}"


def route_words(route: Route) -> str:
    """``10.0.1.0/24 via 192.0.2.1 dev eth0 onlink``."""
    words = [] if route.type == "unicast" else [route.type]
    words.append("default" if route.dst.length == 0 else format_prefix(route.dst))
    if len(route.nexthops) == 1:
        words += _hop_words(route.nexthops[0])
    words += _attributes(route)
    for hop in route.nexthops if len(route.nexthops) > 1 else ():
        words += ["nexthop", *_hop_words(hop), "weight", str(hop.weight)]
    return " ".join(words)


def _hop_words(hop: NextHop) -> list[str]:
    words = ["via", format_addr(hop.gateway)] if hop.gateway is not None else []
    words += ["dev", hop.dev] if hop.dev else []
    return [*words, "onlink"] if hop.onlink else words


def _attributes(route: Route) -> list[str]:
    words = ["table", route.table] if route.table != MAIN else []
    if route.prefsrc is not None:
        words += ["src", format_addr(route.prefsrc)]
    if route.scope not in ("global", ""):
        words += ["scope", route.scope]
    if route.metric:
        words += ["metric", str(route.metric)]
    if route.mtu is not None:
        words += ["mtu", str(route.mtu)]
    return words


def rule_words(rule: RoutingRule) -> str:
    """``priority 100 from 10.0.0.0/8 lookup 200``."""
    words = ["not"] if rule.invert else []
    words += ["priority", str(rule.priority)]
    words += ["from", "all" if rule.src == EVERYTHING else format_prefix(rule.src)]
    words += [] if rule.dst == EVERYTHING else ["to", format_prefix(rule.dst)]
    for name in ("iif", "oif"):
        words += [name, getattr(rule, name)] if getattr(rule, name) else []
    if rule.mark or rule.mark_mask:
        words += ["fwmark", f"{rule.mark:#x}/{rule.mark_mask:#x}"]
    if rule.action == "lookup":
        words += ["lookup", rule.table]
    elif rule.action == "goto":
        words += ["goto", str(rule.goto)]
    else:
        words.append(rule.action)
    if rule.suppress_length is not None:
        words += ["suppress_prefixlength", str(rule.suppress_length)]
    return " ".join(words)
