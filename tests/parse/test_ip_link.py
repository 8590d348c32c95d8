"""``ip -d -j link``."""

import json

import pytest

from podpath.model.addr import parse_addr
from podpath.model.linux.link import Bridge, Vxlan
from podpath.parse.ip_link import parse_ip_link

ETHER = {
    "ifindex": 2,
    "ifname": "eth0",
    "flags": ["BROADCAST", "UP", "LOWER_UP"],
    "mtu": 1500,
    "link_type": "ether",
}


def link(**fields):
    links, lost = parse_ip_link(json.dumps([ETHER | fields]), "f")
    assert lost == ()
    return links[0]


def kind(name, /, **data):
    return link(linkinfo={"info_kind": name, "info_data": data})


@pytest.mark.parametrize(
    ("fields", "name", "value"),
    [
        ({}, "kind", ""),
        ({"link_type": "loopback"}, "kind", "loopback"),
        ({"link_type": "ipip"}, "kind", "ipip"),
        ({"link_type": "none", "linkinfo": {"info_kind": "wireguard"}}, "kind", "wireguard"),
        ({}, "up", True),
        ({"flags": ["BROADCAST"]}, "up", False),
        ({"flags": ["NO-CARRIER", "UP"]}, "carrier", False),
        ({"flags": ["UP", "PROMISC"]}, "promisc", True),
        ({"promiscuity": 1}, "promisc", True),
        ({"promiscuity": 0}, "promisc", False),
        ({"flags": ["UP", "NOARP"]}, "noarp", True),
        ({"link_index": 4, "link_netnsid": 0}, "peer_index", 4),
        ({"link_index": 4, "link_netnsid": 0}, "peer_netnsid", 0),
        ({"link": None}, "lower", ""),
        ({"master": "cni0"}, "master", "cni0"),
        ({"xdp": {"mode": 1, "prog": {"id": 7}}}, "xdp", True),
        ({"xdp": {"mode": 0}}, "xdp", False),
        ({"linkinfo": {"info_kind": "vlan", "info_data": {"protocol": "802.1Q", "id": 100, "flags": []}}},
         "details", "vlan protocol 802.1Q id 100"),
    ],
)  # fmt: skip
def test_a_field_of_the_link(fields, name, value):
    assert getattr(link(**fields), name) == value


@pytest.mark.parametrize(
    ("data", "vxlan"),
    [
        # iproute2 6.1, flannel's two devices
        ({"id": 1, "local": "172.30.0.11", "link": "eth0", "port": 8472, "learning": False},
         Vxlan(1, 8472, parse_addr("172.30.0.11"), dev="eth0", learning=False)),
        ({"id": 1, "local6": "fd00::11", "link": "eth0", "port": 8472, "learning": False},
         Vxlan(1, 8472, parse_addr("fd00::11"), dev="eth0", learning=False)),
        # iproute2 6.5: switches at their default are not printed
        ({"id": 42, "group": "239.1.1.1", "link": "eth0", "port": 4789, "proxy": True},
         Vxlan(42, 4789, remote=parse_addr("239.1.1.1"), dev="eth0", proxy=True)),
        ({"id": 42, "remote6": "fd00::2", "port": 4789}, Vxlan(42, 4789, remote=parse_addr("fd00::2"))),
        ({"external": True, "id": 0, "port": 8472, "learning": False}, Vxlan(0, 8472, learning=False, external=True)),
    ],
)  # fmt: skip
def test_a_vxlan_device(data, vxlan):
    assert kind("vxlan", **data).vxlan == vxlan


def test_an_extension_of_vxlan_is_kept_in_words():
    assert kind("vxlan", id=1, port=4789, gbp=None).details == "gbp"


def test_a_bridge():
    bridge = kind("bridge", vlan_filtering=1, stp_state=0, nf_call_iptables=1, nf_call_ip6tables=0).bridge
    assert bridge == Bridge(vlan_filtering=True, nf_call_iptables=True)


def test_without_details_a_kind_has_no_attributes():
    assert link(linkinfo={"info_kind": "vxlan"}).vxlan is None


def test_a_port_is_known_without_bridge_link():
    port = link(
        linkinfo={"info_slave_kind": "bridge", "info_slave_data": {"hairpin": False, "isolated": True}}
    ).port
    assert (port.hairpin, port.isolated) == (False, True)


def test_a_peer_in_the_same_namespace_is_found_by_its_name():
    links, _ = parse_ip_link(
        json.dumps(
            [ETHER | {"ifname": "a", "link": "b"}, ETHER | {"ifindex": 9, "ifname": "b", "link": "a"}]
        ),
        "f",
    )
    assert [one.peer_index for one in links] == [9, 2]


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "2: eth0: <BROADCAST,UP,LOWER_UP> mtu 1500"),
        ({"link_index": 4, "master": "cni0", "operstate": "UP"},
         "2: eth0@if4: <BROADCAST,UP,LOWER_UP> mtu 1500 master cni0 state UP"),
        ({"link": "ve0", "operstate": "DOWN"}, "2: eth0@ve0: <BROADCAST,UP,LOWER_UP> mtu 1500 state DOWN"),
    ],
)  # fmt: skip
def test_the_text_is_the_line_of_ip_link(fields, text):
    assert link(**fields).origin.text == text


@pytest.mark.parametrize("entry", [{"ifname": "x"}, ETHER | {"mtu": "big"}, ETHER | {"linkinfo": []}])
def test_a_link_that_is_not_understood_is_kept_aside(entry):
    assert parse_ip_link(json.dumps([entry]), "f")[0] == ()
    assert len(parse_ip_link(json.dumps([entry]), "f")[1]) == 1
