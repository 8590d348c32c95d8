"""Lists of objects as kubectl and the API server print them."""

import gc
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podpath.bundle import open_bundle
from podpath.model.addr import parse_addr, parse_prefix
from podpath.model.refs import ObjectRef
from podpath.parse.kube_lists import parse_cluster


def pod(name="web", namespace="shop", **fields):
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace}, **fields}


def printed(*items, kind="List", indent=4):
    listed = {"apiVersion": "v1", "items": list(items), "kind": kind, "metadata": {"resourceVersion": ""}}
    return json.dumps(listed, indent=indent).encode()


def parsed(content, path="api/pods.json"):
    return parse_cluster({path: content})


def line_of(content, number):
    return content.decode().splitlines()[number - 1]


class TestShapes:
    def test_a_list_as_kubectl_prints_it(self):
        cluster, lost = parsed(printed(pod("a"), pod("b")))
        assert list(cluster.pods) == [("shop", "a"), ("shop", "b")]
        assert lost == ()

    def test_a_typed_list_whose_items_do_not_tell_their_kind(self):
        bare = {"metadata": {"name": "web", "namespace": "shop"}}
        deployment = {"metadata": {"name": "web", "namespace": "shop"}, "spec": {"replicas": 2}}
        cluster, lost = parse_cluster(
            {
                "api/pods.json": printed(bare, kind="PodList"),
                "api/deployments.apps.json": printed(deployment, kind="DeploymentList"),
            }
        )
        assert cluster.pods["shop", "web"].kind == "Pod"
        assert cluster.workloads[ObjectRef("Deployment", "shop", "web")].replicas == 2
        assert lost == ()

    def test_a_single_object(self):
        assert list(parsed(json.dumps(pod()).encode())[0].pods) == [("shop", "web")]

    def test_a_list_of_several_kinds_under_any_name(self):
        service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "api", "namespace": "shop"}}
        cluster, _ = parsed(printed(pod(), service), "api/all.json")
        assert (len(cluster.pods), len(cluster.services)) == (1, 1)
        assert cluster.has("pods", "services")

    def test_an_object_of_another_kind_goes_where_it_belongs(self):
        service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "api", "namespace": "shop"}}
        cluster, lost = parsed(printed(pod(), service))
        assert (len(cluster.pods), len(cluster.services), lost) == (1, 1, ())

    def test_null_is_absent(self):
        rules = {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "Role",
            "metadata": {"name": "r", "namespace": "shop"},
            "rules": None,
        }
        cluster, lost = parsed(printed(rules), "api/roles.json")
        assert cluster.roles[ObjectRef("Role", "shop", "r")].rules == ()
        assert lost == ()

    def test_unknown_fields_do_no_harm(self):
        assert (
            parsed(printed(pod(spec={"nodeName": "n1", "newField": {"a": [1]}})))[0].pods["shop", "web"].node
            == "n1"
        )

    def test_custom_resources_are_kept_under_the_name_of_their_list(self):
        pool = {
            "apiVersion": "crd.projectcalico.org/v1",
            "kind": "IPPool",
            "metadata": {"name": "p"},
            "spec": {"cidr": "10.0.0.0/8"},
        }
        cluster, _ = parsed(printed(pool), "api/ippools.crd.projectcalico.org.json")
        (one,) = cluster.others["ippools.crd.projectcalico.org"]
        assert (one.kind, one.spec["cidr"]) == ("IPPool", "10.0.0.0/8")

    def test_policies_of_another_group_are_no_networkpolicies(self):
        policy = {
            "apiVersion": "crd.projectcalico.org/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": "p", "namespace": "shop"},
        }
        cluster, _ = parsed(printed(policy), "api/networkpolicies.crd.projectcalico.org.json")
        assert cluster.policies == {}
        assert not cluster.has("networkpolicies")
        assert len(cluster.others["networkpolicies.crd.projectcalico.org"]) == 1

    def test_a_secrets_values_are_not_kept(self):
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "s", "namespace": "shop"},
            "type": "tls",
            "data": {"key": "c2VjcmV0"},
        }
        (one,) = parsed(printed(secret), "api/secrets.json")[0].others["secrets"]
        assert one.content == {"type": "tls", "data": {"key": ""}}

    @pytest.mark.parametrize(
        "content",
        [
            b'{"serverVersion": {"gitVersion": "v1.36.2"}, "clientVersion": {"gitVersion": "v1.30.0"}}',
            b'{"gitVersion": "v1.36.2"}',
        ],
    )
    def test_the_version_is_the_servers(self, content):
        assert parsed(content, "api/version.json")[0].version == "v1.36.2"


