"""``nft -j list ruleset`` as a whole."""

import json

import pytest

from podpath.bundle.reader import open_bundle
from podpath.model.linux.netfilter import Base
from podpath.model.linux.nftables import NftMatch, NftVerdict, UnknownStatement
from podpath.model.origin import Origin
from podpath.parse.errors import ParseError
from podpath.parse.nft_json import parse_nft_json
from tests.parse.nft_samples import (
    ACCEPT,
    DPORT,
    SADDR,
    a_base_chain,
    a_chain,
    a_rule,
    a_set,
    a_table,
    every_rule,
    every_set,
    ruleset,
    text_of,
)

SOURCE = "nft-list-ruleset"


@pytest.fixture
def samples(packed_bundle):
    """What nft printed on each node of a bundle: its JSON and its listing."""
    with open_bundle(packed_bundle) as bundle:
        return [
            (bundle.read(f"nodes/{node}/{SOURCE}.json"), bundle.read(f"nodes/{node}/{SOURCE}").decode())
            for node in bundle.nodes()
            if f"nodes/{node}/{SOURCE}.json" in bundle.files()
        ]


def test_a_real_node_is_understood(samples):
    assert samples
    for text, _ in samples:
        found = parse_nft_json(text, "f")
        objects = json.loads(text)["nftables"]
        assert found.unrecognized == ()
        assert len(every_rule(found)) == sum("rule" in one for one in objects)
        assert [
            rule.unknown
            for table in found.tables
            for chain in table.chains.values()
            for rule in chain.rules
            if rule.unknown
        ] == []
        assert [one.unknown for one in every_set(found) if one.unknown] == []


def test_a_rule_of_a_real_node_is_at_its_line_of_the_listing(samples):
    for text, listing in samples:
        lines = [line.strip() for line in listing.split("\n")]
        for table in parse_nft_json(text, "f", listing, "listing").tables:
            assert table.file == "listing"
            shown = [
                *(Origin("listing", chain.line, chain.text) for chain in table.chains.values()),
                *(table.origin(rule) for chain in table.chains.values() for rule in chain.rules),
                *(one.origin for one in table.sets.values()),
            ]
            assert [origin for origin in shown if lines[origin.line - 1] != origin.text] == []


def test_what_we_write_without_a_listing_is_what_nft_prints(samples):
    for text, listing in samples:
        listed, written = parse_nft_json(text, "f", listing, "l"), parse_nft_json(text, "f")
        for ours, theirs in zip(written.tables, listed.tables, strict=True):
            for name, chain in ours.chains.items():
                assert [rule.text for rule in chain.rules] == [
                    rule.text for rule in theirs.chains[name].rules
                ]
            assert {one.name: one.dynamic for one in ours.sets.values()} == {
                one.name: one.dynamic for one in theirs.sets.values()
            }


def test_the_tables_of_kube_proxy_are_native_and_those_of_iptables_are_not(corpus):
    with open_bundle(corpus["nft-foreign-nft-drop"]) as bundle:
        found = parse_nft_json(bundle.read(f"nodes/n3/{SOURCE}.json"), "f")
    assert [(table.backend, table.family, table.name) for table in found.tables] == [
        ("native", "ip", "kube-proxy"),
        ("native", "ip6", "kube-proxy"),
        ("native", "inet", "corpfw"),
    ]
    assert ("ip", "filter") in found.managed
    assert len(found.managed) == len(found.lossy) == 6


def test_a_chain_of_kube_proxy(corpus):
    with open_bundle(corpus["nftables-hostgw-healthy"]) as bundle:
        found = parse_nft_json(bundle.read(f"nodes/n1/{SOURCE}.json"), "f")
    chains = found.tables[0].chains
    assert chains["nat-postrouting"].base == Base("postrouting", 100, "nat", "accept")
    assert chains["cluster-ips-check"].base is None
    assert [rule.comment for rule in chains["cluster-ips-check"].rules] == [
        "Reject traffic to invalid ports of ClusterIPs",
        "Drop traffic to unallocated ClusterIPs",
    ]
    assert found.tables[0].sets["service-ips"].is_map


def test_a_base_chain():
    chain = a_base_chain(hook="input", prio=-150, policy="drop")
    found = ruleset(a_table(), chain).tables[0].chains["c"]
    assert found.base == Base("input", -150, "filter", "drop")
    assert found.text == "chain c { type filter hook input priority -150; policy drop;"
    assert found.line == 3


