"""What was not understood: all of a small bundle, of a large one what was come across."""

import json

import pytest

from podpath.assemble.network import build_network
from podpath.assemble.reading import is_large
from podpath.model.refs import node_netns

RULES = """*filter
:INPUT ACCEPT [0:0]
-A INPUT -m nosuchmatch --x 1 -j ACCEPT
what is this
COMMIT
"""
FILES = {
    "api/pods.json": json.dumps({"kind": "PodList", "items": []}).encode(),
    "nodes/a/iptables-nft-save": RULES.encode(),
    "nodes/a/sysctl": b"a.b = 1\nno key\n",
    "nodes/a/ss": b"Netid State\nodd line\n",
    "nodes/a/ip-link.json": b"{",
    "nodes/a/uname": b"nothing",
    "nodes/a/kube-proxy.log": b"I1122 02:55:58.1 1 server.go:1] started\n",
    "nodes/b/conntrack": b"tcp what\n",
    "nodes/b/pods/shop.web/ip-route.json": b'[{"dst": "nowhere", "dev": "eth0"}]',
    "nodes/b/pods/shop.web/iptables-save": RULES.encode(),
}


def places(network):
    return sorted((one.origin.file, one.origin.line) for one in network.unrecognized)


ALL = [
    ("nodes/a/ip-link.json", 0),
    ("nodes/a/iptables-nft-save", 3),
    ("nodes/a/iptables-nft-save", 4),
    ("nodes/a/ss", 2),
    ("nodes/a/sysctl", 2),
    ("nodes/a/uname", 1),
    ("nodes/b/conntrack", 1),
    ("nodes/b/pods/shop.web/ip-route.json", 1),
    ("nodes/b/pods/shop.web/iptables-save", 3),
    ("nodes/b/pods/shop.web/iptables-save", 4),
]


def test_of_a_small_bundle_nothing_is_left_out():
    network = build_network("x", FILES)
    assert [place for place in places(network) if place[0].startswith("nodes/")] == ALL
    assert network.unread_files == 0


def test_it_is_counted_once_however_often_it_is_asked_for():
    network = build_network("x", FILES)
    assert len(network.unrecognized) == len(network.unrecognized) == len(tuple(network.unrecognized))
    assert network.unrecognized[:2] == tuple(network.unrecognized)[:2]
    assert network.unrecognized[0] == next(iter(network.unrecognized))


def test_of_a_large_bundle_it_is_what_was_read():
    network = build_network("x", FILES, large=True)
    assert [place for place in places(network) if place[0].startswith("nodes/")] == []
    assert network.unread_files == 9
    host = network.namespaces[node_netns("b")]
    for _ in range(3):
        assert list(host.conntrack or ()) == []
    assert ("nodes/b/conntrack", 1) in places(network)
    assert network.unread_files == 8


@pytest.mark.parametrize(("size", "large"), [(1000, False), (1001, True)])
def test_size_tells_which_it_is(size, large):
    files = {"nodes/a/x": bytes(size // 2), "nodes/b/x": bytes(size - size // 2), "api/pods.json": bytes(999)}
    assert is_large(files, 1000) is large
