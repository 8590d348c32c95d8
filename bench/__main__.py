"""``python -m bench``: the table of goals; or a made-up bundle of any size, checked or written."""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from bench import goals
from bench.bundles import MadeBundle
from podpath.assemble.network import build_network
from podpath.diagnosis.run import diagnose
from podpath.fixes.fill import filled

SERVICES_A_NODE = 5


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
        figures = f"{row.ours:>12}{row.floor:>12}{row.ratio:>9.2f}{row.wanted:>9.2f}"
        print(f"{row.goal:5}{row.what:52}{figures}  {'ok' if row.met else 'MISSED'}", flush=True)
    print(f"\n{missed} goals missed" if missed else "\nall goals met")
    return 0


class Timed(MadeBundle):
    """A made-up bundle that knows what making its files has cost."""

    spent_s = 0.0
    made_bytes = 0

    def __getitem__(self, path: str) -> bytes:
        started = time.process_time()
        content = super().__getitem__(path)
        self.spent_s += time.process_time() - started
        self.made_bytes += len(content)
        return content


def made(nodes: int, *, distinct: bool, nft: bool = False) -> Timed:
    """30 Pods and 5 Services a node; the FORWARD chain of one node drops."""
    return Timed(nodes, nodes * SERVICES_A_NODE, broken_node=nodes // 2, distinct=distinct, nft=nft)


def check(nodes: int, *, distinct: bool, nft: bool = False) -> int:
    """A whole check, with what it costs without making the files."""
    bundle = made(nodes, distinct=distinct, nft=nft)
    started, used = time.perf_counter(), time.process_time()
    before = _peak_mb()
    last = [""]

    def progress(what: str, done: int, most: int) -> None:
        line = f"{what} {done * 20 // max(most, 1) * 5} %"
        if line != last[0]:
            last[0] = line
            print(
                f"{time.perf_counter() - started:7.1f} s  {line} of {most:,}  {_peak_mb():,.0f} MB",
                flush=True,
            )

    network = build_network("made", bundle, progress=progress)
    diagnosis = filled(diagnose(network, progress=progress))
    cluster = f"{nodes:,} nodes, {diagnosis.pods:,} Pods, {diagnosis.services:,} Services"
    print(f"{cluster}; {diagnosis.walked:,} promises, {diagnosis.broken:,} broken")
    wall, cpu = time.perf_counter() - started, time.process_time() - used - bundle.spent_s
    files = f"{bundle.spent_s:.1f} s to make {bundle.made_bytes / 1e6:,.0f} MB of files"
    print(f"{wall:.1f} s wall, {cpu:.1f} s CPU beside {files}")
    print(f"peak {_peak_mb():,.0f} MB, of which {before:,.0f} MB before the first file was read")
    unread = f"{network.unread_files:,} of {len(bundle):,} files not looked into"
    print(f"{len(diagnosis.unrecognized)} lines not understood, {unread}")
    for finding in diagnosis.findings[:3]:
        print(f"{finding.severity.value}[{finding.code}] {finding.message}")
    return 0


def write(folder: Path, nodes: int, *, distinct: bool, nft: bool = False) -> int:
    """The same bundle as files."""
    bundle = made(nodes, distinct=distinct, nft=nft)
    for path in bundle:
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(bundle[path])
    print(f"{len(bundle):,} files, {bundle.made_bytes / 1e6:,.0f} MB in {folder}")
    return 0


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes")
    parser.add_argument("--check", type=int, metavar="NODES", help="check a made-up bundle of so many nodes")
    parser.add_argument("--write", nargs=2, metavar=("DIR", "NODES"), help="write that bundle into a folder")
    parser.add_argument("--distinct", action="store_true", help="no two nodes' rules are the same text")
    parser.add_argument("--nft", action="store_true", help="kube-proxy is in its nftables mode")
    options = parser.parse_args()
    if options.write:
        return write(
            Path(options.write[0]), int(options.write[1]), distinct=options.distinct, nft=options.nft
        )
    if options.check:
        return check(options.check, distinct=options.distinct, nft=options.nft)
    return table(quick=options.quick)


if __name__ == "__main__":
    sys.exit(main())
