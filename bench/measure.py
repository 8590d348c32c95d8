"""CPU time and memory of a function, in a forked child so that both are its own; the best of several runs."""

from __future__ import annotations

import gc
import json
import os
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

PAGE = os.sysconf("SC_PAGE_SIZE")


class Cost(NamedTuple):
    """CPU seconds, memory kept and peak memory, in MB."""

    cpu_s: float
    kept_mb: float
    peak_mb: float


def measure(work: Callable[[], object], *, runs: int = 3, collect: bool = False) -> Cost:
    """The cheapest of ``runs`` children. What ``work`` returns is held until memory is read."""
    return min((_child(work, collect=collect) for _ in range(runs)), key=lambda cost: cost.cpu_s)


def _child(work: Callable[[], object], *, collect: bool) -> Cost:
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            gc.collect()
            if not collect:
                gc.disable()
            before = _resident()
            start = time.process_time()
            kept = work()
            spent = time.process_time() - start
            after = _resident()
            del kept
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            os.write(writer, json.dumps([spent, after - before, peak]).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as result:
        text = result.read()
    os.waitpid(pid, 0)
    if not text:
        message = "the measured work failed: run it outside of the benchmark to see why"
        raise RuntimeError(message)
    return Cost(*json.loads(text))


def _resident() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE / 1e6