class TestCollected:
    def test_an_empty_list_was_collected(self):
        assert parsed(printed(), "api/networkpolicies.networking.k8s.io.json")[0].collected == {
            "networkpolicies"
        }

    def test_a_missing_file_was_not(self):
        assert parse_cluster({})[0].collected == frozenset()

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"null",
            b"[]",
            b'{"kind": "List", "items": [{"kind": "P',
            b"Error from server",
            b'"\xff"',
            b"{}",
        ],
    )
    def test_a_file_that_is_no_list_is_not_collected_and_told(self, content):
        cluster, (lost,) = parsed(content)
        assert cluster.collected == frozenset()
        assert (lost.origin.file, lost.origin.line) == ("api/pods.json", 1)

    def test_files_beside_the_api_are_not_read(self):
        assert parse_cluster({"nodes/n1/ip-link.json": b"[]", "manifest.json": b"{}"})[1] == ()


class TestBrokenItems:
    @pytest.mark.parametrize(
        "broken",
        [
            {"kind": "Pod"},
            7,
            pod("bad", spec={"nodeName": 7}),
            pod("bad", spec={"dnsConfig": {"nameservers": ["10.0.0.256"]}}),
        ],
        ids=["no name", "no object", "wrong type", "no address"],
    )
    def test_one_that_does_not_decode_costs_only_itself(self, broken):
        content = printed(pod("a"), broken, pod("c"))
        cluster, (lost,) = parsed(content)
        assert list(cluster.pods) == [("shop", "a"), ("shop", "c")]
        assert lost.origin.file == "api/pods.json"
        assert lost.origin.line > cluster.pods["shop", "a"].origin.line

    def test_the_reason_and_the_name_are_told(self):
        _, (lost,) = parsed(printed(pod("bad", spec={"nodeName": 7})))
        assert lost.origin.text == "Pod shop/bad"
        assert "nodeName" in lost.reason

    @pytest.mark.parametrize(
        ("path", "kind", "spec"),
        [
            ("api/nodes.json", "Node", {"podCIDRs": ["10.0.0.0/33"]}),
            ("api/services.json", "Service", {"clusterIP": "10.0.0.x"}),
            ("api/services.json", "Service", {"loadBalancerSourceRanges": ["everybody"]}),
            (
                "api/networkpolicies.json",
                "NetworkPolicy",
                {"ingress": [{"from": [{"ipBlock": {"cidr": "10/8"}}]}]},
            ),
            ("api/services.json", "Service", {"ports": [{"port": 1, "protocol": "ICMP"}]}),
        ],
    )
    def test_what_cannot_be_an_address_makes_the_object_unreadable(self, path, kind, spec):
        _, lost = parsed(
            printed({"kind": kind, "metadata": {"name": "x", "namespace": "shop"}, "spec": spec}), path
        )
        assert len(lost) == 1

    @given(st.binary(max_size=200))
    def test_no_bytes_make_it_fail(self, content):
        parsed(content)

    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
            max_leaves=20,
        )
    )
    def test_no_item_makes_it_fail(self, item):
        cluster, lost = parsed(printed(item, pod("b")))
        assert ("shop", "b") in cluster.pods
        assert len(lost) + len(cluster.pods) + sum(map(len, cluster.others.values())) >= 1


