"""What this machine's kernel and tools print of a namespace is read as what was built in it."""

import json
import os
import re
import shutil
import subprocess
from typing import Any

import msgspec
import pytest

from podpath.model.addr import EVERYTHING, parse_addr, parse_prefix
from podpath.model.linux.link import Vxlan
from podpath.model.linux.route import NextHop, Route, RoutingRule
from podpath.model.origin import NOWHERE
from podpath.parse.bridge_fdb import parse_bridge_fdb
from podpath.parse.bridge_link import parse_bridge_link
from podpath.parse.bridge_vlan import parse_bridge_vlan
from podpath.parse.conntrack_stats import parse_conntrack_stats
from podpath.parse.ip_addr import parse_ip_addr
from podpath.parse.ip_link import parse_ip_link
from podpath.parse.ip_neigh import parse_ip_neigh
from podpath.parse.ip_nexthop import parse_ip_nexthop
from podpath.parse.ip_route import parse_ip_route
from podpath.parse.ip_rule import parse_ip_rule
from podpath.parse.proc_net import parse_snmp, parse_snmp6
from podpath.parse.ss import parse_ss
from podpath.parse.sysctl import parse_sysctl
from podpath.parse.tc import parse_tc_qdisc

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not all(map(shutil.which, ("ip", "bridge", "ss", "tc"))),
    reason="needs root and iproute2",
)


class Space:
    """A network namespace of this machine."""

    def __init__(self, name):
        self.name = name

    def run(self, command, *, check=True):
        argv = ["ip", "netns", "exec", self.name, *command.split()]
        return subprocess.run(argv, capture_output=True, text=True, check=check, timeout=20)

    def can(self, command):
        """Whether the command works here: kernels lack what they were built without."""
        return self.run(command, check=False).returncode == 0

    def out(self, command):
        return self.run(command).stdout

    def read(self, parse, command, **options):
        """What the parser makes of the output; nothing of it may be left over."""
        facts, lost = parse(self.out(command), "f", **options)
        assert lost == ()
        return facts


@pytest.fixture(scope="module")
def space():
    name = f"podpath-parse-{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    if made.returncode:
        pytest.skip(f"no network namespace can be made here: {made.stderr.strip()}")
    built = Space(name)
    try:
        for command in (
            "ip link set lo up",
            "ip link add e0 type veth peer name e1",
            "ip link set e0 up",
            "ip link set e1 up",
            "ip addr add 10.9.0.1/24 dev e0",
            "ip addr add 10.9.0.3/24 dev e0",
            "ip addr add 10.8.0.1 peer 10.8.0.2/32 dev e1",
            "ip -6 addr add fd00:9::1/64 dev e0 nodad",
        ):
            built.run(command)
        yield built
    finally:
        subprocess.run(["ip", "netns", "del", name], check=False, timeout=20)


def bare(fact):
    return msgspec.structs.replace(fact, origin=NOWHERE)


GATEWAY, OTHER = NextHop("e0", parse_addr("10.9.0.2")), NextHop("e0", parse_addr("10.9.0.9"))
GATEWAY_6 = NextHop("e0", parse_addr("fd00:9::2"))
LO = (NextHop("lo"),)


def v4(dst, *ways, **fields):
    return Route(parse_prefix(dst), nexthops=ways, protocol="boot", **fields)


def v6(dst, *ways, metric=1024, **fields):
    return Route(parse_prefix(dst), nexthops=ways, protocol="boot", metric=metric, pref="medium", **fields)


