"""``podpath demo``, ``explain``, ``schema`` and what they start with."""

import json
import re
import subprocess
import sys

import pytest

from podpath.checks.registry import pages
from podpath.cli.main import main
from tests.cli.running import an_environment, podpath


def test_the_demo_shows_a_finding_and_what_to_try_next():
    done = podpath("demo")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("This is the state of a real Kubernetes cluster")
    assert "error[" in done.stdout
    assert re.search(r"^  podpath why demo \S+ \S+$", done.stdout, re.MULTILINE)
    assert re.search(r"^The bundle itself: /.*broken.tar.xz$", done.stdout, re.MULTILINE)


def test_what_the_demo_proposes_works(capsys):
    proposed = re.findall(r"^  podpath (.+)$", podpath("demo").stdout, re.MULTILINE)
    assert len(proposed) >= 4
    for words in proposed:
        assert main(words.split()) in (0, 1), words
        assert capsys.readouterr().out, words


def test_every_check_has_a_page_that_is_drawn():
    for code in pages():
        assert podpath_explain(code).startswith(f"{code}: ")


def podpath_explain(code):
    from podpath.cli.explain import _page
    from podpath.report.style import Style
    from podpath.report.text_page import page_lines

    return "\n".join(page_lines(code, _page(code), Style()))


def test_a_page_is_printed():
    done = podpath("explain", "ip-forward-off")
    assert done.returncode == 0
    assert done.stdout.startswith("ip-forward-off: ")
    assert "\nFix\n" in done.stdout


def test_the_list_has_every_check():
    listed = podpath("explain", "--list").stdout
    assert [code for code in pages() if not re.search(rf"^{code} ", listed, re.MULTILINE)] == []


def test_a_near_miss_is_helped():
    done = podpath("explain", "ip-forward-of")
    assert done.returncode == 2
    assert "did you mean ip-forward-off" in done.stderr


def test_a_step_without_a_name_has_a_page_too():
    assert podpath("explain", "unnamed-rule-drop").stdout.startswith("unnamed-rule-drop: ")


@pytest.mark.parametrize("output", ["check", "why", "flows", "target"])
def test_a_schema_is_printed(output):
    assert json.loads(podpath("schema", output).stdout)["$id"] == f"podpath.{output}/v1"


def test_the_version_is_told():
    from podpath import __version__

    assert podpath("--version").stdout == f"podpath {__version__}\n"


HEAVY = {
    "msgspec",
    "zstandard",
    "asyncio",
    "ssl",
    "http",
    "socket",
    "tarfile",
    "podpath.model",
    "podpath.dataplane",
    "podpath.bundle",
}


def test_help_imports_nothing_heavy():
    code = "import json, sys; from podpath.cli.main import main; main(['--help']); print(json.dumps(list(sys.modules)), file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=an_environment()
    )
    assert set(json.loads(done.stderr)) & HEAVY == set()


@pytest.mark.parametrize("command", ["check", "why", "explain", "demo", "schema"])
def test_the_help_of_a_command_imports_nothing_heavy_either(command):
    code = f"import json, sys; from podpath.cli.main import main; main([{command!r}, '--help']); print(json.dumps(list(sys.modules)), file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=an_environment()
    )
    assert set(json.loads(done.stderr)) & HEAVY == set()
