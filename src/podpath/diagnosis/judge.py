"""Is a promise kept? The trace of its flow, compared with whom it promises."""

from __future__ import annotations

from typing import NamedTuple

from podpath.dataplane.tracer import trace_flow
from podpath.model.network import Network
from podpath.model.promise import Promise
from podpath.model.trace import Answer, Branch


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
    broken = tuple(branch for branch in answer.branches if breaks(promise, branch))
    undecided = tuple(branch for branch in answer.branches if branch.works is None)
    if broken and any(branch.assumptions for branch in broken) and len(broken) < len(answer.branches):
        sure = tuple(branch for branch in broken if not branch.assumptions)
        undecided, broken = (*undecided, *(b for b in broken if b.assumptions)), sure
    return Judged(promise, answer, broken, undecided)


def breaks(promise: Promise, branch: Branch) -> bool:
    """Whether a branch fails, or ends at somebody who was not promised."""
    if branch.works is False:
        return True
    if branch.works is None or promise.servers is None or branch.server is None:
        return False
    _, addr, port = branch.server
    return (addr, port) not in promise.servers and (addr, 0) not in promise.servers
