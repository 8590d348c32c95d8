"""Made-up bundles are what they say they are, and podpath holds many of their nodes in the memory of a few."""

import tracemalloc

import pytest

from bench.__main__ import main, write
from bench.bundles import MadeBundle
from podpath.assemble.network import build_network
from podpath.assemble.shared_rules import SharedRules
from podpath.cli.load import load
from podpath.diagnosis.run import diagnose

CODES = ["cni-accept-not-jumped"]


def codes(network):
    return [finding.code for finding in diagnose(network).findings]


@pytest.mark.parametrize("distinct", [False, True])
@pytest.mark.parametrize("large", [False, True])
def test_the_one_fault_of_a_made_bundle_is_found_and_nothing_else(distinct, large):
    made = MadeBundle(3, 6, 3, broken_node=1, distinct=distinct)
    assert codes(build_network("made", made, large=large)) == CODES


def test_a_made_bundle_without_a_fault_has_none():
    assert codes(build_network("made", MadeBundle(3, 6, 3))) == []


def test_all_of_a_made_bundle_is_understood():
    network = build_network("made", MadeBundle(2, 4, 2, distinct=True))
    assert list(network.unrecognized) == []


def test_kernel_parameters_are_as_many_as_on_a_real_node():
    made = MadeBundle(1, 1, 1)
    lines = {
        path.count("/"): content.count(b"\n") for path, content in made.items() if path.endswith("/sysctl")
    }
    assert lines[2] > 3_500
    assert lines[4] > 1_300


def test_every_node_has_rules_of_its_own_if_it_is_to():
    same, own = (
        {bundle[f"nodes/node-{n}/iptables-nft-save"] for n in range(3)}
        for bundle in (MadeBundle(3, 2), MadeBundle(3, 2, distinct=True))
    )
    assert (len(same), len(own)) == (1, 3)


def test_a_written_bundle_is_the_same_bundle(tmp_path, capsys):
    write(tmp_path, 2, distinct=True)
    assert "MB in" in capsys.readouterr().out
    assert codes(load(str(tmp_path))) == CODES


def test_the_command_checks_a_bundle_of_any_size(capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["bench", "--check", "2"])
    assert main() == 0
    assert f"error[{CODES[0]}]" in capsys.readouterr().out


def test_rules_of_ten_nodes_cost_little_more_than_those_of_one():
    made = MadeBundle(10, 300, 4, distinct=True)
    dumps = [made[f"nodes/node-{node}/iptables-nft-save"] for node in range(10)]
    rules, held, sizes = SharedRules(), [], []
    tracemalloc.start()
    try:
        for node, dump in enumerate(dumps):
            held.append(rules.parsed(dump.decode(), f"nodes/node-{node}/x", backend="nft", family="ip"))
            sizes.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert sizes[-1] < 1.5 * sizes[0]
