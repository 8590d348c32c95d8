"""Whether nft's list says more than iptables-nft-save, seen without reading it."""

import json

import pytest

from podpath.assemble.managed_tables import managed_orders

KNOWN = {("ip", "filter"), ("ip", "nat"), ("ip6", "filter")}


def a_ruleset(*more: dict[str, object]) -> list[dict[str, object]]:
    base = {"type": "nat", "hook": "prerouting", "prio": -100, "policy": "accept"}
    return [
        {"metainfo": {"version": "1.0.6", "json_schema_version": 1}},
        {"table": {"family": "ip", "name": "nat", "handle": 1}},
        {"chain": {"family": "ip", "table": "nat", "name": "PREROUTING", "handle": 2, **base}},
        {"chain": {"family": "ip", "table": "nat", "name": "KUBE-SERVICES", "handle": 3}},
        {
            "rule": {
                "family": "ip",
                "table": "nat",
                "chain": "PREROUTING",
                "handle": 4,
                "expr": [{"xt": None}],
            }
        },
        {"table": {"family": "ip", "name": "filter", "handle": 1}},
        *more,
    ]


@pytest.mark.parametrize("separators", [(", ", ": "), (",", ":")])
def test_tables_of_iptables_alone_are_told_by_their_order(separators):
    text = json.dumps({"nftables": a_ruleset()}, separators=separators)
    assert managed_orders(text, KNOWN) == {("ip", "nat"): 0, ("ip", "filter"): 1}


LOOK_UP = {
    "match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "saddr"}}, "right": "@blocked"}
}
BASE = {"type": "filter", "hook": "forward", "prio": 5, "policy": "drop"}


@pytest.mark.parametrize(
    "more",
    [
        {"table": {"family": "inet", "name": "corp", "handle": 9}},
        {"table": {"family": "ip", "name": "kube-proxy", "handle": 9}},
        {"chain": {"family": "ip", "table": "filter", "name": "mine", "handle": 9, **BASE}},
        {"chain": {"family": "ip", "table": "filter", "name": "FORWARD", "handle": 9, **BASE}},
        {"set": {"family": "ip", "table": "filter", "name": "blocked", "type": "ipv4_addr", "handle": 9}},
        {"rule": {"family": "ip", "table": "filter", "chain": "FORWARD", "handle": 9, "expr": [LOOK_UP]}},
        {"rule": {"family": "ip", "table": "filter", "chain": "FORWARD", "expr": [{"vmap": {"key": 1}}]}},
    ],
    ids=lambda more: next(iter(more)),
)
def test_anything_else_has_to_be_read(more):
    assert managed_orders(json.dumps({"nftables": a_ruleset(more)}), KNOWN) is None


def test_a_list_that_was_cut_off_has_to_be_read():
    assert managed_orders(json.dumps({"nftables": a_ruleset()})[:-9], KNOWN) is None


def test_a_table_that_iptables_did_not_print_has_to_be_read():
    assert managed_orders(json.dumps({"nftables": a_ruleset()}), KNOWN - {("ip", "nat")}) is None


def test_the_word_in_a_comment_is_no_chain():
    rule = {"family": "ip", "table": "nat", "chain": "PREROUTING", "comment": '"hook": 1', "expr": []}
    assert managed_orders(json.dumps({"nftables": a_ruleset({"rule": rule})}), KNOWN) is not None
