"""Bundles of real clusters: what answered whom, and what is wrong."""

from __future__ import annotations

import pytest

from podpath.assemble.network import build_network
from podpath.diagnosis.run import diagnose
from podpath.model.finding import Severity
from tests.scenarios.bundles import bundle, names
from tests.scenarios.flows import disagreement, truth

HEALTHY = [
    "iptables-vxlan-healthy",
    "nftables-hostgw-healthy",
    "coredns-healthy",
    "dual-healthy",
    "nft-kube-router-healthy",
]
CAUSES = {
    "ip-forward-off": ("ip-forward-off", "Node n2"),
    "bridge-nf-off": ("br-nf-call-iptables-off", "Node n1"),
    "route-lost": ("podcidr-route-missing", "Node n1"),
    "forward-policy-drop": ("cni-accept-not-jumped", "Node n2"),
    "nft-forward-policy-drop": ("cni-accept-not-jumped", "Node n2"),
    "foreign-iptables-drop": ("foreign-iptables-rule-pod-cidr", "Node n2"),
    "nft-foreign-nft-drop": ("foreign-nft-forward-drop", "Node n3"),
    "host-firewall-drops-vxlan": ("vxlan-port-blocked", "Node n3"),
    "service-selector": ("svc-selector-mismatch", "Service shop/api"),
    "not-listening": ("container-not-listening", ""),
    "hairpin-off": ("hairpin-off", "Node n3"),
    "kube-proxy-rules-flushed": ("kube-proxy-hooks-flushed", "Node n1"),
    "dns-no-endpoints": ("dns-pods-not-running", ""),
    "coredns-upstream-dead": ("dns-upstream-unreachable", ""),
    "policy-forgets-dns": ("netpol-egress-blocks-dns", ""),
    "flannel-stale-vtep": ("vtep-mac-stale", ""),
    "ip6-forward-off": ("ip-forward-off", "Node n2"),
}


@pytest.mark.parametrize("name", names())
def test_every_flow_that_was_measured_is_answered_right(name: str) -> None:
    files = bundle(name)
    network = build_network(name, files)
    flows = truth(files)
    found = [disagreement(network, flow) for flow in flows]
    wrong = [text for text in found if text not in ("", "unknown")]
    assert not wrong
    assert found.count("unknown") <= len(flows) // 100


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_cluster_is_silent(name: str) -> None:
    diagnosis = diagnose(build_network(name, bundle(name)))
    assert [f"{f.code}: {f.message}" for f in diagnosis.at_least(Severity.WARNING)] == []
    assert diagnosis.broken == 0
    assert diagnosis.walked > 100
    assert diagnosis.crashed == ()
    assert diagnosis.unrecognized == ()


@pytest.mark.parametrize(("name", "cause"), CAUSES.items())
def test_the_cause_is_the_first_finding_and_its_consequences_are_folded(
    name: str, cause: tuple[str, str]
) -> None:
    diagnosis = diagnose(build_network(name, bundle(name)))
    told = [f"{f.severity.value} {f.code} {f.subject}: {f.message}" for f in diagnosis.findings]
    first = diagnosis.findings[0]
    assert first.code == cause[0], told
    assert str(first.subject) == cause[1] or not cause[1]
    assert len(diagnosis.at_least(Severity.ERROR)) <= 1, told
    assert diagnosis.crashed == ()


def test_every_bundle_has_an_expectation() -> None:
    assert sorted([*HEALTHY, *CAUSES]) == names()
