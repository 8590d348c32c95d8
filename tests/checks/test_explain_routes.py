"""What routes lead astray, and what a node does not forward: each under its name, with a route as its owner writes it."""

from dataclasses import replace

import msgspec
import pytest

from podpath.model.addr import ALL_BITS, Prefix, format_addr, parse_addr, parse_prefix
from podpath.model.flow import TCP, Flow
from podpath.model.linux.agents import LogLine
from podpath.model.linux.link import InterfaceAddress, Link
from podpath.model.linux.neighbor import Neighbor
from podpath.model.linux.route import NextHop, Route, RoutingRule
from podpath.model.origin import Origin
from podpath.model.refs import node_netns, pod_netns
from tests.checks import cases
from tests.checks.cases import DUAL, HOST_GW, a_route, codes, healthy, mended_by, named, no_route_to, the


def pods(one):
    return one.kind == "pod"


# --- forwarding -----------------------------------------------------------------------------------------------------


def not_forwarding(network, node="n2"):
    netns = cases.host(network, node)
    return cases.changed(network, node, sysctls=netns.sysctls.with_value("net.ipv4.ip_forward", "0"))


def test_a_node_that_does_not_forward_is_named_with_its_switch():
    found = the(named(not_forwarding(healthy())), "ip-forward-off")
    assert (str(found.subject), found.confidence.value) == ("Node n2", "proven")
    assert found.fix.steps == (
        "n2: sysctl -w net.ipv4.ip_forward=1",
        "n2: echo 'net.ipv4.ip_forward = 1' >> /etc/sysctl.d/99-kubernetes.conf",
    )


def test_the_switch_of_ipv6_is_another():
    netns = cases.host(healthy(DUAL), "n2")
    network = cases.changed(
        healthy(DUAL), "n2", sysctls=netns.sysctls.with_value("net.ipv6.conf.all.forwarding", "0")
    )
    found = the(named(network, pods), "ip-forward-off")
    assert "IPv6" in found.message


def test_ip_forward_alone_does_not_matter_while_the_devices_forward():
    assert named(cases.sysctl(healthy(), "n2", "net.ipv4.ip_forward", "0")) == []


def test_one_device_that_does_not_forward_is_told_apart():
    found = the(
        named(cases.sysctl(healthy(), "n2", "net.ipv4.conf.cni0.forwarding", "0")), "iface-forwarding-off"
    )
    assert "cni0" in found.message
    assert found.confidence.value == "proven"


def test_a_strict_source_check_with_another_way_back_is_named():
    network = cases.sysctl(healthy(), "n2", "net.ipv4.conf.all.rp_filter", "1")
    network = no_route_to(network, "n2", "10.244.0.0/24")
    network = cases.routes(network, "n2", lambda _: True, a_route("10.244.0.0/24", "eth0", "172.30.0.11"))
    found = the(named(network, pods), "rp-filter-strict-asymmetric")
    assert {edit.key for edit in found.fix.edits} == {"net.ipv4.conf.flannel/1.rp_filter"}
    assert {edit.value for edit in found.fix.edits} == {"2"}
    assert found.confidence.value == "proven"


def test_a_strict_source_check_with_the_right_routes_is_silent():
    assert named(cases.sysctl(healthy(), "n2", "net.ipv4.conf.all.rp_filter", "1")) == []


# --- routes to other nodes ------------------------------------------------------------------------------------------


def test_a_lost_route_is_built_like_the_others_of_the_node():
    found = the(named(no_route_to(healthy(), "n1", "10.244.2.0/24")), "podcidr-route-missing")
    assert [edit.route.origin.text for edit in found.fix.edits] == [
        "10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink"
    ]
    assert found.confidence.value == "proven"


def test_a_lost_plain_route_leads_by_the_nodes_own_address():
    found = the(named(no_route_to(healthy(HOST_GW), "n1", "10.244.2.0/24")), "podcidr-route-missing")
    assert [edit.route.origin.text for edit in found.fix.edits] == ["10.244.2.0/24 via 172.30.0.13 dev eth0"]


