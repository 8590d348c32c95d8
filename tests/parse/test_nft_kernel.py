"""What this machine's nft prints of its own kernel is understood, and ``iptables-nft-save`` does as we say."""

import os
import re
import shutil
import subprocess

import pytest

from podpath.bundle.reader import open_bundle
from podpath.parse.nft_json import parse_nft_json

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not all(map(shutil.which, ("ip", "nft"))), reason="needs root, ip and nft"
)
needs_iptables = pytest.mark.skipif(not shutil.which("iptables-nft-save"), reason="needs iptables-nft-save")

OBJECTS = """
table inet t {
  set nets { type ipv4_addr; flags interval; elements = { 10.0.0.0/8, 192.168.1.1-192.168.1.7, 1.2.3.4 } }
  set flows { type ipv4_addr . inet_proto . inet_service; flags interval; elements = { 10.0.0.0/8 . tcp . 80-90, 1.1.1.1 . udp . 53 } }
  set typed { typeof ip saddr . tcp dport; flags timeout; elements = { 1.1.1.1 . 80 timeout 1h comment "x" } }
  set ifaces { type ifname; flags interval; elements = { "eth*", "wlan0" } }
  set marks { type mark; flags interval; elements = { 0x10-0x1f, 0x4000-0x4007, 0x5 } }
  set nets6 { type ipv6_addr; flags interval; elements = { fe80::/10, 2001:db8::1-2001:db8::9 } }
  set ports { type inet_service; flags interval; auto-merge; elements = { 80-90, 1024-2047, 443 } }
  set macs { type ether_addr; elements = { aa:bb:cc:dd:ee:ff } }
  set seen { type ipv4_addr; size 100; flags dynamic; }
  set recent { type ipv4_addr; size 100; flags dynamic,timeout; timeout 30s; }
  set counted { type ipv4_addr; counter; elements = { 1.1.1.1, 2.2.2.2 } }
  map to_addr { type inet_service : ipv4_addr; elements = { 80 : 10.0.0.1, 443 : 10.0.0.2 } }
  map verdicts { type ipv4_addr : verdict; flags interval; elements = { 10.0.0.0/8 : jump other, * : drop } }
  map backends { type ipv4_addr . inet_service : ipv4_addr . inet_service; elements = { 1.1.1.1 . 80 : 10.0.0.1 . 8080 } }
  map to_mark { typeof ip saddr : meta mark; elements = { 1.1.1.1 : 0x55 } }
  chain other { comment "does { nothing"
  }
  chain checks { type filter hook input priority filter + 10; policy drop; }
  chain dstnat_chain { type nat hook prerouting priority dstnat; policy accept; }
  chain srcnat_chain { type nat hook postrouting priority srcnat; policy accept; }
  chain early { type filter hook prerouting priority mangle; policy accept; }
  chain leave { type route hook output priority mangle; policy accept; }
}
table bridge b {
  chain f { type filter hook forward priority 0; policy accept; }
}
table netdev n {
  chain in { type filter hook ingress device lo priority -500; policy accept; }
}
table arp a {
  chain i { type filter hook input priority 0; policy accept; }
}
table ip6 six {
  chain i { type filter hook input priority 0; policy accept; }
}
"""  # fmt: skip

