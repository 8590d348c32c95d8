"""``ip -d -j route show table all``."""

import json

import pytest

from podpath.model.addr import EVERYTHING, format_prefix, parse_addr, parse_prefix
from podpath.model.linux.route import NextHop
from podpath.parse.ip_route import parse_ip_route

VIA = {"dst": "10.1.0.0/16", "gateway": "10.9.0.2", "dev": "br0"}


def route(fields, **options):
    routes, lost = parse_ip_route(json.dumps([fields]), "f", **options)
    assert lost == ()
    return routes[0]


def test_a_route():
    found = route(VIA | {"type": "unicast", "table": "100", "protocol": "bird", "scope": "link", "prefsrc": "10.9.0.1",
                         "metric": 32, "flags": ["onlink"], "metrics": [{"mtu": 1400, "advmss": 1000}], "tos": "0x10"})  # fmt: skip
    assert (found.dst, found.table, found.type) == (parse_prefix("10.1.0.0/16"), "100", "unicast")
    assert found.nexthops == (NextHop("br0", parse_addr("10.9.0.2"), onlink=True),)
    assert (found.prefsrc, found.metric, found.mtu, found.tos) == (parse_addr("10.9.0.1"), 32, 1400, 16)
    assert (found.protocol, found.scope, found.unknown) == ("bird", "link", "")


def test_what_is_not_printed_has_iproute2s_default():
    found = route({"dst": "10.1.0.0/16", "dev": "br0"})
    assert (found.table, found.type, found.scope, found.metric) == ("main", "unicast", "global", 0)


@pytest.mark.parametrize(
    ("fields", "family", "dst"),
    [
        ({"dst": "default", "gateway": "10.0.0.1", "dev": "e"}, "ip6", "0.0.0.0/0"),
        ({"dst": "default", "gateway": "fe80::1", "dev": "e"}, "ip", "::/0"),
        ({"dst": "default", "dev": "e", "prefsrc": "10.0.0.1"}, "", "0.0.0.0/0"),
        ({"dst": "default", "dev": "e", "pref": "medium", "metric": 1024}, "", "::/0"),
        ({"dst": "default", "dev": "e"}, "", "0.0.0.0/0"),
        ({"dst": "default", "dev": "e"}, "ip6", "::/0"),
        ({"type": "unreachable", "dst": "default"}, "", "0.0.0.0/0"),
        ({"type": "unreachable", "dst": "default", "dev": "lo", "metric": 4294967295, "error": -101, "pref": "medium"}, "", "::/0"),
        ({"dst": "default", "via": {"family": "inet6", "host": "fe80::1"}, "dev": "e"}, "", "0.0.0.0/0"),
        ({"dst": "default", "nexthops": [{"gateway": "fe80::1", "dev": "e", "weight": 1, "flags": []}]}, "", "::/0"),
        ({"dst": "default", "nexthops": [{"via": {"family": "inet6", "host": "fe80::1"}, "dev": "e"}]}, "", "0.0.0.0/0"),
        ({"dst": "0/8 ", "dev": "e"}, "", "0.0.0.0/8"),
        ({"dst": "10.0.0.1", "dev": "e"}, "ip6", "10.0.0.1/32"),
        ({"dst": "fe80::/64", "dev": "e"}, "ip", "fe80::/64"),
    ],
)  # fmt: skip
def test_the_family_of_a_destination(fields, family, dst):
    assert format_prefix(route(fields, family=family).dst) == dst


def test_the_ipv6_default_is_everything_of_ipv6():
    assert route({"dst": "default", "gateway": "fe80::1", "dev": "e"}).dst == EVERYTHING


@pytest.mark.parametrize(
    ("fields", "ways"),
    [
        ({"type": "blackhole", "dst": "10.0.0.0/8", "flags": []}, ()),
        ({"dst": "10.5.0.0/16", "via": {"family": "inet6", "host": "fd00::2"}, "dev": "e"},
         (NextHop("e", parse_addr("fd00::2")),)),
        ({"dst": "10.4.0.0/16", "nexthops": [{"gateway": "10.9.0.2", "dev": "a", "weight": 2, "flags": []},
                                             {"dev": "b", "weight": 1, "flags": ["dead", "linkdown"]}]},
         (NextHop("a", parse_addr("10.9.0.2"), 2), NextHop("b", dead=True, linkdown=True))),
    ],
)  # fmt: skip
def test_the_ways_of_a_route(fields, ways):
    assert route(fields).nexthops == ways


