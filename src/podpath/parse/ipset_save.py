"""``ipset save``: the IP sets of one network namespace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from podpath.model.linux.ipset import IpSet, IpSetEntry
from podpath.model.origin import Origin, Unrecognized
from podpath.parse.ipset_elements import ElementReader
from podpath.parse.iptables_grammar import words
from podpath.parse.iptables_values import number
from podpath.parse.text_lines import text_lines

CREATE_OPTIONS: Mapping[str, int] = {
    "family": 1, "hashsize": 1, "maxelem": 1, "bucketsize": 1, "initval": 1, "timeout": 1, "netmask": 1,
    "bitmask": 1, "markmask": 1, "range": 1, "size": 1, "counters": 0, "comment": 0, "skbinfo": 0, "forceadd": 0,
    "probes": 1, "resize": 1, "gc": 1,
}  # fmt: skip
"""How many values each option of ``create`` takes."""
ADD_OPTIONS: Mapping[str, int] = {
    "timeout": 1, "packets": 1, "bytes": 1, "comment": 1, "skbmark": 1, "skbprio": 1, "skbqueue": 1,
    "nomatch": 0, "wildcard": 0,
}  # fmt: skip
"""How many values each option of ``add`` takes."""
ANYWAY = ("-exist", "-!")
CREATE = ("create", "-N", "n")
ADD = ("add", "-A", "a")


class _Growing:
    """A set while its elements are read."""

    def __init__(self, name: str, kind: str, options: Mapping[str, str], origin: Origin) -> None:
        self.name = name
        self.type = kind
        self.options = options
        self.origin = origin
        self.v4 = options.get("family", "inet") not in {"inet6", "ipv6"}
        self.entries: list[IpSetEntry] = []
        self.unknown = ""
        self.reader: ElementReader | None = None

    def add(self, element: str, rest: Sequence[str], origin: Origin) -> None:
        """``add NAME ELEMENT ...``; ``ValueError`` if the element is not understood."""
        if self.reader is None:
            self.reader = ElementReader(self.type, self.options, v4=self.v4)
        options = _options(rest, ADD_OPTIONS) if rest else {}
        if "wildcard" in options:
            raise ValueError("a device by the beginning of its name is not looked up")
        parts, physdev = self.reader.parts(element), self.reader.is_physdev(element)
        left = number(options["timeout"]) if "timeout" in options else 0
        self.entries.append(
            IpSetEntry(parts, "nomatch" in options, left or None, physdev, origin.text, origin.line)
        )

    def frozen(self) -> IpSet:
        """The set."""
        return IpSet(
            self.name, self.type, self.v4, tuple(self.entries), self.options, self.unknown, self.origin
        )


def parse_ipset_save(text: str, file: str) -> tuple[dict[str, IpSet], tuple[Unrecognized, ...]]:
    """The sets by name, and the lines that were not understood. A set with such a line is ``unknown`` too."""
    sets: dict[str, _Growing] = {}
    lost: list[Unrecognized] = []
    for line, content in text_lines(text):
        split = words(content) if '"' in content else content.split()
        words_ = [str(word) for word in split if word not in ANYWAY]
        if words_[:1] == ["COMMIT"] or content.lstrip().startswith("#"):
            continue
        reason = _line(words_, Origin(file, line, content), sets)
        if reason:
            lost.append(Unrecognized(Origin(file, line, content), reason))
    return {name: growing.frozen() for name, growing in sets.items()}, tuple(lost)


def _line(words_: Sequence[str], origin: Origin, sets: dict[str, _Growing]) -> str:
    """Read a line; returns what was not understood of it."""
    command, name, what, *rest = (*words_, "", "", "")[: max(3, len(words_))]
    if command in CREATE and what:
        return _create(name, what, rest, origin, sets)
    growing = sets.get(name)
    if command in ADD and not what and growing is not None:
        growing.unknown = growing.unknown or "the line of an element is cut off"
    if command not in ADD or not what:
        return "no line that ipset save prints"
    if growing is None:
        return f"set {name} is not created before"
    try:
        growing.add(what, rest, origin)
    except ValueError as error:
        growing.unknown = growing.unknown or f"{what}: {error}"
        return f"{what}: {error}"
    return ""


def _create(name: str, kind: str, rest: Sequence[str], origin: Origin, sets: dict[str, _Growing]) -> str:
    reason = ""
    options: Mapping[str, str] = {}
    try:
        options = _options(rest, CREATE_OPTIONS)
        growing = _Growing(name, kind, options, origin)
        growing.reader = ElementReader(kind, options, v4=growing.v4)
    except ValueError as error:
        reason = str(error)
        growing = _Growing(name, kind, options, origin)
    if name in sets:
        reason = reason or f"set {name} is created twice"
        growing.entries = sets[name].entries
    growing.unknown = reason
    sets[name] = growing
    return reason


def _options(rest: Sequence[str], known: Mapping[str, int]) -> dict[str, str]:
    """Options by name, those without a value as empty."""
    options: dict[str, str] = {}
    left = iter(rest)
    for name in left:
        if name not in known:
            raise ValueError(f"{name} is no option that is known")
        value = next(left, None) if known[name] else ""
        if value is None:
            raise ValueError(f"{name} has no value")
        options[name] = value
    return options
