"""kube-proxy's configuration."""

import json

import pytest

from podpath.parse.kube_proxy_config import parse_kube_proxy_config

KUBEADM = """\
apiVersion: kubeproxy.config.k8s.io/v1alpha1
bindAddress: 0.0.0.0
clusterCIDR: 10.1.0.0/16,fd00::/56
conntrack:
  maxPerCore: null
  min: 131072
  tcpBeLiberal: true
  tcpEstablishedTimeout: 24h0m0s
detectLocal:
  bridgeInterface: ""
  interfaceNamePrefix: cali
detectLocalMode: ""
hostnameOverride: ""
iptables:
  localhostNodePorts: false
  masqueradeAll: true
  masqueradeBit: 15
  syncPeriod: 30s
ipvs:
  excludeCIDRs: ["10.9.0.0/16"]
  strictARP: true
  scheduler: rr
mode: ""
nodePortAddresses: null
"""


def test_a_file_as_kubeadm_writes_it():
    found, lost = parse_kube_proxy_config(KUBEADM, "f")
    assert (found.mode, found.cluster_cidr, found.detect_local_prefix) == (
        "",
        ("10.1.0.0/16", "fd00::/56"),
        "cali",
    )
    assert (found.localhost_node_ports, found.masquerade_all, found.masquerade_bit, found.sync_period) == (
        False,
        True,
        15,
        "30s",
    )
    assert (found.ipvs_strict_arp, found.ipvs_scheduler, found.ipvs_exclude_cidrs) == (
        True,
        "rr",
        ("10.9.0.0/16",),
    )
    assert (found.conntrack_max_per_core, found.conntrack_min, found.conntrack_tcp_be_liberal) == (
        None,
        131072,
        True,
    )
    assert (found.node_port_addresses, lost) == ((), ())


@pytest.mark.parametrize(
    ("mode", "all_", "bit"), [("nftables", True, 9), ("iptables", False, 14), ("ipvs", False, 14)]
)
def test_masquerading_is_of_the_mode_in_use(mode, all_, bit):
    text = json.dumps({"mode": mode, "nftables": {"masqueradeAll": True, "masqueradeBit": 9}})
    found, _ = parse_kube_proxy_config(text, "f")
    assert (found.masquerade_all, found.masquerade_bit) == (all_, bit)


def test_a_list_of_addresses():
    found, _ = parse_kube_proxy_config('{"nodePortAddresses": ["primary"]}', "f")
    assert (found.node_port_addresses, found.origin("nodePortAddresses").text) == (
        ("primary",),
        "nodePortAddresses: primary",
    )
