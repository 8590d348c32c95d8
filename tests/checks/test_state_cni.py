"""Pods that get no network, and addresses that are given twice."""

import pytest

from podpath.model.finding import Severity
from tests.checks.objects import (
    JUST_NOW,
    a_network,
    a_node,
    a_pod,
    an_event,
    ended,
    fix_of,
    found,
    needs,
    only,
    severities,
    waiting,
)

ERROR, WARNING = Severity.ERROR, Severity.WARNING
SANDBOX = "FailedCreatePodSandBox"


def stuck(name="web-1", node="a", **more):
    """A Pod that waits for its network."""
    return a_pod(name, node=node, ip="", ready=False, phase="Pending", **more)


def failed(message, name="web-1"):
    return an_event(SANDBOX, f"Failed to create pod sandbox: rpc error: {message}", ("Pod", "demo", name))


def flannel(name="cbr0", **more):
    import json

    return json.dumps({"name": name, "cniVersion": "1.0.0", "plugins": [{"type": "flannel", **more}]})


EVENTS = {
    "cni-binary-missing": 'failed to find plugin "portmap" in path [/opt/cni/bin]',
    "cni-version-incompatible": 'incompatible CNI versions; config is "1.0.0", plugin supports ["0.4.0"]',
    "kubelet-resolvconf-missing": "open /run/systemd/resolve/resolv.conf: no such file or directory",
    "flannel-subnet-env-missing": "loadFlannelSubnetEnv failed: open /run/flannel/subnet.env: no such file or directory",
    "cni0-wrong-address": 'failed to set bridge addr: "cni0" already has an IP address different from 10.9.0.1/24',
    "ipam-exhausted-leak": "no IP addresses available in range set: 10.9.0.1-10.9.0.254",
}


@pytest.mark.parametrize("code", EVENTS)
class TestEvents:
    """What the kubelet says of a sandbox that fails."""

    def test_a_pod_that_waits_for_it(self, code):
        finding = only(code, a_network(a_node(), stuck(), failed(EVENTS[code])))
        assert finding.severity is ERROR
        assert finding.broken == 1
        assert finding.subject.name == "a"
        assert finding.evidence[0].text.startswith(f"event {SANDBOX}")

    def test_all_pods_of_a_node_are_one_finding(self, code):
        pods = (stuck(), stuck("web-2"), failed(EVENTS[code]), failed(EVENTS[code], "web-2"))
        assert only(code, a_network(a_node(), *pods)).broken == 2

    def test_a_pod_that_got_its_network_since_is_silent(self, code):
        assert found(code, a_network(a_node(), a_pod(), failed(EVENTS[code]))) == []

    def test_a_pod_of_this_minute_is_silent(self, code):
        assert found(code, a_network(a_node(), stuck(created=JUST_NOW), failed(EVENTS[code]))) == []

    def test_another_complaint_is_not_its_matter(self, code):
        assert found(code, a_network(a_node(), stuck(), failed("image not found"))) == []

    def test_a_pod_that_is_gone_is_silent(self, code):
        assert found(code, a_network(a_node(), failed(EVENTS[code]))) == []

    def test_it_needs_pods(self, code):
        assert "api/pods" in needs(code)


class TestReasons:
    """What stands behind such an event."""

    def test_the_flannel_pod_that_did_not_write_its_file(self):
        agent = a_pod(
            "fl-1", "net", ip="192.0.2.1", hostNetwork=True, ready=False, state=waiting("CrashLoopBackOff"), owner=("DaemonSet", "fl")
        )  # fmt: skip
        finding = only(
            "flannel-subnet-env-missing",
            a_network(a_node(), agent, stuck(), failed(EVENTS["flannel-subnet-env-missing"])),
        )
        assert "net/fl-1: container main is CrashLoopBackOff" in finding.reason

    def test_the_kubelets_setting_is_evidence(self):
        files = {
            "a/kubelet-config.json": '{"kind": "KubeletConfiguration", "resolvConf": "/run/systemd/resolve/resolv.conf"}'
        }
        network = a_network(a_node(), stuck(), failed(EVENTS["kubelet-resolvconf-missing"]), files=files)
        assert only("kubelet-resolvconf-missing", network).evidence[1].source == "kubelet-config.json"

    def test_a_sandbox_that_cannot_be_taken_down_counts_for_the_version(self):
        event = an_event(
            "FailedKillPod", 'failed to destroy network for sandbox: invalid version "": the version is empty'
        )
        assert severities("cni-version-incompatible", a_network(a_node(), a_pod(deleted=True), event)) == [
            ERROR
        ]


