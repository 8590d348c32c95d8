"""Every match of iptables-extensions(8) that nodes use is read as what the kernel makes of it."""

import pytest

from podpath.model.addr import parse_addr, parse_prefix
from podpath.model.linux.netfilter import Accept, Continue, UnknownTarget
from podpath.model.linux.xtables import (
    AddressMatch,
    AddrTypeMatch,
    AlwaysMatch,
    CtFieldMatch,
    CtState,
    CtStateMatch,
    CtTupleMatch,
    DscpMatch,
    FragmentMatch,
    IcmpTypeMatch,
    InterfaceMatch,
    LengthMatch,
    LimitMatch,
    MacMatch,
    MarkMatch,
    NeverMatch,
    OwnerMatch,
    PhysdevMatch,
    PktTypeMatch,
    PolicyMatch,
    PortMatch,
    ProtocolMatch,
    RangeMatch,
    RecentMatch,
    RpFilterMatch,
    SetMatch,
    SocketMatch,
    StatisticMatch,
    TcpFlagsMatch,
    TtlMatch,
    UnknownMatch,
)
from podpath.parse.iptables_grammar import words
from podpath.parse.iptables_rule import compile_rule

TCP, UDP, ICMP, ICMPV6, SCTP = (ProtocolMatch(number) for number in (6, 17, 1, 58, 132))
NET, HOST = parse_prefix("10.0.0.0/8"), parse_prefix("10.1.2.3")
EST = CtState.RELATED | CtState.ESTABLISHED

