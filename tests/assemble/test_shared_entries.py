"""Entries that were seen before say what the parser says, at their own file and line."""

import json

import pytest

from podpath.assemble.shared_entries import SharedEntries
from podpath.parse.bridge_fdb import parse_bridge_fdb
from podpath.parse.errors import ParseError
from podpath.parse.ip_neigh import parse_ip_neigh
from podpath.parse.ip_route import parse_ip_route
from podpath.parse.ip_rule import parse_ip_rule

ROUTES = [
    {"dst": "default", "gateway": "192.0.2.1", "dev": "eth0"},
    {"dst": "10.1.0.0/24", "dev": "cbr0", "scope": "link"},
    {"dst": "nowhere"},
    {},
    {"dst": "10.2.0.0/24", "nexthops": [{"gateway": "192.0.2.2", "dev": "eth0"}, {"dev": "eth1"}]},
    {"dst": "10.1.0.0/24", "dev": "cbr0", "scope": "link"},
]
NEIGHBORS = [
    {"dst": "10.1.0.2", "dev": "cbr0", "lladdr": "02:00:00:00:00:01", "state": ["STALE"]},
    {"dev": "cbr0"},
]
FDB = [{"mac": "02:00:00:00:00:01", "ifname": "vxlan0", "dst": "192.0.2.9", "flags": ["self"]}]
RULES = [{"priority": 0, "src": "all", "table": "local"}, {"priority": 9, "src": "10.0.0.1", "odd": 1}]
SORTS = [
    (parse_ip_route, ROUTES),
    (parse_ip_neigh, NEIGHBORS),
    (parse_bridge_fdb, FDB),
    (parse_ip_rule, RULES),
]


@pytest.mark.parametrize(("parse", "entries"), SORTS, ids=lambda one: getattr(one, "__name__", ""))
@pytest.mark.parametrize("indent", [None, 2])
def test_a_second_file_says_the_same_as_alone(parse, entries, indent):
    shared = SharedEntries().parsed("sort", parse)
    text = json.dumps(entries, indent=indent)
    shared(text, "nodes/n1/x")
    shared(json.dumps(entries[::-1]), "nodes/n2/x")
    assert shared(text, "nodes/n3/x") == parse(text, "nodes/n3/x")


def test_what_two_files_have_alike_is_one_object():
    shared = SharedEntries().parsed("route", parse_ip_route)
    one, other = (shared(json.dumps(ROUTES[:1]), file)[0][0] for file in ("a", "b"))
    assert one.nexthops is other.nexthops
    assert one.origin.text is other.origin.text
    assert (one.origin.file, other.origin.file) == ("a", "b")


def test_a_file_that_is_no_list_is_told_as_before():
    with pytest.raises(ParseError, match="nodes/n1/x"):
        SharedEntries().parsed("route", parse_ip_route)("[{", "nodes/n1/x")
