"""``bridge -d -j link`` and ``hairpin_mode``."""

import json

import pytest

from podpath.parse.bridge_link import parse_bridge_link, parse_hairpin_mode

PORT = {
    "ifindex": 6,
    "link": "eth0",
    "ifname": "veth1",
    "flags": ["UP", "LOWER_UP"],
    "mtu": 1450,
    "master": "cni0",
}


def port(**fields):
    ports, lost = parse_bridge_link(json.dumps([PORT | fields]), "f")
    assert lost == ()
    return ports["veth1"]


@pytest.mark.parametrize(
    ("fields", "name", "value"),
    [
        ({"hairpin": True}, "hairpin", True),
        ({"hairpin": "off"}, "hairpin", False),
        ({}, "hairpin", None),  # without -d
        ({}, "isolated", None),
        ({"hairpin": True}, "isolated", False),  # a kernel that has no isolated ports
        ({"isolated": True}, "isolated", True),
        ({"learning": False}, "learning", False),
        ({"flood": False}, "flood", False),
        ({"neigh_suppress": True}, "neigh_suppress", True),
        ({"state": "blocking"}, "state", "blocking"),
        ({"state": 3}, "state", "forwarding"),
        ({}, "state", "forwarding"),
    ],
)
def test_what_a_port_may_do(fields, name, value):
    assert getattr(port(**fields), name) is value or getattr(port(**fields), name) == value


def test_the_text_says_what_bridge_link_says_of_hairpin():
    text = port(state="forwarding", hairpin=True).origin.text
    assert text == "6: veth1: <UP,LOWER_UP> mtu 1450 master cni0 state forwarding hairpin on"


def test_hairpin_mode_as_grep_prints_it():
    ports, lost = parse_hairpin_mode(
        "/sys/class/net/veth0/brport/hairpin_mode:1\n/sys/class/net/a.b/brport/hairpin_mode:0\n", "f"
    )
    assert ({name: one.hairpin for name, one in ports.items()}, lost) == ({"veth0": True, "a.b": False}, ())
    assert ports["a.b"].origin.line == 2


def test_what_is_no_hairpin_mode_is_kept_aside():
    ports, lost = parse_hairpin_mode("\ngrep: /sys/class/net/*/brport: No such file or directory\n", "f")
    assert (ports, [one.origin.line for one in lost]) == ({}, [2])
