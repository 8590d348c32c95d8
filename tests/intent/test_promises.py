"""What is promised, to whom, and by whom it may be kept."""

import msgspec
import pytest

from podpath.intent.clients import Clients
from podpath.intent.limits import Limits
from podpath.intent.promises import promises
from podpath.model.addr import ANY_V4, format_addr, parse_addr, parse_prefix
from podpath.model.kube.cluster import Cluster
from podpath.model.kube.meta import Meta
from podpath.model.kube.pod import Container, ContainerState, ContainerStatus, Probe, ProbeAction, Waiting
from podpath.model.kube.webhook import ClientConfig, ServiceReference, Webhook, WebhookConfiguration
from podpath.model.linux.agents import KubeletConfig, KubeProxyConfig
from podpath.model.linux.link import InterfaceAddress
from podpath.model.linux.neighbor import Neighbor
from podpath.model.linux.route import NextHop, Route
from podpath.model.network import Netns, Network, Node
from podpath.model.promise import NotPromised, Promise
from podpath.model.refs import node_netns
from tests.builders import (
    a_cluster,
    a_network,
    a_node,
    a_pod,
    a_policy,
    a_port,
    a_service,
    a_service_port,
    a_slice,
    an_endpoint,
    an_other,
)

N1, N2 = a_node("n1"), a_node("n2", "172.30.0.12", pod_cidr="10.244.1.0/24")
WEB = a_pod("web", ip="10.244.0.5")
FAR = a_pod("far", ip="10.244.1.5", node="n2", labels={"app": "other"}, ports=[])
SHOP = (N1, N2, WEB, FAR, a_service(), a_slice(an_endpoint("10.244.0.5", "n1", pod="web")))
API = (
    a_service(
        "kubernetes",
        "default",
        cluster_ip="10.96.0.1",
        ports=[a_service_port(443, 6443, name="https")],
        selector={},
    ),
    a_slice(
        an_endpoint("172.30.0.11", None),
        service="kubernetes",
        namespace="default",
        port=6443,
        port_name="https",
    ),
)
NODE_PORT = (a_service(ports=[a_service_port(node_port=30080)]),)
SMALL = Limits(every_node=1, every_service=1)


def made(*objects, limits=None, **fields):
    network = a_network(*objects, **fields)
    return list(promises(network, limits) if limits else promises(network))


def kept(kind, *objects, **network):
    return [one for one in made(*objects, **network) if isinstance(one, Promise) and one.kind == kind]


def flows(kind, *objects, **network):
    return [str(one.flow) for one in kept(kind, *objects, **network)]


def reasons(*objects, **network):
    return {one.reason for one in made(*objects, **network) if isinstance(one, NotPromised)}


def test_nothing_promises_nothing():
    assert reasons() == {"no-service"}
    assert list(promises(Network("empty", Cluster()))) == []


class TestServices:
    def test_a_pod_of_each_node_and_each_node_reach_it(self):
        assert flows("service", *SHOP) == [
            "pod/shop/web -> 10.96.0.20:80/tcp",
            "node/n1 -> 10.96.0.20:80/tcp",
            "pod/shop/far -> 10.96.0.20:80/tcp",
            "node/n2 -> 10.96.0.20:80/tcp",
        ]

    def test_its_endpoints_may_answer(self):
        assert {one.servers for one in kept("service", *SHOP)} == {
            frozenset({(parse_addr("10.244.0.5"), 8080)})
        }

    def test_the_words_are_the_users(self):
        assert kept("service", *SHOP)[0].text == "shop/web on n1 -> Service shop/web:http"

    def test_pods_that_are_alike_stand_for_each_other(self):
        twin = a_pod("twin", ip="10.244.1.6", node="n2", labels={"app": "other"})
        assert [one.stands_for for one in kept("service", *SHOP, twin) if one.client.name == "far"] == [2]

    def test_a_client_that_is_no_endpoint_is_taken_where_there_is_one(self):
        other = a_pod("other", ip="10.244.0.6", labels={})
        assert "pod/shop/other -> 10.96.0.20:80/tcp" in flows("service", *SHOP, other)

    def test_a_pod_asks_its_own_service(self):
        (promise,) = kept("self", *SHOP)
        assert promise.text == "shop/web on n1 -> itself through Service shop/web:http"

    @pytest.mark.parametrize("phase", ["Pending", "Succeeded", "Failed"])
    def test_a_pod_that_does_not_run_is_no_client(self, phase):
        idle = a_pod("idle", node="n2", ip="10.244.1.9", phase=phase)
        assert not any("idle" in flow for flow in flows("service", *SHOP[:3], *SHOP[4:], idle))

    def test_without_endpoints_it_says_so_once(self):
        told = [one for one in made(N1, N2, WEB, a_service()) if isinstance(one, NotPromised)]
        assert [one.text for one in told if one.reason == "no-endpoints"] == [
            "Service shop/web:http has no ready endpoint of IPv4"
        ]

    def test_both_families_are_walked(self):
        two = a_service(cluster_ip=["10.96.0.20", "fd00:96::20"])
        six = a_slice(an_endpoint("fd00::5", "n1"), name="six", address_type="IPv6")
        pod = a_pod("web", ip=["10.244.0.5", "fd00::5"])
        found = flows("service", N1, pod, two, SHOP[5], six)
        assert "pod/shop/web -> [fd00:96::20]:80/tcp" in found
        assert "pod/shop/web -> 10.96.0.20:80/tcp" in found

    def test_a_headless_service_is_told_as_such(self):
        assert "headless" in reasons(N1, a_service(cluster_ip="None"))

    def test_a_balancers_address_is_captured_by_every_node(self):
        balanced = a_service(type="LoadBalancer", lb_ips=["203.0.113.80"])
        assert len(flows("load-balancer", *SHOP[:4], balanced, SHOP[5])) == 4

    def test_an_external_ip_that_a_node_holds_is_asked_from_outside_too(self):
        exposed = a_service(external_ips=["172.30.0.12"])
        assert "172.30.0.254 -> 172.30.0.12:80/tcp" in flows("external-ip", *SHOP[:4], exposed, SHOP[5])


