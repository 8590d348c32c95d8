"""Prints what documentation can be printed: ``packet-path.md``, ``checks/`` and the runs in the README.

Run as ``python docs/build.py``. A test holds that what is committed is what this prints.
"""

from __future__ import annotations

import os
import pathlib
import re
import subprocess
import sys
import textwrap

from podpath.checks.registry import explanations_by_code, pages
from podpath.dataplane.hooks import __doc__ as hooks_doc
from podpath.dataplane.pipeline import PIPELINE

HERE = pathlib.Path(__file__).parent


def packet_path() -> str:
    """The table of stages as a page."""
    lines = [
        "# The path of a packet",
        "",
        "<!-- printed by docs/build.py from podpath.dataplane.pipeline: edit that -->",
        "",
        "A question is a connection: the first packet out, the reply back to the asking socket, then full-size data.",
        "Each packet runs through these stages, from network namespace to network namespace, until one ends it.",
        "",
        "| stage | what it does | then |",
        "|---|---|---|",
    ]
    for stage, spec in PIPELINE.items():
        summary = (spec.run.__doc__ or "").split("\n\n")[0].replace("\n", " ")
        following = "; ".join(f"{outcome.value}: **{after.value}**" for outcome, after in spec.then.items())
        lines.append(f"| **{stage.value}** | {' '.join(summary.split())} | {following} |")
    lines += ["", "## At one hook", "", textwrap.dedent(hooks_doc or "").strip(), ""]
    return "\n".join(lines)


def check_pages() -> dict[str, str]:
    """A page a check, and their index."""
    found = {}
    index = [
        "# Faults that podpath names",
        "",
        "<!-- printed by docs/build.py -->",
        "",
        "| code | what it is |",
        "|---|---|",
    ]
    named = explanations_by_code()
    for code, page in pages().items():
        body = textwrap.dedent("    " + page).strip() if page else ""
        kinds = named[code].kinds if code in named else ()
        seen = f"\n\nAsked about steps of kind: {', '.join(kinds)}." if kinds else ""
        found[f"{code}.md"] = f"# {code}\n\n{body}{seen}\n"
        index.append(f"| [{code}]({code}.md) | {body.splitlines()[0] if body else ''} |")
    found["README.md"] = "\n".join(index) + "\n"
    return found


RUN = re.compile(
    r"```console\n(?:<!-- run: (?P<first>[^\n]+) -->|\$ (?P<again>podpath (?:check|why) tests/[^\n]+)\n.*?)\n```",
    re.DOTALL,
)
"""A block of the README that holds a run: its first line is the command."""


def readme() -> str:
    """The README with its runs drawn anew."""
    text = (HERE.parent / "README.md").read_text("utf-8")
    return RUN.sub(lambda block: f"```console\n{_run(block['first'] or block['again'])}\n```", text)


def _run(command: str) -> str:
    env = {**os.environ, "NO_COLOR": "1", "COLUMNS": "110", "PYTHONHASHSEED": "0"}
    words = [sys.executable, "-m", *command.split()]
    done = subprocess.run(words, capture_output=True, text=True, cwd=HERE.parent, env=env, check=False)  # noqa: S603
    shown = re.sub(r" in \d+\.\d s,", " in half a second,", done.stdout.rstrip())
    return f"$ {command}\n{shown}"


def generated() -> dict[str, str]:
    """Every generated page by its path in this folder."""
    return {
        "packet-path.md": packet_path(),
        **{f"checks/{name}": text for name, text in check_pages().items()},
    }


def main() -> int:
    """Write the pages; pages of checks that are gone are removed."""
    wanted = generated()
    (HERE / "checks").mkdir(exist_ok=True)
    for old in (HERE / "checks").glob("*.md"):
        if f"checks/{old.name}" not in wanted:
            old.unlink()
    for name, text in wanted.items():
        (HERE / name).write_text(text, encoding="utf-8")
    (HERE.parent / "README.md").write_text(readme(), encoding="utf-8")
    sys.stdout.write(f"{len(wanted)} pages\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
