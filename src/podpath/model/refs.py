"""Names that cannot be mixed up."""

from __future__ import annotations

from typing import NamedTuple, NewType

NodeName = NewType("NodeName", str)
NetnsId = NewType("NetnsId", str)
"""A network namespace: ``node/<node>`` for the host's, ``pod/<namespace>/<name>`` for a Pod's own."""


class ObjectRef(NamedTuple):
    """A Kubernetes object's name; ``namespace`` is empty for cluster-scoped kinds."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        """``Pod ops/client``, ``Node n1``."""
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"

    @property
    def short(self) -> str:
        """``ops/client`` or ``n1``."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


def node_netns(node: str) -> NetnsId:
    """The host network namespace of a node."""
    return NetnsId(f"node/{node}")


def pod_netns(namespace: str, name: str) -> NetnsId:
    """The network namespace of a Pod that has its own."""
    return NetnsId(f"pod/{namespace}/{name}")