RULES = {
    "inet t checks": """
        ct state established,related accept
        ct state { new, untracked } accept
        ct state vmap { invalid : drop, established : accept }
        ct state != new drop
        ct state ! new,established drop
        ct status dnat accept
        ct status snat,dnat accept
        ct direction original accept
        ct original ip saddr 10.0.0.0/8 accept
        ct reply ip6 daddr fe80::1 accept
        ct original protocol tcp accept
        ct mark & 0xff == 0x1 accept
        ct mark 0x10/28 accept
        ct mark set meta mark
        meta mark set ct mark & 0xffff
        ct mark set (meta mark & 0xff) << 8
        ct zone set 5
        ct count over 20 drop
        ct bytes > 1000 accept
        tcp flags syn accept
        tcp flags == syn accept
        tcp flags syn,ack accept
        tcp flags & (fin | syn | rst | ack) == syn accept
        tcp flags & (fin | syn | rst | ack) == syn | ack accept
        tcp flags & (fin | syn) == 0 accept
        tcp flags ! syn,ack accept
        tcp flags { syn, syn | ack } accept
        meta mark & 0xff == 0x1 accept
        meta mark & 0x4000 != 0 accept
        meta mark 0x10000/16 accept
        meta mark 0x10-0x20 accept
        meta mark set meta mark | 0x4000
        meta mark set meta mark & 0xffffbfff
        meta mark set ip saddr map @to_mark
        meta mark set jhash ip saddr . tcp dport mod 4 seed 0x55 offset 1
        meta mark set numgen inc mod 5 offset 10
        meta l4proto { tcp, udp } accept
        meta l4proto ipv6-icmp accept
        meta l4proto 253 accept
        meta l4proto != tcp accept
        ip protocol { icmp, igmp, esp } accept
        ip6 nexthdr tcp accept
        meta nfproto ipv4 accept
        meta protocol { ip, ip6 } accept
        meta pkttype { broadcast, multicast } drop
        iif lo accept
        iifname "eth*" accept
        iifname { "eth*", "lo" } accept
        iifname != "cali*" accept
        iifname @ifaces accept
        oifname . ip daddr { "a" . 1.1.1.1 } accept
        iifname . oifname vmap { "a" . "b" : jump other }
        iifgroup 5 accept
        meta skuid 1000 accept
        meta length 100-200 accept
        fib saddr type local accept
        fib daddr type { local, broadcast, multicast } accept
        fib daddr . iif type != local drop
        fib saddr . mark . iif oif missing drop
        fib saddr . iif oif exists accept
        fib daddr oifname "eth0" accept
        ip saddr != 10.0.0.0/8 accept
        ip saddr { 10.0.0.0/8, 192.168.0.1-192.168.0.5, 1.1.1.1 } accept
        ip saddr & 0.0.0.255 == 0.0.0.1 accept
        ip saddr @nets accept
        ip saddr . meta l4proto . th dport @flows accept
        ip saddr . tcp dport @typed accept
        ip saddr . tcp dport { 10.0.0.0/8 . 80-90 } accept
        meta mark @marks accept
        ip saddr vmap @verdicts
        ip saddr . tcp dport vmap { 1.1.1.1 . 80 : goto other, * : drop }
        tcp dport vmap { 22 : accept, 80-90 : drop }
        ip ttl 1 drop
        ip ttl set 64
        ip dscp cs1 accept
        ip6 saddr @nets6 accept
        ether saddr @macs accept
        tcp dport @ports accept
        tcp dport >= 1024 accept
        th sport 0-1023 accept
        @th,16,16 53 accept
        sctp dport 5 accept
        icmp type { echo-request, destination-unreachable } accept
        icmp type . icmp code { destination-unreachable . 4 } accept
        icmpv6 type { echo-request, nd-neighbor-solicit, packet-too-big } accept
        icmpv6 code no-route accept
        tcp flags syn tcp option maxseg size set 1400
        limit rate over 10/minute burst 20 packets drop
        limit rate 10 mbytes/second accept
        counter accept
        log prefix "hello { world" level info
        log group 5 snaplen 100
        queue num 1-3 bypass
        reject
        reject with icmp type host-unreachable
        reject with icmpv6 type admin-prohibited
        reject with icmpx type no-route
        reject with tcp reset
        add @seen { ip saddr }
        update @recent { ip saddr timeout 10s }
        add @seen { ip saddr limit rate 10/second } accept
        delete @seen { ip saddr }
        meter mt { ip saddr limit rate over 10/second } drop
        jump other
        goto other
        return
        accept comment "the { end"
    """,
    "inet t dstnat_chain": """
        dnat ip to 10.0.0.1
        tcp dport 80 dnat ip to 10.0.0.1-10.0.0.5:80-90 random,persistent
        tcp dport 80 dnat ip6 to [fe80::1]:80
        dnat ip to tcp dport map @to_addr
        dnat ip addr . port to ip saddr . tcp dport map @backends
        meta l4proto tcp dnat ip addr . port to numgen random mod 2 map { 0 : 10.0.0.1 . 80, 1 : 10.0.0.2 . 81 }
        meta l4proto tcp dnat ip6 addr . port to numgen random mod 2 map { 0 : fe80::1 . 80, 1 : fe80::2 . 81 }
        tcp dport 80 redirect to :15001
        tcp dport 80 dnat to :8080
        dnat ip prefix to ip daddr map { 10.0.0.0/24 : 192.168.0.0/24 }
    """,
    "inet t srcnat_chain": """
        masquerade
        masquerade fully-random
        meta l4proto tcp masquerade to :1024-65535
        tcp dport 1 snat ip to 10.0.0.1:1000-2000 fully-random
    """,
    "inet t early": """
        meta l4proto tcp tproxy ip to 127.0.0.1:15001 meta mark set 1 accept
        meta l4proto tcp tproxy to :15001 accept
        notrack
    """,
    "inet t leave": """
        tcp dport 80 meta mark set 5
    """,
    "bridge b f": """
        ip saddr 10.0.0.1 drop
        ether saddr != aa:bb:cc:00:00:00 drop
        vlan id 10 accept
        ip daddr . ether daddr { 1.1.1.1 . aa:bb:cc:dd:ee:ff } accept
        meta ibrname "br0" accept
    """,
    "netdev n in": """
        ip saddr 1.2.3.4 drop
    """,
    "arp a i": """
        arp operation request accept
        arp saddr ip 10.0.0.1 accept
    """,
    "ip6 six i": """
        reject
        reject with icmpv6 type policy-fail
    """,
}
MAY_BE_REFUSED = re.compile(
    r"queue|ibrname|reject|tproxy|ct count|fib|socket|sctp|zone|jhash|numgen|masquerade|limit"
)
"""What a kernel may have been built without."""


