"""NetworkPolicy by the book: the corner cases of networking/v1, numbered as in the semantics page."""

import pytest

from podpath.intent.policy import allowed, verdicts
from podpath.model.addr import parse_addr
from podpath.model.flow import ICMP, SCTP, TCP, UDP
from tests.builders import a_cluster, a_namespace, a_node, a_pod, a_policy, a_port

WEB = a_pod(
    "web", labels={"app": "web"}, ip="10.244.0.5", ports=[a_port(8080, "http"), a_port(53, "dns", "UDP")]
)
CLIENT = a_pod("client", labels={"app": "client", "tier": "front"}, ip="10.244.1.5", node="n2", ports=[])
OPS = a_pod("ops", "ops", labels={"app": "client"}, ip="10.244.1.6", node="n2", ports=[])
HOSTED = a_pod("agent", labels={"app": "client"}, ip="172.30.0.12", node="n2", host_network=True, ports=[])
STRANGER = parse_addr("198.51.100.7")

ALL_PODS: dict[str, object] = {"podSelector": {}}
FROM_CLIENT = {"from": [{"podSelector": {"matchLabels": {"app": "client"}}}]}


def a_shop(*policies, pods=()):
    return a_cluster(
        a_node("n1"),
        a_node("n2", "172.30.0.12", pod_cidr="10.244.1.0/24"),
        a_namespace("shop", {"team": "shop"}),
        a_namespace("ops", {"team": "ops"}),
        WEB,
        CLIENT,
        OPS,
        HOSTED,
        *pods,
        *policies,
    )


def is_allowed(*policies, src=CLIENT, dst=WEB, protocol=TCP, port=8080, pods=(), **how):
    return allowed(a_shop(*policies, pods=pods), src, dst, protocol, port, **how).allowed


def ingress(*rules, **spec):
    return a_policy(ingress=list(rules), policyTypes=["Ingress"], **spec)


def egress(*rules, **spec):
    return a_policy(egress=list(rules), policyTypes=["Egress"], **spec)


def test_without_policies_everything_is_allowed():
    assert is_allowed()


class Test01Selectors:
    def test_an_absent_and_an_empty_pod_selector_select_all_pods_of_the_namespace(self):
        assert not is_allowed(ingress())
        assert not is_allowed(ingress(podSelector={}))

    def test_one_that_does_not_match_selects_nothing(self):
        assert is_allowed(ingress(podSelector={"matchLabels": {"app": "db"}}))

    @pytest.mark.parametrize(
        ("operator", "key", "values", "selected"),
        [
            ("In", "app", ["web", "db"], True),
            ("In", "app", ["db"], False),
            ("In", "absent", ["db"], False),
            ("NotIn", "app", ["db"], True),
            ("NotIn", "app", ["web"], False),
            ("NotIn", "absent", ["db"], True),
            ("Exists", "app", [], True),
            ("Exists", "absent", [], False),
            ("DoesNotExist", "app", [], False),
            ("DoesNotExist", "absent", [], True),
        ],
    )
    def test_expressions(self, operator, key, values, selected):
        expression = {"key": key, "operator": operator, "values": values}
        assert is_allowed(ingress(podSelector={"matchExpressions": [expression]})) is not selected

    def test_labels_and_expressions_must_all_match(self):
        both = {"matchLabels": {"app": "web"}, "matchExpressions": [{"key": "absent", "operator": "Exists"}]}
        assert is_allowed(ingress(podSelector=both))


class Test02DefaultTypes:
    def test_without_types_and_without_egress_only_ingress_is_limited(self):
        assert not is_allowed(a_policy())
        assert is_allowed(a_policy(), src=WEB, dst=STRANGER)

    def test_an_empty_egress_list_counts_as_none(self):
        assert is_allowed(a_policy(egress=[]), src=WEB, dst=STRANGER)

    def test_with_an_egress_rule_both_are_limited(self):
        policy = a_policy(egress=[{"to": [ALL_PODS]}])
        assert not is_allowed(policy)
        assert not is_allowed(policy, src=WEB, dst=STRANGER)


class Test03TypesDecide:
    def test_an_egress_section_without_its_type_is_ignored(self):
        policy = a_policy(policyTypes=["Ingress"], ingress=[{}], egress=[{"to": [ALL_PODS]}])
        assert is_allowed(policy, src=WEB, dst=STRANGER)

    def test_type_egress_without_rules_denies_all_egress_and_limits_no_ingress(self):
        policy = a_policy(policyTypes=["Egress"])
        assert not is_allowed(policy, src=WEB, dst=OPS)
        assert is_allowed(policy, src=OPS, dst=WEB)