ROUTES = [
    ("10.1.0.0/16 via 10.9.0.2 mtu 1400", v4("10.1.0.0/16", GATEWAY, mtu=1400)),
    ("10.2.0.0/16 via 10.9.0.2 tos 0x10 metric 9", v4("10.2.0.0/16", GATEWAY, tos=16, metric=9)),
    ("10.3.0.0/16 via 10.77.0.1 dev e0 onlink table 77",
     v4("10.3.0.0/16", NextHop("e0", parse_addr("10.77.0.1"), onlink=True), table="77")),
    ("10.4.0.0/16 nexthop via 10.9.0.2 weight 2 nexthop via 10.9.0.9",
     v4("10.4.0.0/16", msgspec.structs.replace(GATEWAY, weight=2), OTHER)),
    ("10.5.0.0/16 via inet6 fd00:9::2 dev e0", v4("10.5.0.0/16", GATEWAY_6)),
    ("10.6.0.0/16 encap ip id 30 dst 10.99.0.1 dev e0",
     v4("10.6.0.0/16", NextHop("e0", encap="ip"), scope="link", unknown="encap ip")),
    ("10.7.0.0/16 dev e0 src 10.9.0.3", v4("10.7.0.0/16", NextHop("e0"), scope="link", prefsrc=parse_addr("10.9.0.3"))),
    ("0.0.0.0/8 dev e0 table 78", v4("0.0.0.0/8", NextHop("e0"), scope="link", table="78")),
    ("blackhole 10.11.0.0/16", v4("10.11.0.0/16", type="blackhole")),
    ("unreachable default metric 99", v4("0.0.0.0/0", type="unreachable", metric=99)),
    ("prohibit 10.12.0.0/16", v4("10.12.0.0/16", type="prohibit")),
    ("throw 10.13.0.0/16 table 77", v4("10.13.0.0/16", type="throw", table="77")),
    ("default dev e0 table 88", v4("0.0.0.0/0", NextHop("e0"), scope="link", table="88")),
    ("local 10.79.0.0/24 dev lo table local", v4("10.79.0.0/24", *LO, type="local", scope="host", table="local")),
    ("10.21.0.0/16 nhid 1", v4("10.21.0.0/16", GATEWAY)),
    ("10.22.0.0/16 nhid 3", v4("10.22.0.0/16", GATEWAY, msgspec.structs.replace(OTHER, weight=5))),
    ("10.23.0.0/16 nhid 4", v4("10.23.0.0/16", *LO, type="blackhole")),
]  # fmt: skip
ROUTES_6 = [
    ("fd01::/64 via fd00:9::2", v6("fd01::/64", GATEWAY_6)),
    ("fd02::/64 nexthop via fd00:9::2 dev e0 nexthop via fd00:9::3 dev e0 weight 5",
     v6("fd02::/64", GATEWAY_6, NextHop("e0", parse_addr("fd00:9::3"), 5))),
    ("fd03::/64 from fd07::/64 via fd00:9::2", v6("fd03::/64", GATEWAY_6, unknown="from fd07::/64")),
    ("blackhole fd04::/64 metric 7", v6("fd04::/64", *LO, type="blackhole", metric=7)),
    ("unreachable default table 89", v6("::/0", *LO, type="unreachable", table="89")),
    ("default via fd00:9::2", v6("::/0", GATEWAY_6)),
    ("default dev e0 table 88", v6("::/0", NextHop("e0"), table="88")),
]  # fmt: skip


def one_line(text):
    """Routes as ``ip route`` prints them, one a line: next hops stand on lines of their own."""
    return sorted(" ".join(line.split()) for line in re.sub(r"\n\s+nexthop", " nexthop", text).splitlines())


def test_routes_of_every_kind(space):
    for number, what in (
        (1, "via 10.9.0.2 dev e0"),
        (2, "via 10.9.0.9 dev e0"),
        (3, "group 1/2,5"),
        (4, "blackhole"),
    ):
        space.can(f"ip nexthop add id {number} {what}")
    built = [route for command, route in ROUTES if space.can(f"ip route add {command}")]
    built += [route for command, route in ROUTES_6 if space.can(f"ip -6 route add {command}")]
    assert len(built) > len(ROUTES)
    found = space.read(parse_ip_route, "ip -d -j route show table all")
    assert {bare(route) for route in found if route.protocol == "boot"} == set(built)
    text = space.out("ip route show table all") + space.out("ip -6 route show table all")
    assert set(one_line(text)) == {route.origin.text for route in found if "encap" not in route.unknown} | {
        line for line in one_line(text) if "encap" in line
    }


