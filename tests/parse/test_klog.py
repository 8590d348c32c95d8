"""Logs of agents in all their formats."""

import pytest

from podpath.parse.klog import LIMIT, parse_log

KLOG = "E1125 01:46:08.615124   16281 server.go:265] "


@pytest.mark.parametrize(
    ("line", "time", "level", "source", "message"),
    [
        (KLOG + '"Sync failed" err="x"', "1125 01:46:08.615124", "E", "server.go:265", '"Sync failed" err="x"'),
        ("W1125 01:46:08.615124       1 reflector.go:1] i/o timeout", "1125 01:46:08.615124", "W", "reflector.go:1", "i/o timeout"),
        ("2026-11-25T01:46:08.6Z stderr F F1125 01:46:08.615124 1 a.go:2] dead", "1125 01:46:08.615124", "F", "a.go:2", "dead"),
        ("[ERROR] plugin/errors: 2 a.b. A: read udp 10.0.0.1:5->10.0.0.2:53: i/o timeout", "", "E", "plugin/errors",
         "2 a.b. A: read udp 10.0.0.1:5->10.0.0.2:53: i/o timeout"),
        ('[FATAL] plugin/loop: Loop (127.0.0.1:5 -> :53) detected for zone "."', "", "F", "plugin/loop",
         'Loop (127.0.0.1:5 -> :53) detected for zone "."'),
        ('time="2026-11-25T01:46:08Z" level=warning msg="no \\"br_netfilter\\"" subsys=daemon iface=eth0', "2026-11-25T01:46:08Z", "W", "daemon",
         'no "br_netfilter" iface=eth0'),
        ('{"level":"error","ts":"2026-11-25","caller":"a/b.go:7","msg":"no route to host","ip":"10.0.0.1"}', "2026-11-25", "E", "a/b.go:7",
         "no route to host ip=10.0.0.1"),
        ("2026-11-25 01:46:08.615 [WARNING][55] felix/int_dataplane.go 123: Failed to x", "2026-11-25 01:46:08.615", "W",
         "felix/int_dataplane.go 123", "Failed to x"),
        ("2026/11/25 01:46:08 dial tcp 10.0.0.1:443: connect: connection refused", "2026/11/25 01:46:08", "",
         "", "dial tcp 10.0.0.1:443: connect: connection refused"),
        ("2026-11-25T01:46:08.6Z stdout F listen: address already in use", "2026-11-25T01:46:08.6Z", "", "", "listen: address already in use"),
        ("panic: nil map", "", "F", "", "panic: nil map"),
        ('I1125 01:46:08.615124 1 server_linux.go:137] "Using iptables Proxier"', "1125 01:46:08.615124", "I", "server_linux.go:137",
         '"Using iptables Proxier"'),
    ],
)  # fmt: skip
def test_a_line_that_is_kept(line, time, level, source, message):
    (found,), lost = parse_log(f"nothing\n{line}\n", "f")
    assert (found.time, found.level, found.source, found.message) == (time, level, source, message)
    assert (found.origin.line, lost) == (2, ())


@pytest.mark.parametrize(
    "line",
    [
        "I1125 01:46:08.6 1 a.go:2] Caches are synced",
        ".:53",
        "[INFO] plugin/reload: Running",
        'level=debug msg="i/o timeout"',
        "{",
    ],
)
def test_a_line_that_complains_of_nothing_is_not_kept(line):
    assert parse_log(line, "f") == ((), ())


def test_lines_that_continue_a_message_belong_to_it():
    (found,), _ = parse_log(
        KLOG + '"x" err=<\n\tnft: Error: No such file\n > ipFamily="IPv4"\nI1125 plain', "f"
    )
    assert found.message == '"x" err=<\n\tnft: Error: No such file\n > ipFamily="IPv4"'


def test_of_a_long_log_the_middle_is_left_out_and_said():
    found, lost = parse_log("".join(f"{KLOG}{number}\n" for number in range(LIMIT + 10)), "f")
    assert (len(found), found[0].message, found[-1].message) == (LIMIT, "0", str(LIMIT + 9))
    assert [(one.origin.line, one.reason) for one in lost] == [
        (LIMIT // 2 + 1, "10 lines from here on are left out")
    ]
