"""Names become flows."""

import msgspec
import pytest

from podpath.cli.errors import UsageError
from podpath.cli.names import ask
from podpath.model.addr import format_addr, parse_addr
from podpath.model.kube.meta import Meta, Owner
from podpath.model.kube.selector import LabelSelector
from podpath.model.kube.workload import Workload, WorkloadSpec
from podpath.model.linux.link import InterfaceAddress
from podpath.model.linux.resolv import ResolvConf
from podpath.model.network import Netns, Network
from podpath.model.refs import node_netns, pod_netns
from tests.builders import (
    a_cluster,
    a_namespace,
    a_network,
    a_node,
    a_pod,
    a_service,
    a_service_port,
    a_slice,
    an_endpoint,
)

API = a_service(
    "kubernetes",
    "default",
    cluster_ip="10.96.0.1",
    selector={},
    ports=(a_service_port(443, 6443, name="https"),),
)
API_SLICE = a_slice(
    an_endpoint("172.30.0.2", None), service="kubernetes", namespace="default", port=6443, port_name="https"
)
DNS = a_service(
    "kube-dns",
    "kube-system",
    cluster_ip="10.96.0.10",
    labels={"k8s-app": "kube-dns"},
    selector={"k8s-app": "kube-dns"},
    ports=(a_service_port(53, 53, name="dns", protocol="UDP"), a_service_port(53, 53, name="dns-tcp")),
)
WEB = a_service(
    ports=(
        a_service_port(80, "http", node_port=30080),
        a_service_port(9090, 9090, name="metrics", protocol="UDP"),
    )
)
CLIENT = a_pod("client", "ops", ip="10.244.0.7", labels={}, ports=())
WEB_1 = a_pod("web-1", ip="10.244.0.5")
WEB_2 = a_pod("web-2", node="n2", ip="10.244.1.5")


@pytest.fixture
def network():
    return a_network(
        a_node("n1", "172.30.0.11"),
        a_node("n2", "172.30.0.12", pod_cidr="10.244.1.0/24"),
        a_namespace("shop"),
        a_namespace("ops"),
        API,
        API_SLICE,
        DNS,
        WEB,
        CLIENT,
        WEB_1,
        WEB_2,
    )


def asked(network, src="pod/ops/client", dst="svc/shop/web", **more):
    question = ask(network, src, dst, **more)
    return [f"{flow}" for flow in question.flows]


def refused(network, src="pod/ops/client", dst="svc/shop/web"):
    with pytest.raises(UsageError) as raised:
        ask(network, src, dst)
    sentence = str(raised.value)
    assert "\n" not in sentence
    return sentence


# --- destinations ---


@pytest.mark.parametrize(
    ("dst", "flow"),
    [
        ("svc/shop/web:http", "10.96.0.20:80/tcp"),
        ("svc/shop/web:80", "10.96.0.20:80/tcp"),
        ("svc/shop/web:metrics", "10.96.0.20:9090/udp"),
        ("svc/shop/web/udp", "10.96.0.20:9090/udp"),
        ("pod/shop/web-2", "10.244.1.5:8080/tcp"),
        ("pod/shop/web-2:http", "10.244.1.5:8080/tcp"),
        ("pod/shop/web-2:53/udp", "10.244.1.5:53/udp"),
        ("pod/shop/web-2/icmp", "10.244.1.5/icmp"),
        ("node/n2", "172.30.0.12/icmp"),
        ("node/n2:10250", "172.30.0.12:10250/tcp"),
        ("10.96.0.20", "10.96.0.20:80/tcp"),
        ("10.244.1.5", "10.244.1.5:8080/tcp"),
        ("172.30.0.12:30080", "172.30.0.12:30080/tcp"),
        ("192.0.2.7:25", "192.0.2.7:25/tcp"),
        ("192.0.2.7", "192.0.2.7/icmp"),
        ("internet", "203.0.113.10:443/tcp"),
        ("internet:80", "203.0.113.10:80/tcp"),
        ("internet/icmp", "203.0.113.10/icmp"),
        ("dns", "10.96.0.10:53/udp"),
        ("dns/tcp", "10.96.0.10:53/tcp"),
        ("api", "10.96.0.1:443/tcp"),
    ],
)
def test_a_destination_is_an_address_and_a_port(network, dst, flow):
    assert asked(network, dst=dst) == [f"pod/ops/client -> {flow}"]


def test_the_size_is_passed_on(network):
    assert ask(network, "pod/ops/client", "api", size=100_000).flows[0].size == 100_000


def test_a_pod_without_a_port_is_pinged_and_that_is_said(network):
    question = ask(network, "node/n1", "pod/ops/client")
    assert str(question.flows[0]) == "node/n1 -> 10.244.0.7/icmp"
    assert question.notes == ("pod/ops/client: no port is known, so it is pinged",)


def test_the_first_of_several_ports_is_asked_and_that_is_said(network):
    assert ask(network, "pod/ops/client", "svc/shop/web").notes == (
        "svc/shop/web: its first port, 80/tcp (http), is asked",
    )


