"""The shape of an iptables rule: words, options, and the modules that options belong to.

A line is cut into words as ``add_param_to_argv`` of iptables-restore does; which module an option belongs to and how
many values it takes is what getopt_long(3) would find (``xtables_merge_options``: the module loaded last comes first).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from podpath.model.linux.xtables import AlwaysMatch, Match, UnknownMatch

_WORD = re.compile(r'([^ \t\r\n"]*+)"((?:[^"\\]|\\.)*+)("|\\?\Z)|([^ \t\r\n"]++)', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_NEEDS_QUOTES = re.compile(r'[\s"]')


class Quoted(str):
    """A word that stood in quotes: never an option, never a negation."""

    __slots__ = ()


class Unclosed(Quoted):
    """A word whose quote does not end: the line is cut."""

    __slots__ = ()


def words(text: str) -> list[str]:
    """The words of a line; quotes are taken off, and a closing quote ends its word."""
    found: list[str] = []
    for start, quoted, end, plain in _WORD.findall(text):
        if plain:
            found.append(plain)
        else:
            kind = Quoted if end == '"' else Unclosed
            found.append(kind(start + _ESCAPED.sub(r"\1", quoted)))
    return found


def written(word: str) -> str:
    """A word as it can be written in a rule again."""
    if word and not _NEEDS_QUOTES.search(word):
        return word
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'


class Option(NamedTuple):
    """An option with its values."""

    name: str
    values: tuple[str, ...] = ()
    negate: bool = False

    @property
    def value(self) -> str:
        """The first value."""
        return self.values[0] if self.values else ""

    @property
    def text(self) -> str:
        """The option as it is written."""
        return " ".join(("! " * self.negate + self.name, *map(written, self.values)))


@dataclass(slots=True)
class Notes:
    """What was not understood of one rule."""

    reasons: list[str]

    def unknown(self, text: str, reason: str) -> UnknownMatch:
        """An unknown match, its reason kept."""
        self.reasons.append(reason)
        return UnknownMatch(text)


Compile = Callable[[str, Sequence[Option], Notes], Sequence[Match]]
"""From the name of a module and the options given to it."""


@dataclass(frozen=True, slots=True)
class Module:
    """A match module: how many values each option takes (-1: perhaps one), and what they mean."""

    values: Mapping[str, int]
    compile: Compile
    protocols: frozenset[int] = frozenset()
    """Protocols of which the rule must name one (the kernel refuses it otherwise); empty for any."""


def options_text(name: str, options: Sequence[Option]) -> str:
    """A module with its options, as written."""
    return " ".join((f"-m {name}", *(option.text for option in options)))


def each(handlers: Mapping[str, Callable[[Option], Match]], *, bare: bool = False) -> Compile:
    """A module whose options are conditions of their own. ``bare``: it may also stand without options."""

    def compile_each(name: str, options: Sequence[Option], notes: Notes) -> Sequence[Match]:
        if not options:
            return [AlwaysMatch(name) if bare else notes.unknown(f"-m {name}", f"-m {name} without options")]
        return [_one(handlers[option.name], option, notes) for option in options]

    return compile_each


def _one(handler: Callable[[Option], Match], option: Option, notes: Notes) -> Match:
    try:
        return handler(option)
    except ValueError as error:
        return notes.unknown(option.text, f"{option.text}: {error}")


def together(
    handler: Callable[[Mapping[str, Option]], Iterator[Match]], *, positive: Container[str] = ()
) -> Compile:
    """A module whose options make one condition: the handler gets them by name. ``positive`` ones take no ``!``."""

    def compile_together(name: str, options: Sequence[Option], notes: Notes) -> Sequence[Match]:
        by_name = {option.name: option for option in options}
        text = options_text(name, options)
        try:
            for option in options:
                if option.name in positive:
                    no_negation(option)
            matches = list(handler(_once(by_name, options)))
        except ValueError as error:
            return [notes.unknown(text, f"{text}: {error}")]
        notes.reasons += [
            f"{match.text} is not evaluated" for match in matches if isinstance(match, UnknownMatch)
        ]
        return matches

    return compile_together


def _once(by_name: Mapping[str, Option], options: Sequence[Option]) -> Mapping[str, Option]:
    if len(by_name) < len(options):
        raise ValueError("an option is given twice")
    return by_name


def no_negation(option: Option) -> Option:
    """The option, which cannot be negated."""
    if option.negate:
        raise ValueError(f"{option.name} cannot be negated")
    return option
