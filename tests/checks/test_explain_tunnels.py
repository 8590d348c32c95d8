"""What tunnels lose between two nodes: which entry, port or id is wrong, and on which node."""

import msgspec
import pytest

from podpath.model.addr import parse_addr
from podpath.model.linux.neighbor import FdbEntry
from podpath.model.refs import pod_netns
from tests.checks import cases
from tests.checks.cases import FLANNEL, codes, healthy, mended_by, named, the

STALE = "flannel-stale-vtep"
NOBODY = "02:de:ad:00:00:01"


def pods(one):
    return one.kind == "pod"


def device(network, node):
    return cases.host(network, node).links["flannel.1"]


def fdb(network, node, change):
    """Every entry of the tunnel's forwarding database as ``change`` makes it; None takes it away."""
    entries = [change(e) if e.dev == "flannel.1" else e for e in cases.host(network, node).fdb]
    return cases.changed(network, node, fdb=tuple(e for e in entries if e is not None))


def neighbors(network, node, change):
    entries = [change(n) if n.dev == "flannel.1" else n for n in cases.host(network, node).neighbors]
    return cases.changed(network, node, neighbors=tuple(n for n in entries if n is not None))


def test_a_missing_neighbour_entry_is_written_from_the_other_ends_device():
    found = the(named(neighbors(healthy(), "n1", lambda _: None), pods), "vtep-neigh-missing")
    assert {edit.neighbor.lladdr for edit in found.fix.edits} == {
        device(healthy(), node).mac for node in ("n2", "n3")
    }
    assert {edit.neighbor.state for edit in found.fix.edits} == {"PERMANENT"}
    assert (str(found.subject), found.confidence.value) == ("Node n1", "proven")


def test_all_missing_neighbour_entries_of_a_node_are_one_mending():
    found = named(neighbors(healthy(), "n1", lambda _: None), pods)
    assert codes(found) == {"vtep-neigh-missing"}
    assert len({repr(one.fix.edits) for one in found}) == 1


def test_an_unresolved_neighbour_on_a_bridge_is_no_tunnels_fault():
    pod = cases.pod_of(healthy(), "api", "n1")
    network = cases.link(healthy(), "n1", healthy().peers[pod_netns(*pod.key), "eth0"][1], master="")
    assert "vtep-neigh-missing" not in codes(named(network, pods))


def test_a_missing_forwarding_entry_is_written_with_the_nodes_address():
    mac = device(healthy(), "n2").mac
    found = the(named(fdb(healthy(), "n1", lambda e: None if e.mac == mac else e), pods), "vtep-fdb-missing")
    assert [(edit.entry.mac, edit.entry.dst) for edit in found.fix.edits] == [
        (mac, parse_addr("172.30.0.12"))
    ]
    assert found.confidence.value == "proven"


def test_a_default_entry_is_as_good():
    mac = device(healthy(), "n2").mac
    network = fdb(healthy(), "n1", lambda e: None if e.mac == mac else e)
    default = FdbEntry("00:00:00:00:00:00", "flannel.1", parse_addr("172.30.0.12"), self_=True)
    network = cases.changed(network, "n1", fdb=(*cases.host(network, "n1").fdb, default))
    assert named(network, pods) == []


def new_mac(network, node="n2"):
    """A node's tunnel device has another MAC address than the others know."""
    return cases.link(network, node, "flannel.1", mac=NOBODY)


def test_an_old_mac_address_is_set_right_on_all_nodes_that_hold_it():
    found = the(named(new_mac(healthy()), pods), "vtep-mac-stale")
    assert str(found.subject) == "Node n2"
    assert "n1 and n3 send" in found.message
    assert {edit.netns for edit in found.fix.edits} == {"node/n1", "node/n3"}
    assert found.confidence.value == "proven"


def test_the_annotation_tells_which_side_is_old():
    known = healthy(STALE)
    found = the(named(known, pods), "vtep-mac-stale")
    assert "has announced its new MAC address" in found.reason
    assert "n1" in found.fix.summary
    node = known.cluster.nodes["n2"]
    key = "flannel.alpha.coreos.com/backend-data"
    told = {**node.meta.annotations, key: '{"VNI":1,"VtepMAC":"7a:ae:8b:54:3c:ea"}'}
    nodes = {
        **known.cluster.nodes,
        "n2": msgspec.structs.replace(node, meta=msgspec.structs.replace(node.meta, annotations=told)),
    }
    found = the(named(cases.with_cluster(known, nodes=nodes), pods), "vtep-mac-stale")
    assert "still announces" in found.reason
    assert "restart flannel on n2" in found.fix.summary


def test_a_neighbour_entry_with_the_mac_address_of_nobody_is_stale_too():
    network = neighbors(
        healthy(),
        "n1",
        lambda n: msgspec.structs.replace(n, lladdr=NOBODY) if n.dst == parse_addr("10.244.1.0") else n,
    )
    found = the(named(network, pods), "vtep-mac-stale")
    assert found.confidence.value == "proven"


def test_an_entry_that_leads_to_another_node_is_set_right():
    mac = device(healthy(), "n2").mac
    elsewhere = parse_addr("172.30.0.13")
    network = fdb(healthy(), "n1", lambda e: msgspec.structs.replace(e, dst=elsewhere) if e.mac == mac else e)
    found = the(named(network, pods), "vtep-dst-wrong-node")
    assert (str(found.subject), found.confidence.value) == ("Node n1", "proven")
    assert mended_by(found) == {"SetFdb"}


def test_an_entry_that_leads_to_nobody_of_the_cluster_is_set_right():
    mac = device(healthy(), "n2").mac
    elsewhere = parse_addr("172.30.0.99")
    network = fdb(healthy(), "n1", lambda e: msgspec.structs.replace(e, dst=elsewhere) if e.mac == mac else e)
    found = the(named(network, pods), "vtep-dst-wrong-node")
    assert found.confidence.value == "proven"


def vxlan(network, node, **fields):
    return cases.link(
        network, node, "flannel.1", vxlan=msgspec.structs.replace(device(network, node).vxlan, **fields)
    )


@pytest.mark.parametrize(
    ("fields", "code", "shown"),
    [({"port": 4789}, "vxlan-dstport-mismatch", "4789"), ({"vni": 7}, "vxlan-vni-mismatch", "has 7")],
)
def test_the_end_that_is_unlike_the_others_is_the_odd_one(fields, code, shown):
    found = named(vxlan(healthy(), "n2", **fields), pods)
    assert codes(found) == {code}
    assert {str(one.subject) for one in found} == {"Node n2"}
    assert shown in found[0].message
    assert found[0].confidence.value == "proven"
    assert found[0].fix.steps[0] == "n2: ip link delete flannel.1"


def test_the_restart_of_flannels_pod_is_the_last_step():
    found = the(
        named(vxlan(healthy(STALE), "n3", vni=7), lambda one: pods(one) and "n3" in one.text),
        "vxlan-vni-mismatch",
    )
    assert found.fix.steps[-1].startswith("kubectl -n kube-flannel delete pod kube-flannel-ds-")


def test_ends_that_agree_are_not_suspected():
    network = healthy(FLANNEL)
    for node in ("n1", "n2", "n3"):
        network = vxlan(network, node, vni=7)
    assert named(network, pods) == []
