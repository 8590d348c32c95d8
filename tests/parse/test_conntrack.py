"""``conntrack -L`` of several versions."""

import pytest

from podpath.model.addr import parse_addr
from podpath.model.linux.conntrack import Tuple
from podpath.parse.conntrack import parse_conntrack

TCP = ("tcp      6 431999 ESTABLISHED src=10.0.0.1 dst=10.96.0.1 sport=40000 dport=443"
       " src=10.0.0.9 dst=10.0.0.1 sport=6443 dport=40000 [ASSURED] mark=0 use=1")  # fmt: skip


def entry(line):
    (found,), lost = parse_conntrack(line, "f")
    assert lost == ()
    return found


def tuple_of(proto, src, dst, sport, dport):
    return Tuple(proto, parse_addr(src), parse_addr(dst), sport, dport)


@pytest.mark.parametrize("line", [TCP, "ipv4     2 " + TCP])
def test_a_translated_connection(line):
    found = entry(line)
    assert found.original == tuple_of(6, "10.0.0.1", "10.96.0.1", 40000, 443)
    assert found.reply == tuple_of(6, "10.0.0.9", "10.0.0.1", 6443, 40000)
    assert (found.state, found.timeout_s, found.assured, found.unreplied) == (
        "ESTABLISHED",
        431999,
        True,
        False,
    )


@pytest.mark.parametrize(
    ("line", "original", "reply"),
    [
        # ICMP: id and type * 256 + code
        ("icmp 1 29 src=10.0.0.1 dst=10.0.0.2 type=8 code=0 id=77 src=10.0.0.2 dst=10.0.0.1 type=0 code=0 id=77 mark=0 use=1",
         (1, "10.0.0.1", "10.0.0.2", 77, 2048), (1, "10.0.0.2", "10.0.0.1", 77, 0)),
        ("ipv6     10 icmpv6   58 29 src=fd00::1 dst=fd00::2 type=128 code=0 id=5 src=fd00::2 dst=fd00::1 type=129 code=0 id=5 mark=0 use=1",
         (58, "fd00::1", "fd00::2", 5, 32768), (58, "fd00::2", "fd00::1", 5, 33024)),
        ("ipv4 2 unknown  2 592 src=10.0.0.1 dst=224.0.0.22 [UNREPLIED] src=224.0.0.22 dst=10.0.0.1 mark=0 use=1",
         (2, "10.0.0.1", "224.0.0.22", 0, 0), (2, "224.0.0.22", "10.0.0.1", 0, 0)),
        ("gre 47 17 src=10.0.0.1 dst=10.0.0.2 srckey=0x0 dstkey=0x1f src=10.0.0.2 dst=10.0.0.1 srckey=0x1f dstkey=0x0 mark=0 use=1",
         (47, "10.0.0.1", "10.0.0.2", 0, 31), (47, "10.0.0.2", "10.0.0.1", 31, 0)),
        ("sctp 132 9 COOKIE_WAIT src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2 src=10.0.0.2 dst=10.0.0.1 sport=2 dport=1 mark=0 use=1",
         (132, "10.0.0.1", "10.0.0.2", 1, 2), (132, "10.0.0.2", "10.0.0.1", 2, 1)),
        ("dccp 33 9 REQUEST src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2 src=10.0.0.2 dst=10.0.0.1 sport=2 dport=1 mark=0 use=1",
         (33, "10.0.0.1", "10.0.0.2", 1, 2), (33, "10.0.0.2", "10.0.0.1", 2, 1)),
        # nf_conntrack_acct: counters stand in each direction
        ("udp 17 29 src=10.0.0.1 dst=10.0.0.2 sport=1 dport=53 packets=1 bytes=60 src=10.0.0.2 dst=10.0.0.1 sport=53 dport=1 packets=1 bytes=90 mark=0 use=1",
         (17, "10.0.0.1", "10.0.0.2", 1, 53), (17, "10.0.0.2", "10.0.0.1", 53, 1)),
    ],
)  # fmt: skip
def test_the_two_directions(line, original, reply):
    found = entry(line)
    assert (found.original, found.reply) == (tuple_of(*original), tuple_of(*reply))


@pytest.mark.parametrize(
    ("change", "name", "value"),
    [
        (("mark=0", "mark=16384"), "mark", 16384),
        (("mark=0", "mark=0x4000"), "mark", 0x4000),
        (("use=1", "zone=5 use=1"), "zone", 5),
        (("use=1", "orig-zone=5 use=1"), "zone", 5),
        (("use=1", "secctx=system_u:object_r:unlabeled_t:s0 delta-time=9 use=2 id=123456"), "zone", 0),
        (("src=10.0.0.9", "[UNREPLIED] src=10.0.0.9"), "unreplied", True),
        (("[ASSURED] ", ""), "assured", False),
        (("use=1", "[start=Tue Nov 25 01:46:31 2026] use=1"), "assured", True),
    ],
)
def test_what_else_is_said(change, name, value):
    assert getattr(entry(TCP.replace(*change)), name) == value


def test_an_offloaded_flow_has_neither_timeout_nor_state():
    found = entry("ipv4 2 " + TCP.replace("431999 ESTABLISHED ", "").replace("ASSURED", "OFFLOAD"))
    assert (found.state, found.timeout_s, found.assured) == ("", 0, True)


def test_the_last_line_of_the_tool_is_no_entry():
    assert parse_conntrack("conntrack v1.4.7 (conntrack-tools): 19 flow entries have been shown.\n", "f") == (
        (),
        (),
    )


@pytest.mark.parametrize(
    "line",
    [
        "conntrack: Permission denied",
        TCP + " [NEWFLAG]",
        TCP.replace("10.0.0.9", "x"),
        "tcp 6 1 src=10.0.0.1",
    ],
)
def test_what_is_not_understood_is_kept_aside(line):
    assert len(parse_conntrack(line, "f")[1]) == 1
