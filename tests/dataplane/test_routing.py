"""Routes: rules by priority, the longest prefix, metrics, next hops that are gone (ip-route(8), ip-rule(8))."""

from __future__ import annotations

import pytest

from podpath.dataplane.routing import FibKey, address_type, fib_of, select_address
from podpath.model.addr import EVERYTHING, format_addr, parse_addr, parse_prefix
from podpath.model.linux.link import InterfaceAddress, Link
from podpath.model.linux.route import NextHop, Route, RoutingRule
from podpath.model.linux.sysctl import Sysctls
from podpath.model.network import Netns
from podpath.model.refs import node_netns


def route(dst: str, dev: str = "a", **more) -> Route:
    gateway = more.pop("via", None)
    hop = NextHop(dev, parse_addr(gateway) if gateway else None, **more.pop("hop", {}))
    return Route(parse_prefix(dst), nexthops=(hop,), **more)


def space(*routes: Route, rules=None, down=(), addresses=(), sysctls=None) -> Netns:
    links = {
        name: Link(name, at, "", 1500, up=name not in down) for at, name in enumerate(("lo", "a", "b"), 1)
    }
    return Netns(
        node_netns("n"),
        "n",
        "nodes/n",
        links=links,
        routes=routes,
        rules=rules,
        addresses=tuple(addresses),
        sysctls=sysctls,
    )


def looked_up(netns: Netns, dst: str, **key) -> str:
    result = fib_of(netns, v4=True).lookup(FibKey(parse_addr(dst), **key))
    return result.hops[0].dev if result.hops else result.type


MARK = RoutingRule(100, table="9", mark=0x10, mark_mask=0xFF)
MAIN = RoutingRule(32766)


@pytest.mark.parametrize(
    ("netns", "key", "expected"),
    [
        (space(), {}, "none"),
        (space(route("0.0.0.0/0")), {}, "a"),
        (space(route("0.0.0.0/0"), route("10.1.0.0/16", "b")), {}, "b"),
        (space(route("10.1.0.0/16", metric=200), route("10.1.0.0/16", "b", metric=100)), {}, "b"),
        (space(route("10.1.0.0/16"), route("0.0.0.0/0", "b"), down=("a",)), {}, "b"),
        (space(route("10.1.0.0/16", hop={"dead": True}), route("0.0.0.0/0", "b")), {}, "b"),
        (space(route("10.1.0.0/16", hop={"linkdown": True}), route("0.0.0.0/0", "b")), {}, "a"),
        (
            space(
                route("10.1.0.0/16", hop={"linkdown": True}),
                route("0.0.0.0/0", "b"),
                sysctls=Sysctls("s", {"net.ipv4.conf.all.ignore_routes_with_linkdown": "1"}),
            ),
            {},
            "b",
        ),
        (space(route("10.1.0.0/16", type="blackhole"), route("0.0.0.0/0", "b")), {}, "blackhole"),
        (
            space(
                route("10.1.0.0/16", type="throw", table="9"),
                route("0.0.0.0/0", "b"),
                rules=(RoutingRule(5, table="9"), MAIN),
            ),
            {},
            "b",
        ),
        (
            space(route("0.0.0.0/0", table="9"), route("0.0.0.0/0", "b"), rules=(MARK, MAIN)),
            {"mark": 0x110},
            "a",
        ),
        (
            space(route("0.0.0.0/0", table="9"), route("0.0.0.0/0", "b"), rules=(MARK, MAIN)),
            {"mark": 0x11},
            "b",
        ),
        (
            space(
                route("0.0.0.0/0"),
                rules=(RoutingRule(5, action="unreachable", src=parse_prefix("10.9.0.0/16")), MAIN),
            ),
            {"src": parse_addr("10.9.1.1")},
            "unreachable",
        ),
        (
            space(
                route("0.0.0.0/0"),
                rules=(
                    RoutingRule(5, action="unreachable", src=parse_prefix("10.9.0.0/16"), invert=True),
                    MAIN,
                ),
            ),
            {"src": parse_addr("10.9.1.1")},
            "a",
        ),
        (
            space(route("0.0.0.0/0"), rules=(RoutingRule(5, action="blackhole", iif="b"), MAIN)),
            {"iif": "b"},
            "blackhole",
        ),
        (
            space(
                route("0.0.0.0/0", table="9"),
                route("0.0.0.0/0", "b"),
                rules=(RoutingRule(5, table="9", suppress_length=0), MAIN),
            ),
            {},
            "b",
        ),
        (
            space(
                route("0.0.0.0/0"),
                rules=(RoutingRule(5, action="goto", goto=32766), RoutingRule(6, action="blackhole"), MAIN),
            ),
            {},
            "a",
        ),
        (
            space(
                route("0.0.0.0/0"), rules=(RoutingRule(5, action="prohibit", ipproto=6, dport=(80, 90)), MAIN)
            ),
            {"protocol": 6, "dport": 85},
            "prohibit",
        ),
        (space(route("0.0.0.0/0"), rules=(RoutingRule(5, unknown="tun_id 7"), MAIN)), {}, "unknown"),
    ],
)
def test_a_look_up_takes_the_route_that_the_kernel_takes(netns, key, expected):
    assert looked_up(netns, "10.1.2.3", **key) == expected


def test_the_default_route_of_ipv6_is_none_of_ipv4():
    netns = Netns(
        node_netns("n"),
        "n",
        "nodes/n",
        routes=(),
        routes6=(Route(EVERYTHING, nexthops=(NextHop("a"),)),),
        links={"a": Link("a", 1, "", 1500, up=True)},
    )
    assert looked_up(netns, "10.1.2.3") == "none"


def address(text: str, dev: str = "a", **more) -> InterfaceAddress:
    base, _, length = text.partition("/")
    return InterfaceAddress(dev, parse_addr(base), int(length), **more)


@pytest.mark.parametrize(
    ("addr", "expected"),
    [
        ("10.0.0.1", "LOCAL"),
        ("10.0.0.255", "BROADCAST"),
        ("10.0.0.0", "UNICAST"),
        ("10.0.0.7", "UNICAST"),
        ("127.1.2.3", "LOCAL"),
        ("224.0.0.5", "MULTICAST"),
        ("255.255.255.255", "BROADCAST"),
        ("0.1.2.3", "BROADCAST"),
    ],
)
def test_the_type_of_an_address_comes_from_the_local_table_alone(addr, expected):
    netns = space(
        route("0.0.0.0/0", type="blackhole"),
        addresses=[address("10.0.0.1/24"), address("127.0.0.1/8", "lo", scope="host")],
    )
    assert address_type(netns, parse_addr(addr)) == expected


@pytest.mark.parametrize(
    ("addresses", "towards", "expected"),
    [
        ([address("10.0.0.1/24"), address("10.7.0.1/24")], "10.7.0.9", "10.7.0.1"),
        ([address("10.0.0.1/24"), address("10.7.0.1/24")], "192.0.2.1", "10.0.0.1"),
        ([address("10.0.0.1/24"), address("10.0.0.2/24", secondary=True)], "10.0.0.9", "10.0.0.1"),
        ([address("169.254.0.1/16", scope="link"), address("10.0.0.1/24", "b")], "192.0.2.1", "10.0.0.1"),
        ([], "192.0.2.1", None),
    ],
)
def test_masquerade_takes_the_address_nearest_to_the_next_hop(addresses, towards, expected):
    found = select_address(space(addresses=addresses), "a", parse_addr(towards))
    assert (format_addr(found.addr) if found else None) == expected