class Space:
    def __init__(self, name):
        self.name = name

    def run(self, *argv, text=None, check=True):
        command = ["ip", "netns", "exec", self.name, *argv]
        return subprocess.run(command, input=text, capture_output=True, text=True, check=check, timeout=60)

    def load(self, text):
        """Load rules; skip the test when this kernel cannot."""
        done = self.run("nft", "-f", "-", text=text, check=False)
        if "Could not process rule" in done.stderr:
            pytest.skip(f"this kernel refuses it: {done.stderr.strip().splitlines()[0]}")
        assert done.returncode == 0, done.stderr

    def parse(self):
        """What it has now, as JSON and listing."""
        text, listing = (self.run("nft", *option, "list", "ruleset").stdout for option in (["-j"], []))
        return parse_nft_json(text, "json", listing, "listing"), listing.split("\n"), text


@pytest.fixture
def space():
    name = f"podpath-nft-{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    if made.returncode:
        pytest.skip(f"no network namespace can be made here: {made.stderr.strip()}")
    try:
        yield Space(name)
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)


def rules_of(table, chain):
    return table.chains[chain].rules


def shown_elsewhere(table, lines):
    """The rules whose line does not show them."""
    return [
        (rule.line, rule.text)
        for chain in table.chains.values()
        for rule in chain.rules
        if lines[rule.line - 1].strip() != rule.text
    ]


def test_every_rule_that_the_kernel_takes_is_understood_and_found_in_the_listing(space):
    space.load(OBJECTS)
    taken: dict[str, list[str]] = {}
    refused = []
    for chain, text in RULES.items():
        for rule in filter(None, map(str.strip, text.splitlines())):
            done = space.run("nft", "-f", "-", text=f"add rule {chain} {rule}\n", check=False)
            if done.returncode:
                refused.append(rule)
            else:
                taken.setdefault(chain, []).append(rule)
    assert [rule for rule in refused if not MAY_BE_REFUSED.search(rule)] == []
    found, lines, _ = space.parse()
    assert found.unrecognized == found.managed == ()
    for chain, given in taken.items():
        family, table_name, name = chain.split()
        table = next(one for one in found.tables if (one.family, one.name) == (family, table_name))
        rules = rules_of(table, name)
        assert len(rules) == len(given)
        assert [rule for rule in rules if rule.unknown] == []
        assert shown_elsewhere(table, lines) == []
    assert [one.name for table in found.tables for one in table.sets.values() if one.unknown] == []


def test_sets_are_dynamic_as_the_kernel_has_them_with_and_without_the_listing(space):
    space.load(OBJECTS)
    space.load(
        "add rule inet t checks update @recent { ip saddr timeout 10s }\nadd rule inet t checks add @seen { ip saddr }\n"
    )
    found, _, text = space.parse()
    for ruleset in (found, parse_nft_json(text, "json")):
        assert [one.name for one in ruleset.tables[0].sets.values() if one.dynamic] == ["seen", "recent"]


def test_a_netdev_chain_knows_its_device(space):
    space.load(OBJECTS)
    found, _, _ = space.parse()
    (table,) = [one for one in found.tables if one.family == "netdev"]
    assert table.chains["in"].base.devices == ("lo",)


def test_a_table_that_is_switched_off_has_no_base_chains(space):
    space.load(
        "table ip t {\n flags dormant\n chain c { type filter hook input priority 0; policy drop; }\n}\n"
    )
    found, _, _ = space.parse()
    assert found.tables[0].chains["c"].base is None