class TestFields:
    def test_addresses_protocols_and_ranges_are_numbers(self):
        status = {"podIP": "10.0.0.5", "podIPs": [{"ip": "10.0.0.5"}, {"ip": "fd00::5"}], "phase": "Running"}
        spec = {
            "nodeName": "n1",
            "containers": [{"name": "c", "ports": [{"containerPort": 53, "protocol": "UDP", "name": "dns"}]}],
        }
        one = parsed(printed(pod(spec=spec, status=status)))[0].pods["shop", "web"]
        assert one.ips == (parse_addr("10.0.0.5"), parse_addr("fd00::5"))
        assert one.port_number("dns", 17) == 53
        assert one.running
        node = {"kind": "Node", "metadata": {"name": "n1"}, "spec": {"podCIDRs": ["10.0.0.0/24"]}}
        assert parsed(printed(node), "api/nodes.json")[0].nodes["n1"].pod_cidrs == (
            parse_prefix("10.0.0.0/24"),
        )

    def test_a_pods_address_that_is_none_is_none(self):
        one = parsed(printed(pod(status={"podIPs": [{"ip": "10.0.0.256"}], "podIP": "10.0.0.256"})))[0].pods[
            "shop", "web"
        ]
        assert one.ips == ()

    def test_only_annotations_of_the_network_are_kept(self):
        meta = {
            "annotations": {
                "kubectl.kubernetes.io/last-applied-configuration": "{}",
                "cni.projectcalico.org/podIP": "10.0.0.5/32",
                "team": "a",
            }
        }
        item = pod()
        item["metadata"] |= meta
        assert list(parsed(printed(item))[0].pods["shop", "web"].meta.annotations) == [
            "cni.projectcalico.org/podIP"
        ]

    def test_conditions_of_a_pod_are_ready_and_what_is_not_true(self):
        conditions = [
            {"type": kind, "status": status}
            for kind, status in [("Ready", "True"), ("Initialized", "True"), ("PodScheduled", "False")]
        ]
        one = parsed(printed(pod(status={"conditions": conditions})))[0].pods["shop", "web"]
        assert [condition.type for condition in one.status.conditions] == ["Ready", "PodScheduled"]
        assert one.ready

    def test_a_policys_peers_and_exceptions(self):
        spec = {"egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}]}]}
        item = {"kind": "NetworkPolicy", "metadata": {"name": "p", "namespace": "shop"}, "spec": spec}
        (policy,) = parsed(printed(item), "api/networkpolicies.networking.k8s.io.json")[0].policies["shop"]
        block = policy.spec.egress[0].destinations[0].ip_block
        assert (parse_addr("10.2.0.1") in block, parse_addr("10.1.0.1") in block) == (True, False)

    def test_pods_of_one_template_share_it(self):
        spec = {"containers": [{"name": "c", "image": "i"}]}
        cluster, _ = parsed(printed(pod("a", spec=spec), pod("b", spec=spec)))
        assert cluster.pods["shop", "a"].spec.containers is cluster.pods["shop", "b"].spec.containers


class TestLines:
    @pytest.mark.parametrize("indent", [None, 0, 1, 4])
    def test_an_object_begins_at_its_line(self, indent):
        content = printed(pod("a"), pod("b"), indent=indent)
        found = [one.origin.line for one in parsed(content)[0].pods.values()]
        assert all(line_of(content, line).strip().startswith("{") for line in found)
        assert len(set(found)) == (1 if indent is None else 2)

    def test_the_text_of_an_object_is_its_name(self):
        assert parsed(printed(pod()))[0].pods["shop", "web"].origin.text == "Pod shop/web"

    def test_the_line_of_a_field_is_found_when_it_is_asked_for(self):
        content = printed(
            pod("a"),
            pod(
                "b", spec={"nodeName": "n7", "containers": [{"name": "c", "ports": [{"containerPort": 80}]}]}
            ),
        )
        cluster, _ = parsed(content)
        origin = cluster.field_origin(cluster.pods["shop", "b"], "spec", "nodeName")
        assert origin.text == '"nodeName": "n7",'
        assert line_of(content, origin.line).strip() == origin.text
        port = cluster.field_origin(
            cluster.pods["shop", "b"], "spec", "containers", "0", "ports", "0", "containerPort"
        )
        assert port.text == '"containerPort": 80'

    def test_the_nearest_line_stands_for_a_field_that_is_not_there(self):
        content = printed(pod("a", spec={"nodeName": "n7"}))
        cluster, _ = parsed(content)
        assert cluster.field_origin(cluster.pods["shop", "a"], "spec", "hostNetwork").text == '"spec": {'

    def test_in_a_file_of_one_line_the_object_is_told_by_its_name(self):
        content = printed(*(pod(name, spec={"nodeName": f"on-{name}"}) for name in "abc"), indent=None)
        cluster, _ = parsed(content)
        origin = cluster.field_origin(cluster.pods["shop", "b"], "spec", "nodeName")
        assert origin.line == 1
        assert origin.text.startswith('"nodeName": "on-b"')

    def test_braces_inside_texts_do_no_harm(self):
        content = printed(pod('we"b{', spec={"hostname": '}],{"\\', "nodeName": "n1"}), pod("b"))
        cluster, _ = parsed(content)
        assert (
            cluster.field_origin(cluster.pods["shop", 'we"b{'], "spec", "nodeName").text == '"nodeName": "n1"'
        )
        assert line_of(content, cluster.pods["shop", "b"].origin.line).strip() == "{"

    def test_a_changed_file_is_no_crash(self):
        files = {"api/pods.json": printed(pod())}
        cluster, _ = parse_cluster(files)
        files.clear()
        web = cluster.pods["shop", "web"]
        assert cluster.field_origin(web, "spec") == web.origin


def test_the_collector_is_on_again_afterwards():
    parsed(printed(pod()))
    assert gc.isenabled()


def test_every_bundle_of_the_corpus_is_understood(packed_bundle):
    with open_bundle(packed_bundle) as bundle:
        files = {path: bundle.read(path) for path in bundle.files() if path.startswith("api/")}
    cluster, lost = parse_cluster(files)
    assert lost == ()
    assert len(cluster.nodes) == 3
    assert cluster.version.startswith("v1.36")
    for origin in (one.origin for one in [*cluster.pods.values(), *cluster.services.values()]):
        assert line_of(files[origin.file], origin.line) == "        {"
    for service in cluster.services.values():
        assert cluster.field_origin(service, "metadata", "name").text.startswith(
            f'"name": "{service.meta.name}"'
        )
