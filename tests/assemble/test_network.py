"""A bundle becomes a network whose parts are read when they are asked for."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import pytest

from bench.bundles import MadeBundle
from podpath.assemble.namespace import LazyNetns
from podpath.assemble.network import build_network
from podpath.bundle import open_bundle
from podpath.cli.load import Files
from podpath.dataplane.tracer import trace_flow
from podpath.model.addr import parse_addr
from podpath.model.edit import SetSysctl, apply_edit
from podpath.model.flow import PROTOCOL_NUMBERS, Flow
from podpath.model.network import Netns
from podpath.model.refs import NetnsId, node_netns, pod_netns


class Read(Mapping[str, bytes]):
    """Files, and how often each was read."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = dict(files)
        self.read: Counter[str] = Counter()

    def __getitem__(self, path):
        content = self.files[path]
        self.read[path] += 1
        return content

    def __contains__(self, path):
        return path in self.files

    def __iter__(self):
        return iter(self.files)

    def __len__(self):
        return len(self.files)


@pytest.fixture
def made():
    """Two nodes with thirty Pods each."""
    return Read(MadeBundle(2, 3, 2))


def names_read(files):
    return {path.rpartition("/")[2] for path in files.read if path.startswith("nodes/")}


def test_building_reads_the_objects_alone(made):
    build_network("made", made, large=False)
    assert names_read(made) == set()


def test_a_large_bundle_is_asked_for_its_addresses_once(made):
    network = build_network("made", made, large=True)
    assert names_read(made) == {"ip-addr.json"}
    assert max(count for path, count in made.read.items() if path.startswith("nodes/")) == 1
    assert len(network.owners) == 2 + 2 + 60


def test_a_trace_reads_the_nodes_it_crosses(made):
    network = build_network("made", made, large=True)
    client, server = (netns for netns in list(network.namespaces.values())[1:3])
    flow = Flow(client.id, (server.addresses or ())[2].addr, PROTOCOL_NUMBERS["tcp"], 8080)
    assert trace_flow(network, flow).verdict.value == "works"
    assert not any(
        path.startswith("nodes/node-1/") for path in made.read if not path.endswith("ip-addr.json")
    )


def test_a_field_is_read_once(made):
    host = build_network("made", made, large=False).namespaces[node_netns("node-0")]
    assert host.links is host.links
    assert (host.routes, host.routes6) == (host.routes, host.routes6)
    assert {made.read["nodes/node-0/ip-link.json"], made.read["nodes/node-0/ip-route.json"]} == {1}


def test_a_changed_copy_has_all_the_other_fields(made):
    host = build_network("made", made, large=True).namespaces[node_netns("node-0")]
    copy = replace(host, routes=())
    assert type(host) is LazyNetns
    assert type(copy) is Netns
    assert copy.routes == ()
    assert (copy.id, copy.node, copy.folder, copy.links) == (host.id, host.node, host.folder, host.links)
    assert copy.tables is host.tables
    assert list(copy.conntrack or ()) == list(host.conntrack or ()) != []


def forwards(netns):
    return netns.sysctls.get("net.ipv4.ip_forward")


def test_an_edit_changes_one_namespace_and_keeps_the_owners(made):
    network = build_network("made", made, large=True)
    netns_id = node_netns("node-1")
    changed = apply_edit(network, SetSysctl(netns_id, "net.ipv4.ip_forward", "0"))
    changed = apply_edit(changed, SetSysctl(node_netns("node-0"), "net.ipv4.ip_forward", "0"))
    assert {id(netns) for netns in changed.namespaces.values()} & {id(n) for n in network.namespaces.values()}
    assert [forwards(one.namespaces[netns_id]) for one in (changed, network)] == ["0", "1"]
    assert list(changed.namespaces) == list(network.namespaces)
    assert changed.owners is network.owners


def test_hosts_and_their_veth_pairs(made):
    network = build_network("made", made, large=False)
    assert [netns.node for netns in network.hosts] == ["node-0", "node-1"]
    pairs = network.peers_of(network.hosts[1])
    assert len(pairs) == 30
    assert all(network.peers[end] == (network.hosts[1].id, dev) for dev, end in pairs.items())
    assert not any(path.startswith("nodes/node-0/") for path in made.read)
    assert len(network.peers) == len(dict(network.peers)) == 120


def folder_of(files, node="node-0"):
    return next(path.rpartition("/")[0] for path in files if path.startswith(f"nodes/{node}/pods/"))


def test_a_pod_that_the_api_does_not_know_holds_its_address(made):
    own = folder_of(made)
    files = {
        path.replace(own, "nodes/node-0/pods/ghosts.ghost"): content for path, content in made.files.items()
    }
    network = build_network("made", files, large=True)
    assert network.owners[parse_addr("10.128.0.2")] == ((pod_netns("ghosts", "ghost"), "eth0"),)


def test_an_address_that_two_pods_hold_has_both(made):
    one, other = folder_of(made), folder_of(made, "node-1")
    files = made.files | {f"{other}/ip-addr.json": made.files[f"{one}/ip-addr.json"]}
    network = build_network("made", files, large=True)
    assert len(network.owners[parse_addr("10.128.0.2")]) == 2


@pytest.mark.parametrize("large", [False, True])
def test_a_pod_whose_namespace_was_not_collected_is_assumed(made, large):
    gone = folder_of(made)
    network = build_network(
        "made",
        {path: content for path, content in made.files.items() if not path.startswith(gone)},
        large=large,
    )
    netns = network.namespaces[pod_netns(*gone.rpartition("/")[2].split(".", 1))]
    assert netns.assumed
    dev = next(dev for dev, (there, _) in network.peers_of(network.hosts[0]).items() if there == netns.id)
    assert network.peers[netns.id, "eth0"] == (network.hosts[0].id, dev)
    assert network.owners[parse_addr("10.128.0.2")] == ((netns.id, "eth0"),)


def flow_of(one):
    src, dst = one["src"], one["dst"]
    netns = NetnsId("")
    if src["kind"] == "pod":
        netns = pod_netns(*src["pod"].split("/"))
    elif src["kind"] == "node":
        netns = node_netns(src["node"])
    protocol = PROTOCOL_NUMBERS[dst.get("proto", "TCP").lower()]
    return Flow(netns, parse_addr(dst["ip"]), protocol, dst["port"], None if netns else parse_addr(src["ip"]))


def where(answer):
    """Verdict, and where every branch ends: the line without its counters."""
    ends = [
        (b.works, b.probability, b.end.netns, b.end.last.text, b.end.last.origin.line)
        for b in answer.branches
    ]
    return answer.verdict, answer.seen_as, ends


def test_a_bundle_handled_as_a_large_one_answers_the_same(packed_bundle, monkeypatch):
    monkeypatch.setattr("podpath.assemble.shared_rules.WORTH_SHARING", 4)
    bundle = open_bundle(packed_bundle)
    small, large = (build_network("x", Files(bundle), large=large) for large in (False, True))
    truth = json.loads(bundle.read("truth.json"))
    flows = [flow_of(one) for one in truth if one["dst"]["kind"] != "dns"][::7]
    assert [where(trace_flow(large, flow)) for flow in flows] == [
        where(trace_flow(small, flow)) for flow in flows
    ]
    assert large.owners == small.owners
    assert dict(large.peers) == dict(small.peers)
