"""``python -m bench``: the table of goals. ``--check NODES`` checks a made-up bundle of so many nodes instead."""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Iterator

from bench import goals
from bench.bundles import MadeBundle
from podpath.assemble.network import build_network
from podpath.diagnosis.run import diagnose


def rows(*, quick: bool) -> Iterator[goals.Row]:
    yield from goals.loading(4_000 if quick else 20_000)
    yield from goals.iptables(1_000 if quick else 10_000)
    yield from goals.nft(1_000 if quick else 10_000)
    yield from goals.tracing((100, 1_000) if quick else (100, 1_000, 10_000))
    yield from goals.node_growth((4, 16) if quick else (4, 16, 64))


def table(*, quick: bool) -> int:
    print(f"{'goal':5}{'what':52}{'ours':>12}{'floor':>12}{'ratio':>9}{'wanted':>9}")
    missed = 0
    for row in rows(quick=quick):
        missed += not row.met
        print(f"{row.goal:5}{row.what:52}{row.ours:>12}{row.floor:>12}{row.ratio:>9.2f}{row.wanted:>9.2f}  {'ok' if row.met else 'MISSED'}", flush=True)
    print(f"\n{missed} goals missed" if missed else "\nall goals met")
    return 0


def check(nodes: int) -> int:
    """A whole check of a made-up cluster: 30 Pods a node, 5 Services a node, one node whose FORWARD drops."""
    started = time.perf_counter()
    made = MadeBundle(nodes, nodes * 5, broken_node=nodes // 2)

    def progress(what: str, done: int, most: int) -> None:
        if done % 100 == 0 or done == most:
            print(f"{time.perf_counter() - started:7.1f} s  {what} {done:,} of {most:,}", flush=True)

    network = build_network("made", made, progress=progress)
    diagnosis = diagnose(network, progress=progress)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{nodes:,} nodes, {diagnosis.pods:,} Pods, {diagnosis.services:,} Services; {diagnosis.walked:,} promises, {diagnosis.broken:,} broken")
    print(f"{time.perf_counter() - started:.1f} s wall, {time.process_time():.1f} s CPU, peak {peak:,.0f} MB")
    for finding in diagnosis.findings[:3]:
        print(f"{finding.severity.value}[{finding.code}] {finding.message}")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes")
    parser.add_argument("--check", type=int, metavar="NODES", help="check a made-up bundle of so many nodes")
    options = parser.parse_args()
    return check(options.check) if options.check else table(quick=options.quick)


if __name__ == "__main__":
    sys.exit(main())
