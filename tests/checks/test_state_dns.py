"""Names: who is asked, who answers, and what keeps them from it."""

import pytest

from podpath.model.finding import Severity
from tests.checks.objects import (
    JUST_NOW,
    a_config,
    a_network,
    a_node,
    a_pod,
    a_service,
    a_slice,
    a_workload,
    an_endpoint,
    an_event,
    ended,
    fix_of,
    found,
    kubelet,
    needs,
    only,
    patch_of,
    severities,
    waiting,
)

ERROR, WARNING = Severity.ERROR, Severity.WARNING
VIP = "10.50.0.10"
UDP = {"name": "dns", "port": 53, "protocol": "UDP"}
TCP = {"name": "dns-tcp", "port": 53, "protocol": "TCP"}
LABELS = {"k8s-app": "kube-dns"}
SERVED = ({"containerPort": 53, "protocol": "UDP", "name": "dns"},)
COREFILE = """.:53 {
    errors
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       pods insecure
    }
    forward . 198.51.100.53 {
       max_concurrent 1000
    }
}
"""


def a_dns_service(ip=VIP, ports=(UDP, TCP), selector=None):
    return a_service(
        "kube-dns", "kube-system", ip=ip, ports=ports, selector=selector or LABELS, labels=LABELS
    )


def a_dns_pod(name="dns-1", ip="10.9.0.53", **more):
    more = {"labels": LABELS, "ports": SERVED, **more}
    return a_pod(name, "kube-system", ip=ip, **more)


def a_dns_slice(*endpoints):
    ports = (
        {"name": "dns", "port": 53, "protocol": "UDP"},
        {"name": "dns-tcp", "port": 53, "protocol": "TCP"},
    )
    return a_slice(*endpoints, service="kube-dns", namespace="kube-system", ports=ports)


def a_dns_endpoint(**conditions):
    return an_endpoint("10.9.0.53", "dns-1", **conditions)


def told(vip=VIP, **more):
    return {"a/kubelet-config.json": kubelet(clusterDNS=[vip], clusterDomain="cluster.local", **more)}


class TestServiceMissing:
    """dns-service-missing and dns-tcp53-missing."""

    code = "dns-service-missing"

    def test_nobody_has_the_address_that_kubelets_hand_out(self):
        finding = only(self.code, a_network(a_node(), a_pod(), a_service(), files=told()))
        assert finding.severity is ERROR
        assert finding.evidence[0].source == "kubelet-config.json"
        assert f'"clusterIP": "{VIP}"' in fix_of(finding).steps[0]

    def test_a_service_without_53_udp_answers_nobody(self):
        network = a_network(a_node(), a_dns_service(ports=(TCP,)), files=told())
        assert severities(self.code, network) == [ERROR]

    def test_the_service_is_there(self):
        assert found(self.code, a_network(a_node(), a_dns_service(), files=told())) == []

    def test_a_node_local_cache_is_nobodys_service(self):
        assert found(self.code, a_network(a_node(), files=told("169.254.20.10"))) == []

    def test_without_the_kubelets_settings_nothing_is_said(self):
        assert found(self.code, a_network(a_node(), a_pod())) == []

    def test_a_service_without_53_tcp_is_a_warning(self):
        network = a_network(a_node(), a_dns_service(ports=(UDP,)), files=told())
        assert severities("dns-tcp53-missing", network) == [WARNING]
        assert found(self.code, network) == []

    def test_both_ports_are_silent(self):
        assert found("dns-tcp53-missing", a_network(a_dns_service(), files=told())) == []

    def test_both_need_services(self):
        assert needs(self.code) == needs("dns-tcp53-missing") == {"api/services"}


class TestClusterDnsMismatch:
    """kubelet-clusterdns-mismatch."""

    code = "kubelet-clusterdns-mismatch"

    def test_one_node_of_two_hands_out_another_address(self):
        files = {**told(), "b/kubelet-config.json": kubelet(clusterDNS=["10.0.0.10"])}
        network = a_network(a_node(), a_node("b", "192.0.2.2", "10.9.1.0/24"), a_dns_service(), files=files)
        finding = only(self.code, network)
        assert finding.severity is ERROR
        assert finding.subject.name == "b"
        assert VIP in fix_of(finding).summary

    def test_all_nodes_hand_out_another_address(self):
        finding = only(self.code, a_network(a_node(), a_dns_service(), files=told("10.0.0.10")))
        assert finding.subject.kind == "Service"
        assert (
            found("dns-service-missing", a_network(a_node(), a_dns_service(), files=told("10.0.0.10"))) == []
        )

    def test_the_services_address_is_silent(self):
        assert found(self.code, a_network(a_node(), a_dns_service(), files=told())) == []

    @pytest.mark.parametrize("addr", ["169.254.20.10", "192.0.2.1"])
    def test_a_cache_on_the_node_is_silent(self, addr):
        assert found(self.code, a_network(a_node(), a_dns_service(), files=told(addr))) == []

    def test_it_needs_the_kubelets_settings(self):
        assert "node/kubelet-config.json" in needs(self.code)