def test_what_kube_proxy_wrote_is_read_the_same_from_this_kernel(space, corpus):
    with open_bundle(corpus["nftables-hostgw-healthy"]) as bundle:
        listing = bundle.read("nodes/n1/nft-list-ruleset").decode()
        captured = parse_nft_json(bundle.read("nodes/n1/nft-list-ruleset.json"), "json")
    space.load(listing[listing.index("table ip kube-proxy {") :])
    found, lines, _ = space.parse()
    assert [(table.family, table.name) for table in found.tables] == [
        ("ip", "kube-proxy"),
        ("ip6", "kube-proxy"),
    ]
    for ours, theirs in zip(found.tables, captured.tables, strict=True):
        assert shown_elsewhere(ours, lines) == []
        assert {name: [rule.items for rule in rules_of(ours, name)] for name in ours.chains} == {
            name: [rule.items for rule in rules_of(theirs, name)] for name in theirs.chains
        }
        for name, one in ours.sets.items():
            if not one.dynamic:
                assert set(map(repr, one.elements)) == set(map(repr, theirs.sets[name].elements))


def test_a_flowtable_and_what_feeds_it(space):
    space.load("table inet t {\n flowtable f { hook ingress priority 0; devices = { lo }; }\n"
               " chain c { type filter hook forward priority 0;\n meta l4proto tcp flow add @f\n }\n}\n")  # fmt: skip
    found, _, _ = space.parse()
    assert found.unrecognized == ()
    assert [rule.unknown for rule in rules_of(found.tables[0], "c")] == [""]


class TestIptables:
    """The claims of ``parse/nft_managed.py``."""

    pytestmark = needs_iptables

    @pytest.fixture
    def mixed(self, space):
        version = space.run("iptables-nft", "--version").stdout
        if "v1.8.9" not in version:
            pytest.skip(f"tried with iptables 1.8.9, this is {version.strip()}")
        done = space.run(
            "iptables-nft",
            "-A",
            "FORWARD",
            "-s",
            "10.0.0.0/8",
            "-m",
            "comment",
            "--comment",
            "x",
            "-j",
            "ACCEPT",
            check=False,
        )
        if done.returncode:
            pytest.skip(f"iptables-nft does not work here: {done.stderr.strip()}")
        return space

    def saved(self, space):
        return space.run("iptables-nft-save", check=False).stdout

    def test_a_table_of_iptables_is_managed(self, mixed):
        found, _, _ = mixed.parse()
        assert found.managed == (("ip", "filter"),)
        assert found.tables == ()

    def test_a_native_base_chain_is_missing_in_the_save_and_native_here(self, mixed):
        mixed.load(
            "table ip filter {\n chain input { type filter hook input priority 0;\n ct state new drop\n }\n}\n"
        )
        mixed.load("delete rule ip filter input handle " + self.handle(mixed, "ct state new") + "\n")
        mixed.load("add rule ip filter input ip saddr 1.1.1.1 drop\n")
        saved = self.saved(mixed)
        assert "contains incompatible base-chains" in saved
        assert "-A FORWARD" in saved
        assert "1.1.1.1" not in saved
        found, _, _ = mixed.parse()
        assert found.managed == (("ip", "filter"),)
        assert [list(table.chains) for table in found.tables] == [["input"]]

    def handle(self, space, rule):
        listed = space.run("nft", "-a", "list", "ruleset").stdout
        return re.findall(rf"{rule}.*# handle (\d+)", listed)[0]

    def test_a_native_rule_makes_the_save_refuse_the_table(self, mixed):
        mixed.load("add rule ip filter FORWARD ct state new drop\n")
        assert "is incompatible, use 'nft' tool" in self.saved(mixed)
        found, _, _ = mixed.parse()
        assert found.managed == (("ip", "filter"),)
        assert len(rules_of(found.lossy[0], "FORWARD")) == 2

    def test_a_look_up_in_a_set_is_missing_in_the_save_and_shown_here(self, mixed):
        mixed.load("add rule ip filter FORWARD ip saddr { 1.1.1.1, 2.2.2.2 } drop\n")
        assert "-A FORWARD -j DROP" in self.saved(mixed)
        found, lines, _ = mixed.parse()
        (lost,) = found.unrecognized
        assert lines[lost.origin.line - 1].strip() == lost.origin.text == "ip saddr { 1.1.1.1, 2.2.2.2 } drop"
