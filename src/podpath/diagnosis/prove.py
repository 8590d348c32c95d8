"""The counterfactual: the edits that would keep the broken promises, tried in the model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from podpath.checks.case import Explained
from podpath.diagnosis.causes import Group, locate
from podpath.diagnosis.judge import Judged, judge
from podpath.model.edit import Edit, Outside, PatchObject, apply_edits
from podpath.model.network import Network
from podpath.model.promise import Promise

MOST_TRIED = 24
"""Broken promises that are walked again for one edit, spread over clients and kinds."""
MOST_HELD = 16
"""Kept promises that are walked again to see that the edit breaks none."""


class Proof(NamedTuple):
    """What trying the edits showed."""

    edits: tuple[Edit, ...]
    """The first alternative that works; else the first that was offered."""
    proven: bool
    tried: int
    kept: int
    """Of the tried promises, those that the edits alone keep; the rest get past this step and break behind it."""
    held: int = 0

    def text(self, broken: int, promises: int) -> str:
        """The proof in words, for so many promises that are broken (``promises`` of them were told apart)."""
        if not self.proven:
            return ""
        walked = f"{self.tried} of {promises} walked again" if self.tried < promises else "all walked again"
        if self.kept == self.tried:
            others = f"none of {self.held} others is lost" if self.held else "no other was walked"
            return f"with the fix the {broken} broken promises are kept ({walked}), and {others}"
        behind = self.tried - self.kept
        return f"with the fix they get past this step ({walked}); {behind} of them break again behind it"

    def with_(self, other: Proof) -> Proof:
        """The proofs of two groups of promises that one mending keeps."""
        both = self.proven and other.proven
        return self._replace(
            proven=both,
            tried=self.tried + other.tried,
            kept=self.kept + other.kept,
            held=max(self.held, other.held),
        )


def prove(network: Network, group: Group, explained: Explained, keeping: Sequence[Promise]) -> Proof:
    """Try the alternatives in order; the first that gets every tried promise past the step, and breaks none, is it."""
    tried = spread(group.promises, MOST_TRIED)
    held = [promise for promise in keeping if _near(promise, group)][:MOST_HELD]
    for edits in explained.edits:
        if not edits or all(isinstance(edit, PatchObject | Outside) for edit in edits):
            continue
        changed = apply_edits(network, edits)
        outcomes = [judge(changed, promise) for promise in tried]
        if any(_stuck(changed, one, group) for one in outcomes):
            continue
        if any(judge(changed, promise).broken for promise in held):
            continue
        return Proof(
            edits, proven=True, tried=len(tried), kept=sum(not one.broken for one in outcomes), held=len(held)
        )
    return Proof(explained.edits[0] if explained.edits else (), proven=False, tried=len(tried), kept=0)


def _stuck(network: Network, judged: Judged, group: Group) -> bool:
    """Whether a branch still ends at a step of the same kind in the same place."""
    for branch in judged.broken:
        key = locate(network, judged.promise, branch).key
        if (key.netns, key.kind, key.table, key.chain, key.dev, key.key) == (
            group.key.netns,
            group.key.kind,
            group.key.table,
            group.key.chain,
            group.key.dev,
            group.key.key,
        ) and key.line in (group.key.line, 0):
            return True
    return False


def _near(promise: Promise, group: Group) -> bool:
    """Whether a kept promise could be touched: it begins on the same node."""
    node = group.key.netns.split("/")[1] if group.key.netns.startswith("node/") else ""
    return not node or promise.flow.netns.endswith(node) or promise.flow.netns.startswith("pod/")


def spread(promises: Sequence[Promise], most: int) -> list[Promise]:
    """Some of the promises, of as many kinds and clients as there are."""
    by_kind: dict[tuple[str, str], list[Promise]] = {}
    for promise in promises:
        by_kind.setdefault((promise.kind, promise.flow.netns), []).append(promise)
    found: list[Promise] = []
    while len(found) < most and any(by_kind.values()):
        for group in by_kind.values():
            if group and len(found) < most:
                found.append(group.pop(0))
    return found
