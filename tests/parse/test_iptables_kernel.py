"""What this machine's iptables prints of rules in its own kernel says the same as what was loaded."""

import os
import shutil
import subprocess

import pytest

from podpath.model.linux.ipset import IpSet
from podpath.model.linux.netfilter import Base
from podpath.model.linux.xtables import AlwaysMatch, InterfaceMatch
from podpath.parse.ipset_save import parse_ipset_save
from podpath.parse.iptables_rule import compile_rule
from podpath.parse.iptables_save import count_unrecognized, parse_iptables_save

TOOLS = ("unshare", "ipset", "iptables-nft-restore", "iptables-legacy-restore", "ip6tables-nft-save")
pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not all(map(shutil.which, TOOLS)), reason=f"needs root and {', '.join(TOOLS)}"
)

SETS = """\
create ips hash:ip timeout 0 comment
add ips 10.0.0.1 timeout 0 comment "two words"
add ips 10.0.0.2 timeout 3600
create nets hash:net counters
add nets 10.0.0.0/8
add nets 10.1.0.0/16 nomatch
add nets 0.0.0.0/1
create masked hash:ip netmask 24
add masked 10.7.7.7
create six hash:net family inet6
add six fd00::/64
create ports hash:ip,port
add ports 10.0.0.1,tcp:80
add ports 10.0.0.1,udp:53-55
add ports 10.0.0.1,icmp:echo-request
add ports 10.0.0.1,sctp:80
add ports 10.0.0.1,vrrp:0
create triples hash:ip,port,ip
add triples 10.0.0.1,tcp:80,10.0.0.2
create flows hash:ip,port,net
add flows 10.0.0.1,80,10.0.0.0/8
create netports hash:net,port skbinfo
add netports 10.0.0.0/8,tcp:443 skbmark 0x1/0xff skbprio 1:10
create devices hash:net,iface
add devices 10.0.0.0/8,eth0
add devices 10.0.0.0/8,physdev:eth1
create low bitmap:port range 0-1024
add low 80-82
create block bitmap:ip range 192.168.0.0/24
add block 192.168.0.8/30
create pairs bitmap:ip,mac range 192.168.0.0/24
add pairs 192.168.0.1,AA:BB:CC:00:11:22
create weave-P.B|!ZhkAr5q=XZ?3}tMBA+0 hash:ip
create all list:set
add all ips
add all nets
"""

