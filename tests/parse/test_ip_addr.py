"""``ip -j addr``."""

import json

import pytest

from podpath.model.addr import parse_addr
from podpath.parse.ip_addr import parse_ip_addr

V4 = {"family": "inet", "local": "10.9.0.1", "prefixlen": 24, "scope": "global", "label": "br0"}
V6 = {"family": "inet6", "local": "fd00::1", "prefixlen": 64, "scope": "global"}


def parse(*entries):
    return parse_ip_addr(json.dumps([{"ifindex": 3, "ifname": "br0", "addr_info": entries}]), "f")


def addr(fields):
    found, lost = parse(fields)
    assert lost == ()
    return found[0]


def test_an_address():
    found = addr(V4 | {"broadcast": "10.9.0.255"})
    assert (found.dev, found.addr, found.length, found.scope) == ("br0", parse_addr("10.9.0.1"), 24, "global")
    assert found.origin.text == "3: br0 inet 10.9.0.1/24 brd 10.9.0.255 scope global br0"


@pytest.mark.parametrize(
    ("fields", "name", "value"),
    [
        (V4 | {"secondary": True}, "secondary", True),
        (V6 | {"temporary": True}, "secondary", True),
        (V6 | {"tentative": True}, "tentative", True),
        (V6 | {"dadfailed": True}, "tentative", True),
        (V6 | {"deprecated": True}, "deprecated", True),
        (V4 | {"address": "10.9.0.2", "prefixlen": 32}, "peer", parse_addr("10.9.0.2")),
        (V6, "length", 64),
    ],
)
def test_a_trait_of_an_address(fields, name, value):
    assert getattr(addr(fields), name) == value


def test_a_device_without_addresses_says_nothing():
    assert parse_ip_addr(
        '[{"ifname":"a","addr_info":[]},{"ifname":"b"},{},{"ifname":"c","addr_info":[{}]}]', "f"
    ) == ((), ())


def test_each_address_has_its_own_line():
    text = '[{\n"ifname":"a",\n"addr_info":[{\n"family":"inet","local":"10.0.0.1","prefixlen":8},{\n"family":"inet","local":"10.0.0.2","prefixlen":8}]}]'
    assert [one.origin.line for one in parse_ip_addr(text, "f")[0]] == [3, 4]


@pytest.mark.parametrize(
    "fields",
    [
        V4 | {"family": "mpls"},
        V4 | {"family": "inet6"},
        V4 | {"prefixlen": 33},
        V4 | {"local": "x"},
        {"family": "inet"},
    ],
)
def test_an_address_that_is_not_understood_is_kept_aside(fields):
    found, lost = parse(V6, fields)
    assert (len(found), len(lost)) == (1, 1)
