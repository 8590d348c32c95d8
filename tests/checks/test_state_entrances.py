"""Ingresses, load balancers, ports of nodes and the range of ClusterIPs."""

import pytest

from podpath.model.finding import Severity
from tests.checks.objects import (
    JUST_NOW,
    a_network,
    a_node,
    a_pod,
    a_service,
    a_slice,
    an_endpoint,
    an_event,
    fix_of,
    found,
    meta,
    needs,
    only,
    severities,
)

ERROR, WARNING = Severity.ERROR, Severity.WARNING
LEFT_OUT = {"node.kubernetes.io/exclude-from-external-load-balancers": ""}


def an_ingress(service="web", port=None, *, cls="main", annotations=None, **spec):
    backend = {"service": {"name": service, "port": port or {"number": 80}}}
    rule = {"host": "x.example", "http": {"paths": [{"path": "/", "backend": backend}]}}
    wanted = {"ingressClassName": cls} if cls else {}
    return {
        "kind": "Ingress",
        "metadata": meta("front", "demo", annotations=annotations or {}),
        "spec": {"rules": [rule], **wanted, **spec},
    }


def a_class(name="main", *, default=False):
    annotations = {"ingressclass.kubernetes.io/is-default-class": "true"} if default else {}
    return {
        "kind": "IngressClass",
        "metadata": meta(name, annotations=annotations),
        "spec": {"controller": "x/y"},
    }


class TestIngressBackend:
    """ingress-backend-mismatch."""

    code = "ingress-backend-mismatch"

    def test_a_service_that_does_not_exist(self):
        finding = only(self.code, a_network(an_ingress("wep"), a_service(), a_class()))
        assert finding.severity is ERROR
        assert "Service wep, which does not exist" in finding.message
        assert "wep" in finding.evidence[0].text

    def test_the_containers_port_instead_of_the_services(self):
        finding = only(self.code, a_network(an_ingress(port={"number": 8080}), a_service(), a_class()))
        assert "port 8080" in finding.message
        assert '"value":{"number":80}' in fix_of(finding).steps[0]

    def test_a_port_name_that_the_service_lacks(self):
        assert severities(self.code, a_network(an_ingress(port={"name": "web"}), a_service())) == [ERROR]

    def test_the_default_backend_counts_too(self):
        ingress = an_ingress(defaultBackend={"service": {"name": "gone", "port": {"number": 1}}})
        assert "Service gone" in only(self.code, a_network(ingress, a_service())).message

    @pytest.mark.parametrize("port", [{"number": 80}, {"name": "http"}])
    def test_a_port_that_is_there_is_silent(self, port):
        assert found(self.code, a_network(an_ingress(port=port), a_service(), a_class())) == []

    def test_a_service_of_another_namespace_is_none(self):
        assert severities(self.code, a_network(an_ingress(), a_service(namespace="other"))) == [ERROR]

    def test_it_needs_services(self):
        assert needs(self.code) == {"api/ingresses", "api/services"}


class TestIngressClass:
    """ingress-class-missing."""

    code = "ingress-class-missing"

    def test_a_class_that_does_not_exist(self):
        finding = only(self.code, a_network(an_ingress(cls="nginx"), a_class("traefik")))
        assert finding.severity is ERROR
        assert '"ingressClassName":"traefik"' in fix_of(finding).steps[0]

    def test_no_class_and_no_default(self):
        assert severities(self.code, a_network(an_ingress(cls=""), a_class())) == [ERROR]

    def test_no_class_at_all_in_the_cluster_is_a_warning(self):
        assert severities(self.code, a_network(an_ingress(cls=""))) == [WARNING]

    def test_no_class_with_a_default_is_silent(self):
        assert found(self.code, a_network(an_ingress(cls=""), a_class(default=True))) == []

    def test_the_old_annotation_is_honoured(self):
        ingress = an_ingress(cls="", annotations={"kubernetes.io/ingress.class": "nginx"})
        assert found(self.code, a_network(ingress)) == []

    def test_a_class_that_exists_is_silent(self):
        assert found(self.code, a_network(an_ingress(), a_class())) == []

    def test_it_needs_the_list_of_classes(self):
        assert "api/ingressclasses" in needs(self.code)


class TestLoadBalancerPending:
    """lb-pending-no-controller."""

    code = "lb-pending-no-controller"

    def test_nobody_answers(self):
        finding = only(self.code, a_network(a_service(type="LoadBalancer")))
        assert finding.severity is ERROR
        assert "no controller answers" in finding.message

    def test_a_class_without_a_controller_is_named(self):
        network = a_network(a_service(type="LoadBalancer", loadBalancerClass="x/lb"))
        assert "no controller of class x/lb" in only(self.code, network).message

    def test_the_controllers_event_is_quoted(self):
        event = an_event("SyncLoadBalancerFailed", "subnet has no tag", ("Service", "demo", "web"))
        finding = only(self.code, a_network(a_service(type="LoadBalancer"), event))
        assert "its controller fails" in finding.message
        assert finding.reason == "subnet has no tag"

    def test_the_log_of_the_controller_gives_the_reason(self):
        log = 'E0301 11:59:50.0 1 x.go:1] "failed" err="AADSTS7000222: secret expired"\n' * 2
        network = a_network(a_service(type="LoadBalancer"), files={"a/pods/kube-system.ccm/logs": log})
        assert only(self.code, network).reason.startswith("cloud-credentials-expired")

    def test_an_address_is_silent(self):
        status = {"loadBalancer": {"ingress": [{"ip": "198.51.100.9"}]}}
        assert found(self.code, a_network(a_service(type="LoadBalancer", status=status))) == []

    def test_clouds_get_some_minutes(self):
        young = a_service(type="LoadBalancer", created="2026-03-01T11:56:00Z")
        assert found(self.code, a_network(young)) == []

    def test_other_types_want_none(self):
        assert found(self.code, a_network(a_service(type="NodePort"))) == []

    def test_it_needs_services(self):
        assert needs(self.code) == {"api/services"}