BOTH = [
    "-i eth0", "! -o cali+", "-i + -p tcp", "-p tcp", "! -p udp", "-p 112", "-p ipencap", "-p esp", "-p udplite",
    "-p tcp --dport 80", "-p tcp -m tcp ! --dport 80:90 --sport 1024:", "-p udp --dport domain", "-p sctp --dport 5",
    "-p tcp --syn", "-p tcp ! --syn", "-p tcp --tcp-flags ALL NONE", "-p tcp --tcp-flags SYN,RST SYN", "-p tcp --tcp-option 8",
    "-p tcp -m multiport --dports 80,443,8000:8080", "-p udp -m multiport ! --sports 53,67:68", "-p tcp -m multiport --ports 5",
    '-m comment --comment "a \\"quoted\\" pod\'s \\\\ comment"', "-m comment --comment word",
    '-m comment --comment one -m comment --comment "and two"', '-p tcp -m comment --comment "x" -m tcp --dport 80',
    "-m conntrack --ctstate RELATED,ESTABLISHED", "-m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT",
    "-m conntrack --ctstate NEW,SNAT,UNTRACKED,INVALID", "-m conntrack --ctdir REPLY --ctstatus ASSURED,CONFIRMED",
    "-m conntrack ! --ctorigdstport 80:90 --ctproto 6", "-m conntrack --ctexpire 1:30", "-m state --state NEW",
    "-m conntrack --ctstate NEW --ctorigsrcport 5 ! --ctrepldstport 6",
    "-m mark --mark 0x4000/0x4000", "-m mark ! --mark 1", "-m mark --mark 0x4000/0x2000", "-m mark --mark 0x10/0xff -m mark ! --mark 3",
    "-m connmark --mark 0x80/0x80", "-m connmark ! --mark 5",
    "-m addrtype --dst-type LOCAL", "-m addrtype ! --src-type LOCAL --dst-type MULTICAST,UNICAST",
    "-m addrtype --dst-type LOCAL --limit-iface-in", "-m addrtype ! --dst-type LOCAL --limit-iface-out",
    "-m statistic --mode random --probability 0.33333333349", "-m statistic --mode random ! --probability 0.5",
    "-m statistic --mode nth --every 4 --packet 1", "-m statistic --mode nth ! --every 2 --packet 0",
    "-m recent --set --name x", "-m recent --rcheck --seconds 30 --reap --name x --rsource",
    "-m recent ! --update --hitcount 4 --name y --rdest", "-m recent --remove --name x", "-m recent --update --rttl --name z",
    "-m physdev --physdev-is-bridged", "-m physdev --physdev-in veth+ ! --physdev-is-out", "-m physdev ! --physdev-out eth0",
    "-m limit --limit 10/min --limit-burst 10", "-m limit --limit 5/sec",
    "-m length --length 100:200", "-m length ! --length 84", "-m dscp --dscp-class EF", "-m dscp ! --dscp 10",
    "-m tos --tos Minimize-Delay", "-m tos ! --tos 0x10/0xf0", "-m pkttype --pkt-type broadcast", "-m pkttype ! --pkt-type multicast",
    "-m mac --mac-source aA:bB:cc:00:11:22", "-m owner --uid-owner 1337", "-m owner ! --gid-owner 0-99",
    "-m owner --socket-exists", "-m socket --transparent", "-m socket --nowildcard --restore-skmark",
    "-m policy --dir in --pol none", "-m policy --dir in --pol ipsec",
    "-m policy --dir in --pol ipsec --strict --reqid 7 --mode transport --proto esp",
    "-m ecn --ecn-ip-ect 2", "-p tcp -m ecn --ecn-tcp-cwr", "-m cpu --cpu 0", "-m time --timestart 08:00 --timestop 18:00",
    '-m string --string "a b" --algo bm', "-m string --hex-string |00ff| --algo kmp", "-m hashlimit --hashlimit-upto 5/sec --hashlimit-name h",
    "-m connlimit --connlimit-above 20 --connlimit-mask 24", "-m connbytes --connbytes 5:9 --connbytes-mode bytes --connbytes-dir both",
    '-m u32 --u32 "0x6&0xff=0x1"', "-m quota --quota 5000", "-m helper --helper ftp", "-m devgroup --src-group 5", "-m cgroup --cgroup 1",
    "-p dccp --dport 5", "-p sctp --chunk-types any INIT", "-p tcp -m tcpmss --mss 1:500",
    "-m set --match-set all src,dst", "-m set ! --match-set weave-P.B|!ZhkAr5q=XZ?3}tMBA+0 dst",
    "-m set --match-set nets src --return-nomatch ! --update-counters --packets-gt 5",
    "-j ACCEPT", "-j DROP", "-j RETURN", "-j KUBE-OTHER", "-g KUBE-OTHER", "-j REJECT", "-p tcp -j REJECT --reject-with tcp-reset",
    "-j MARK --set-xmark 0x4000/0x4000", "-j MARK --set-mark 5", "-j MARK --set-mark 0x2000/0xf000", "-j MARK --or-mark 0x4000",
    "-j MARK --and-mark 0xffff", "-j MARK --xor-mark 0x4000", "-j MARK --set-xmark 0x4000/0x0",
    "-j CONNMARK --set-xmark 0x80/0x80", "-j CONNMARK --save-mark", "-j CONNMARK --restore-mark --mask 0x80", "-j CONNMARK --or-mark 3",
    "-j CONNMARK --save-mark --nfmask 0xff --ctmask 0xf0", '-j LOG --log-prefix "[UFW BLOCK] " --log-level debug --log-uid',
    "-j LOG --log-prefix -j", '-j NFLOG --nflog-prefix "x y" --nflog-group 100', "-j NFQUEUE --queue-num 5 --queue-bypass",
    "-j NFQUEUE --queue-balance 0:3", "-j SET --add-set ips src --exist", "-j AUDIT --type drop",
    "-m comment --comment x -j ACCEPT -p tcp",
]  # fmt: skip
IN_TABLE = {
    "nat": [
        "-p tcp -j REDIRECT --to-ports 15001", "-j REDIRECT", "-p tcp -j REDIRECT --to-ports 5-9 --random",
        "-j MASQUERADE", "-j MASQUERADE --random-fully", "-p tcp -j MASQUERADE --to-ports 1024-31000",
        "-p tcp -j DNAT --to-destination :8080", "-j KUBE-OTHER",
    ],
    "mangle": [
        "-j TTL --ttl-set 64", "-j HL --hl-dec 1", "-j DSCP --set-dscp-class EF", "-j TOS --set-tos 0x10", "-j CHECKSUM --checksum-fill",
        "-p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu", "-p tcp --tcp-flags SYN,RST SYN -j TCPMSS --set-mss 1400",
        "-j CLASSIFY --set-class 1:10", "-p tcp -j TPROXY --on-port 15001", "-p tcp -j TCPOPTSTRIP --strip-options 8,5",
        "-m socket --transparent -j MARK --set-mark 1",
    ],
    "raw": ["-m rpfilter", "-m rpfilter --loose --validmark --accept-local --invert", "-j CT --notrack", "-j NOTRACK", "-j CT --zone 5", "-j TRACE"],
}  # fmt: skip
FAMILY = {
    "ip": {
        "filter": [
            "-s 10.0.0.0/8", "-s 10.9.9.9/255.0.0.0", "! -s 10.0.0.1 ! -d 224.0.0.0/4", "-s 10.0.0.1/255.0.255.255", "-f", "! -f",
            "-p icmp", "-p icmp --icmp-type 8", "-p icmp --icmp-type fragmentation-needed", "-p icmp ! --icmp-type any",
            "-m conntrack --ctorigdst 10.96.0.0/12 ! --ctreplsrc 10.0.0.1", "-m iprange --src-range 10.0.0.1-10.0.0.9",
            "-m iprange ! --dst-range 10.0.0.1-10.0.0.9", "-m ttl --ttl-lt 5", "-m ttl ! --ttl-eq 64", "-m realm --realm 5",
            "-m set --match-set ips src", "-m set ! --match-set ports dst,dst", "-j REJECT --reject-with host-prohib",
            "-j REJECT --reject-with icmp-admin-prohibited", "-j TEE --gateway 10.0.0.9", "-p ah -m ah --ahspi 5:9",
            '! -s 10.1.0.0/16 -d 10.96.0.10/32 -p tcp -m comment --comment "ns/a cluster IP" -m tcp --dport 80 -j KUBE-OTHER',
            '-s 10.1.0.2/32 -m comment --comment "ns/a" -j KUBE-OTHER', "-d 10.0.0.0/8 -j KUBE-OTHER",
        ],
        "nat": [
            "-p tcp -j DNAT --to-destination 10.0.0.1:80", "-j DNAT --to-destination 10.0.0.1-10.0.0.9 --persistent",
            "-p tcp -j DNAT --to-destination 10.0.0.1-10.0.0.9:1000-2000 --random", "-j SNAT --to-source 10.0.0.1",
            "-p tcp -j DNAT --to-destination 10.0.0.1:1000-2000/3000",
            "-p udp -j SNAT --to-source 10.0.0.1-10.0.0.5:1024-65535 --random-fully", "-j NETMAP --to 192.168.0.0/24",
            '-p tcp -m comment --comment "ns/a" -m recent --set --name KUBE-SEP-A --rsource -m tcp -j DNAT --to-destination 10.1.1.2:8000',
        ],
        "mangle": ["-p tcp -j TPROXY --on-port 15001 --on-ip 127.0.0.1 --tproxy-mark 0x200"],
    },
    "ip6": {
        "filter": [
            "-s fd00::/64", "! -d ::1/128", "-d fd00::5", "-s fe80::1/ffff::", "-p icmpv6", "-p icmpv6 --icmpv6-type 135",
            "-p ipv6-icmp --icmpv6-type echo-request", "-p icmpv6 ! --icmpv6-type 1/3", "-m hl --hl-gt 254", "-m hl ! --hl-eq 64",
            "-m set --match-set six src", "-j REJECT --reject-with adm-prohibited", "-j REJECT --reject-with no-route",
            "-m iprange --dst-range fd00::1-fd00::9", "-m conntrack --ctorigdst fd00::/64", "-m frag --fragmore", "-m rt --rt-type 0",
            "-p mh --mh-type 1", "-m ipv6header --header hop --soft", "-m eui64",
            "-j TEE --gateway fd00::9",
        ],
        "nat": [
            "-p tcp -j DNAT --to-destination [fd00::1]:80", "-j DNAT --to-destination fd00::1-fd00::9",
            "-p tcp -j DNAT --to-destination [fd00::1-fd00::9]:5-6", "-j SNAT --to-source fd00::1", "-j NETMAP --to fd01::/64",
        ],
        "mangle": ["-p tcp -j TPROXY --on-port 15001 --on-ip ::1 --tproxy-mark 0x200/0xff"],
    },
}  # fmt: skip
CASES = [(backend, family) for backend in ("nft", "legacy") for family in ("ip", "ip6")]


