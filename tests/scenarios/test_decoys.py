"""Changes that look guilty and break nothing: no error is told, and nothing is undecided."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from podpath.assemble.network import build_network
from podpath.diagnosis.run import diagnose
from podpath.model.finding import Severity
from tests.scenarios.bundles import (
    HOSTGW,
    VXLAN,
    Files,
    bundle,
    change_entries,
    edit_json,
    replace,
    rule,
    sysctl,
)

Change = Callable[[Files], None]


def added(path: str, *entries: dict) -> Change:
    return lambda files: edit_json(files, path, lambda known: [*known, *entries])


def policy_drop_beside_accepts(files: Files) -> None:
    replace(
        files,
        "nodes/n2/iptables-nft-save",
        "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT",
        "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD DROP",
    )


def strict_rp_filter(files: Files) -> None:
    for node in ("n1", "n2", "n3"):
        sysctl(files, node, "net.ipv4.conf.all.rp_filter", "1")


def legacy_accepts(files: Files) -> None:
    files["nodes/n2/iptables-legacy-save"] = (
        b"*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n"
    )


def docker_chains(files: Files) -> None:
    path = "nodes/n2/iptables-nft-save"
    replace(
        files,
        path,
        ":KUBE-FORWARD - [0:0]\n",
        ":KUBE-FORWARD - [0:0]\n:DOCKER - [0:0]\n:DOCKER-USER - [0:0]\n:DOCKER-ISOLATION-STAGE-1 - [0:0]\n",
        count=1,
    )
    rule(files, "n2", "filter", "-A FORWARD -o docker0 -j DOCKER")
    rule(files, "n2", "filter", "-A DOCKER ! -i docker0 -o docker0 -j DROP")
    rule(files, "n2", "filter", "-A FORWARD -j DOCKER-USER")


def promiscuous(files: Files) -> None:
    change_entries(
        files,
        "nodes/n1/ip-link.json",
        lambda e: e["ifname"] == "cni0",
        lambda e: e["flags"].append("PROMISC"),
    )


def stale_conntrack(files: Files) -> None:
    files["nodes/n1/conntrack"] += (
        b"ipv4     2 udp      17 20 src=10.244.0.99 dst=10.96.0.10 sport=5353 dport=53 [UNREPLIED] "
        b"src=10.244.9.9 dst=10.244.0.99 sport=53 dport=5353 mark=0 use=1\n"
    )


def native_table_that_hits_nothing(files: Files) -> None:
    def add(content: dict) -> None:
        table = {"family": "inet", "name": "audit"}
        match = {
            "match": {
                "op": "==",
                "left": {"payload": {"protocol": "ip", "field": "saddr"}},
                "right": "192.0.2.66",
            }
        }
        content["nftables"] += [
            {"table": {**table, "handle": 900}},
            {
                "chain": {
                    "family": "inet",
                    "table": "audit",
                    "name": "look",
                    "handle": 1,
                    "type": "filter",
                    "hook": "forward",
                    "prio": 10,
                    "policy": "accept",
                }
            },
            {
                "rule": {
                    "family": "inet",
                    "table": "audit",
                    "chain": "look",
                    "handle": 2,
                    "expr": [match, {"drop": None}],
                }
            },
        ]

    edit_json(files, "nodes/n3/nft-list-ruleset.json", add)


def uncalled_chain(files: Files) -> None:
    before = ":KUBE-FORWARD - [0:0]\n"
    replace(files, "nodes/n2/iptables-nft-save", before, f"{before}:OLD - [0:0]\n", count=1)
    rule(files, "n2", "filter", "-A OLD -j DROP")


DECOYS: dict[str, tuple[str, Change]] = {
    "a DROP for an address that nobody has": (
        VXLAN,
        lambda f: rule(f, "n2", "filter", "-A FORWARD -s 192.0.2.0/24 -j DROP"),
    ),
    "a DROP for a port that nobody uses": (
        VXLAN,
        lambda f: rule(f, "n2", "filter", "-A INPUT -p tcp -m tcp --dport 23 -j DROP"),
    ),
    "a DROP in a chain that nobody calls": (VXLAN, uncalled_chain),
    "a DROP behind the accepts": (
        VXLAN,
        lambda f: rule(f, "n2", "filter", "-A FORWARD -j DROP", first=False),
    ),
    "FORWARD's policy is DROP beside complete accepts": (VXLAN, policy_drop_beside_accepts),
    "strict rp_filter on symmetric routes": (VXLAN, strict_rp_filter),
    "strict rp_filter on symmetric routes (host-gw)": (HOSTGW, strict_rp_filter),
    "the legacy back end has tables that accept": (VXLAN, legacy_accepts),
    "Docker's chains are there": (VXLAN, docker_chains),
    "a bridge is promiscuous": (VXLAN, promiscuous),
    "conntrack holds an entry of a dead flow": (VXLAN, stale_conntrack),
    "a native table drops a stranger": (HOSTGW, native_table_that_hits_nothing),
    "a route to another network": (
        VXLAN,
        added(
            "nodes/n1/ip-route.json",
            {
                "type": "unicast",
                "dst": "192.0.2.0/24",
                "gateway": "172.30.0.77",
                "dev": "eth0",
                "table": "main",
                "protocol": "static",
                "scope": "global",
                "flags": [],
            },
        ),
    ),
    "a blackhole for another network": (
        VXLAN,
        added(
            "nodes/n1/ip-route.json",
            {
                "type": "blackhole",
                "dst": "192.0.2.0/24",
                "table": "main",
                "protocol": "static",
                "scope": "global",
                "flags": [],
            },
        ),
    ),
    "a neighbour that failed": (
        VXLAN,
        added("nodes/n1/ip-neigh.json", {"dst": "172.30.0.200", "dev": "eth0", "state": ["FAILED"]}),
    ),
    "a routing rule for a stranger": (
        VXLAN,
        added("nodes/n1/ip-rule.json", {"priority": 100, "src": "192.0.2.7", "action": "blackhole"}),
    ),
    "a rule that only logs, with a match we do not know": (
        VXLAN,
        lambda f: rule(f, "n2", "filter", '-A FORWARD -m string --string "GET" --algo bm --to 65535 -j LOG'),
    ),
    "a rule that accepts, with a match we do not know": (
        VXLAN,
        lambda f: rule(
            f, "n2", "filter", '-A FORWARD -m string --string "GET" --algo bm --to 65535 -j ACCEPT'
        ),
    ),
    "other sockets wait beside": (
        VXLAN,
        lambda f: f.update(
            {"nodes/n1/ss": f["nodes/n1/ss"] + b"tcp LISTEN 0 128 127.0.0.1:8000 0.0.0.0:*\n"}
        ),
    ),
    "conntrack is half full": (
        VXLAN,
        lambda f: f.update(
            {
                "nodes/n1/sysctl": f["nodes/n1/sysctl"]
                + b"net.netfilter.nf_conntrack_count = 100000\nnet.netfilter.nf_conntrack_max = 262144\n"
            }
        ),
    ),
}


@pytest.mark.parametrize("name", DECOYS)
def test_what_breaks_nothing_is_no_error(name: str) -> None:
    base, change = DECOYS[name]
    files = bundle(base)
    change(files)
    diagnosis = diagnose(build_network("decoy", files))
    assert [f"{f.code}: {f.message}" for f in diagnosis.at_least(Severity.ERROR)] == []
    assert diagnosis.broken == 0
    assert diagnosis.undecided == ()
    assert diagnosis.crashed == ()
