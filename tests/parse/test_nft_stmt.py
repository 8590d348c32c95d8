"""Statements of nft's JSON."""

import pytest

from podpath.model.addr import parse_addr, parse_prefix
from podpath.model.linux.nftables import (
    Binary,
    Concat,
    Const,
    CtKey,
    DynSet,
    Mangle,
    MapLookup,
    Meta,
    NamedSet,
    NftLimit,
    NftMatch,
    NftNat,
    NftNoop,
    NftNotrack,
    NftQueue,
    NftReject,
    NftTproxy,
    NftVerdict,
    Numgen,
    Payload,
    PrefixExpr,
    RangeExpr,
    SetElement,
    SetExpr,
    UnknownExpr,
    UnknownStatement,
    Vmap,
    XtStatement,
)
from tests.parse.nft_samples import ACCEPT, DPORT, MARK, SADDR, items, read_rule

NUMGEN = {"numgen": {"mode": "random", "mod": 2, "offset": 0}}


def addr(text):
    return Const(parse_addr(text))


def backends(*pairs):
    data = SetExpr(tuple(SetElement(Const(n), value) for n, value in enumerate(pairs)))
    return MapLookup(Numgen("random", 2), data)


@pytest.mark.parametrize(
    ("json", "statement"),
    [
        ({"accept": None}, NftVerdict("accept")),
        ({"drop": None}, NftVerdict("drop")),
        ({"return": None}, NftVerdict("return")),
        ({"continue": None}, NftVerdict("continue")),
        ({"jump": {"target": "other"}}, NftVerdict("jump", "other")),
        ({"goto": {"target": "svc/x/tcp/"}}, NftVerdict("goto", "svc/x/tcp/")),
        ({"match": {"op": "!=", "left": DPORT, "right": 22}}, NftMatch("!=", Payload("tcp", "dport"), Const(22))),
        ({"match": {"op": ">=", "left": DPORT, "right": 22}}, NftMatch(">=", Payload("tcp", "dport"), Const(22))),
        ({"match": {"left": DPORT, "right": 22}}, NftMatch("==", Payload("tcp", "dport"), Const(22))),
        ({"vmap": {"key": SADDR, "data": "@m"}}, Vmap(Payload("ip", "saddr"), NamedSet("m"))),
        ({"mangle": {"key": MARK, "value": 1}}, Mangle(Meta("mark"), Const(1))),
        ({"mangle": {"key": MARK, "value": {"|": [MARK, 16384]}}}, Mangle(Meta("mark"), Binary("|", Meta("mark"), Const(16384)))),
        ({"mangle": {"key": {"ct": {"key": "mark"}}, "value": MARK}}, Mangle(CtKey("mark"), Meta("mark"))),
        ({"mangle": {"key": {"payload": {"protocol": "ip", "field": "daddr"}}, "value": "10.0.0.1"}}, Mangle(Payload("ip", "daddr"), addr("10.0.0.1"))),
        ({"mangle": {"key": {"tcp option": {"name": "maxseg", "field": "size"}}, "value": {"rt": {"key": "mtu"}}}}, NftNoop("tcp option")),
        ({"reset": {"tcp option": {"name": "sack-perm"}}}, NftNoop("tcp option")),
        ({"counter": {"packets": 1, "bytes": 2}}, NftNoop("counter")),
        ({"counter": None}, NftNoop("counter")),
        ({"counter": "c1"}, NftNoop("counter")),
        ({"log": None}, NftNoop("log")),
        ({"log": {"prefix": "x", "group": 5}}, NftNoop("log")),
        ({"last": None}, NftNoop("last")),
        ({"ct helper": "ftp-std"}, NftNoop("ct helper")),
        ({"ct timeout": "t"}, NftNoop("ct timeout")),
        ({"flow": {"op": "add", "flowtable": "@f"}}, NftNoop("flow add")),
        ({"notrack": None}, NftNotrack()),
        ({"limit": {"rate": 10, "burst": 5, "per": "second"}}, NftLimit()),
        ({"limit": {"rate": 10, "burst": 5, "per": "second", "inv": True}}, NftLimit(over=True)),
        ({"ct count": {"val": 20}}, NftLimit()),
        ({"ct count": {"val": 20, "inv": True}}, NftLimit(over=True)),
        ({"queue": None}, NftQueue("0")),
        ({"queue": {"num": 3, "flags": "bypass"}}, NftQueue("3", bypass=True)),
        ({"queue": {"num": {"range": [1, 3]}, "flags": ["bypass", "fanout"]}}, NftQueue("1-3", bypass=True)),
        ({"tproxy": {"family": "ip", "addr": "127.0.0.1", "port": 15001}}, NftTproxy(addr("127.0.0.1"), Const(15001))),
        ({"tproxy": {"port": 15001}}, NftTproxy(None, Const(15001))),
        ({"set": {"op": "update", "elem": SADDR, "set": "@s"}}, DynSet("update", "s", Payload("ip", "saddr"))),
        ({"set": {"op": "add", "elem": {"elem": {"val": SADDR, "timeout": 5}}, "set": "@s"}}, DynSet("add", "s", Payload("ip", "saddr"))),
        ({"set": {"op": "add", "elem": SADDR, "set": "@s", "stmt": [{"counter": None}]}}, DynSet("add", "s", Payload("ip", "saddr"))),
        ({"set": {"op": "add", "elem": SADDR, "set": "@s", "stmt": [{"ct count": {"val": 5}}]}}, DynSet("add", "s", Payload("ip", "saddr"), conditional=True)),
        ({"map": {"op": "update", "elem": SADDR, "data": DPORT, "map": "@m"}}, DynSet("update", "m", Payload("ip", "saddr"))),
        ({"meter": {"key": SADDR, "stmt": {"limit": {"rate": 1, "per": "second"}}, "size": 9, "name": "mt"}}, DynSet("update", "mt", Payload("ip", "saddr"), conditional=True)),
        ({"xt": {"type": "match", "name": "comment"}}, NftNoop("comment")),
    ],
)  # fmt: skip
def test_a_statement(json, statement):
    assert items(json) == (statement,)


