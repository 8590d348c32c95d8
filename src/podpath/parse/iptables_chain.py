"""The rules of one chain, compiled when a packet first visits it.

Most rules on a node differ from one another in addresses, comment and target only. What is left without these, the
skeleton, is compiled once for a table. ``iptables_rule`` alone says what any part means.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence

from podpath.model.linux.netfilter import Continue, Jump, Rule, Target
from podpath.model.linux.xtables import AddressMatch, Match
from podpath.parse.iptables_nat import dnat
from podpath.parse.iptables_rule import Reader, compile_rule
from podpath.parse.iptables_values import prefix

_A_COMMENT = "\0comment"
"""Stands for a comment while a skeleton is compiled."""
DNAT = "DNAT --to-destination "
MOST_KEPT = 20_000
"""How many skeletons and targets are kept; a dump has hundreds."""

_LEADS: Mapping[str, tuple[str, int]] = {" -s ": ("src", 4), " -d ": ("dst", 4), " ! -": ("", 6)}
"""How a rule may begin: the side, and where the address stands."""
_NEGATED: Mapping[str, str] = {"s ": "src", "d ": "dst"}
_CONTINUE = Continue()

Skeleton = tuple[tuple[Match, ...], str]
"""Matches and comment of a rule without its target."""


class RuleCompiler:
    """Compiles the rules of one table."""

    def __init__(self, chains: Container[str], family: str) -> None:
        self._chains = chains
        self._family = family
        self._skeletons: dict[tuple[str, str | None], Skeleton | None] = {}
        self._targets: dict[str, Target] = {}
        self._dnat = DNAT if "DNAT" not in chains else "\0"

    def rules(self, name: str, lines: Sequence[str], first: int) -> list[Rule]:
        """The rules that lines append to a chain; the first has the given number. They all begin in the same way."""
        command = f"-A {name}"
        quick, whole = self._quick, self._whole
        if lines[0].startswith(f"{command} "):
            start = len(command)
            return [
                quick(number, line, line[start:]) or whole(number, line) for number, line in enumerate(lines, first)
            ]
        if lines[0].startswith("[") and f"] {command} " in lines[0]:
            return [
                quick(number, line, line.partition(command)[2]) or whole(number, line)
                for number, line in enumerate(lines, first)
            ]
        return [whole(number, line) for number, line in enumerate(lines, first)]

    def _whole(self, number: int, line: str) -> Rule:
        return compile_rule(line, number, self._chains, family=self._family)

    def _quick(self, number: int, line: str, text: str) -> Rule | None:
        """A rule by its skeleton; None if it is not of the usual shape."""
        parts = text.split('"')
        if len(parts) == 3:
            head, comment, tail = parts
            if "\\" in comment:
                return None
            before, arrow, aim = tail.rpartition(" -j ")
            tail = before if arrow else tail
        elif len(parts) == 1:
            head, arrow, aim = text.rpartition(" -j ")
            head, comment, tail = head if arrow else text, "", None
        else:
            return None
        try:
            matches: tuple[Match, ...] = ()
            while lead := _LEADS.get(head[:4]):
                side, start = lead
                side = side or _NEGATED.get(head[4:6], "")
                if not side:
                    break
                end = head.find(" ", start)
                if end < 0:
                    end = len(head)
                matches += (AddressMatch(side, prefix(head[start:end]), start == 6),)
                head = head[end:]
            skeleton = self._skeletons.get((head, tail)) or self._skeleton(head, tail)
            target = _CONTINUE
            if arrow:
                target = Jump(aim) if aim in self._chains else self._targets.get(aim) or self._target(aim)
        except ValueError:
            return None
        if skeleton is None or target is None:
            return None
        return Rule(number, line, matches + skeleton[0] + (target,), comment or skeleton[1])

    def _skeleton(self, head: str, tail: str | None) -> Skeleton | None:
        """What is before and after a comment in quotes; None if it has a target or something not understood."""
        if (head, tail) in self._skeletons:
            return None
        text = head if tail is None else f'{head}"{_A_COMMENT}"{tail}'
        read = Reader(text, self._chains, self._family).read()
        skeleton = None
        if isinstance(read.target, Continue) and not read.unknown:
            if tail is None:
                skeleton = (read.matches, read.comment)
            elif read.comment == _A_COMMENT:
                skeleton = (read.matches, "")
        if len(self._skeletons) < MOST_KEPT:
            self._skeletons[head, tail] = skeleton
        return skeleton

    def _target(self, text: str) -> Target | None:
        """The target of a text; None if it is more than that, or not understood."""
        if text.startswith(self._dnat) and " " not in text[len(DNAT) :]:
            return dnat({"--to-destination": text[len(DNAT) :]})
        read = Reader(f"-j {text}", self._chains, self._family).read()
        if read.unknown or read.comment or read.matches:
            return None
        if len(self._targets) < MOST_KEPT:
            self._targets[text] = read.target
        return read.target