class TestNodePorts:
    SITE = (*SHOP[:4], *NODE_PORT, SHOP[5])

    def test_asked_from_outside_from_the_node_from_its_pods_and_from_the_next_node(self):
        assert flows("node-port", *self.SITE)[:5] == [
            "172.30.0.254 -> 172.30.0.11:30080/tcp",
            "pod/shop/web -> 172.30.0.11:30080/tcp",
            "node/n1 -> 172.30.0.11:30080/tcp",
            "pod/shop/far -> 172.30.0.11:30080/tcp",
            "node/n2 -> 172.30.0.11:30080/tcp",
        ]

    def test_policy_local_promises_nothing_where_there_is_no_endpoint(self):
        local = a_service(ports=[a_service_port(node_port=30080)], external_traffic_policy="Local")
        found = flows("node-port", *SHOP[:4], local, SHOP[5])
        assert "172.30.0.254 -> 172.30.0.11:30080/tcp" in found
        assert "172.30.0.254 -> 172.30.0.12:30080/tcp" not in found

    def test_node_port_addresses_restrict_them(self):
        proxy = KubeProxyConfig("kube-proxy-config.json", node_port_addresses=("192.0.2.0/24",))
        nodes = {"n2": Node("n2", kube_proxy=proxy)}
        assert not any(".12:30080" in flow for flow in flows("node-port", *self.SITE, nodes=nodes))
        assert "node-port-addresses" in reasons(*self.SITE, nodes=nodes)

    def test_the_nodes_router_is_who_asks_where_it_is_known(self):
        router, subnet = parse_addr("172.30.0.1"), parse_addr("172.30.0.11")
        host = Netns(
            node_netns("n1"),
            "n1",
            "nodes/n1",
            addresses=(InterfaceAddress("eth0", subnet, 24),),
            routes=(Route(ANY_V4, nexthops=(NextHop("eth0", router),)),),
            neighbors=(Neighbor(parse_addr("172.30.0.77"), "eth0", state="STALE"),),
        )
        assert flows("node-port", *self.SITE, namespaces={host.id: host})[0].startswith("172.30.0.1 ->")

    def test_a_policy_sees_the_node_port_of_another_node_untranslated(self):
        only_web = a_policy(
            podSelector={"matchLabels": {"app": "other"}},
            policyTypes=["Egress"],
            egress=[{"to": [{"podSelector": {}}]}],
        )
        found = flows("node-port", *self.SITE, only_web)
        assert "pod/shop/far -> 172.30.0.12:30080/tcp" in found
        assert "pod/shop/far -> 172.30.0.11:30080/tcp" not in found


