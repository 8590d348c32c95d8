"""Coverage-guided fuzzing of the table of parsers, by hand: ``python tests/fuzz/coverage_guided.py --seconds 3600``.

Needs atheris (libFuzzer for Python), which is no dependency of podpath; see CONTRIBUTING.md. Each parser has its turn in
a process of its own; inputs that reached new code are kept in ``--corpus`` and are where the next run begins. What was
found is written to ``--out``: the input as a file, and a test that fails with it.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import re
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src" / "podpath"
READING = ["podpath.parse", "podpath.bundle", "podpath.model"]
"""Where new paths count."""
DIAGNOSING = ["podpath.assemble", "podpath.checks", "podpath.cli"]
"""... when a whole bundle is read; the data plane would be slow."""
WHOLE = ("both_roads", "network", "network_nft", "network_policies", "flows")
MOST_BYTES = 16_000
SLOW_S = 2.0
"""A parser that takes longer for so little text is reported."""
HANGS_S = 60
MINIMIZE_S = 5.0
STAT = re.compile(r"stat::(\w+):\s+(\d+)")
EDGES = re.compile(r"#\d+\s+\w+\s+cov: (\d+) ft: (\d+)")
TEST = """

def test_{name}_{key}():
    BY_NAME["{row}"].run({data!r})  # {what}
