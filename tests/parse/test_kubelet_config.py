"""The kubelet's configuration, as a file and as ``/configz`` answers."""

import json

import pytest

from podpath.parse.errors import ParseError
from podpath.parse.kubelet_config import parse_kubelet_config

FIELDS = {"clusterDNS": ["10.96.0.10"], "clusterDomain": "cluster.local", "resolvConf": "/run/resolv.conf", "readOnlyPort": 10255,
          "hairpinMode": "hairpin-veth", "maxPods": 250, "podCIDR": "10.1.0.0/24", "address": "10.0.0.1",
          "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}}, "authorization": {"mode": "AlwaysAllow"}}  # fmt: skip
YAML = """\
clusterDNS:
- 10.96.0.10
clusterDomain: cluster.local
resolvConf: /run/resolv.conf
readOnlyPort: 10255
hairpinMode: hairpin-veth
maxPods: 250
podCIDR: 10.1.0.0/24
address: 10.0.0.1
authentication:
  anonymous:
    enabled: true
  webhook:
    enabled: false
authorization:
  mode: AlwaysAllow
"""


@pytest.mark.parametrize("text", [json.dumps(FIELDS), json.dumps({"kubeletconfig": FIELDS}, indent=1), YAML])
def test_the_settings(text):
    found, lost = parse_kubelet_config(text, "f")
    assert (found.cluster_dns, found.cluster_domain, found.resolv_conf) == (
        ("10.96.0.10",),
        "cluster.local",
        "/run/resolv.conf",
    )
    assert (found.hairpin_mode, found.max_pods, found.pod_cidr, found.address) == (
        "hairpin-veth",
        250,
        "10.1.0.0/24",
        "10.0.0.1",
    )
    assert (found.anonymous_auth, found.webhook_auth, found.authorization_mode) == (
        True,
        False,
        "AlwaysAllow",
    )
    assert (found.port, found.read_only_port, lost) == (10250, 10255, ())


@pytest.mark.parametrize("text", ["", "{}"])
def test_nothing_said_means_the_defaults_of_the_api(text):
    found, _ = parse_kubelet_config(text, "f")
    assert (found.cluster_dns, found.port, found.read_only_port, found.resolv_conf) == (
        (),
        10250,
        0,
        "/etc/resolv.conf",
    )


def test_a_setting_knows_its_line():
    text = json.dumps(FIELDS, indent=1)
    origin = parse_kubelet_config(text, "f")[0].origin("authentication.webhook.enabled")
    assert '"enabled": false' in text.splitlines()[origin.line - 1]
    assert origin.text == "authentication.webhook.enabled: false"


@pytest.mark.parametrize(
    "fields",
    [{"maxPods": "many"}, {"clusterDomain": ["a", "b"]}, {"authentication": {"anonymous": {"enabled": 7}}}],
)
def test_a_setting_of_another_type_is_kept_aside(fields):
    assert len(parse_kubelet_config(json.dumps(fields), "f")[1]) == 1


def test_half_a_json_is_an_error():
    with pytest.raises(ParseError, match=r"^f:1:"):
        parse_kubelet_config('{"clusterDNS": [', "f")
