"""Lines of ``nft list ruleset``."""

import pytest

from podpath.model.linux.netfilter import Base
from podpath.model.origin import Origin
from podpath.parse.nft_json import parse_nft_json
from podpath.parse.nft_listing import listed_tables
from podpath.parse.nft_table import LazyChains
from tests.parse.nft_samples import ACCEPT, a_base_chain, a_chain, a_rule, a_set, a_table, text_of

LISTING = """\
# Warning: table ip nat is managed by iptables-nft, do not touch!
table ip nat {
}
table inet t { # handle 5
	comment "a { table"
	counter c {
		packets 0 bytes 0
	}

	set s {
		type ipv4_addr
		size 65535
		flags dynamic,timeout
		elements = { 10.0.0.1,
\t\t\t     10.0.0.2 }
	}

	map svc/x {
		type ipv4_addr : verdict
		elements = { 10.0.0.1 : accept }
	}

	chain c { # handle 2
		comment "a chain"
		type filter hook input priority filter; policy drop;
		log prefix "{ " accept # handle 3
		ip saddr vmap { 10.0.0.1 : accept,
				10.0.0.2 : drop }
		accept comment "two
lines"

		drop
	}

	chain svc/x {
	}
}
table netdev d {
	chain i {
		type filter hook ingress devices = { "eth0", eth1 } priority 0; policy accept;
	}

	chain j {
		type filter hook egress device "eth0" priority 0; policy accept;
	}
}
"""


def chain(name, table=("inet", "t")):
    return listed_tables(LISTING)[table].chain(name)


def test_the_tables():
    assert list(listed_tables(LISTING)) == [("ip", "nat"), ("inet", "t"), ("netdev", "d")]


def test_the_rules_of_a_chain_with_their_lines():
    assert chain("c").rules == [
        (26, 'log prefix "{ " accept'),
        (27, "ip saddr vmap { 10.0.0.1 : accept, 10.0.0.2 : drop }"),
        (29, 'accept comment "two lines"'),
        (32, "drop"),
    ]


def test_a_base_chain_is_declared_where_its_policy_stands():
    assert chain("c").declaration == (25, "type filter hook input priority filter; policy drop;")
    assert chain("svc/x").declaration == (35, "chain svc/x {")


def test_a_chain_and_a_map_may_have_one_name():
    table = listed_tables(LISTING)["inet", "t"]
    blocks = [table.chain("svc/x"), table.set("svc/x")]
    assert [block and block.head.number for block in blocks] == [35, 18]


def test_what_is_not_listed():
    assert chain("nowhere") is None
    assert chain("c", ("ip", "nat")) is None
    assert listed_tables(LISTING)["inet", "t"].set("c") is None


def test_the_flags_of_a_set():
    table = listed_tables(LISTING)["inet", "t"]
    blocks = [table.set("s"), table.set("svc/x")]
    assert [block and block.flags for block in blocks] == [("dynamic", "timeout"), ()]


def test_the_devices_of_a_chain():
    assert chain("i", ("netdev", "d")).devices == ("eth0", "eth1")
    assert chain("j", ("netdev", "d")).devices == ("eth0",)
    assert chain("c").devices == ()


def test_a_table_that_is_switched_off():
    text = "table ip a {\n\tflags dormant\n\n\tset s {\n\t\tflags interval\n\t}\n}\ntable ip b {\n\tset s {\n\t\tflags dormant\n\t}\n}"
    tables = listed_tables(text)
    assert (tables["ip", "a"].dormant, tables["ip", "b"].dormant) == (True, False)
    found = parse_nft_json(text_of(a_table("a", "ip"), a_base_chain(table="a", family="ip")), "f", text, "l")
    assert found.tables[0].chains["c"].base is None


@pytest.mark.parametrize("text", ["", "nonsense", "table ip t {", "table ip t {\n\tchain c {\n\t\taccept"])
def test_a_listing_that_was_cut_off(text):
    assert [table.chain("x") for table in listed_tables(text).values()] in ([], [None])


RULES = (a_rule(ACCEPT), a_rule(ACCEPT), a_rule(ACCEPT), a_rule(ACCEPT))


def test_a_rule_has_the_line_and_the_text_of_the_listing():
    found = parse_nft_json(text_of(a_table(), a_base_chain(hook="input"), *RULES), "f", LISTING, "l").tables[
        0
    ]
    assert found.origin(found.chains["c"].rules[3]) == Origin("l", 32, "drop")
    assert found.chain_origin(found.chains["c"]) == Origin(
        "l", 25, "type filter hook input priority filter; policy drop;"
    )


def test_a_set_has_its_line_and_is_dynamic_when_the_listing_says_so():
    objects = (a_set(type="ipv4_addr"), a_set(kind="map", name="svc/x", type="ipv4_addr", map="verdict"))
    found = parse_nft_json(text_of(a_table(), *objects), "f", LISTING, "l").tables[0]
    assert found.sets["s"].origin == Origin("l", 10, "set s {")
    assert (found.sets["s"].dynamic, found.sets["svc/x"].dynamic) == (True, False)


def test_devices_come_from_the_listing_when_the_json_lacks_them():
    one = a_base_chain("i", hook="ingress", family="netdev", table="d")
    found = parse_nft_json(text_of(a_table("d", "netdev"), one), "f", LISTING, "l").tables[0]
    assert found.chains["i"].base == Base("ingress", 0, devices=("eth0", "eth1"))
    assert isinstance(found.chains, LazyChains)
    assert found.chains.bases == {"i": found.chains["i"].base}


def test_a_chain_with_another_number_of_rules_is_written_by_us():
    found = parse_nft_json(text_of(a_table(), a_base_chain(), *RULES[:3]), "f", LISTING, "l").tables[0]
    assert [(rule.line, rule.text) for rule in found.chains["c"].rules] == [(23, "accept")] * 3


def test_what_the_listing_lacks_has_no_line():
    objects = (a_table(), a_chain("new"), a_rule(ACCEPT, chain="new"), a_set(name="new", type="mark"))
    found = parse_nft_json(text_of(*objects), "f", LISTING, "l").tables[0]
    assert found.origin(found.chains["new"].rules[0]) == Origin("l", 0, "accept")
    assert (found.chains["new"].line, found.sets["new"].origin.line) == (0, 0)


def test_a_table_that_the_listing_lacks_is_at_its_place_in_the_json():
    found = parse_nft_json(
        text_of(a_table("new"), a_chain(table="new"), a_rule(ACCEPT, table="new")), "f", LISTING, "l"
    )
    assert found.tables[0].file == "f"
    assert found.tables[0].chains["c"].rules[0].line == 4
