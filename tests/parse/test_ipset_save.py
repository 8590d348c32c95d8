"""Every type of IP set is read with its elements and options, and what is not understood makes the set unknown."""

import pytest

from podpath.model.addr import Prefix, parse_addr, parse_prefix
from podpath.parse.ipset_save import parse_ipset_save

HOST, NET, NET6 = parse_prefix("10.0.0.1"), parse_prefix("10.0.0.0/8"), parse_prefix("fd00::/64")


def parse(*lines):
    return parse_ipset_save("\n".join(lines), "nodes/a/ipset-save")


def only_entry(create, add):
    sets, lost = parse(f"create S {create}", f"add S {add}")
    assert lost == ()
    (entry,) = sets["S"].entries
    return entry


ELEMENTS = [
    ("hash:ip family inet", "10.0.0.1", (HOST,)),
    ("hash:ip", "10.0.0.1", (HOST,)),
    ("hash:ip", "10.0.0.0/8", (NET,)),
    ("hash:ip", "10.0.0.1-10.0.0.9", ((parse_addr("10.0.0.1"), parse_addr("10.0.0.9")),)),
    ("hash:ip family inet6", "fd00::1", (parse_prefix("fd00::1"),)),
    ("hash:net", "10.0.0.0/8", (NET,)),
    ("hash:net", "10.0.0.1", (HOST,)),
    ("hash:net family inet6", "fd00::/64", (NET6,)),
    ("hash:mac", "AA:bb:CC:00:11:22", ("aa:bb:cc:00:11:22",)),
    ("hash:ip,mac", "10.0.0.1,AA:BB:CC:00:11:22", (HOST, "aa:bb:cc:00:11:22")),
    ("hash:net,net", "10.0.0.0/8,10.0.0.1", (NET, HOST)),
    ("hash:ip,port", "10.0.0.1,tcp:80", (HOST, (6, 80, 80))),
    ("hash:ip,port", "10.0.0.1,80", (HOST, (6, 80, 80))),
    ("hash:ip,port", "10.0.0.1,udp:53-60", (HOST, (17, 53, 60))),
    ("hash:ip,port", "10.0.0.1,tcp:http", (HOST, (6, 80, 80))),
    ("hash:ip,port", "10.0.0.1,tcp:ftp-data", (HOST, (6, 20, 20))),
    ("hash:ip,port", "10.0.0.1,tcp:[ftp]-[http]", (HOST, (6, 21, 80))),
    ("hash:ip,port", "10.0.0.1,sctp:3868", (HOST, (132, 3868, 3868))),
    ("hash:ip,port", "10.0.0.1,icmp:8/0", (HOST, (1, 8 * 256, 8 * 256))),
    ("hash:ip,port", "10.0.0.1,icmp:host-unreachable", (HOST, (1, 3 * 256 + 1, 3 * 256 + 1))),
    (
        "hash:ip,port family inet6",
        "fd00::1,icmpv6:echo-request",
        (parse_prefix("fd00::1"), (58, 128 * 256, 128 * 256)),
    ),
    ("hash:ip,port", "10.0.0.1,vrrp:0", (HOST, (112, 0, 0))),
    ("hash:ip,port", "10.0.0.1,47:0", (HOST, (47, 0, 0))),
    ("hash:net,port", "10.0.0.0/8,udp:53", (NET, (17, 53, 53))),
    ("hash:ip,port,ip", "10.0.0.1,tcp:80,10.0.0.1", (HOST, (6, 80, 80), HOST)),
    ("hash:ip,port,net", "10.0.0.1,tcp:80,10.0.0.0/8", (HOST, (6, 80, 80), NET)),
    ("hash:net,port,net", "10.0.0.0/8,tcp:80,10.0.0.1", (NET, (6, 80, 80), HOST)),
    ("hash:ip,mark", "10.0.0.1,0x00000063", (HOST, 0x63)),
    ("hash:net,iface", "10.0.0.0/8,eth0", (NET, "eth0")),
    ("bitmap:ip range 10.0.0.0/24", "10.0.0.1", (HOST,)),
    ("bitmap:ip,mac range 10.0.0.0/24", "10.0.0.1,AA:BB:CC:00:11:22", (HOST, "aa:bb:cc:00:11:22")),
    ("bitmap:port range 0-1024", "80", ((80, 80),)),
    ("bitmap:port range 0-1024", "80-90", ((80, 90),)),
    ("list:set size 8", "cali40s:abc,d", ("cali40s:abc,d",)),
    # addresses that stand for networks
    ("hash:ip netmask 24", "10.1.2.0", (parse_prefix("10.1.2.0/24"),)),
    ("hash:ip family inet6 netmask 64", "fd00::", (NET6,)),
    ("hash:ip bitmask 255.0.0.255", "10.0.0.1", (parse_prefix("10.0.0.1/255.0.0.255"),)),
    ("bitmap:ip range 10.0.0.0/8 netmask 16", "10.1.0.0", (parse_prefix("10.1.0.0/16"),)),
]


@pytest.mark.parametrize(("create", "element", "parts"), ELEMENTS)
def test_an_element_is_read_by_the_type_of_its_set(create, element, parts):
    entry = only_entry(create, element)
    assert entry.parts == parts
    assert (entry.line, entry.text) == (2, f"add S {element}")