UNDERSTOOD = [
    # addresses, devices, protocols
    ("-s 10.0.0.0/8", [AddressMatch("src", NET)]),
    ("-s 10.0.0.0/255.0.0.0", [AddressMatch("src", NET)]),
    ("-s 10.9.9.9/8", [AddressMatch("src", NET)]),
    ("-s 10/8", [AddressMatch("src", NET)]),
    ("--source 10.0.0.0/8", [AddressMatch("src", NET)]),
    ("--src=10.0.0.0/8", [AddressMatch("src", NET)]),
    ("-s10.0.0.0/8", [AddressMatch("src", NET)]),
    ("! -s 10.0.0.0/8", [AddressMatch("src", NET, negate=True)]),
    ("-s ! 10.0.0.0/8", [AddressMatch("src", NET, negate=True)]),
    ("-d 10.1.2.3/32", [AddressMatch("dst", HOST)]),
    ("-d 10.1.2.3", [AddressMatch("dst", HOST)]),
    ("-s 10.0.0.1/255.0.255.255", [AddressMatch("src", parse_prefix("10.0.0.1/255.0.255.255"))]),
    ("! -s 10.0.0.0/8 -d 10.1.2.3/32", [AddressMatch("src", NET, negate=True), AddressMatch("dst", HOST)]),
    ("-d fd00::/64", [AddressMatch("dst", parse_prefix("fd00::/64"))]),
    ("! -d ::1/128", [AddressMatch("dst", parse_prefix("::1"), negate=True)]),
    ("-s fe80::/ffc0::", [AddressMatch("src", parse_prefix("fe80::/10"))]),
    ("-i eth0", [InterfaceMatch("in", "eth0")]),
    ("! -i cali+", [InterfaceMatch("in", "cali", wildcard=True, negate=True)]),
    ("-i ! eth0", [InterfaceMatch("in", "eth0", negate=True)]),
    ("-o cilium_+", [InterfaceMatch("out", "cilium_", wildcard=True)]),
    ("-i +", [InterfaceMatch("in", "", wildcard=True)]),
    ("--out-interface flannel.1", [InterfaceMatch("out", "flannel.1")]),
    ("-p tcp", [TCP]),
    ("-p TCP", [TCP]),
    ("-p 6", [TCP]),
    ("! -p icmp", [ProtocolMatch(1, negate=True)]),
    ("-p ! icmp", [ProtocolMatch(1, negate=True)]),
    ("-p all", [ProtocolMatch(0)]),
    ("-p 0", [ProtocolMatch(0)]),
    ("-p ipencap", [ProtocolMatch(4)]),
    ("-p 4", [ProtocolMatch(4)]),
    ("-p vrrp", [ProtocolMatch(112)]),
    ("-p gre", [ProtocolMatch(47)]),
    ("-p ipv6-icmp", [ICMPV6]),
    ("-p icmpv6", [ICMPV6]),
    ("-p udplite", [ProtocolMatch(136)]),
    ("-f", [FragmentMatch()]),
    ("! -f", [FragmentMatch(negate=True)]),
    # headers of transport protocols
    ("-p tcp -m tcp", [TCP, AlwaysMatch("tcp")]),
    ("-p udp -m udp", [UDP, AlwaysMatch("udp")]),
    ("-p tcp -m tcp --dport 80", [TCP, PortMatch("dst", ((80, 80),))]),
    ("-p tcp --dport 80", [TCP, PortMatch("dst", ((80, 80),))]),
    ("-p tcp --destination-port=80", [TCP, PortMatch("dst", ((80, 80),))]),
    ("-ptcp --dport http", [TCP, PortMatch("dst", ((80, 80),))]),
    ("-p tcp -m tcp ! --dport 80", [TCP, PortMatch("dst", ((80, 80),), negate=True)]),
    ("-p tcp -m tcp --dport ! 80", [TCP, PortMatch("dst", ((80, 80),), negate=True)]),
    ("-p udp -m udp --sport 1024:", [UDP, PortMatch("src", ((1024, 65535),))]),
    ("-p udp -m udp --sport :1023", [UDP, PortMatch("src", ((0, 1023),))]),
    ("-p udp -m udp --dport bootps:bootpc", [UDP, PortMatch("dst", ((67, 68),))]),
    ("-p sctp -m sctp --dport 3868", [SCTP, PortMatch("dst", ((3868, 3868),))]),
    ("-p udplite -m udp --dport 9", [ProtocolMatch(136), PortMatch("dst", ((9, 9),))]),
    ("-m tcp --dport 1 -p tcp", [PortMatch("dst", ((1, 1),)), TCP]),
    ("-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN", [TCP, TcpFlagsMatch(23, 2)]),
    ("-p tcp --syn", [TCP, TcpFlagsMatch(23, 2)]),
    ("-p tcp ! --syn", [TCP, TcpFlagsMatch(23, 2, negate=True)]),
    ("-p tcp -m tcp --tcp-flags ALL NONE", [TCP, TcpFlagsMatch(63, 0)]),
    ("-p tcp -m tcp ! --tcp-flags SYN,RST SYN", [TCP, TcpFlagsMatch(6, 2, negate=True)]),
    (
        "-p tcp -m multiport --dports 80,443,8000:8080",
        [TCP, PortMatch("dst", ((80, 80), (443, 443), (8000, 8080)))],
    ),
    (
        "-p udp -m multiport ! --sports domain,123",
        [UDP, PortMatch("src", ((53, 53), (123, 123)), negate=True)],
    ),
    ("-p sctp -m multiport --ports 5:6", [SCTP, PortMatch("either", ((5, 6),))]),
    ("-p tcp -m multiport --destination-ports 1", [TCP, PortMatch("dst", ((1, 1),))]),
    ("-p icmp -m icmp --icmp-type 8", [ICMP, IcmpTypeMatch(8)]),
    ("-p icmp --icmp-type echo-request", [ICMP, IcmpTypeMatch(8)]),
    ("-p icmp -m icmp --icmp-type 3/4", [ICMP, IcmpTypeMatch(3, (4, 4))]),
    ("-p icmp -m icmp --icmp-type fragmentation-needed", [ICMP, IcmpTypeMatch(3, (4, 4))]),
    ("-p icmp -m icmp ! --icmp-type any", [ICMP, IcmpTypeMatch(255, negate=True)]),
    ("-p icmp -m icmp --icmp-type 255/0:255", [ICMP, IcmpTypeMatch(255)]),
    ("-p ipv6-icmp -m icmp6 --icmpv6-type 135", [ICMPV6, IcmpTypeMatch(135, v4=False)]),
    ("-p icmpv6 --icmpv6-type neighbour-solicitation", [ICMPV6, IcmpTypeMatch(135, v4=False)]),
    ("-p ipv6-icmp -m ipv6-icmp --icmpv6-type 1/3", [ICMPV6, IcmpTypeMatch(1, (3, 3), v4=False)]),
    # other fields of the packet
    ("-m length --length 0:84", [LengthMatch(0, 84)]),
    ("-m length ! --length 1500", [LengthMatch(1500, 1500, negate=True)]),
    ("-m length --length 1400:", [LengthMatch(1400, 65535)]),
    ("-m ttl --ttl-eq 1", [TtlMatch("eq", 1)]),
    ("-m ttl ! --ttl-eq 1", [TtlMatch("eq", 1, negate=True)]),
    ("-m ttl --ttl-lt 5", [TtlMatch("lt", 5)]),
    ("-m hl --hl-gt 254", [TtlMatch("gt", 254)]),
    ("-m dscp --dscp 0x0a", [DscpMatch(40, 252)]),
    ("-m dscp --dscp-class AF11", [DscpMatch(40, 252)]),
    ("-m dscp ! --dscp 0x2e", [DscpMatch(0xB8, 252, negate=True)]),
    ("-m tos --tos 0x10/0x3f", [DscpMatch(0x10, 0x3F)]),
    ("-m tos --tos Minimize-Delay", [DscpMatch(0x10, 0x3F)]),
    ("-m tos ! --tos 0xff", [DscpMatch(0xFF, 0xFF, negate=True)]),
    ("-m ecn --ecn-ip-ect 2", [DscpMatch(2, 3)]),
    ("-m pkttype --pkt-type broadcast", [PktTypeMatch("broadcast")]),
    ("-m pkttype ! --pkt-type mcast", [PktTypeMatch("multicast", negate=True)]),
    ("-m mac --mac-source 00:1A:2b:3c:4d:5e", [MacMatch("00:1a:2b:3c:4d:5e")]),
    ("-m mac ! --mac-source 0:1:2:3:4:5", [MacMatch("00:01:02:03:04:05", negate=True)]),
    (
        "-m iprange --src-range 10.0.0.1-10.0.0.9",
        [RangeMatch("src", parse_addr("10.0.0.1"), parse_addr("10.0.0.9"))],
    ),
    (
        "-m iprange ! --dst-range fd00::1-fd00::2",
        [RangeMatch("dst", parse_addr("fd00::1"), parse_addr("fd00::2"), negate=True)],
    ),
    # marks
    ("-m mark --mark 0x4000/0x4000", [MarkMatch(0x4000, 0x4000)]),
    ("-m mark ! --mark 0x4000/0x4000", [MarkMatch(0x4000, 0x4000, negate=True)]),
    ("-m mark --mark ! 1", [MarkMatch(1, negate=True)]),
    ("-m mark --mark 0x1", [MarkMatch(1)]),
    ("-m mark --mark 010/15", [MarkMatch(8, 15)]),
    ("-m mark --mark 0x4000/0x2000", [MarkMatch(0x4000, 0x2000)]),
    ("-m connmark --mark 0x539", [MarkMatch(0x539, connection=True)]),
    ("-m connmark ! --mark 0x80/0x80", [MarkMatch(0x80, 0x80, connection=True, negate=True)]),
    # connections
    ("-m conntrack --ctstate RELATED,ESTABLISHED", [CtStateMatch(EST)]),
    (
        "-m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT",
        [CtStateMatch(EST | CtState.DNAT, negate=True)],
    ),
    (
        "-m conntrack --ctstate new,invalid,untracked,snat",
        [CtStateMatch(CtState.NEW | CtState.INVALID | CtState.UNTRACKED | CtState.SNAT)],
    ),
    ("-m conntrack --ctstate ! NEW", [CtStateMatch(CtState.NEW, negate=True)]),
    ("-m state --state RELATED,ESTABLISHED", [CtStateMatch(EST)]),
    ("-m state ! --state INVALID", [CtStateMatch(CtState.INVALID, negate=True)]),
    (
        "-m conntrack --ctstate NEW --ctorigdst 10.1.2.3 ! --ctorigdstport 80 --ctdir ORIGINAL",
        [
            CtStateMatch(CtState.NEW),
            CtTupleMatch("origdst", prefix=HOST),
            CtTupleMatch("origdstport", ports=(80, 80), negate=True),
            CtFieldMatch("dir", "ORIGINAL"),
        ],
    ),
    (
        "-m conntrack ! --ctreplsrc 10.0.0.0/8 --ctrepldst 10.1.2.3 --ctorigsrc 10.1.2.3",
        [
            CtTupleMatch("replsrc", prefix=NET, negate=True),
            CtTupleMatch("repldst", prefix=HOST),
            CtTupleMatch("origsrc", prefix=HOST),
        ],
    ),
    (
        "-m conntrack --ctproto tcp --ctstatus ASSURED,CONFIRMED ! --ctexpire 10:20",
        [
            CtFieldMatch("proto", "6"),
            CtFieldMatch("status", "ASSURED,CONFIRMED"),
            CtFieldMatch("expire", "10:20", negate=True),
        ],
    ),
    ("-m conntrack --ctreplsrcport 1:2", [CtTupleMatch("replsrcport", ports=(1, 2))]),
    # routes, devices, sockets
    ("-m addrtype --dst-type LOCAL", [AddrTypeMatch("dst", frozenset({"LOCAL"}))]),
    (
        "-m addrtype ! --src-type LOCAL --limit-iface-out",
        [AddrTypeMatch("src", frozenset({"LOCAL"}), "out", negate=True)],
    ),
    (
        "-m addrtype --src-type UNICAST --dst-type BROADCAST,multicast",
        [
            AddrTypeMatch("src", frozenset({"UNICAST"})),
            AddrTypeMatch("dst", frozenset({"BROADCAST", "MULTICAST"})),
        ],
    ),
    (
        "-m addrtype --dst-type LOCAL --limit-iface-in",
        [AddrTypeMatch("dst", frozenset({"LOCAL"}), "in")],
    ),
    ("-m physdev --physdev-is-bridged", [PhysdevMatch("is-bridged")]),
    ("-m physdev ! --physdev-is-in", [PhysdevMatch("is-in", negate=True)]),
    (
        "-m physdev --physdev-in veth+ ! --physdev-out vethwe-bridge",
        [PhysdevMatch("in", "veth", wildcard=True), PhysdevMatch("out", "vethwe-bridge", negate=True)],
    ),
    ("-m physdev --physdev-out=vethwe-bridge", [PhysdevMatch("out", "vethwe-bridge")]),
    ("-m rpfilter", [RpFilterMatch()]),
    (
        "-m rpfilter --loose --validmark --accept-local --invert",
        [RpFilterMatch(loose=True, validmark=True, accept_local=True, negate=True)],
    ),
    ("-m owner --uid-owner 1337", [OwnerMatch("uid", (1337, 1337))]),
    ("-m owner ! --gid-owner 0-99", [OwnerMatch("gid", (0, 99), negate=True)]),
    ("-m owner --uid-owner root", [OwnerMatch("uid", (0, 0))]),
    ("-m owner ! --socket-exists", [OwnerMatch("socket-exists", negate=True)]),
    ("-m socket", [SocketMatch()]),
    ("-m socket --transparent --nowildcard", [SocketMatch(transparent=True, nowildcard=True)]),
    ("-m policy --dir out --pol none", [PolicyMatch("out", "none")]),
    ("-m policy --dir in --pol ipsec", [PolicyMatch("in", "ipsec")]),
    # sets and lists
    ("-m set --match-set cali40all-hosts-net src", [SetMatch("cali40all-hosts-net", ("src",))]),
    ("-m set ! --match-set S dst,dst", [SetMatch("S", ("dst", "dst"), negate=True)]),
    ("-m set --match-set ! S dst", [SetMatch("S", ("dst",), negate=True)]),
    ("-m set --set S src", [SetMatch("S", ("src",))]),
    (
        "-m set --match-set weave-P.B|!ZhkAr5q=XZ?3}tMBA+0 dst",
        [SetMatch("weave-P.B|!ZhkAr5q=XZ?3}tMBA+0", ("dst",))],
    ),
    ("-m set --match-set S src --return-nomatch", [SetMatch("S", ("src",), return_nomatch=True)]),
    ("-m set --match-set S src ! --update-counters", [SetMatch("S", ("src",))]),
    (
        "-m set --match-set S src --packets-gt 5 ! --bytes-eq 7",
        [SetMatch("S", ("src",), conditional="--packets-gt 5 ! --bytes-eq 7")],
    ),
    (
        "-m recent --rcheck --seconds 10800 --reap --name KUBE-SEP-A --mask 255.255.255.255 --rsource",
        [RecentMatch("rcheck", "KUBE-SEP-A", "src", 10800)],
    ),
    (
        "-m recent --set --name KUBE-SEP-A --mask 255.255.255.255 --rsource",
        [RecentMatch("set", "KUBE-SEP-A")],
    ),
    ("-m recent --set", [RecentMatch("set", "DEFAULT")]),
    (
        "-m recent ! --update --seconds 30 --hitcount 6 --name ssh --rdest",
        [RecentMatch("update", "ssh", "dst", 30, 6, negate=True)],
    ),
    ("-m recent --remove --name x", [RecentMatch("remove", "x")]),
    # chance and counting
    ("-m statistic --mode random --probability 0.33333333349", [StatisticMatch(0.33333333349)]),
    ("-m statistic --mode random ! --probability 0.5", [StatisticMatch(0.5, negate=True)]),
    ("-m statistic --mode nth --every 4 --packet 0", [StatisticMatch(0.25, "nth")]),
    ("-m statistic --mode nth ! --every 2 --packet 1", [StatisticMatch(0.5, "nth", negate=True)]),
    ("-m limit --limit 10/min --limit-burst 10", [LimitMatch()]),
    ("-m comment --comment word", [AlwaysMatch("comment")]),
    ('-m comment --comment "two words"', [AlwaysMatch("comment")]),
    ('-m comment --comment "!"', [AlwaysMatch("comment")]),
    ("-m comment --comment -j", [AlwaysMatch("comment")]),
    ("-m nfacct --nfacct-name  ct_state_invalid_dropped_pkts", [AlwaysMatch("nfacct")]),
    # headers that no packet we follow has
    ("-p esp -m esp --espspi 1:5", [ProtocolMatch(50), NeverMatch("esp")]),
    ("-p ah -m ah ! --ahspi 7", [ProtocolMatch(51), NeverMatch("ah")]),
    ("-p dccp -m dccp --dport 5", [ProtocolMatch(33), NeverMatch("dccp")]),
    ("-m frag --fragmore", [NeverMatch("frag")]),
    ("-p mh -m mh --mh-type 1", [ProtocolMatch(135), NeverMatch("mh")]),
    # options of the rule itself, and order
    ("-c 12 3400 -p tcp", [TCP]),
    ("-4 -p tcp", [TCP]),
    ("-6 -p tcp", [NeverMatch("-6"), TCP]),
    (
        '-p tcp -m comment --comment "x" -m tcp --dport 80',
        [TCP, AlwaysMatch("comment"), PortMatch("dst", ((80, 80),))],
    ),
    (
        "-p tcp -m tcp -m comment --comment x --dport 80",
        [TCP, PortMatch("dst", ((80, 80),)), AlwaysMatch("comment")],
    ),
    (
        "-p udp -m udp --dport 53 -m mark --mark 1 -m mark ! --mark 2 -m udp --sport 5",
        [
            UDP,
            PortMatch("dst", ((53, 53),)),
            MarkMatch(1),
            MarkMatch(2, negate=True),
            PortMatch("src", ((5, 5),)),
        ],
    ),
    (
        "-m mark --mark 1 -m connmark --mark 2",
        [MarkMatch(1), MarkMatch(2, connection=True)],
    ),
    (
        "-m recent --set --name a -m set --set S dst",
        [RecentMatch("set", "a"), SetMatch("S", ("dst",))],
    ),
]


