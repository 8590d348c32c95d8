"""Is a promise kept? The trace of its flow, compared with whom it promises."""

from __future__ import annotations

from typing import NamedTuple

from podpath.dataplane.tracer import trace_flow
from podpath.model.network import Network
from podpath.model.promise import Promise
from podpath.model.trace import Answer, Branch, Verdict


class Judged(NamedTuple):
    """A promise with what happens to it."""

    promise: Promise
    answer: Answer
    broken: tuple[Branch, ...]
    """The branches that break it."""
    undecided: tuple[Branch, ...]
    """The branches of which nobody knows."""

    @property
    def kept(self) -> bool:
        """Whether every branch keeps it."""
        return not self.broken and not self.undecided


def judge(network: Network, promise: Promise) -> Judged:
    """Walk the promise's flow and hold every branch against it."""
    answer = trace_flow(network, promise.flow, any_listener=not promise.needs_listener)
    unknown = [branch for branch in answer.branches if branch.works is None]
    broken: list[Branch] = []
    for branch in answer.branches:
        if not breaks(promise, branch):
            continue
        supposed = answer.verdict is Verdict.UNKNOWN and branch.assumptions
        (unknown if supposed or _proxied(branch) else broken).append(branch)
    return Judged(promise, answer, tuple(broken), tuple(unknown))


def breaks(promise: Promise, branch: Branch) -> bool:
    """Whether a branch fails, or ends at somebody who was not promised."""
    if branch.works is False:
        return True
    if branch.works is None or promise.servers is None or branch.server is None:
        return False
    _, addr, port = branch.server
    return (addr, port) not in promise.servers and (addr, 0) not in promise.servers


def _proxied(branch: Branch) -> bool:
    """Whether rules in a Pod's own namespace led the flow to a program there (a mesh's sidecar).

    What that program does with it is in no state.
    """
    if branch.works is False:
        return False
    return any(
        step.hook in ("prerouting", "output")
        and step.rule is not None
        and step.packet is not None
        and not step.kind
        for hop in branch.traces[0].hops
        if hop.netns.startswith("pod/")
        for step in hop.steps
    )