class TestClusterDomain:
    """cluster-domain-mismatch."""

    code = "cluster-domain-mismatch"

    def network(self, domain="cluster.local", corefile=COREFILE):
        files = {"a/kubelet-config.json": kubelet(clusterDNS=[VIP], clusterDomain=domain)}
        return a_network(a_node(), a_dns_service(), a_config("coredns", Corefile=corefile), files=files)

    def test_kubelets_complete_names_with_a_zone_that_nobody_serves(self):
        finding = only(self.code, self.network("corp.example"))
        assert finding.severity is ERROR
        assert [one.file for one in finding.evidence] == [
            "nodes/a/kubelet-config.json",
            "api/configmaps.json",
        ]
        assert "kubernetes corp.example cluster.local" in fix_of(finding).steps[0]

    @pytest.mark.parametrize("domain", ["cluster.local", "cluster.local.", "Cluster.Local"])
    def test_the_zone_that_is_served_is_silent(self, domain):
        assert found(self.code, self.network(domain)) == []

    def test_one_of_several_zones_is_enough(self):
        corefile = COREFILE.replace("kubernetes cluster.local", "kubernetes corp.example cluster.local")
        assert found(self.code, self.network("corp.example", corefile)) == []

    def test_without_zones_the_servers_own_count(self):
        corefile = "cluster.local:53 {\n kubernetes\n}\n"
        assert found(self.code, self.network(corefile=corefile)) == []
        assert severities(self.code, self.network("other.example", corefile)) == [ERROR]

    def test_another_dns_server_cannot_be_judged(self):
        assert found(self.code, self.network("corp.example", ".:53 {\n forward . 198.51.100.53\n}\n")) == []

    def test_it_needs_corefile_and_kubelet(self):
        assert needs(self.code) == {"api/configmaps", "node/kubelet-config.json"}


class TestPodsNotRunning:
    """dns-pods-not-running."""

    code = "dns-pods-not-running"

    def test_scaled_to_zero(self):
        idle = a_workload("coredns", "kube-system", labels=LABELS, replicas=0)
        finding = only(self.code, a_network(a_node(), a_dns_service(), a_dns_slice(), idle, files=told()))
        assert finding.severity is ERROR
        assert "scaled to zero" in finding.message
        assert patch_of(finding) == {"spec": {"replicas": 2}}

    def test_no_workload_at_all(self):
        finding = only(self.code, a_network(a_dns_service(), a_dns_slice(), files=told()))
        assert "no workload" in finding.message

    def test_the_reason_comes_from_the_log(self):
        pod = a_dns_pod(ready=False, state=waiting("CrashLoopBackOff"), last=ended("Error"))
        log = '[FATAL] plugin/loop: Loop (127.0.0.1:4 -> :53) detected for zone ".", see x\n'
        files = {**told(), "a/pods/kube-system.dns-1/logs": log}
        finding = only(
            self.code, a_network(a_dns_service(), pod, a_dns_slice(a_dns_endpoint(ready=False)), files=files)
        )
        assert finding.severity is ERROR
        assert finding.reason.startswith("dns-loop-detected")
        assert "resolv.conf" in fix_of(finding).summary
        assert [one.source for one in finding.evidence][1:] == ["pods/kube-system.dns-1/logs"]

    def test_one_of_two_is_a_warning(self):
        pods = (a_dns_pod(), a_dns_pod("dns-2", "10.9.0.54", ready=False, state=waiting("ImagePullBackOff")))
        network = a_network(a_dns_service(), *pods, a_dns_slice(a_dns_endpoint()), files=told())
        assert severities(self.code, network) == [WARNING]

    def test_ready_pods_are_silent(self):
        assert found(self.code, a_network(a_dns_service(), a_dns_pod(), a_dns_slice(a_dns_endpoint()))) == []

    def test_pods_of_this_minute_are_silent(self):
        pod = a_dns_pod(ready=False, created=JUST_NOW)
        assert found(self.code, a_network(a_dns_service(), pod, a_dns_slice(), files=told())) == []

    def test_other_services_are_not_its_matter(self):
        assert found(self.code, a_network(a_service(), a_slice())) == []

    def test_it_needs_services_and_pods(self):
        assert needs(self.code) == {"api/services", "api/pods"}


