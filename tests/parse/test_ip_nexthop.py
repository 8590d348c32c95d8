"""``ip -d -j nexthop``."""

from podpath.model.addr import parse_addr
from podpath.model.linux.route import NextHop
from podpath.parse.ip_nexthop import parse_ip_nexthop

# iproute2 6.1; a group may stand before its members
DUMP = """[{"id":3,"group":[{"id":1},{"id":2,"weight":5}],"scope":"global","protocol":"unspec","flags":[]},
{"id":1,"gateway":"10.9.0.2","dev":"br0","scope":"link","protocol":"unspec","flags":["onlink"]},
{"id":2,"gateway":"fd00:9::3","dev":"br0","scope":"link","protocol":"unspec","flags":[]},
{"id":4,"scope":"global","blackhole":null,"protocol":"unspec","flags":[]},
{"id":5,"gateway":"10.9.0.2","scope":"link","fdb":null,"flags":[]},
{"id":6,"group":[{"id":77}],"flags":[]}]"""

FIRST, SECOND = NextHop("br0", parse_addr("10.9.0.2"), onlink=True), NextHop("br0", parse_addr("fd00:9::3"))


def test_objects_groups_and_blackholes():
    found, _ = parse_ip_nexthop(DUMP, "f")
    assert found == {1: (FIRST,), 2: (SECOND,), 3: (FIRST, NextHop("br0", SECOND.gateway, 5)), 4: ()}


def test_a_group_of_what_is_not_printed_is_kept_aside():
    _, lost = parse_ip_nexthop(DUMP, "f")
    assert [(one.origin.line, one.reason) for one in lost] == [
        (6, "the group names 77, which is not printed")
    ]
