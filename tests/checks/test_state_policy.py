"""NetworkPolicies that say something else than was meant."""

import pytest

from podpath.model.finding import Severity
from tests.checks.objects import (
    a_namespace,
    a_network,
    a_node,
    a_pod,
    a_policy,
    a_service,
    a_slice,
    a_workload,
    an_endpoint,
    fix_of,
    found,
    kubelet,
    needs,
    only,
    severities,
)

ERROR, WARNING = Severity.ERROR, Severity.WARNING
DNS = {"k8s-app": "kube-dns"}
VIP = "10.50.0.10"
AGENT = {"matchLabels": {"app": "agent"}}
BOTH = {
    "namespaceSelector": {"matchLabels": {"team": "ops"}},
    "podSelector": {"matchLabels": {"app": "client"}},
}
TO_DB = {"to": [{"podSelector": {"matchLabels": {"app": "db"}}}]}
TO_DNS = {
    "to": [{"namespaceSelector": {}, "podSelector": {"matchLabels": DNS}}],
    "ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}],
}


class TestEgressBlocksDns:
    """netpol-egress-blocks-dns."""

    code = "netpol-egress-blocks-dns"

    def network(self, *policies, target=53, **pod):
        ports = [
            {"name": name, "port": 53, "targetPort": target, "protocol": p}
            for name, p in (("d", "UDP"), ("t", "TCP"))
        ]
        real = [{"name": name, "port": target, "protocol": p} for name, p in (("d", "UDP"), ("t", "TCP"))]
        return a_network(
            a_namespace(),
            a_namespace("kube-system"),
            a_node(),
            a_pod(**pod),
            a_pod("dns-1", "kube-system", ip="10.9.0.53", labels=DNS),
            a_service("kube-dns", "kube-system", ip=VIP, labels=DNS, selector=DNS, ports=ports),
            a_slice(
                an_endpoint("10.9.0.53", "dns-1"), service="kube-dns", namespace="kube-system", ports=real
            ),
            *policies,
            files={"a/kubelet-config.json": kubelet(clusterDNS=[VIP], clusterDomain="cluster.local")},
        )

    def test_a_rule_for_the_database_and_none_for_its_name(self):
        finding = only(self.code, self.network(a_policy(policyTypes=["Egress"], egress=[TO_DB])))
        assert finding.severity is WARNING
        assert finding.subject.name == "limit"
        assert "demo/web-1" in finding.message
        assert finding.cause == "no rule allows kube-system/dns-1 10.9.0.53:53"

    def test_the_fix_selects_the_same_pods_and_allows_the_dns_pods_own_port(self):
        policy = a_policy(policyTypes=["Egress"], egress=[TO_DB], podSelector={"matchLabels": {"app": "web"}})
        applied = fix_of(only(self.code, self.network(policy, target=5353))).steps[0]
        assert '"app": "web"' in applied
        assert '"port": 5353' in applied
        assert '"k8s-app": "kube-dns"' in applied

    def test_a_default_deny_beside_it_is_the_one_to_mend(self):
        wide = a_policy("deny", policyTypes=["Egress"])
        narrow = a_policy(
            "web", policyTypes=["Egress"], egress=[TO_DB], podSelector={"matchLabels": {"app": "web"}}
        )
        finding = only(self.code, self.network(wide, narrow))
        assert finding.subject.name == "deny"
        assert len(finding.evidence) == 2

    def test_the_services_port_instead_of_the_pods_own_does_not_help(self):
        assert severities(
            self.code, self.network(a_policy(policyTypes=["Egress"], egress=[TO_DB, TO_DNS]), target=5353)
        ) == [WARNING]

    def test_udp_alone_leaves_truncated_answers(self):
        rule = {**TO_DNS, "ports": [{"port": 53, "protocol": "UDP"}]}
        finding = only(self.code, self.network(a_policy(policyTypes=["Egress"], egress=[rule])))
        assert "DNS by TCP" in finding.message

    def test_a_rule_for_dns_is_silent(self):
        assert found(self.code, self.network(a_policy(policyTypes=["Egress"], egress=[TO_DB, TO_DNS]))) == []

    def test_a_pod_that_may_open_nothing_needs_no_names(self):
        assert found(self.code, self.network(a_policy(policyTypes=["Egress"]))) == []

    def test_a_policy_of_the_other_direction_is_silent(self):
        assert found(self.code, self.network(a_policy(policyTypes=["Ingress"], ingress=[{}]))) == []

    @pytest.mark.parametrize("pod", [{"dnsPolicy": "Default"}, {"hostNetwork": True}])
    def test_a_pod_that_does_not_ask_the_clusters_dns_is_silent(self, pod):
        assert found(self.code, self.network(a_policy(policyTypes=["Egress"], egress=[TO_DB]), **pod)) == []

    def test_it_needs_policies(self):
        assert "api/networkpolicies" in needs(self.code)


