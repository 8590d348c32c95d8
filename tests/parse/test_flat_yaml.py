"""The part of YAML that agents are configured in."""

import pytest

from podpath.parse.flat_yaml import parse_flat_yaml

KUBELET = """\
---
# written by kubeadm
apiVersion: kubelet.config.k8s.io/v1beta1
authentication:
  anonymous:
    enabled: false
  x509:
    clientCAFile: "/etc/ca.crt"   # quoted
clusterDNS:
- 10.96.0.10
- fd00::a
featureGates: {}
podCIDR: null
tlsCipherSuites: [A, "B"]
resolvConf: ''
address: 0.0.0.0
script: |
  a: b
  - c
maxPods: 110
"""


def values(text):
    return {path: one.values for path, one in parse_flat_yaml(text, "f")[0].items()}


def test_a_file_as_kubeadm_writes_it():
    assert values(KUBELET) == {
        "apiVersion": ("kubelet.config.k8s.io/v1beta1",),
        "authentication.anonymous.enabled": ("false",),
        "authentication.x509.clientCAFile": ("/etc/ca.crt",),
        "clusterDNS": ("10.96.0.10", "fd00::a"),
        "tlsCipherSuites": ("A", "B"),
        "address": ("0.0.0.0",),
        "script": ("a: b", "- c"),
        "maxPods": ("110",),
    }
    assert parse_flat_yaml(KUBELET, "f")[1] == ()


def test_a_setting_knows_its_line():
    found = parse_flat_yaml(KUBELET, "f")[0]
    assert (
        found["authentication.anonymous.enabled"].line,
        found["clusterDNS"].line,
        found["maxPods"].line,
    ) == (6, 10, 20)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a:\n  b:\n    c: 1\n  d: 2\ne: 3", {"a.b.c": ("1",), "a.d": ("2",), "e": ("3",)}),
        ("a:\n    - x\n    - 'y z'\nb: 1", {"a": ("x", "y z"), "b": ("1",)}),
        ("a: b # c", {"a": ("b",)}),
        ("a: b#c", {"a": ("b#c",)}),
        ('"a": "b: c"', {"a": ("b: c",)}),
        ("a: 10.0.0.1:80", {"a": ("10.0.0.1:80",)}),
        ("a: ~\nb: []\nc:\nd: 1", {"d": ("1",)}),
    ],
)
def test_values(text, found):
    assert values(text) == found
    assert parse_flat_yaml(text, "f")[1] == ()


@pytest.mark.parametrize(
    "text", ["a: {b: c}", "- a", "a:\n- b: c", "a: &x 1", "a: [b", "hello", 'a: "b', "a: [{b: c}]"]
)
def test_other_yaml_is_kept_aside(text):
    found, lost = parse_flat_yaml(text, "f")
    assert (found, len(lost)) == ({}, 1)