class TestBridgeAddress:
    """cni0-wrong-address, from the bridge alone."""

    code = "cni0-wrong-address"

    def network(self, local, config=None):
        addresses = f'[{{"ifindex":3,"ifname":"cni0","addr_info":[{{"family":"inet","local":"{local}","prefixlen":24,"scope":"global"}}]}}]'
        return a_network(
            a_node(), files={"a/ip-addr.json": addresses, "a/cni-net.d/10-f.conflist": config or flannel()}
        )

    def test_an_address_of_another_range_will_stop_the_next_pod(self):
        finding = only(self.code, self.network("10.9.7.1"))
        assert finding.severity is WARNING
        assert "ip link delete cni0" in fix_of(finding).steps[0]

    def test_an_address_of_the_nodes_range_is_silent(self):
        assert found(self.code, self.network("10.9.0.1")) == []

    def test_another_cni_has_its_own_ranges(self):
        assert found(self.code, self.network("10.9.7.1", '{"name":"x","plugins":[{"type":"calico"}]}')) == []


class TestConfigMissing:
    """cni-config-missing."""

    code = "cni-config-missing"

    def not_ready(self, message="container runtime network not ready: cni plugin not initialized"):
        return a_node(
            conditions=[{"type": "Ready", "status": "False", "reason": "KubeletNotReady", "message": message}]
        )

    def test_the_node_says_so(self):
        finding = only(self.code, a_network(self.not_ready(), stuck()))
        assert finding.severity is ERROR
        assert "no Pod of a DaemonSet" in finding.reason

    def test_the_agents_log_gives_the_reason_and_the_fix(self):
        agent = a_pod(
            "calico", "net", ip="192.0.2.1", hostNetwork=True, ready=False, owner=("DaemonSet", "calico")
        )
        log = "2026-03-01 11:59:50.000 [FATAL][9] int_dataplane.go 1: Kernel's RPF check is set to 'loose'.\n"
        network = a_network(self.not_ready(), agent, files={"a/pods/net.calico/logs": log})
        finding = only(self.code, network)
        assert finding.reason.startswith("felix-refuses-loose-rpf")
        assert "rp_filter" in fix_of(finding).summary

    def test_a_file_that_the_runtime_does_not_take_is_shown(self):
        network = a_network(self.not_ready(), files={"a/cni-net.d/10-f.conflist": flannel()})
        assert "there, but not taken" in only(self.code, network).evidence[1].text

    def test_another_reason_is_not_its_matter(self):
        assert found(self.code, a_network(self.not_ready("PLEG is not healthy"))) == []

    def test_a_ready_node_is_silent(self):
        assert found(self.code, a_network(a_node())) == []

    def test_it_needs_nodes(self):
        assert needs(self.code) == {"api/nodes"}