class TestNotEnforced:
    """netpol-not-enforced."""

    code = "netpol-not-enforced"
    plain = "*filter\n:FORWARD ACCEPT [0:0]\n:FLANNEL-FWD - [0:0]\nCOMMIT\n"
    engine = "*filter\n:FORWARD ACCEPT [0:0]\n:KUBE-ROUTER-FORWARD - [0:0]\n-A FORWARD -j KUBE-ROUTER-FORWARD\nCOMMIT\n"

    def network(self, *objects, policies=None, **rules):
        files = {}
        for node, text in rules.items():
            files[f"{node}/iptables-nft-save"] = text
            files[f"{node}/ip6tables-nft-save"] = "*filter\nCOMMIT\n"
            files[f"{node}/nft-list-ruleset.json"] = '{"nftables": []}'
        chosen = (a_policy(),) if policies is None else policies
        return a_network(a_node(), a_pod(), *chosen, *objects, files=files)

    def test_nothing_on_any_node_enforces_them(self):
        finding = only(self.code, self.network(a=self.plain))
        assert finding.severity is WARNING
        assert finding.evidence[0].file.startswith("api/networkpolicies")

    def test_an_engines_chains_are_silent(self):
        assert found(self.code, self.network(a=self.engine)) == []

    @pytest.mark.parametrize("image", ["quay.io/cilium/cilium:v1.16", "docker.io/calico/node:v3.28"])
    def test_an_engine_of_programs_is_seen_by_its_workload(self, image):
        assert found(self.code, self.network(a_workload(kind="DaemonSet", image=image), a=self.plain)) == []

    def test_one_node_without_the_engines_rules_is_told(self):
        other = a_node("b", "192.0.2.2", "10.9.1.0/24")
        finding = only(self.code, self.network(other, a=self.plain, b=self.engine))
        assert finding.subject.name == "a"

    def test_no_policies_is_silent(self):
        assert found(self.code, self.network(policies=(), a=self.plain)) == []

    def test_rules_that_were_not_read_are_silent(self):
        assert found(self.code, a_network(a_node(), a_pod(), a_policy(), files={"a/sysctl": "x = 1\n"})) == []

    def test_it_needs_policies(self):
        assert "api/networkpolicies" in needs(self.code)


class TestAndOr:
    """netpol-selector-and-or."""

    code = "netpol-selector-and-or"

    def network(self, peer, *pods):
        policy = a_policy(policyTypes=["Ingress"], ingress=[{"from": [peer]}])
        return a_network(a_namespace(), a_namespace("ops", team="ops"), policy, *pods)

    def test_each_alone_matches_and_both_do_not(self):
        pods = (a_pod("c", "demo", labels={"app": "client"}), a_pod("o", "ops", labels={"app": "other"}))
        finding = only(self.code, self.network(BOTH, *pods))
        assert finding.severity is WARNING
        assert "AND" in finding.evidence[0].text
        assert '"op":"remove"' in fix_of(finding).steps[0]

    def test_a_pod_that_matches_both_is_silent(self):
        pods = (a_pod("c", "demo", labels={"app": "client"}), a_pod("o", "ops", labels={"app": "client"}))
        assert found(self.code, self.network(BOTH, *pods)) == []

    def test_clients_that_are_not_there_yet_are_silent(self):
        assert found(self.code, self.network(BOTH, a_pod("o", "ops", labels={"app": "other"}))) == []

    def test_one_selector_alone_is_silent(self):
        assert found(self.code, self.network({"podSelector": {"matchLabels": {"app": "x"}}}, a_pod())) == []

    def test_it_needs_namespaces(self):
        assert "api/namespaces" in needs(self.code)