def test_all_lost_routes_of_a_node_are_one_finding():
    network = no_route_to(no_route_to(healthy(), "n1", "10.244.2.0/24"), "n1", "10.244.1.0/24")
    found = named(network, pods)
    assert codes(found) == {"podcidr-route-missing"}
    assert all(len(one.fix.edits) == 2 for one in found)
    assert "n2 and n3" in found[0].message


def test_a_lost_route_of_a_node_without_any_other_is_built_like_its_siblings():
    network = no_route_to(no_route_to(healthy(), "n1", "10.244.2.0/24"), "n1", "10.244.1.0/24")
    found = the(named(network, pods), "podcidr-route-missing")
    assert {edit.route.dev for edit in found.fix.edits} == {"flannel.1"}
    assert found.confidence.value == "proven"


def test_a_lost_route_without_a_default_route_is_the_same_fault():
    network = no_route_to(no_route_to(healthy(), "n1", "10.244.2.0/24"), "n1", "default")
    assert "podcidr-route-missing" in codes(named(network, pods))


def test_a_lost_ipv6_route_is_the_same_fault():
    netns = cases.host(healthy(DUAL), "n1")
    kept = tuple(r for r in netns.routes6 or () if str(r.dst) != "fd00:10:244:2::/64")
    assert len(kept) < len(netns.routes6)
    found = the(named(cases.changed(healthy(DUAL), "n1", routes6=kept), pods), "podcidr-route-missing")
    assert found.confidence.value == "proven"


def test_the_flannel_pod_that_does_not_run_is_the_reason():
    network = no_route_to(healthy(DUAL), "n1", "10.244.2.0/24")
    key = next(k for k, pod in network.cluster.pods.items() if "flannel" in k[1] and pod.node == "n1")
    pod = network.cluster.pods[key]
    down = msgspec.structs.replace(
        pod, status=msgspec.structs.replace(pod.status, conditions=(), phase="Pending")
    )
    network = cases.with_cluster(network, pods={**network.cluster.pods, key: down})
    found = the(named(network, pods), "podcidr-route-missing")
    assert "is not ready" in found.reason
    assert pod.origin in found.evidence


def test_networkd_is_only_named_with_evidence():
    network = no_route_to(healthy(), "n1", "10.244.2.0/24")
    line = LogLine(
        "",
        "I",
        "",
        "systemd-networkd: eth0: Reconfiguring",
        Origin("nodes/n1/journal", 3, "systemd-networkd ..."),
    )
    network = cases.with_node(network, "n1", log_lines=(*network.nodes["n1"].log_lines, line))
    found = the(named(network, pods), "networkd-flushes-foreign-routes")
    assert "ManageForeignRoutes=no" in found.fix.steps[0]
    assert found.confidence.value == "proven"


def test_a_route_to_a_dead_node_is_set_right():
    network = no_route_to(healthy(HOST_GW), "n1", "10.244.2.0/24")
    network = cases.routes(network, "n1", lambda _: True, a_route("10.244.2.0/24", "eth0", "172.30.0.77"))
    dead = Neighbor(parse_addr("172.30.0.77"), "eth0", "", "FAILED")
    network = cases.changed(network, "n1", neighbors=(*cases.host(network, "n1").neighbors, dead))
    found = the(named(network, pods), "podcidr-route-wrong-nexthop")
    assert "172.30.0.77" in found.message
    assert mended_by(found) == {"ReplaceRoute"}
    assert found.confidence.value == "proven"


def test_another_next_hop_that_gets_there_is_no_fault_of_the_route():
    network = no_route_to(healthy(HOST_GW), "n1", "10.244.2.0/24")
    network = cases.routes(network, "n1", lambda _: True, a_route("10.244.2.0/24", "eth0", "172.30.0.12"))
    found = named(network, pods)
    assert {finding.code for finding in found} == {"unnamed-source-replaced"}, (
        "n2 sees one direction, and masquerades it"
    )
    assert {str(finding.subject) for finding in found} == {"Node n2"}


