"""CNI network configurations."""

import json

import pytest

from podpath.model.addr import parse_prefix
from podpath.model.linux.cni import CniConfig, config_in_use
from podpath.parse.cni_conf import parse_cni_conf
from podpath.parse.errors import ParseError

BRIDGE = {"type": "bridge", "bridge": "cni0", "isDefaultGateway": True, "ipMasq": False, "hairpinMode": True, "mtu": 1450,
          "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.1.0.0/24"}], [{"subnet": "fd00::/64"}]]}}  # fmt: skip
PORTMAP = {"type": "portmap", "capabilities": {"portMappings": True, "bandwidth": False}}


def config(fields):
    found, lost = parse_cni_conf(json.dumps(fields), "nodes/a/cni-net.d/10-x.conflist")
    assert lost == ()
    return found


def test_a_list():
    found = config({"cniVersion": "1.0.0", "name": "cbr0", "plugins": [BRIDGE, PORTMAP]})
    assert (found.name, found.cni_version, [one.type for one in found.plugins]) == (
        "cbr0",
        "1.0.0",
        ["bridge", "portmap"],
    )
    assert found.plugins[1].capabilities == ("portMappings",)


def test_a_single_plugin():
    main = config({"name": "n", "cniVersion": "0.3.1", **BRIDGE}).main
    assert (main.bridge, main.hairpin_mode, main.promisc, main.ip_masq, main.mtu) == (
        "cni0",
        True,
        None,
        False,
        1450,
    )
    assert (main.is_gateway, main.ipam) == (True, "host-local")
    assert main.ranges == (parse_prefix("10.1.0.0/24"), parse_prefix("fd00::/64"))


def test_what_flannel_passes_on_is_its_own():
    main = config(
        {
            "name": "cbr0",
            "plugins": [{"type": "flannel", "delegate": {"hairpinMode": True, "isDefaultGateway": True}}],
        }
    ).main
    assert (main.type, main.hairpin_mode, main.is_gateway) == ("flannel", True, True)


def test_the_plain_subnet_of_host_local():
    assert config(BRIDGE | {"ipam": {"subnet": "10.1.0.0/24"}}).main.ranges == (parse_prefix("10.1.0.0/24"),)


@pytest.mark.parametrize("plugins", [[{}], [{"type": "bridge", "mtu": "x"}], {}, [7]])
def test_a_plugin_that_is_not_understood_is_kept_aside(plugins):
    assert len(parse_cni_conf(json.dumps({"name": "n", "plugins": plugins}), "f")[1]) == 1


def test_what_is_no_json_is_an_error():
    with pytest.raises(ParseError, match=r"^f:1:2"):
        parse_cni_conf("{,}", "f")


def test_the_first_file_with_a_plugin_is_used():
    bridge = config(BRIDGE).plugins
    files = {"20-b.conflist": bridge, "10-a.conf": (), "15-c.conf": bridge, "05-x.conf.bak": bridge}
    used = config_in_use(
        CniConfig(f"nodes/n/cni-net.d/{name}", "n", plugins=plugins) for name, plugins in files.items()
    )
    assert used is not None
    assert used.file == "nodes/n/cni-net.d/15-c.conf"
