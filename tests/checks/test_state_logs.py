"""What lines of component logs mean: each row of the table fires on its line, and only when that still matters."""

import pytest

from podpath.checks.host.clock import age_s, instant, log_age_s, settled, taken_at
from podpath.checks.host.log_table import DOWN, NOW, REASONS
from podpath.model.finding import Severity
from tests.checks.objects import (
    JUST_NOW,
    LONG_AGO,
    a_network,
    a_pod,
    ended,
    fix_of,
    found,
    needs,
    only,
    waiting,
)

KLOG = "E0301 11:59:50.000000       1 x.go:1] "
LINES = {
    "dns-loop-detected": '[FATAL] plugin/loop: Loop (127.0.0.1:40000 -> :53) detected for zone ".", see https://coredns.io',
    "coredns-proxy-plugin-removed": "[ERROR] /etc/coredns/Corefile:9 - Error during parsing: Unknown directive 'proxy'",
    "coredns-corefile-invalid": "[ERROR] /etc/coredns/Corefile:3 - Error during parsing: Wrong argument count or unexpected line",
    "coredns-reload-failed": "[ERROR] plugin/reload: Corefile changed but reload failed: plugin/x: error",
    "coredns-api-unreachable": "[ERROR] plugin/kubernetes: pkg/mod/k8s.io/client-go/reflector.go:229: Failed to watch *v1.Service: dial tcp 10.50.0.1:443: i/o timeout",
    "netfilter-modules-missing": KLOG
    + "Failed to execute iptables-restore: No chain/target/match by that name",
    "conntrack-binary-missing": KLOG
    + 'Failed to delete: error looking for path of conntrack: exec: "conntrack": executable file not found in $PATH',
    "kube-proxy-api-unreachable": KLOG
    + 'Failed to watch: failed to list *v1.Service: Get "https://192.0.2.9:6443/api": dial tcp 192.0.2.9:6443: i/o timeout',
    "felix-refuses-loose-rpf": "2026-03-01 11:59:50.000 [FATAL][9] int_dataplane.go 1: Kernel's RPF check is set to 'loose'.",
    "aws-node-unready-iam": '{"level":"error","ts":"2026-03-01T11:59:50Z","msg":"Retrying waiting for IPAM-D"}',
    "cloud-credentials-expired": KLOG + "failed: AADSTS7000222: the client secret has expired",
    "kube-proxy-nodeip-loopback": "W0301 11:59:50.0 1 server.go:1] invalid nodeIP, initializing kube-proxy with 127.0.0.1 as nodeIP",
}
BY_CODE = {reason.code: reason for reason in REASONS}


def log_of(code, *, ready=False, times=3, line="", **pod):
    pod = a_pod(
        "agent", "kube-system", ready=ready, state=None if ready else waiting("CrashLoopBackOff"), **pod
    )
    return a_network(pod, files={"a/pods/kube-system.agent/logs": f"{line or LINES[code]}\n" * times})


def test_every_row_has_a_line_here():
    assert set(LINES) == set(BY_CODE)


@pytest.mark.parametrize("code", LINES)
class TestRows:
    """Every row."""

    def test_its_line_warns(self, code):
        finding = only(code, log_of(code))
        assert finding.severity is Severity.WARNING
        assert finding.evidence[0].source == "pods/kube-system.agent/logs"
        assert "kube-system/agent on a" in finding.message
        assert fix_of(finding).steps

    def test_no_other_row_takes_it(self, code):
        network = log_of(code)
        assert [other for other in LINES if other != code and found(other, network)] == []

    def test_a_line_of_something_else_is_silent(self, code):
        assert found(code, log_of(code, line="[ERROR] all is well, i/o timeout never")) == []

    def test_it_needs_logs(self, code):
        assert needs(code) == {"node/logs"}


@pytest.mark.parametrize("code", [one.code for one in REASONS if one.when == DOWN])
class TestDown:
    """Rows that count while their Pod is not ready."""

    def test_a_pod_that_recovered_is_silent(self, code):
        assert found(code, log_of(code, ready=True)) == []

    def test_an_earlier_line_is_not_what_it_dies_of(self, code):
        last = "dns-loop-detected" if code != "dns-loop-detected" else "coredns-corefile-invalid"
        network = log_of(code, line=f"{LINES[code]}\n{LINES[last]}", times=1)
        assert found(code, network) == []
        assert found(last, network)

    def test_a_pod_that_is_gone_is_silent(self, code):
        assert found(code, a_network(files={"a/pods/kube-system.agent/logs": LINES[code] + "\n"})) == []

    def test_the_containers_last_message_counts_as_a_log_does(self, code):
        text = LINES[code].replace("[FATAL] ", "").replace("[ERROR] ", "").replace("[INFO] ", "")
        pod = a_pod(ready=False, state=waiting("CrashLoopBackOff"), last=ended("Error", 1, text))
        finding = only(code, a_network(pod, files={"a/kube-proxy.log": "E0301 11:00:00.0 1 x.go:1] other\n"}))
        assert finding.evidence[0].file == "api/pods.json"


@pytest.mark.parametrize("code", [one.code for one in REASONS if one.when == NOW])
class TestNow:
    """Rows that count while they are recent."""

    def test_a_pod_that_is_ready_may_say_so_too(self, code):
        assert only(code, log_of(code, ready=True)).severity is Severity.WARNING

    def test_lines_of_long_ago_are_silent(self, code):
        line = LINES[code].replace("0301 11:59:50", "0201 00:00:00")
        if line == LINES[code]:
            line = f"{LONG_AGO} stdout F {line}"
        assert found(code, log_of(code, ready=True, line=line)) == []

    def test_a_row_that_wants_several_lines_does_not_take_one(self, code):
        expected = BY_CODE[code].least > 1
        assert (found(code, log_of(code, times=1)) == []) is expected


class TestClock:
    """When the bundle was taken."""

    def test_it_is_the_newest_time_of_all(self):
        assert taken_at(a_network()) == instant("2026-03-01T12:00:00Z")

    def test_without_any_time_nothing_is_young(self):
        network = a_network(without=("leases",))
        assert taken_at(network) is None
        assert age_s(network, JUST_NOW) is None
        assert settled(network, JUST_NOW)

    def test_a_minute_is_enough(self):
        network = a_network()
        assert settled(network, "2026-03-01T11:59:00Z")
        assert not settled(network, "2026-03-01T11:59:01Z")

    def test_klog_has_no_year(self):
        network = a_network()
        assert log_age_s(network, "0301 11:59:00.000000") == 60
        assert log_age_s(network, "1231 12:00:00.0") == 60 * 86400

    @pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01T00:00:00Z"])
    def test_what_is_no_time_has_no_age(self, text):
        assert age_s(a_network(), text) is None
