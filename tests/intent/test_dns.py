"""Whom a Pod asks for names (kubelet, GetPodDNS)."""

import pytest

from podpath.intent.clients import Clients
from podpath.intent.dns import dns_promises, dns_services, expected_resolver, resolver
from podpath.intent.permission import Permissions
from podpath.model.addr import format_addr, parse_addr
from podpath.model.kube.pod import DnsConfig, DnsOption
from podpath.model.linux.agents import KubeletConfig
from podpath.model.linux.resolv import ResolvConf
from podpath.model.network import Netns, Node
from podpath.model.promise import NotPromised, Promise
from podpath.model.refs import node_netns, pod_netns
from tests.builders import (
    a_cluster,
    a_network,
    a_node,
    a_pod,
    a_policy,
    a_service,
    a_service_port,
    a_slice,
    an_address,
    an_endpoint,
)

DNS = a_service(
    "kube-dns",
    "kube-system",
    cluster_ip="10.96.0.10",
    labels={"k8s-app": "kube-dns"},
    ports=[a_service_port(53, 53, name="dns", protocol="UDP"), a_service_port(53, 53, name="dns-tcp")],
    selector={"k8s-app": "kube-dns"},
)
SLICES = (
    a_slice(
        an_endpoint("10.244.0.2"),
        service="kube-dns",
        namespace="kube-system",
        name="u",
        port=53,
        port_name="dns",
        protocol="UDP",
    ),
    a_slice(
        an_endpoint("10.244.0.2"),
        service="kube-dns",
        namespace="kube-system",
        name="t",
        port=53,
        port_name="dns-tcp",
    ),
)
UPSTREAM = parse_addr("192.0.2.53")
HOST = Netns(
    node_netns("n1"),
    "n1",
    "nodes/n1",
    resolv=ResolvConf("resolv.conf", (UPSTREAM,), search=("corp.example",)),
)


def a_site(*objects, kubelet=None, more=()):
    nodes = {} if kubelet is None else {"n1": Node("n1", kubelet=kubelet)}
    return a_network(
        a_node(), DNS, *SLICES, *objects, nodes=nodes, namespaces={one.id: one for one in (HOST, *more)}
    )


def servers(resolver):
    return [format_addr(addr) for addr in resolver.nameservers]


def expected(pod, **site):
    return expected_resolver(a_site(pod, **site), pod)


class TestExpectedResolver:
    def test_cluster_first_asks_the_clusters_dns_with_its_search_list(self):
        known = expected(a_pod())
        assert servers(known) == ["10.96.0.10"]
        assert known.searches == (
            "shop.svc.cluster.local",
            "svc.cluster.local",
            "cluster.local",
            "corp.example",
        )
        assert known.ndots == 5

    def test_default_asks_as_the_node_does(self):
        known = expected(a_pod(dns_policy="Default"))
        assert (servers(known), known.searches, known.ndots) == (["192.0.2.53"], ("corp.example",), 1)

    def test_cluster_first_on_the_hosts_network_means_default(self):
        assert servers(expected(a_pod(host_network=True))) == ["192.0.2.53"]

    def test_unless_it_says_with_host_net(self):
        pod = a_pod(host_network=True, dns_policy="ClusterFirstWithHostNet")
        assert servers(expected(pod)) == ["10.96.0.10"]

    def test_none_asks_what_its_own_settings_say(self):
        config = DnsConfig((an_address("192.0.2.1"),), ("a.example",), (DnsOption("ndots", "2"),))
        known = expected(a_pod(dns_policy="None", dns_config=config))
        assert (servers(known), known.searches, known.ndots) == (["192.0.2.1"], ("a.example",), 2)

    def test_own_settings_are_added_and_options_replaced(self):
        config = DnsConfig(
            (an_address("192.0.2.1"), an_address("10.96.0.10")),
            ("svc.cluster.local",),
            (DnsOption("ndots", "1"),),
        )
        known = expected(a_pod(dns_config=config))
        assert servers(known) == ["10.96.0.10", "192.0.2.1"]
        assert known.searches.count("svc.cluster.local") == 1
        assert known.ndots == 1

    def test_three_servers_at_most(self):
        config = DnsConfig(tuple(an_address(f"192.0.2.{last}") for last in range(1, 5)))
        assert servers(expected(a_pod(dns_config=config))) == ["10.96.0.10", "192.0.2.1", "192.0.2.2"]

    def test_the_kubelets_settings_decide(self):
        kubelet = KubeletConfig(
            "kubelet-config.json", cluster_dns=("169.254.20.10",), cluster_domain="corp.test"
        )
        known = expected(a_pod(), kubelet=kubelet)
        assert (servers(known), known.searches[0]) == (["169.254.20.10"], "shop.svc.corp.test")

    def test_without_the_nodes_file_default_is_not_known(self):
        pod = a_pod(dns_policy="Default")
        assert expected_resolver(a_network(a_node(), pod), pod) is None