class TestNamespaceLabel:
    """netpol-namespace-label."""

    code = "netpol-namespace-label"

    def network(self, labels, *namespaces):
        peer = {"namespaceSelector": {"matchLabels": labels}}
        return a_network(
            a_namespace(), *namespaces, a_policy(policyTypes=["Ingress"], ingress=[{"from": [peer]}])
        )

    def test_a_namespaces_name_is_no_label(self):
        finding = only(self.code, self.network({"name": "ops"}, a_namespace("ops")))
        assert finding.severity is WARNING
        assert "kubernetes.io/metadata.name" in fix_of(finding).steps[0]
        assert fix_of(finding).steps[1].startswith("kubectl label namespace ops name=ops")

    def test_the_label_that_the_api_server_sets_is_silent(self):
        assert (
            found(self.code, self.network({"kubernetes.io/metadata.name": "ops"}, a_namespace("ops"))) == []
        )

    def test_a_label_that_is_there_is_silent(self):
        assert found(self.code, self.network({"name": "ops"}, a_namespace("ops", name="ops"))) == []

    def test_all_namespaces_are_no_label(self):
        assert found(self.code, self.network({})) == []

    def test_it_needs_namespaces(self):
        assert needs(self.code) == {"api/networkpolicies", "api/namespaces"}


class TestServicePort:
    """netpol-service-port."""

    code = "netpol-service-port"

    def network(self, port, **policy):
        rule = {"ports": [{"port": port}]}
        spec = policy or {"policyTypes": ["Ingress"], "ingress": [rule]}
        return a_network(a_namespace(), a_pod(), a_service(), a_policy(**spec))

    def test_the_services_port_does_nothing(self):
        finding = only(self.code, self.network(80))
        assert finding.severity is WARNING
        assert '"value":8080' in fix_of(finding).steps[0]

    def test_egress_to_such_pods_is_the_same(self):
        rule = {"to": [{"podSelector": {"matchLabels": {"app": "web"}}}], "ports": [{"port": 80}]}
        assert severities(self.code, self.network(0, policyTypes=["Egress"], egress=[rule])) == [WARNING]

    @pytest.mark.parametrize("port", [8080, "http", 9999])
    def test_the_pods_own_port_or_another_is_silent(self, port):
        assert found(self.code, self.network(port)) == []

    def test_a_range_is_meant_as_it_is(self):
        rule = {"ports": [{"port": 80, "endPort": 90}]}
        assert found(self.code, self.network(0, policyTypes=["Ingress"], ingress=[rule])) == []

    def test_a_port_that_the_pod_listens_on_is_silent(self):
        policy = a_policy(policyTypes=["Ingress"], ingress=[{"ports": [{"port": 80}]}])
        files = {"a/pods/demo.web-1/ss": "tcp LISTEN 0 128 *:80 *:*\n"}
        assert found(self.code, a_network(a_namespace(), a_pod(), a_service(), policy, files=files)) == []

    def test_it_needs_services(self):
        assert needs(self.code) == {"api/networkpolicies", "api/pods", "api/services"}


class TestHostNetwork:
    """netpol-hostnetwork."""

    code = "netpol-hostnetwork"

    def network(self, policy, *, host=True):
        agent = a_pod("agent-1", labels={"app": "agent"}, ip="192.0.2.1", hostNetwork=host)
        return a_network(a_namespace(), a_node(), agent, policy)

    def test_a_policy_that_selects_only_such_pods_protects_nothing(self):
        finding = only(self.code, self.network(a_policy(podSelector=AGENT)))
        assert finding.severity is WARNING
        assert "protects nothing" in finding.message

    def test_a_client_of_the_hosts_network_is_let_in_by_its_address(self):
        policy = a_policy(policyTypes=["Ingress"], ingress=[{"from": [{"podSelector": AGENT}]}])
        finding = only(self.code, self.network(policy))
        assert '"cidr":"192.0.2.1/32"' in fix_of(finding).steps[0]

    def test_ordinary_pods_are_silent(self):
        policy = a_policy(podSelector=AGENT, ingress=[{"from": [{"podSelector": AGENT}]}])
        assert found(self.code, self.network(policy, host=False)) == []

    def test_a_policy_for_all_pods_is_not_about_them(self):
        assert found(self.code, self.network(a_policy())) == []

    def test_it_needs_pods(self):
        assert needs(self.code) == {"api/networkpolicies", "api/pods"}
