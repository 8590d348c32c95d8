"""``podpath check BUNDLE TARGET`` on bundles of real clusters."""

import json

import jsonschema
import pytest

from podpath.cli.load import load
from podpath.diagnosis.target import State, examine
from podpath.model.network import Network
from podpath.report.schemas import schema_of
from tests.builders import a_network, a_node, a_pod, a_service, a_service_port, a_slice, an_endpoint
from tests.cli.running import podpath

LOADED: dict[str, Network] = {}


@pytest.fixture
def network(corpus):
    def loaded(name):
        if name not in LOADED:
            LOADED[name] = load(str(corpus[name]))
        return LOADED[name]

    return loaded


def states(links):
    found: dict[tuple[str, str], list[State]] = {}
    for link in links:
        found.setdefault((link.part, link.title), []).append(link.state)
    return found


@pytest.mark.parametrize(
    "target", ["svc/shop/api", "svc/shop/web", "svc/shop/db", "pod/ops/client", "node/n2", "api"]
)
def test_every_link_of_a_healthy_cluster_holds(network, target):
    wrong = [
        link
        for link in examine(network("iptables-vxlan-healthy"), target)
        if link.state in ("broken", "unknown")
    ]
    assert wrong == []


def test_names_resolve_where_dns_is_healthy(network):
    found = states(examine(network("coredns-healthy"), "dns"))
    assert found["", "a name inside"] == ["ok"]
    assert found["", "a name outside"] == ["ok"]
    assert found["", "Pods ask it"] == ["ok"]


def test_a_selector_that_matches_nobody_is_the_first_broken_link(network):
    links = examine(network("service-selector"), "svc/shop/api")
    first = next(link for link in links if link.state == "broken")
    assert (first.title, first.text) == ("selector", "app=apii matches no Pod of shop")
    assert "selector" in first.evidence[0].text


def test_a_port_that_nobody_listens_on_is_told(network):
    links = examine(network("not-listening"), "svc/shop/db")
    (listening,) = [link for link in links if link.title == "a program listens"]
    assert listening.state == "broken"
    assert "nothing listens on" in listening.text
    assert listening.evidence[0].source.endswith("ss")


def test_a_hairpin_that_is_off_breaks_that_link_alone(network):
    found = states(examine(network("hairpin-off"), "svc/shop/db"))
    assert found["through the Service", "itself (hairpin)"] == ["broken"]
    assert found["through the Service", "ClusterIP"] == ["ok"]


def test_missing_rules_of_one_node_break_the_way_in(network):
    links = examine(network("kube-proxy-rules-flushed"), "svc/shop/api")
    assert {link.state for link in links if link.title == "Pods, from elsewhere"} == {"ok"}
    broken = [link for link in links if link.title == "ClusterIP" and link.state == "broken"]
    assert broken
    assert all("n1" in str(link.evidence[0]) for link in broken)


def test_a_lost_route_breaks_the_pods_themselves(network):
    links = examine(network("route-lost"), "svc/shop/db")
    broken = next(link for link in links if link.state == "broken")
    assert broken.title == "Pods, from elsewhere"
    assert str(broken.evidence[0]) == "n1, ip-route.json:1"


def test_dns_without_endpoints_is_told(network):
    links = examine(network("dns-no-endpoints"), "dns")
    assert next(link for link in links if link.state == "broken").title in ("selector", "EndpointSlices")


def test_what_is_by_design_is_no_fault(network):
    links = examine(network("iptables-vxlan-healthy"), "svc/shop/web-local")
    (designed,) = [link for link in links if link.state == "as-designed"]
    assert "externalTrafficPolicy: Local and n3 has none" in designed.text


def test_a_broken_node_is_reached_and_does_not_forward(network):
    found = states(examine(network("forward-policy-drop"), "node/n2"))
    assert found["", "ready"] == found["", "from other nodes"] == ["ok"]
    assert "broken" in found["", "Pods to Pods"]


# --- made by hand ---


def test_what_does_not_exist_is_one_broken_link():
    (link,) = examine(a_network(), "svc/shop/api")
    assert (link.title, link.state, link.text) == ("exists", "broken", "there is no Service shop/api")


def test_an_alias_is_by_design():
    (link,) = examine(
        a_network(a_service("db", cluster_ip="", type="ExternalName", external_name="db.example.com")),
        "svc/shop/db",
    )
    assert link.state == "as-designed"


def test_a_named_target_port_that_no_container_has_is_told():
    service = a_service(ports=(a_service_port(80, "grpc"),))
    links = examine(a_network(a_node(), a_pod(), service), "svc/shop/web")
    (target,) = [link for link in links if link.title == "targetPort"]
    assert (target.state, target.text) == (
        "broken",
        "no container of web-1 has a port named grpc; it has http 8080",
    )


def test_slices_that_are_out_of_date_are_told():
    stale = a_slice(an_endpoint("10.244.0.99"))
    links = examine(a_network(a_node(), a_pod(), a_service(), stale), "svc/shop/web")
    (slices,) = [link for link in links if link.title == "EndpointSlices"]
    assert slices.state == "broken"
    assert "10.244.0.5:8080 is missing, 10.244.0.99:8080 is out of date" in slices.text


def test_pods_that_are_not_ready_are_told_with_their_reason():
    links = examine(a_network(a_node(), a_pod(ready=False), a_service()), "svc/shop/web")
    (ready,) = [link for link in links if link.title == "Pods are ready"]
    assert (ready.state, ready.text) == ("broken", "0 of 1 are; not web-1 (Running)")


def test_sockets_that_were_not_collected_are_not_known():
    links = examine(a_network(a_node(), a_pod(), a_service(), a_slice()), "svc/shop/web")
    (listening,) = [link for link in links if link.title == "a program listens"]
    assert listening.state == "unknown"


def test_a_pod_without_a_node_is_not_scheduled():
    links = examine(a_network(a_pod(node="", ip="", phase="Pending", ready=False)), "pod/shop/web-1")
    assert (links[0].title, links[0].state) == ("scheduled", "broken")


def test_only_targets_are_examined():
    with pytest.raises(ValueError, match="no target: internet"):
        examine(a_network(), "internet")


# --- the command ---


def test_the_command_draws_the_chain(corpus):
    done = podpath("check", corpus["service-selector"], "svc/shop/api")
    assert done.returncode == 1
    assert done.stdout.startswith("svc/shop/api, link by link:\n")
    assert "✗ selector" in done.stdout


def test_a_healthy_target_is_0(corpus):
    assert podpath("check", corpus["iptables-vxlan-healthy"], "svc/shop/api").returncode == 0


def test_a_workload_is_one_of_its_pods(corpus):
    assert podpath("check", corpus["iptables-vxlan-healthy"], "deploy/shop/db").stdout.startswith(
        "pod/shop/db-"
    )


def test_the_chain_is_valid_json(corpus):
    found = json.loads(podpath("check", corpus["service-selector"], "svc/shop/api", "-o", "json").stdout)
    jsonschema.validate(found, schema_of("target"))
    assert found["target"] == "svc/shop/api"
    assert "broken" in {link["state"] for link in found["links"]}
