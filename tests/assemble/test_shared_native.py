"""A native table that is held by what differs from another node's is the table that its own dump says."""

import json
import tracemalloc

import pytest

from bench.nft_proxy import NftProxy
from podpath.assemble import shared_native
from podpath.assemble.shared_native import SharedNative
from podpath.parse.nft_json import parse_nft_json

PROXY = NftProxy([[f"10.128.{service}.{at}" for at in range(3)] for service in range(90)], "172.16.0.1")


@pytest.fixture(autouse=True, params=[True, False], ids=["listed", "JSON alone"])
def dump(request):
    """What a node prints: with the listing that has the lines, or without."""

    def of(node, own=(), change=lambda text: text):
        listing, text = (part.decode() for part in PROXY.dump(node, list(own)))
        return change(text), change(listing) if request.param else None

    return of


def parsed(dumped, file):
    text, listing = dumped
    return parse_nft_json(text, f"{file}.json", listing, file).tables


def said(table):
    """All that a table says, with the evidence."""
    chains = {
        name: (
            table.chain_origin(chain),
            chain.base,
            [(table.origin(rule), rule.items, rule.comment, rule.unknown) for rule in chain.rules],
        )
        for name, chain in table.chains.items()
    }
    bases = sorted(chain.name for chain in table.base_chains)
    return table.backend, table.family, table.name, table.file, table.order, chains, bases, dict(table.sets)


CHANGES = {
    "another order": lambda text: text,
    "another endpoint": lambda text: text.replace("10.128.7.1", "10.128.77.1"),
    "a rule less": lambda text: text.replace("meta l4proto tcp dnat", "# meta l4proto tcp dnat", 1),
    "another priority": lambda text: text.replace("priority -100;", "priority -99;").replace(
        '"prio": -100', '"prio": -99'
    ),
    "another set": lambda text: text.replace("10.96.0.9 ", "10.96.9.9 ").replace(
        '"10.96.0.9"', '"10.96.9.9"'
    ),
    "another mark": lambda text: text.replace("16384", "32768").replace("0x00004000", "0x00008000"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("node", [0, 5])
def test_a_second_dump_says_the_same_as_alone(dump, node, change):
    native = SharedNative()
    native.shared(parsed(dump(0, ["10.128.0.1"]), "nodes/a/x"))
    second = dump(node, ["10.128.0.2", "10.128.0.3"], change)
    shared = native.shared(parsed(second, "nodes/b/x"))
    assert [said(table) for table in shared] == [said(table) for table in parsed(second, "nodes/b/x")]


def test_a_chain_less_and_one_more_are_told(dump):
    def change(text):
        return (
            text.replace("service-", "other-", 2)
            if text.startswith("table")
            else json.dumps(_renamed(json.loads(text)))
        )

    native = SharedNative()
    native.shared(parsed(dump(0), "nodes/a/x"))
    second = _without_listing(dump(0, change=change))
    shared = native.shared(parsed(second, "nodes/b/x"))
    assert [said(table) for table in shared] == [said(table) for table in parsed(second, "nodes/b/x")]


def _without_listing(dumped):
    return dumped[0], None


def _renamed(ruleset):
    name = next(
        one["chain"]["name"]
        for one in ruleset["nftables"]
        if one.get("chain", {}).get("name", "").startswith("service-")
    )
    for one in ruleset["nftables"]:
        if one.get("chain", {}).get("name") == name:
            one["chain"]["name"] = "other"
        if one.get("rule", {}).get("chain") == name:
            one["rule"]["chain"] = "other"
    return ruleset


def test_what_two_nodes_have_alike_is_one_object(dump):
    native = SharedNative()
    (one,), (other,) = (
        native.shared(parsed(dump(node, ["10.128.0.1"]), f"nodes/{node}/x")) for node in (0, 5)
    )
    assert other.chains["services"] is one.chains["services"]
    assert other.sets["service-ips"].elements is one.sets["service-ips"].elements
    assert other.sets["service-ips"].origin.file != one.sets["service-ips"].origin.file


def test_a_changed_chain_changes_nobody_elses(dump):
    native = SharedNative()
    (one,), (other,) = (native.shared(parsed(dump(node), f"nodes/{node}/x")) for node in (0, 5))
    changed = other.with_chain(other.chains["services"].with_rules(()))
    assert (changed.chains["services"].rules, len(one.chains["services"].rules)) == ((), 2)
    assert changed.chain_origin(changed.chains["masquerading"]) == other.chain_origin(
        other.chains["masquerading"]
    )


def test_a_small_table_holds_nothing_of_the_dump(dump, monkeypatch):
    monkeypatch.setattr(shared_native, "WORTH_SHARING", 1_000)
    table = SharedNative().shared(parsed(dump(0), "nodes/a/x"))[0]
    assert type(table.chains) is dict
    assert said(table) == said(parsed(dump(0), "nodes/a/x")[0])


def test_ten_nodes_cost_little_more_than_one(dump):
    native, held, sizes = SharedNative(), [], []
    dumps = [dump(node, ["10.128.0.1"]) for node in range(10)]
    tracemalloc.start()
    try:
        for node, one in enumerate(dumps):
            held.append(native.shared(parsed(one, f"nodes/{node}/x")))
            sizes.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert sizes[-1] < 2 * sizes[0]
