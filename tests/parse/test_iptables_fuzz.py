"""No text whatever makes the parser raise, and no rule, no condition and no doubt is lost."""

import re

from hypothesis import given
from hypothesis import strategies as st

from podpath.model.linux.netfilter import UnknownTarget
from podpath.model.linux.xtables import UnknownMatch
from podpath.parse.ipset_save import parse_ipset_save
from podpath.parse.iptables_grammar import words, written
from podpath.parse.iptables_modules import MODULES, TARGETS
from podpath.parse.iptables_rule import compile_rule
from podpath.parse.iptables_save import count_unrecognized, parse_iptables_save, scan_unknown

OPTIONS = sorted(
    {option for module in MODULES.values() for option in module.values}
    | {option for target in TARGETS.values() for option in target.values}
    | {
        "-s",
        "-d",
        "-p",
        "-i",
        "-o",
        "-f",
        "-m",
        "-j",
        "-g",
        "-c",
        "-4",
        "-6",
        "--dport=80",
        "-ptcp",
        "--unheard-of",
    }
)
VALUES = [
    "!", "10.0.0.0/8", "10.1.2.3", "fd00::/64", "::1", "tcp", "udp", "icmp", "6", "0x4000/0x4000", "80", "1:5", "http",
    "src,dst", "NEW,ESTABLISHED", "LOCAL", "random", "nth", "0.5", "eth+", "ACCEPT", "KUBE-A", "KUBE-B", "8/0",
    "[fd00::1]:80", "10.0.0.1-10.0.0.9:80", ":", "-", "--", "-1", '"', '""', '"a b', '"x \\" y"', "\\", "\x00", "é",
    "[unsupported", "revision]", "SYN,ACK", "99999999999999999999", "nan", "0.0.0.0", "icmp-port-unreachable",
]  # fmt: skip
NAMES = [*MODULES, *TARGETS, "geoip"]
CHAINS = {"KUBE-A", "KUBE-B"}

token_soup = st.lists(
    st.one_of(st.sampled_from(OPTIONS), st.sampled_from(VALUES), st.sampled_from(NAMES), st.text(max_size=5)),
    max_size=14,
).map(" ".join)
ends_in_target = st.tuples(
    token_soup,
    st.sampled_from(["", " -j KUBE-A", " -j ACCEPT", " -j DNAT --to-destination 10.0.0.1:80", " -g KUBE-B"]),
).map("".join)
one_line = st.text(st.characters(exclude_characters="\n"), max_size=60)

FRAGMENTS = [
    "-s 10.0.0.0/8", "! -d 10.1.2.3/32", "-i eth0", "! -o cali+", "-f", "-m mark --mark 0x1/0x1",
    '-m comment --comment "two words"', "-m comment --comment word", "-m conntrack ! --ctstate NEW --ctdir REPLY",
    "-m set ! --match-set S src", "-m addrtype --dst-type LOCAL --limit-iface-in", "-m string --string x --algo bm",
    "-m statistic --mode random --probability 0.5", "-m recent --rcheck --name a --rsource", "-m limit --limit 1/sec",
    "-m physdev --physdev-is-bridged", "-m geoip --cc A,B", "-m owner --uid-owner 0-5", "-m hashlimit --hashlimit-name x",
]  # fmt: skip


def is_unknown(item):
    """Whether an item stands for something that was not understood."""
    return isinstance(item, UnknownMatch | UnknownTarget)


@given(ends_in_target)
def test_a_doubt_is_always_told(text):
    rule = compile_rule(f"-A X {text}", 5, CHAINS)
    assert any(map(is_unknown, rule.items)) == bool(rule.unknown)
    assert (rule.line, rule.text) == (5, f"-A X {text}")
    assert sum(is_unknown(item) for item in rule.items[:-1]) <= len(rule.unknown.split("; "))


@given(st.text())
def test_any_text_is_a_rule(text):
    compile_rule(text, 1)
    compile_rule(f"-A X {text} -j ACCEPT", 1)