def rules_of(family):
    """Numbered rules, each with its table."""
    tables = {"filter": BOTH + FAMILY[family]["filter"]}
    for table, rules in IN_TABLE.items():
        tables[table] = rules + FAMILY[family].get(table, [])
    return dict(enumerate((table, rule) for table, rules in tables.items() for rule in rules))


def in_a_namespace(script):
    """What a shell script prints in a network namespace of its own."""
    command = ["unshare", "--net", "sh", "-c", script]
    return subprocess.run(command, capture_output=True, text=True, check=True, input=SETS).stdout


@pytest.fixture(scope="module", params=CASES, ids=["-".join(case) for case in CASES])
def loaded(request):
    """The dump after each rule was loaded by itself: a rule this kernel has no module for is left out."""
    backend, family = request.param
    tool = f"{'ip6' if family == 'ip6' else 'ip'}tables-{backend}"
    script = [
        "ipset restore",
        *(f"{tool} -w -t {table} -N KUBE-{name}" for table in IN_TABLE for name in ("ALL", "OTHER")),
    ]
    script += [f"{tool} -w -N KUBE-{name}" for name in ("ALL", "OTHER")]
    for number, (table, rule) in rules_of(family).items():
        lines = f"*{table}\n-A KUBE-ALL {rule} -m comment --comment n{number}\nCOMMIT\n"
        script.append(f"{tool}-restore -w --noflush <<'END' 2>/dev/null\n{lines}END")
    dump = in_a_namespace("\n".join((*script, f"{tool}-save -c", "true")))
    return dump, backend, family


