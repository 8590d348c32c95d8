"""Services without anybody behind them: the promise that cannot be made, and why."""

import pytest

from podpath.model.finding import Severity
from tests.checks.objects import (
    JUST_NOW,
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
    needs,
    only,
    patch_of,
    promised,
    severities,
    waiting,
)

ERROR, WARNING = Severity.ERROR, Severity.WARNING


class TestSelectorMismatch:
    """svc-selector-mismatch."""

    code = "svc-selector-mismatch"

    def test_a_slip_of_the_pen_is_found_with_the_labels_that_were_meant(self):
        network = a_network(a_pod(), a_service(selector={"app": "wep"}), a_slice())
        finding = only(self.code, network)
        assert finding.severity is ERROR
        assert "app=web" in finding.message
        assert patch_of(finding) == {"spec": {"selector": {"app": "web"}}}

    def test_its_evidence_is_the_selector_and_the_label(self):
        first, second = only(
            self.code, a_network(a_pod(), a_service(selector={"app": "wep"}), a_slice())
        ).evidence
        assert (first.file, second.file) == ("api/services.json", "api/pods.json")
        assert first.line
        assert second.line

    def test_it_counts_all_who_would_ask(self):
        network = a_network(a_node(), a_pod(), a_service(selector={"app": "wep"}), a_slice())
        finding = only(self.code, network)
        assert finding.broken == 2  # a Pod and a node
        assert finding.breaks[0].servers == frozenset()

    def test_another_key_is_found_by_its_value(self):
        network = a_network(a_pod(labels={"name": "web"}), a_service(), a_slice())
        patch = patch_of(only(self.code, network))
        assert patch == {"spec": {"selector": {"app": None, "name": "web"}}}

    def test_one_wrong_pair_of_two_is_changed_alone(self):
        network = a_network(
            a_pod(labels={"app": "web", "tier": "front"}),
            a_service(selector={"app": "web", "tier": "back"}),
            a_slice(),
        )
        finding = only(self.code, network)
        assert patch_of(finding)["spec"]["selector"].get("app") is None
        assert "tier" in patch_of(finding)["spec"]["selector"]

    def test_pods_of_another_namespace_are_pointed_out(self):
        network = a_network(a_pod(namespace="other"), a_service(), a_slice())
        assert "Pod other/web-1 does" in only(self.code, network).message

    def test_a_workload_that_is_scaled_to_zero_is_a_warning(self):
        network = a_network(a_service(), a_slice(), a_workload(replicas=0))
        finding = only(self.code, network)
        assert finding.severity is WARNING
        assert fix_of(finding).steps == ("kubectl -n demo scale deployment web --replicas=1",)

    def test_a_workload_whose_pods_are_to_come_is_another_matter(self):
        assert found(self.code, a_network(a_service(), a_slice(), a_workload(replicas=2))) == []

    def test_labels_that_controllers_write_are_not_suggested(self):
        pod = a_pod(labels={"pod-template-hash": "wep"})
        assert (
            "nearest"
            not in only(self.code, a_network(pod, a_service(selector={"app": "wep"}), a_slice())).message
        )

    def test_a_headless_service_is_a_warning(self):
        network = a_network(a_pod(), a_service(ip="None", selector={"app": "wep"}), a_slice())
        assert severities(self.code, network) == [WARNING]

    def test_a_match_is_silent(self):
        assert found(self.code, a_network(a_pod(), a_service(), a_slice(an_endpoint()))) == []

    def test_a_service_of_this_minute_is_silent(self):
        network = a_network(a_pod(), a_service(selector={"app": "wep"}, created=JUST_NOW), a_slice())
        assert found(self.code, network) == []

    @pytest.mark.parametrize(
        "service",
        [
            a_service(selector={}),
            a_service(type="ExternalName", externalName="db.example", selector={"app": "wep"}),
            a_service("kubernetes", "default", selector={"app": "wep"}),
            a_service("kube-dns", "kube-system", selector={"app": "wep"}, labels={"k8s-app": "kube-dns"}),
        ],
    )
    def test_services_of_other_sorts_are_not_its_matter(self, service):
        assert found(self.code, a_network(a_pod(), service)) == []

    def test_it_needs_services_and_pods(self):
        assert needs(self.code) == {"api/services", "api/pods"}


