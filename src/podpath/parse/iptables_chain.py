"""The rules of one chain, compiled when a packet first visits it.

Most rules on a node differ from one another in addresses, comment and target only. What is left without these, the
skeleton, is compiled once for a table. ``iptables_rule`` alone says what any part means.
"""

from __future__ import annotations

import re
from collections.abc import Container, Sequence

from podpath.model.linux.netfilter import Continue, Jump, Rule, Target
from podpath.model.linux.xtables import AddressMatch, Match
from podpath.parse.iptables_nat import dnat_to
from podpath.parse.iptables_rule import Reader, compile_rule
from podpath.parse.iptables_targets import VERDICTS
from podpath.parse.iptables_values import prefix

_ADDRESSES = r"(?: (! )?-s ([^ ]++))?+(?: (! )?-d ([^ ]++))?+"
_OPTIONS = r'((?: ++-(?!j )[^ "]++(?: ++[^- "][^ "]*+)*+)*+)'
_TARGET = r'(?: -j (?:DNAT --to-destination ([^ "]++)|([^"]++)))?+'
_COMMENTED = re.compile(rf'{_ADDRESSES}([^"]*+)"([^"\\]*+)"{_OPTIONS}{_TARGET}')
_BARE = re.compile(rf"{_ADDRESSES}()(){_OPTIONS}{_TARGET}")
"""Addresses, what follows up to a comment in quotes, the comment, what follows that, and the target."""

_A_COMMENT = "\0comment"
"""Stands for a comment while a skeleton is compiled."""
MOST_KEPT = 20_000
"""How many skeletons and targets are kept; a dump has hundreds."""

Skeleton = tuple[tuple[Match, ...], str]
"""Matches and comment of a rule without its addresses and target."""


class RuleCompiler:
    """Compiles the rules of one table."""

    def __init__(self, chains: Container[str], family: str) -> None:
        self._chains = chains
        self._family = family
        self._skeletons: dict[tuple[str, str], Skeleton | None] = {}
        self._targets: dict[str, Target | None] = {}
        self._clashes = any(name in chains for name in ("DNAT", *VERDICTS))
        """A chain has the name of a target: no iptables makes such a one."""

    def rules(self, name: str, lines: Sequence[str], first: int) -> list[Rule]:
        """The rules that lines append to a chain; the first has the given number. They all begin in the same way."""
        command = f"-A {name}"
        begin = len(command)
        counted = lines[0].startswith("[")
        usual = f"] {command} " in lines[0] if counted else lines[0].startswith(f"{command} ")
        if not usual or self._clashes:
            return [self._whole(number, line) for number, line in enumerate(lines, first)]
        chains, skeletons, targets = self._chains, self._skeletons, self._targets
        rules: list[Rule] = []
        for number, line in enumerate(lines, first):
            if counted:
                begin = line.find(command) + len(command)
            shape = (_COMMENTED if '"' in line else _BARE).fullmatch(line, begin)
            if not shape:
                rules.append(self._whole(number, line))
                continue
            not_src, src, not_dst, dst, head, comment, tail, mapped, aim = shape.groups()
            matches: tuple[Match, ...] = ()
            try:
                if src:
                    matches = (AddressMatch("src", prefix(src), not_src is not None),)
                if dst:
                    matches += (AddressMatch("dst", prefix(dst), not_dst is not None),)
                skeleton = skeletons.get((head, tail)) or self._skeleton(head, tail)
                if mapped:
                    target: Target | None = dnat_to(mapped)
                else:
                    target = Jump(aim) if aim in chains else targets.get(aim) or self._target(aim)
            except ValueError:
                target = skeleton = None
            if skeleton and target:
                rules.append(Rule(number, line, (*matches, *skeleton[0], target), comment or skeleton[1]))
            else:
                rules.append(self._whole(number, line))
        return rules

    def _whole(self, number: int, line: str) -> Rule:
        return compile_rule(line, number, self._chains, family=self._family)

    def _skeleton(self, head: str, tail: str) -> Skeleton | None:
        """What stands before and after a comment; None if it has a target or something that is not understood."""
        if (head, tail) in self._skeletons:
            return None
        text = f'{head}"{_A_COMMENT}"{tail}' if head else tail
        read = Reader(text, self._chains, self._family).read()
        clean = isinstance(read.target, Continue) and not read.unknown
        skeleton: Skeleton | None = None
        if clean and not head:
            skeleton = (read.matches, read.comment)
        elif clean and read.comment == _A_COMMENT:
            skeleton = (read.matches, "")
        if len(self._skeletons) < MOST_KEPT:
            self._skeletons[head, tail] = skeleton
        return skeleton

    def _target(self, text: str | None) -> Target | None:
        """The target of a text; None if it is more than that, or not understood."""
        if text is None:
            return Continue()
        if text in self._targets:
            return None
        read = Reader(f"-j {text}", self._chains, self._family).read()
        target = None if read.unknown or read.comment or read.matches else read.target
        if len(self._targets) < MOST_KEPT:
            self._targets[text] = target
        return target
