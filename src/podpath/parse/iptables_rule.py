"""One line of ``iptables-save`` or ``iptables -S`` as a rule: its matches in printed order, then its target."""

from __future__ import annotations

import re
from collections.abc import Container
from dataclasses import dataclass, field
from typing import NamedTuple

from podpath.model.linux.netfilter import Continue, Goto, Jump, Rule, Target, UnknownTarget
from podpath.model.linux.xtables import (
    AddressMatch,
    FragmentMatch,
    InterfaceMatch,
    Match,
    NeverMatch,
    ProtocolMatch,
)
from podpath.parse.iptables_grammar import (
    Module,
    Notes,
    Option,
    Quoted,
    Unclosed,
    options_text,
    words,
    written,
)
from podpath.parse.iptables_modules import MODULE_ALIASES, MODULES, PROTOCOL_MODULES, TARGETS
from podpath.parse.iptables_opaque_matches import PERHAPS
from podpath.parse.iptables_targets import VERDICTS, TargetModule
from podpath.parse.iptables_values import device, prefix, protocol

COMMAND = re.compile(
    r"\s*(?:\[\d+:\d+\]\s+)?"
    r"(?:(?:-A|--append)\s+(?P<chain>\S+)|(?:-I|--insert)\s+(?P<before>\S+)(?:\s+(?P<place>\d{1,9})(?!\S))?)",
    re.ASCII,
)
"""What stands before a rule: counters, ``-A CHAIN`` or ``-I CHAIN [N]``."""

BASE = {
    "-s": "-s", "--source": "-s", "--src": "-s", "-d": "-d", "--destination": "-d", "--dst": "-d",
    "-p": "-p", "--protocol": "-p", "--proto": "-p", "-i": "-i", "--in-interface": "-i",
    "-o": "-o", "--out-interface": "-o", "-f": "-f", "--fragment": "-f", "--fragments": "-f",
    "-m": "-m", "--match": "-m", "-j": "-j", "--jump": "-j", "-g": "-g", "--goto": "-g",
    "-c": "-c", "--set-counters": "-c", "-4": "-4", "--ipv4": "-4", "-6": "-6", "--ipv6": "-6",
}  # fmt: skip
"""Options that belong to no module. They come before those of any module."""
BASE_VALUES = {"-f": 0, "-4": 0, "-6": 0, "-c": 2}
UNSUPPORTED = ["[unsupported", "revision]"]
"""What iptables-save prints for a module that is newer than itself (kubernetes/kubernetes#94754)."""


@dataclass(slots=True)
class Loaded:
    """A match module of a rule with the options given to it."""

    name: str
    module: Module | None
    options: list[Option] = field(default_factory=list)
    unreadable: str = ""
    """Why its options cannot be understood, if so."""


@dataclass(slots=True)
class Aimed:
    """The target of a rule with the options given to it."""

    name: str
    goto: bool
    module: TargetModule | None
    options: list[Option] = field(default_factory=list)
    unreadable: str = ""


class Read(NamedTuple):
    """What a rule says."""

    matches: tuple[Match, ...]
    target: Target
    comment: str
    unknown: str


