"""``ip -j neigh``."""

import json

import pytest

from podpath.model.addr import parse_addr
from podpath.parse.ip_neigh import parse_ip_neigh


@pytest.mark.parametrize(
    ("fields", "state", "lladdr", "text"),
    [
        ({"lladdr": "02:00:00:00:00:77", "state": ["PERMANENT"]}, "PERMANENT", "02:00:00:00:00:77",
         "10.9.0.77 dev br0 lladdr 02:00:00:00:00:77 PERMANENT"),
        ({"state": ["FAILED"]}, "FAILED", "", "10.9.0.77 dev br0 FAILED"),
        ({"state": "STALE"}, "STALE", "", "10.9.0.77 dev br0 STALE"),
        ({"lladdr": "02:00:00:00:00:77", "router": None, "state": ["NOARP"]}, "NOARP", "02:00:00:00:00:77",
         "10.9.0.77 dev br0 lladdr 02:00:00:00:00:77 router NOARP"),
        ({"proxy": None}, "", "", "10.9.0.77 dev br0 proxy"),
    ],
)  # fmt: skip
def test_a_neighbour(fields, state, lladdr, text):
    (found,), lost = parse_ip_neigh(json.dumps([{"dst": "10.9.0.77", "dev": "br0"} | fields]), "f")
    assert (found.dst, found.dev, found.state, found.lladdr) == (
        parse_addr("10.9.0.77"),
        "br0",
        state,
        lladdr,
    )
    assert (found.origin.text, found.proxy, lost) == (text, "proxy" in fields, ())


@pytest.mark.parametrize("entry", [{"dev": "br0"}, {"dst": "10.0.0.1"}, {"dst": "host", "dev": "br0"}])
def test_a_neighbour_that_is_not_understood_is_kept_aside(entry):
    assert len(parse_ip_neigh(json.dumps([entry]), "f")[1]) == 1
