"""``ip -j rule``."""

import json

import pytest

from podpath.model.addr import EVERYTHING, parse_prefix
from podpath.parse.ip_rule import parse_ip_rule

MAIN = {"priority": 32766, "src": "all", "table": "main"}


def rule(fields, **options):
    rules, lost = parse_ip_rule(json.dumps([fields]), "f", **options)
    assert lost == ()
    return rules[0]


@pytest.mark.parametrize(
    ("fields", "name", "value"),
    [
        ({}, "src", EVERYTHING),
        ({}, "action", "lookup"),
        ({"table": "254"}, "table", "main"),
        ({"not": None}, "invert", True),
        ({"src": "10.0.0.0", "srclen": 8}, "src", parse_prefix("10.0.0.0/8")),
        ({"src": "fd00::", "srclen": 8}, "src", parse_prefix("fd00::/8")),
        ({"src": "0", "srclen": 8}, "src", parse_prefix("0.0.0.0/8")),
        ({"dst": "10.1.2.3"}, "dst", parse_prefix("10.1.2.3/32")),
        ({"fwmark": "0x80000", "fwmask": "0xff0000"}, "mark", 0x80000),
        ({"fwmark": "0x80000", "fwmask": "0xff0000"}, "mark_mask", 0xFF0000),
        ({"fwmark": "0x5"}, "mark_mask", 0xFFFFFFFF),
        ({"fwmark": 5}, "mark", 5),
        ({"fwmark": "0", "fwmask": "0x10"}, "mark_mask", 0x10),
        ({"iif": "br0", "iif_detached": None}, "iif", "br0"),
        ({"oif": "ve0"}, "oif", "ve0"),
        ({"tos": "0x10"}, "tos", 0x10),
        ({"dsfield": "CS6"}, "tos", 0xC0),
        ({"dscp": "46"}, "tos", 46 << 2),
        ({"dscp": "EF"}, "tos", 46 << 2),
        ({"ipproto": "tcp"}, "ipproto", 6),
        ({"ipproto": "ipproto-200"}, "ipproto", 200),
        ({"ipproto": "ipv6-icmp"}, "ipproto", 58),
        ({"sport": 53}, "sport", (53, 53)),
        ({"sport": "53"}, "sport", (53, 53)),
        ({"dport": "10-20"}, "dport", (10, 20)),
        ({"dport_start": 10, "dport_end": 20}, "dport", (10, 20)),
        ({"uid_start": 5, "uid_end": 9}, "uid", (5, 9)),
        ({"suppress_prefixlen": 0}, "suppress_length", 0),
        ({"suppress_prefixlength": 7}, "suppress_length", 7),
        ({"suppress_prefixlen": -1}, "suppress_length", None),
    ],
)
def test_a_selector(fields, name, value):
    assert getattr(rule(MAIN | fields), name) == value


@pytest.mark.parametrize(
    ("fields", "action"),
    [
        ({"action": "blackhole"}, "blackhole"),
        ({"action": "unreachable"}, "unreachable"),
        ({"action": "prohibit"}, "prohibit"),
        ({"goto": 200, "unresolved": None}, "goto"),
        ({"goto": "none"}, "goto"),
        ({"nop": None}, "nop"),
        ({"l3mdev": None}, "lookup"),
        ({"action": "to_tbl", "table": "main"}, "lookup"),
    ],
)
def test_an_action(fields, action):
    assert rule({"priority": 1, "src": "all"} | fields).action == action


@pytest.mark.parametrize(
    ("fields", "unknown"),
    [
        ({"tun_id": 77}, "tun_id 77"),
        ({"suppress_ifgroup": "5"}, "suppress_ifgroup 5"),
        ({"sport": 53, "sport_mask": "0xff"}, "sport_mask 0xff"),
        ({"flowlabel": "0x5"}, "flowlabel 0x5"),
        ({"action": "masquerade"}, "action masquerade"),
        ({"protocol": "kernel", "flow_from": "3", "flow_to": "4"}, ""),
    ],
)
def test_a_selector_that_the_model_lacks_is_said(fields, unknown):
    assert rule(MAIN | fields).unknown == unknown


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"priority": 0, "src": "all", "table": "local"}, "0: from all lookup local"),
        ({"priority": 100, "src": "10.0.0.0", "srclen": 8, "dst": "10.1.2.3", "tos": "0x10", "fwmark": "0x80000",
          "fwmask": "0xff0000", "iif": "br0", "iif_detached": None, "oif": "ve0", "uid_start": 5, "uid_end": 9,
          "ipproto": "tcp", "sport": 53, "dport_start": 10, "dport_end": 20, "table": "77"},
         ("100: from 10.0.0.0/8 to 10.1.2.3 tos 0x10 fwmark 0x80000/0xff0000 iif br0 [detached] oif ve0 uidrange 5-9"
         " ipproto tcp sport 53 dport 10-20 lookup 77")),
        ({"priority": 101, "not": None, "src": "10.0.0.1", "fwmark": "0x5", "action": "blackhole"},
         "101: not from 10.0.0.1 fwmark 0x5 blackhole"),
        ({"priority": 104, "src": "all", "goto": 200, "unresolved": None}, "104: from all goto 200 [unresolved]"),
        ({"priority": 106, "src": "all", "table": "main", "suppress_prefixlen": 0},
         "106: from all lookup main suppress_prefixlength 0"),
        ({"priority": 108, "src": "all", "l3mdev": None}, "108: from all lookup [l3mdev-table]"),
    ],
)  # fmt: skip
def test_the_text_is_the_line_of_ip_rule(fields, text):
    assert rule(fields).origin.text == text


@pytest.mark.parametrize(
    "fields", [{"src": "all"}, {"priority": 1}, MAIN | {"sport": "ssh"}, MAIN | {"ipproto": "odd"}]
)
def test_a_rule_that_is_not_understood_is_kept_aside(fields):
    assert len(parse_ip_rule(json.dumps([fields]), "f")[1]) == 1
