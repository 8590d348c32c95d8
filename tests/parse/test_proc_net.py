"""``/proc/net/snmp``, ``netstat``, ``snmp6`` and ``softnet_stat``."""

import pytest

from podpath.parse.proc_net import parse_snmp, parse_snmp6, parse_softnet_stat

SNMP = "Ip: Forwarding InAddrErrors\nIp: 1 7\nTcp: MaxConn\nTcp: -1\n"


def test_two_lines_make_a_table():
    found, lost = parse_snmp(SNMP, "f")
    assert (found.values, lost) == ({"Ip.Forwarding": 1, "Ip.InAddrErrors": 7, "Tcp.MaxConn": -1}, ())
    assert (found.origin("Ip.InAddrErrors").line, found.origin("Ip.InAddrErrors").text) == (
        2,
        "Ip.InAddrErrors 7",
    )


@pytest.mark.parametrize("text", ["Ip: A B\nIp: 1\n", "Ip: A\nTcp: 1\n", "Ip: A\nIp: x\n", "Ip: A\n"])
def test_half_a_table_is_kept_aside(text):
    found, lost = parse_snmp(text, "f")
    assert (found.values, bool(lost)) == ({}, True)


def test_a_table_after_a_broken_one_is_read():
    assert parse_snmp("Ip: A B\n" + SNMP, "f")[0].get("Ip.InAddrErrors") == 7


def test_counters_of_ipv6():
    found, lost = parse_snmp6("Ip6InNoRoutes      \t3\nIcmp6OutType135  4\nUdpLite6InErrors 0\nodd\n", "f")
    assert found.values == {"Ip6.InNoRoutes": 3, "Icmp6.OutType135": 4, "UdpLite6.InErrors": 0}
    assert len(lost) == 1


ROW = "0013e093 00000002 00000001 00000000 00000000 00000000 00000000 00000000 00000000 00000005 00000006"


@pytest.mark.parametrize(("tail", "cpu"), [("", 0), (" 00000000 00000003 00000000 00000000", 3)])
def test_the_receive_path_of_a_cpu(tail, cpu):
    (found,), lost = parse_softnet_stat(ROW + tail + "\n", "f")
    assert (found.cpu, found.processed, found.dropped, found.time_squeeze) == (cpu, 0x13E093, 2, 1)
    assert (found.received_rps, found.flow_limit, lost) == (5, 6, ())


def test_what_is_not_hexadecimal_is_kept_aside():
    assert len(parse_softnet_stat("cat: no such file\n", "f")[1]) == 1