def number_of(rule):
    """The number under which a rule was loaded."""
    return int(rule.comment.rpartition(" n")[2] if " n" in rule.comment else rule.comment.removeprefix("n"))


def meaning(rule):
    """Conditions in any order, without those that are always true (iptables does not print ``-i +``), and the target."""
    *matches, target = rule.items
    any_device = InterfaceMatch("in", "", wildcard=True)
    return {match for match in matches if not isinstance(match, AlwaysMatch)} - {any_device}, target


def test_the_dump_of_a_rule_says_what_was_loaded(loaded):
    dump, backend, family = loaded
    tables, lost = parse_iptables_save(dump, "dump", backend=backend, family=family)
    given = rules_of(family)
    found = {}
    for table in tables:
        for rule in table.chains["KUBE-ALL"].rules:
            number = number_of(rule)
            expected = compile_rule(f"-A KUBE-ALL {given[number][1]}", 1, {"KUBE-OTHER"}, family=family)
            if expected.unknown:  # the text that was not understood may be spelled anew
                assert rule.unknown, given[number]
            else:
                assert (given[number][1], meaning(rule), rule.unknown) == (
                    given[number][1],
                    meaning(expected),
                    "",
                )
            found[number] = rule
    assert lost == ()
    missing = [rule for number, rule in given.items() if number not in found]
    print(len(found), "loaded, not:", missing)
    assert len(missing) < len(given) / 5, missing


