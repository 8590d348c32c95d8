"""A router between two hosts: address translation, its order and what other rules see of it."""

import pytest

from tests.kernel.cases import sentences, set_up
from tests.kernel.topologies import Scene, routed

VIP = "10.96.0.1"
DNAT = f"iptables -t nat -A PREROUTING -d {VIP} -p tcp --dport 80 -j DNAT --to-destination 10.2.0.2:8080\n"
MASQUERADE = "iptables -t nat -A POSTROUTING -s 10.1.0.2 -j MASQUERADE\n"

NAT = (
    ("DNAT gives another address and port", DNAT, f"a {VIP}:80 ok at b:8080 as a; a {VIP}:8080 no-net"),
    ("DNAT without a port keeps the port", f"iptables -t nat -A PREROUTING -d {VIP} -j DNAT --to-destination 10.2.0.2", f"a {VIP}:80 ok at b:80; a udp/{VIP}:53 ok at b:53"),
    ("DNAT to a port alone keeps the address", "iptables -t nat -A PREROUTING -p tcp --dport 90 -j DNAT --to-destination :8080", "a b:90 ok at b:8080"),
    ("DNAT to a range of ports takes one of them", f"iptables -t nat -A PREROUTING -d {VIP} -p tcp -j DNAT --to-destination 10.2.0.2:8080-8080", f"a {VIP}:80 ok at b:8080"),
    ("DNAT shifts a range of ports", f"iptables -t nat -A PREROUTING -d {VIP} -p tcp --dport 1000:1100 -j DNAT --to-destination 10.2.0.2:8050-8150/1000", f"a {VIP}:1030 ok at b:8080; a {VIP}:1031 refused"),
    ("DNAT to a range of ports takes the first of them", f"iptables -t nat -A PREROUTING -d {VIP} -p tcp -j DNAT --to-destination 10.2.0.2:8080-8090", f"a {VIP}:80 ok at b:8080; a {VIP}:8081 refused"),
    ("DNAT to a range of ports keeps a port of the range", f"iptables -t nat -A PREROUTING -d {VIP} -p tcp -j DNAT --to-destination 10.2.0.2:8070-8090", f"a {VIP}:80 refused; a {VIP}:8080 ok at b:8080"),
    ("DNAT to a range of addresses takes one of them", f"b$ ip addr add 10.2.0.3/24 dev eth0\niptables -t nat -A PREROUTING -d {VIP} -p tcp -j DNAT --to-destination 10.2.0.2-10.2.0.3", f"a {VIP}:80 ok; a {VIP}:8080 ok"),
    ("REDIRECT to a range of ports takes the first of them", "iptables -t nat -A PREROUTING -p tcp --dport 9000 -j REDIRECT --to-ports 80-90", "a b:9000 ok at ra:80"),
    ("only the first packet's translation counts", DNAT + f"iptables -t nat -A PREROUTING -d {VIP} -j DNAT --to-destination 10.2.0.3", f"a {VIP}:80 ok at b:8080"),
    ("FORWARD sees the translated destination", DNAT + f"iptables -A FORWARD -d {VIP} -j DROP", f"a {VIP}:80 ok"),
    ("FORWARD drops by the translated destination", DNAT + "iptables -A FORWARD -d 10.2.0.2 -p tcp --dport 8080 -j DROP", f"a {VIP}:80 timeout; a b:80 ok"),
    ("ctorigdst is the address that was asked", DNAT + f"iptables -A FORWARD -m conntrack --ctorigdst {VIP} -j DROP", f"a {VIP}:80 timeout; a b:8080 ok"),
    ("ctorigdstport is the port that was asked", DNAT + "iptables -A FORWARD -p tcp -m conntrack --ctorigdstport 80 -j DROP", f"a {VIP}:80 timeout; a b:8080 ok; a b:80 timeout"),
    ("mangle PREROUTING sees the address that was asked", DNAT + f"iptables -t mangle -A PREROUTING -d {VIP} -j DROP", f"a {VIP}:80 timeout"),
    ("replies in FORWARD come from the real server", DNAT + "iptables -A FORWARD -s 10.2.0.2 -j DROP", f"a {VIP}:80 timeout"),
    ("replies in FORWARD do not come from the address that was asked", DNAT + f"iptables -A FORWARD -s {VIP} -j DROP", f"a {VIP}:80 ok"),
    ("replies in mangle POSTROUTING are not yet untranslated", DNAT + f"iptables -t mangle -A POSTROUTING -s {VIP} -j DROP", f"a {VIP}:80 ok"),
    ("MASQUERADE shows the router", MASQUERADE, "a b:80 ok as rb; a udp/b:53 ok as rb; b a:80 ok as b"),
    ("replies of masqueraded connections are for the client already in FORWARD", MASQUERADE + "iptables -A FORWARD -d 10.2.0.1 -j DROP", "a b:80 ok as rb"),
    ("replies of masqueraded connections are dropped by the client's address", MASQUERADE + "iptables -A FORWARD -d 10.1.0.2 -j DROP", "a b:80 timeout"),
    ("SNAT to an address of the router", "iptables -t nat -A POSTROUTING -d 10.2.0.2 -j SNAT --to-source 10.2.0.1", "a b:80 ok as rb"),
    ("SNAT to an address that nobody has is not answered", "iptables -t nat -A POSTROUTING -d 10.2.0.2 -p tcp -j SNAT --to-source 10.2.0.77", "a b:80 timeout"),
    ("SNAT to an address elsewhere comes back by the default route", "iptables -t nat -A POSTROUTING -d 10.2.0.2 -p tcp -j SNAT --to-source 10.7.7.7", "a b:80 ok as 10.7.7.7"),
    ("DNAT and MASQUERADE together", DNAT + MASQUERADE, f"a {VIP}:80 ok at b:8080 as rb; a {VIP}:80*20000 ok at b:8080 as rb"),
    ("a client reaches itself by DNAT and MASQUERADE", f"iptables -t nat -A PREROUTING -d {VIP} -j DNAT --to-destination 10.1.0.2\n" + MASQUERADE, f"a {VIP}:80 ok at a:80 as ra"),
    ("a client does not reach itself by DNAT alone", f"iptables -t nat -A PREROUTING -d {VIP} -j DNAT --to-destination 10.1.0.2", f"a {VIP}:80 timeout"),
    ("NOTRACK is not translated", "iptables -t raw -A PREROUTING -s 10.1.0.2 -j NOTRACK\n" + DNAT, f"a {VIP}:80 no-net"),
    ("NOTRACK of the reply leaves it untranslated", "iptables -t raw -A PREROUTING -s 10.2.0.2 -j NOTRACK\n" + DNAT, f"a {VIP}:80 timeout"),
    ("NOTRACK packets are UNTRACKED", "iptables -t raw -A PREROUTING -p tcp --dport 80 -j CT --notrack\niptables -A FORWARD -m conntrack --ctstate UNTRACKED -j DROP", "a b:80 timeout; a b:8080 ok"),
    ("the SYN-ACK to an untracked SYN is INVALID", "iptables -t raw -A PREROUTING -s 10.1.0.2 -j NOTRACK\niptables -A FORWARD -m conntrack --ctstate INVALID -j DROP", "a b:80 timeout; a udp/b:53 ok"),
    ("the UDP reply to an untracked request is NEW", "iptables -t raw -A PREROUTING -s 10.1.0.2 -j NOTRACK\niptables -A FORWARD -s 10.2.0.2 -m conntrack --ctstate NEW -j DROP", "a udp/b:53 timeout; b a:80 timeout"),
    ("the DNAT state holds for both directions", DNAT + "iptables -P FORWARD DROP\niptables -A FORWARD -m conntrack --ctstate DNAT -j ACCEPT", f"a {VIP}:80 ok; a b:8080 timeout"),
    ("what is no DNAT and not established is dropped", DNAT + "iptables -A FORWARD -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP", f"a {VIP}:80 ok; a b:8080 timeout"),
    ("the SNAT state is not yet there in FORWARD", MASQUERADE + "iptables -A FORWARD -i ra -m conntrack --ctstate NEW,SNAT -j ACCEPT\niptables -A FORWARD -i ra -m conntrack --ctstate SNAT -j DROP", "a b:80 timeout|ok"),
    ("REDIRECT goes to the first address of the device", "ip addr add 10.1.0.9/24 dev ra\niptables -t nat -A PREROUTING -p tcp --dport 9000 -j REDIRECT --to-ports 8080", "a b:9000 ok at ra:8080; a 10.1.0.9:9000 ok at ra:8080; a 10.9.9.9:9000 ok at ra:8080"),
    ("REDIRECT in OUTPUT goes to 127.0.0.1", "iptables -t nat -A OUTPUT -p tcp --dport 9000 -j REDIRECT --to-ports 8080", "r b:9000 ok at 127.0.0.1:8080 as rb; r ra:9000 ok at 127.0.0.1:8080 as ra"),
    ("NETMAP keeps the host's part", "iptables -t nat -A PREROUTING -d 10.3.0.0/24 -j NETMAP --to 10.2.0.0/24", "a 10.3.0.2:80 ok at b:80; a 10.3.0.3:80 timeout|no-host"),
    ("a local process is translated in OUTPUT", f"ip route add default via 10.2.0.2\niptables -t nat -A OUTPUT -d {VIP} -p tcp -j DNAT --to-destination 10.1.0.2:8080", f"r {VIP}:80 ok at a:8080 as rb"),
    ("a local process needs a route before it is translated", f"iptables -t nat -A OUTPUT -d {VIP} -p tcp -j DNAT --to-destination 10.1.0.2:8080", f"r {VIP}:80 no-net"),
    ("a local process keeps the source of its first route", f"ip route add default via 10.2.0.2\niptables -t nat -A OUTPUT -d {VIP} -p tcp -j DNAT --to-destination 10.1.0.2:8080\niptables -t nat -A POSTROUTING -d 10.1.0.2 -j MASQUERADE", f"r {VIP}:80 ok at a:8080 as ra"),
    ("DNAT to 127.0.0.1 needs route_localnet", "iptables -t nat -A PREROUTING -p tcp --dport 9000 -j DNAT --to-destination 127.0.0.1:8080", "a ra:9000 timeout"),
    ("DNAT to 127.0.0.1 works with route_localnet", "sysctl -qw net.ipv4.conf.ra.route_localnet=1\niptables -t nat -A PREROUTING -p tcp --dport 9000 -j DNAT --to-destination 127.0.0.1:8080", "a ra:9000 ok at 127.0.0.1:8080 as a"),
    ("127.0.0.1 by DNAT leaves only with route_localnet and masquerade", "sysctl -qw net.ipv4.conf.all.route_localnet=1\niptables -t nat -A OUTPUT -p tcp -d 127.0.0.1 --dport 30080 -j DNAT --to-destination 10.2.0.2:8080\niptables -t nat -A POSTROUTING -s 127.0.0.1 -o rb -j MASQUERADE", "r 127.0.0.1:30080 ok at b:8080 as rb"),
    ("127.0.0.1 by DNAT does not leave without route_localnet", "iptables -t nat -A OUTPUT -p tcp -d 127.0.0.1 --dport 30080 -j DNAT --to-destination 10.2.0.2:8080\niptables -t nat -A POSTROUTING -s 127.0.0.1 -o rb -j MASQUERADE", "r 127.0.0.1:30080 timeout"),
    ("what cannot be routed anew is dropped before the next chain sees it", "iptables -t nat -A OUTPUT -p tcp -d 127.0.0.1 --dport 30080 -j DNAT --to-destination 10.2.0.2:8080\niptables -A OUTPUT -p tcp --dport 8080 -j REJECT --reject-with tcp-reset", "r 127.0.0.1:30080 timeout; r b:8080 refused"),
    ("a local process reaches its own address by lo, and nat PREROUTING does not run for it", "iptables -t nat -A PREROUTING -p tcp --dport 9000 -j REDIRECT --to-ports 80", "r ra:9000 refused; a ra:9000 ok at ra:80"),
    ("mangle and filter run for what comes by lo", "iptables -t mangle -A PREROUTING -i lo -p tcp --dport 80 -j DROP\niptables -A INPUT -i lo -p tcp --dport 8080 -j REJECT", "r ra:80 timeout; r ra:8080 refused; r 127.0.0.1:80 timeout"),
    ("SNAT in nat INPUT changes what a local socket sees", "iptables -t nat -A INPUT -p tcp --dport 80 -j SNAT --to-source 10.1.0.99", "a ra:80 ok as 10.1.0.99; a ra:8080 ok as a"),
    ("a nat chain of lower priority wins", "nft 'table ip x { chain c { type nat hook prerouting priority -90; ip daddr 10.96.0.1 tcp dport 80 dnat to 10.2.0.2:8080; }; }'\nnft 'table ip y { chain c { type nat hook prerouting priority -110; ip daddr 10.96.0.1 tcp dport 80 dnat to 10.2.0.2:80; }; }'", f"a {VIP}:80 ok at b:80"),
    ("a nat chain that only accepts leaves the next its turn", "nft 'table ip y { chain c { type nat hook prerouting priority -110; accept; }; }'\nnft 'table ip x { chain c { type nat hook prerouting priority -90; ip daddr 10.96.0.1 tcp dport 80 dnat to 10.2.0.2:8080; }; }'", f"a {VIP}:80 ok at b:8080"),
    ("a nat chain runs at the nat hook whatever its priority", "nft 'table ip x { chain c { type nat hook prerouting priority -150; ip daddr 10.96.0.1 tcp dport 80 dnat to 10.2.0.2:8080; }; chain f { type filter hook prerouting priority -110; ip daddr 10.96.0.1 drop; }; }'", f"a {VIP}:80 timeout"),
    ("a filter chain after the nat hook sees the translation", "nft 'table ip x { chain c { type nat hook prerouting priority -150; ip daddr 10.96.0.1 tcp dport 80 dnat to 10.2.0.2:8080; }; chain f { type filter hook prerouting priority -90; ip daddr 10.96.0.1 drop; }; }'", f"a {VIP}:80 ok at b:8080"),
    ("a nat chain without NAT rules is not even traversed", "nft 'table ip x { chain c { type nat hook prerouting priority -100; tcp dport 80 drop; }; }'", "a b:80 ok"),
    ("a DROP in a nat chain drops", DNAT + "iptables-legacy -t nat -A PREROUTING -p tcp --dport 8080 -j RETURN\nnft 'table ip x { chain c { type nat hook prerouting priority -110; tcp dport 8080 drop; }; }'", f"a b:8080 timeout; a {VIP}:80 ok"),
    ("of two nat chains of one priority the last registered wins: nft after legacy", f"iptables-legacy -t nat -A PREROUTING -d {VIP} -p tcp --dport 80 -j DNAT --to-destination 10.2.0.2:8080\nnft 'table ip x {{ chain c {{ type nat hook prerouting priority -100; ip daddr 10.96.0.1 tcp dport 80 dnat to 10.2.0.2:80; }}; }}'", f"a {VIP}:80 ok at b:80"),
    ("of two nat chains of one table and priority the last made wins", "nft 'table ip x { chain c { type nat hook prerouting priority -100; ip daddr 10.96.0.1 tcp dport 80 dnat to 10.2.0.2:80; }; chain d { type nat hook prerouting priority -100; ip daddr 10.96.0.1 tcp dport 80 dnat to 10.2.0.2:8080; }; }'", f"a {VIP}:80 ok at b:8080"),
    ("of three filter chains of one priority the last made runs first", "nft 'table ip x { chain a { type filter hook forward priority 0; tcp dport 80 meta mark set 1; }; chain b { type filter hook forward priority 0; meta mark 1 drop; }; }; table ip y { chain c { type filter hook forward priority 0; tcp dport 8080 meta mark set 1; }; }'", "a b:80 ok; a b:8080 timeout"),
    ("before the conntrack hook every packet is invalid", "iptables -A FORWARD -m conntrack --ctstate INVALID -j DROP\nnft 'table ip x { chain c { type filter hook prerouting priority -250; ct state invalid tcp dport 80 drop; }; }'", "a b:80 timeout; a b:8080 ok"),
    ("nft ct state untracked is not seen before conntrack", "nft 'table ip x { chain c { type filter hook prerouting priority -250; ct state untracked tcp dport 80 drop; }; chain d { type filter hook forward priority 0; ct state new accept; }; }'", "a b:80 ok"),
    ("nft notrack", "nft 'table ip x { chain c { type filter hook prerouting priority -300; tcp dport 80 notrack; }; chain d { type filter hook forward priority 0; ct state untracked drop; }; }'", "a b:80 timeout; a b:8080 ok"),
    ("nft snat and masquerade", "nft 'table ip x { chain c { type nat hook postrouting priority 100; ip daddr 10.2.0.2 tcp dport 80 snat to 10.2.0.1; ip daddr 10.2.0.2 tcp dport 8080 masquerade; }; }'", "a b:80 ok as rb; a b:8080 ok as rb; a udp/b:53 ok as a"),
    ("nft redirect", "nft 'table ip x { chain c { type nat hook prerouting priority -100; tcp dport 9000 redirect to :8080; }; chain o { type nat hook output priority -100; tcp dport 9000 redirect to :8080; }; }'", "a b:9000 ok at ra:8080; r b:9000 ok at 127.0.0.1:8080"),
    ("nft dnat in an inet table", "nft 'table inet x { chain c { type nat hook prerouting priority -100; ip daddr 10.96.0.1 tcp dport 80 dnat ip to 10.2.0.2:8080; ip6 daddr fd96::1 tcp dport 80 dnat ip6 to [fd02::2]:8080; }; }'\na$ ip -6 route add fd96::/64 via fd01::1", f"a {VIP}:80 ok at b:8080; a [fd96::1]:80 ok at b6:8080"),
    ("nft dnat by a map of numgen takes each of its servers", "nft 'table ip x { chain c { type nat hook prerouting priority -100; ip daddr 10.96.0.1 tcp dport 80 dnat ip addr . port to numgen random mod 2 map { 0 : 10.2.0.2 . 80, 1 : 10.2.0.2 . 8080 }; }; }'", "; ".join([f"a {VIP}:80 ok"] * 8)),
    ("ip6tables DNAT and MASQUERADE", "ip6tables -t nat -A PREROUTING -d fd96::1 -p tcp --dport 80 -j DNAT --to-destination '[fd02::2]:8080'\nip6tables -t nat -A POSTROUTING -d fd02::2 -j MASQUERADE", "a [fd96::1]:80 ok at b6:8080 as rb6; a b6:80 ok as rb6"),
    ("ip6tables REDIRECT", "ip6tables -t nat -A PREROUTING -p tcp --dport 9000 -j REDIRECT --to-ports 8080\nip6tables -t nat -A OUTPUT -p tcp --dport 9000 -j REDIRECT --to-ports 8080", "a b6:9000 ok at ra6:8080; r b6:9000 ok at [::1]:8080"),
    ("statistic splits between two servers", f"iptables -t nat -A PREROUTING -d {VIP} -p tcp -m statistic --mode random --probability 0.5 -j DNAT --to-destination 10.2.0.2:80\niptables -t nat -A PREROUTING -d {VIP} -p tcp -j DNAT --to-destination 10.2.0.2:8080", "; ".join([f"a {VIP}:80 ok"] * 8)),
    ("statistic may send one half nowhere", f"iptables -t nat -A PREROUTING -d {VIP} -p tcp -m statistic --mode random --probability 0.5 -j DNAT --to-destination 10.2.0.2:81\niptables -t nat -A PREROUTING -d {VIP} -p tcp -j DNAT --to-destination 10.2.0.2:80", "; ".join([f"a {VIP}:80 ok|refused"] * 8)),
    ("a refusal behind DNAT is heard", f"iptables -t nat -A PREROUTING -d {VIP} -j DNAT --to-destination 10.2.0.2", f"a {VIP}:81 refused; a udp/{VIP}:54 refused"),
    ("a refusal behind DNAT and MASQUERADE is heard", f"iptables -t nat -A PREROUTING -d {VIP} -j DNAT --to-destination 10.2.0.2\n" + MASQUERADE, f"a {VIP}:81 refused; a udp/{VIP}:54 refused"),
    ("a REJECT behind DNAT is heard", f"iptables -t nat -A PREROUTING -d {VIP} -j DNAT --to-destination 10.2.0.2\niptables -A FORWARD -d 10.2.0.2 -j REJECT", f"a {VIP}:80 refused; a udp/{VIP}:53 refused"),
    ("a REJECT with tcp-reset behind DNAT is heard", f"iptables -t nat -A PREROUTING -d {VIP} -j DNAT --to-destination 10.2.0.2\niptables -A FORWARD -p tcp -j REJECT --reject-with tcp-reset", f"a {VIP}:80 refused"),
    ("RELATED errors pass where only states are accepted", f"iptables -t nat -A PREROUTING -d {VIP} -j DNAT --to-destination 10.2.0.2\n" + MASQUERADE + "iptables -P FORWARD DROP\niptables -A FORWARD -m conntrack --ctstate DNAT,RELATED -j ACCEPT", f"a udp/{VIP}:54 refused; a {VIP}:80 ok as rb"),
    ("xt RETURN in nat ends in the next nat chain", f"iptables-legacy -t nat -A PREROUTING -d {VIP} -j RETURN\niptables -t nat -A PREROUTING -d {VIP} -j DNAT --to-destination 10.2.0.2", f"a {VIP}:80 ok at b:80"),
)  # fmt: skip


