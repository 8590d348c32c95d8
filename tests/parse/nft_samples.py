"""Rulesets as ``nft -j`` prints them, built from the part that a test is about."""

import json

from podpath.parse.nft_json import parse_nft_json

ACCEPT = {"accept": None}
SADDR = {"payload": {"protocol": "ip", "field": "saddr"}}
SADDR6 = {"payload": {"protocol": "ip6", "field": "saddr"}}
DPORT = {"payload": {"protocol": "tcp", "field": "dport"}}
TCP_FLAGS = {"payload": {"protocol": "tcp", "field": "flags"}}
L4PROTO = {"meta": {"key": "l4proto"}}
MARK = {"meta": {"key": "mark"}}
IIFNAME = {"meta": {"key": "iifname"}}
CT_STATE = {"ct": {"key": "state"}}


def a_table(name="t", family="inet", **fields):
    return {"table": {"family": family, "name": name, "handle": 1, **fields}}


def a_chain(name="c", table="t", family="inet", **fields):
    return {"chain": {"family": family, "table": table, "name": name, "handle": 2, **fields}}


def a_base_chain(name="c", hook="forward", prio=0, **fields):
    return a_chain(name, **{"type": "filter", "hook": hook, "prio": prio, "policy": "accept", **fields})


def a_rule(*expr, chain="c", table="t", family="inet", **fields):
    place = {"family": family, "table": table, "chain": chain, "handle": 3}
    return {"rule": {**place, **fields, "expr": list(expr)}}


def a_set(*elem, kind="set", name="s", table="t", family="inet", **fields):
    place = {"family": family, "name": name, "table": table, "handle": 4}
    return {kind: {**place, **fields, "elem": list(elem)}}


def text_of(*objects):
    return json.dumps({"nftables": [{"metainfo": {"version": "1.0.6"}}, *objects]})


def ruleset(*objects):
    return parse_nft_json(text_of(*objects), "f")


def read_rule(*expr, family="inet", **fields):
    """A rule with these statements, read."""
    found = ruleset(a_table(family=family), a_chain(family=family), a_rule(*expr, family=family, **fields))
    assert found.unrecognized == ()
    return found.tables[0].chains["c"].rules[0]


def items(*expr, family="inet"):
    """What statements are read as; all must be understood."""
    rule = read_rule(*expr, family=family)
    assert rule.unknown == ""
    return rule.items


def matched(left, right, op="=="):
    """The two sides of a match, read."""
    (one,) = items({"match": {"op": op, "left": left, "right": right}})
    assert one.op == op
    return one.left, one.right


def read_set(*elem, **fields):
    return ruleset(a_table(), a_set(*elem, **fields)).tables[0].sets["s"]


def every_rule(found):
    """The rules of all tables; those of a chain that stands in two tables of one name once."""
    tables = (*found.tables, *found.lossy)
    chains = {(one.family, one.name, chain.name): chain for one in tables for chain in one.chains.values()}
    return [rule for chain in chains.values() for rule in chain.rules]


def every_set(found):
    return [one for table in (*found.tables, *found.lossy) for one in table.sets.values()]