class TestEndpointsEmpty:
    """dns-endpoints-empty."""

    code = "dns-endpoints-empty"

    def test_the_selector_has_other_labels_than_the_pods(self):
        pod = a_dns_pod(labels={"k8s-app": "coredns"})
        network = a_network(a_dns_service(), pod, a_dns_slice(), files=told())
        finding = only(self.code, network)
        assert finding.severity is ERROR
        assert patch_of(finding)["spec"]["selector"]["k8s-app"] == "coredns"
        assert found("dns-pods-not-running", network) == []

    def test_ready_pods_that_no_slice_lists(self):
        assert severities(self.code, a_network(a_dns_service(), a_dns_pod(), a_dns_slice())) == [ERROR]

    def test_listed_pods_are_silent(self):
        assert found(self.code, a_network(a_dns_service(), a_dns_pod(), a_dns_slice(a_dns_endpoint()))) == []

    def test_pods_that_serve_no_names_are_not_meant(self):
        other = a_pod("x", "kube-system")
        assert found(self.code, a_network(a_dns_service(), other, a_dns_slice())) == []

    def test_pods_of_this_minute_are_silent(self):
        assert found(self.code, a_network(a_dns_service(), a_dns_pod(created=JUST_NOW), a_dns_slice())) == []

    def test_it_needs_services_and_pods(self):
        assert needs(self.code) == {"api/services", "api/pods"}


class TestHostNetwork:
    """hostnetwork-dnspolicy."""

    code = "hostnetwork-dnspolicy"
    line = 'E0301 11:59:50.0 1 m.go:1] "failed" err="dial tcp: lookup web.demo.svc on 192.0.2.53:53: no such host"\n'

    def network(self, line, **pod):
        pod = {"hostNetwork": True, "dnsPolicy": "ClusterFirst", "owner": ("DaemonSet", "agent"), **pod}
        agent = a_pod("agent-1", "ops", ip="192.0.2.1", **pod)
        return a_network(a_node(), agent, a_service(), files={"a/pods/ops.agent-1/logs": line})

    def test_it_looks_for_a_service_at_the_nodes_resolver(self):
        finding = only(self.code, self.network(self.line))
        assert finding.severity is WARNING
        assert "ClusterFirstWithHostNet" in fix_of(finding).steps[0]

    def test_the_full_name_counts_too(self):
        line = self.line.replace("web.demo.svc", "web.demo.svc.cluster.local")
        assert severities(self.code, self.network(line)) == [WARNING]

    @pytest.mark.parametrize("name", ["www.example.com", "gone.demo.svc"])
    def test_a_name_that_is_no_service_is_silent(self, name):
        assert found(self.code, self.network(self.line.replace("web.demo.svc", name))) == []

    def test_without_a_line_the_policy_alone_is_silent(self):
        assert found(self.code, self.network("I0301 11:59:50.0 1 m.go:1] started, i/o timeout 5s\n")) == []

    @pytest.mark.parametrize("pod", [{"hostNetwork": False}, {"dnsPolicy": "ClusterFirstWithHostNet"}])
    def test_a_pod_that_asks_the_cluster_is_silent(self, pod):
        assert found(self.code, self.network(self.line, **pod)) == []

    def test_it_needs_logs(self):
        assert "node/logs" in needs(self.code)


class TestResolvConfLimits:
    """dns-resolvconf-limits."""

    code = "dns-resolvconf-limits"
    four = "".join(f"nameserver 198.51.100.{i}\n" for i in range(1, 5))

    def test_the_fourth_nameserver_is_never_asked(self):
        finding = only(self.code, a_network(a_node(), files={"a/resolv.conf": self.four}))
        assert finding.severity is WARNING
        assert "198.51.100.4" in finding.message

    def test_the_kubelets_event_says_so(self):
        event = an_event(
            "DNSConfigForming", "Nameserver limits were exceeded, some nameservers have been omitted"
        )
        assert severities(self.code, a_network(a_node(), a_pod(), event)) == [WARNING]

    def test_three_are_silent(self):
        assert found(self.code, a_network(a_node(), files={"a/resolv.conf": self.four[: 3 * 24]})) == []

    def test_a_file_that_the_kubelet_does_not_read_is_silent(self):
        files = {"a/resolv.conf": self.four, **told(resolvConf="/run/systemd/resolve/resolv.conf")}
        assert found(self.code, a_network(a_node(), files=files)) == []