class TestPods:
    def test_pods_reach_each_other_between_nodes(self):
        assert flows("pod", *SHOP) == [
            "pod/shop/web -> 10.244.1.5:8080/tcp",
            "pod/shop/far -> 10.244.0.5:8080/tcp",
        ]

    def test_and_on_one_node(self):
        assert flows("pod", N1, WEB, a_pod("b", ip="10.244.0.6")) == ["pod/shop/web -> 10.244.0.6:8080/tcp"]

    def test_a_port_that_a_service_leads_to_is_preferred(self):
        server = a_pod("web", ports=[a_port(9999, "x"), a_port(8443, "http")])
        site = (N1, N2, server, FAR, a_service(ports=[a_service_port(80, "http")]))
        assert "pod/shop/far -> 10.244.0.5:8443/tcp" in flows("pod", *site)

    def test_reaching_the_pod_is_enough(self):
        (promise, _) = kept("pod", *SHOP)
        assert not promise.needs_listener
        assert promise.servers == frozenset({(parse_addr("10.244.1.5"), 0)})

    def test_pods_of_the_hosts_network_are_no_clients_of_their_own(self):
        assert flows("pod", N1, N2, WEB, a_pod("agent", node="n2", ip="172.30.0.12", host_network=True)) == []

    def test_policies_tell_pods_apart(self):
        policy = a_policy(podSelector={"matchLabels": {"app": "web"}}, ingress=[])
        assert flows("pod", *SHOP, policy) == ["pod/shop/web -> 10.244.1.5:8080/tcp"]
        assert "network-policy" in reasons(*SHOP, policy)

    def test_peers_that_a_policy_names_are_tells_too(self):
        friend = a_pod("friend", ip="10.244.1.6", node="n2", labels={"app": "friend"})
        peer = {"podSelector": {"matchLabels": {"app": "friend"}}}
        policy = a_policy(podSelector={"matchLabels": {"app": "web"}}, ingress=[{"from": [peer]}])
        found = flows("service", *SHOP, friend, policy)
        assert "pod/shop/friend -> 10.96.0.20:80/tcp" in found
        assert "pod/shop/far -> 10.96.0.20:80/tcp" not in found

    def test_a_policy_in_another_language_leaves_its_namespace_unpromised(self):
        others = an_other("networkpolicies.crd.projectcalico.org", namespace="shop")
        told = list(promises(Network("test", a_cluster(*SHOP, others=others))))
        assert not any(isinstance(one, Promise) and one.kind == "pod" for one in told)
        assert "policy-not-understood" in {one.reason for one in told if isinstance(one, NotPromised)}


class TestOutside:
    def test_pods_and_nodes_reach_it(self):
        assert flows("outside", N1, WEB) == [
            "pod/shop/web -> 203.0.113.10:443/tcp",
            "node/n1 -> 203.0.113.10:443/tcp",
        ]

    def test_an_address_that_the_cluster_uses_is_not_taken(self):
        node = a_node("n1", "203.0.113.11")
        assert flows("outside", node, WEB)[0] == "pod/shop/web -> 198.51.100.10:443/tcp"

    def test_ipv6_is_promised_only_where_a_node_has_a_way(self):
        pod = a_pod(ip=["10.244.0.5", "fd00::5"])
        way = Route(parse_prefix("::/0"), nexthops=(NextHop("eth0"),))
        host = Netns(node_netns("n1"), "n1", "nodes/n1", routes=(), routes6=(way,))
        assert not any("2001:db8" in flow for flow in flows("outside", N1, pod))
        assert (
            flows("outside", N1, pod, namespaces={host.id: host})[0]
            == "pod/shop/web-1 -> [2001:db8:ffff::10]:443/tcp"
        )

    def test_anybody_there_may_answer(self):
        assert {one.servers for one in kept("outside", N1, WEB)} == {None}


class TestControlPlane:
    def test_everybody_reaches_the_api_server(self):
        assert flows("api", N1, N2, WEB, *API) == [
            "pod/shop/web -> 10.96.0.1:443/tcp",
            "node/n1 -> 10.96.0.1:443/tcp",
            "node/n2 -> 10.96.0.1:443/tcp",
            "node/n1 -> 172.30.0.11:6443/tcp",
            "node/n2 -> 172.30.0.11:6443/tcp",
        ]

    def test_it_reaches_each_kubelet(self):
        assert flows("kubelet", N1, N2, *API) == [
            "node/n1 -> 172.30.0.11:10250/tcp",
            "node/n1 -> 172.30.0.12:10250/tcp",
        ]

    def test_from_outside_where_it_is_no_node(self):
        away = a_slice(
            an_endpoint("172.30.0.2", None),
            service="kubernetes",
            namespace="default",
            port=6443,
            port_name="https",
        )
        assert flows("kubelet", N1, API[0], away) == ["172.30.0.2 -> 172.30.0.11:10250/tcp"]

    def test_a_kubelet_may_listen_elsewhere(self):
        nodes = {"n2": Node("n2", kubelet=KubeletConfig("kubelet-config.json", port=10260))}
        assert flows("kubelet", N1, N2, *API, nodes=nodes)[1] == "node/n1 -> 172.30.0.12:10260/tcp"

    def test_it_reaches_the_webhooks_it_calls(self):
        hook = WebhookConfiguration(
            kind="ValidatingWebhookConfiguration",
            meta=Meta(name="guard"),
            webhooks=(Webhook(name="a", client_config=ClientConfig(ServiceReference("shop", "web", 80))),),
        )
        assert "node/n1 -> 10.96.0.20:80/tcp" in flows("api", *SHOP, *API, hook)

    def test_no_service_kubernetes_is_told(self):
        assert "no-service" in reasons(N1)

    def test_no_api_server_announced_is_told(self):
        assert "no-endpoints" in reasons(N1, API[0])