class TestLoadBalancerWithoutNodes:
    """lb-backend-empty."""

    code = "lb-backend-empty"
    service = a_service(type="LoadBalancer", status={"loadBalancer": {"ingress": [{"ip": "198.51.100.9"}]}})

    def test_all_nodes_are_left_out(self):
        finding = only(self.code, a_network(a_node(labels=LEFT_OUT), self.service))
        assert finding.severity is WARNING
        assert fix_of(finding).steps[0].endswith("exclude-from-external-load-balancers-")

    def test_one_node_that_is_not_is_enough(self):
        network = a_network(a_node(labels=LEFT_OUT), a_node("b", "192.0.2.2"), self.service)
        assert found(self.code, network) == []

    def test_without_a_balancer_it_is_silent(self):
        assert found(self.code, a_network(a_node(labels=LEFT_OUT), a_service())) == []

    def test_it_needs_nodes(self):
        assert "api/nodes" in needs(self.code)


class TestPortConflict:
    """hostnetwork-port-conflict."""

    code = "hostnetwork-port-conflict"
    ports = ({"containerPort": 9100, "hostPort": 9100},)

    def pending(self):
        return a_pod(node="", ip="", ready=False, phase="Pending", ports=self.ports)

    def test_the_scheduler_says_so_and_the_holder_is_found(self):
        holder = a_pod("exporter", "ops", ports=self.ports, hostNetwork=True)
        event = an_event("FailedScheduling", "1 node(s) didn't have free ports for the requested pod ports.")
        finding = only(self.code, a_network(self.pending(), holder, event))
        assert finding.severity is ERROR
        assert "9100" in finding.message
        assert "ops/exporter" in finding.message

    def test_bind_fails_and_the_socket_tells_who_has_it(self):
        pod = a_pod(ready=False, hostNetwork=True)
        log = "E0301 11:59:50.0 1 m.go:1] listen tcp 0.0.0.0:9100: bind: address already in use\n"
        sockets = 'tcp LISTEN 0 128 0.0.0.0:9100 0.0.0.0:* users:(("node_exporter",pid=1,fd=3))\n'
        network = a_network(pod, files={"a/pods/demo.web-1/logs": log, "a/ss": sockets})
        finding = only(self.code, network)
        assert "port 9100 of a" in finding.message
        assert [one.source for one in finding.evidence] == ["pods/demo.web-1/logs", "ss"]

    def test_another_reason_of_the_scheduler_is_not_its_matter(self):
        event = an_event("FailedScheduling", "1 Insufficient cpu")
        assert found(self.code, a_network(self.pending(), event)) == []

    def test_a_pod_that_got_its_port_is_silent(self):
        event = an_event("FailedScheduling", "1 node(s) didn't have free ports for the requested pod ports.")
        assert found(self.code, a_network(a_pod(ports=self.ports), event)) == []

    def test_a_pod_of_its_own_network_takes_no_port_of_the_node(self):
        log = "E0301 11:59:50.0 1 m.go:1] listen tcp 0.0.0.0:9100: bind: address already in use\n"
        assert found(self.code, a_network(a_pod(ready=False), files={"a/pods/demo.web-1/logs": log})) == []

    def test_it_needs_pods(self):
        assert needs(self.code) == {"api/pods"}


class TestServiceCidrExhausted:
    """service-cidr-exhausted."""

    code = "service-cidr-exhausted"

    def a_range(self, cidr):
        return {"kind": "ServiceCIDR", "metadata": meta("kubernetes"), "spec": {"cidrs": [cidr]}}

    def services(self, count):
        return [a_service(f"s{i}", ip=f"10.50.0.{i}") for i in range(1, count + 1)]

    def test_an_event_says_so(self):
        event = an_event("ServiceCIDRFull", "Service CIDR 10.50.0.0/28 is full", ("Service", "demo", "web"))
        assert severities(self.code, a_network(a_service(), event)) == [ERROR]

    def test_nearly_all_addresses_in_use_is_a_warning(self):
        network = a_network(*self.services(13), self.a_range("10.50.0.0/28"))
        assert severities(self.code, network) == [WARNING]

    def test_some_room_is_silent(self):
        assert found(self.code, a_network(*self.services(12), self.a_range("10.50.0.0/28"))) == []

    def test_the_remark_of_the_repair_loop_is_silent(self):
        event = an_event(
            "ClusterIPNotAllocated",
            "Cluster IP 10.50.0.1 is not allocated; repairing",
            ("Service", "demo", "web"),
        )
        assert found(self.code, a_network(a_service(), event)) == []

    def test_an_unknown_range_is_silent(self):
        assert found(self.code, a_network(*self.services(13))) == []

    def test_it_needs_services(self):
        assert needs(self.code) == {"api/services"}


def test_a_young_pod_is_on_its_way():
    pod = a_pod(node="", ip="", ready=False, phase="Pending", created=JUST_NOW)
    event = an_event("FailedScheduling", "1 node(s) didn't have free ports for the requested pod ports.")
    assert found("hostnetwork-port-conflict", a_network(pod, event)) == []


def test_an_ingress_without_endpoints_behind_it_is_said_beside_the_fix():
    network = a_network(an_ingress(port={"number": 8080}), a_service(), a_slice())
    assert "no endpoints" in fix_of(only("ingress-backend-mismatch", network)).summary
    served = a_network(an_ingress(port={"number": 8080}), a_pod(), a_service(), a_slice(an_endpoint()))
    assert "no endpoints" not in fix_of(only("ingress-backend-mismatch", served)).summary
