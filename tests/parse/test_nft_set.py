"""Named sets and maps of nft's JSON."""

import pytest

from podpath.model.addr import EVERYTHING, parse_addr, parse_prefix
from podpath.model.linux.nftables import (
    Concat,
    Const,
    PrefixExpr,
    RangeExpr,
    SetElement,
    UnknownExpr,
    VerdictExpr,
    WildcardExpr,
)
from podpath.model.origin import Origin
from tests.parse.nft_samples import DPORT, SADDR, a_chain, a_rule, a_set, a_table, read_set, ruleset

KUBE_TYPE = ["ipv4_addr", "inet_proto", "inet_service"]


def keys(*elem, **fields):
    found = read_set(*elem, **fields)
    assert found.unknown == ""
    return [element.key for element in found.elements]


@pytest.mark.parametrize(
    ("type_", "elem", "key"),
    [
        ("ipv4_addr", "10.0.0.1", Const(parse_addr("10.0.0.1"))),
        ("ipv4_addr", {"prefix": {"addr": "10.0.0.0", "len": 8}}, PrefixExpr(parse_prefix("10.0.0.0/8"))),
        ("ipv6_addr", {"range": ["fe80::1", "fe80::9"]}, RangeExpr(parse_addr("fe80::1"), parse_addr("fe80::9"))),
        ("inet_service", {"range": [80, 90]}, RangeExpr(80, 90)),
        ("inet_proto", "udp", Const(17)),
        ("ifname", "eth*", WildcardExpr("eth")),
        ("mark", {"prefix": {"addr": 16, "len": 28}}, RangeExpr(16, 31)),
        ("ether_addr", "aa:bb:cc:dd:ee:ff", Const("aa:bb:cc:dd:ee:ff")),
        (KUBE_TYPE, {"concat": ["10.0.0.1", "tcp", 53]}, Concat((Const(parse_addr("10.0.0.1")), Const(6), Const(53)))),
        ("ipv4_addr . inet_service", {"concat": ["10.0.0.1", 53]}, Concat((Const(parse_addr("10.0.0.1")), Const(53)))),
        ({"typeof": SADDR}, "10.0.0.1", Const(parse_addr("10.0.0.1"))),
        ({"typeof": {"concat": [SADDR, DPORT]}}, {"concat": ["10.0.0.1", 53]}, Concat((Const(parse_addr("10.0.0.1")), Const(53)))),
        ("ipv4_addr", "*", PrefixExpr(EVERYTHING)),
    ],
)  # fmt: skip
def test_an_element_is_read_by_the_type_of_its_set(type_, elem, key):
    assert keys(elem, type=type_) == [key]


def test_a_set_knows_its_types():
    assert read_set(type={"typeof": {"concat": [SADDR, DPORT]}}).types == ("ipv4_addr", "inet_service")
    assert read_set(type="ipv4_addr").types == ("ipv4_addr",)


def test_a_verdict_map():
    pair = [{"concat": ["10.0.0.1", "tcp", 80]}, {"goto": {"target": "service-X"}}]
    found = read_set(pair, kind="map", type=KUBE_TYPE, map="verdict")
    assert found.is_map
    key = Concat((Const(parse_addr("10.0.0.1")), Const(6), Const(80)))
    assert found.elements == (SetElement(key, VerdictExpr("goto", "service-X")),)


@pytest.mark.parametrize("data_type", [["ipv4_addr", "inet_service"], "ipv4_addr . inet_service"])
def test_a_map_to_address_and_port(data_type):
    found = read_set([80, {"concat": ["10.0.0.1", 8080]}], kind="map", type="inet_service", map=data_type)
    assert found.elements[0].data == Concat((Const(parse_addr("10.0.0.1")), Const(8080)))
    assert found.unknown == ""


def test_elements_with_a_timeout_and_a_comment():
    given = {"elem": {"val": "10.0.0.1", "timeout": 3600, "expires": 3599, "comment": "x"}}
    left = {"elem": {"val": "10.0.0.2", "expires": 17}}
    first, second = read_set(given, left, type="ipv4_addr").elements
    assert (first.timeout_s, first.comment) == (3600, "x")
    assert (second.timeout_s, second.comment) == (17, "")


@pytest.mark.parametrize(
    ("type_", "elem"),
    [
        ("ipv4_addr", "no address"),
        (KUBE_TYPE, {"concat": ["10.0.0.1", "tcp"]}),
        ("ipv4_addr", {"new in nft 2": 1}),
    ],
)
def test_an_element_that_is_not_understood_makes_a_miss_unknown(type_, elem):
    found = read_set(elem, "10.0.0.1", type=type_)
    assert isinstance(found.elements[0].key, UnknownExpr)
    assert len(found.elements) == 2
    assert found.unknown


@pytest.mark.parametrize(
    "type_", [{"typeof": {"payload": {"base": "nh", "offset": 0, "len": 8}}}, {"new": 1}, None]
)
def test_a_type_that_is_not_known_makes_a_miss_unknown(type_):
    assert read_set(1, type=type_).unknown


def test_an_element_object_adds_to_its_set():
    more = {"element": {"family": "inet", "table": "t", "name": "s", "elem": {"set": ["10.0.0.2"]}}}
    found = ruleset(a_table(), more, a_set("10.0.0.1", type="ipv4_addr")).tables[0].sets["s"]
    assert [element.key for element in found.elements] == [
        Const(parse_addr("10.0.0.1")),
        Const(parse_addr("10.0.0.2")),
    ]


UPDATE = {"set": {"op": "update", "elem": SADDR, "set": "@s"}}


@pytest.mark.parametrize(
    ("fields", "expr", "dynamic"),
    [
        ({"flags": ["timeout", "dynamic"]}, {"accept": None}, True),
        ({"flags": "dynamic"}, {"accept": None}, True),
        ({"flags": ["timeout"], "size": 65535}, UPDATE, True),
        ({"size": 65535}, "update @s { ip saddr : tcp dport }", True),
        ({"size": 65535}, {"set": {"op": "update", "elem": SADDR, "set": "@other"}}, False),
        ({"size": 65535}, {"match": {"op": "==", "left": SADDR, "right": "@s"}}, False),
        ({}, {"accept": None}, False),
        ({"kind": "meter", "size": 10}, {"accept": None}, True),
    ],
)
def test_a_set_is_dynamic_when_it_says_so_or_a_rule_fills_it(fields, expr, dynamic):
    found = ruleset(a_table(), a_set(type="ipv4_addr", **fields), a_chain(), a_rule(expr))
    assert found.tables[0].sets["s"].dynamic is dynamic


def test_a_set_is_found_at_its_place_in_the_array():
    assert read_set(type=KUBE_TYPE).origin == Origin(
        "f", 3, "set s { type ipv4_addr . inet_proto . inet_service; }"
    )
    found = read_set(kind="map", type="inet_service", map="verdict")
    assert found.origin.text == "map s { type inet_service : verdict; }"