class TestUpstream:
    """dns-upstream-unreachable."""

    code = "dns-upstream-unreachable"
    line = "[ERROR] plugin/errors: 2 example.com. A: read udp 10.9.0.53:4000->198.51.100.53:53: i/o timeout\n"

    def network(self, text, *objects, **files):
        logs = {"a/pods/kube-system.dns-1/logs": text, **{k: v for k, v in files.items() if v}}
        config = a_config("coredns", Corefile=COREFILE)
        listed = a_dns_slice(a_dns_endpoint())
        return a_network(
            a_node(), a_dns_service(), a_dns_pod(), listed, config, *objects, files={**told(), **logs}
        )

    def test_all_dns_pods_fail_at_it(self):
        finding = only(self.code, self.network(self.line * 3))
        assert finding.severity is ERROR
        assert finding.subject.kind == "ConfigMap"
        assert finding.broken
        assert finding.evidence[-1].text == "forward . 198.51.100.53 {"

    def test_one_of_two_pods_is_a_warning(self):
        other = a_dns_pod("dns-2", "10.9.0.54")
        quiet = "[ERROR] plugin/errors: 2 x. A: unrelated\n"
        network = self.network(self.line * 3, other, **{"a/pods/kube-system.dns-2/logs": quiet})
        assert severities(self.code, network) == [WARNING]

    def test_one_lost_packet_is_silent(self):
        assert found(self.code, self.network(self.line)) == []

    def test_lines_of_long_ago_are_silent(self):
        old = f"2026-02-01T00:00:00Z stdout F {self.line}"
        assert found(self.code, self.network(old * 3)) == []

    def test_the_api_server_is_no_upstream(self):
        assert (
            found(self.code, self.network(self.line.replace("198.51.100.53:53", "192.0.2.1:6443") * 3)) == []
        )

    def test_it_needs_logs(self):
        assert "node/logs" in needs(self.code)


class TestTwoAddOns:
    """kube-dns-and-coredns-both."""

    code = "kube-dns-and-coredns-both"

    def network(self, first, second):
        pods = (a_dns_pod(owner=first), a_dns_pod("dns-2", "10.9.0.54", owner=second))
        sets = [
            a_workload(name, "kube-system", kind="ReplicaSet", owner=("Deployment", name.rpartition("-")[0]))
            for name in ("coredns-a", "coredns-b", "kube-dns-a")
        ]
        return a_network(a_dns_service(), *pods, *sets)

    def test_pods_of_two_deployments_answer(self):
        finding = only(self.code, self.network(("ReplicaSet", "coredns-a"), ("ReplicaSet", "kube-dns-a")))
        assert finding.severity is WARNING
        assert "Deployment kube-system/kube-dns" in finding.message

    def test_two_replicasets_of_one_deployment_are_a_rollout(self):
        assert found(self.code, self.network(("ReplicaSet", "coredns-a"), ("ReplicaSet", "coredns-b"))) == []

    def test_it_needs_replicasets(self):
        assert "api/replicasets" in needs(self.code)


class TestKilled:
    """coredns-oom-throttled."""

    code = "coredns-oom-throttled"

    def network(self, last, **pod):
        return a_network(a_dns_service(), a_dns_pod(last=last, **pod), a_dns_slice(a_dns_endpoint()))

    def test_a_pod_that_is_back_was_killed_today(self):
        finding = only(self.code, self.network(ended("OOMKilled", 137), owner=("ReplicaSet", "coredns-5f")))
        assert finding.severity is WARNING
        assert "deployment coredns --limits" in fix_of(finding).steps[0]

    def test_a_kill_of_earlier_days_is_silent(self):
        last = {"terminated": {"reason": "OOMKilled", "exitCode": 137, "finishedAt": "2026-02-27T00:00:00Z"}}
        assert found(self.code, self.network(last)) == []

    def test_another_end_is_silent(self):
        assert found(self.code, self.network(ended("Error", 1))) == []

    def test_other_pods_are_not_its_matter(self):
        assert found(self.code, a_network(a_dns_service(), a_pod(last=ended("OOMKilled", 137)))) == []

    def test_it_needs_pods(self):
        assert needs(self.code) == {"api/services", "api/pods"}
