"""Exit codes, and one clear sentence for what cannot be done."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from podpath.cli import main as cli
from tests.cli.running import an_environment, podpath


def refused(done):
    """The sentence of a refusal."""
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("podpath: ")
    return done.stderr.removeprefix("podpath: ").rstrip("\n")


def test_0_for_a_healthy_cluster(corpus):
    done = podpath("check", corpus["iptables-vxlan-healthy"])
    assert (done.returncode, done.stderr) == (0, "")
    assert "none broken" in done.stdout


def test_1_for_a_broken_one(corpus):
    done = podpath("check", corpus["forward-policy-drop"])
    assert (done.returncode, done.stderr) == (1, "")
    assert "error[" in done.stdout
    assert "n2, iptables-nft-save:16" in done.stdout


def test_why_is_0_for_what_works_and_1_for_what_fails(corpus):
    bundle = corpus["forward-policy-drop"]
    assert podpath("why", bundle, "pod/ops/client", "svc/shop/api").returncode == 1
    assert podpath("why", bundle, "pod/ops/client", "internet").returncode == 0


def test_why_is_3_where_sight_ends(corpus, tmp_path):
    import tarfile

    with tarfile.open(corpus["iptables-vxlan-healthy"]) as packed:
        packed.extractall(tmp_path, filter="data")
    for name in ("ip-route.json", "ip-route6.json"):
        (tmp_path / "nodes" / "n1" / name).unlink()
    done = podpath("why", tmp_path, "node/n1", "node/n3")
    assert done.returncode == 3
    assert "It would be decided by:" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["check", "/nowhere/at-all"], "there is no /nowhere/at-all: expected a bundle"),
        (["check", "/etc/hostname"], "/etc/hostname"),
        (["check"], "which bundle? podpath check BUNDLE [TARGET], or set PODPATH_BUNDLE to the path of one"),
        (["check", "a", "b", "c"], "one target at a time, please"),
        (["check", "x", "--severity", "fatal"], "invalid value for '--severity'"),
        (["check", "x", "--no-such-option"], "no such option"),
        (["why"], "which bundle? podpath why BUNDLE SRC DST"),
        (["chekc", "x"], "there is no command chekc: did you mean podpath check?"),
        (["frobnicate"], "there is no command frobnicate: it is one of check, why, explain, demo, schema"),
        (["explain"], "which fault? podpath explain CODE"),
        (["explain", "no-such-thing-at-all"], "there is no fault no-such-thing-at-all"),
        (["schema", "nothing"], "'nothing' is not one of"),
    ],
)
def test_2_for_what_cannot_be_asked(arguments, sentence):
    assert sentence in refused(podpath(*arguments))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["why", "pod/ops/client"], "which bundle?"),
        (
            ["why", "pod/ops/client", "svc/shop/apii:http"],
            "there is no Service shop/apii: did you mean svc/shop/api?",
        ),
        (["why", "a", "b", "c", "d"], "a question has two ends"),
        (["check", "svc/shop/apo"], "there is no Service shop/apo"),
        (["check", "internet"], "internet is no target: write svc/NAMESPACE/NAME"),
        (["check", "--only", "ip-forward"], "there is no check ip-forward: did you mean ip-forward-off?"),
        (["check", "-n", "shp"], "there is no namespace shp: did you mean shop?"),
    ],
)
def test_2_for_names_that_mean_nothing(corpus, arguments, sentence):
    environment = {} if sentence == "which bundle?" else {"PODPATH_BUNDLE": str(corpus["ip-forward-off"])}
    assert sentence in refused(podpath(*arguments, **environment))


def test_2_for_a_bundle_of_garbage(tmp_path):
    (tmp_path / "x.tar.zst").write_bytes(b"\x28\xb5\x2f\xfd" + b"garbage" * 20)
    assert "x.tar.zst" in refused(podpath("check", tmp_path / "x.tar.zst"))


def test_4_for_our_own_bug(corpus, monkeypatch, capsys):
    def broken(*_args, **_more):
        raise KeyError("eth0\nsecond line")

    monkeypatch.setattr("podpath.cli.checking.diagnose", broken)
    monkeypatch.delenv("PODPATH_DEBUG", raising=False)
    assert cli.main(["check", str(corpus["ip-forward-off"])]) == 4
    said = capsys.readouterr().err
    assert "this is a bug of podpath" in said
    assert "KeyError" in said
    assert "Traceback" not in said
    assert cli.main(["--debug", "check", str(corpus["ip-forward-off"])]) == 4
    assert "Traceback" in capsys.readouterr().err
    monkeypatch.setenv("PODPATH_DEBUG", "1")
    assert cli.main(["check", str(corpus["ip-forward-off"])]) == 4
    assert "Traceback" in capsys.readouterr().err


def test_a_closed_pipe_ends_quietly(corpus):
    command = [sys.executable, "-m", "podpath", "check", str(corpus["forward-policy-drop"]), "-v"]
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, env=an_environment(), check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


def test_an_interrupt_ends_quietly_with_130(tmp_path):
    os.mkfifo(tmp_path / "flows.json")  # nobody writes to it: podpath waits
    command = [sys.executable, "-m", "podpath", "why", "demo", "--flows", str(tmp_path / "flows.json")]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=an_environment()
    ) as process:
        time.sleep(1.5)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (130, b"")


def test_notes_alone_are_no_findings():
    from podpath.cli.checking import exit_code
    from podpath.model.finding import Severity
    from tests.report.made import a_diagnosis, a_finding

    note = a_diagnosis(a_finding(severity=Severity.INFO, breaks=()))
    warning = a_diagnosis(a_finding(severity=Severity.WARNING, breaks=()))
    assert exit_code(note, Severity.INFO) == 0
    assert exit_code(warning, Severity.WARNING) == 1
    assert exit_code(warning, Severity.ERROR) == 0


def test_open_promises_alone_are_3():
    from podpath.cli.checking import exit_code
    from podpath.model.diagnosis import Undecided
    from podpath.model.finding import Severity
    from tests.report.made import a_diagnosis, a_promise

    assert exit_code(a_diagnosis(undecided=(Undecided(a_promise(), ("what",)),)), Severity.WARNING) == 3


def test_broken_promises_are_findings_whoever_has_a_name_for_them():
    from podpath.cli.checking import exit_code
    from podpath.model.finding import Severity
    from tests.report.made import a_diagnosis

    assert exit_code(a_diagnosis(broken=3), Severity.WARNING) == 1
    assert exit_code(a_diagnosis(broken=3), Severity.WARNING, whole=False) == 0


def test_json_comes_with_the_same_exit_code(corpus):
    done = podpath("check", corpus["forward-policy-drop"], "-o", "json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["schema"] == "podpath.check/v1"