class Test04EmptyListAndEmptyRule:
    def test_no_rule_denies_all(self):
        assert not is_allowed(ingress())

    def test_one_empty_rule_allows_all(self):
        assert is_allowed(ingress({}), src=STRANGER, protocol=ICMP, port=0)


class Test05EmptyPeersAndPorts:
    def test_empty_from_is_anybody(self):
        assert is_allowed(ingress({"from": []}), src=STRANGER)

    def test_empty_ports_is_any_port_and_protocol(self):
        assert is_allowed(ingress({"ports": []}), protocol=ICMP, port=0)


class Test06Peers:
    def test_a_pod_selector_alone_means_the_policys_own_namespace(self):
        assert is_allowed(ingress(FROM_CLIENT))
        assert not is_allowed(ingress(FROM_CLIENT), src=OPS)

    def test_a_namespace_selector_alone_means_all_pods_there(self):
        rule = {"from": [{"namespaceSelector": {"matchLabels": {"team": "ops"}}}]}
        assert is_allowed(ingress(rule), src=OPS)
        assert not is_allowed(ingress(rule))

    def test_both_in_one_element_must_both_match(self):
        team = {"matchLabels": {"team": "ops"}}
        rule = {"from": [{"namespaceSelector": team, "podSelector": {"matchLabels": {"app": "web"}}}]}
        assert not is_allowed(ingress(rule), src=OPS)

    def test_two_elements_are_alternatives(self):
        team = {"matchLabels": {"team": "ops"}}
        rule = {"from": [{"namespaceSelector": team}, {"podSelector": {"matchLabels": {"app": "client"}}}]}
        assert is_allowed(ingress(rule), src=OPS)
        assert is_allowed(ingress(rule))

    def test_an_empty_namespace_selector_is_all_pods_but_nobody_else(self):
        rule: dict[str, object] = {"from": [{"namespaceSelector": {}}]}
        assert is_allowed(ingress(rule), src=OPS)
        assert not is_allowed(ingress(rule), src=STRANGER)
        assert not is_allowed(ingress(rule), src="n2")


class Test07IPBlock:
    def test_an_excepted_address_is_not_matched_by_this_peer(self):
        block = {"ipBlock": {"cidr": "198.51.100.0/24", "except": ["198.51.100.0/28"]}}
        assert not is_allowed(ingress({"from": [block]}), src=STRANGER)
        assert is_allowed(ingress({"from": [block]}), src=parse_addr("198.51.100.77"))

    def test_but_may_be_by_another(self):
        block = {"ipBlock": {"cidr": "198.51.100.0/24", "except": ["198.51.100.0/28"]}}
        other = {"ipBlock": {"cidr": "198.51.100.7/32"}}
        assert is_allowed(ingress({"from": [block]}, {"from": [other]}), src=STRANGER)

    @pytest.mark.parametrize("cidr", ["198.51.100.99/24", "198.051.100.0/24"])
    def test_ranges_are_read_sloppily(self, cidr):
        assert is_allowed(ingress({"from": [{"ipBlock": {"cidr": cidr}}]}), src=STRANGER)

    def test_families_never_match_each_other(self):
        assert not is_allowed(
            ingress({"from": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}), src=parse_addr("2001:db8::7")
        )
        assert not is_allowed(ingress({"from": [{"ipBlock": {"cidr": "::/0"}}]}), src=STRANGER)


class Test08IPBlockAndPods:
    RULE = {"from": [{"ipBlock": {"cidr": "10.244.0.0/16"}}]}  # noqa: RUF012

    def test_matches_pods_unless_the_plugin_says_otherwise(self):
        assert is_allowed(ingress(self.RULE))
        assert not is_allowed(ingress(self.RULE), blocks_match_pods=False)

    def test_an_address_that_is_a_pods_is_that_pod(self):
        assert not is_allowed(ingress(self.RULE), src=parse_addr("10.244.1.5"), blocks_match_pods=False)