def test_a_device_may_be_a_bridge_port():
    entry = only_entry("hash:net,iface", "10.0.0.0/8,physdev:eth0")
    assert entry.parts == (NET, "eth0")
    assert entry.physdev
    assert not only_entry("hash:net,iface", "10.0.0.0/8,eth0").physdev


def test_options_of_an_element_are_read():
    entry = only_entry(
        "hash:net timeout 600 counters comment skbinfo",
        '10.0.0.0/8 nomatch timeout 599 packets 1 bytes 60 comment "a \\"b\\" nomatch" skbmark 0x1/0xff skbprio 1:10 skbqueue 2',
    )
    assert entry.nomatch
    assert entry.timeout_s == 599


def test_a_timeout_of_zero_is_none():
    assert only_entry("hash:ip timeout 0", "10.0.0.1 timeout 0").timeout_s is None


def test_options_of_a_set_are_kept():
    sets, lost = parse(
        "create S hash:ip family inet6 hashsize 1024 maxelem 65536 counters bucketsize 12 initval 0x5ccf forceadd"
    )
    assert lost == ()
    ipset = sets["S"]
    assert ipset.options["maxelem"] == "65536"
    assert ipset.options["forceadd"] == ""
    assert not ipset.v4
    assert ipset.dimensions == ("ip",)
    assert str(ipset.origin) == "a, ipset-save:1"


def test_a_name_may_hold_odd_characters():
    name = "weave-P.B|!ZhkAr5q=XZ?3}tMBA+0"
    sets, lost = parse(f"create {name} hash:ip", f"add {name} 10.0.0.1")
    assert lost == ()
    assert len(sets[name].entries) == 1


def test_elements_keep_the_order_of_the_file_and_sets_may_mingle():
    sets, _ = parse(
        "create A hash:ip", "create B hash:ip", "add A 10.0.0.2", "add B 10.0.0.3", "add A 10.0.0.1"
    )
    assert [entry.line for entry in sets["A"].entries] == [3, 5]


def test_other_spellings_are_read():
    sets, lost = parse("# ipset", "-N A hash:ip -exist", "", "-A A 10.0.0.1 -exist\r", "COMMIT")
    assert lost == ()
    assert sets["A"].entries[0].parts == (HOST,)


UNKNOWN = [
    ("hash:ip", "nonsense"),
    ("hash:ip", "10.0.0.256"),
    ("hash:ip", "fd00::1"),
    ("hash:ip family inet6", "10.0.0.1"),
    ("hash:ip", "10.0.0.1,tcp:80"),
    ("hash:ip,port", "10.0.0.1"),
    ("hash:ip,port", "10.0.0.1,tcp:no-such-port"),
    ("hash:ip,port", "10.0.0.1,icmp:8"),
    ("hash:ip,port", "10.0.0.1,nonsense:80"),
    ("hash:ip,mark", "10.0.0.1,green"),
    ("hash:mac", "aa:bb"),
    ("hash:net,iface", "10.0.0.0/8,eth wildcard"),
    ("bitmap:ip,mac range 10.0.0.0/24", "10.0.0.1"),
    ("bitmap:port range 0-9", "x"),
    ("hash:ip", "10.0.0.1 timeout"),
    ("hash:ip", "10.0.0.1 unheard-of 5"),
    ("hash:ip netmask 24", "10.0.0.1-10.0.0.9"),
]


@pytest.mark.parametrize(("create", "element"), UNKNOWN)
def test_an_element_that_is_not_understood_makes_the_set_unknown(create, element):
    sets, lost = parse(f"create S {create}", f"add S {element}", "add S 10.0.0.7")
    assert sets["S"].unknown
    assert (lost[0].origin.line, lost[0].origin.text) == (2, f"add S {element}")


@pytest.mark.parametrize(
    "create", ["hash:future", "hash:ip unheard-of 5", "hash:ip netmask 99", "hash:ip timeout"]
)
def test_a_set_that_is_not_understood_is_unknown(create):
    sets, lost = parse(f"create S {create}")
    assert sets["S"].unknown
    assert len(lost) == 1


def test_a_set_that_is_created_twice_is_unknown_and_keeps_its_elements():
    sets, lost = parse("create S hash:ip", "add S 10.0.0.1", "create S hash:ip", "add S 10.0.0.2")
    assert len(sets["S"].entries) == 2
    assert sets["S"].unknown == "set S is created twice"
    assert [entry.origin.line for entry in lost] == [3]


@pytest.mark.parametrize("line", ["flush S", "add", "create", "create S", "add T 10.0.0.1", "nonsense"])
def test_a_line_that_does_not_fit_is_kept(line):
    assert [entry.origin.text for entry in parse("create S hash:ip", line)[1]] == [line]


def test_an_element_may_be_a_network_of_odd_bits():
    assert only_entry("hash:ip bitmask 255.255.0.255", "10.0.0.1").parts == (
        Prefix(parse_addr("10.0.0.1"), parse_prefix("0.0.0.0/255.255.0.255").mask),
    )