def test_a_pods_own_file_comes_before_what_it_should_hold():
    pod = a_pod()
    own = Netns(
        pod_netns(*pod.key), "n1", "nodes/n1/pods/shop.web-1", resolv=ResolvConf("resolv.conf", (UPSTREAM,))
    )
    assert servers(resolver(a_site(pod, more=[own]), pod)) == ["192.0.2.53"]


@pytest.mark.parametrize(
    ("service", "addresses"),
    [
        (a_service("coredns", "kube-system"), ()),
        (a_service("any", "kube-system", labels={"k8s-app": "kube-dns"}), ()),
        (a_service("mine", "infra", cluster_ip="10.96.0.99"), (parse_addr("10.96.0.99"),)),
    ],
    ids=["by name", "by label", "by the address that kubelets hand out"],
)
def test_the_dns_service_is_found(service, addresses):
    assert dns_services(a_cluster(a_service(), service), addresses) == (service,)


def made(*objects, **site):
    network = a_site(*objects, **site)
    return list(dns_promises(Clients(network), Permissions(network)))


class TestPromises:
    def test_a_pod_reaches_its_dns_by_both_protocols(self):
        promises = made(a_pod())
        assert [(one.kind, str(one.flow)) for one in promises] == [
            ("dns", "pod/shop/web-1 -> 10.96.0.10:53/udp"),
            ("dns", "pod/shop/web-1 -> 10.96.0.10:53/tcp"),
        ]
        assert promises[0].servers == frozenset({(parse_addr("10.244.0.2"), 53)})

    def test_pods_with_the_same_resolvers_stand_for_each_other(self):
        promises = made(
            a_pod(), a_pod("web-2", ip="10.244.0.6"), a_pod("odd", ip="10.244.0.7", dns_policy="Default")
        )
        assert sorted(one.stands_for for one in promises) == [1, 1, 2, 2]

    def test_a_resolver_outside_may_be_anybody(self):
        assert {one.servers for one in made(a_pod(dns_policy="Default"))} == {None}

    def test_a_node_local_cache_is_on_the_node(self):
        kubelet = KubeletConfig("kubelet-config.json", cluster_dns=("169.254.20.10",))
        assert made(a_pod(), kubelet=kubelet)[0].servers == frozenset({(parse_addr("169.254.20.10"), 53)})

    def test_a_dns_service_without_tcp_promises_udp_only(self):
        udp = a_service(
            "kube-dns",
            "kube-system",
            cluster_ip="10.96.0.10",
            labels={"k8s-app": "kube-dns"},
            ports=DNS.spec.ports[:1],
        )
        promise, refused = made(udp, a_pod())
        assert isinstance(promise, Promise)
        assert refused.reason == "port-not-in-service"

    def test_a_policy_that_forgot_dns_is_told(self):
        policy = a_policy(policyTypes=["Egress"])
        assert {(type(one), one.reason) for one in made(a_pod(), policy)} == {(NotPromised, "network-policy")}

    def test_a_pod_that_does_not_run_asks_nobody(self):
        assert made(a_pod(phase="Pending")) == []