@pytest.mark.parametrize(
    ("json", "statement"),
    [
        ({"masquerade": None}, NftNat("masquerade")),
        ({"masquerade": {"flags": "fully-random"}}, NftNat("masquerade", options="fully-random")),
        ({"masquerade": {"flags": ["random", "persistent"]}}, NftNat("masquerade", options="random persistent")),
        ({"masquerade": {"port": {"range": [1024, 65535]}}}, NftNat("masquerade", port=RangeExpr(1024, 65535))),
        ({"redirect": None}, NftNat("redirect")),
        ({"redirect": {"port": 15001}}, NftNat("redirect", port=Const(15001))),
        ({"dnat": {"port": 8080}}, NftNat("dnat", port=Const(8080))),
        ({"dnat": {"addr": "10.0.0.1", "port": 80}}, NftNat("dnat", addr("10.0.0.1"), Const(80))),
        ({"dnat": {"family": "ip6", "addr": "fe80::1", "port": 80}}, NftNat("dnat", addr("fe80::1"), Const(80))),
        ({"snat": {"family": "ip", "addr": {"range": ["10.0.0.1", "10.0.0.5"]}}}, NftNat("snat", RangeExpr(parse_addr("10.0.0.1"), parse_addr("10.0.0.5")))),
        ({"snat": {"addr": {"range": ["10.0.0.1", "10.0.0.5"]}}}, NftNat("snat", RangeExpr(parse_addr("10.0.0.1"), parse_addr("10.0.0.5")))),
        ({"snat": {"family": "ip", "addr": {"prefix": {"addr": "10.0.0.0", "len": 24}}}}, NftNat("snat", PrefixExpr(parse_prefix("10.0.0.0/24")))),
        ({"dnat": {"family": "ip", "addr": {"map": {"key": DPORT, "data": "@m"}}}}, NftNat("dnat", MapLookup(Payload("tcp", "dport"), NamedSet("m")))),
        ({"dnat": {"addr": {"map": {"key": NUMGEN, "data": {"set": [[0, "10.0.0.1"], [1, "10.0.0.2"]]}}}}}, NftNat("dnat", backends(addr("10.0.0.1"), addr("10.0.0.2")))),
        (
            {"dnat": {"family": "ip", "addr": {"map": {"key": NUMGEN, "data": {"set": [[0, {"concat": ["10.0.0.1", 80]}], [1, {"concat": ["10.0.0.2", 81]}]]}}}}},
            NftNat("dnat", backends(Concat((addr("10.0.0.1"), Const(80))), Concat((addr("10.0.0.2"), Const(81))))),
        ),
        ({"dnat": {"addr": {"map": {"key": DPORT, "data": "@m"}}, "type_flags": ["interval", "concat"]}}, NftNat("dnat", MapLookup(Payload("tcp", "dport"), NamedSet("m")))),
        ({"snat": {"family": "ip", "addr": "10.0.0.1", "flags": "netmap", "type_flags": "prefix"}}, NftNat("snat", addr("10.0.0.1"), options="netmap prefix")),
    ],
)  # fmt: skip
def test_a_translation(json, statement):
    assert items(json) == (statement,)


