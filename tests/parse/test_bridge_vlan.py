"""``bridge -j vlan``."""

import pytest

from podpath.parse.bridge_vlan import parse_bridge_vlan

NOW = '[{"ifname":"ve2","vlans":[{"vlan":1},{"vlan":10,"vlanEnd":12},{"vlan":20,"flags":["PVID","Egress Untagged"]}]}]'
BEFORE_5_0 = '{"ve2":[{"vlan":1},{"vlan":10,"vlanEnd":12},{"vlan":20,"flags":["PVID","Egress Untagged"]}]}'


@pytest.mark.parametrize("text", [NOW, BEFORE_5_0])
def test_the_vlans_of_a_port(text):
    assert parse_bridge_vlan(text, "f") == ({"ve2": ((1, 10, 11, 12, 20), 20)}, ())


def test_a_port_without_pvid_drops_untagged_frames():
    assert parse_bridge_vlan('[{"ifname":"a","vlans":[{"vlan":1}]}]', "f")[0]["a"].pvid == 0


@pytest.mark.parametrize(
    "vlans", ['[{"vlan":9,"vlanEnd":1}]', '[{"vlan":1,"vlanEnd":99999999}]', "[{}, 1]", '[{"flags":[]}]']
)
def test_vlans_that_are_not_understood_are_kept_aside(vlans):
    assert len(parse_bridge_vlan(f'[{{"ifname":"a","vlans":{vlans}}}]', "f")[1]) == 1