class Test09Ports:
    def test_the_protocol_is_tcp_by_default(self):
        assert is_allowed(ingress({"ports": [{"port": 8080}]}))
        assert not is_allowed(ingress({"ports": [{"port": 8080}]}), protocol=UDP)

    def test_a_protocol_alone_is_all_its_ports(self):
        assert is_allowed(ingress({"ports": [{"protocol": "UDP"}]}), protocol=UDP, port=9)
        assert not is_allowed(ingress({"ports": [{"protocol": "UDP"}]}))

    def test_an_empty_port_is_all_of_tcp(self):
        assert is_allowed(ingress({"ports": [{}]}), port=9)
        assert not is_allowed(ingress({"ports": [{}]}), protocol=UDP, port=9)

    def test_a_name_is_the_destination_pods(self):
        assert is_allowed(ingress({"ports": [{"port": "http"}]}))
        assert not is_allowed(ingress({"ports": [{"port": "http"}]}), port=80)

    def test_and_needs_its_protocol(self):
        assert not is_allowed(ingress({"ports": [{"port": "dns"}]}), port=53)
        assert is_allowed(ingress({"ports": [{"port": "dns", "protocol": "UDP"}]}), protocol=UDP, port=53)

    def test_a_name_that_the_pod_has_not_matches_nothing(self):
        assert not is_allowed(ingress({"ports": [{"port": "grpc"}]}))

    def test_in_egress_each_peer_resolves_the_name_for_itself(self):
        other = a_pod("web2", labels={"app": "web"}, ip="10.244.0.6", ports=[a_port(9090, "http")])
        rule = {"to": [{"podSelector": {"matchLabels": {"app": "web"}}}], "ports": [{"port": "http"}]}
        policy = egress(rule, podSelector={"matchLabels": {"app": "client"}})
        assert is_allowed(policy, pods=[other])
        assert is_allowed(policy, dst=other, port=9090, pods=[other])
        assert not is_allowed(policy, dst=other, port=8080, pods=[other])

    def test_in_egress_a_name_says_nothing_about_addresses(self):
        rule = {"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}], "ports": [{"port": "http"}]}
        assert not is_allowed(egress(rule), dst=STRANGER)
        assert not is_allowed(egress(rule))

    def test_in_ingress_it_does_since_the_destination_is_known(self):
        rule = {"from": [{"ipBlock": {"cidr": "0.0.0.0/0"}}], "ports": [{"port": "http"}]}
        assert is_allowed(ingress(rule), src=STRANGER)

    @pytest.mark.parametrize(("port", "inside"), [(8079, False), (8080, True), (8090, True), (8091, False)])
    def test_end_port_is_inclusive(self, port, inside):
        assert is_allowed(ingress({"ports": [{"port": 8080, "endPort": 8090}]}), port=port) is inside


def test_10_sctp_is_a_protocol_of_its_own():
    assert not is_allowed(ingress({"ports": [{"port": 8080}]}), protocol=SCTP)
    assert is_allowed(ingress({"ports": [{"port": 8080, "protocol": "SCTP"}]}), protocol=SCTP)


class Test11OtherProtocols:
    def test_icmp_passes_a_rule_without_ports_only(self):
        assert is_allowed(ingress(FROM_CLIENT), protocol=ICMP, port=0)
        assert not is_allowed(ingress({**FROM_CLIENT, "ports": [{}]}), protocol=ICMP, port=0)


class Test12HostNetwork:
    def test_such_a_pod_is_not_limited(self):
        assert is_allowed(ingress(), dst=HOSTED)
        assert is_allowed(egress(), src=HOSTED, dst=STRANGER)

    def test_and_is_no_pod_to_selectors(self):
        assert not is_allowed(ingress(FROM_CLIENT), src=HOSTED)

    def test_but_an_address_to_blocks(self):
        assert is_allowed(ingress({"from": [{"ipBlock": {"cidr": "172.30.0.12/32"}}]}), src=HOSTED)


class Test13OwnNode:
    @pytest.mark.parametrize("src", ["n1", parse_addr("172.30.0.11")], ids=["name", "address"])
    def test_a_pods_own_node_is_let_in(self, src):
        assert is_allowed(ingress(), src=src)

    def test_also_as_a_pod_of_its_network(self):
        guest = a_pod("guest", ip="172.30.0.11", host_network=True)
        assert is_allowed(ingress(), src=guest, pods=[guest])

    @pytest.mark.parametrize("src", ["n2", parse_addr("172.30.0.12")], ids=["name", "address"])
    def test_another_node_is_not(self, src):
        assert not is_allowed(ingress(), src=src)

    def test_nor_may_a_pod_reach_its_own_node(self):
        assert not is_allowed(egress(), src=WEB, dst="n1")


class Test14Phases:
    @pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
    def test_a_finished_pod_is_no_peer(self, phase):
        done = a_pod("job", labels={"app": "client"}, ip="10.244.1.9", phase=phase)
        assert not is_allowed(ingress(FROM_CLIENT), src=done, pods=[done])
        assert not is_allowed(ingress(FROM_CLIENT), src=parse_addr("10.244.1.9"), pods=[done])

    def test_a_pod_without_address_is_none_either(self):
        new = a_pod("new", labels={"app": "client"}, ip="")
        assert not is_allowed(ingress(FROM_CLIENT), src=new, pods=[new])

    def test_a_terminating_one_still_is(self):
        leaving = a_pod("old", labels={"app": "client"}, ip="10.244.1.9", deleted=True)
        assert is_allowed(ingress(FROM_CLIENT), src=leaving, pods=[leaving])


class Test15Itself:
    def test_a_pods_own_address_is_never_limited(self):
        assert is_allowed(ingress(), egress(name="out"), src=WEB, dst=WEB)

    def test_through_a_service_it_is(self):
        assert not is_allowed(ingress(), src=WEB, dst=WEB, hairpin=True)
        itself = {"from": [{"podSelector": {"matchLabels": {"app": "web"}}}]}
        assert is_allowed(ingress(itself), src=WEB, dst=WEB, hairpin=True)


class Test16Union:
    def test_one_rule_of_one_policy_is_enough(self):
        assert is_allowed(ingress(name="a"), ingress(FROM_CLIENT, name="b"))
        assert is_allowed(ingress(FROM_CLIENT, name="a"), ingress(name="b"))

    def test_equal_policies_are_two(self):
        verdict = allowed(a_shop(ingress(name="a"), ingress(name="b")), CLIENT, WEB, TCP, 8080)
        assert [policy.meta.name for policy in verdict.policies] == ["a", "b"]


def test_17_a_policy_limits_pods_of_its_own_namespace_only():
    assert is_allowed(ingress(namespace="ops"))


class Test18NamespaceNames:
    RULE = {"from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ops"}}}]}  # noqa: RUF012

    def test_the_name_label_is_always_there(self):
        assert is_allowed(ingress(self.RULE), src=OPS)

    def test_even_where_the_namespace_object_is_missing(self):
        cluster = a_cluster(WEB, OPS, ingress(self.RULE))
        assert allowed(cluster, OPS, WEB, TCP, 8080).allowed


