"""Expressions of nft's JSON."""

import pytest

from podpath.model.addr import ALL_BITS, EVERYTHING, parse_addr, parse_prefix
from podpath.model.linux.nftables import (
    Binary,
    Concat,
    Const,
    CtKey,
    Fib,
    HashExpr,
    Mangle,
    MapLookup,
    Meta,
    NamedSet,
    NftMatch,
    Numgen,
    Payload,
    PrefixExpr,
    RangeExpr,
    SetElement,
    SetExpr,
    UnknownExpr,
    VerdictExpr,
    Vmap,
    WildcardExpr,
)
from tests.parse.nft_samples import (
    CT_STATE,
    DPORT,
    IIFNAME,
    L4PROTO,
    MARK,
    SADDR,
    SADDR6,
    TCP_FLAGS,
    items,
    matched,
    read_rule,
)


def payload(protocol, field):
    return {"payload": {"protocol": protocol, "field": field}}


def meta(key):
    return {"meta": {"key": key}}


def ct(key, **fields):
    return {"ct": {"key": key, **fields}}


def fib(result, *flags):
    return {"fib": {"result": result, "flags": list(flags)}}


def one_of(*values):
    return SetExpr(tuple(SetElement(Const(value)) for value in values))


@pytest.mark.parametrize(
    ("json", "value"),
    [
        (SADDR, Payload("ip", "saddr")),
        (payload("arp", "saddr ip"), Payload("arp", "saddr ip")),
        ({"payload": {"base": "th", "offset": 16, "len": 16}}, Payload("th", "dport")),
        ({"payload": {"base": "th", "offset": 0, "len": 16}}, Payload("th", "sport")),
        (L4PROTO, Meta("l4proto")),
        ({"meta": "mark"}, Meta("mark")),
        (CT_STATE, CtKey("state")),
        (ct("saddr", dir="original", family="ip"), CtKey("saddr", "original", v4=True)),
        (ct("ip6 daddr", dir="reply"), CtKey("daddr", "reply", v4=False)),
        (ct("proto-dst", dir="original"), CtKey("proto-dst", "original")),
        (fib("type", "saddr", "iif"), Fib("type", ("saddr", "iif"))),
        ({"fib": {"result": "oif", "flags": "daddr"}}, Fib("oif", ("daddr",))),
        ({"numgen": {"mode": "random", "mod": 3, "offset": 0}}, Numgen("random", 3)),
        ({"numgen": {"mode": "inc", "mod": 5, "offset": 10}}, Numgen("inc", 5, 10)),
        ({"symhash": {"mod": 3}}, HashExpr(3, 0, '{"mod":3}')),
        ({"jhash": {"mod": 4, "offset": 1, "expr": SADDR}}, HashExpr(4, 1, '{"mod":4,"offset":1,"expr":{"payload":{"protocol":"ip","field":"saddr"}}}')),
        ({"concat": [SADDR, DPORT]}, Concat((Payload("ip", "saddr"), Payload("tcp", "dport")))),
        ({"&": [MARK, 255]}, Binary("&", Meta("mark"), Const(255))),
        ({"<<": [{"&": [MARK, 255]}, 8]}, Binary("<<", Binary("&", Meta("mark"), Const(255)), Const(8))),
        ({"|": [MARK, 1, 2]}, Binary("|", Binary("|", Meta("mark"), Const(1)), Const(2))),
        ({"map": {"key": SADDR, "data": "@m"}}, MapLookup(Payload("ip", "saddr"), NamedSet("m"))),
    ],
)  # fmt: skip
def test_what_a_rule_looks_at(json, value):
    assert matched(json, 0)[0] == value