def other_subnet(network, node="n3", addr="192.168.9.13"):
    """A node in a subnet of its own."""
    known = network.cluster.nodes[node]
    addresses = tuple(
        msgspec.structs.replace(one, address=addr) if one.type == "InternalIP" else one
        for one in known.status.addresses
    )
    moved = msgspec.structs.replace(known, status=msgspec.structs.replace(known.status, addresses=addresses))
    return cases.with_cluster(network, nodes={**network.cluster.nodes, node: moved})


def test_plain_routes_across_subnets_cannot_work():
    network = no_route_to(other_subnet(healthy(HOST_GW)), "n1", "10.244.2.0/24")
    found = the(
        named(network, lambda one: pods(one) and one.flow.netns.startswith("pod/ops")), "hostgw-not-l2"
    )
    assert "192.168.9.13" in found.message


def test_a_tunnel_across_subnets_does_not_care():
    network = no_route_to(other_subnet(healthy()), "n1", "10.244.2.0/24")
    assert "hostgw-not-l2" not in codes(named(network, pods))


# --- default routes -------------------------------------------------------------------------------------------------


def test_a_node_without_a_default_route_gets_that_of_its_siblings():
    found = the(named(no_route_to(healthy(), "n1", "default")), "node-no-default-route")
    assert [edit.route.origin.text for edit in found.fix.edits] == ["default via 172.30.0.1 dev eth0"]
    assert found.confidence.value == "proven"


def without_routes(network, netns, keep):
    return cases.changed_netns(
        network, netns, routes=tuple(r for r in network.namespaces[netns].routes if keep(r))
    )


def test_a_pod_without_a_default_route_is_told_apart():
    client = pod_netns(*cases.pod_of(healthy(), "client").key)
    found = the(named(without_routes(healthy(), client, lambda r: r.dst.length)), "pod-no-default-route")
    assert str(found.subject) == "Pod ops/client"
    assert found.confidence.value == "proven"


def test_a_pod_with_a_wrong_gateway_is_told_apart():
    client = pod_netns(*cases.pod_of(healthy(), "client").key)
    network = without_routes(healthy(), client, lambda r: r.dst.length)
    wrong = a_route("default", "eth0", "10.244.0.77")
    network = cases.changed_netns(network, client, routes=(*network.namespaces[client].routes, wrong))
    found = the(named(network), "pod-no-default-route")
    assert mended_by(found) == {"ReplaceRoute"}
    assert found.confidence.value == "proven"


def test_ipv6_that_waits_for_a_router_is_told_apart():
    netns = cases.host(healthy(DUAL), "n1")
    kept = tuple(r for r in netns.routes6 if r.dst.length or r.type != "unicast")
    network = cases.changed(healthy(DUAL), "n1", routes6=kept)
    network = cases.sysctl(network, "n1", "net.ipv6.conf.eth0.accept_ra", "1")
    flow = Flow(node_netns("n1"), parse_addr("2001:db8:ffff::10"), TCP, 443)
    found = the(cases.asked(network, flow), "ipv6-accept-ra-lost")
    assert "accept_ra=2" in found.fix.steps[0]


def test_ipv6_that_takes_routers_anyway_only_lacks_its_route():
    netns = cases.host(healthy(DUAL), "n1")
    kept = tuple(r for r in netns.routes6 if r.dst.length or r.type != "unicast")
    network = cases.changed(healthy(DUAL), "n1", routes6=kept)
    network = cases.sysctl(network, "n1", "net.ipv6.conf.eth0.accept_ra", "2")
    flow = Flow(node_netns("n1"), parse_addr("2001:db8:ffff::10"), TCP, 443)
    assert codes(cases.asked(network, flow)) == {"node-no-default-route"}


# --- routes and rules of strangers ----------------------------------------------------------------------------------


def with_rule(network, node, rule, *routes):
    netns = cases.host(network, node)
    return cases.changed(network, node, rules=(*netns.rules, rule), routes=(*netns.routes, *routes))