class TestProbes:
    def pod(self, *, host="", action=None, **fields):
        probe = Probe(http_get=action or ProbeAction("http", host))
        container = Container(name="main", ports=(a_port(),), readiness_probe=probe, liveness_probe=probe)
        return a_pod(containers=[container], **fields)

    def test_a_node_asks_its_pods_once_for_each_port(self):
        (promise,) = kept("node", N1, self.pod())
        assert str(promise.flow) == "node/n1 -> 10.244.0.5:8080/tcp"
        assert promise.text == "n1 -> its Pod shop/web-1, probe at 10.244.0.5:8080/tcp"

    def test_no_policy_stands_in_its_way(self):
        assert len(kept("node", N1, self.pod(), a_policy())) == 1

    def test_a_pod_that_is_not_ready_is_asked_too(self):
        assert len(kept("node", N1, self.pod(ready=False))) == 1

    def test_a_probe_may_name_its_host(self):
        assert flows("node", N1, self.pod(host="127.0.0.1", host_network=True, ip="172.30.0.11")) == [
            "node/n1 -> 127.0.0.1:8080/tcp"
        ]

    def test_a_container_that_waits_is_not_asked(self):
        pod = self.pod()
        waiting = ContainerStatus("main", state=ContainerState(waiting=Waiting("CrashLoopBackOff")))
        pod = msgspec.structs.replace(
            pod, status=msgspec.structs.replace(pod.status, container_statuses=(waiting,))
        )
        assert kept("node", N1, pod) == []

    def test_a_command_is_no_packet(self):
        assert kept("node", N1, a_pod(containers=[Container(name="main", readiness_probe=Probe())])) == []


class TestLimits:
    def large(self, count=12, services=4):
        nodes = [
            a_node(f"n{i:02}", f"172.30.1.{i}", pod_cidr=f"10.244.{i}.0/24") for i in range(1, count + 1)
        ]
        pods = [
            a_pod(f"p{i}", node=node.name, ip=f"10.244.{i}.5", labels={"app": f"s{i % services}"})
            for i, node in enumerate(nodes, 1)
        ]
        objects = []
        for number in range(services):
            name = f"s{number}"
            mine = [
                an_endpoint(format_addr(pod.ips[0]), pod.node)
                for pod in pods
                if pod.meta.labels["app"] == name
            ]
            objects += [
                a_service(name, cluster_ip=f"10.96.1.{number}", selector={"app": name}),
                a_slice(*mine, service=name),
            ]
        return (*nodes, *pods, *objects)

    def test_a_service_is_asked_from_some_nodes_only(self):
        found = kept("service", *self.large(), limits=SMALL)
        for number in range(4):
            nodes = {
                one.client.name
                for one in found
                if one.subject.name == f"s{number}" and one.client.kind == "Pod"
            }
            assert 3 <= len(nodes) <= SMALL.endpoint_nodes + SMALL.other_nodes

    def test_every_node_asks_something(self):
        found = kept("service", *self.large(services=6), limits=SMALL)
        assert {one.client.name for one in found if one.client.kind == "Pod"} == {
            f"p{i}" for i in range(1, 13)
        }

    def test_each_nodes_pods_are_walked_to_the_next_ones(self):
        found = kept("pod", *self.large(), limits=SMALL)
        assert len(found) == 12 * SMALL.ring

    def test_the_walk_is_the_same_each_time(self):
        site = self.large()
        assert made(*site, limits=SMALL) == made(*site, limits=SMALL)

    def test_a_small_cluster_is_walked_whole(self):
        assert len(kept("pod", *self.large())) == 12 * 11

    def test_probes_of_a_node_are_bounded_and_failing_ones_come_first(self):
        probe = Probe(tcp_socket=ProbeAction(8080))
        pods = [
            a_pod(
                f"p{i}",
                ip=f"10.244.0.{i}",
                ready=i != 9,
                containers=[Container(name="c", readiness_probe=probe)],
            )
            for i in range(1, 10)
        ]
        found = kept("node", N1, *pods, limits=Limits(probes=3))
        assert [one.subject.name for one in found] == ["p9", "p1", "p2"]

    def test_nodes_are_those_of_pods_where_the_list_is_missing(self):
        assert Clients(a_network(WEB, FAR)).nodes == ("n1", "n2")