@pytest.mark.parametrize(
    ("dev", "devices"), [("eth0", ("eth0",)), (["eth0", "eth1"], ("eth0", "eth1")), (None, ())]
)
def test_a_chain_of_devices(dev, devices):
    chain = a_base_chain(hook="ingress", family="netdev", dev=dev)
    found = ruleset(a_table(family="netdev"), chain).tables[0].chains["c"]
    assert found.base.devices == devices


@pytest.mark.parametrize("flags", ["dormant", ["dormant"]])
def test_a_table_that_is_switched_off_has_no_base_chains(flags):
    found = ruleset(a_table(flags=flags), a_base_chain(), a_rule(ACCEPT)).tables[0]
    assert found.chains["c"].base is None
    assert found.chains.bases == {}
    assert len(found.chains["c"].rules) == 1


def test_without_a_listing_a_rule_is_at_its_place_in_the_array():
    rule = a_rule({"match": {"op": "==", "left": DPORT, "right": 22}}, ACCEPT, comment="ssh")
    found = ruleset(a_table(), a_chain(), a_rule(ACCEPT), rule).tables[0]
    assert found.origin(found.chains["c"].rules[1]) == Origin("f", 5, 'tcp dport 22 accept comment "ssh"')
    assert found.chains["c"].rules[1].comment == "ssh"


def test_the_order_of_tables_is_that_of_the_dump():
    found = ruleset(a_table("b"), a_table("a"), a_chain(table="b"))
    assert [(table.name, table.order) for table in found.tables] == [("b", 0), ("a", 1)]


def test_rules_of_one_chain_that_do_not_stand_together():
    numbers = [{"match": {"op": "==", "left": DPORT, "right": port}} for port in range(4)]
    found = ruleset(
        a_table(),
        a_rule(numbers[0]),
        a_rule(chain="d"),
        a_rule(numbers[1]),
        a_chain(),
        a_rule(numbers[2]),
        a_table("u"),
        a_rule(numbers[3]),
    )
    ports = [rule.items[0].right.value for rule in found.tables[0].chains["c"].rules]
    assert ports == [0, 1, 2, 3]


def test_chains_of_one_name_in_two_tables():
    found = ruleset(
        a_rule(ACCEPT), a_rule(ACCEPT, table="u"), a_rule(ACCEPT, table="u"), a_rule(ACCEPT, family="ip")
    )
    assert [len(table.chains["c"].rules) for table in found.tables] == [1, 2, 1]


def test_a_chain_that_only_its_rules_name():
    found = ruleset(a_table(), a_rule(ACCEPT)).tables[0].chains["c"]
    assert (found.base, found.line, len(found.rules)) == (None, 0, 1)


def test_chains_and_sets_are_mappings():
    table = ruleset(a_table(), a_base_chain(), a_chain("d"), a_set(type="ipv4_addr")).tables[0]
    assert list(table.chains) == ["c", "d"]
    assert len(table.chains) == 2
    assert "d" in table.chains
    assert "x" not in table.chains
    assert table.chains["d"] is table.chains["d"]
    assert table.chains.get("x") is None
    assert list(table.chains.bases) == ["c"]
    assert list(table.sets) == ["s"]


def test_a_rule_is_not_read_before_it_is_asked_for(monkeypatch):
    read: list[object] = []
    monkeypatch.setattr("podpath.parse.nft_stmt.RuleReader.items", lambda _self, value: read.append(value))
    found = ruleset(a_table(), a_base_chain(), a_rule(ACCEPT), a_chain("d"), a_rule(ACCEPT, chain="d"))
    chains = found.tables[0].chains
    assert read == []
    assert len(chains["c"].rules) == 1
    assert read == [[ACCEPT]]


def test_a_changed_table_keeps_its_other_chains():
    table = ruleset(
        a_table(), a_base_chain(), a_rule(ACCEPT), a_chain("d"), a_rule(ACCEPT, chain="d")
    ).tables[0]
    changed = table.with_chain(table.chains["c"].with_rules(()))
    assert [len(chain.rules) for chain in changed.chains.values()] == [0, 1]


def test_objects_that_decide_nothing_are_accepted():
    place = {"family": "inet", "table": "t", "name": "x", "handle": 9}
    kinds = (
        "flowtable",
        "counter",
        "quota",
        "limit",
        "ct helper",
        "ct timeout",
        "ct expectation",
        "secmark",
        "synproxy",
    )
    assert ruleset(a_table(), *({kind: place} for kind in kinds)).unrecognized == ()