@pytest.mark.parametrize(("options", "matches"), UNDERSTOOD, ids=[options for options, _ in UNDERSTOOD])
def test_a_match_is_read(options, matches):
    rule = compile_rule(f"-A X {options} -j ACCEPT", 1)
    assert rule.items == (*matches, Accept())
    assert rule.unknown == ""


@pytest.mark.parametrize("options", [options for options, _ in UNDERSTOOD])
def test_a_match_is_read_without_a_target_too(options):
    rule = compile_rule(f"-A X {options}", 1)
    assert rule.items[-1:] == (Continue(),)
    assert not rule.unknown


NOT_EVALUATED = [
    "-m string --string /etc/passwd --algo bm --to 65535",
    '-m string --hex-string "|03|www" --algo kmp --icase',
    '-m u32 --u32 "0x6&0xff=0x1"',
    "-m time --timestart 08:00 --timestop 18:00 --weekdays Mon,Tue --kerneltz",
    "-m hashlimit --hashlimit-upto 5/sec --hashlimit-burst 5 --hashlimit-mode srcip --hashlimit-name x",
    "-m connlimit --connlimit-above 20 --connlimit-mask 32 --connlimit-saddr",
    "-m connbytes --connbytes 10:20 --connbytes-mode packets --connbytes-dir both",
    "-m quota --quota 1000",
    '-m bpf --bytecode "4,48 0 0 9,21 0 1 6,6 0 0 1,6 0 0 0"',
    "-m cgroup ! --cgroup 1",
    "-m cgroup --path system.slice",
    "-m helper --helper ftp",
    "-m realm --realm 0x1",
    "-m devgroup --src-group 0x1",
    "-m ipvs --vaddr 10.96.0.0/12 --vdir ORIGINAL",
    "-m ipvs ! --ipvs",
    "-m cpu --cpu 0",
    "-m osf --genre Linux --ttl 0",
    "-m connlabel --label 3 --set",
    "-m rateest --rateest RE --rateest-gt --rateest-bps 5000bit",
    "-m cluster --cluster-local-nodemask 0x2 --cluster-total-nodes 2 --cluster-hash-seed 0x1",
    "-m ipv6header --header hop-by-hop --soft",
    "-m recent --update --rttl --name x",
    "-m recent --rcheck --name x --mask 255.255.255.0",
]