def a_rule(priority, **fields):
    return RoutingRule(
        priority, origin=Origin("nodes/n1/ip-rule.json", priority, f"{priority}: {fields}"), **fields
    )


def test_nm_cloud_setup_is_known_by_its_tables():
    rule = a_rule(30400, table="30400", src=parse_prefix("10.244.0.0/24"))
    network = with_rule(healthy(), "n1", rule, a_route("default", "eth0", "172.30.0.1", table="30400"))
    found = the(named(network), "nm-cloud-setup-hijack")
    assert mended_by(found) == {"DeleteRoutingRule"}
    assert found.confidence.value == "proven"


def test_another_table_is_a_routing_rule_that_leads_elsewhere():
    rule = a_rule(100, table="100", src=parse_prefix("10.244.0.0/24"))
    network = with_rule(healthy(), "n1", rule, a_route("default", "eth0", "172.30.0.1", table="100"))
    found = the(named(network), "routing-rule-elsewhere")
    assert found.confidence.value == "proven"


@pytest.mark.parametrize("action", ["blackhole", "unreachable", "prohibit"])
def test_a_routing_rule_that_ends_packets_is_named(action):
    network = with_rule(healthy(), "n1", a_rule(100, action=action, src=parse_prefix("10.244.0.0/24")))
    found = the(named(network), "routing-rule-null")
    assert action in found.message
    assert found.confidence.value == "proven"


def test_a_table_that_ends_packets_is_the_routing_rules_fault():
    rule = a_rule(100, table="100", src=parse_prefix("10.244.0.0/24"))
    network = with_rule(healthy(), "n1", rule, a_route("default", "", table="100", type="unreachable"))
    found = the(named(network), "routing-rule-null")
    assert mended_by(found) == {"DeleteRoutingRule"}


def overlapping(network, dev, kind=""):
    """A device of n1 whose subnet lies inside the Pods' range of n3."""
    network = cases.with_links(network, "n1", Link(dev, 70, kind, 1500, up=True, mac="02:00:00:00:00:70"))
    network = cases.address(network, "n1", dev, "10.244.2.1", 25)
    return cases.routes(network, "n1", lambda _: True, a_route("10.244.2.0/25", dev))


def test_dockers_bridge_over_the_pods_range_is_named():
    found = the(named(overlapping(healthy(), "docker0", "bridge"), pods), "cidr-overlap-docker-bridge")
    assert "docker0" in found.message
    assert mended_by(found) == {"DeleteRoute"}
    assert found.confidence.value == "proven"


def test_a_lan_over_the_pods_range_is_no_dockers():
    found = the(named(overlapping(healthy(), "vpn0", "bridge"), pods), "cidr-overlap-host-network")
    assert found.fix.risk.startswith("high")
    assert found.confidence.value == "proven"


def test_a_route_of_the_cni_to_a_whole_range_overlaps_nothing():
    found = codes(named(no_route_to(healthy(), "n1", "10.244.2.0/24"), pods))
    assert "cidr-overlap-host-network" not in found


# --- null routes ----------------------------------------------------------------------------------------------------


def test_a_blackhole_over_live_pods_is_taken_away():
    network = cases.routes(healthy(), "n1", lambda _: True, a_route("10.244.2.0/25", "", type="blackhole"))
    found = the(named(network, pods), "podcidr-blackhole-route")
    assert mended_by(found) == {"DeleteRoute"}
    assert found.confidence.value == "proven"


def test_a_blackhole_in_the_place_of_a_route_is_replaced_by_it():
    network = no_route_to(healthy(), "n1", "10.244.2.0/24")
    network = cases.routes(network, "n1", lambda _: True, a_route("10.244.2.0/24", "", type="unreachable"))
    found = the(named(network, pods), "podcidr-blackhole-route")
    assert mended_by(found) == {"ReplaceRoute"}
    assert found.confidence.value == "proven"


