"""What bridges, links and neighbour entries stop: each is told apart, and mended by one edit on the node."""

import msgspec
import pytest

from podpath.checks.bridges.hairpin import promiscuous_bridge_ineffective
from podpath.checks.registry import Promised
from podpath.model.addr import parse_addr
from podpath.model.linux.agents import LogLine
from podpath.model.linux.neighbor import Neighbor
from podpath.model.origin import Origin
from podpath.model.refs import pod_netns
from tests.checks import cases
from tests.checks.cases import HOST_GW, codes, healthy, mended_by, named, the

BRIDGED = "net.bridge.bridge-nf-call-iptables"


def self_asked(one):
    return one.kind == "self"


def pods(one):
    return one.kind == "pod"


def ports(network, node, **fields):
    """All ports of the bridge with other properties."""
    links = {}
    for name, link in cases.host(network, node).links.items():
        port = link.port and msgspec.structs.replace(link.port, **fields)
        links[name] = msgspec.structs.replace(link, port=port)
    return cases.changed(network, node, links=links)


# --- hairpin --------------------------------------------------------------------------------------------------------


def test_hairpin_is_switched_on_for_all_ports_of_the_bridge():
    found = named(ports(healthy(), "n3", hairpin=False), self_asked)
    assert codes(found) == {"hairpin-off"}
    assert len({str(one.fix.edits) for one in found}) == 1
    assert (str(found[0].subject), found[0].confidence.value) == ("Node n3", "proven")
    assert mended_by(found[0]) == {"SetBridgePort"}


def test_hairpin_does_not_matter_where_bridged_packets_are_routed():
    network = cases.sysctl(ports(healthy(), "n3", hairpin=False), "n3", BRIDGED, "0")
    assert named(network, self_asked) == []


def test_a_promiscuous_bridge_is_no_substitute_and_this_is_said():
    network = cases.link(ports(healthy(), "n3", hairpin=False), "n3", "cni0", promisc=True)
    found = the(named(network, self_asked), "hairpin-off")
    assert "promiscuous-bridge" in found.reason
    assert cases.host(network, "n3").links["cni0"].origin in found.evidence


def warned(network):
    return [str(one.subject) for one in promiscuous_bridge_ineffective(network, Promised((), ()))]


def test_a_promiscuous_bridge_with_hairpin_off_is_warned_of():
    network = cases.link(ports(healthy(), "n3", hairpin=False), "n3", "cni0", promisc=True)
    assert warned(network) == ["Node n3"]


@pytest.mark.parametrize("hairpin", [True, None], ids=["on", "not known"])
def test_a_promiscuous_bridge_with_hairpin_on_is_not(hairpin):
    assert warned(cases.link(ports(healthy(), "n3", hairpin=hairpin), "n3", "cni0", promisc=True)) == []


def test_a_promiscuous_bridge_without_netfilter_is_not_warned_of():
    network = cases.link(ports(healthy(), "n3", hairpin=False), "n3", "cni0", promisc=True)
    assert warned(cases.sysctl(network, "n3", BRIDGED, "0")) == []


def test_isolated_ports_are_told_apart():
    found = the(named(ports(healthy(), "n1", isolated=True), pods), "port-isolated")
    assert found.confidence.value == "proven"
    assert all(edit.change == "isolated off" for edit in found.fix.edits)


# --- br_netfilter ---------------------------------------------------------------------------------------------------


def test_bridged_replies_that_iptables_does_not_see_are_named():
    found = the(named(cases.sysctl(healthy(), "n1", BRIDGED, "0")), "br-nf-call-iptables-off")
    assert (str(found.subject), found.confidence.value) == ("Node n1", "proven")
    assert found.fix.steps[0] == f"n1: sysctl -w {BRIDGED}=1"


def test_without_the_module_the_key_is_absent():
    found = the(named(cases.sysctl(healthy(), "n1", BRIDGED, None)), "br-netfilter-module-missing")
    assert found.fix.steps[0] == "n1: modprobe br_netfilter"
    assert found.confidence.value == "proven"


def test_the_bridges_own_switch_is_as_good():
    link = cases.host(healthy(), "n1").links["cni0"]
    network = cases.sysctl(healthy(), "n1", BRIDGED, "0")
    network = cases.link(
        network, "n1", "cni0", bridge=msgspec.structs.replace(link.bridge, nf_call_iptables=True)
    )
    assert named(network) == []


# --- links ----------------------------------------------------------------------------------------------------------