def test_only_what_we_chose_not_to_evaluate_is_unknown_in_it(loaded):
    dump, backend, family = loaded
    tables, _ = parse_iptables_save(dump, "dump", backend=backend, family=family)
    given = rules_of(family)
    for table in tables:
        for entry in count_unrecognized(table):
            number = number_of(compile_rule(entry.origin.text, 1))
            assert compile_rule(f"-A KUBE-ALL {given[number][1]}", 1, {"KUBE-OTHER"}, family=family).unknown


def test_built_in_chains_and_policies_are_as_they_were_set(loaded):
    _, backend, family = loaded
    tool = f"{'ip6' if family == 'ip6' else 'ip'}tables-{backend}"
    dump = in_a_namespace(
        f"{tool} -P FORWARD DROP; {tool} -N X; {tool} -A FORWARD; {tool}-save -c; {tool} -S > /dev/null"
    )
    (table,), lost = parse_iptables_save(dump, "dump", backend=backend, family=family)
    assert lost == ()
    assert table.chains["FORWARD"].base == Base("forward", 0, policy="drop")
    assert table.chains["INPUT"].base == Base("input", 0)
    assert table.chains["X"].base is None
    assert len(table.chains["FORWARD"].rules) == 1


def test_the_listing_of_a_table_is_its_dump(loaded):
    _, backend, family = loaded
    tool = f"{'ip6' if family == 'ip6' else 'ip'}tables-{backend}"
    make = (
        f"{tool} -P FORWARD DROP; {tool} -N X; {tool} -A FORWARD -p tcp -j X; {tool} -A X -m mark --mark 5; "
    )
    texts = [in_a_namespace(make + show) for show in (f"{tool}-save", f"{tool} -S", f"{tool} -S -v")]
    shown = []
    for text in texts:
        (table,), lost = parse_iptables_save(text, "dump", backend=backend, family=family)
        assert lost == ()
        shown.append(
            {name: (chain.base, [rule.items for rule in chain.rules]) for name, chain in table.chains.items()}
        )
    assert shown[0] == shown[1] == shown[2]


def parts_of(sets: dict[str, IpSet]):
    """Elements of each set in any order."""
    return {
        name: (ipset.type, ipset.v4, {(entry.parts, entry.nomatch, entry.physdev) for entry in ipset.entries})
        for name, ipset in sets.items()
    }


def test_the_dump_of_sets_says_what_was_added():
    dump = in_a_namespace("ipset restore; ipset save")
    (loaded_sets, lost), (expected, none) = parse_ipset_save(dump, "dump"), parse_ipset_save(SETS, "loaded")
    assert (lost, none) == ((), ())
    assert not any(ipset.unknown for ipset in loaded_sets.values())
    mine, theirs = parts_of(expected), parts_of(loaded_sets)
    for name in ("ports", "low", "block"):  # a range is stored as its elements
        assert mine.pop(name)[:2] == theirs[name][:2]
    assert {name: theirs[name] for name in mine} == mine
    assert {entry.parts[1] for entry in loaded_sets["ports"].entries} == {
        (6, 80, 80), (17, 53, 53), (17, 54, 54), (17, 55, 55), (1, 8 << 8, 8 << 8), (132, 80, 80), (112, 0, 0),
    }  # fmt: skip
    assert sorted(entry.parts[0] for entry in loaded_sets["low"].entries) == [(80, 80), (81, 81), (82, 82)]
    assert len(loaded_sets["block"].entries) == 4
    assert any(entry.timeout_s and entry.timeout_s > 3000 for entry in loaded_sets["ips"].entries)