def routed(network=None):
    """n1 as Calico makes it: no bridge, a route for each Pod, a blackhole for the rest of its range."""
    network = network or healthy()
    netns = cases.host(network, "n1")
    links = {
        name: msgspec.structs.replace(link, master="", port=None) if link.master == "cni0" else link
        for name, link in netns.links.items()
        if name != "cni0"
    }
    kept = [r for r in netns.routes if r.dev != "cni0"]
    values = dict(netns.sysctls.values)
    for (place, far), (near, dev) in network.peers.items():
        if near == netns.id and place.startswith("pod/"):
            addr = next(a.addr for a in network.namespaces[place].addresses if a.dev == far)
            kept.append(
                Route(
                    Prefix(addr, ALL_BITS),
                    nexthops=(NextHop(dev),),
                    scope="link",
                    origin=Origin("nodes/n1/ip-route.json", len(kept), f"{format_addr(addr)} dev {dev}"),
                )
            )
            values[f"net.ipv4.conf.{dev}.proxy_arp"] = values[f"net.ipv4.conf.{dev}.forwarding"] = "1"
            gateway = Route(
                parse_prefix("0.0.0.0/0"), nexthops=(NextHop(far, parse_addr("169.254.1.1"), onlink=True),)
            )
            own = Route(Prefix(addr, ALL_BITS), "local", "local", (NextHop(far),), addr)
            addresses = (InterfaceAddress(far, addr, 32),)
            network = cases.changed_netns(
                network, place, routes=(gateway, own), addresses=addresses, neighbors=()
            )
    kept.append(a_route("10.244.0.0/24", "", type="blackhole"))
    addresses = tuple(a for a in netns.addresses if a.dev != "cni0")
    return cases.changed(
        network,
        "n1",
        links=links,
        routes=tuple(kept),
        sysctls=replace(netns.sysctls, values=values),
        addresses=addresses,
    )


def test_the_routed_cluster_of_these_tests_is_healthy():
    assert named(routed(), pods) == []


def test_a_pods_own_route_that_is_missing_is_no_blackholes_fault():
    api = cases.pod_of(healthy(), "api", "n1")
    network = cases.routes(routed(), "n1", lambda r: r.dst != Prefix(api.ips[0], ALL_BITS))
    found = the(named(network, pods), "calico-workload-route-missing")
    assert api.meta.name in found.message
    assert mended_by(found) == {"AddRoute"}
    assert found.confidence.value == "proven"


def test_a_gateway_nobody_answers_for_is_a_matter_of_proxy_arp():
    api = pod_netns(*cases.pod_of(healthy(), "api", "n1").key)
    dev = routed().peers[api, "eth0"][1]
    found = the(
        named(cases.sysctl(routed(), "n1", f"net.ipv4.conf.{dev}.proxy_arp", "0"), pods),
        "calico-proxy-arp-off",
    )
    assert {edit.key for edit in found.fix.edits} == {f"net.ipv4.conf.{dev}.proxy_arp"}
    assert found.confidence.value == "proven"


def test_a_gateway_nobody_answers_for_is_first_a_matter_of_forwarding():
    found = named(not_forwarding(routed(), "n1"), lambda one: pods(one) and "ops/client" in one.flow.netns)
    assert codes(found) == {"ip-forward-off"}


def test_a_gateway_nobody_answers_for_is_then_a_matter_of_the_default_route():
    found = named(
        no_route_to(routed(), "n1", "default"),
        lambda one: one.kind == "service" and "ops/client" in one.flow.netns,
    )
    assert codes(found) == {"node-no-default-route"}


def test_the_cnis_own_route_over_a_lan_is_an_overlap_too():
    network = cases.routes(healthy(), "n1", lambda _: True, a_route("203.0.113.0/24", "cni0"))
    found = the(
        named(network, lambda one: one.kind == "outside" and "ops/client" in one.flow.netns),
        "cidr-overlap-host-network",
    )
    assert "hosts outside of the cluster" in found.message
    assert mended_by(found) == {"Outside"}
