"""Every target of iptables-extensions(8) that nodes use is read as what the kernel makes of it."""

import pytest

from podpath.model.addr import parse_addr, parse_prefix
from podpath.model.linux.netfilter import (
    Accept,
    Continue,
    Dnat,
    Drop,
    Goto,
    Jump,
    Masquerade,
    Netmap,
    Noop,
    Notrack,
    Queue,
    Redirect,
    Reject,
    Return,
    SetConnmark,
    SetMark,
    Snat,
    Tproxy,
    UnknownTarget,
)
from podpath.model.linux.xtables import PortMatch, ProtocolMatch, UnknownMatch
from podpath.parse.iptables_rule import compile_rule

CHAINS = {"KUBE-SERVICES", "cali-fw-cali1234", "odd!|chain", "SNPT"}
ALL = 0xFFFFFFFF


def span(*texts):
    """An inclusive range of addresses."""
    return parse_addr(texts[0]), parse_addr(texts[-1])


TARGETS = [
    ("", Continue()),
    ("-j ACCEPT", Accept()),
    ("--jump=DROP", Drop()),
    ("-jRETURN", Return()),
    ("-j KUBE-SERVICES", Jump("KUBE-SERVICES")),
    ("-j odd!|chain", Jump("odd!|chain")),
    ("-j SNPT", Jump("SNPT")),
    ("-g cali-fw-cali1234", Goto("cali-fw-cali1234")),
    ("--goto cali-fw-cali1234", Goto("cali-fw-cali1234")),
    # drop and tell
    ("-j REJECT", Reject("icmp-port-unreachable")),
    ("-j REJECT --reject-with icmp-port-unreachable", Reject("icmp-port-unreachable")),
    ("-j REJECT --reject-with tcp-reset", Reject("tcp-reset")),
    ("-j REJECT --reject-with host-prohib", Reject("icmp-host-prohibited")),
    ("-j REJECT --reject-with icmp-admin-prohibited", Reject("icmp-admin-prohibited")),
    # marks
    ("-j MARK --set-xmark 0x4000/0x4000", SetMark(0x4000, 0x4000)),
    ("-j MARK --set-xmark 0x4000/0x0", SetMark(0x4000, 0)),
    ("-j MARK --set-xmark 0x1", SetMark(1, ALL)),
    ("-j MARK --set-mark 1", SetMark(1, ALL)),
    ("-j MARK --set-mark 0x2000/0xf000", SetMark(0x2000, 0xF000)),
    ("-j MARK --set-mark 0x3/0x1", SetMark(3, 3)),
    ("-j MARK --or-mark 0x4000", SetMark(0x4000, 0x4000)),
    ("-j MARK --and-mark 0xffff", SetMark(0, 0xFFFF0000)),
    ("-j MARK --xor-mark 0x4000", SetMark(0x4000, 0)),
    ("-j CONNMARK --set-xmark 0x80/0x80", SetConnmark("set", 0x80, 0x80)),
    ("-j CONNMARK --set-mark 0x539", SetConnmark("set", 0x539, ALL)),
    ("-j CONNMARK --or-mark 1", SetConnmark("set", 1, 1)),
    ("-j CONNMARK --save-mark", SetConnmark("save")),
    ("-j CONNMARK --save-mark --nfmask 0xff --ctmask 0xf0", SetConnmark("save", nfmask=0xFF, ctmask=0xF0)),
    (
        "-j CONNMARK --restore-mark --nfmask 0x80 --ctmask 0x80",
        SetConnmark("restore", nfmask=0x80, ctmask=0x80),
    ),
    ("-j CONNMARK --restore-mark --mask 0x80", SetConnmark("restore", nfmask=0x80, ctmask=0x80)),
    # translation
    ("-j DNAT --to-destination 10.0.0.1:80", Dnat(span("10.0.0.1"), (80, 80))),
    ("-j DNAT --to-destination 10.0.0.1", Dnat(span("10.0.0.1"))),
    ("-j DNAT --to-destination :8080", Dnat(None, (8080, 8080))),
    ("-j DNAT --to-destination 10.0.0.1-10.0.0.9", Dnat(span("10.0.0.1", "10.0.0.9"))),
    ("-j DNAT --to-destination 10.0.0.1-10.0.0.9:5-6", Dnat(span("10.0.0.1", "10.0.0.9"), (5, 6))),
    ("-j DNAT --to-destination 10.0.0.1:1000-2000/3000", Dnat(span("10.0.0.1"), (1000, 2000), "base=3000")),
    (
        "-j DNAT --to-destination 10.0.0.1:80 --random --persistent",
        Dnat(span("10.0.0.1"), (80, 80), "--random --persistent"),
    ),
    ("-j DNAT --to-destination [fd00::1]:80", Dnat(span("fd00::1"), (80, 80))),
    ("-j DNAT --to-destination fd00::1", Dnat(span("fd00::1"))),
    ("-j DNAT --to-destination fd00::1-fd00::9", Dnat(span("fd00::1", "fd00::9"))),
    ("-j DNAT --to-destination [fd00::1-fd00::9]:5-6", Dnat(span("fd00::1", "fd00::9"), (5, 6))),
    ("-j DNAT --to-destination [fd00::1]-[fd00::9]:5", Dnat(span("fd00::1", "fd00::9"), (5, 5))),
    ("-j DNAT --to-destination 10.0.0.1:ftp-data", Dnat(span("10.0.0.1"), (20, 20))),
    ("-j SNAT --to-source 10.0.0.1", Snat(span("10.0.0.1"))),
    (
        "-j SNAT --to-source 10.0.0.1:1024-65535 --random-fully",
        Snat(span("10.0.0.1"), (1024, 65535), "--random-fully"),
    ),
    ("-j MASQUERADE", Masquerade()),
    ("-j MASQUERADE --random-fully", Masquerade(None, "--random-fully")),
    ("-j MASQUERADE --to-ports 1024-31000", Masquerade((1024, 31000))),
    ("-j REDIRECT --to-ports 15001", Redirect((15001, 15001))),
    ("-j REDIRECT --to-ports 15001-15006 --random", Redirect((15001, 15006))),
    ("-j REDIRECT", Redirect()),
    ("-j NETMAP --to 192.168.0.0/24", Netmap(parse_prefix("192.168.0.0/24"))),
    # tracking, sockets, programs
    ("-j CT --notrack", Notrack()),
    ("-j NOTRACK", Notrack()),
    ("-j CT --helper ftp", Noop("CT")),
    ("-j CT --timeout tcp-short --ctevents new", Noop("CT")),
    (
        "-j TPROXY --on-port 15001 --on-ip 127.0.0.1 --tproxy-mark 0x200/0xffffffff",
        Tproxy(15001, parse_addr("127.0.0.1"), 0x200, ALL),
    ),
    (
        "-j TPROXY --on-port 15006 --on-ip 0.0.0.0 --tproxy-mark 0x539/0xffffffff",
        Tproxy(15006, None, 0x539, ALL),
    ),
    ("-j TPROXY --on-port 80 --on-ip ::", Tproxy(80)),
    ("-j NFQUEUE --queue-num 100 --queue-bypass", Queue("100", bypass=True)),
    ("-j NFQUEUE --queue-balance 0:3 --queue-cpu-fanout", Queue("0:3")),
    ("-j NFQUEUE", Queue("0")),
    ("-j QUEUE", Queue("0")),
    # the packet goes on
    ('-j LOG --log-prefix "[UFW BLOCK] " --log-level 4 --log-uid', Noop("LOG")),
    ("-j LOG --log-prefix -j", Noop("LOG")),
    ("-j NFLOG --nflog-prefix x --nflog-group 100", Noop("NFLOG")),
    ("-j ULOG --ulog-nlgroup 1", Noop("ULOG")),
    ("-j TRACE", Noop("TRACE")),
    ("-j AUDIT --type drop", Noop("AUDIT")),
    ("-j TEE --gateway 10.0.0.9", Noop("TEE")),
    ("-j SET --add-set S src,dst --exist --timeout 60", Noop("SET")),
    ("-j SET --map-set S dst --map-prio", Noop("SET")),
    ("-j CLASSIFY --set-class 1:10", Noop("CLASSIFY")),
    ("-j CHECKSUM --checksum-fill", Noop("CHECKSUM")),
    ("-j DSCP --set-dscp-class EF", Noop("DSCP")),
    ("-j TOS --set-tos 0x10/0x3f", Noop("TOS")),
    ("-j ECN --ecn-tcp-remove", Noop("ECN")),
    ("-j TTL --ttl-set 64", Noop("TTL")),
    ("-j HL --hl-dec 1", Noop("HL")),
    ("-j TCPMSS --clamp-mss-to-pmtu", Noop("TCPMSS")),
    ("-j TCPMSS --set-mss 1400", Noop("TCPMSS")),
    ("-j TCPOPTSTRIP --strip-options 8,5", Noop("TCPOPTSTRIP")),
    ("-j SECMARK --selctx system_u:object_r:x:s0", Noop("SECMARK")),
    ("-j CONNSECMARK --save", Noop("CONNSECMARK")),
    ("-j IDLETIMER --timeout 42 --label foo", Noop("IDLETIMER")),
    ("-j RATEEST --rateest-name RE --rateest-interval 250.0ms --rateest-ewmalog 500.0ms", Noop("RATEEST")),
    ("-j LED --led-trigger-id foo --led-always-blink", Noop("LED")),
]


