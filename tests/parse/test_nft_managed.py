"""Which tables are left to ``iptables-nft-save``."""

import pytest

from tests.parse.nft_samples import ACCEPT, SADDR, a_base_chain, a_chain, a_rule, a_set, a_table, ruleset

XT = {"xt": {"type": "match", "name": "comment"}}
IN_SET = {"match": {"op": "==", "left": SADDR, "right": "@s"}}


def found(*objects, name="filter", family="ip"):
    for one in objects:
        for fields in one.values():
            fields.update(family=family, table=name)
    return ruleset(a_table(name, family), *objects)


@pytest.mark.parametrize(
    ("family", "name", "objects"),
    [
        ("ip", "filter", []),
        ("ip", "filter", [a_base_chain("FORWARD")]),
        ("ip6", "raw", [a_base_chain("PREROUTING", "prerouting", -300)]),
        ("ip", "mangle", [a_base_chain("OUTPUT", "output", -150, type="route")]),
        ("ip", "nat", [a_base_chain("POSTROUTING", "postrouting", 100, type="nat"), a_chain("KUBE-X")]),
        ("ip", "security", [a_base_chain("INPUT", "input", 150)]),
        ("ip6", "nat", [a_chain("KUBE-KUBELET-CANARY")]),
        ("ip", "filter", [a_chain("x"), a_rule(XT, chain="x")]),
        ("ip", "filter", [a_base_chain("FORWARD"), a_set(type="ipv4_addr")]),
        ("arp", "filter", [a_base_chain("INPUT", "input")]),
        ("bridge", "filter", [a_base_chain("FORWARD", prio=-200)]),
        ("bridge", "nat", [a_base_chain("PREROUTING", "prerouting", -300)]),
    ],
)
def test_a_table_of_iptables(family, name, objects):
    result = found(*objects, family=family, name=name)
    assert result.managed == ((family, name),)
    assert result.tables == ()
    assert [(table.family, table.name) for table in result.lossy] == [(family, name)]


@pytest.mark.parametrize(
    ("family", "name", "objects"),
    [
        ("ip", "filter", [a_base_chain("forward")]),
        ("ip", "filter", [a_base_chain("FORWARD", prio=10)]),
        ("ip", "filter", [a_base_chain("FORWARD", "input")]),
        ("ip", "nat", [a_base_chain("FORWARD")]),
        ("ip", "filter", [a_set(type="ipv4_addr")]),
        ("ip", "filter", [a_base_chain("input", "input"), a_chain("x"), a_rule(ACCEPT, chain="x")]),
        ("inet", "filter", [a_base_chain("FORWARD")]),
        ("ip", "corpfw", [a_base_chain("FORWARD"), a_rule(XT, chain="FORWARD")]),
        ("bridge", "filter", [a_base_chain("FORWARD")]),
    ],
)
def test_a_native_table(family, name, objects):
    result = found(*objects, family=family, name=name)
    assert result.managed == result.lossy == ()
    assert [(table.family, table.name) for table in result.tables] == [(family, name)]


def test_native_base_chains_in_a_table_of_iptables_are_returned_without_those_of_iptables():
    own, native = a_base_chain("FORWARD"), a_base_chain("forward")
    result = found(own, native, a_chain("x"), a_rule(ACCEPT, chain="forward"), a_rule(XT, chain="FORWARD"))
    assert result.managed == (("ip", "filter"),)
    assert list(result.tables[0].chains) == ["forward", "x"]
    assert list(result.tables[0].chains.bases) == ["forward"]
    assert list(result.lossy[0].chains) == ["FORWARD", "x"]


def test_a_native_rule_in_a_chain_of_iptables_is_shown():
    objects = (a_base_chain("FORWARD"), a_base_chain("forward"), a_rule(ACCEPT, chain="FORWARD"))
    native = (a_rule(IN_SET, chain="FORWARD"), a_rule(IN_SET, chain="forward"))
    (lost,) = found(*objects, *native).unrecognized
    assert (lost.origin.line, lost.origin.text) == (6, "ip saddr @s")
    assert "without its look-up" in lost.reason


def test_a_lossy_table_says_what_it_lacks():
    rule = a_rule({"xt": {"type": "match", "name": "conntrack"}}, {"drop": None}, chain="KUBE-FIREWALL")
    table = found(a_base_chain("INPUT", "input"), a_chain("KUBE-FIREWALL"), rule).lossy[0]
    assert table.chains["KUBE-FIREWALL"].rules[0].unknown == "xt match conntrack"
