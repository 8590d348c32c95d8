"""``podpath check`` on bundles of real clusters."""

import json
import re
from pathlib import Path

import jsonschema
import pytest

from podpath.cli.checking import examined, text_of, titles
from podpath.model.diagnosis import Diagnosis
from podpath.model.network import Network
from podpath.report.json_check import json_check
from podpath.report.json_parts import encode
from podpath.report.schemas import schema_of
from podpath.report.style import Style
from tests.cli.running import podpath

EXAMINED: dict[Path, tuple[Network, Diagnosis, float]] = {}


@pytest.fixture
def diagnosed(packed_bundle):
    """A bundle's network and diagnosis, made once."""
    if packed_bundle not in EXAMINED:
        EXAMINED.clear()
        EXAMINED[packed_bundle] = examined(str(packed_bundle))
    return EXAMINED[packed_bundle]


def test_every_bundle_is_drawn_within_the_width(diagnosed):
    network, diagnosis, _ = diagnosed
    text = text_of(network, diagnosis, Style(width=80), place="prod.tar.zst")
    assert len(text.splitlines()) < 200
    commands = re.compile(r"^ {8,}\S|^ {2,}= fix|podpath (why|explain|check)")
    assert [line for line in text.splitlines() if len(line) > 80 and not commands.search(line)] == []


def test_every_bundle_gives_valid_json(diagnosed):
    _, diagnosis, _ = diagnosed
    found = json.loads(encode(json_check(diagnosis, titles())))
    jsonschema.validate(found, schema_of("check"))
    assert [one["severity"] for one in found["findings"]] == sorted(
        one["severity"] for one in found["findings"]
    )


def test_the_cause_is_drawn_with_its_line_and_what_it_breaks(corpus):
    text = podpath("check", corpus["host-firewall-drops-vxlan"]).stdout
    assert re.search(r"^error\[\S+\]: .*n3", text, re.MULTILINE)
    assert "  --> n3, iptables-nft-save:27\n" in text
    assert "27 | [0:0] -A INPUT -p udp -m udp --dport 8472 -j DROP\n" in text
    assert "Pods on n3 <-> other nodes" in text
    assert "n3: iptables-nft -D INPUT -p udp -m udp --dport 8472 -j DROP" in text
    assert re.search(
        r"^next: podpath explain \S+\n {6}podpath why \S+host-firewall-drops-vxlan.tar.xz pod/",
        text,
        re.MULTILINE,
    )


def test_what_is_proposed_next_works(corpus):
    text = podpath("check", corpus["host-firewall-drops-vxlan"]).stdout
    proposed = re.findall(r"^(?:next:| {5}) podpath (.+)$", text, re.MULTILINE)
    assert len(proposed) == 2
    codes = {words.split()[0]: podpath(*words.split()).returncode for words in proposed}
    assert codes == {"explain": 0, "why": 1}


def test_a_folder_is_a_bundle_too(corpus, tmp_path):
    import tarfile

    with tarfile.open(corpus["ip-forward-off"]) as packed:
        packed.extractall(tmp_path / "prod-eu", filter="data")
    assert podpath("check", tmp_path / "prod-eu").stdout.startswith("prod-eu  3 nodes, 9 pods, 7 services; ")


def test_the_environment_names_the_bundle(corpus):
    done = podpath("check", PODPATH_BUNDLE=str(corpus["ip-forward-off"]))
    assert done.returncode == 1
    assert done.stdout.startswith("ip-forward-off  ")
    assert podpath("check", "svc/shop/api", PODPATH_BUNDLE=str(corpus["ip-forward-off"])).stdout.startswith(
        "svc/shop/api, "
    )


def test_one_check_can_be_asked_or_left_out(corpus):
    bundle = corpus["ip-forward-off"]
    (finding,) = json.loads(podpath("check", bundle, "--only", "ip-forward-off", "-o", "json").stdout)[
        "findings"
    ]
    assert finding["code"] == "ip-forward-off"
    found = json.loads(podpath("check", bundle, "--skip", "ip-forward-off", "-o", "json").stdout)["findings"]
    assert "ip-forward-off" not in {one["code"] for one in found}