OBJECTS = {1: (NextHop("a"),), 3: (NextHop("a"), NextHop("b", weight=5)), 4: ()}


@pytest.mark.parametrize(
    ("nhid", "ways", "kind", "unknown"),
    [(3, OBJECTS[3], "unicast", ""), (4, (), "blackhole", ""), (5, (), "unicast", "nhid 5")],
)
def test_a_next_hop_object_is_resolved(nhid, ways, kind, unknown):
    found = route({"dst": "10.0.0.0/8", "nhid": nhid}, nexthops=OBJECTS)
    assert (found.nexthops, found.type, found.unknown) == (ways, kind, unknown)


def test_what_the_kernel_prints_beside_nhid_counts():
    assert route(VIA | {"nhid": 3}, nexthops=OBJECTS).gateway == parse_addr("10.9.0.2")


@pytest.mark.parametrize(
    ("fields", "unknown"),
    [
        ({"encap": "mpls", "dst": "100"}, "encap mpls"),
        ({"from": "fd07::/64"}, "from fd07::/64"),
        ({"type": "xresolve"}, "type xresolve"),
        ({"type": "multicast", "iif": "eth0"}, "iif eth0"),
        ({"ttl-propogate": True, "uid": 0, "expires": 30, "future": [1]}, ""),
    ],
)
def test_what_changes_the_path_and_is_not_modelled_is_said(fields, unknown):
    text = json.dumps([VIA]).replace("}", ", " + json.dumps(fields)[1:])
    found = parse_ip_route(text, "f")[0][0]
    assert (found.unknown, found.dst) == (unknown, parse_prefix("10.1.0.0/16"))


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        (VIA | {"type": "unicast", "table": "main", "protocol": "boot", "scope": "global", "flags": ["onlink"]},
         "10.1.0.0/16 via 10.9.0.2 dev br0 onlink"),
        ({"type": "blackhole", "dst": "10.1.0.0/16"}, "blackhole 10.1.0.0/16"),
        ({"type": "local", "dst": "10.9.0.1", "dev": "br0", "table": "local", "protocol": "kernel", "scope": "host",
          "prefsrc": "10.9.0.1", "flags": []}, "local 10.9.0.1 dev br0 table local proto kernel scope host src 10.9.0.1"),
        ({"dst": "fd00::/64", "dev": "e", "protocol": "kernel", "metric": 256, "flags": ["linkdown"], "pref": "medium"},
         "fd00::/64 dev e proto kernel metric 256 linkdown pref medium"),
        ({"dst": "10.4.0.0/16", "metrics": [{"mtu": 1400}], "nexthops": [
            {"gateway": "10.9.0.2", "dev": "a", "weight": 2, "flags": []}, {"dev": "b", "weight": 1, "flags": ["onlink"]}]},
         "10.4.0.0/16 mtu 1400 nexthop via 10.9.0.2 dev a weight 2 nexthop dev b weight 1 onlink"),
        ({"dst": "10.5.0.0/16", "nhid": 9, "via": {"family": "inet6", "host": "fd00::2"}, "dev": "e"},
         "10.5.0.0/16 nhid 9 via inet6 fd00::2 dev e"),
    ],
)  # fmt: skip
def test_the_text_is_the_line_of_ip_route(fields, text):
    assert route(fields).origin.text == text


@pytest.mark.parametrize(
    "fields", [{"dev": "e"}, {"dst": "here"}, VIA | {"tos": "odd"}, VIA | {"nexthops": [1]}]
)
def test_a_route_that_is_not_understood_is_kept_aside(fields):
    routes, lost = parse_ip_route(json.dumps([VIA, fields]), "f")
    assert (len(routes), len(lost)) == (1, 1)