class TestNoReadyEndpoints:
    """svc-no-ready-endpoints."""

    code = "svc-no-ready-endpoints"

    def test_the_state_of_the_container_is_the_cause(self):
        pod = a_pod(ready=False, state=waiting("CrashLoopBackOff"), last=ended("Error", 2))
        finding = only(self.code, a_network(pod, a_service(), a_slice(an_endpoint(ready=False))))
        assert finding.severity is ERROR
        assert finding.cause == "container main is CrashLoopBackOff, last end: Error, exit 2"
        assert finding.evidence[0].file == "api/pods.json"

    def test_the_probe_that_fails_is_quoted_from_its_event(self):
        pod = a_pod(ready=False, probe={"httpGet": {"port": 8080}})
        event = an_event("Unhealthy", 'Readiness probe failed: Get "http://10.9.0.5:8080/": 500')
        finding = only(self.code, a_network(pod, a_service(), a_slice(an_endpoint(ready=False)), event))
        assert "Readiness probe failed" in finding.cause
        assert finding.evidence[0].file == "api/events.json"

    def test_without_an_event_the_probe_is_named(self):
        pod = a_pod(ready=False, probe={"httpGet": {"port": 8080}})
        finding = only(self.code, a_network(pod, a_service(), a_slice(an_endpoint(ready=False))))
        assert "readiness probe (port 8080)" in finding.cause

    def test_a_pod_that_no_node_takes_says_why(self):
        pod = a_pod(node="", ip="", ready=False, phase="Pending", state=waiting("ContainerCreating"))
        event = an_event("FailedScheduling", "0/1 nodes are available: 1 Insufficient cpu.")
        assert "Insufficient cpu" in only(self.code, a_network(pod, a_service(), a_slice(), event)).cause

    def test_pods_that_are_not_made_are_told_with_the_refusal(self):
        event = an_event("FailedCreate", "exceeded quota: pods", ("ReplicaSet", "demo", "web-abc"))
        replicas = a_workload("web-abc", kind="ReplicaSet", owner=("Deployment", "web"))
        finding = only(self.code, a_network(a_service(), a_slice(), a_workload(), replicas, event))
        assert "Deployment demo/web are not made" in finding.message
        assert finding.reason == "exceeded quota: pods"

    def test_one_ready_pod_is_enough(self):
        network = a_network(
            a_pod(), a_pod("web-2", ip="10.9.0.6", ready=False), a_service(), a_slice(an_endpoint())
        )
        assert found(self.code, network) == []

    def test_pods_of_this_minute_are_silent(self):
        pod = a_pod(ready=False, created=JUST_NOW)
        assert found(self.code, a_network(pod, a_service(), a_slice(an_endpoint(ready=False)))) == []

    def test_a_service_that_publishes_unready_pods_is_silent(self):
        network = a_network(
            a_pod(ready=False), a_service(publishNotReadyAddresses=True), a_slice(an_endpoint(ready=True))
        )
        assert found(self.code, network) == []

    def test_it_needs_services_and_pods(self):
        assert needs(self.code) == {"api/services", "api/pods"}


