"""The goals, each a ratio to a floor of the same run."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

from bench import clusters, floors, rules
from bench.bundles import MadeBundle
from bench.measure import measure
from podpath.assemble.network import build_network
from podpath.dataplane.tracer import trace_flow
from podpath.model.addr import parse_addr
from podpath.model.flow import Flow
from podpath.model.network import Network
from podpath.model.refs import pod_netns
from podpath.parse.iptables_save import parse_iptables_save
from podpath.parse.kube_lists import parse_cluster
from podpath.parse.nft_json import parse_nft_json


class Row(NamedTuple):
    """One goal: what was measured, the floor beside it, the ratio and what it should be."""

    goal: str
    what: str
    ours: str
    floor: str
    ratio: float
    wanted: float

    @property
    def met(self) -> bool:
        return self.ratio <= self.wanted


def exponent(sizes: Sequence[int], costs: Sequence[float]) -> float:
    """The slope of a line through the logarithms: 1.0 is linear."""
    xs, ys = [math.log(n) for n in sizes], [math.log(max(c, 1e-9)) for c in costs]
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    return sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True)) / sum(
        (x - mean_x) ** 2 for x in xs
    )


def loading(pods: int) -> Iterator[Row]:
    """L1, L2: Pods from JSON."""
    content = clusters.pods(pods)
    floor = measure(lambda: floors.typed_pods(content))
    ours = measure(lambda: parse_cluster({"api/pods.json": content}))
    yield Row(
        "L1",
        f"load {pods:,} Pods ({len(content) / 1e6:.0f} MB)",
        f"{ours.cpu_s:.3f} s",
        f"{floor.cpu_s:.3f} s",
        ours.cpu_s / floor.cpu_s,
        1.5,
    )
    sizes = [pods // 16, pods // 4, pods]
    costs = []
    for size in sizes:
        part = clusters.pods(size)
        costs.append(measure(partial(parse_cluster, {"api/pods.json": part})).cpu_s)
    yield Row(
        "L1", "growth in Pods (exponent)", f"{exponent(sizes, costs):.2f}", "1", exponent(sizes, costs), 1.05
    )
    kept = ours.kept_mb * 1e6 / pods
    yield Row("L2", "kept a Pod", f"{kept:,.0f} B", "3,000 B", kept / 3000, 1.0)


def iptables(services: int) -> Iterator[Row]:
    """L3: kube-proxy's dump of one node."""
    text = rules.iptables_dump(services, 4)
    content = text.encode()
    size = len(content) / 1e6
    floor = measure(lambda: floors.newlines(content), runs=5)

    def index() -> object:
        return parse_iptables_save(text, "nodes/n/iptables-nft-save", backend="nft", family="ip")

    def whole() -> object:
        tables, _ = parse_iptables_save(text, "nodes/n/iptables-nft-save", backend="nft", family="ip")
        return tables, [chain.rules for table in tables for chain in table.chains.values()]

    indexed, parsed = measure(index), measure(whole, runs=2)
    what = f"{services * 14:,} rules ({size:.0f} MB)"
    yield Row(
        "L3",
        f"index {what}",
        f"{indexed.cpu_s:.3f} s",
        f"{floor.cpu_s:.4f} s",
        indexed.cpu_s / floor.cpu_s,
        15,
    )
    yield Row(
        "L3",
        "memory of the index beside the file",
        f"{indexed.kept_mb:.0f} MB",
        f"{size:.0f} MB",
        indexed.kept_mb / size,
        2.5,
    )
    yield Row(
        "L3",
        "every rule parsed",
        f"{parsed.cpu_s:.2f} s",
        f"{floor.cpu_s:.4f} s",
        parsed.cpu_s / floor.cpu_s,
        40,
    )


def nft(services: int) -> Iterator[Row]:
    """L4: the nftables mode's listing."""
    content = rules.nft_dump(services, 4)
    size = len(content) / 1e6
    floor = measure(lambda: floors.raw_nft(content))
    ours = measure(lambda: parse_nft_json(content, "nodes/n/nft-list-ruleset.json"))
    yield Row(
        "L4",
        f"nft -j of {services:,} Services ({size:.0f} MB)",
        f"{ours.cpu_s:.3f} s",
        f"{floor.cpu_s:.3f} s",
        ours.cpu_s / floor.cpu_s,
        1.5,
    )
    yield Row(
        "L4", "memory beside the file", f"{ours.kept_mb:.0f} MB", f"{size:.0f} MB", ours.kept_mb / size, 2.0
    )


def tracing(sizes: Sequence[int]) -> Iterator[Row]:
    """T1, T2: a warm trace, Pod to ClusterIP to Pod over two nodes, over random Services of one endpoint each."""
    costs = []
    floor = 0.0
    for services in sizes:
        made = MadeBundle(4, services, 1)
        network = build_network("bench", made)
        costs.append(_per_trace(network, made, services))
        bare = floors.BareTrace(services)
        floor = _best(partial(bare.run, 0x0A800005, 0x0A600000 + services - 1, 80), 2000)
    yield Row(
        "T1",
        f"trace at {sizes[-1]:,} Services, there and back",
        f"{costs[-1] * 1e6:.0f} us",
        f"{floor * 1e6:.1f} us",
        costs[-1] / floor,
        60,
    )
    yield Row(
        "T2",
        f"growth in Services {sizes[0]:,}-{sizes[-1]:,} (exponent)",
        f"{exponent(sizes, costs):.2f}",
        "0",
        exponent(sizes, costs),
        0.1,
    )


def node_growth(sizes: Sequence[int]) -> Iterator[Row]:
    """T2: the same in nodes."""
    costs = []
    for nodes in sizes:
        made = MadeBundle(nodes, 200, 1)
        costs.append(_per_trace(build_network("bench", made), made, 200))
    yield Row(
        "T2",
        f"growth in nodes {sizes[0]}-{sizes[-1]} (exponent)",
        f"{exponent(sizes, costs):.2f}",
        "0",
        exponent(sizes, costs),
        0.1,
    )


def _per_trace(network: Network, made: MadeBundle, services: int) -> float:
    rng = random.Random(3)
    namespace, name = made.folder(0).rpartition("/")[2].split(".", 1)
    client = pod_netns(namespace, name)
    remote = [s for s in range(services) if made.backends[s][0] >= clusters.PODS_A_NODE]
    flows = [Flow(client, parse_addr(clusters.service_ip(rng.choice(remote))), 6, 80) for _ in range(400)]
    for flow in flows[:200]:
        answer = trace_flow(network, flow)
        if answer.verdict.value != "works":
            message = f"the benchmark's cluster is broken: {answer.branches[0].end.last.text}"
            raise RuntimeError(message)
    for flow in flows[200:]:
        trace_flow(network, flow)
    spent = []
    for flow in flows:
        start = time.process_time()
        trace_flow(network, flow)
        spent.append(time.process_time() - start)
    return sorted(spent)[len(spent) // 2]


def _best(work: Callable[[], object], times: int) -> float:
    best = math.inf
    for _ in range(5):
        start = time.process_time()
        for _ in range(times):
            work()
        best = min(best, (time.process_time() - start) / times)
    return best