"""


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=600, help="in all")
    parser.add_argument(
        "--only", action="append", default=[], metavar="NAME", help="this parser (may be repeated)"
    )
    parser.add_argument("--corpus", type=Path, default=Path("/tmp/podpath-fuzz/corpus"))
    parser.add_argument("--out", type=Path, default=Path("/tmp/podpath-fuzz/found"))
    parser.add_argument("--child", metavar="NAME", help=argparse.SUPPRESS)
    given = parser.parse_args()
    sys.path[:0] = [str(ROOT), str(SRC.parent)]
    given.out.mkdir(parents=True, exist_ok=True)
    if given.child:
        fuzz(given.child, given.seconds, given.corpus / given.child, given.out)
    else:
        in_turn(given.only or names(), given.seconds, given.corpus, given.out)


def names() -> list[str]:
    """The names of the table, asked of another process: this one stays free of what is to be instrumented."""
    code = "import sys; sys.path[:0] = sys.argv[1:]; from tests.fuzz.parsers import ROWS; print(*(row.name for row in ROWS))"
    found = subprocess.run(
        [sys.executable, "-c", code, str(ROOT), str(SRC.parent)], check=True, capture_output=True, text=True
    )
    return found.stdout.split()


# --- all parsers in turn ----------------------------------------------------------------------------------------------


def in_turn(rows: list[str], seconds: int, corpus: Path, out: Path) -> None:
    """Every parser for its share of the time; a table at the end."""
    print(f"{'parser':20} {'executions':>11} {'seconds':>8} {'edges':>6} {'new inputs':>10} {'found':>6}")
    total: dict[str, int] = {}
    for row in rows:
        figures = turn(row, max(seconds // len(rows), 1), corpus, out)
        total = {key: total.get(key, 0) + value for key, value in figures.items()}
        show(row, figures)
    show("all", total)


def show(row: str, figures: dict[str, int]) -> None:
    """One line of the table."""
    keys = ("executions", "seconds", "edges", "new", "found")
    widths = (11, 8, 6, 10, 6)
    cells = " ".join(f"{figures.get(key, 0):{width}}" for key, width in zip(keys, widths, strict=True))
    print(f"{row:20} {cells}", flush=True)


def turn(row: str, seconds: int, corpus: Path, out: Path) -> dict[str, int]:
    """One parser. A process that died of a hang or of its memory is followed by another."""
    before = set(out.glob(f"{row}-*.bin"))
    figures = {"executions": 0, "seconds": 0, "edges": 0, "new": 0}
    end = time.monotonic() + seconds
    while (left := int(end - time.monotonic())) > 0:
        command = [sys.executable, __file__, "--child", row, "--seconds", str(left)]
        started = time.monotonic()
        run = subprocess.run(
            [*command, "--corpus", str(corpus), "--out", str(out)],
            check=False,
            capture_output=True,
            text=True,
            errors="replace",
        )
        stats = {key: int(value) for key, value in STAT.findall(run.stderr)}
        edges = [int(found[1]) for found in EDGES.finditer(run.stderr)]
        figures["executions"] += stats.get("number_of_executed_units", 0)
        figures["new"] += stats.get("new_units_added", 0)
        figures["edges"] = max([figures["edges"], *edges])
        figures["seconds"] += int(time.monotonic() - started)
        print(run.stdout, end="")
        (out / f"{row}.log").write_text(run.stderr)
        if run.returncode == 0 or not edges:
            if not edges:
                print(run.stderr[-2000:])
            break
    figures["found"] = len(set(out.glob(f"{row}-*.bin")) - before)
    return figures


# --- one parser -------------------------------------------------------------------------------------------------------


def fuzz(name: str, seconds: int, corpus: Path, out: Path) -> None:
    """Feed one parser until the time is over; does not return."""
    import atheris  # type: ignore[import-not-found,import-untyped,unused-ignore]  # no dependency

    with atheris.instrument_imports(include=DIAGNOSING if name in WHOLE else READING):
        row = importlib.import_module("tests.fuzz.parsers").BY_NAME[name]
        for path in (
            (SRC / "checks").rglob("[a-z]*.py") if name in WHOLE else ()
        ):  # else imported when they are called
            importlib.import_module(".".join(("podpath", *path.relative_to(SRC).with_suffix("").parts)))
    from tests.fuzz.mutations import mutated, random_edits

    corpus.mkdir(parents=True, exist_ok=True)
    for seed in row.seeds():
        (corpus / hashlib.sha1(seed, usedforsecurity=False).hexdigest()).write_bytes(seed)
    watched = Watched(name, row.run, out, slow=row.slow)

    def mutate(data: bytes, most: int, seed: int) -> bytes:
        """Half of the time what libFuzzer thinks of, else what happens to evidence."""
        if seed % 2:
            return bytes(atheris.Mutate(data, most))
        return mutated(data, random_edits(seed))[:most]

    flags = [
        f"-max_total_time={seconds}",
        f"-max_len={MOST_BYTES * (16 if row.slow else 1)}",
        f"-timeout={HANGS_S}",
        f"-artifact_prefix={out}/{name}-",
        "-rss_limit_mb=4096",
        "-print_final_stats=1",
    ]
    atheris.Setup([sys.argv[0], *flags, str(corpus)], watched.one_input, custom_mutator=mutate)
    atheris.Fuzz()


class Watched:
    """Runs a parser on inputs; what goes wrong is written down once for each place, and the run goes on."""

    def __init__(self, name: str, run: Callable[[bytes], None], out: Path, *, slow: bool) -> None:
        self.name = name
        self.run = run
        self.out = out
        self.slow_s = SLOW_S * (10 if slow else 1)
        self.known = out / f"{name}.known.json"
        self.seen: set[str] = set(json.loads(self.known.read_text())) if self.known.exists() else set()

    def one_input(self, data: bytes) -> None:
        """What atheris calls."""
        started = time.monotonic()
        where = self.wrong_with(data)
        took = time.monotonic() - started
        if where is None and took > self.slow_s:
            where = f"slow: more than {self.slow_s:g} s"
        if where is not None and where not in self.seen:
            self.seen.add(where)
            self.known.write_text(json.dumps(sorted(self.seen)))
            self.keep(data if where.startswith("slow") else self.smaller(data, where), where)

    def wrong_with(self, data: bytes) -> str | None:
        """The kind of an exception and the innermost lines of ours; None when there is none."""
        try:
            self.run(data)
        except Exception as error:  # noqa: BLE001 - whatever it is, it was found
            frames = traceback.extract_tb(error.__traceback__)
            ours = [frame for frame in frames if frame.filename.startswith(str(ROOT))]
            place = ours[-1]
            inner = re.findall(r'File "\S+/src/(\S+)", line (\d+)', str(error))[
                -1:
            ]  # in a check that crashed
            at = f"{Path(place.filename).relative_to(ROOT)}:{place.lineno}"
            kinds = (
                re.findall(r"^(\w+(?:Error|Exception|Iteration))\b", str(error), re.MULTILINE)[-1:]
                if inner
                else []
            )
            return " ".join([type(error).__name__, at, *kinds, *(":".join(one) for one in inner)])
        return None

    def smaller(self, data: bytes, where: str) -> bytes:
        """The input without what is not needed for this."""
        end = time.monotonic() + MINIMIZE_S
        size = len(data) // 2
        while size and time.monotonic() < end:
            at = 0
            while at < len(data) and time.monotonic() < end:
                less = data[:at] + data[at + size :]
                if self.wrong_with(less) == where:
                    data = less
                else:
                    at += size
            size //= 2
        return data

    def keep(self, data: bytes, where: str) -> None:
        """Write the input, and a test case."""
        key = hashlib.sha1(data, usedforsecurity=False).hexdigest()[:10]
        (self.out / f"{self.name}-{key}.bin").write_bytes(data)
        test = TEST.format(name=self.name, key=key, row=self.name, data=data, what=where)
        (self.out / f"{self.name}-{key}.py").write_text("from tests.fuzz.parsers import BY_NAME\n" + test)
        print(f"  {self.name}: {where} ({self.out}/{self.name}-{key}.bin, {len(data)} bytes)", flush=True)


if __name__ == "__main__":
    main()