class TestNamedPortMissing:
    """svc-named-port-missing."""

    code = "svc-named-port-missing"
    service = a_service(ports=[{"name": "http", "port": 80, "targetPort": "web"}])

    def test_a_name_that_no_container_port_has(self):
        finding = only(self.code, a_network(a_pod(), self.service, a_slice(an_endpoint(), ports=[])))
        assert finding.severity is ERROR
        assert [one.file for one in finding.evidence] == ["api/services.json", "api/pods.json"]
        assert '"value":8080' in fix_of(finding).steps[0]

    def test_the_name_of_another_protocol_does_not_count(self):
        pod = a_pod(ports=[{"containerPort": 8080, "name": "web", "protocol": "UDP"}])
        assert severities(self.code, a_network(pod, self.service, a_slice(ports=[]))) == [ERROR]

    def test_two_declared_ports_leave_the_choice_to_people(self):
        pod = a_pod(ports=[{"containerPort": 1, "name": "x"}, {"containerPort": 2, "name": "y"}])
        assert fix_of(only(self.code, a_network(pod, self.service, a_slice(ports=[])))).steps == ()

    def test_a_name_that_is_there_is_silent(self):
        pod = a_pod(ports=[{"containerPort": 8080, "name": "web"}])
        assert found(self.code, a_network(pod, self.service, a_slice(an_endpoint()))) == []

    def test_one_pod_with_the_name_is_enough(self):
        other = a_pod("web-2", ip="10.9.0.6", ports=[{"containerPort": 8080, "name": "web"}])
        endpoint = an_endpoint("10.9.0.6", "web-2")
        assert found(self.code, a_network(a_pod(), other, self.service, a_slice(endpoint))) == []

    def test_a_number_is_taken_as_it_is(self):
        assert found(self.code, a_network(a_pod(), a_service(), a_slice())) == []

    def test_it_needs_services_and_pods(self):
        assert needs(self.code) == {"api/services", "api/pods"}


class TestTerminatingOnly:
    """pod-terminating-endpoint-only."""

    code = "pod-terminating-endpoint-only"
    leaving = an_endpoint(ready=False, terminating=True)

    def test_all_that_is_left_shuts_down(self):
        network = a_network(a_pod(deleted=True), a_service(), a_slice(self.leaving))
        assert severities(self.code, network) == [WARNING]
        assert found("svc-no-ready-endpoints", network) == []

    def test_another_ready_one_is_enough(self):
        network = a_network(a_service(), a_slice(self.leaving, an_endpoint("10.9.0.6", "web-2")))
        assert found(self.code, network) == []

    def test_one_that_does_not_serve_is_no_endpoint(self):
        gone = an_endpoint(ready=False, serving=False, terminating=True)
        assert found(self.code, a_network(a_service(), a_slice(gone))) == []

    def test_it_needs_slices(self):
        assert needs(self.code) == {"api/services", "api/endpointslices"}


class TestEndpointsOutOfDate:
    """endpoints-out-of-date."""

    code = "endpoints-out-of-date"

    def test_a_ready_pod_in_no_slice_leaves_the_service_empty(self):
        finding = only(self.code, a_network(a_pod(), a_service(), a_slice()))
        assert finding.severity is ERROR
        assert finding.broken
        assert "demo/web-1 10.9.0.5" in finding.message

    def test_beside_another_endpoint_it_is_a_warning(self):
        other = a_pod("web-2", ip="10.9.0.6")
        network = a_network(a_pod(), other, a_service(), a_slice(an_endpoint("10.9.0.6", "web-2")))
        assert severities(self.code, network) == [WARNING]

    def test_an_endpoint_whose_address_is_another_pods_by_now(self):
        stranger = a_pod("db-1", labels={"app": "db"})
        network = a_network(stranger, a_service(), a_slice(an_endpoint("10.9.0.5", "web-1")))
        assert severities(self.code, network) == [ERROR]

    def test_an_endpoint_on_a_node_that_is_gone(self):
        network = a_network(a_node(), a_service(), a_slice(an_endpoint(node="gone")))
        assert severities(self.code, network) == [ERROR]

    def test_a_pod_that_became_ready_this_minute_is_silent(self):
        assert found(self.code, a_network(a_pod(since=JUST_NOW), a_service(), a_slice())) == []

    def test_a_pod_that_just_went_is_silent(self):
        assert found(self.code, a_network(a_node(), a_service(), a_slice(an_endpoint()))) == []

    def test_slices_and_pods_that_agree_are_silent(self):
        assert found(self.code, a_network(a_pod(), a_service(), a_slice(an_endpoint()))) == []

    def test_it_needs_slices_and_pods(self):
        assert needs(self.code) == {"api/services", "api/pods", "api/endpointslices"}