def test_a_headless_service_is_each_of_its_pods():
    headless = a_service("peers", cluster_ip="None", ports=(a_service_port(80, "http"),))
    slices = a_slice(an_endpoint("10.244.0.5"), an_endpoint("10.244.1.5", "n2"), service="peers")
    network = a_network(a_node("n1"), a_node("n2", "172.30.0.12"), headless, slices, CLIENT, WEB_1, WEB_2)
    question = ask(network, "pod/ops/client", "svc/shop/peers")
    assert [str(flow) for flow in question.flows] == [
        "pod/ops/client -> 10.244.0.5:8080/tcp",
        "pod/ops/client -> 10.244.1.5:8080/tcp",
    ]
    assert question.dst == ("shop/web-1 on n1", "shop/web-2 on n2")
    assert question.notes == ("svc/shop/peers is headless: each of its 2 endpoints is asked",)


def test_a_pod_asks_the_resolver_of_its_own_resolv_conf(network):
    netns = Netns(
        pod_netns("ops", "client"),
        "n1",
        "nodes/n1/pods/ops.client",
        resolv=ResolvConf("resolv.conf", (parse_addr("169.254.20.10"),)),
    )
    assert asked(network.with_netns(netns), dst="dns") == ["pod/ops/client -> 169.254.20.10:53/udp"]


# --- sources ---


@pytest.mark.parametrize(
    ("src", "netns"),
    [
        ("pod/ops/client", "pod/ops/client"),
        ("node/n2", "node/n2"),
        ("svc/shop/web", "pod/shop/web-1"),
        ("10.244.1.5", "pod/shop/web-2"),
        ("172.30.0.12", "node/n2"),
    ],
)
def test_a_source_is_a_namespace(network, src, netns):
    assert ask(network, src, "api").flows[0].netns == netns


def test_a_pod_of_the_host_network_asks_from_its_node():
    network = a_network(a_node("n1"), API, API_SLICE, a_pod("agent", ip="172.30.0.11", host_network=True))
    assert asked(network, "pod/shop/agent", "api") == ["node/n1 -> 10.96.0.1:443/tcp"]


def test_an_address_of_nobody_is_outside(network):
    (flow,) = ask(network, "198.51.100.7", "node/n1:30080").flows
    assert (flow.netns, format_addr(flow.src)) == ("", "198.51.100.7")


def test_an_address_of_a_device_speaks_from_its_namespace(network):
    netns = Netns(
        node_netns("n1"),
        "n1",
        "nodes/n1",
        addresses=(InterfaceAddress("cni0", parse_addr("10.244.0.1"), 24),),
    )
    (flow,) = ask(network.with_netns(netns), "10.244.0.1", "pod/shop/web-1").flows
    assert (flow.netns, format_addr(flow.src)) == ("node/n1", "10.244.0.1")


def test_outside_asks_from_beside_the_node(network):
    (flow,) = ask(network, "outside", "node/n2:30080").flows
    assert flow.netns == ""
    assert format_addr(flow.src).startswith("172.30.0.")
    assert format_addr(flow.src) not in ("172.30.0.11", "172.30.0.12")


def test_from_outside_a_service_is_its_node_port(network):
    question = ask(network, "internet", "svc/shop/web")
    assert format_addr(question.flows[0].dst) == "172.30.0.11"
    assert question.flows[0].dport == 30080
    assert "NodePort 30080 of n1" in question.notes[0]


def test_from_outside_a_load_balancers_address_comes_first():
    network = a_network(a_node("n1"), a_service(lb_ips=("192.0.2.80",)))
    assert asked(network, "198.51.100.7", "svc/shop/web") == ["198.51.100.7 -> 192.0.2.80:80/tcp"]


def test_from_outside_nobody_reaches_a_cluster_ip(network):
    assert "nobody outside reaches it, by design" in refused(network, "outside", "svc/kube-system/kube-dns")


def test_the_api_server_asks_from_its_own_address(network):
    question = ask(network, "api", "node/n1:10250")
    assert str(question.flows[0]) == "172.30.0.2 -> 172.30.0.11:10250/tcp"
    assert question.notes == ("api: the API server at 172.30.0.2",)


# --- workloads ---


def a_workload(kind, name, owners=(), selector=None):
    return Workload(
        kind=kind,
        meta=Meta(name=name, namespace="shop", owners=owners),
        spec=WorkloadSpec(selector=LabelSelector(match_labels=selector or {"app": name})),
    )


def owned(pod, kind, name):
    return msgspec.structs.replace(
        pod, meta=msgspec.structs.replace(pod.meta, owners=(Owner(kind, name, controller=True),))
    )


