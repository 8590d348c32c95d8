"""``ss``: columns of several versions and options."""

import pytest

from podpath.model.addr import format_addr, parse_addr
from podpath.parse.ss import parse_ss

REST = 'users:(("netserver",pid=7,fd=4)) ino:1 sk:2 <-> skmem:(r0,rb1,t0,tb1,f0,w0,o0,bl0,d3)'


def sockets(text):
    found, lost = parse_ss(text, "f")
    assert lost == ()
    return found


def one(text):
    (found,) = sockets(text)
    return found


@pytest.mark.parametrize(
    ("local", "rest", "addr", "dev", "families"),
    [
        ("0.0.0.0:80", "", None, "", "4"),
        ("*:80", "v6only:0", None, "", "46"),
        ("*:80", "", None, "", "46"),
        ("*:80", "v6only:1", None, "", "6"),
        ("[::]:80", "", None, "", "6"),
        ("[::]:80", "v6only:1", None, "", "6"),
        ("[::]:80", "v6only:0", None, "", "46"),
        ("0.0.0.0%eth0:80", "", None, "eth0", "4"),
        ("*%eth0:80", "", None, "eth0", "46"),
        ("127.0.0.53%lo:80", "", "127.0.0.53", "lo", "4"),
        ("[fe80::1]%eth0.100:80", "", "fe80::1", "eth0.100", "6"),
        ("[fe80::1%eth0]:80", "", "fe80::1", "eth0", "6"),
        ("[::1]:80", "", "::1", "", "6"),
        ("[::ffff:10.0.0.1]:80", "", "10.0.0.1", "", "4"),
    ],
)
def test_where_a_socket_listens(local, rest, addr, dev, families):
    found = one(f"tcp LISTEN 0 128 {local} *:* {rest}")
    assert found.local == (None if addr is None else parse_addr(addr))
    assert (found.port, found.dev, found.v4, found.v6) == (80, dev, "4" in families, "6" in families)


def test_the_columns_and_what_follows_them():
    found = one(f"udp   UNCONN 2      5            10.0.0.1:53          0.0.0.0:*     {REST}   ")
    assert (found.protocol, found.state, found.recv_q, found.send_q) == (17, "UNCONN", 2, 5)
    assert (found.process, found.drops, found.peer, found.peer_port) == ("netserver", 3, None, None)


def test_a_connection():
    found = one("tcp ESTAB 0 0 10.0.0.1:40000 10.96.0.1:443 timer:(keepalive,21sec,0)")
    assert (format_addr(found.peer), found.peer_port) == ("10.96.0.1", 443)


def test_a_connected_wildcard_socket_is_of_its_peers_family():
    found = one("udp ESTAB 0 0 *:5353 [fe80::2]%eth0:53")
    assert (found.v4, found.v6) == (False, True)


def test_several_processes_and_odd_names():
    found = one(
        'tcp LISTEN 0 5 *:80 *:* users:(("nginx: worker",pid=1,fd=3),("a\\"b",pid=2,fd=3),("nginx: worker",pid=4,fd=3))'
    )
    assert found.process == 'nginx: worker,a\\"b'


@pytest.mark.parametrize(
    ("lines", "protocols"),
    [
        ("LISTEN 0 128 *:80 *:*\nESTAB 0 0 10.0.0.1:80 10.0.0.2:1000", [6, 6]),
        ("UNCONN 0 0 *:53 *:*\nESTAB 0 0 10.0.0.1:80 10.0.0.2:1000", [17, 17]),
        ("sctp LISTEN 0 128 10.0.0.1:80 *:*\n      `- ESTAB 0 0 10.0.0.1%lo:80 10.0.0.2:1000", [132, 132]),
        ("udplite UNCONN 0 0 0.0.0.0:9 0.0.0.0:*\ndccp LISTEN 0 0 *:9 *:*", [136, 33]),
        ("u_str ESTAB 0 0 * 1234 * 1235\n??? UNCONN 0 0 *:255 *:*\nraw UNCONN 0 0 *:icmp *:*\nnl UNCONN 0 0 rtnl:x *\nicmp6 UNCONN 0 0 *:58 *:*", []),
    ],
)  # fmt: skip
def test_the_protocol(lines, protocols):
    assert [found.protocol for found in sockets(lines)] == protocols


@pytest.mark.parametrize(
    "header",
    [
        "Netid  State   Recv-Q  Send-Q   Local Address:Port    Peer Address:Port   Process\n",
        "State  Recv-Q Send-Q  Local Address:Port  Peer Address:PortProcess\n",
        "Netid State  Recv-Q Send-Q   Local Address:Port\n                Peer Address:Port Process\n",
        "State      Recv-Q Send-Q        Local Address:Port          Peer Address:Port \n",
    ],
)
def test_a_header_alone_means_no_sockets(header):
    assert parse_ss(header, "f") == ((), ())


def test_a_wrapped_line_is_joined():
    found = sockets(
        f"tcp   LISTEN 0      4096     *:10250\n         *:*\n{REST}\ntcp LISTEN 0 1 *:81 *:*\n\tcubic cwnd:10"
    )
    assert [(each.port, each.process, each.origin.line) for each in found] == [
        (10250, "netserver", 1),
        (81, "", 4),
    ]


def test_before_iproute2_4_15_an_asterisk_was_ipv4():
    found = sockets("tcp LISTEN 0 128 *:22 *:*\ntcp LISTEN 0 128 :::80 :::*")
    assert [(each.v4, each.v6) for each in found] == [(True, False), (False, True)]


@pytest.mark.parametrize(
    "line",
    [
        "bash: ss: command not found",
        "tcp LISTEN 0 128 *:http *:*",
        "tcp LISTEN 0 x *:1 *:*",
        "tcp LISTEN",
        "tcp LISTEN 0 0 *:99999 *:*",
    ],
)
def test_what_is_no_socket_is_kept_aside(line):
    found, lost = parse_ss(line, "f")
    assert (found, len(lost)) == ((), 1)