class TestMultipleConfigs:
    """cni-multiple-configs."""

    code = "cni-multiple-configs"
    containerd = '{"name": "containerd-net", "plugins": [{"type": "bridge", "bridge": "cni9"}]}'

    def network(self, first, *objects, second_node=None):
        files = {"a/cni-net.d/10-a.conflist": first, "a/cni-net.d/20-flannel.conflist": flannel()}
        for name in ("b", "c"):
            files[f"{name}/cni-net.d/20-flannel.conflist"] = second_node or flannel()
        nodes = (a_node(), a_node("b", "192.0.2.2", "10.9.1.0/24"))
        return a_network(*nodes, *objects, files=files)

    def test_the_first_is_not_what_other_nodes_use(self):
        finding = only(self.code, self.network(self.containerd))
        assert finding.severity is WARNING
        assert "10-a.conflist wins over 20-flannel.conflist" in finding.message

    def test_pods_with_strange_addresses_make_it_an_error(self):
        pods = (a_pod(ip="10.88.0.5"), a_pod("web-2", node="b", ip="10.9.1.5"))
        finding = only(self.code, self.network(self.containerd, *pods))
        assert finding.severity is ERROR
        assert finding.broken == 1
        assert "10.88.0.5" in finding.message

    def test_a_meta_plugin_is_meant_to_be_first(self):
        multus = '{"name": "multus", "type": "multus-shim", "clusterNetwork": "x"}'
        assert found(self.code, self.network(multus)) == []

    def test_one_configuration_is_silent(self):
        assert found(self.code, a_network(a_node(), files={"a/cni-net.d/10-f.conflist": flannel()})) == []

    def test_a_second_of_the_same_name_is_silent(self):
        assert found(self.code, self.network(flannel())) == []

    def test_it_needs_the_files(self):
        assert needs(self.code) == {"node/cni-net.d"}


class TestNodeRanges:
    """node-podcidr-duplicate and node-podcidr-unassigned."""

    @pytest.mark.parametrize("other", ["10.9.0.0/24", "10.9.0.128/25", "10.9.0.0/16"])
    def test_ranges_that_share_addresses(self, other):
        network = a_network(a_node(), a_node("b", "192.0.2.2", other, created="2026-02-02T00:00:00Z"))
        finding = only("node-podcidr-duplicate", network)
        assert finding.severity is ERROR
        assert finding.subject.name == "b"
        assert len(finding.evidence) == 2

    def test_neighbouring_ranges_are_silent(self):
        assert (
            found("node-podcidr-duplicate", a_network(a_node(), a_node("b", "192.0.2.2", "10.9.1.0/24")))
            == []
        )

    def test_both_families_of_one_node_are_silent(self):
        node = a_node(podCIDRs=["10.9.0.0/24", "2001:db8::/64"])
        assert found("node-podcidr-duplicate", a_network(node)) == []

    def test_one_node_without_a_range_among_others(self):
        nodes = (a_node(), a_node("b", "192.0.2.2", "10.9.1.0/24"), a_node("c", "192.0.2.3", ""))
        finding = only("node-podcidr-unassigned", a_network(*nodes))
        assert finding.severity is ERROR
        assert finding.subject.name == "c"

    def test_the_log_of_flannel_says_so(self):
        log = 'E0301 11:59:50.0 1 main.go:1] Error registering network: node "a" pod cidr not assigned\n'
        network = a_network(a_node(cidr=""), files={"a/pods/net.fl/logs": log})
        assert severities("node-podcidr-unassigned", network) == [ERROR]

    def test_the_event_tells_that_the_range_is_used_up(self):
        event = an_event("CIDRNotAvailable", "Node a status is now: CIDRNotAvailable", ("Node", "", "a"))
        assert (
            only("node-podcidr-unassigned", a_network(a_node(cidr=""), event)).reason
            == "the cluster's range is used up"
        )

    def test_a_cluster_whose_cni_needs_none_is_silent(self):
        assert (
            found("node-podcidr-unassigned", a_network(a_node(cidr=""), a_node("b", "192.0.2.2", ""))) == []
        )

    def test_a_node_whose_pods_have_addresses_all_the_same_needs_none(self):
        nodes = (a_node(), a_node("b", "192.0.2.2", "10.9.1.0/24"), a_node("c", "192.0.2.3", ""))
        assert found("node-podcidr-unassigned", a_network(*nodes, a_pod(node="c", ip="192.0.2.77"))) == []

    def test_a_node_of_this_minute_is_silent(self):
        nodes = (
            a_node(),
            a_node("b", "192.0.2.2", "10.9.1.0/24"),
            a_node("c", "192.0.2.3", "", created=JUST_NOW),
        )
        assert found("node-podcidr-unassigned", a_network(*nodes)) == []

    def test_both_need_nodes(self):
        assert needs("node-podcidr-duplicate") == needs("node-podcidr-unassigned") == {"api/nodes"}