def test_a_namespace_is_shown_alone(corpus):
    bundle = corpus["host-firewall-drops-vxlan"]
    (finding,) = json.loads(podpath("check", bundle, "-n", "ops", "-o", "json").stdout)["findings"]
    assert finding["breaks"]
    assert all("ops/" in one["client"] + one["subject"] for one in finding["breaks"])


def test_colours_are_for_terminals_and_whoever_forces_them():
    assert "\x1b[" not in podpath("explain", "ip-forward-off").stdout
    assert podpath("explain", "ip-forward-off", FORCE_COLOR="1").stdout.startswith("\x1b[1mip-forward-off: ")
    assert "\x1b[" not in podpath("explain", "ip-forward-off", FORCE_COLOR="1", NO_COLOR="1").stdout
    assert "\x1b[" not in podpath("explain", "ip-forward-off", "--no-color", FORCE_COLOR="1").stdout


def test_a_terminal_without_unicode_gets_plain_marks(corpus):
    done = podpath(
        "check", corpus["ip-forward-off"], "svc/shop/api", PYTHONIOENCODING="ascii", PYTHONUTF8="0"
    )
    assert done.returncode == 1
    assert done.stdout.isascii()
    assert "  + exists" in done.stdout


def test_names_that_are_no_text_do_no_harm(corpus, tmp_path):
    import os
    import tarfile

    place = os.fsencode(tmp_path) + b"/caf\xe9"
    with tarfile.open(corpus["ip-forward-off"]) as packed:
        packed.extractall(tmp_path / "x", filter="data")
    (tmp_path / "x").rename(os.fsdecode(place))
    done = podpath("check", os.fsdecode(place))
    assert done.returncode == 1
    assert done.stdout.startswith(r"caf\xe9  3 nodes")
    assert encode(json_check(examined(os.fsdecode(place))[1], {})).count(r"caf\\xe9") == 1


def test_failed_sources_of_the_manifest_are_told(corpus, tmp_path):
    import tarfile

    with tarfile.open(corpus["iptables-vxlan-healthy"]) as packed:
        packed.extractall(tmp_path, filter="data")
    sources = {
        "nodes/n1/conntrack": {"asked": "conntrack -L", "exit_status": 127, "error": "no such command"},
        "nodes/n2/conntrack": {"asked": "conntrack -L", "exit_status": 127, "error": "no such command"},
        "nodes/n1/wg-show": {"asked": "wg show all dump", "exit_status": 1},
        "nodes/n1/ss": {"asked": "ss -tuanpemiO", "exit_status": 0},
    }
    manifest = {
        "schema": "podpath.bundle/v1",
        "created": "2026-11-25T01:46:31Z",
        "cluster": "prod-eu",
        "sources": sources,
    }
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    text = podpath("check", tmp_path).stdout
    assert text.startswith("prod-eu  3 nodes")
    assert (
        "  source     conntrack of n1 and n2 (no such command)\n             wg-show of n1 (exit status 1)\n"
        in text
    )


def test_a_node_and_a_list_that_are_not_there_are_told(corpus, tmp_path):
    import shutil
    import tarfile

    with tarfile.open(corpus["iptables-vxlan-healthy"]) as packed:
        packed.extractall(tmp_path, filter="data")
    shutil.rmtree(tmp_path / "nodes" / "n3")
    (tmp_path / "api" / "networkpolicies.networking.k8s.io.json").unlink()
    text = podpath("check", tmp_path).stdout
    assert "api/networkpolicies (not in the bundle)" in text
    assert "state of n3 (nothing of this node is in the bundle)" in text


@pytest.mark.parametrize("command", [[], ["check"], ["why"], ["explain"], ["demo"], ["schema"]])
def test_help_is_there(command):
    done = podpath(*command, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith("Usage: podpath")
    assert done.stderr == ""


def test_the_plug_in_of_kubectl_calls_itself_so(tmp_path):
    import subprocess
    import sys

    from tests.cli.running import an_environment

    plug_in = tmp_path / "kubectl-podpath"
    plug_in.write_text(
        f"#!{sys.executable}\nimport sys\nfrom podpath.cli.main import main\nsys.exit(main())\n"
    )
    plug_in.chmod(0o755)
    done = subprocess.run(
        [plug_in, "check", "--help"], capture_output=True, text=True, check=True, env=an_environment()
    )
    assert done.stdout.startswith("Usage: kubectl podpath check [OPTIONS] BUNDLE [TARGET]")
