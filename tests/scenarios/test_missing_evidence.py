"""What was not collected makes answers unknown, never wrong; without objects the nodes' state stands alone."""

from __future__ import annotations

import pytest

from podpath.assemble.network import build_network
from podpath.diagnosis.run import diagnose
from podpath.model.finding import Severity
from tests.scenarios.bundles import VXLAN, Files, bundle
from tests.scenarios.faults import FAULTS
from tests.scenarios.flows import disagreement, truth

SOURCES = sorted(
    {
        path.split("/")[-1]
        for path in bundle(VXLAN)
        if path.startswith("nodes/n1/") and "cni-net.d" not in path
    }
)
FAULTY = "forward-policy-drop"


def without(files: Files, source: str) -> Files:
    return {
        path: content
        for path, content in files.items()
        if path.split("/")[-1] != source or path.startswith("api/")
    }


@pytest.mark.parametrize("name", [VXLAN, FAULTY, "hairpin-off"])
@pytest.mark.parametrize("source", SOURCES)
def test_a_source_that_is_missing_makes_no_answer_wrong(name: str, source: str) -> None:
    files = bundle(name)
    flows = truth(files)[::7]
    network = build_network(name, without(files, source))
    assert [text for flow in flows if (text := disagreement(network, flow)) not in ("", "unknown")] == []


@pytest.mark.parametrize("source", SOURCES)
def test_a_source_that_is_missing_makes_no_false_alarm(source: str) -> None:
    diagnosis = diagnose(build_network(VXLAN, without(bundle(VXLAN), source)))
    assert [f"{f.code}: {f.message}" for f in diagnosis.at_least(Severity.ERROR)] == []
    assert diagnosis.crashed == ()


def test_flows_to_a_node_whose_state_is_missing_are_not_known() -> None:
    files = {path: content for path, content in bundle(VXLAN).items() if not path.startswith("nodes/n3/")}
    network = build_network(VXLAN, files)
    answers = [disagreement(network, flow) for flow in truth(bundle(VXLAN))]
    assert [text for text in answers if text not in ("", "unknown")] == []
    assert answers.count("unknown") > 100


def test_pods_whose_namespaces_are_missing_are_not_guessed() -> None:
    files = {path: content for path, content in bundle(VXLAN).items() if "/pods/" not in path}
    network = build_network(VXLAN, files)
    assert [
        t for flow in truth(bundle(VXLAN)) if (t := disagreement(network, flow)) not in ("", "unknown")
    ] == []


NODE_FAULTS = [
    "ip_forward is 0",
    "the CNI's accepts are not called",
    "a route to a Pod range is lost",
    "a peer's MAC is old",
    "Pods leave with their own address",
]


@pytest.mark.parametrize("name", NODE_FAULTS)
def test_without_any_object_a_fault_of_a_node_is_found(name: str) -> None:
    files = bundle(FAULTS[name].base)
    FAULTS[name].apply(files)
    diagnosis = diagnose(build_network(name, {p: c for p, c in files.items() if not p.startswith("api/")}))
    assert diagnosis.findings[0].code == FAULTS[name].code
    assert diagnosis.crashed == ()


@pytest.mark.parametrize("name", [VXLAN, "nftables-hostgw-healthy", "dual-healthy"])
def test_without_any_object_a_healthy_cluster_is_silent(name: str) -> None:
    diagnosis = diagnose(
        build_network(name, {p: c for p, c in bundle(name).items() if not p.startswith("api/")})
    )
    assert diagnosis.at_least(Severity.WARNING) == ()
    assert diagnosis.walked > 50
