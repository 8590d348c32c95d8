"""Where in a dump of iptables each chain and its rules stand.

The dump is indexed, not compiled: a chain knows where in the text its rules are, and reads them when a packet first
visits it. A node of a large cluster has 50,000 chains, of which one connection visits twenty.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial

from podpath.model.linux.netfilter import XT_CHAINS, Base, Chain, Rule, xt_priority
from podpath.model.origin import Origin, Unrecognized
from podpath.parse.iptables_chain import RuleCompiler
from podpath.parse.iptables_rule import COMMAND, compile_rule

TABLE_CHAINS: Mapping[str, tuple[str, ...]] = {
    "filter": ("INPUT", "FORWARD", "OUTPUT"),
    "nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"),
    "mangle": ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"),
    "raw": ("PREROUTING", "OUTPUT"),
    "security": ("INPUT", "FORWARD", "OUTPUT"),
}
"""Built-in chains of each table."""
TYPES: Mapping[tuple[str, str], str] = {("mangle", "OUTPUT"): "route"}
"""After this chain the kernel routes anew (ipt_mangle_out)."""

_APPENDED = re.compile(r"(?:\[\d+:\d+\] )?+-A (\S++) ", re.ASCII)
_COUNTERS = re.compile(r"\[\d+:\d+\] ", re.ASCII)
_UNUSED = " - [0:0]\n"
_USER_CHAINS = re.compile(rf"(?::[^\s]++{re.escape(_UNUSED)})++")
_DECLARED = re.compile(r":\s*(\S+)\s+(\S+)(?:\s+\[\d+:\d+\])?", re.ASCII)
_CREATED = re.compile(r"(?:-N|--new-chain)\s+(\S+)")
_POLICY = re.compile(r"(?:-P|--policy)\s+(\S+)\s+(\S+)(?:\s+-c\s+\d+\s+\d+)?", re.ASCII)
_TABLE = re.compile(r"^[ \t]*\*", re.MULTILINE)
_LISTED = re.compile(r"^[ \t]*-[APN] ", re.MULTILINE)
_COMMITTED = re.compile(r"^[ \t]*COMMIT[ \t\r]*$", re.MULTILINE)


class LazyChains(Mapping[str, Chain]):
    """The chains of a table, made as they are asked for.

    ``places`` has for each chain the line that declares it, then three numbers for each run of its rules that stands
    together: where in the text it begins and ends, and its first line (negative for a rule that ``-I`` inserts).
    """

    def __init__(self, text: str, family: str) -> None:
        self.text = text
        self.family = family
        self.places: dict[str, list[int]] = {}
        self.declared: dict[str, str] = {}
        """Lines that declare a chain and do not read ``:NAME - [0:0]``."""
        self.bases: dict[str, Base] = {}
        self._made: dict[str, Chain] = {}
        self._compiler: RuleCompiler | None = None

    def __getitem__(self, name: str) -> Chain:
        made = self._made.get(name)
        if made is None:
            line = self.places[name][0]
            text = self.declared.get(name) or f":{name} - [0:0]"
            made = self._made[name] = Chain(name, partial(self.load, name), self.bases.get(name), line, text)
        return made

    def __contains__(self, name: object) -> bool:
        return name in self.places

    def __iter__(self) -> Iterator[str]:
        return iter(self.places)

    def __len__(self) -> int:
        return len(self.places)

    def load(self, name: str) -> tuple[Rule, ...]:
        """Compile the rules of a chain."""
        if self._compiler is None:
            self._compiler = RuleCompiler(self.places, self.family)
        places = self.places[name]
        rules: list[Rule] = []
        for at in range(1, len(places), 3):
            start, end, first = places[at : at + 3]
            lines = self.text[start:end].split("\n")
            if not lines[-1]:
                lines.pop()
            if lines[0].endswith("\r"):
                lines = [line.rstrip("\r") for line in lines]
            if first > 0:
                rules += self._compiler.rules(name, lines, first)
            else:
                self.insert(rules, lines[0], -first)
        return tuple(rules)

    def insert(self, rules: list[Rule], line: str, number: int) -> None:
        """``-I CHAIN [N]``: the rule becomes the N-th, or the first."""
        command = COMMAND.match(line)
        place = int(command["place"] or 1) if command else 1
        rules.insert(max(place - 1, 0), compile_rule(line, number, self.places, family=self.family))


class Indexer:
    """Walks a dump line by line, and through the rules of one chain as fast as it can."""

    def __init__(self, text: str, file: str, family: str) -> None:
        self.text = text
        self.file = file
        self.family = family
        self.number = 1
        self.tables: dict[str, LazyChains] = {}
        self.table = ""
        self.chains = LazyChains(text, family)
        self.repeated = False
        self.lost: list[Unrecognized] = []

    def index(self) -> None:
        """Read the whole dump."""
        text, size = self.text, len(self.text)
        listed = not _TABLE.search(text) and not _COMMITTED.search(text) and _LISTED.search(text)
        if listed:
            self.open("filter")  # iptables -S, which does not say of which table
        position = 0
        while position < size:
            if self.table and _APPENDED.match(text, position):
                position = self.rules(position)
            elif self.table and (declared := _USER_CHAINS.match(text, position)):
                position = self.user_chains(position, declared.end())
            else:
                position = self.line(position)
        if self.table and not listed:
            last = text.rstrip("\r\n").rpartition("\n")[2]
            reason = f"it ends before the COMMIT of table {self.table}, so it may be cut"
            self.lose(self.number - 1, last, reason)

    def lose(self, number: int, line: str, reason: str) -> None:
        """Keep a line that was not understood."""
        self.lost.append(Unrecognized(Origin(self.file, number, line), reason))

    def open(self, name: str) -> None:
        """A table begins, or goes on."""
        self.table = name
        self.repeated = name in self.tables
        self.chains = self.tables.setdefault(name, LazyChains(self.text, self.family))

    # -- many lines at a time ----------------------------------------------------------------------------------------

    def rules(self, position: int) -> int:
        """Rules, a run of those of one chain after the other; returns where the next line begins."""
        text, find, starts_with = self.text, self.text.find, self.text.startswith
        places, size = self.chains.places, len(text)
        first = self.number
        while appended := _APPENDED.match(text, position):
            same, name = appended[0], appended[1]
            end = find("\n", position) + 1 or size
            number = first + 1
            if same[0] == "-":
                while starts_with(same, end):
                    end = find("\n", end) + 1 or size
                    number += 1
            else:
                same = f"-A {name} "
                while (counters := _COUNTERS.match(text, end)) and starts_with(same, counters.end()):
                    end = find("\n", end) + 1 or size
                    number += 1
            place = places.get(name)
            if place is None:
                place = self.undeclared(name, first, text[position:end].partition("\n")[0].rstrip("\r"))
            place += (position, end, first)
            position, first = end, number
        self.number = first
        return position

    def append(self, name: str, start: int, end: int, number: int) -> None:
        """A single rule belongs to a chain."""
        place = self.chains.places.get(name)
        if place is None:
            place = self.undeclared(name, abs(number), self.text[start:end].rstrip("\r\n"))
        place += (start, end, number)

    def undeclared(self, name: str, number: int, line: str) -> list[int]:
        """A chain that has rules and no declaration."""
        place = self.chains.places[name] = [number]
        self.chains.declared[name] = line
        if name in TABLE_CHAINS.get(self.table, ()):
            self.chains.bases[name] = self.base(name, "ACCEPT")
            self.lose(number, line, f"the policy of {name} is not shown, and taken for ACCEPT")
        else:
            self.lose(number, line, f"chain {name} has rules and is not declared")
        return place

    def user_chains(self, position: int, end: int) -> int:
        """Declarations of chains without counters, most of a large dump; returns where the next line begins."""
        names = self.text[position + 1 : end - len(_UNUSED)].split(f"{_UNUSED}:")
        places = {name: [number] for number, name in enumerate(names, self.number)}
        known = self.chains.places
        if len(places) == len(names) and known.keys().isdisjoint(places):
            known.update(places)
        else:
            for number, name in enumerate(names, self.number):
                self.declare(name, "-", number, f":{name} - [0:0]")
        self.number += len(names)
        return end

    # -- one line ----------------------------------------------------------------------------------------------------

    def line(self, position: int) -> int:
        """Any line; returns where the next one begins."""
        end = self.text.find("\n", position) + 1 or len(self.text)
        line = self.text[position:end].rstrip("\r\n")
        content = line.strip().removeprefix("\ufeff")
        number = self.number
        self.number += 1
        if content.startswith("*"):
            self.begin(content[1:].strip(), number, line)
        elif content == "COMMIT":
            if not self.table:
                self.lose(number, line, "a COMMIT without a table")
            self.table = ""
        elif content.startswith("#"):
            if "is incompatible" in content:  # xtables-save.c, of a table with rules that nft wrote
                self.lose(number, line, "iptables could not print this table")
        elif content:
            self.command(content, position, end, line)
        return end

    def begin(self, name: str, number: int, line: str) -> None:
        """``*nat``."""
        if self.table:
            self.lose(number, line, f"table {self.table} has no COMMIT")
        if name not in TABLE_CHAINS:
            self.lose(number, line, f"{name} is no table of iptables")
        if name in self.tables:
            self.lose(number, line, f"table {name} a second time: its rules are added to the first")
        self.open(name)

    def command(self, content: str, position: int, end: int, line: str) -> None:
        """A declaration, a policy or a rule."""
        number = self.number - 1
        if not self.table:
            self.lose(number, line, "it stands outside of any table")
        elif declared := _DECLARED.fullmatch(content) or _POLICY.fullmatch(content):
            self.declare(declared[1], declared[2], number, line)
        elif created := _CREATED.fullmatch(content):
            self.declare(created[1], "-", number, line)
        elif command := COMMAND.match(content):
            if command["chain"]:
                self.append(command["chain"], position, end, number)
            else:
                self.append(command["before"], position, end, -number)
        else:
            self.lose(number, line, "no line that iptables-save prints")

    def declare(self, name: str, policy: str, number: int, line: str) -> None:
        """``:FORWARD DROP [0:0]``, ``:NAME - [0:0]``, ``-P FORWARD DROP``, ``-N NAME``."""
        chains = self.chains
        if name in chains.places and not self.repeated:
            self.lose(number, line, f"chain {name} is declared twice")
        if policy == "-":
            if name in chains.places:
                return
        elif name not in TABLE_CHAINS.get(self.table, ()):
            self.lose(number, line, f"table {self.table} has no built-in chain {name}")
        else:
            if policy not in {"ACCEPT", "DROP"}:
                self.lose(number, line, f"{policy} is no policy")
            chains.bases[name] = self.base(name, policy)
        chains.places.setdefault(name, [number])[0] = number
        chains.declared[name] = line

    def base(self, name: str, policy: str) -> Base:
        """What the kernel registers for a built-in chain."""
        kind = TYPES.get((self.table, name), "nat" if self.table == "nat" else "filter")
        return Base(XT_CHAINS[name], xt_priority(self.table, name), kind, policy.lower())
