"""The rule or policy that ended a packet: its table, its chains, its owner."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from podpath.checks.case import Case
from podpath.checks.owners import Owner, owner_of
from podpath.model.addr import ALL_BITS
from podpath.model.edit import DeleteRule, Edit, SetChainPolicy, table_id
from podpath.model.linux import netfilter as nl
from podpath.model.linux import nftables as nf
from podpath.model.linux import xtables as xt
from podpath.model.linux.netfilter import Chain, Rule, Table
from podpath.model.network import Netns
from podpath.model.origin import Origin
from podpath.model.trace import Step

FILTERED = ("chain-policy-drop", "rule-drop", "rule-reject")
"""The kinds of step that a rule or a policy decides."""


class Verdict(NamedTuple):
    """What ended a packet in netfilter."""

    netns: Netns
    table: Table
    chain: Chain
    """Where the packet ended."""
    base: Chain
    """The base chain by which it came there."""
    rule: Rule | None
    """None: the policy of ``base``."""

    @property
    def ident(self) -> str:
        """The table's identity."""
        return table_id(self.table)

    @property
    def hook(self) -> str:
        """forward, input, output ..."""
        return self.base.base.hook if self.base.base is not None else ""

    @property
    def owner(self) -> Owner | None:
        """Who writes the chain."""
        return owner_of(self.ident, self.chain.name)

    @property
    def origin(self) -> Origin:
        """The line."""
        return self.table.chain_origin(self.base) if self.rule is None else self.table.origin(self.rule)

    @property
    def comment(self) -> str:
        """What its author wrote at it: `` ("hardening v2")``, or nothing."""
        return f' ("{self.rule.comment}")' if self.rule is not None and self.rule.comment else ""

    @property
    def how(self) -> str:
        """``drops`` or ``rejects``."""
        rejects = self.rule is not None and any(
            isinstance(i, nl.Reject | nf.NftReject) for i in self.rule.items
        )
        return "rejects" if rejects else "drops"

    @property
    def place(self) -> str:
        """The table and chain in words: ``FORWARD``, ``chain guard of table inet corpfw``."""
        table = self.table
        if table.backend == "native":
            return f"chain {self.chain.name} of nftables table {table.family} {table.name}"
        hidden = " (iptables-legacy)" if table.backend == "legacy" else ""
        named = "" if table.name == "filter" else f" of table {table.name}"
        return f"{self.chain.name}{named}{hidden}"

    @property
    def removal(self) -> Edit:
        """The line taken away: the rule deleted, or the policy set to accept."""
        if self.rule is not None:
            return DeleteRule(self.netns.id, self.ident, self.chain.name, self.rule)
        return SetChainPolicy(self.netns.id, self.ident, self.base.name, "accept", "drop")

    @property
    def position(self) -> int:
        """Where a rule must stand in the base chain to come before the line: -1 is the end."""
        if self.rule is None:
            return -1
        return next((n for n, one in enumerate(self.base.rules) if self._ends_at(one)), 0)

    def _ends_at(self, rule: Rule) -> bool:
        if rule is self.rule:
            return True
        return any(self.chain.name in reachable(self.table, name) for name in jumps(self.table, rule))


def verdict_of(case: Case) -> Verdict | None:
    """The verdict at the case's step; None where no rule or policy decided."""
    return verdict_at(case.netns, case.step)


def verdict_at(netns: Netns, step: Step) -> Verdict | None:
    """The verdict of a step in a namespace."""
    table = next((one for one in netns.tables if table_id(one) == step.table), None)
    if table is None or step.chain not in table.chains:
        return None
    chain = table.chains[step.chain]
    base = chain if chain.base is not None else _base(table, chain.name, step.hook.rpartition(" ")[2])
    return None if base is None else Verdict(netns, table, chain, base, step.rule)


def _base(table: Table, chain: str, hook: str) -> Chain | None:
    bases = [one for one in table.chains.values() if one.base is not None and one.base.hook == hook]
    return next((one for one in bases if chain in reachable(table, one.name)), bases[0] if bases else None)


def jumps(table: Table, rule: Rule) -> Iterator[str]:
    """The chains that a rule may lead to."""
    for item in rule.items:
        match item:
            case nl.Jump(chain=chain) | nl.Goto(chain=chain):
                yield chain
            case nf.NftVerdict(chain=chain) if chain:
                yield chain
            case nf.Vmap(data=data):
                yield from (verdict.chain for verdict in _verdicts(table, data) if verdict.chain)


def _verdicts(table: Table, data: nf.Expr) -> Iterator[nf.VerdictExpr]:
    elements: tuple[nf.SetElement, ...] = ()
    if isinstance(data, nf.SetExpr):
        elements = data.elements
    elif isinstance(data, nf.NamedSet) and data.name in table.sets:
        elements = table.sets[data.name].elements
    yield from (one.data for one in elements if isinstance(one.data, nf.VerdictExpr))


@lru_cache(maxsize=256)
def reachable(table: Table, start: str) -> frozenset[str]:
    """The chains that a packet in a chain may come to, with itself."""
    found, pending = {start}, [start]
    while pending:
        chain = table.chains.get(pending.pop())
        for rule in chain.rules if chain is not None else ():
            fresh = set(jumps(table, rule)) - found
            found |= fresh
            pending += fresh
    return frozenset(found)


def accepts(rule: Rule) -> bool:
    """Whether a rule lets packets through."""
    return any(
        isinstance(item, nl.Accept) or (isinstance(item, nf.NftVerdict) and item.verdict == "accept")
        for item in rule.items
    )


def names_port(rule: Rule | None, port: int) -> bool:
    """Whether a rule speaks of one destination port (or a few), and not of whatever comes."""
    for item in rule.items if rule is not None else ():
        match item:
            case xt.PortMatch(side="dst" | "either", ranges=ranges, negate=False):
                return any(low <= port <= high for low, high in ranges)
            case nf.NftMatch(left=nf.Payload(field="dport"), op="==" | "in"):
                return True
    return False


def names_address(rule: Rule | None) -> bool:
    """Whether a rule speaks of some addresses, and not of whatever comes."""
    for item in rule.items if rule is not None else ():
        match item:
            case xt.AddressMatch(prefix=prefix, negate=False) if prefix.mask & ALL_BITS:
                return True
            case nf.NftMatch(left=nf.Payload(field="saddr" | "daddr")):
                return True
            case xt.SetMatch() | xt.RangeMatch():
                return True
    return False


def chains_of(netns: Netns, *owners: Owner, backend: str = "") -> Iterator[tuple[Table, Chain]]:
    """The chains of some owners in a namespace (of one back end)."""
    for table in netns.tables:
        if backend in ("", table.backend):
            for chain in table.chains.values():
                if owner_of(table_id(table), chain.name) in owners:
                    yield table, chain