def test_the_two_families_apart_say_what_both_together_say(space):
    together = space.read(parse_ip_route, "ip -d -j route show table all")
    apart = space.read(parse_ip_route, "ip -4 -d -j route show table all", family="ip")
    apart += space.read(parse_ip_route, "ip -6 -d -j route show table all", family="ip6")
    assert {bare(route) for route in together} == {bare(route) for route in apart}


def test_pretty_json_says_the_same_with_other_lines(space):
    plain = space.read(parse_ip_route, "ip -d -j route show table all")
    pretty = space.read(parse_ip_route, "ip -d -j -p route show table all")
    lines = space.out("ip -d -j -p route show table all").splitlines()
    assert [bare(route) for route in plain] == [bare(route) for route in pretty]
    assert all("{" in lines[route.origin.line - 1] for route in pretty)


def test_next_hop_objects(space):
    if not space.can("ip nexthop show"):
        pytest.skip("no next hop objects in this kernel")
    found = space.read(parse_ip_nexthop, "ip -d -j nexthop show")
    assert found[3] == (GATEWAY, msgspec.structs.replace(OTHER, weight=5))
    assert found[4] == ()


RULES: list[tuple[str, dict[str, Any]]] = [
    ("from 10.0.0.0/8 to 10.1.2.3 fwmark 0x80000/0xff0000 iif e0 oif e1 ipproto tcp sport 53 dport 10-20 uidrange 5-9 tos 0x10 table 77",
     {"src": parse_prefix("10.0.0.0/8"), "dst": parse_prefix("10.1.2.3"), "mark": 0x80000, "mark_mask": 0xFF0000, "iif": "e0",
      "oif": "e1", "ipproto": 6, "sport": (53, 53), "dport": (10, 20), "uid": (5, 9), "tos": 16, "table": "77"}),
    ("not from 10.0.0.1 fwmark 5 blackhole",
     {"invert": True, "src": parse_prefix("10.0.0.1"), "mark": 5, "mark_mask": 0xFFFFFFFF, "action": "blackhole"}),
    ("unreachable", {"action": "unreachable"}),
    ("iif nosuch prohibit", {"action": "prohibit", "iif": "nosuch"}),
    ("goto 30000", {"action": "goto", "goto": 30000}),
    ("nop", {"action": "nop"}),
    ("table main suppress_prefixlength 0", {"suppress_length": 0}),
    ("table main suppress_ifgroup 5", {"unknown": "suppress_ifgroup 5"}),
    ("l3mdev", {"l3mdev": True}),
    ("tun_id 77 table 5", {"table": "5", "unknown": "tun_id 77"}),
    ("fwmark 0/0x10 table 5", {"table": "5", "mark_mask": 0x10}),
    ("ipproto gre table local", {"ipproto": 47, "table": "local"}),
    ("ipproto 200 table 5", {"ipproto": 200, "table": "5"}),
    ("to 0.0.0.0/8 table 5", {"dst": parse_prefix("0.0.0.0/8"), "table": "5"}),
]  # fmt: skip


def test_rules_with_every_selector(space):
    built = [
        RoutingRule(100 + index, **fields)
        for index, (command, fields) in enumerate(RULES)
        if space.can(f"ip rule add pref {100 + index} {command}")
    ]
    assert len(built) > 10
    found = space.read(parse_ip_rule, "ip -j rule show")
    assert [bare(rule) for rule in found if 0 < rule.priority < 32766] == built
    assert [rule.origin.text for rule in found] == one_line_rules(space.out("ip rule show"))
    assert {bare(rule) for rule in space.read(parse_ip_rule, "ip -d -j rule show")} == set(map(bare, found))


def one_line_rules(text):
    return [" ".join(line.split()) for line in text.splitlines()]


def test_rules_of_ipv6(space):
    space.run("ip -6 rule add pref 112 from fd00::/8 lookup 100")
    found = space.read(parse_ip_rule, "ip -6 -j rule show", family="ip6")
    assert [(rule.priority, rule.src, rule.table) for rule in found] == [
        (0, EVERYTHING, "local"),
        (112, parse_prefix("fd00::/8"), "100"),
        (32766, EVERYTHING, "main"),
    ]