class TestAddressesRunOut:
    """ipam-exhausted-leak, podcidr-too-small, subnet-ip-exhausted, eni-limit-maxpods."""

    small = "10.9.0.0/28"
    gone = failed(EVENTS["ipam-exhausted-leak"])

    def pods(self, count):
        return [a_pod(f"p{i}", ip=f"10.9.0.{i + 2}") for i in range(count)]

    def test_few_pods_and_no_address_is_a_leak(self):
        network = a_network(a_node(cidr=self.small), *self.pods(6), stuck(), self.gone)
        assert "6 of 13" in only("ipam-exhausted-leak", network).message
        assert found("podcidr-too-small", network) == []

    def test_all_addresses_in_use_is_a_small_range(self):
        network = a_network(a_node(cidr=self.small), *self.pods(7), stuck(), self.gone)
        assert severities("podcidr-too-small", network) == [ERROR]
        assert found("ipam-exhausted-leak", network) == []

    def test_a_range_below_max_pods_is_a_warning(self):
        files = {"a/cni-net.d/10-f.conflist": flannel()}
        assert severities("podcidr-too-small", a_network(a_node(cidr="10.9.0.0/26"), files=files)) == [
            WARNING
        ]

    @pytest.mark.parametrize(
        ("cidr", "pods", "config"),
        [
            ("10.9.0.0/25", "110", flannel()),
            ("10.9.0.0/26", "60", flannel()),
            ("10.9.0.0/26", "110", '{"name":"x","plugins":[{"type":"calico"}]}'),
        ],
    )
    def test_a_range_with_room_or_of_no_matter_is_silent(self, cidr, pods, config):
        network = a_network(a_node(cidr=cidr, pods=pods), files={"a/cni-net.d/10-f.conflist": config})
        assert found("podcidr-too-small", network) == []

    def test_all_nodes_without_an_address_are_a_subnet(self):
        text = "add cmd: failed to assign an IP address to container"
        nodes = (a_node(), a_node("b", "192.0.2.2", ""))
        network = a_network(*nodes, stuck(), stuck("web-2", "b"), failed(text), failed(text, "web-2"))
        assert severities("subnet-ip-exhausted", network) == [ERROR, ERROR]
        assert found("eni-limit-maxpods", network) == []

    def test_one_node_alone_is_its_instance(self):
        text = "add cmd: failed to assign an IP address to container"
        network = a_network(a_node(), a_node("b", "192.0.2.2", ""), stuck(), failed(text))
        assert severities("eni-limit-maxpods", network) == [ERROR]
        assert found("subnet-ip-exhausted", network) == []

    @pytest.mark.parametrize("code", ["subnet-ip-exhausted", "eni-limit-maxpods", "ipam-exhausted-leak"])
    def test_without_such_an_event_they_are_silent(self, code):
        assert found(code, a_network(a_node(), stuck())) == []
        assert "api/events" in needs(code)


class TestDuplicatePodIp:
    """duplicate-pod-ip."""

    code = "duplicate-pod-ip"

    def test_two_pods_that_run_have_one_address(self):
        network = a_network(a_pod(), a_pod("web-2", node="b", created="2026-02-02T00:00:00Z"))
        finding = only(self.code, network)
        assert finding.severity is ERROR
        assert finding.subject.name == "web-2"
        assert len(finding.evidence) == 2

    @pytest.mark.parametrize(
        "other", [{"hostNetwork": True}, {"phase": "Succeeded"}, {"deleted": True}, {"ip": "10.9.0.6"}]
    )
    def test_an_owner_on_paper_only_is_silent(self, other):
        assert found(self.code, a_network(a_pod(), a_pod("web-2", **other))) == []

    def test_a_successor_of_this_minute_is_silent(self):
        assert found(self.code, a_network(a_pod(), a_pod("web-2", created=JUST_NOW))) == []

    def test_it_needs_pods(self):
        assert needs(self.code) == {"api/pods"}


