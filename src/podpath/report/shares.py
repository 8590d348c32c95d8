"""How many of a Service's backends a broken promise loses: the flow traced once more, and its chance counted."""

from __future__ import annotations

from podpath.dataplane.tracer import trace_flow
from podpath.model.network import Network
from podpath.model.promise import Promise
from podpath.report.breaks import Share

ROUNDING = 0.05


def share_of(network: Network) -> Share:
    """A function that remembers what it has traced."""
    known: dict[int, tuple[int, int] | None] = {}

    def share(promise: Promise) -> tuple[int, int] | None:
        key = id(promise)
        if key not in known:
            known[key] = _share(network, promise)
        return known[key]

    return share


def _share(network: Network, promise: Promise) -> tuple[int, int] | None:
    """kube-proxy chooses evenly, so the chance of failure is a number of backends."""
    backends = len(promise.servers or ())
    if backends < 2:
        return None
    chance = trace_flow(network, promise.flow).probability
    if chance is None:
        return None
    failing = (1 - chance) * backends
    return (round(failing), backends) if abs(failing - round(failing)) < ROUNDING and round(failing) else None