@pytest.mark.parametrize("options", NOT_EVALUATED)
def test_a_match_whose_answer_no_bundle_holds_is_unknown_as_a_whole(options):
    rule = compile_rule(f"-A X {options} -j ACCEPT", 1)
    match, target = rule.items
    assert isinstance(match, UnknownMatch)
    assert words(match.text) == words(options)
    assert target == Accept()
    assert rule.unknown


PARTLY = [
    (
        "-p tcp -m tcp --tcp-option 8 --dport 80",
        [TCP, UnknownMatch("--tcp-option 8"), PortMatch("dst", ((80, 80),))],
    ),
    ("-p sctp -m sctp --chunk-types any INIT", [SCTP, UnknownMatch("--chunk-types any INIT")]),
    ("-p tcp -m tcpmss --mss 1:500", [TCP, UnknownMatch("-m tcpmss --mss 1:500")]),
    ("-m socket --restore-skmark", [SocketMatch(), UnknownMatch("-m socket --restore-skmark")]),
    (
        "-m policy --dir in --pol ipsec --strict --reqid 1",
        [PolicyMatch("in", "ipsec"), UnknownMatch("-m policy --strict --reqid 1")],
    ),
    ("-m owner --uid-owner alice", [UnknownMatch("--uid-owner alice")]),
    ("-s www.example.org", [UnknownMatch("-s www.example.org")]),
    ("-s 10.0.0.1,10.0.0.2", [UnknownMatch("-s 10.0.0.1,10.0.0.2")]),
    ("-d 10.0.0.0/33", [UnknownMatch("-d 10.0.0.0/33")]),
    ("-d fd00::/255.0.0.0", [UnknownMatch("-d fd00::/255.0.0.0")]),
    ("-p nonsense", [UnknownMatch("-p nonsense")]),
    ("-p 256", [UnknownMatch("-p 256")]),
    ("-p tcp --dport 65536", [TCP, UnknownMatch("--dport 65536")]),
    ("-p tcp --dport 90:80", [TCP, UnknownMatch("--dport 90:80")]),
    ("-p tcp --dport no-such-service", [TCP, UnknownMatch("--dport no-such-service")]),
    ("-p tcp --tcp-flags SYN,XXX SYN", [TCP, UnknownMatch("--tcp-flags SYN,XXX SYN")]),
    ("-p icmp --icmp-type 300", [ICMP, UnknownMatch("--icmp-type 300")]),
    ("-m mark --mark 0xzz", [UnknownMatch("--mark 0xzz")]),
    ("-m mark --mark 0x1ffffffff", [UnknownMatch("--mark 0x1ffffffff")]),
    ("-m conntrack --ctstate NEW,WRONG", [UnknownMatch("--ctstate NEW,WRONG")]),
    ("-m conntrack", [UnknownMatch("-m conntrack")]),
    ("-m addrtype --dst-type HERE", [UnknownMatch("-m addrtype --dst-type HERE")]),
    (
        "-m statistic --mode random --probability 1.5",
        [UnknownMatch("-m statistic --mode random --probability 1.5")],
    ),
    ("-m statistic --mode nth --every 0", [UnknownMatch("-m statistic --mode nth --every 0")]),
    ("-m recent --name x", [UnknownMatch("-m recent --name x")]),
    ("-m set --match-set S src,left", [UnknownMatch("-m set --match-set S src,left")]),
    ("-m limit ! --limit 5/sec", [UnknownMatch("-m limit ! --limit 5/sec")]),
    ("-m iprange --src-range 10.0.0.9-10.0.0.1", [UnknownMatch("--src-range 10.0.0.9-10.0.0.1")]),
    ("-m ttl ! --ttl-lt 3", [UnknownMatch("! --ttl-lt 3")]),
    # modules and options that are not known
    (
        "-m geoip --source-country CN,RU -m mark --mark 1",
        [UnknownMatch("-m geoip --source-country CN,RU"), MarkMatch(1)],
    ),
    ("-m geoip ! --source-country CN", [UnknownMatch("-m geoip ! --source-country CN")]),
    ("-p tcp -m geoip --cc A --dport 5", [TCP, UnknownMatch("-m geoip --cc A"), PortMatch("dst", ((5, 5),))]),
    (
        "-p tcp --no-such-option 1 2 --dport 5",
        [TCP, UnknownMatch("--no-such-option 1 2"), PortMatch("dst", ((5, 5),))],
    ),
    ("! --no-such-option", [UnknownMatch("! --no-such-option")]),
    ("-m conntrack [unsupported revision]", [UnknownMatch("-m conntrack")]),
    ("-m set [unsupported revision] -m mark --mark 1", [UnknownMatch("-m set"), MarkMatch(1)]),
    # what the kernel refuses
    ("-m tcp --dport 80", [UnknownMatch("-m tcp --dport 80")]),
    ("! -p tcp -m tcp --dport 80", [ProtocolMatch(6, negate=True), UnknownMatch("-m tcp --dport 80")]),
    ("-p udp -m tcp --dport 80", [UDP, UnknownMatch("-m tcp --dport 80")]),
    ("-p gre -m multiport --dports 80", [ProtocolMatch(47), UnknownMatch("-m multiport --dports 80")]),
    # words out of place
    ("tcp", [UnknownMatch("tcp")]),
    ("-p tcp 80", [TCP, UnknownMatch("80")]),
]