def test_addresses(space):
    found = {(one.dev, one.addr): one for one in space.read(parse_ip_addr, "ip -j addr show")}
    assert found["e0", parse_addr("10.9.0.1")].origin.text.endswith("e0 inet 10.9.0.1/24 scope global e0")
    assert found["e0", parse_addr("10.9.0.3")].secondary
    assert found["e1", parse_addr("10.8.0.1")].peer == parse_addr("10.8.0.2")
    assert found["e0", parse_addr("fd00:9::1")].length == 64
    assert ("lo", parse_addr("::1")) in found


def test_neighbours(space):
    space.run("ip neigh add 10.9.0.77 lladdr 02:00:00:00:00:77 dev e0")
    space.run("ip -6 neigh add fd00:9::77 lladdr 02:00:00:00:00:77 dev e0 nud noarp router")
    space.run("ip neigh add proxy 10.9.0.88 dev e0")
    found = {one.dst: one for one in space.read(parse_ip_neigh, "ip -j neigh show nud all")}
    assert found[parse_addr("10.9.0.77")].state == "PERMANENT"
    assert found[parse_addr("fd00:9::77")].static
    (proxy,) = space.read(parse_ip_neigh, "ip -j neigh show proxy")
    assert (proxy.dst, proxy.proxy) == (parse_addr("10.9.0.88"), True)


def test_links(space):
    for command in (
        "vl0 link e0 type vlan id 100",
        "mv0 link e0 type macvlan mode bridge",
        "tl0 type ipip remote 10.9.0.2",
        "du0 type dummy",
    ):
        space.can(f"ip link add {command}")
    found = {link.name: link for link in space.read(parse_ip_link, "ip -d -s -j link show")}
    assert (found["lo"].kind, found["e0"].kind, found["e0"].up, found["e0"].carrier) == (
        "loopback",
        "veth",
        True,
        True,
    )
    assert (found["e0"].peer_index, found["e1"].peer_index) == (found["e1"].index, found["e0"].index)
    if "vl0" in found:
        assert (found["vl0"].lower, found["vl0"].peer_index) == ("e0", found["e0"].index)
        assert "id 100" in found["vl0"].details
    assert {link.name for link in space.read(parse_ip_link, "ip -j link show")} == set(found)


def test_vxlan_devices_and_their_fdb(space):
    if not space.can("ip link add vx0 type vxlan id 7 local 10.9.0.1 dstport 4789 dev e0 nolearning"):
        pytest.skip("no vxlan in this kernel")
    space.run("ip link add vx1 type vxlan id 8 group 239.1.1.1 dstport 8472 dev e0 proxy")
    space.run("ip link add vx2 type vxlan external dstport 8473")
    space.run("ip link set vx0 up")
    space.run("bridge fdb append 00:00:00:00:00:00 dev vx0 dst 10.9.0.6 port 5555 vni 99")
    space.run("bridge fdb append 02:00:00:00:00:05 dev vx0 dst 10.9.0.5")
    found = {link.name: link.vxlan for link in space.read(parse_ip_link, "ip -d -j link show")}
    assert found["vx0"] == Vxlan(7, 4789, parse_addr("10.9.0.1"), dev="e0", learning=False)
    assert found["vx1"] == Vxlan(8, 8472, remote=parse_addr("239.1.1.1"), dev="e0", proxy=True)
    assert (found["vx2"].external, found["vx2"].port) == (True, 8473)
    entries = space.read(parse_bridge_fdb, "bridge -d -j fdb show")
    assert {(one.mac, one.dst, one.port, one.vni) for one in entries if one.dev == "vx0"} == {
        ("00:00:00:00:00:00", parse_addr("10.9.0.6"), 5555, 99),
        ("02:00:00:00:00:05", parse_addr("10.9.0.5"), None, None),
    }
    assert [one.origin.text for one in entries] == one_line_rules(space.out("bridge -d fdb show"))


