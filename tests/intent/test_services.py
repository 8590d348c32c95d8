"""kube-proxy's choice of endpoints, row by row (pkg/proxy/topology.go, iptables/proxier.go)."""

import pytest

from podpath.intent.services import (
    OUTSIDE,
    Client,
    backends,
    categorize,
    endpoints_for,
    expected_endpoints,
    listed_endpoints,
)
from podpath.model.addr import parse_addr
from podpath.model.kube.pod import Container
from podpath.model.promise import NotPromised
from tests.builders import a_cluster, a_node, a_pod, a_port, a_service, a_service_port, a_slice, an_endpoint

HERE, THERE = "10.244.0.5", "10.244.1.5"
POD_ON_N1 = Client("pod", "n1", parse_addr("10.244.0.9"))
POD_ON_N2 = Client("pod", "n2", parse_addr("10.244.1.9"))
NODE_1 = Client("node", "n1", parse_addr("172.30.0.11"))


def at(*ips, port=8080):
    return frozenset((parse_addr(ip), port) for ip in ips)


def addresses(endpoints):
    return [one.addr for one in endpoints]


def known(*ips):
    return [parse_addr(ip) for ip in ips]


NODES = (a_node("n1"), a_node("n2", "172.30.0.12"))


def a_shop(*slices, nodes=NODES, **fields):
    service = a_service(**fields)
    return a_cluster(service, *nodes, *slices), service


def asked(shop, client, via, node="n1"):
    cluster, service = shop
    return backends(cluster, service, service.spec.ports[0], client, via, node, v4=True)


def reason(answer):
    assert isinstance(answer, NotPromised), answer
    return answer.reason


class TestExpectedEndpoints:
    """What the EndpointSlice controller makes of Pods (endpointslice/utils.go)."""

    def expected(self, *pods, v4=True, **fields):
        service = a_service(**fields)
        return expected_endpoints(a_cluster(service, *pods), service, service.spec.ports[0], v4=v4)

    def test_a_pod_counts_that_the_selector_matches(self):
        found = self.expected(a_pod(), a_pod("other", ip=THERE, labels={"app": "db"}))
        assert [(one.addr, one.port, one.ready) for one in found] == [(parse_addr(HERE), 8080, True)]

    def test_a_pod_of_another_namespace_does_not(self):
        assert self.expected(a_pod(namespace="ops")) == ()

    @pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
    def test_a_finished_pod_does_not(self, phase):
        assert self.expected(a_pod(phase=phase)) == ()

    def test_a_pod_without_an_address_of_the_family_does_not(self):
        assert self.expected(a_pod(ip=""), a_pod("v4", ip=HERE), v4=False) == ()

    def test_serving_is_the_ready_condition(self):
        (one,) = self.expected(a_pod(ready=False))
        assert (one.ready, one.serving, one.terminating) == (False, False, False)

    def test_a_terminating_pod_serves_but_is_not_ready(self):
        (one,) = self.expected(a_pod(deleted=True))
        assert (one.ready, one.serving, one.terminating) == (False, True, True)

    def test_with_publish_not_ready_addresses_all_are_ready(self):
        unready, leaving = self.expected(
            a_pod(ready=False), a_pod("b", ip=THERE, deleted=True), publish_not_ready_addresses=True
        )
        assert unready.ready
        assert leaving.ready
        assert leaving.terminating

    def test_a_named_target_port_is_resolved_on_each_pod(self):
        found = self.expected(
            a_pod(ports=[a_port(8080, "http")]),
            a_pod("b", ip=THERE, ports=[a_port(9090, "http")]),
            ports=[a_service_port(80, "http")],
        )
        assert [one.port for one in found] == [8080, 9090]

    def test_a_pod_without_a_port_of_that_name_is_no_endpoint(self):
        assert self.expected(a_pod(ports=[a_port(8080, "web")]), ports=[a_service_port(80, "http")]) == ()

    def test_a_port_of_that_name_and_another_protocol_does_not_count(self):
        assert self.expected(a_pod(ports=[a_port(53, "dns", "UDP")]), ports=[a_service_port(53, "dns")]) == ()

    def test_a_sidecars_port_counts_and_another_init_containers_does_not(self):
        sidecar = Container(name="proxy", ports=(a_port(15001, "http"),), restart_policy="Always")
        once = Container(name="setup", ports=(a_port(1, "http"),))
        pod = a_pod(ports=[], init_containers=(once, sidecar))
        assert [one.port for one in self.expected(pod, ports=[a_service_port(80, "http")])] == [15001]

    def test_without_target_port_the_service_port_is_meant(self):
        assert [one.port for one in self.expected(a_pod(), ports=[a_service_port(80, 0)])] == [80]

    def test_a_pod_of_the_hosts_network_has_the_nodes_address(self):
        (one,) = self.expected(a_pod(ip="172.30.0.11", host_network=True))
        assert one.addr == parse_addr("172.30.0.11")

    def test_a_service_without_selector_expects_none(self):
        assert self.expected(a_pod(), selector={}) == ()