def test_a_tunnel_device_that_is_down_is_set_up_with_all_it_lost():
    network = cases.link(healthy(), "n1", "flannel.1", up=False, carrier=False)
    network = cases.routes(network, "n1", lambda r: r.dev != "flannel.1" or r.table != "main")
    neighbors = tuple(n for n in cases.host(network, "n1").neighbors if n.dev != "flannel.1")
    found = the(named(cases.changed(network, "n1", neighbors=neighbors), pods), "link-down-cni")
    assert {"SetLink", "AddRoute", "SetNeighbor"} <= mended_by(found)
    assert found.confidence.value == "proven"


def test_a_tunnel_device_that_is_down_with_its_routes_still_listed_is_the_same():
    network = cases.link(healthy(), "n1", "flannel.1", up=False, carrier=False)
    assert codes(named(network, pods)) == {"link-down-cni"}


def test_a_bridge_that_is_down_is_named():
    found = the(named(cases.link(healthy(), "n1", "cni0", up=False, carrier=False), pods), "link-down-cni")
    assert "cni0" in found.message


def test_network_manager_is_evidence_where_it_spoke():
    line = LogLine(
        "",
        "I",
        "",
        "NetworkManager: flannel.1 state change",
        Origin("nodes/n1/journal", 9, "NetworkManager ..."),
    )
    network = cases.with_node(cases.link(healthy(), "n1", "flannel.1", up=False), "n1", log_lines=(line,))
    assert line.origin in the(named(network, pods), "link-down-cni").evidence


def test_a_device_of_strangers_that_is_down_is_nothing_of_the_cnis():
    found = codes(named(cases.link(healthy(HOST_GW), "n1", "eth0", up=False, carrier=False), pods))
    assert "link-down-cni" not in found


def port_of(network, app, node):
    pod = cases.pod_of(network, app, node)
    return pod, network.peers[pod_netns(*pod.key), "eth0"][1]


def test_a_pods_link_that_is_down_is_told_apart():
    pod, port = port_of(healthy(), "api", "n1")
    found = the(
        named(cases.link(healthy(), "n1", port, up=False, carrier=False), pods), "veth-down-or-detached"
    )
    assert found.subject.name == pod.meta.name
    assert found.confidence.value == "proven"


def test_a_pods_link_that_is_no_port_of_the_bridge_is_attached_again():
    _, port = port_of(healthy(), "api", "n1")
    found = the(named(cases.link(healthy(), "n1", port, master="", port=None), pods), "veth-down-or-detached")
    assert [edit.change for edit in found.fix.edits] == ["master cni0"]
    assert found.confidence.value == "proven"


# --- neighbours -----------------------------------------------------------------------------------------------------


def test_a_permanent_neighbour_with_another_mac_address_is_forgotten():
    pod = cases.pod_of(healthy(), "api", "n1")
    wrong = Neighbor(
        pod.ips[0],
        "cni0",
        "02:00:00:00:00:99",
        "PERMANENT",
        origin=Origin("nodes/n1/ip-neigh.json", 1, "wrong"),
    )
    kept = tuple(n for n in cases.host(healthy(), "n1").neighbors if n.dst != pod.ips[0])
    found = the(named(cases.changed(healthy(), "n1", neighbors=(*kept, wrong))), "static-neigh-wrong")
    assert str(found.subject) == "Node n1"
    assert mended_by(found) == {"DeleteNeighbor"}
    assert found.confidence.value == "proven"


def test_a_neighbour_that_was_learned_is_asked_again():
    pod = cases.pod_of(healthy(), "api", "n1")
    old = Neighbor(pod.ips[0], "cni0", "02:00:00:00:00:99", "STALE")
    kept = tuple(n for n in cases.host(healthy(), "n1").neighbors if n.dst != pod.ips[0])
    assert named(cases.changed(healthy(), "n1", neighbors=(*kept, old))) == []


def test_a_full_neighbour_table_is_named_by_its_limit():
    network = cases.routes(
        healthy(HOST_GW),
        "n1",
        lambda r: str(r.dst) != "10.244.2.0/24",
        cases.a_route("10.244.2.0/24", "eth0", "172.30.0.77"),
    )
    many = tuple(
        Neighbor(parse_addr("192.0.2.1") + n, "eth0", "02:00:00:00:00:01", "STALE") for n in range(64)
    )
    dead = Neighbor(parse_addr("172.30.0.77"), "eth0", "", "FAILED")
    network = cases.changed(network, "n1", neighbors=(*many, dead))
    network = cases.sysctl(network, "n1", "net.ipv4.neigh.default.gc_thresh3", "64")
    assert codes(named(network, pods)) == {"neigh-table-overflow"}
    roomy = cases.sysctl(network, "n1", "net.ipv4.neigh.default.gc_thresh3", "1024")
    assert codes(named(roomy, pods)) == {"podcidr-route-wrong-nexthop"}
