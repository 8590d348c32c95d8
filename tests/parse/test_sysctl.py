"""``sysctl -a``."""

import pytest

from podpath.parse.sysctl import parse_sysctl


@pytest.mark.parametrize(
    ("line", "key", "value"),
    [
        ("net.ipv4.ip_forward = 1", "net.ipv4.ip_forward", "1"),
        ("net.ipv4.ip_forward=1", "net.ipv4.ip_forward", "1"),
        ("net.ipv4.ip_forward   =\t1 ", "net.ipv4.ip_forward", "1"),
        ("net.ipv4.tcp_rmem = 4096\t131072\t6291456", "net.ipv4.tcp_rmem", "4096\t131072\t6291456"),
        ("net.ipv4.conf.eth0/100.rp_filter = 2", "net.ipv4.conf.eth0/100.rp_filter", "2"),
        ("net/ipv4/conf/eth0.100/rp_filter = 2", "net.ipv4.conf.eth0/100.rp_filter", "2"),
        ("kernel.core_pattern = |/usr/bin/x a=b", "kernel.core_pattern", "|/usr/bin/x a=b"),
        ("net.ipv4.ip_local_reserved_ports = ", "net.ipv4.ip_local_reserved_ports", ""),
    ],
)
def test_a_key_and_its_value(line, key, value):
    known, lost = parse_sysctl(f"a.b = 0\n{line}\n", "f")
    assert (known.get(key), known.lines[key], lost) == (value, 2, ())


def test_the_last_of_two_values_counts():
    assert parse_sysctl("a.b = 1\na.b = 2\n", "f")[0].origin("a.b").line == 2


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('sysctl: permission denied on key "net.ipv4.tcp_fastopen_key"', "sysctl could not read this key"),
        ('sysctl: reading key "net.ipv6.conf.all.stable_secret"', "sysctl could not read this key"),
        ("what is this", "not of the form key = value"),
        ("= 1", "not of the form key = value"),
    ],
)
def test_other_lines_are_kept_aside(line, reason):
    assert [one.reason for one in parse_sysctl(line, "f")[1]] == [reason]