@pytest.mark.parametrize(
    ("left", "json", "value"),
    [
        (SADDR, "10.0.0.1", Const(parse_addr("10.0.0.1"))),
        (SADDR6, "fe80::1", Const(parse_addr("fe80::1"))),
        (SADDR, {"prefix": {"addr": "10.0.0.0", "len": 8}}, PrefixExpr(parse_prefix("10.0.0.0/8"))),
        (SADDR6, {"prefix": {"addr": "fe80::", "len": 10}}, PrefixExpr(parse_prefix("fe80::/10"))),
        (SADDR, {"range": ["10.0.0.1", "10.0.0.5"]}, RangeExpr(parse_addr("10.0.0.1"), parse_addr("10.0.0.5"))),
        (SADDR, "@s", NamedSet("s")),
        ({"&": [SADDR, "0.0.0.255"]}, "0.0.0.1", Const(parse_addr("0.0.0.1"))),
        (ct("ip saddr", dir="original"), "10.0.0.1", Const(parse_addr("10.0.0.1"))),
        (ct("saddr", dir="original"), "fe80::1", Const(parse_addr("fe80::1"))),
        (DPORT, 22, Const(22)),
        (DPORT, "ssh", Const(22)),
        (DPORT, {"range": [80, 90]}, RangeExpr(80, 90)),
        (L4PROTO, "tcp", Const(6)),
        (L4PROTO, "ipv6-icmp", Const(58)),
        (L4PROTO, 253, Const(253)),
        (L4PROTO, {"range": [1, 5]}, RangeExpr(1, 5)),
        (payload("ip", "protocol"), "igmp", Const(2)),
        (payload("ip6", "nexthdr"), "ipv6-icmp", Const(58)),
        (ct("protocol"), "sctp", Const(132)),
        (payload("icmp", "type"), "echo-request", Const(8)),
        (payload("icmp", "code"), "frag-needed", Const(4)),
        (payload("icmpv6", "type"), "nd-neighbor-solicit", Const(135)),
        (payload("icmpv6", "code"), "no-route", Const(0)),
        (payload("ip", "dscp"), "cs1", Const(8)),
        (payload("ip", "dscp"), "af21", Const(18)),
        (payload("ip6", "ecn"), "ce", Const(3)),
        (payload("ip", "ttl"), 1, Const(1)),
        (MARK, 16384, Const(16384)),
        (MARK, "0x4000", Const(16384)),
        (MARK, {"prefix": {"addr": 0x10000, "len": 16}}, RangeExpr(0x10000, 0x1FFFF)),
        (ct("mark"), {"prefix": {"addr": 16, "len": 28}}, RangeExpr(16, 31)),
        (CT_STATE, "new", Const("new")),
        (ct("status"), "dnat", Const("dnat")),
        (ct("direction"), "original", Const("original")),
        (ct("l3proto"), "ipv4", Const("ipv4")),
        (ct("expiration"), 30, Const(30)),
        (TCP_FLAGS, "syn", Const("syn")),
        (TCP_FLAGS, ["syn", "ack"], Binary("|", Const("syn"), Const("ack"))),
        (TCP_FLAGS, {"|": ["syn", "ack"]}, Binary("|", Const("syn"), Const("ack"))),
        (IIFNAME, "eth0", Const("eth0")),
        (IIFNAME, "eth*", WildcardExpr("eth")),
        (IIFNAME, "eth\\*", Const("eth*")),
        (meta("iif"), "lo", Const("lo")),
        (meta("oif"), "7", Const(7)),
        (meta("nfproto"), "ipv6", Const("ipv6")),
        (meta("protocol"), "ip", Const("ip")),
        (meta("pkttype"), "broadcast", Const("broadcast")),
        (meta("skuid"), 1000, Const(1000)),
        (payload("ether", "saddr"), "AA:bb:cc:dd:ee:ff", Const("aa:bb:cc:dd:ee:ff")),
        (payload("ether", "type"), "arp", Const("arp")),
        (payload("arp", "operation"), "request", Const("request")),
        (fib("type", "daddr"), "local", Const("local")),
        (fib("oif", "saddr", "iif"), False, Const(False)),
        (fib("oif", "saddr", "iif"), "0", Const(0)),
        (fib("oifname", "daddr"), "eth*", WildcardExpr("eth")),
        (L4PROTO, {"set": ["tcp", "udp"]}, one_of(6, 17)),
        (CT_STATE, {"set": ["invalid", "new"]}, one_of("invalid", "new")),
    ],
)  # fmt: skip
def test_a_constant_is_read_by_what_stands_beside_it(left, json, value):
    right = matched(left, json)[1]
    assert right == value
    if isinstance(value, Const):
        assert type(right.value) is type(value.value)


