"""``bridge -d -j fdb``."""

import json

import pytest

from podpath.model.addr import parse_addr
from podpath.parse.bridge_fdb import parse_bridge_fdb


def entry(**fields):
    (found,), lost = parse_bridge_fdb(json.dumps([{"mac": "02:00:00:00:00:05"} | fields]), "f")
    assert lost == ()
    return found


def test_an_entry_of_a_vxlan_device():
    found = entry(ifname="vx0", dst="10.9.0.6", port=5555, vni=99, flags=["self"], state="permanent")
    assert (found.dst, found.port, found.vni, found.self_) == (parse_addr("10.9.0.6"), 5555, 99, True)
    assert found.origin.text == "02:00:00:00:00:05 dev vx0 dst 10.9.0.6 port 5555 vni 99 self permanent"


def test_a_learned_entry_of_a_bridge():
    found = entry(ifname="veth0", vlan=1, flags=[], master="cni0", state="")
    assert (found.master, found.vlan, found.state, found.self_) == ("cni0", 1, "", False)
    assert found.origin.text == "02:00:00:00:00:05 dev veth0 vlan 1 master cni0"


@pytest.mark.parametrize("fields", [{"ifname": "vx0", "nhid": 7}, {}, {"ifname": "vx0", "dst": "a.host"}])
def test_an_entry_that_is_not_understood_is_kept_aside(fields):
    assert len(parse_bridge_fdb(json.dumps([{"mac": "02:00:00:00:00:05"} | fields]), "f")[1]) == 1
