"""What is true of all state checks: silent on health and on nothing, skipped without evidence, complete pages."""

import functools

import pytest

from podpath.assemble.network import build_network
from podpath.bundle import open_bundle
from podpath.checks.registry import Promised, state_checks
from podpath.diagnosis.state import has_source
from podpath.intent.promises import promises
from podpath.model.finding import Severity
from podpath.model.kube.cluster import Cluster
from podpath.model.network import Network
from podpath.model.promise import Promise
from tests.conftest import packed_bundles

CHECKS = {one.code: one for one in state_checks()}
SECTIONS = ("## Why it breaks", "## See it by hand", "## Fix", "## Often confused with")
TOLD = {
    "dns-no-endpoints": {"dns-pods-not-running": Severity.ERROR},
    "service-selector": {"svc-selector-mismatch": Severity.ERROR},
    "coredns-upstream-dead": {"dns-upstream-unreachable": Severity.ERROR},
    "policy-forgets-dns": {"netpol-egress-blocks-dns": Severity.WARNING},
    "kube-proxy-rules-flushed": {"kube-proxy-not-running": Severity.WARNING},
}
"""What state alone tells of the bundles of real clusters; of all others nothing above a remark."""


@functools.cache
def read(name):
    with open_bundle(packed_bundles()[name]) as bundle:
        return build_network(name, {path: bundle.read(path) for path in bundle.files()})


def promised(network):
    every = list(promises(network))
    return Promised(
        [one for one in every if isinstance(one, Promise)],
        [one for one in every if not isinstance(one, Promise)],
    )


@pytest.mark.parametrize("name", packed_bundles())
def test_a_real_cluster_gets_just_what_its_state_tells(name):
    network = read(name)
    told = promised(network)
    findings = [
        finding
        for check in CHECKS.values()
        if all(has_source(network, need) for need in check.needs)
        for finding in check.look(network, told)
        if finding.severity is not Severity.INFO
    ]
    assert {one.code: one.severity for one in findings} == TOLD.get(name, {})
    assert len(findings) == len(TOLD.get(name, {}))


@pytest.mark.parametrize("code", CHECKS)
class TestEveryCheck:
    """Each of them."""

    def test_it_is_silent_on_nothing(self, code):
        assert list(CHECKS[code].look(Network("empty", Cluster()), Promised((), ()))) == []

    def test_it_is_skipped_without_its_evidence(self, code):
        assert not any(has_source(Network("empty", Cluster()), need) for need in CHECKS[code].needs)

    def test_its_page_is_complete(self, code):
        page = CHECKS[code].page
        assert page.strip().splitlines()[0].endswith(".")
        assert [section for section in SECTIONS if section not in page] == []
