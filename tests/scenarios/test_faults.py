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


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_the_first_finding(name: str) -> None:
    fault = FAULTS[name]
    diagnosis = found(fault)
    assert diagnosis.crashed == ()
    assert diagnosis.findings, name
    first = diagnosis.findings[0]
    assert first.code == fault.code, [f"{f.code} {f.subject}: {f.message}" for f in diagnosis.findings]
    assert fault.node in str(first.subject)
    assert first.severity is Severity.ERROR
    assert first.broken > 0
    assert first.fix is not None


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_alone(name: str) -> None:
    errors = found(FAULTS[name]).at_least(Severity.ERROR)
    assert len({f.code for f in errors}) == 1, [f"{f.code} {f.subject}: {f.message}" for f in errors]


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


def test_most_fixes_are_proven() -> None:
    proven = [
        name for name, fault in FAULTS.items() if found(fault).findings[0].confidence is Confidence.PROVEN
    ]
    unmodelled = {
        "container-not-listening",
        "container-listens-loopback",
        "svc-targetport-mismatch",
        "kube-proxy-rules-missing",
        "kube-proxy-stale-endpoint",
    }
    assert {FAULTS[name].code for name in FAULTS if name not in proven} <= unmodelled