class TestSelinux:
    """selinux-cni-install-denied."""

    code = "selinux-cni-install-denied"
    line = "cp: can't create '/etc/cni/net.d/10-flannel.conflist': Permission denied\n"

    def network(self, line=line, mode="Enforcing\n", done=False):
        status = {
            "name": "install-cni",
            "ready": done,
            "state": waiting("CrashLoopBackOff"),
            "lastState": ended("Error"),
        }
        pod = a_pod(
            "fl-1",
            "net",
            ip="192.0.2.1",
            ready=False,
            hostNetwork=True,
            init=[status],
            owner=("DaemonSet", "fl"),
        )
        return a_network(a_node(), pod, files={"a/selinux": mode, "a/pods/net.fl-1/logs": line})

    def test_the_init_container_may_not_write(self):
        finding = only(self.code, self.network())
        assert finding.severity is ERROR
        assert "/etc/cni/net.d/10-flannel.conflist" in finding.message
        assert {one.source for one in finding.evidence} >= {"selinux", "pods/net.fl-1/logs"}

    def test_the_safer_fix_comes_first(self):
        steps = fix_of(only(self.code, self.network())).steps
        assert "container-selinux" in steps[0]
        assert "spc_t" in steps[1]
        assert "last resort" in steps[2]

    @pytest.mark.parametrize("mode", ["Permissive\n", "Disabled\n"])
    def test_a_mode_that_denies_nothing_is_silent(self, mode):
        assert found(self.code, self.network(mode=mode)) == []

    def test_a_denial_elsewhere_is_not_its_matter(self):
        assert found(self.code, self.network("cp: can't create '/data/x': Permission denied\n")) == []

    def test_an_init_container_that_is_done_is_silent(self):
        assert found(self.code, self.network(done=True)) == []

    def test_it_needs_pods(self):
        assert needs(self.code) == {"api/pods"}


class TestCloudRoutes:
    """cloud-route-controller-failed."""

    code = "cloud-route-controller-failed"

    def network(self, text="", status="True", reason="NoRouteCreated"):
        condition = {
            "type": "NetworkUnavailable",
            "status": status,
            "reason": reason,
            "message": "RouteController failed to create a route",
        }
        event = an_event(
            "FailedToCreateRoute", "Could not create route a: rateLimitExceeded", ("Node", "", "a")
        )
        log = (
            f"E0301 11:59:50.0 1 route_controller.go:1] Could not create route for node a: {text}\n"
            if text
            else ""
        )
        files = {"c/pods/kube-system.ccm/logs": log} if text else {}
        events = [event] if status == "True" and not text else []
        return a_network(a_node(conditions=[condition]), *events, files=files)

    @pytest.mark.parametrize(
        ("text", "kind"),
        [
            ("googleapi: Error 403: Quota 'ROUTES' exceeded", "quota"),
            ("AuthorizationFailed: no permission", "authorization"),
        ],
    )
    def test_the_controllers_log_tells_the_kind(self, text, kind):
        finding = only(self.code, self.network(text))
        assert finding.severity is ERROR
        assert finding.message.endswith(kind)
        assert text in finding.reason

    def test_the_event_alone_tells_it_too(self):
        assert only(self.code, self.network()).message.endswith("throttling")

    @pytest.mark.parametrize(("status", "reason"), [("False", "RouteCreated"), ("False", "FlannelIsUp")])
    def test_a_node_with_its_route_is_silent(self, status, reason):
        assert found(self.code, self.network(status=status, reason=reason)) == []

    def test_it_needs_nodes(self):
        assert needs(self.code) == {"api/nodes"}