class TestListedEndpoints:
    """What kube-proxy reads from slices (pkg/proxy/endpointslicecache.go)."""

    def listed(self, *slices, v4=True, **fields):
        cluster, service = a_shop(*slices, **fields)
        return listed_endpoints(cluster, service, service.spec.ports[0], v4=v4)

    def test_what_a_condition_does_not_say_is_ready_serving_and_not_terminating(self):
        (one,) = self.listed(a_slice(an_endpoint(ready=None)))
        assert (one.ready, one.serving, one.terminating) == (True, True, False)

    @pytest.mark.parametrize("port", [None, 0])
    def test_a_slice_port_without_number_is_skipped(self, port):
        assert self.listed(a_slice(port=port)) == ()

    def test_a_slice_port_without_name_is_skipped_and_one_with_an_empty_name_is_not(self):
        unnamed = [a_service_port(name="")]
        assert self.listed(a_slice(port_name=None), ports=unnamed) == ()
        assert len(self.listed(a_slice(port_name=""), ports=unnamed)) == 1

    def test_name_and_protocol_must_both_agree(self):
        assert self.listed(a_slice(port_name="web")) == ()
        assert self.listed(a_slice(protocol="UDP")) == ()

    def test_slices_belong_to_the_service_that_their_label_names(self):
        assert self.listed(a_slice(service="other")) == ()

    def test_an_endpoint_in_two_slices_counts_once(self):
        assert len(self.listed(a_slice(name="a"), a_slice(name="b"))) == 1

    def test_only_the_first_address_counts_and_only_of_the_family(self):
        assert self.listed(a_slice(an_endpoint("fd00::5"))) == ()
        assert len(self.listed(a_slice(an_endpoint("fd00::5")), v4=False)) == 1

    def test_a_slice_of_names_has_no_addresses(self):
        assert self.listed(a_slice(an_endpoint("db.example.org"), address_type="FQDN")) == ()

    def test_pods_stand_in_where_slices_were_not_collected(self):
        service = a_service()
        cluster = a_cluster(service, a_pod(), collected=frozenset({"pods", "services"}))
        found = listed_endpoints(cluster, service, service.spec.ports[0], v4=True)
        assert addresses(found) == known(HERE)


class TestCategories:
    """CategorizeEndpoints."""

    def lists(self, *endpoints, node="n1", zone=""):
        cluster, service = a_shop(a_slice(*endpoints), nodes=(a_node(node, zone=zone),))
        return endpoints_for(cluster, service, service.spec.ports[0], node, v4=True)

    def test_ready_ones_are_in_the_cluster_list_and_those_of_the_node_in_the_local_one(self):
        found = self.lists(an_endpoint(HERE, "n1"), an_endpoint(THERE, "n2"))
        assert (addresses(found.cluster), addresses(found.local)) == (known(HERE, THERE), known(HERE))

    def test_an_endpoint_without_node_is_local_to_none(self):
        assert self.lists(an_endpoint(node=None)).local == ()

    def test_terminating_ones_that_serve_are_used_when_none_is_ready(self):
        leaving = an_endpoint(HERE, ready=False, serving=True, terminating=True)
        found = self.lists(leaving)
        assert addresses(found.cluster) == addresses(found.local) == known(HERE)
        assert found.has_any

    def test_and_only_then(self):
        leaving = an_endpoint(HERE, ready=False, serving=True, terminating=True)
        assert addresses(self.lists(leaving, an_endpoint(THERE, "n2")).cluster) == known(THERE)

    def test_the_local_list_falls_back_for_itself(self):
        leaving = an_endpoint(HERE, ready=False, serving=True, terminating=True)
        assert addresses(self.lists(leaving, an_endpoint(THERE, "n2")).local) == known(HERE)

    def test_unready_ones_are_none(self):
        found = self.lists(an_endpoint(ready=False, serving=False))
        assert (found.cluster, found.local, found.has_any) == ((), (), False)

    def test_zone_hints_choose_the_nodes_zone(self):
        found = self.lists(an_endpoint(HERE, zones=["a"]), an_endpoint(THERE, "n2", zones=["b"]), zone="b")
        assert addresses(found.cluster) == known(THERE)

    def test_one_missing_hint_switches_hints_off(self):
        assert (
            len(self.lists(an_endpoint(HERE, zones=["a"]), an_endpoint(THERE, "n2"), zone="a").cluster) == 2
        )

    def test_a_missing_hint_of_an_unready_endpoint_does_not(self):
        unready = an_endpoint("10.244.2.5", "n3", ready=False)
        found = self.lists(an_endpoint(HERE, zones=["a"]), an_endpoint(THERE, zones=["b"]), unready, zone="a")
        assert addresses(found.cluster) == known(HERE)

    def test_hints_that_name_another_zone_only_are_ignored(self):
        assert len(self.lists(an_endpoint(HERE, zones=["a"]), zone="c").cluster) == 1

    def test_a_node_without_zone_ignores_zone_hints(self):
        assert len(self.lists(an_endpoint(HERE, zones=["a"]), an_endpoint(THERE, zones=["b"])).cluster) == 2

    def test_node_hints_come_before_zone_hints(self):
        found = self.lists(
            an_endpoint(HERE, nodes=["n1"], zones=["b"]),
            an_endpoint(THERE, nodes=["n2"], zones=["a"]),
            zone="a",
        )
        assert addresses(found.cluster) == known(HERE)

    def test_without_one_for_this_node_the_zone_decides(self):
        found = self.lists(
            an_endpoint(HERE, nodes=["n7"], zones=["b"]),
            an_endpoint(THERE, nodes=["n8"], zones=["a"]),
            zone="a",
        )
        assert addresses(found.cluster) == known(THERE)

    def test_hints_say_nothing_to_the_local_list(self):
        found = self.lists(
            an_endpoint(HERE, "n1", zones=["b"]), an_endpoint(THERE, "n2", zones=["a"]), zone="a"
        )
        assert addresses(found.local) == known(HERE)

    def test_nothing_is_nothing(self):
        assert categorize((), "n1", "") == ((), (), False)