class Reader:
    """Reads the words of one rule."""

    def __init__(self, text: str, chains: Container[str], family: str) -> None:
        self.words = words(text)
        self.at = 0
        self.chains = chains
        self.family = family
        self.slots: list[Match | Loaded] = []
        self.scopes: list[Loaded | Aimed] = []
        self.aimed: Aimed | None = None
        self.protocol = 0
        self.astray = ""
        """Words that no option explains: where there is no target, they may hold it."""
        self.comments: list[str] = []
        self.notes = Notes([])

    def read(self) -> Read:
        """All that the words say."""
        cut = written(self.words.pop()) if self.words and isinstance(self.words[-1], Unclosed) else ""
        while self.at < len(self.words):
            self.option()
        if cut:
            self.astray = cut
            self.unknown(cut, "a quotation mark is not closed")
        matches: list[Match] = []
        for slot in self.slots:
            if isinstance(slot, Loaded):
                matches += self.matches(slot)
            else:
                matches.append(slot)
        target = self.target()
        return Read(tuple(matches), target, " ".join(self.comments), "; ".join(self.notes.reasons))

    def unknown(self, text: str, reason: str) -> None:
        """A condition that was not understood, in its place."""
        self.slots.append(self.notes.unknown(text, reason))

    # -- words -------------------------------------------------------------------------------------------------------

    def peek(self) -> str | None:
        """The next word, unless it stood in quotes or there is none."""
        word = self.words[self.at] if self.at < len(self.words) else None
        return None if isinstance(word, Quoted) else word

    def option(self) -> None:
        """Read one option with its values."""
        negate = self.peek() == "!"
        self.at += negate
        word = self.peek()
        if self.words[self.at : self.at + 2] == UNSUPPORTED and self.scopes:
            self.at += 2
            self.scopes[-1].unreadable = "[unsupported revision]"  # by the iptables-save that printed it
        elif word is None or not word.startswith("-"):
            self.stray(negate=negate)
        else:
            name, glued, value = (
                word.partition("=") if word.startswith("--") else (word[:2], word[2:], word[2:])
            )
            if glued:  # `--dport=80`, `-ptcp`
                self.words[self.at : self.at + 1] = [name, Quoted(value)]
            self.at += 1
            self.named(name, negate=negate)

    def stray(self, *, negate: bool) -> None:
        """A word that is no option."""
        text = " ".join(["!"] * negate + [written(word) for word in self.words[self.at : self.at + 1]])
        self.at += 1
        self.astray = text
        self.unknown(text, f"{text} is out of place")

    def named(self, name: str, *, negate: bool) -> None:
        """Read the values of an option and give them to the module that defines it."""
        base = BASE.get(name)
        if base:
            self.base(self.with_values(base, BASE_VALUES.get(base, 1), negate=negate))
            return
        scope = self.scope_of(name)
        if scope and scope.module:
            count = scope.module.values[name]
            option = self.with_values(name, count, negate=negate)
            if len(option.values) < count:
                scope.unreadable = f"{name} has no value"
            scope.options.append(option)
            if name == "--comment":
                self.comments.append(option.value)
        else:
            self.foreign(name, negate=negate)

    def with_values(self, name: str, count: int, *, negate: bool) -> Option:
        """An option with its values; an old ``--dport ! 80`` is turned into ``! --dport 80``."""
        if count == PERHAPS:
            following = self.peek()
            count = int(following is not None and not following.startswith(("-", "!")))
        if count and not negate and self.peek() == "!" and name != "--comment":
            negate = True
            self.at += 1
        values = tuple(str(word) for word in self.words[self.at : self.at + count])
        self.at += len(values)
        return Option(name, values, negate)

    def scope_of(self, name: str) -> Loaded | Aimed | None:
        """The module that an option belongs to: the last that defines it, else that of the protocol."""
        for scope in reversed(self.scopes):
            if scope.module and name in scope.module.values:
                return scope
        module = PROTOCOL_MODULES.get(self.protocol)
        if module and name in MODULES[module].values:
            return self.load(module)
        return None

    def foreign(self, name: str, *, negate: bool) -> None:
        """An option that no loaded module defines, with all words that may be its values."""
        start = self.at
        while self.at < len(self.words) and not (self.peek() or "").startswith(("-", "!")):
            self.at += 1
        option = Option(name, tuple(str(word) for word in self.words[start : self.at]), negate)
        owner = next((scope for scope in reversed(self.scopes) if scope.module is None), None)
        if owner is None and self.aimed is not None and self.scopes[-1:] == [self.aimed]:
            owner = self.aimed
            owner.unreadable = f"{name} is not known"
        if owner is None:
            self.unknown(option.text, f"{name} is not known")
        else:
            owner.options.append(option)

    # -- options of iptables itself ----------------------------------------------------------------------------------

    def load(self, name: str) -> Loaded:
        """A match module comes into force."""
        known = MODULE_ALIASES.get(name, name)
        loaded = Loaded(known if known in MODULES else name, MODULES.get(known))
        self.slots.append(loaded)
        self.scopes.append(loaded)
        return loaded

    def base(self, option: Option) -> None:
        """An option that belongs to no module."""
        if option.name in {"-j", "-g"} and not option.negate:
            self.aim(option)
        elif len(option.values) < BASE_VALUES.get(option.name, 1):
            self.unknown(option.text, f"{option.name} has no value")
        elif option.name == "-m" and not option.negate:
            self.load(option.value)
        elif option.name in {"-c", "-4", "-6", "-m", "-j", "-g"}:
            self.aside(option)
        else:
            try:
                self.slots.append(self.condition(option))
            except ValueError as error:
                self.unknown(option.text, f"{option.text}: {error}")

    def aside(self, option: Option) -> None:
        """Counters say nothing; of a file for both families, ip6tables-restore skips what is marked -4."""
        if option.negate:
            self.unknown(option.text, f"{option.name} cannot be negated")
        elif option.name in {"-4", "-6"} and (option.name == "-6") != (self.family == "ip6"):
            self.slots.append(NeverMatch(option.name))

    def condition(self, option: Option) -> Match:
        """``-s``, ``-d``, ``-i``, ``-o``, ``-p``, ``-f``."""
        match option.name:
            case "-s" | "-d":
                return AddressMatch(
                    "src" if option.name == "-s" else "dst", prefix(option.value), option.negate
                )
            case "-i" | "-o":
                return InterfaceMatch(
                    "in" if option.name == "-i" else "out", *device(option.value), option.negate
                )
            case "-p":
                number = protocol(option.value)
                self.protocol = 0 if option.negate else number
                return ProtocolMatch(number, option.negate)
            case _:
                return FragmentMatch(option.negate)

    def aim(self, option: Option) -> None:
        """``-j`` or ``-g``."""
        goto = option.name == "-g"
        module = None if goto or option.value in self.chains else TARGETS.get(option.value)
        aimed = Aimed(option.value, goto, module)
        if not option.values:
            aimed.unreadable = f"{option.name} has no value"
        if self.aimed is not None:
            aimed.unreadable = f"two targets, {self.aimed.name} and {option.value}"
        self.aimed = aimed
        if module or not self.is_plain(aimed):
            self.scopes.append(aimed)

    # -- what the options mean ---------------------------------------------------------------------------------------

    def matches(self, loaded: Loaded) -> list[Match]:
        """The conditions of a module."""
        text = options_text(loaded.name, loaded.options)
        if loaded.module is None:
            return [self.notes.unknown(text, f"-m {loaded.name} is not known")]
        if loaded.unreadable:
            return [self.notes.unknown(text, f"{text}: {loaded.unreadable}")]
        if loaded.module.protocols and self.protocol not in loaded.module.protocols:
            return [self.notes.unknown(text, f"{text}: the rule names no protocol that has it")]
        return list(loaded.module.compile(loaded.name, loaded.options, self.notes))

    def is_plain(self, aimed: Aimed) -> bool:
        """Whether a target is a verdict or a chain, which take no options."""
        return aimed.name in self.chains or (not aimed.goto and aimed.name in VERDICTS)

    def target(self) -> Target:
        """What the rule does."""
        aimed = self.aimed
        if aimed is None:
            return self.lost(self.astray, f"no target, but {self.astray}") if self.astray else Continue()
        flag = "-g" if aimed.goto else "-j"
        text = " ".join((flag, aimed.name, *(option.text for option in aimed.options))).rstrip()
        if aimed.unreadable:
            return self.lost(text, f"{text}: {aimed.unreadable}")
        if aimed.goto:
            return (
                Goto(aimed.name) if aimed.name in self.chains else self.lost(text, f"no chain {aimed.name}")
            )
        if aimed.name in VERDICTS:
            return VERDICTS[aimed.name]
        if aimed.name in self.chains:
            return Jump(aimed.name)
        if aimed.module is None:
            return self.lost(text, f"{aimed.name} is neither a chain nor a target that is known")
        try:
            return aimed.module.target(aimed.options, self.family)
        except ValueError as error:
            return self.lost(text, f"{text}: {error}")

    def lost(self, text: str, reason: str) -> UnknownTarget:
        """A target that was not understood."""
        self.notes.reasons.append(reason)
        return UnknownTarget(text)


def compile_rule(line: str, number: int, chains: Container[str] = (), *, family: str = "ip") -> Rule:
    """A line of ``iptables-save`` or ``iptables -S``. ``chains`` are those of its table.

    Nothing in a line is dropped and no line is refused: what is not understood is an ``UnknownMatch`` in its place, or
    an ``UnknownTarget``, and ``Rule.unknown`` says why.
    """
    command = COMMAND.match(line)
    matches, target, comment, unknown = Reader(line[command.end() if command else 0 :], chains, family).read()
    return Rule(number, line, (*matches, target), comment, unknown)