def test_bridge_ports(space):
    if not space.can("ip link add br0 type bridge"):
        pytest.skip("no bridge in this kernel")
    space.run("ip link add p0 type veth peer name p1")
    space.run("ip link set p0 master br0")
    space.run("ip link set p0 up")
    space.run("bridge link set dev p0 hairpin on isolated on")
    port = space.read(parse_bridge_link, "bridge -d -j link show")["p0"]
    assert (port.hairpin, port.isolated) == (True, True)
    links = {link.name: link for link in space.read(parse_ip_link, "ip -d -j link show")}
    assert (links["p0"].master, links["br0"].bridge.vlan_filtering, links["p0"].port.hairpin) == (
        "br0",
        False,
        True,
    )


def test_bridge_vlans(space):
    if not space.can("ip link add br0 type bridge vlan_filtering 1"):
        pytest.skip("no VLAN filter in this kernel's bridge")
    space.run("ip link add p0 type veth peer name p1")
    space.run("ip link set p0 master br0")
    space.run("bridge vlan add dev p0 vid 10-13")
    space.run("bridge vlan add dev p0 vid 20 pvid untagged")
    assert space.read(parse_bridge_vlan, "bridge -j vlan show")["p0"] == ((1, 10, 11, 12, 13, 20), 20)
    links = {link.name: link for link in space.read(parse_ip_link, "ip -d -j link show")}
    assert links["br0"].bridge.vlan_filtering


LISTEN = """
import json, socket, sys, time
kept = []
for family, kind, host, port, v6only in json.loads(sys.argv[1]):
    one = socket.socket(family, kind)
    if family == socket.AF_INET6:
        one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, v6only)
    one.bind((host, port))
    if kind == socket.SOCK_STREAM:
        one.listen(7)
    kept.append(one)
bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
bound.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"e0")
bound.bind(("", 68))
print("ready", flush=True)
time.sleep(30)
"""


@pytest.mark.parametrize("options", ["-Htulnpe", "-tulnpe", "-Htulnpem", "-tunape", "-Htulnpemi"])
def test_sockets(space, options):
    inet, inet6, tcp, udp = 2, 10, 1, 2
    wanted = [(inet, tcp, "0.0.0.0", 80, 0), (inet6, tcp, "::", 81, 0), (inet6, tcp, "::", 82, 1),
              (inet, udp, "127.0.0.1", 53, 0), (inet6, udp, "fd00:9::1", 53, 1)]  # fmt: skip
    argv = ["ip", "netns", "exec", space.name, "python3", "-c", LISTEN, json.dumps(wanted)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            assert server.stdout.readline() == "ready\n"
            found = space.read(parse_ss, f"ss {options}")
        finally:
            server.kill()
    assert {(one.protocol, one.local, one.port, one.v4, one.v6, one.dev) for one in found} == {
        (6, None, 80, True, False, ""),
        (6, None, 81, True, True, ""),
        (6, None, 82, False, True, ""),
        (17, parse_addr("127.0.0.1"), 53, True, False, ""),
        (17, parse_addr("fd00:9::1"), 53, False, True, ""),
        (17, None, 68, True, False, "e0"),
    } | (
        {(17, None, 4789, True, False, "")}
        & {(one.protocol, one.local, one.port, one.v4, one.v6, one.dev) for one in found}
    )
    assert all(one.process.startswith("python") for one in found if one.port != 4789)
    assert {one.send_q for one in found if one.protocol == 6} == {7}


def test_counters_and_parameters(space):
    assert (
        space.read(parse_sysctl, "sysctl -a -r ^net[.]ipv4").number("net.ipv4.conf.e0.forwarding") is not None
    )
    assert space.read(parse_snmp, "cat /proc/net/snmp").get("Ip.InAddrErrors") is not None
    assert space.read(parse_snmp, "cat /proc/net/netstat").get("TcpExt.ListenDrops") is not None
    assert space.read(parse_snmp6, "cat /proc/net/snmp6").get("Ip6.InNoRoutes") is not None
    assert {one.dev for one in space.read(parse_tc_qdisc, "tc -s -j qdisc show")} >= {"lo", "e0"}
    if shutil.which("conntrack") and space.can("conntrack -S"):
        assert space.read(parse_conntrack_stats, "conntrack -S")[0].counters["insert_failed"] == 0
