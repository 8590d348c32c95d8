"""How many promises stand for all: the one table of limits, with a reason each."""

from __future__ import annotations

from typing import NamedTuple

FULL_SIZE = 4_000
"""Bytes that go each way in a promise by TCP: more than one segment of any Ethernet, so that a smaller MTU shows."""


class Limits(NamedTuple):
    """A small cluster is walked whole; of a large one enough that no node and no Service is left out."""

    every_node: int = 50
    """Nodes up to which every node asks every Service and every other node: 2,450 ordered pairs, some seconds."""
    every_service: int = 5_000
    """Service ports times nodes up to which that holds for Services: beyond it the walk takes minutes."""
    endpoint_nodes: int = 3
    """Nodes with endpoints that ask their own Service: hairpins and local paths break for nodes, not for Services."""
    other_nodes: int = 2
    """Other nodes that ask it, the next two each time: kube-proxy of every node is asked about some Services."""
    ring: int = 3
    """Nodes that each node's Pods are walked to: a route or a tunnel to a node breaks for three others at least."""
    classes: int = 8
    """Sorts of Pods of one node that ask the same Service; the next Service is asked by the next ones."""
    asking_nodes: int = 1
    """Nodes of those that ask a Service which also ask it for themselves: their way differs in its source only."""
    hairpins: int = 1
    """Nodes on which a Service's Pod asks its own Service: it is the node's bridge that is tried, many times over."""
    class_pairs: int = 16
    """Pairs of sorts of Pods tried for one pair of nodes: policies tell them apart, the way is one."""
    walked_pairs: int = 1
    """Of these, how many that policies allow are walked in a large cluster."""
    probes: int = 20
    """Probes of one node, of Pods that are not ready first: more say nothing new about the node."""


LIMITS = Limits()