BOTH = a_slice(an_endpoint(HERE, "n1"), an_endpoint(THERE, "n2"))
REMOTE = a_slice(an_endpoint(THERE, "n2"))
NODE_PORT = {"type": "NodePort", "ports": [a_service_port(node_port=30080)]}
BALANCER = {"type": "LoadBalancer", "ports": [a_service_port(node_port=30080)], "lb_ips": ["203.0.113.80"]}
EXTERNAL = {"external_ips": ["203.0.113.81"]}
ETP_LOCAL = {"external_traffic_policy": "Local"}
ITP_LOCAL = {"internal_traffic_policy": "Local"}
WAYS = pytest.mark.parametrize(
    ("via", "exposed"),
    [("node-port", NODE_PORT), ("load-balancer", BALANCER), ("external-ip", EXTERNAL)],
    ids=["node-port", "load-balancer", "external-ip"],
)


class TestTable:
    """The rows of what is done with each sort of traffic."""

    def test_cluster_ip_goes_to_all(self):
        assert asked(a_shop(BOTH), POD_ON_N1, "cluster-ip") == at(HERE, THERE)

    def test_cluster_ip_without_endpoints_is_not_promised(self):
        assert reason(asked(a_shop(), POD_ON_N1, "cluster-ip")) == "no-endpoints"

    def test_cluster_ip_with_internal_policy_local_stays_on_the_node(self):
        assert asked(a_shop(BOTH, **ITP_LOCAL), POD_ON_N1, "cluster-ip") == at(HERE)

    def test_and_is_not_promised_where_the_node_has_none(self):
        assert reason(asked(a_shop(REMOTE, **ITP_LOCAL), POD_ON_N1, "cluster-ip")) == "local-policy"

    def test_but_is_without_endpoints_where_there_is_none_at_all(self):
        assert reason(asked(a_shop(**ITP_LOCAL), POD_ON_N1, "cluster-ip")) == "no-endpoints"

    @WAYS
    @pytest.mark.parametrize("client", [OUTSIDE, POD_ON_N1, NODE_1], ids=["outside", "pod", "node"])
    def test_external_policy_cluster_goes_to_all(self, via, exposed, client):
        assert asked(a_shop(BOTH, **exposed), client, via) == at(HERE, THERE)

    @WAYS
    def test_external_policy_cluster_without_endpoints_is_not_promised(self, via, exposed):
        assert reason(asked(a_shop(**exposed), OUTSIDE, via)) == "no-endpoints"

    @WAYS
    def test_external_policy_local_keeps_strangers_on_the_node(self, via, exposed):
        assert asked(a_shop(BOTH, **exposed, **ETP_LOCAL), OUTSIDE, via) == at(HERE)

    @WAYS
    def test_and_drops_them_where_the_node_has_none(self, via, exposed):
        assert reason(asked(a_shop(REMOTE, **exposed, **ETP_LOCAL), OUTSIDE, via)) == "local-policy"

    @WAYS
    @pytest.mark.parametrize("client", [POD_ON_N1, NODE_1], ids=["pod", "node"])
    def test_but_lets_the_nodes_own_traffic_through_to_all(self, via, exposed, client):
        assert asked(a_shop(REMOTE, **exposed, **ETP_LOCAL), client, via) == at(THERE)

    def test_a_pod_of_another_node_is_promised_nothing_where_a_stranger_would_be_dropped(self):
        answer = asked(a_shop(REMOTE, **NODE_PORT, **ETP_LOCAL), POD_ON_N2, "node-port", "n1")
        assert reason(answer) == "local-policy"

    def test_and_anybodys_answer_where_not(self):
        answer = asked(a_shop(BOTH, **NODE_PORT, **ETP_LOCAL), POD_ON_N2, "node-port", "n1")
        assert answer == at(HERE, THERE)

    def test_internal_policy_local_says_nothing_to_external_traffic(self):
        assert asked(a_shop(REMOTE, **NODE_PORT, **ITP_LOCAL), OUTSIDE, "node-port") == at(THERE)

    def test_external_policy_local_says_nothing_to_the_cluster_ip(self):
        assert asked(a_shop(REMOTE, **NODE_PORT, **ETP_LOCAL), POD_ON_N1, "cluster-ip") == at(THERE)