class TestEndpointsManualStale:
    """endpoints-manual-stale."""

    code = "endpoints-manual-stale"
    service = a_service(selector={})

    def stale(self, ip, *objects):
        return a_network(a_node(), self.service, a_slice(an_endpoint(ip, ""), managed=False), *objects)

    @pytest.mark.parametrize(
        ("ip", "why"),
        [
            ("127.0.0.1", "loopback"),
            ("10.50.0.20", "ClusterIP of Service demo/web"),
            ("10.9.0.77", "no Pod has it"),
        ],
    )
    def test_an_address_that_nobody_has(self, ip, why):
        finding = only(self.code, self.stale(ip))
        assert finding.severity is ERROR
        assert why in finding.message
        assert finding.evidence[0].file.startswith("api/endpointslices")

    @pytest.mark.parametrize("ip", ["198.51.100.7", "192.0.2.1"])
    def test_an_address_outside_or_of_a_node_cannot_be_judged(self, ip):
        assert found(self.code, self.stale(ip)) == []

    def test_a_pods_address_is_silent(self):
        assert found(self.code, self.stale("10.9.0.5", a_pod())) == []

    def test_it_breaks_what_the_service_promises_there(self):
        network = self.stale("10.9.0.77", a_pod())
        told = promised(network)
        finding = found(self.code, network, told)[0]
        assert {id(one) for one in finding.breaks} == {id(one) for one in told if one.subject.name == "web"}
        assert finding.broken == sum(one.stands_for for one in finding.breaks) > 0

    def test_a_service_with_a_selector_is_a_controllers_matter(self):
        network = a_network(a_node(), a_service(), a_slice(an_endpoint("10.9.0.77", "")))
        assert found(self.code, network) == []

    def test_it_needs_slices(self):
        assert "api/endpointslices" in needs(self.code)


class TestHeadless:
    """dns-headless-noready and headless-misuse."""

    def test_a_name_without_a_ready_pod(self):
        network = a_network(a_pod(ready=False), a_service(ip="None"), a_slice(an_endpoint(ready=False)))
        finding = only("dns-headless-noready", network)
        assert finding.severity is WARNING
        assert "publishNotReadyAddresses" in fix_of(finding).steps[0]

    def test_a_ready_pod_is_silent(self):
        network = a_network(a_pod(), a_service(ip="None"), a_slice(an_endpoint()))
        assert found("dns-headless-noready", network) == []

    def test_a_pod_of_this_minute_is_silent(self):
        pod = a_pod(ready=False, created=JUST_NOW)
        network = a_network(pod, a_service(ip="None"), a_slice(an_endpoint(ready=False)))
        assert found("dns-headless-noready", network) == []

    def test_a_service_with_an_address_is_not_its_matter(self):
        network = a_network(a_pod(ready=False), a_service(), a_slice(an_endpoint(ready=False)))
        assert found("dns-headless-noready", network) == []

    def test_a_port_that_nothing_translates(self):
        finding = only("headless-misuse", a_network(a_pod(), a_service(ip="None"), a_slice(an_endpoint())))
        assert finding.severity is WARNING
        assert "8080" in finding.message

    def test_the_pods_own_port_is_silent(self):
        service = a_service(ip="None", ports=[{"name": "http", "port": 8080, "targetPort": "http"}])
        assert found("headless-misuse", a_network(a_pod(), service)) == []

    def test_a_translated_service_may_have_any_port(self):
        assert found("headless-misuse", a_network(a_pod(), a_service())) == []

    def test_both_need_services_and_pods(self):
        assert needs("headless-misuse") == needs("dns-headless-noready") == {"api/services", "api/pods"}


class TestExternalName:
    """externalname-misuse."""

    code = "externalname-misuse"

    @pytest.mark.parametrize("name", ["198.51.100.5", "198.51.100.5.", "2001:db8::5"])
    def test_an_address_is_no_name(self, name):
        service = a_service(type="ExternalName", externalName=name, ip="", selector={})
        finding = only(self.code, a_network(service))
        assert finding.severity is WARNING
        assert name.rstrip(".") in fix_of(finding).steps[1]

    def test_a_name_is_silent(self):
        service = a_service(type="ExternalName", externalName="db.example.com", ip="", selector={})
        assert found(self.code, a_network(service)) == []

    def test_another_service_is_not_its_matter(self):
        assert found(self.code, a_network(a_service())) == []

    def test_it_needs_services(self):
        assert needs(self.code) == {"api/services"}