@pytest.mark.parametrize(
    ("json", "family", "how"),
    [
        (None, "ip", "icmp-port-unreachable"),
        (None, "ip6", "icmp6-port-unreachable"),
        (None, "inet", "icmp-port-unreachable"),
        ({"type": "tcp reset"}, "inet", "tcp-reset"),
        ({"type": "icmp", "expr": "host-unreachable"}, "ip", "icmp-host-unreachable"),
        ({"type": "icmp", "expr": "prot-unreachable"}, "ip", "icmp-proto-unreachable"),
        ({"type": "icmp", "expr": "admin-prohibited"}, "inet", "icmp-admin-prohibited"),
        ({"type": "icmp", "expr": 13}, "inet", "icmp-admin-prohibited"),
        ({"type": "icmpv6", "expr": "no-route"}, "ip6", "icmp6-no-route"),
        ({"type": "icmpv6", "expr": "admin-prohibited"}, "inet", "icmp6-adm-prohibited"),
        ({"type": "icmpv6", "expr": "policy-fail"}, "ip6", "icmp6-policy-fail"),
        ({"type": "icmpx", "expr": "port-unreachable"}, "inet", "icmp-port-unreachable"),
        ({"type": "icmpx", "expr": "admin-prohibited"}, "bridge", "icmp-admin-prohibited"),
        ({"type": "icmpx", "expr": "no-route"}, "inet", "icmp-net-unreachable"),
        ({"type": "icmpx", "expr": "host-unreachable"}, "inet", "icmp-host-unreachable"),
    ],
)
def test_a_refusal_is_named_as_iptables_names_it(json, family, how):
    assert items({"reject": json}, family=family) == (NftReject(how),)


@pytest.mark.parametrize(
    "json",
    [
        {"quota": {"val": 100, "val_unit": "mbytes", "inv": True}},
        {"limit": "a named limit may be one of either kind"},
        {"fwd": {"dev": "lo"}},
        {"dup": {"addr": "lo"}},
        {"synproxy": {"mss": 1460}},
        {"break": None},
        {"jump": None},
        {"jump": {"target": 5}},
        {"accept": None, "drop": None},
        {"match": {"op": "~", "left": DPORT, "right": 22}},
        {"match": {"op": "==", "left": DPORT}},
        {"match": None},
        {"mangle": {"key": MARK}},
        {"vmap": {"key": MARK}},
        {"reject": {"type": "icmp", "expr": "no-such-code"}},
        {"reject": {"type": "carrier pigeon"}},
        {"set": {"op": "add", "set": "@s"}},
        {"meter": {}},
        {"dnat": "10.0.0.1"},
        {"queue": "x"},
        {"tproxy": None},
        {"xt": None},
        {"new in nft 2": {}},
        "some text that nft could not write as JSON",
        5,
        None,
    ],
)
def test_a_statement_that_is_not_understood_stays_in_its_place(json):
    rule = read_rule(ACCEPT, json, ACCEPT)
    assert rule.items[::2] == (NftVerdict("accept"), NftVerdict("accept"))
    unknown = rule.items[1]
    assert isinstance(unknown, UnknownStatement)
    assert rule.unknown == unknown.text


def test_a_module_of_iptables_is_known_by_name_only():
    rule = read_rule({"xt": {"type": "match", "name": "conntrack"}}, ACCEPT)
    assert rule.items == (XtStatement("match", "conntrack"), NftVerdict("accept"))
    assert rule.unknown == "xt match conntrack"


@pytest.mark.parametrize(
    ("text", "statement"),
    [
        ("update @m { ip saddr : tcp dport }", DynSet("update", "m", UnknownExpr("ip saddr : tcp dport"))),
        (
            "add @m { ip saddr limit rate 1/second : 5 }",
            DynSet("add", "m", UnknownExpr("ip saddr limit rate 1/second : 5"), conditional=True),
        ),
    ],
)
def test_the_filling_of_a_map_is_recognised_though_nft_prints_it_as_text(text, statement):
    rule = read_rule(text, ACCEPT)
    assert rule.items == (statement, NftVerdict("accept"))
    assert rule.unknown