class Test19DualStack:
    TWO = a_pod("two", labels={"app": "two"}, ip=["10.244.1.7", "fd00:1::7"], node="n2")
    DUAL = a_pod("dual", labels={"app": "dual"}, ip=["10.244.0.7", "fd00::7"])
    RULE = {"from": [{"ipBlock": {"cidr": "fd00:1::/64"}}]}  # noqa: RUF012

    def test_each_family_is_judged_by_its_own_address(self):
        shop = {"src": self.TWO, "dst": self.DUAL, "pods": [self.TWO, self.DUAL]}
        assert is_allowed(ingress(self.RULE), v4=False, **shop)
        assert not is_allowed(ingress(self.RULE), v4=True, **shop)


def test_20_further_networks_of_a_pod_are_not_policed_here():
    second = parse_addr("192.168.7.5")  # known to Multus, not to podIPs
    assert is_allowed(ingress(), dst=second)


class TestVerdict:
    def test_names_the_rule_that_allows(self):
        verdict = allowed(a_shop(ingress({"ports": [{"port": 1}]}, FROM_CLIENT)), CLIENT, WEB, TCP, 8080)
        assert verdict.policy is not None
        assert (verdict.policy.meta.name, verdict.path) == ("limit", ("spec", "ingress", "1"))

    def test_says_who_denies_whom(self):
        verdict = allowed(a_shop(ingress()), CLIENT, WEB, TCP, 8080)
        assert verdict.direction == "Ingress"
        assert verdict.text == (
            "ingress of shop/web is limited by NetworkPolicy limit: no rule allows from shop/client port 8080/tcp"
        )

    def test_both_directions_must_allow(self):
        out, into = verdicts(
            a_shop(egress(name="out", podSelector={"matchLabels": {"app": "client"}}), ingress(FROM_CLIENT)),
            CLIENT,
            WEB,
            TCP,
            8080,
        )
        assert (out.allowed, into.allowed) == (False, True)