@given(
    st.lists(st.sampled_from(FRAGMENTS), max_size=6),
    st.sampled_from(["-j KUBE-A", "-j DROP", "-g KUBE-B", ""]),
)
def test_a_rule_is_its_parts(fragments, target):
    parts = [compile_rule(f"-A X {fragment}", 1, CHAINS) for fragment in fragments]
    whole = compile_rule(f"-A X {' '.join(fragments)} {target}", 1, CHAINS)
    assert list(whole.items[:-1]) == [item for part in parts for item in part.items[:-1]]
    assert whole.items[-1:] == compile_rule(f"-A X {target}", 1, CHAINS).items
    assert whole.unknown == "; ".join(part.unknown for part in parts if part.unknown)


@given(
    st.lists(st.one_of(ends_in_target, one_line), min_size=1, max_size=8), st.sampled_from(["", "[12:3400] "])
)
def test_the_quick_way_is_the_only_way(texts, counters):
    lines = [f"{counters}-A KUBE-A {text}".replace("\n", " ").rstrip("\r") for text in texts]
    dump = "\n".join(("*filter", ":KUBE-A - [0:0]", ":KUBE-B - [0:0]", *lines, "COMMIT", ""))
    table = parse_iptables_save(dump, "f", backend="nft", family="ip")[0][0]
    expected = [compile_rule(line, number, CHAINS) for number, line in enumerate(lines, 4)]
    assert list(table.chains["KUBE-A"].rules) == expected


KUBE_PARTS = st.tuples(
    st.sampled_from(["", " -s 10.0.0.1/32", " ! -s 10.0.0.0/8", " -s ! 10.0.0.1", " -s fd00::1/128", " -s 10.0.0.1/40"]),
    st.sampled_from(["", " -d 10.96.0.1/32", " ! -d 224.0.0.0/4", " -d x"]),
    st.sampled_from(["", " -p tcp", " -p udp", " ! -p tcp", " -i eth0"]),
    st.sampled_from(["", ' -m comment --comment "a b"', ' -m comment --comment "a \\" b"', " -m comment --comment a"]),
    st.sampled_from(["", " -m tcp --dport 80", " -m statistic --mode random --probability 0.5", " -m nfacct --nfacct-name  x"]),
    st.sampled_from(
        [
            "", " -j KUBE-A", " -g KUBE-B", " -j MARK --set-xmark 0x4000/0x4000", " -j DNAT --to-destination 10.0.0.1:80",
            " -j DNAT --to-destination [fd00::1]:80 --random", ' -j LOG --log-prefix "x -j y"', " ! -j KUBE-A", " -j",
            " -j ACCEPT -m comment --comment x", " -j GONE", " -j ACCEPT -p tcp", " -j DNAT [unsupported revision]",
        ]
    ),
).map("".join)  # fmt: skip


@given(st.lists(KUBE_PARTS, min_size=1, max_size=8))
def test_the_quick_way_is_the_only_way_for_what_kube_proxy_writes(texts):
    lines = [f"-A KUBE-A{text}" for text in texts]
    dump = "\n".join(("*filter", ":KUBE-A - [0:0]", ":KUBE-B - [0:0]", *lines, "COMMIT", ""))
    table = parse_iptables_save(dump, "f", backend="nft", family="ip")[0][0]
    assert list(table.chains["KUBE-A"].rules) == [
        compile_rule(line, n, CHAINS) for n, line in enumerate(lines, 4)
    ]


