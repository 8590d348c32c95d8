"""Faults written into the evidence of a healthy cluster: each is found, first, alone, under its name, and its fix is proven."""

from __future__ import annotations

import pytest

from podpath.assemble.network import build_network
from podpath.diagnosis.run import diagnose
from podpath.model.diagnosis import Diagnosis
from podpath.model.finding import Confidence, Severity
from tests.scenarios.bundles import bundle, renamed
from tests.scenarios.faults import FAULTS, Fault

OTHER_CLUSTER = [
    ("10.244.", "10.42."),
    ("10.96.", "10.43."),
    ("172.30.0.", "192.168.77."),
    ("n1", "worker-a"),
    ("n2", "worker-b"),
    ("n3", "edge-7"),
    ("shop", "market"),
    ("ops", "tools"),
    ("cni0", "br-pods"),
    ("eth0", "ens5"),
    ("flannel.1", "overlay9"),
    ("flannel/1", "overlay9"),
]
"""Other ranges, names and devices; the same cluster."""


def found(fault: Fault, *, elsewhere: bool = False) -> Diagnosis:
    files = bundle(fault.base)
    fault.apply(files)
    return diagnose(build_network(fault.code, renamed(files, OTHER_CLUSTER) if elsewhere else files))


UNMODELLED = {"container-not-listening", "container-listens-loopback", "svc-targetport-mismatch"}
"""Faults whose cure is no part of the model (a process, an object): their fix is named, not proven."""


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found_first_alone_and_with_a_fix_that_is_proven(name: str) -> None:
    fault = FAULTS[name]
    diagnosis = found(fault)
    told = [f"{f.code} {f.subject}: {f.message}" for f in diagnosis.findings]
    assert diagnosis.crashed == ()
    assert told, name
    first = diagnosis.findings[0]
    assert (first.code, first.severity) == (fault.code, Severity.ERROR), told
    assert fault.node in str(first.subject)
    assert first.broken > 0
    assert first.fix is not None
    assert {f.code for f in diagnosis.at_least(Severity.ERROR)} == {fault.code}, told
    assert first.confidence is Confidence.PROVEN or fault.code in UNMODELLED


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found_in_a_cluster_with_other_names_and_ranges(name: str) -> None:
    diagnosis = found(FAULTS[name], elsewhere=True)
    assert diagnosis.findings[0].code == FAULTS[name].code, [
        f"{f.code}: {f.message}" for f in diagnosis.findings
    ]


PAIRS = [
    ("ip_forward is 0", "a rule drops the overlay"),
    ("a route to a Pod range is lost", "hairpin is off"),
    ("bridged packets skip iptables", "the process does not listen"),
    ("the CNI's accepts are not called", "a peer's MAC is old"),
    ("ip_forward is 0", "the CNI's accepts are not called"),
    ("the jump to KUBE-SERVICES is gone", "a Pod range is a blackhole"),
]


@pytest.mark.parametrize("pair", PAIRS)
def test_of_two_faults_both_are_found(pair: tuple[str, str]) -> None:
    first, second = FAULTS[pair[0]], FAULTS[pair[1]]
    files = bundle(first.base)
    first.apply(files)
    second.apply(files)
    codes = {f.code for f in diagnose(build_network("two", files)).at_least(Severity.ERROR)}
    assert {first.code, second.code} <= codes
