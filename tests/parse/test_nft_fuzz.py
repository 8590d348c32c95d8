"""Whatever the text: a ruleset or a ParseError, and no rule is lost."""

import contextlib
import json
from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st

from podpath.parse.errors import ParseError
from podpath.parse.nft_json import parse_nft_json
from tests.parse.nft_samples import (
    ACCEPT,
    DPORT,
    MARK,
    SADDR,
    a_base_chain,
    a_rule,
    a_set,
    a_table,
    every_rule,
    every_set,
    text_of,
)

SERVICE = {"concat": [SADDR, {"meta": {"key": "l4proto"}}, DPORT]}
SAMPLE = text_of(
    a_table(),
    a_set([{"concat": ["10.0.0.1", "tcp", 80]}, {"goto": {"target": "d"}}], kind="map", type=["ipv4_addr", "inet_proto", "inet_service"], map="verdict"),
    a_set({"elem": {"val": "10.0.0.1", "timeout": 5}}, {"range": ["10.0.0.2", "10.0.0.9"]}, name="q", type="ipv4_addr", size=9, flags=["timeout"]),
    a_base_chain(),
    a_rule({"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": ["new", "related"]}}, ACCEPT),
    a_rule({"vmap": {"key": SERVICE, "data": "@s"}}, comment="x"),
    a_rule({"match": {"op": "!=", "left": SADDR, "right": {"set": [{"prefix": {"addr": "10.0.0.0", "len": 8}}, "1.1.1.1"]}}}, {"reject": {"type": "icmpx", "expr": 3}}),
    a_rule({"mangle": {"key": MARK, "value": {"|": [{"&": [MARK, 255]}, 1]}}}, {"masquerade": {"flags": ["random"]}}, chain="d"),
    a_rule({"dnat": {"family": "ip", "addr": {"map": {"key": {"numgen": {"mode": "random", "mod": 1}}, "data": {"set": [[0, {"concat": ["10.0.0.1", 80]}]]}}}}}, chain="d"),
    a_rule({"set": {"op": "update", "elem": SADDR, "set": "@q", "stmt": [{"limit": {"rate": 1, "per": "day", "inv": True}}]}}, {"log": {"prefix": "x"}}, chain="d"),
    a_base_chain("FORWARD", family="ip", table="filter"),
    a_rule({"xt": {"type": "match", "name": "x"}}, {"queue": {"num": 1}}, {"tproxy": {"port": 1}}, chain="FORWARD", family="ip", table="filter"),
)  # fmt: skip
WORDS = [
    "",
    "*",
    "@s",
    "eth*",
    "10.0.0.1",
    "tcp",
    "inet",
    "dormant",
    "rule",
    "set",
    "elem",
    "concat",
    "match",
    "prefix",
    "\udce9",
]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from(WORDS) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip


@cache
def places():
    """Every place in the sample, as the keys that lead there."""

    def below(value, path):
        yield path
        pairs = (
            value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        )
        for key, inner in pairs:
            yield from below(inner, (*path, key))

    return [path for path in below(json.loads(SAMPLE), ()) if path]


def changed(document, path, value, how):
    """The document with another value, another key or nothing at a place."""
    *way, last = path
    holder = document
    for key in way:
        try:
            holder = holder[key]
        except (KeyError, IndexError, TypeError):
            return document
    with contextlib.suppress(KeyError, IndexError, TypeError):
        old = holder[last]
        if how == "remove":
            del holder[last]
        elif how == "rename" and isinstance(holder, dict) and isinstance(value, str):
            holder[value] = holder.pop(last)
        else:
            holder[last] = [old] if how == "wrap" else value
    return document


def read_all(text, listing=None):
    found = parse_nft_json(text, "f", listing, "l")
    return found, every_rule(found), every_set(found)


CHANGES = st.lists(st.tuples(st.deferred(lambda: st.sampled_from(places())), VALUES, st.sampled_from(["set", "remove", "rename", "wrap"])), min_size=1, max_size=4)  # fmt: skip


@settings(max_examples=500)
@given(CHANGES)
def test_a_changed_ruleset_keeps_all_its_rules(changes):
    document = json.loads(SAMPLE)
    for path, value, how in changes:
        document = changed(document, path, value, how)
    text = json.dumps(document, ensure_ascii=False)
    try:
        found, rules, _ = read_all(text)
    except ParseError:
        assert not isinstance(document, dict) or not isinstance(document.get("nftables"), list)
        return
    given_rules = [one for one in document["nftables"] if isinstance(one, dict) and "rule" in one]
    shown = [lost for lost in found.unrecognized if "without its look-up" not in lost.reason]
    lost_rules = [
        lost
        for lost in shown
        if isinstance(one := document["nftables"][lost.origin.line - 1], dict) and "rule" in one
    ]
    assert len(rules) + len(lost_rules) == len(given_rules)


@settings(max_examples=200)
@given(st.integers(0, len(SAMPLE)), st.binary(max_size=4))
def test_changed_bytes_are_a_ruleset_or_an_error(position, data):
    text = SAMPLE.encode()
    with contextlib.suppress(ParseError):
        read_all(text[:position] + data + text[position + len(data) :])


@given(st.integers(0, len(SAMPLE) - 1))
def test_a_ruleset_that_was_cut_off_says_so(length):
    try:
        read_all(SAMPLE[:length])
    except ParseError as error:
        assert "cut off" in str(error)  # noqa: PT017 - the rest of the function is the other case
    else:
        raise AssertionError(SAMPLE[:length])


@given(st.text(alphabet='{}\n\t "\\tablechinset#=,', max_size=200))
def test_any_text_is_a_listing(text):
    read_all(SAMPLE, f"table inet t {{\n\tchain c {{\n{text}")
    read_all(SAMPLE, text)


@given(st.text() | st.binary())
def test_any_text_is_a_ruleset_or_an_error(text):
    with contextlib.suppress(ParseError):
        read_all(text)