@sentences(*NAT)
def test_nat(one: Scene, setup, questions):
    routed(one)
    set_up(one, "r", setup)
    one.check(questions)


MASQUERADE_SOURCES = (
    ("a route's source hint is ignored", "ip addr add 10.2.0.9/32 dev rb\nip route replace 10.2.0.0/24 dev rb src 10.2.0.9", "a b:80 ok as rb; r b:80 ok as 10.2.0.9"),
    ("the address of the next hop's subnet is taken", "ip addr flush dev rb\nip addr add 10.3.0.1/24 dev rb\nip addr add 10.2.0.1/24 dev rb", "a b:80 ok as 10.2.0.1"),
    ("else the first address of the device", "ip addr flush dev rb\nip addr add 10.3.0.1/24 dev rb\nip addr add 10.4.0.1/24 dev rb\nip route add 10.2.0.2 dev rb\nb$ ip route replace default dev eth0", "a b:80 ok as 10.3.0.1"),
    ("secondary addresses are not taken", "ip addr add 10.2.0.9/24 dev rb", "a b:80 ok as rb"),
    ("addresses of scope link are not taken", "ip addr flush dev rb\nip addr add 10.4.0.1/24 dev rb scope link\nip addr add 10.3.0.1/24 dev rb\nip route add 10.2.0.2 dev rb\nb$ ip route replace default dev eth0", "a b:80 ok as 10.3.0.1"),
    ("without an address that of another device is taken", "ip addr flush dev rb\nip route add 10.2.0.2 dev rb", "a b:80 ok|timeout"),
    ("an onlink next hop decides", "ip addr add 10.3.0.1/24 dev rb\nb$ ip addr add 10.3.0.2/24 dev eth0\nip route add 10.2.0.2/32 via 10.3.0.2 dev rb onlink", "a b:80 ok as 10.3.0.1"),
)  # fmt: skip


@sentences(*MASQUERADE_SOURCES)
def test_masquerade_source(one: Scene, setup, questions):
    routed(one)
    set_up(one, "r", MASQUERADE + setup)
    one.check(questions)


@pytest.mark.parametrize("order", ["iptables first", "nft first"])
def test_of_two_nat_chains_of_one_priority_one_wins_and_we_do_not_know_which(one: Scene, order):
    routed(one)
    commands = [
        f"iptables -t nat -A PREROUTING -d {VIP} -p tcp -j DNAT --to-destination 10.2.0.2:80",
        "nft 'table ip x { chain c { type nat hook prerouting priority -100; ip daddr 10.96.0.1 tcp dport 80 dnat to 10.2.0.2:8080; }; }'",
    ]
    set_up(one, "r", "\n".join(commands if order == "iptables first" else commands[::-1]))
    one.check(f"a {VIP}:80 ok")
