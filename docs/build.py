"""Prints the generated pages of this folder: ``packet-path.md`` and ``checks/``. Run as ``python docs/build.py``.

A test holds that what is committed is what this prints.
"""

from __future__ import annotations

import pathlib
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
        "A question is a connection: the first packet out, the reply back to the asking socket, then full-size data. Each",
        "packet runs through these stages, from network namespace to network namespace, until one of them ends it.",
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
    sys.stdout.write(f"{len(wanted)} pages\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