DUMP_LINES = st.one_of(
    st.sampled_from(
        ["*filter", "*nat", "*", "COMMIT", "# x", "", " ", ":INPUT ACCEPT [0:0]", ":DNAT - [0:0]", ":KUBE-A - [0:0]", ":KUBE-B - [1:2]",
         ":KUBE-A - [0:0]\r", "-N KUBE-C", "-P INPUT DROP", "-I INPUT -p tcp", "-I KUBE-A 2 -j DROP", "-A INPUT", ":", ": -"]
    ),
    st.tuples(st.sampled_from(["-A INPUT ", "-A KUBE-A ", "[1:2] -A KUBE-A ", "-A NEW "]), token_soup).map("".join),
    one_line,
)  # fmt: skip
RULE_LINE = re.compile(r"\s*(\[\d+:\d+\]\s+)?(-A|-I|--append|--insert)\s+\S", re.ASCII)


@given(st.lists(DUMP_LINES, max_size=25))
def test_every_rule_of_a_dump_is_in_a_chain_or_noted(lines):
    text = "\n".join(lines)
    tables, lost = parse_iptables_save(text, "f", backend="nft", family="ip")
    rules = [rule for table in tables for chain in table.chains.values() for rule in chain.rules]
    numbers = {number for number, line in enumerate(text.split("\n"), 1) if RULE_LINE.match(line)}
    noted = {entry.origin.line for entry in lost}
    assert len({rule.line for rule in rules}) == len(rules)
    assert {rule.line for rule in rules} <= numbers
    assert numbers - {rule.line for rule in rules} <= noted


@given(st.lists(DUMP_LINES, max_size=25))
def test_every_line_of_a_dump_is_understood_or_noted(lines):
    text = "\n".join(lines)
    tables, lost = parse_iptables_save(text, "f", backend="nft", family="ip")
    seen = {entry.origin.line for entry in lost}
    for table in tables:
        seen |= {rule.line for chain in table.chains.values() for rule in chain.rules}
    harmless = re.compile(r"\s*(\ufeff)?(#.*|COMMIT|\*.*|:.*|-N .*|-P .*|)\s*", re.DOTALL)
    for number, line in enumerate(text.split("\n"), 1):
        assert number in seen or harmless.fullmatch(line), line


@given(st.text())
def test_any_text_is_a_dump(text):
    for dump in (text, f"*nat\n{text}"):
        for table in parse_iptables_save(dump, "f", backend="nft", family="ip6")[0]:
            count_unrecognized(table)
        scan_unknown(dump)
        parse_ipset_save(dump, "f")


@given(st.lists(st.text()))
def test_words_that_were_written_are_read_again(texts):
    assert words(" ".join(map(written, texts))) == texts


SET_WORDS = [
    "create", "add", "a", "b", "hash:ip", "hash:net", "hash:ip,port", "hash:net,iface", "list:set", "bitmap:port",
    "hash:ip,mac", "hash:mac", "hash:ip,mark", "family", "inet", "inet6", "timeout", "0", "5", "10.0.0.1", "10.0.0.0/8",
    "10.0.0.1,tcp:80", "10.0.0.1,icmp:8/0", "fd00::1", "10.0.0.0/8,eth0", "10.0.0.0/8,physdev:eth0", "nomatch",
    "comment", '"x y"', '"', "netmask", "24", "bitmask", "range", "1-9", "10.0.0.1-10.0.0.9", "aa:bb:cc:dd:ee:ff",
    "10.0.0.1,0x5", "wildcard", "-exist", "flush", "#", "counters",
]  # fmt: skip
SET_LINES = st.lists(st.one_of(st.sampled_from(SET_WORDS), st.text(max_size=4)), max_size=7).map(" ".join)


@given(st.lists(SET_LINES, max_size=12), st.sampled_from(["inet", "inet6"]))
def test_every_element_of_a_set_is_an_entry_or_noted(lines, family):
    text = "\n".join((f"create a hash:ip family {family}", *(line.replace("\n", " ") for line in lines)))
    sets, lost = parse_ipset_save(text, "f")
    noted = {entry.origin.line for entry in lost}
    entries = {entry.line for ipset in sets.values() for entry in ipset.entries}
    for number, line in enumerate(text.split("\n"), 1):
        if line.split()[:1] == ["add"]:
            assert (number in entries) != (number in noted)
    assert not noted & entries