@pytest.mark.parametrize(("text", "target"), TARGETS)
def test_a_target_is_read(text, target):
    rule = compile_rule(f"-A X -p tcp {text}", 1, CHAINS)
    assert rule.items == (ProtocolMatch(6), target)
    assert rule.unknown == ""


@pytest.mark.parametrize(("text", "target"), TARGETS)
def test_matches_may_follow_a_target(text, target):
    rule = compile_rule(f"-A X {text} -p tcp --dport 80", 1, CHAINS)
    assert rule.items == (ProtocolMatch(6), PortMatch("dst", ((80, 80),)), target)
    assert not rule.unknown


@pytest.mark.parametrize(
    ("text", "how"),
    [
        ("-j REJECT", "icmp6-port-unreachable"),
        ("-j REJECT --reject-with icmp6-adm-prohibited", "icmp6-adm-prohibited"),
        ("-j REJECT --reject-with no-route", "icmp6-no-route"),
        ("-j REJECT --reject-with policy-fail", "icmp6-policy-fail"),
        ("-j REJECT --reject-with tcp-reset", "tcp-reset"),
    ],
)
def test_ipv6_rejects_in_its_own_words(text, how):
    assert compile_rule(f"-A X {text}", 1, family="ip6").items == (Reject(how),)


UNKNOWN = [
    "-j DNAT",
    "-j DNAT --random",
    "-j DNAT --to-destination :",
    "-j DNAT --to-destination 10.0.0.1:0",
    "-j DNAT --to-destination 10.0.0.1:80/443",
    "-j DNAT --to-destination 10.0.0.1:70000",
    "-j DNAT --to-destination 10.0.0.9-10.0.0.1",
    "-j DNAT --to-destination 10.0.0.1-fd00::1",
    "-j DNAT --to-destination [fd00::1",
    "-j DNAT --to-destination [fd00::1]x",
    "-j DNAT --to-destination 10.0.0.1 --to-destination 10.0.0.2",
    "-j DNAT [unsupported revision]",
    "-j SNAT --to-source nowhere",
    "-j MASQUERADE --to-ports x",
    "-j REDIRECT --to-ports 1-2/5",
    "-j NETMAP --to 1.2.3.4.5",
    "-j NETMAP",
    "-j MARK",
    "-j MARK --set-mark 1 --or-mark 2",
    "-j MARK --set-xmark 0xg",
    "-j CONNMARK --save-mark --restore-mark",
    "-j CONNMARK --set-mark 1 --left-shift-mark 8",
    "-j CONNMARK",
    "-j REJECT --reject-with icmp6-no-route",
    "-j CT --zone 5",
    "-j CT --notrack --zone-orig 5",
    "-j TPROXY --on-ip 127.0.0.1",
    "-j NFQUEUE --queue-num x",
    "-j SET --map-set S dst --map-mark",
    "-j LOG --no-such-option 5",
    "-j MASQUERADE ! --random",
    "-j MARK --set-mark",
    "-j SYNPROXY --sack-perm --timestamp --wscale 7 --mss 1460",
    "-j HMARK --hmark-tuple src,dst --hmark-mod 4 --hmark-rnd 1",
    "-j CLUSTERIP --new --hashmode sourceip --clustermac 01:00:5e:00:00:01 --total-nodes 2 --local-node 1 --hash-init 0",
    "-j DNPT --src-pfx fd00::/64 --dst-pfx fd01::/64",
    "-j KUBE-NOT-DECLARED",
    "-g KUBE-NOT-DECLARED",
    "-g ACCEPT",
    "-j accept",
    "-j",
    "-g",
]


@pytest.mark.parametrize("text", UNKNOWN)
def test_a_target_that_is_not_understood_is_kept_as_written(text):
    rule = compile_rule(f"-A X -p tcp {text}", 1, CHAINS)
    assert rule.items == (ProtocolMatch(6), UnknownTarget(text.removesuffix(" [unsupported revision]")))
    assert rule.unknown


def test_two_targets_leave_the_fate_unknown():
    rule = compile_rule("-A X -j ACCEPT -j DROP", 1)
    assert rule.items == (UnknownTarget("-j DROP"),)
    assert "ACCEPT" in rule.unknown


def test_an_option_after_a_verdict_that_nobody_knows_may_be_a_condition():
    rule = compile_rule("-A X -j ACCEPT --whatever 5", 1)
    assert rule.items == (UnknownMatch("--whatever 5"), Accept())


def test_a_chain_comes_before_a_target_of_the_same_name():
    assert compile_rule("-A X -j TRACE", 1, {"TRACE"}).items == (Jump("TRACE"),)