@pytest.mark.parametrize("op", ["in", "!"])
def test_names_that_are_tested_for_any_of_them_are_a_set(op):
    assert matched(CT_STATE, ["established", "related"], op)[1] == one_of("established", "related")


def test_flags_of_tcp_that_are_tested_for_any_of_them_are_bits():
    assert matched(TCP_FLAGS, ["syn", "ack"], "in")[1] == Binary("|", Const("syn"), Const("ack"))


@pytest.mark.parametrize("flags", [["syn", "ack"], {"|": ["syn", "ack"]}])
def test_masked_flags(flags):
    left, right = matched({"&": [TCP_FLAGS, flags]}, "syn")
    assert left == Binary("&", Payload("tcp", "flags"), Binary("|", Const("syn"), Const("ack")))
    assert right == Const("syn")


def test_a_mask_of_an_address_is_in_the_space_of_addresses():
    left, _ = matched({"&": [SADDR, "0.0.0.255"]}, "0.0.0.1")
    assert left == Binary("&", Payload("ip", "saddr"), Const(parse_addr("0.0.0.255")))


def test_the_parts_of_a_concatenation_have_their_own_types():
    key = {"concat": [SADDR, L4PROTO, DPORT, IIFNAME]}
    element = {"concat": [{"prefix": {"addr": "10.0.0.0", "len": 8}}, "tcp", {"range": [80, 90]}, "eth*"]}
    _, right = matched(key, {"set": [element]})
    parts = (PrefixExpr(parse_prefix("10.0.0.0/8")), Const(6), RangeExpr(80, 90), WildcardExpr("eth"))
    assert right == SetExpr((SetElement(Concat(parts)),))


def test_an_element_may_have_company():
    wrapped = {
        "elem": {
            "val": "10.0.0.1",
            "timeout": 60,
            "expires": 59,
            "comment": "x",
            "counter": {"packets": 1, "bytes": 2},
        }
    }
    _, right = matched(SADDR, {"set": [wrapped]})
    assert right == SetExpr((SetElement(Const(parse_addr("10.0.0.1")), None, 60, "x"),))


def test_an_element_that_is_limited_is_not_understood():
    limited = {"elem": {"val": "10.0.0.1", "limit": {"rate": 1, "per": "second"}}}
    rule = read_rule({"match": {"op": "==", "left": SADDR, "right": {"set": [limited]}}})
    assert rule.unknown == '{"limit":{"rate":1,"per":"second"}}'


def test_a_verdict_map():
    pairs = [
        [22, {"accept": None}],
        [{"range": [80, 90]}, {"jump": {"target": "web"}}],
        ["*", {"drop": None}],
    ]
    (vmap,) = items({"vmap": {"key": DPORT, "data": {"set": pairs}}})
    assert vmap == Vmap(
        Payload("tcp", "dport"),
        SetExpr(
            (
                SetElement(Const(22), VerdictExpr("accept")),
                SetElement(RangeExpr(80, 90), VerdictExpr("jump", "web")),
                SetElement(PrefixExpr(EVERYTHING), VerdictExpr("drop")),
            )
        ),
    )