class TestRest:
    """Addresses that are captured, and those that are not."""

    def test_a_balancer_in_proxy_mode_is_not_captured(self):
        shop = a_shop(BOTH, **BALANCER, lb_mode="Proxy")
        assert reason(asked(shop, POD_ON_N1, "load-balancer")) == "not-captured"

    def test_a_balancer_without_address_is_not_exposed(self):
        assert reason(asked(a_shop(BOTH, **NODE_PORT), POD_ON_N1, "load-balancer")) == "not-exposed"

    def test_without_a_node_port_there_is_none(self):
        assert reason(asked(a_shop(BOTH), OUTSIDE, "node-port")) == "not-exposed"

    @pytest.mark.parametrize(
        ("ranges", "promised"),
        [
            ((" 198.51.100.0/24 ",), True),
            (("192.0.2.0/24",), False),
            (("192.0.2.0/24", "0.0.0.0/0"), True),
            (("2001:db8::/32",), True),
            ((), True),
        ],
    )
    def test_source_ranges_hold_for_the_balancers_address(self, ranges, promised):
        shop = a_shop(BOTH, **BALANCER, load_balancer_source_ranges=ranges)
        client = Client("outside", addr=parse_addr("198.51.100.7"))
        answer = asked(shop, client, "load-balancer")
        assert (answer == at(HERE, THERE)) if promised else reason(answer) == "source-ranges"

    def test_and_not_for_node_ports(self):
        shop = a_shop(BOTH, **BALANCER, load_balancer_source_ranges=("192.0.2.0/24",))
        client = Client("outside", addr=parse_addr("198.51.100.7"))
        assert asked(shop, client, "node-port") == at(HERE, THERE)

    def test_a_headless_service_is_a_name_for_pods(self):
        assert reason(asked(a_shop(BOTH, cluster_ip="None"), POD_ON_N1, "cluster-ip")) == "headless"

    def test_an_external_name_is_a_name_only(self):
        shop = a_shop(type="ExternalName", external_name="example.org", cluster_ip="")
        assert reason(asked(shop, POD_ON_N1, "cluster-ip")) == "external-name"

    def test_a_port_that_the_service_has_not_is_not_promised(self):
        cluster, service = a_shop(BOTH)
        answer = backends(cluster, service, a_service_port(81), POD_ON_N1, "cluster-ip", "n1", v4=True)
        assert reason(answer) == "port-not-in-service"

    def test_families_are_apart(self):
        six = a_slice(an_endpoint("fd00::5"), name="six", address_type="IPv6")
        cluster, service = a_shop(BOTH, six, cluster_ip=["10.96.0.20", "fd00:96::20"])
        answer = backends(cluster, service, service.spec.ports[0], POD_ON_N1, "cluster-ip", "n1", v4=False)
        assert answer == at("fd00::5")

    def test_user_made_slices_may_hold_addresses_outside(self):
        answer = asked(
            a_shop(a_slice(an_endpoint("198.51.100.7", None)), selector={}), POD_ON_N1, "cluster-ip"
        )
        assert answer == at("198.51.100.7")