@pytest.mark.parametrize(("options", "matches"), PARTLY, ids=[options for options, _ in PARTLY])
def test_what_is_not_understood_stays_in_its_place(options, matches):
    rule = compile_rule(f"-A X {options} -j ACCEPT", 1)
    assert rule.items == (*matches, Accept())
    assert rule.unknown


def test_where_a_line_is_cut_its_target_is_unknown():
    rule = compile_rule('-A X -p tcp -m comment --comment "not closed -j ACCEPT', 1)
    cut = '"not closed -j ACCEPT"'
    assert rule.items == (TCP, UnknownMatch("-m comment --comment"), UnknownMatch(cut), UnknownTarget(cut))


def test_where_an_option_swallowed_the_target_it_is_unknown():
    assert compile_rule("-A X -p -j ACCEPT", 1).items == (
        UnknownMatch("-p -j"),
        UnknownMatch("ACCEPT"),
        UnknownTarget("ACCEPT"),
    )


@pytest.mark.parametrize(
    "options", ["-m tcp ! -j ACCEPT", "! -m tcp", "-m", "-j ACCEPT -j DROP", "-j", "-g", "! -j ACCEPT"]
)
def test_a_broken_rule_never_seems_to_be_whole(options):
    rule = compile_rule(f"-A X {options}", 1)
    assert rule.unknown
    assert any(isinstance(item, UnknownMatch | UnknownTarget) for item in rule.items)


COMMENTS = [
    ('-m comment --comment "a \\"b\\" c\\\\d"', 'a "b" c\\d'),
    ('-m comment --comment "the pod\\\'s local node"', "the pod's local node"),
    ("-m comment --comment cali", "cali"),
    ('-m comment --comment "cali:1" -p tcp -m comment --comment "Accept it"', "cali:1 Accept it"),
    ('-m comment --comment ""', ""),
    ('-m comment --comment "-j DROP -m mark"', "-j DROP -m mark"),
    ("-m comment --comment -s", "-s"),
    ("-p tcp", ""),
]


@pytest.mark.parametrize(("options", "comment"), COMMENTS)
def test_a_comment_is_kept_as_it_was_written(options, comment):
    rule = compile_rule(f"-A X {options} -j ACCEPT", 1)
    assert rule.comment == comment
    assert not rule.unknown


def test_a_rule_keeps_its_line_number_and_text():
    line = "[12:3400] -A FORWARD -i cni0 -j ACCEPT"
    rule = compile_rule(line, 77)
    assert (rule.line, rule.text) == (77, line)
    assert rule.items == (InterfaceMatch("in", "cni0"), Accept())