def test_the_catch_all_comes_last_and_has_all_values_of_its_types():
    key = {"concat": [IIFNAME, DPORT]}
    pairs = [["*", {"drop": None}], [{"concat": ["eth0", 22]}, {"accept": None}]]
    (vmap,) = items({"vmap": {"key": key, "data": {"set": pairs}}})
    assert [element.key for element in vmap.data.elements] == [
        Concat((Const("eth0"), Const(22))),
        Concat((WildcardExpr(""), PrefixExpr(EVERYTHING))),
    ]


def test_the_values_of_a_map_have_the_type_of_what_is_set():
    data = {"set": [["10.0.0.1", "0x10"]]}
    (mangle,) = items({"mangle": {"key": MARK, "value": {"map": {"key": SADDR, "data": data}}}})
    pair = SetElement(Const(parse_addr("10.0.0.1")), Const(16))
    assert mangle == Mangle(Meta("mark"), MapLookup(Payload("ip", "saddr"), SetExpr((pair,))))


@pytest.mark.parametrize(
    "json",
    [
        {"payload": {"base": "nh", "offset": 64, "len": 8}},
        {"payload": {"tunnel": "vxlan", "protocol": "ip", "field": "saddr"}},
        {"exthdr": {"name": "frag"}},
        {"ip option": {"name": "rr"}},
        {"tcp option": {"name": "maxseg", "field": "size"}},
        {"socket": {"key": "transparent"}},
        {"osf": {"key": "name"}},
        {"rt": {"key": "nexthop", "family": "ip"}},
        {"ipsec": {"key": "reqid", "dir": "in", "spnum": 0}},
        {"meta": {"key": "hour"}},
        {"meta": {"key": "time"}},
        {"ct": {"dir": "original"}},
        {"fib": {"flags": ["saddr"]}},
        {"numgen": {"mode": "dice", "mod": 6}},
        {"numgen": {"mode": "random", "mod": 0}},
        {"symhash": {}},
        {"concat": []},
        {"concat": 5},
        {"map": {"key": 5}},
        {"&": [1]},
        {"new in nft 2": 5},
        {"two": 1, "keys": 2},
        {},
        [],
        1.5,
    ],
)
def test_what_is_not_understood_stays_in_its_place(json):
    rule = read_rule({"match": {"op": "==", "left": json, "right": 5}}, {"drop": None})
    match = rule.items[0]
    assert isinstance(match, NftMatch)
    assert isinstance(match.left, UnknownExpr)
    assert rule.unknown == match.left.text
    assert len(rule.items) == 2


@pytest.mark.parametrize(
    ("left", "json"),
    [
        (SADDR, "localhost"),
        (SADDR, {"prefix": {"addr": "10.0.0.0", "len": 33}}),
        (SADDR, {"prefix": {"addr": "10.0.0.0"}}),
        (SADDR, {"range": ["10.0.0.1"]}),
        (DPORT, "no-such-service"),
        (DPORT, {"prefix": {"addr": 80, "len": 17}}),
        (L4PROTO, "no-such-protocol"),
        (MARK, "a-name-of-rt_marks"),
        ({"concat": [SADDR, DPORT]}, {"concat": ["10.0.0.1"]}),
        (DPORT, {"elem": {}}),
    ],
)
def test_a_constant_that_does_not_fit_is_not_guessed(left, json):
    rule = read_rule({"match": {"op": "==", "left": left, "right": json}})
    match = rule.items[0]
    assert isinstance(match, NftMatch)
    assert isinstance(match.right, UnknownExpr)
    assert rule.unknown


def test_a_pair_without_a_value_is_not_understood():
    rule = read_rule({"vmap": {"key": DPORT, "data": {"set": [[22]]}}})
    assert rule.unknown == "[22]"


def test_a_very_long_unknown_is_shortened():
    rule = read_rule({"match": {"op": "==", "left": {"new": "x" * 5000}, "right": 1}})
    assert 100 < len(rule.unknown) < 500


def test_an_address_of_ipv4_never_equals_one_of_ipv6():
    assert parse_addr("0.0.0.1") != 1
    assert parse_addr("10.0.0.1") <= ALL_BITS
