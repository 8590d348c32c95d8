"""Nothing is lost in silence: what each parser owes for every line or entry of a file, told by other means than its own.

Each function takes the text of a file and what the parser made of it, and asserts.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from typing import Any

import msgspec

from podpath.model.linux.netfilter import Table, UnknownTarget
from podpath.model.linux.xtables import UnknownMatch
from podpath.model.origin import Unrecognized
from podpath.parse.iptables_save import count_unrecognized
from podpath.parse.nft_json import NftRuleset
from podpath.parse.ss import HEADER
from tests.parse.nft_samples import every_rule, every_set
from tests.parse.test_iptables_fuzz import RULE_LINE

Lost = tuple[Unrecognized, ...]
Invariant = Callable[[str, Any, Lost], None]


def numbered(text: str) -> dict[int, str]:
    """The lines that say something."""
    return {number: line for number, line in enumerate(text.split("\n"), 1) if line.strip()}


def noted(lost: Iterable[Unrecognized]) -> set[int]:
    """The lines that were not understood."""
    return {one.origin.line for one in lost}


def lines_of(facts: Iterable[Any]) -> list[int]:
    """The lines that facts come from."""
    return [fact.origin.line for fact in facts]


# --- text -------------------------------------------------------------------------------------------------------------


def a_fact_a_line(ignored: str = r"(?!)") -> Invariant:
    """Every line that does not match ``ignored`` is one fact or one line that was not understood, never both."""
    pattern = re.compile(ignored)

    def check(text: str, facts: Any, lost: Lost) -> None:
        unread = noted(lost)
        read = lines_of(facts.values() if isinstance(facts, Mapping) else facts)
        told = {number for number, line in numbered(text).items() if not pattern.fullmatch(line)}
        assert len(set(read)) == len(read)
        assert not set(read) & unread
        missing = told - set(read) - unread
        if isinstance(facts, Mapping):  # of a name that is printed twice the last counts
            lines = text.split("\n")
            missing = {one for one in missing if not any(name in lines[one - 1] for name in facts)}
        assert not missing, missing

    return check


def first_line(text: str, facts: Any, lost: Lost) -> None:
    """A file of one line is a fact or a line that was not understood."""
    assert (facts is not None) + len(lost) == bool(text.strip())


def assignments(text: str, facts: Any, lost: Lost) -> None:
    """NAME=value: what has not this form is noted, and where nothing was understood something is."""
    unread = noted(lost)
    told = {number: line for number, line in numbered(text).items() if not line.lstrip().startswith("#")}
    plain = re.compile(r"\s*[A-Z][A-Z0-9_]*=(\S*|\"[^\"]*\"|'[^']*')\s*")
    assert {number for number, line in told.items() if not plain.fullmatch(line)} <= unread
    assert facts is not None or bool(lost) == bool(told)


def sysctl(text: str, facts: Any, lost: Lost) -> None:
    """A key is kept, its last value counts, and any other line is noted."""
    unread = noted(lost)
    kept = set(facts.lines.values()) | unread
    keys = Counter(_key(line) for line in numbered(text).values())
    for number, line in numbered(text).items():
        assert number in kept or keys[_key(line)] > 1, line
    assert facts.values.keys() == facts.lines.keys()


def _key(line: str) -> str:
    return line.partition("=")[0].strip().replace("/", ".").strip(".")


def snmp(text: str, facts: Any, lost: Lost) -> None:
    """Names and numbers stand in pairs; a line that has no other is noted, and the last of a title counts."""
    unread = noted(lost)
    rows = numbered(text)
    order = [*rows, 0]
    counted = set(facts.lines.values())
    titles = Counter(line.split()[0] for line in rows.values())
    for number, after in pairwise(order):
        again = titles[rows[number].split()[0]] > 2
        assert number in counted or after in counted or number in unread or again, rows[number]


def snmp6(text: str, facts: Any, lost: Lost) -> None:
    """One counter a line; the last of a name counts."""
    unread = noted(lost)
    kept = set(facts.lines.values()) | unread
    names = Counter(line.split()[0] for line in numbered(text).values())
    for number, line in numbered(text).items():
        assert number in kept or line.startswith("ifIndex") or names[line.split()[0]] > 1, line


def ss(text: str, facts: Any, lost: Lost) -> None:
    """A line is a socket, of a kind without ports, a header, noted, or the rest of the line before it."""
    unread = noted(lost)
    kinds = re.compile(r"\s*(raw|icmp6|\?\?\?|mptcp|u_\w+|p_\w+|nl|v_\w+|xdp|tipc)(\s|$)")
    begins = re.compile(r"\s*(tcp|udp|sctp|dccp|udplite|`-|[A-Z][A-Z-]{3,})\s+\S+\s+\S")
    header = HEADER
    sockets = {one.origin.line: one for one in facts}
    assert len(sockets) == len(facts)
    assert not sockets.keys() & unread
    current = 0
    for number, line in numbered(text).items():
        if number in sockets or number in unread or kinds.match(line) or header >= set(line.split()):
            current = number
            continue
        assert current, line
        assert not begins.match(line) or line.split()[0] not in {
            "tcp",
            "udp",
            "sctp",
            "LISTEN",
            "UNCONN",
            "ESTAB",
        }, line
        if current in sockets:
            shown = sockets[current].origin.text
            assert " ".join(line.split()) in shown or len(shown) == 400, line


def resolv_conf(text: str, facts: Any, lost: Lost) -> None:
    """A line is a server, the last search list, options, a comment, or noted."""
    unread = noted(lost)
    servers = lines_of_origins(facts.nameserver_origins)
    assert len(servers) == len(facts.nameservers) + len(facts.ignored)
    passed = re.compile(r"\s*[;#].*|sortlist(\s.*)?|(search|domain|options)(\s.*)?", re.DOTALL)
    for number, line in numbered(text).items():
        assert number in servers or number in unread or passed.fullmatch(line), line
    for keyword, place in (("search", facts.search_origin), ("options", facts.options_origin)):
        written = [number for number, line in numbered(text).items() if re.match(rf"{keyword}\s+[a-z]", line)]
        assert not written or place.line >= written[-1], keyword


def lines_of_origins(origins: Iterable[Any]) -> list[int]:
    """The lines of origins."""
    return [origin.line for origin in origins]


def tc_filters(text: str, facts: Any, lost: Lost) -> None:
    """A line that begins with "filter" is one, or the head of those that follow it; any other unindented line is told."""
    unread = noted(lost)
    kept = set(lines_of(facts)) | unread
    heads = re.compile(r"filter\s(?!.*\b(handle|fh)\s).*", re.DOTALL)
    heading = re.compile(r"\S.*(ingress|egress|root)[\s:=]*")
    for number, line in numbered(text).items():
        assert number in kept or heads.match(line) or heading.fullmatch(line) or line[0].isspace(), line
    begun = [number for number, line in numbered(text).items() if line.startswith("filter protocol all pref")]
    assert not begun or kept & set(range(begun[-1], text.count("\n") + 2))


def log(text: str, facts: Any, lost: Lost) -> None:
    """Every complaint of klog is kept, or counted as left out."""
    complaints = re.compile(r"[WEF]\d{4} \d\d:\d\d:\d\d\.\d+\s+\d+ [^\s\]]+:\d+\] ")
    count = sum(bool(complaints.match(line)) for line in text.split("\n"))
    left_out = sum(int(one.reason.split()[0]) for one in lost)
    assert count <= len(facts) + left_out
    lines = lines_of(facts)
    assert lines == sorted(set(lines))
    assert len(facts) <= 400


def flat_yaml(text: str, facts: Any, lost: Lost) -> None:
    """A plain ``key: value`` is a setting or noted, unless a block of text holds it or the key is there again."""
    unread = noted(lost)
    if re.search(r"[|>][+-]?\d?\s*(#.*)?\n", text):
        return
    plain = re.compile(r"\s*(\w+): (\w+)\s*", re.ASCII)
    kept = {setting.line for setting in facts.values()} | unread
    keys = Counter(path.rpartition(".")[2] for path in facts)
    again = Counter(
        found[1] for line in text.split("\n") if (found := re.match(r"[\s\"']*(\w+)[\"']?\s*:", line))
    )
    for number, line in numbered(text).items():
        found = plain.fullmatch(line)
        if found and found[2] not in {"null", "Null", "NULL"}:
            assert number in kept or again[found[1]] > keys[found[1]] > 0, line


# --- rules ------------------------------------------------------------------------------------------------------------


def ipset(text: str, facts: Any, lost: Lost) -> None:
    """Every element of a set is an entry or noted, and every other line a set or noted."""
    unread = noted(lost)
    entries = [entry.line for one in facts.values() for entry in one.entries]
    assert len(set(entries)) == len(entries)
    assert not set(entries) & unread
    for number, line in numbered(text).items():
        words = line.split()
        if words[0] == "add":
            assert (number in entries) != (number in unread), line
        elif words[0] == "create" and '"' not in line:
            assert number in unread or words[1] in facts, line
        elif not re.match(r"\s*(#|COMMIT)", line) and '"' not in line and words[0] not in {"-exist", "-!"}:
            assert number in unread or words[0] in {"a", "-A", "-N", "n"}, line
    for one in facts.values():
        after = [entry for entry in lost if entry.origin.line >= one.origin.line]
        assert one.unknown or not any(
            entry.origin.text.split()[:2] == ["add", one.name] for entry in after
        ), one.name


def is_unknown(item: object) -> bool:
    """Whether an item stands for something that was not understood."""
    return isinstance(item, UnknownMatch | UnknownTarget)


HARMLESS = re.compile(
    r"\s*(\ufeff)?(#.*|COMMIT|\*.*|:.*|(-N|--new-chain)\s.*|(-P|--policy)\s.*|)\s*", re.DOTALL
)


def iptables(text: str, tables: tuple[Table, ...], lost: Lost) -> None:
    """All chains compiled: every line is a rule of one chain, noted, or one of the frame; every doubt is told."""
    unread = noted(lost)
    rules = [rule for table in tables for chain in table.chains.values() for rule in chain.rules]
    lines = text.split("\n")
    numbers = {number for number, line in enumerate(lines, 1) if RULE_LINE.match(line.strip())}
    read = {rule.line for rule in rules}
    assert len(read) == len(rules)
    assert read <= numbers
    assert numbers - read <= unread
    for number, line in enumerate(lines, 1):
        assert number in read or number in unread or HARMLESS.fullmatch(line), line
    for rule in rules:
        assert rule.text.strip() == lines[rule.line - 1].strip()
        assert any(map(is_unknown, rule.items)) == bool(rule.unknown), rule.text
    told = sum(len(count_unrecognized(table)) for table in tables)
    assert told == sum(bool(rule.unknown) for rule in rules)
    for table in tables:
        assert {chain.name for chain in table.base_chains} <= set(table.chains)


def nft(text: str, found: NftRuleset) -> None:
    """Every rule of the ruleset is in a chain or noted, every set has its elements or says that it lacks some."""
    whole = msgspec.json.decode(text.encode(errors="replace"), type=dict[str, msgspec.Raw])
    objects = [_parts(one) for one in msgspec.json.decode(whole["nftables"], type=list[msgspec.Raw])]
    shown = [lost for lost in found.unrecognized if "without its look-up" not in lost.reason]
    of_rules = [lost for lost in shown if "rule" in objects[lost.origin.line - 1]]
    assert len(every_rule(found)) + len(of_rules) == sum("rule" in one for one in objects)
    for table in (*found.tables, *found.lossy):
        assert {chain.name for chain in table.base_chains} <= set(table.chains)
    given: Counter[str] = Counter()
    lost = noted(shown)
    for number, one in enumerate(objects, 1):
        for kind in {"set", "map"} & one.keys():
            record = _decoded(bytes(one[kind])) if number not in lost else {}
            elements = record.get("elem")
            given[record.get("name", "")] += len(elements) if isinstance(elements, list) else 0
    kept = Counter({one.name: 0 for one in every_set(found)})
    for one in every_set(found):
        kept[one.name] += len(one.elements) + (1 << 30) * bool(one.unknown)
    assert all(kept[name] >= count for name, count in given.items()), (given, kept)


def _parts(raw: msgspec.Raw) -> dict[str, msgspec.Raw]:
    """The parts of an object, which may be broken in themselves; none if it is no object."""
    try:
        return msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, RecursionError):
        return {}


# --- JSON -------------------------------------------------------------------------------------------------------------

_EMPTY = re.compile(rb"\{\s*\}")


def entries_of(text: str) -> list[bytes]:
    """The entries of an array, without the ``{}`` that old versions print for what a filter leaves out."""
    if not text.strip():
        return []
    raws = msgspec.json.decode(text.encode(errors="replace"), type=list[msgspec.Raw])
    return [bytes(raw) for raw in raws if not _EMPTY.fullmatch(bytes(raw))]


def a_fact_an_entry(text: str, facts: Any, lost: Lost) -> None:
    """Every entry of the array is one fact or noted."""
    assert len(entries_of(text)) == len(facts) + len(lost)


def a_name_an_entry(key: str, skipped: str = "") -> Invariant:
    """Every entry is noted, or is there by its name; of a name that is printed twice the last counts."""

    def check(text: str, facts: Any, lost: Lost) -> None:
        if text.lstrip().startswith("{"):
            return
        told = [one for one in map(_decoded, entries_of(text)) if not (skipped and skipped in one)]
        names = [_as_number(one[key]) for one in told if key in one]
        twice = len(names) - len(set(names))
        assert len(facts) <= len(told)
        assert len(told) - len(lost) - len(facts) <= twice

    return check


def _as_number(value: object) -> str:
    """A number however it is spelled (``1``, ``"1"``, ``true``); else the text."""
    try:
        return str(int(str(int(value) if isinstance(value, bool) else value), 0))
    except ValueError:
        return str(value)


def _decoded(raw: bytes) -> dict[str, Any]:
    """An object, empty if it is none that can be read."""
    try:
        return msgspec.json.decode(raw, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError):
        return {}


def addresses(text: str, facts: Any, lost: Lost) -> None:
    """Every address of every device is a fact or noted; so is a device that is none."""
    total = 0
    for raw in entries_of(text):
        device = _parts(msgspec.Raw(raw)) if _decoded(raw) else {}
        inner = device.get("addr_info", msgspec.Raw(b"[]")) if device else None
        try:
            total += len(entries_of(bytes(inner).decode())) if inner and _named(device) else 1
        except (msgspec.DecodeError, RecursionError):
            total += 1
    assert total == len(facts) + len(lost)


def _named(device: Mapping[str, msgspec.Raw]) -> bool:
    name = bytes(device.get("ifname", msgspec.Raw(b"")))
    return re.fullmatch(rb'".+"|-?\d+', name, re.DOTALL) is not None


def cni(text: str, facts: Any, lost: Lost) -> None:
    """Every plugin is read or noted."""
    if not text.strip():
        return
    fields = msgspec.json.decode(text.encode(errors="replace"), type=dict[str, Any])
    plugins = fields.get("plugins", [fields])
    is_list = isinstance(plugins, list) and all(isinstance(one, dict) for one in plugins)
    count = len(plugins) if is_list else 0 if plugins is None else 1
    assert len(facts.plugins) + len(lost) == count


def settings(text: str, facts: Any, lost: Lost) -> None:
    """Every plain value at the top of a JSON configuration is kept as text."""
    if not text.lstrip().startswith("{"):
        flat_yaml(text, {path: _At(line) for path, line in facts.lines.items()}, lost)
        return
    fields = msgspec.json.decode(text.encode(errors="replace"), type=dict[str, Any])
    inner = fields.get("kubeletconfig")
    fields = inner if isinstance(inner, dict) and type(facts).__name__ == "KubeletConfig" else fields
    for key, value in fields.items():
        assert not isinstance(value, str | int) or value == "" or key in facts.texts, key


class _At:
    """A line of a setting."""

    def __init__(self, line: int) -> None:
        self.line = line