def test_a_deployment_is_a_running_pod_of_its_replica_set_on_the_first_node():
    network = a_network(
        a_node("n1"),
        a_workload("Deployment", "web"),
        a_workload("ReplicaSet", "web-abc", (Owner("Deployment", "web", controller=True),)),
        owned(WEB_2, "ReplicaSet", "web-abc"),
        owned(WEB_1, "ReplicaSet", "web-abc"),
        owned(a_pod("web-0", node="n0", phase="Pending", ready=False, ip=""), "ReplicaSet", "web-abc"),
        CLIENT,
    )
    question = ask(network, "deploy/shop/web", "pod/ops/client")
    assert question.flows[0].netns == "pod/shop/web-1"
    assert question.notes[0] == "deploy/shop/web: asked by its Pod shop/web-1 on n1"


def test_a_stateful_sets_pod_is_found_by_owner():
    network = a_network(
        a_node("n1"), a_workload("StatefulSet", "db"), owned(WEB_1, "StatefulSet", "db"), CLIENT
    )
    assert asked(network, dst="sts/shop/db") == ["pod/ops/client -> 10.244.0.5:8080/tcp"]


def test_a_workload_without_running_pods_says_so():
    network = a_network(a_workload("DaemonSet", "agent"), CLIENT)
    assert refused(network, dst="ds/shop/agent") == "DaemonSet shop/agent has no running Pod"


# --- two families ---


DUAL = {
    "client": a_pod("client", "ops", ip=("10.244.0.7", "fd00:10:244::7"), labels={}, ports=()),
    "web": a_service(cluster_ip=("10.96.0.20", "fd00:10:96::20")),
}


def test_ipv4_comes_first_where_both_speak_it():
    network = a_network(DUAL["client"], DUAL["web"])
    assert asked(network) == ["pod/ops/client -> 10.96.0.20:80/tcp"]
    assert asked(network, v6=True) == ["pod/ops/client -> [fd00:10:96::20]:80/tcp"]


def test_the_family_that_both_have_is_taken():
    network = a_network(DUAL["client"], a_service(cluster_ip="fd00:10:96::20"))
    assert asked(network) == ["pod/ops/client -> [fd00:10:96::20]:80/tcp"]
    assert asked(network, dst="fd00::99/icmp") == ["pod/ops/client -> fd00::99/icmpv6"]


def test_two_of_different_families_cannot_speak():
    network = a_network(CLIENT, a_service(cluster_ip="fd00:10:96::20"))
    assert refused(network) == "pod/ops/client and svc/shop/web have no addresses of the same family"


# --- what cannot be asked ---


@pytest.mark.parametrize(
    ("dst", "sentence"),
    [
        ("pod/shop/web-3", "there is no Pod shop/web-3: did you mean pod/shop/web-2 or pod/shop/web-1?"),
        ("svc/shop/wbe", "there is no Service shop/wbe: did you mean svc/shop/web?"),
        ("svc/ops/web", "there is no Service ops/web: did you mean svc/shop/web?"),
        ("svc/shop/web-1", "there is no Service shop/web-1: did you mean pod/shop/web-1 or svc/shop/web?"),
        ("pod/shp/x", "there is no namespace shp: did you mean shop?"),
        ("node/n3", "there is no node n3"),
        ("svc/shop/web:443", "Service shop/web has no port 443: it has 80/tcp (http), 9090/udp (metrics)"),
        ("svc/shop/web:30080", "30080 is the NodePort of Service shop/web: ask it as node/NAME:30080"),
        ("svc/shop/web/icmp", "nobody answers a ping there"),
        ("pod/shop/web-1:grpc", "Pod shop/web-1 names no port grpc: it has 8080/tcp (http)"),
        ("node/n1:ssh", "ssh is no port of node n1, give a number"),
        ("node/n1/udp", "which port of node n1?"),
    ],
)
def test_what_is_not_there_is_told_with_what_is_near(network, dst, sentence):
    assert sentence in refused(network, dst=dst)


def test_a_client_takes_no_port(network):
    assert "a client needs no port" in refused(network, src="pod/ops/client:80")


def test_a_pod_that_is_not_scheduled_has_no_packets():
    network = a_network(CLIENT, a_pod("new", node="", ip="", phase="Pending"))
    assert refused(network, dst="pod/shop/new") == (
        "Pod shop/new is Pending and has no address of its own: no packet comes from or to it"
    )


def test_an_alias_is_to_be_asked_at_its_own_address():
    network = a_network(
        CLIENT, a_service("db", cluster_ip="", type="ExternalName", external_name="db.example.com")
    )
    assert (
        refused(network, dst="svc/shop/db")
        == "Service shop/db is only a name for db.example.com: ask that address"
    )


def test_a_list_that_was_not_collected_is_not_an_absence():
    network = Network("bare", a_cluster(CLIENT, collected=frozenset({"pods"})))
    assert "the bundle has no list of services" in refused(network)


def test_many_pods_are_searched_quickly():
    pods = [
        a_pod(f"web-{number}", ip=f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
        for number in range(30_000)
    ]
    assert "did you mean" in refused(a_network(CLIENT, *pods), dst="pod/shop/web-1234x")