def test_an_object_of_a_new_kind_is_kept():
    (lost,) = ruleset(a_table(), {"teleporter": {"family": "inet"}}, a_chain()).unrecognized
    assert lost.origin == Origin("f", 3, '{"teleporter": {"family": "inet"}}')
    assert "teleporter" in lost.reason


@pytest.mark.parametrize(
    "broken",
    [
        a_rule(ACCEPT, family="decnet"),
        {"rule": {"family": "inet", "table": "t", "expr": []}},
        {"rule": 5},
        {"rule": None},
        {"chain": {"family": "inet", "table": "t", "name": "d", "prio": "high"}},
        {"set": {"family": "inet", "table": "t"}},
        {"table": []},
        {},
        5,
        "text",
        None,
    ],
)
def test_a_broken_object_costs_only_itself(broken):
    found = ruleset(a_table(), a_chain(), a_rule(ACCEPT), broken, a_rule(ACCEPT))
    assert [lost.origin.line for lost in found.unrecognized] == [5]
    assert [rule.items for rule in found.tables[0].chains["c"].rules] == [(NftVerdict("accept"),)] * 2
    assert [rule.line for rule in found.tables[0].chains["c"].rules] == [4, 6]


@pytest.mark.parametrize("expr", [None, 5, {"accept": None}, "accept"])
def test_a_rule_whose_statements_are_no_list_is_kept_as_unknown(expr):
    rule = {"rule": {"family": "inet", "table": "t", "chain": "c", "comment": 7, "expr": expr}}
    found = ruleset(a_table(), a_chain(), rule)
    (kept,) = found.tables[0].chains["c"].rules
    assert isinstance(kept.items[0], UnknownStatement)
    assert kept.unknown


def test_a_rule_without_statements_does_nothing():
    rule = {"rule": {"family": "inet", "table": "t", "chain": "c"}}
    (found,) = ruleset(a_table(), a_chain(), rule).tables[0].chains["c"].rules
    assert (found.items, found.unknown) == ((), "")


def test_a_rule_that_is_nested_too_deeply_is_kept_as_unknown():
    deep: dict[str, object] = {**SADDR}
    for _ in range(400):
        deep = {"&": [deep, 1]}
    rule = {"match": {"op": "==", "left": deep, "right": 5}}
    kept = ruleset(a_table(), a_chain(), a_rule(rule)).tables[0].chains["c"].rules[0]
    assert isinstance(kept.items[0], NftMatch | UnknownStatement)


@pytest.mark.parametrize(
    ("text", "how"),
    [
        ("", "cut off"),
        (text_of(a_table(), a_rule(ACCEPT))[:-20], "cut off"),
        (text_of(a_table(), a_rule(ACCEPT))[:-1], "cut off"),
        ("Error: syntax error", "broken"),
        (text_of() + "}", "broken"),
        ("[]", "nftables"),
        ("{}", "nftables"),
        ('{"nftables": 5}', "nftables"),
        ('{"nftables": null}', "nftables"),
        ('{"nftables": ' + "[" * 100000, "broken"),
        ("5", "nftables"),
    ],
)
def test_a_text_that_is_no_ruleset(text, how):
    with pytest.raises(ParseError, match=rf"^nodes/n1/x\.json:1: .*{how}"):
        parse_nft_json(text, "nodes/n1/x.json")


@pytest.mark.parametrize("make", [str, str.encode])
def test_text_and_bytes_are_the_same(make):
    found = parse_nft_json(make(text_of(a_table(), a_chain(), a_rule(ACCEPT, comment="ä"))), "f")
    assert found.tables[0].chains["c"].rules[0].comment == "ä"


def test_bytes_that_are_not_utf8_are_replaced():
    text = text_of(
        a_table(), a_chain(), a_rule(ACCEPT, {"log": {"prefix": "caf~"}}, comment="caf~"), a_rule(ACCEPT)
    )
    found = parse_nft_json(text.encode().replace(b"~", b"\xe9"), "f")
    first, second = found.tables[0].chains["c"].rules
    assert first.comment == "caf\N{REPLACEMENT CHARACTER}"
    assert (
        first.text
        == 'accept log prefix "caf\N{REPLACEMENT CHARACTER}" comment "caf\N{REPLACEMENT CHARACTER}"'
    )
    assert second.items == (NftVerdict("accept"),)


def test_a_lone_surrogate_is_replaced():
    text = text_of(a_table(), a_chain(), a_rule(ACCEPT, comment="~")).replace("~", "\udce9")
    assert parse_nft_json(text, "f").tables[0].chains["c"].rules[0].comment == "?"


def test_an_empty_ruleset_has_no_tables():
    assert ruleset().tables == ()
