"""What an explanation is asked about, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from podpath.model.edit import Edit
from podpath.model.network import Netns, Network
from podpath.model.origin import Origin
from podpath.model.promise import Promise
from podpath.model.refs import ObjectRef
from podpath.model.trace import Branch, Hop, Step, Trace


@dataclass(frozen=True, eq=False)
class Case:
    """A step that ended or bent connections, with one promise it broke as the example, and all the others."""

    network: Network
    netns: Netns
    """Where the step stands."""
    step: Step
    trace: Trace
    """The packet that met it."""
    branch: Branch
    """The whole connection of the example."""
    promise: Promise
    """The example."""
    broken: tuple[Promise, ...]
    """All promises that this step breaks."""

    @property
    def node(self) -> str:
        """The node the step stands on."""
        return self.netns.node

    @property
    def hop(self) -> Hop:
        """The hop the step is in."""
        return self.trace.hops[-1]

    @property
    def outer(self) -> bool:
        """Whether the packet is a tunnel's outer one."""
        return self.hop.outer

    @property
    def node_ref(self) -> ObjectRef:
        """The node as a subject."""
        return ObjectRef("Node", "", self.netns.node)


class Explained(msgspec.Struct, frozen=True):
    """A fault's name and words for a case."""

    message: str
    """One sentence: where, what, why; no flow in it."""
    cause: str
    """What the line does, in a few words: ``what no rule accepts ends here``."""
    edits: tuple[tuple[Edit, ...], ...] = ()
    """Alternatives, the best first: each a set of edits that should keep the promise; diagnosis proves which does.
    An edit that restores its owner's line comes before one that weakens."""
    summary: str = ""
    """The fix in words; empty: made from the edits."""
    steps: tuple[str, ...] = ()
    """Commands or patches; empty: made from the edits."""
    risk: str = ""
    subject: ObjectRef | None = None
    """None: the node, or the Pod, where the step stands."""
    evidence: tuple[Origin, ...] = ()
    """Lines beside the step's own; the step's line comes first unless ``evidence_first``."""
    evidence_first: bool = False
    reason: str = ""
    code: str = ""
    """Another code than the explanation's own, where one function tells several faults apart."""
