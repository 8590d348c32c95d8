"""``iptables-save``, ``iptables -S`` and their siblings: the tables of one family and back end."""

from __future__ import annotations

import re
from itertools import pairwise

from podpath.model.linux.netfilter import Table
from podpath.model.origin import Unrecognized
from podpath.parse.iptables_grammar import Quoted, words
from podpath.parse.iptables_index import Indexer
from podpath.parse.iptables_modules import MODULE_ALIASES, MODULES, TARGETS
from podpath.parse.iptables_opaque_matches import OPAQUE
from podpath.parse.iptables_targets import VERDICTS

_MODULE = re.compile(r" -m (\S+)")
_TARGET = re.compile(r" -[jg] (\S+)")
_CHAIN = re.compile(r"^(?::|-N )(\S+)", re.MULTILINE)
UNSUPPORTED = "[unsupported revision]"
MOST_LINES = 100
"""In how many lines a name is looked for before it is taken for a part of comments."""


def parse_iptables_save(
    text: str, file: str, *, backend: str, family: str
) -> tuple[tuple[Table, ...], tuple[Unrecognized, ...]]:
    """The tables of a dump, and its lines that were not understood. Rules are read when ``Chain.rules`` is.

    ``backend`` is ``nft`` or ``legacy``, ``family`` ``ip`` or ``ip6``. What a rule has that is not understood stays in
    it (``Rule.unknown``); ``count_unrecognized`` collects that.
    """
    indexer = Indexer(text, file, family)
    indexer.index()
    tables = (
        Table(backend, family, name, file, chains, order=order)
        for order, (name, chains) in enumerate(indexer.tables.items())
    )
    return tuple(tables), tuple(indexer.lost)


def count_unrecognized(table: Table) -> tuple[Unrecognized, ...]:
    """What was not understood of the rules of a table. Compiles all of them."""
    return tuple(
        Unrecognized(table.origin(rule), rule.unknown)
        for chain in table.chains.values()
        for rule in chain.rules
        if rule.unknown
    )


def scan_unknown(text: str) -> tuple[str, ...]:
    """Match modules and targets of a dump that no rule can be evaluated with, without compiling any: ``-m string``.

    Cheaper and coarser than ``count_unrecognized``: single options and values are not looked at.
    """
    modules = set(_MODULE.findall(text))
    modules -= {
        name for name in modules if name in MODULE_ALIASES or (name in MODULES and name not in OPAQUE)
    }
    known = TARGETS.keys() | VERDICTS.keys() | set(_CHAIN.findall(text))
    targets = set(_TARGET.findall(text)) - known
    found = [f"-m {name}" for name in sorted(modules) if _is_word(text, name, {"-m"})]
    found += [f"-j {name}" for name in sorted(targets) if _is_word(text, name, {"-j", "-g"})]
    return (*found, *([UNSUPPORTED] if UNSUPPORTED in text else []))


def _is_word(text: str, name: str, flags: set[str]) -> bool:
    """Whether a name follows one of the flags outside of quotes."""
    at = 0
    for _ in range(MOST_LINES):
        at = text.find(f" {name}", at)
        if at < 0:
            return False
        end = text.find("\n", at)
        end = end if end > 0 else len(text)
        found = words(text[text.rfind("\n", 0, at) + 1 : end])
        for before, after in pairwise(found):
            if after == name and before in flags and not isinstance(before, Quoted):
                return True
        at = end
    return False
