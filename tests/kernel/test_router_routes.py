"""A router between two hosts that have two links each: routes, rules, source checks, sizes.

``a`` is 10.1.0.2 on ra and 10.4.0.2 on ra2, ``b`` is 10.2.0.2 on rb and 10.5.0.2 on rb2, and 10.6.0.1 inside.
"""

from tests.kernel.cases import sentences, set_up
from tests.kernel.topologies import Scene, routed

INSIDE = "10.6.0.1"
TABLE = f"ip route add {INSIDE} via 10.2.0.2 table 100\n"
BACK = "ip route add 10.1.0.2/32 via 10.4.0.2 dev ra2\n"
"""The way back to a is another than the way from it."""
KNOWN = "ip link set ra address 02:00:00:00:00:0a\na$ ip neigh replace 10.1.0.1 lladdr 02:00:00:00:00:0a dev eth0 nud permanent\n"
"""a needs not ask by ARP, which rp_filter would not let it."""
SMALL = "ip link set rb mtu 1400\n"


def two_links(one: Scene) -> None:
    """Second links, and an address inside b."""
    lab, router = one.lab, routed(one)
    for host, number in (("a", 4), ("b", 5)):
        lab.cable(host, "eth1", "r", f"r{host}2")
        lab[host].sh(f"ip addr add 10.{number}.0.2/24 dev eth1")
        router.sh(f"ip addr add 10.{number}.0.1/24 dev r{host}2")
        lab.addresses |= {f"r{host}2": f"10.{number}.0.1", f"{host}2": f"10.{number}.0.2"}
    lab["b"].sh(f"ip addr add {INSIDE}/32 dev lo")
    router.sh("sysctl -qw net.ipv6.conf.all.forwarding=1")


ROUTES = (
    ("without a route the network is unreachable", "", f"a {INSIDE}:80 no-net; a udp/{INSIDE}:53 timeout; r {INSIDE}:80 no-net; r udp/{INSIDE}:53 no-net; a [fd06::1]:80 timeout|no-net"),
    ("a route leads there", f"ip route add {INSIDE} via 10.2.0.2", f"a {INSIDE}:80 ok at {INSIDE}:80; r {INSIDE}:80 ok as rb"),
    ("a blackhole is silent, and invalid for a local sender", f"ip route add blackhole {INSIDE}", f"a {INSIDE}:80 timeout; a udp/{INSIDE}:53 timeout; r {INSIDE}:80 invalid; r udp/{INSIDE}:53 invalid"),
    ("an unreachable route says so", f"ip route add unreachable {INSIDE}", f"a {INSIDE}:80 no-host; r {INSIDE}:80 no-host; r udp/{INSIDE}:53 no-host; a udp/{INSIDE}:53 timeout"),
    ("a prohibit route says so", f"ip route add prohibit {INSIDE}", f"a {INSIDE}:80 no-host; r {INSIDE}:80 access; r udp/{INSIDE}:53 access; a udp/{INSIDE}:53 no-host"),
    ("IPv6: null routes", "ip -6 route add unreachable fd06::1\nip -6 route add prohibit fd06::2\nip -6 route add blackhole fd06::3", "r [fd06::1]:80 no-host; r [fd06::2]:80 access; r [fd06::3]:80 invalid; a udp/[fd06::1]:53 timeout; a udp/[fd06::2]:53 access; a udp/[fd06::3]:53 timeout"),
    ("throw goes on with the next rule", f"ip route add throw {INSIDE} table 100\nip rule add lookup 100 pref 10\nip route add {INSIDE} via 10.2.0.2", f"a {INSIDE}:80 ok"),
    ("the longest prefix wins over the metric", f"ip route add {INSIDE}/32 via 10.2.0.2 metric 500\nip route add blackhole 10.6.0.0/24 metric 1", f"a {INSIDE}:80 ok"),
    ("the lowest metric wins", f"ip route add {INSIDE}/32 via 10.2.0.2 metric 10\nip route add blackhole {INSIDE}/32 metric 20", f"a {INSIDE}:80 ok"),
    ("a route to a next hop that does not answer", f"ip route add {INSIDE} via 10.2.0.99", f"a {INSIDE}:80 no-host|timeout; r {INSIDE}:80 no-host|timeout; a udp/{INSIDE}:53 timeout"),
    ("a route by the wrong device finds nobody", "ip route add 10.2.0.2/32 dev ra", "a b:80 no-host|timeout"),
    ("a route to a device that is down is gone", f"ip route add {INSIDE} via 10.5.0.2 dev rb2\nip route add {INSIDE} via 10.2.0.2 metric 50\nip link set rb2 down", f"a {INSIDE}:80 ok"),
    ("a link that is down at the other end is linkdown, and used", f"ip route add {INSIDE} via 10.5.0.2 dev rb2\nip route add {INSIDE} via 10.2.0.2 metric 50\nb$ ip link set eth1 down", f"a {INSIDE}:80 timeout|no-host"),
    ("a linkdown route may be ignored", f"sysctl -qw net.ipv4.conf.rb2.ignore_routes_with_linkdown=1\nip route add {INSIDE} via 10.5.0.2 dev rb2\nip route add {INSIDE} via 10.2.0.2 metric 50\nb$ ip link set eth1 down", f"a {INSIDE}:80 ok"),
    ("of two next hops both are good", f"ip route add {INSIDE} nexthop via 10.2.0.2 nexthop via 10.5.0.2", f"a {INSIDE}:80 ok; a@10.4.0.2 {INSIDE}:80 ok; a {INSIDE}:80*20000 ok"),
    ("of two next hops one is bad", f"ip route add {INSIDE} nexthop via 10.2.0.2 nexthop via 10.5.0.77", f"a {INSIDE}:80 ok|timeout|no-host; a@10.4.0.2 {INSIDE}:80 ok|timeout|no-host"),
    ("an nexthop object leads like a route", f"ip nexthop add id 7 via 10.2.0.2 dev rb\nip route add {INSIDE} nhid 7", f"a {INSIDE}:80 ok"),
    ("a blackhole nexthop is silent", f"ip nexthop add id 7 blackhole\nip route add {INSIDE} nhid 7", f"a {INSIDE}:80 timeout"),
    ("local routes are local whatever their table holds", "ip route add local 10.79.0.0/24 dev lo", "a 10.79.0.5:80 ok at 10.79.0.5:80; a udp/10.79.0.6:53 ok"),
    ("the route's source is taken", f"ip addr add 10.9.0.1/32 dev lo\nip route add {INSIDE} via 10.2.0.2 src 10.9.0.1", f"r {INSIDE}:80 ok as 10.9.0.1"),
    ("without a source the address of the next hop's subnet is taken", f"ip addr flush dev rb\nip addr add 10.3.0.1/24 dev rb\nip addr add 10.2.0.1/24 dev rb\nip route add {INSIDE} via 10.2.0.2", f"r {INSIDE}:80 ok as 10.2.0.1"),
    ("onlink next hops need no subnet", f"ip addr flush dev rb2\nip route add {INSIDE} via 10.2.0.2 dev rb onlink", f"a {INSIDE}:80 ok"),
    ("0.0.0.0/0 of IPv4 says nothing of IPv6", "ip route add default via 10.2.0.2\nip -6 route add unreachable default metric 1", f"a {INSIDE}:80 ok; a udp/[fd06::1]:53 timeout"),
    ("::/0 of IPv6 says nothing of IPv4", "ip -6 route add default via fd02::2\nb$ ip addr add fd06::1/128 dev lo", f"a {INSIDE}:80 no-net; a [fd06::1]:80 ok"),
    ("a TTL that runs out is told", "iptables -t mangle -A PREROUTING -i ra -p tcp --dport 80 -j TTL --ttl-set 1\niptables -t mangle -A PREROUTING -i ra -p udp -j TTL --ttl-set 1\niptables -t mangle -A PREROUTING -i ra -p tcp --dport 8080 -j TTL --ttl-set 2", "a b:80 no-host; a udp/b:53 timeout; a b:8080 ok"),
    ("routes in a circle end by the TTL", f"ip route add {INSIDE} via 10.1.0.2\na$ sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.send_redirects=0", f"a {INSIDE}:80 no-host|timeout"),
)  # fmt: skip

RULES = (
    ("iif chooses by the way in", TABLE + "ip rule add iif ra lookup 100", f"a {INSIDE}:80 ok; a@10.4.0.2 {INSIDE}:80 ok; r {INSIDE}:80 no-net"),
    ("iif lo is what starts here", TABLE + "ip rule add iif lo lookup 100", f"a {INSIDE}:80 no-net; r {INSIDE}:80 ok"),
    ("from chooses by the source", TABLE + "ip rule add from 10.1.0.0/24 lookup 100\nb$ ip route add 10.4.0.0/24 via 10.2.0.1", f"a@10.1.0.2 {INSIDE}:80 ok; a@10.4.0.2 {INSIDE}:80 no-net; r@10.1.0.1 {INSIDE}:80 ok; r {INSIDE}:80 no-net"),
    ("not from chooses the others", TABLE + "ip rule add not from 10.1.0.0/24 lookup 100", f"a@10.1.0.2 {INSIDE}:80 no-net; a@10.4.0.2 {INSIDE}:80 ok"),
    ("to chooses by the destination", TABLE + "ip rule add to 10.6.0.0/16 lookup 100", f"a {INSIDE}:80 ok"),
    ("fwmark chooses with its mask", TABLE + "ip rule add fwmark 0x10/0x10 lookup 100\niptables -t mangle -A PREROUTING -p tcp --dport 80 -j MARK --set-mark 0x11", f"a {INSIDE}:80 ok; a {INSIDE}:8080 no-net"),
    ("marks in mangle PREROUTING route", TABLE + "ip rule add fwmark 1 lookup 100\niptables -t mangle -A PREROUTING -j MARK --set-mark 1", f"a {INSIDE}:80 ok"),
    ("marks in mangle FORWARD do not route", f"ip route add {INSIDE} via 10.2.0.2\nip route add blackhole {INSIDE} table 100\nip rule add fwmark 1 lookup 100\niptables -t mangle -A FORWARD -j MARK --set-mark 1", f"a {INSIDE}:80 ok"),
    ("marks in mangle OUTPUT route anew", f"ip route add {INSIDE} via 10.5.0.77\n" + TABLE + "ip rule add fwmark 1 lookup 100\niptables -t mangle -A OUTPUT -p tcp --dport 80 -j MARK --set-mark 1", f"r {INSIDE}:80 ok as rb2; r {INSIDE}:8080 no-host|timeout"),
    ("marks in nft route chains of output route anew", f"ip route add {INSIDE} via 10.5.0.77\n" + TABLE + "ip rule add fwmark 1 lookup 100\nnft 'table ip x { chain c { type route hook output priority -150; tcp dport 80 meta mark set 1; }; }'", f"r {INSIDE}:80 ok as rb2; r {INSIDE}:8080 no-host|timeout"),
    ("marks in nft filter chains of output do not", f"ip route add {INSIDE} via 10.2.0.2\nip route add blackhole {INSIDE} table 100\nip rule add fwmark 1 lookup 100\nnft 'table ip x {{ chain c {{ type filter hook output priority 0; tcp dport 80 meta mark set 1; }}; }}'", f"r {INSIDE}:80 ok"),
    ("in OUTPUT -o is the first route's device, even after NAT", f"ip route add {INSIDE} via 10.5.0.2\niptables -t nat -A OUTPUT -d {INSIDE} -j DNAT --to-destination 10.2.0.2\niptables -A OUTPUT -o rb -p tcp --dport 80 -j DROP\niptables -A OUTPUT -o rb2 -p tcp --dport 8080 -j DROP", f"r {INSIDE}:80 ok; r {INSIDE}:8080 timeout"),
    ("in POSTROUTING -o is the second route's device", f"ip route add {INSIDE} via 10.5.0.2\niptables -t nat -A OUTPUT -d {INSIDE} -j DNAT --to-destination 10.2.0.2\niptables -t mangle -A POSTROUTING -o rb -p tcp --dport 80 -j DROP\niptables -t mangle -A POSTROUTING -o rb2 -p tcp --dport 8080 -j DROP", f"r {INSIDE}:80 timeout; r {INSIDE}:8080 ok"),
    ("in filter OUTPUT -o is the first route's device, even after a mark", f"ip route add {INSIDE} via 10.5.0.2\n" + TABLE + "ip rule add fwmark 1 lookup 100\niptables -t mangle -A OUTPUT -j MARK --set-mark 1\niptables -A OUTPUT -o rb -p tcp --dport 80 -j DROP\niptables -A OUTPUT -o rb2 -p tcp --dport 8080 -j DROP", f"r {INSIDE}:80 ok; r {INSIDE}:8080 timeout"),
    ("a mark in raw OUTPUT does not route anew by itself", f"ip route add {INSIDE} via 10.2.0.2\nip route add blackhole {INSIDE} table 100\nip rule add fwmark 1 lookup 100\niptables -t raw -A OUTPUT -j MARK --set-mark 1", f"r {INSIDE}:80 ok"),
    ("suppress_prefixlength 0 ignores the default route", "ip route add default via 10.5.0.77\nip rule add lookup main suppress_prefixlength 0 pref 10\nip rule add lookup 100 pref 20\n" + TABLE, f"a {INSIDE}:80 ok; a b:80 ok"),
    ("a rule may be unreachable", f"ip route add {INSIDE} via 10.2.0.2\nip rule add iif ra to {INSIDE} unreachable", f"a@10.1.0.2 {INSIDE}:80 no-net; r {INSIDE}:80 ok"),
    ("a rule may be a blackhole", f"ip route add {INSIDE} via 10.2.0.2\nip rule add to {INSIDE} blackhole", f"a {INSIDE}:80 timeout; r {INSIDE}:80 invalid"),
    ("a rule may prohibit", f"ip route add {INSIDE} via 10.2.0.2\nip rule add to {INSIDE} prohibit", f"a {INSIDE}:80 no-host; r {INSIDE}:80 access"),
    ("goto skips rules", TABLE + f"ip rule add pref 10 goto 30\nip rule add pref 20 to {INSIDE} blackhole\nip rule add pref 30 lookup 100", f"a {INSIDE}:80 ok"),
    ("nop does nothing", TABLE + f"ip rule add pref 10 to {INSIDE} nop\nip rule add pref 30 lookup 100", f"a {INSIDE}:80 ok"),
    ("dport chooses", TABLE + "ip rule add ipproto tcp dport 80 lookup 100", f"a {INSIDE}:80 ok; a {INSIDE}:8080 no-net; r {INSIDE}:80 ok; r {INSIDE}:8080 no-net"),
    ("dport ranges and sport choose", TABLE + "ip rule add ipproto tcp dport 8000-9000 lookup 100\nip rule add ipproto udp sport 2000 lookup 100", f"a {INSIDE}:80 no-net; a {INSIDE}:8080 ok; a#2000 udp/{INSIDE}:53 ok"),
    ("ipproto chooses", TABLE + "ip rule add ipproto udp lookup 100", f"a udp/{INSIDE}:53 ok; a {INSIDE}:80 no-net"),
    ("uidrange chooses by the sender, and what is forwarded is root's", TABLE + "ip rule add uidrange 0-0 lookup 100", f"r {INSIDE}:80 ok; a {INSIDE}:80 ok"),
    ("another uidrange does not", TABLE + "ip rule add uidrange 7-9 lookup 100", f"r {INSIDE}:80 no-net; a {INSIDE}:80 no-net"),
    ("from chooses once the source is known", f"ip route add {INSIDE} via 10.2.0.2\nip rule add from 10.2.0.1 to {INSIDE} unreachable", f"r {INSIDE}:80 no-net; r udp/{INSIDE}:53 no-net"),
    ("a podCIDR rule to an unreachable table stops forwarding only", "ip route add unreachable default table 100\nip rule add from 10.1.0.0/24 lookup 100 pref 100", "a b:80 no-host; r b:80 ok"),
    ("IPv6 rules choose like those of IPv4", "b$ ip addr add fd06::1/128 dev lo\nip -6 route add fd06::1 via fd02::2 table 100\nip -6 rule add iif ra lookup 100", "a [fd06::1]:80 ok; r [fd06::1]:80 no-net"),
    ("the reply is routed by rules too", TABLE + "ip rule add iif ra lookup 100\nip rule add iif rb to 10.1.0.2 blackhole", f"a@10.1.0.2 {INSIDE}:80 timeout; a@10.4.0.2 {INSIDE}:80 ok"),
)  # fmt: skip

CHECKS = (
    ("without rp_filter the way back does not matter", BACK, "a@10.1.0.2 b:80 ok"),
    ("strict rp_filter wants the way back by the same device", BACK + "sysctl -qw net.ipv4.conf.ra.rp_filter=1", "a@10.1.0.2 b:80 no-host; a@10.4.0.2 b:80 no-host"),
    ("all.rp_filter counts for every device", BACK + "sysctl -qw net.ipv4.conf.all.rp_filter=1", "a@10.1.0.2 b:80 no-host"),
    ("loose rp_filter wants any way back", BACK + "sysctl -qw net.ipv4.conf.ra.rp_filter=2", "a@10.1.0.2 b:80 ok"),
    ("the higher of all and device counts: loose over strict", BACK + "sysctl -qw net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.ra.rp_filter=2", "a@10.1.0.2 b:80 ok"),
    ("loose rp_filter drops what has no way back", "a$ ip addr add 10.99.0.1/32 dev lo\niptables -t nat -A POSTROUTING -o rb -j MASQUERADE\nsysctl -qw net.ipv4.conf.ra.rp_filter=2", "a@10.99.0.1 b:80 timeout; a@10.1.0.2 b:80 ok as rb"),
    ("rp_filter counts for what is delivered here", BACK + "sysctl -qw net.ipv4.conf.ra.rp_filter=1", "a@10.1.0.2 ra:80 timeout|no-host; a@10.1.0.2 rb:80 timeout|no-host"),
    ("rp_filter of the client drops replies that come in by another device", BACK + "a$ sysctl -qw net.ipv4.conf.eth1.rp_filter=1", "a@10.1.0.2 b:80 timeout"),
    ("src_valid_mark makes rp_filter look by the mark", BACK + KNOWN + "ip route add 10.1.0.2 dev ra table 100\nip rule add fwmark 1 lookup 100\niptables -t mangle -A PREROUTING -i ra -j MARK --set-mark 1\nsysctl -qw net.ipv4.conf.ra.rp_filter=1 net.ipv4.conf.ra.src_valid_mark=1\nip route add default via 10.2.0.2 table 100", "a@10.1.0.2 b:80 ok"),
    ("without src_valid_mark rp_filter looks without the mark", BACK + KNOWN + "ip route add 10.1.0.2 dev ra table 100\nip rule add fwmark 1 lookup 100\niptables -t mangle -A PREROUTING -i ra -j MARK --set-mark 1\nsysctl -qw net.ipv4.conf.ra.rp_filter=1\nip route add default via 10.2.0.2 table 100", "a@10.1.0.2 b:80 timeout"),
    ("xt rpfilter --invert drops what came in elsewhere", BACK + "iptables -t raw -A PREROUTING -m rpfilter --invert -j DROP", "a@10.1.0.2 b:80 timeout; a@10.4.0.2 b:80 ok|timeout"),
    ("xt rpfilter --loose", BACK + "iptables -t raw -A PREROUTING -m rpfilter --loose --invert -j DROP", "a@10.1.0.2 b:80 ok"),
    ("nft fib missing drops what came in elsewhere", BACK + "nft 'table ip x { chain c { type filter hook prerouting priority -300; fib saddr . iif oif missing drop; }; }'", "a@10.1.0.2 b:80 timeout; b a2:80 timeout; a b2:80 timeout; r b:80 ok"),
    ("nft fib by the mark", BACK + "nft 'table ip x { chain c { type filter hook prerouting priority -300; fib saddr . mark . iif oif 0 drop; }; }'", "a@10.1.0.2 b:80 timeout; r a:80 ok; r b:80 ok"),
    ("nft fib oif exists", "nft 'table ip x { chain c { type filter hook prerouting priority -300; fib daddr oif missing tcp dport 80 drop; }; }'", f"a b:80 ok; a {INSIDE}:8080 no-net; a {INSIDE}:80 timeout"),
    ("nft fib oif is a device", "nft 'table ip x { chain c { type filter hook prerouting priority -300; fib daddr oifname rb tcp dport 80 drop; }; }'", "a b:80 timeout; a b2:80 ok; a b:8080 ok"),
    ("nft fib daddr type", "nft 'table ip x { chain c { type filter hook prerouting priority -300; fib daddr type local tcp dport 80 drop; fib daddr type unicast tcp dport 8080 drop; }; }'", "a ra:80 timeout; a rb:80 timeout; a b:80 ok; a b:8080 timeout; a ra:8080 ok"),
    ("nft fib daddr type by the device", "nft 'table ip x { chain c { type filter hook prerouting priority -300; fib daddr . iif type local tcp dport 80 drop; }; }'", "a ra:80 timeout; a rb:80 ok"),
    ("nft fib saddr type in OUTPUT", "nft 'table ip x { chain c { type filter hook output priority 0; fib saddr type local tcp dport 80 drop; }; }'", "r b:80 timeout; a b:80 ok"),
    ("addrtype by the local table", "iptables -t mangle -A PREROUTING -m addrtype --dst-type LOCAL -p tcp --dport 80 -j DROP\niptables -t mangle -A PREROUTING -m addrtype --dst-type UNICAST -p tcp --dport 8080 -j DROP", "a ra:80 timeout; a rb:80 timeout; a b:80 ok; a b:8080 timeout; a ra:8080 ok"),
    ("addrtype of the source", "iptables -A OUTPUT -m addrtype --src-type LOCAL -p tcp --dport 80 -j DROP\niptables -A FORWARD -m addrtype --src-type LOCAL -j DROP", "r b:80 timeout; a b:80 ok"),
    ("addrtype limited to the device", "iptables -t mangle -A PREROUTING -m addrtype --dst-type LOCAL --limit-iface-in -p tcp --dport 80 -j DROP", "a ra:80 timeout; a rb:80 ok"),
    ("addrtype of a local route", "ip route add local 10.79.0.0/24 dev lo\niptables -t mangle -A PREROUTING -m addrtype ! --dst-type LOCAL -p tcp --dport 80 -j DROP", "a 10.79.0.5:80 ok; a b:80 timeout"),
    ("a blackhole is UNICAST for addrtype", f"ip route add blackhole {INSIDE}\niptables -t mangle -A PREROUTING -m addrtype --dst-type BLACKHOLE -j ACCEPT\niptables -t nat -A PREROUTING -m addrtype --dst-type UNICAST -d {INSIDE} -j DNAT --to-destination 10.2.0.2", f"a {INSIDE}:80 ok at b:80"),
    ("ip_forward 0 is silent", "sysctl -qw net.ipv4.ip_forward=0", "a b:80 timeout; a ra:80 ok; a rb:80 ok; r b:80 ok"),
    ("forwarding is a switch of the way in", "sysctl -qw net.ipv4.conf.ra.forwarding=0", "a@10.1.0.2 b:80 timeout; b a:80 timeout; a@10.4.0.2 b:80 timeout|ok"),
    ("forwarding of one device is enough for its direction", "sysctl -qw net.ipv4.ip_forward=0 net.ipv4.conf.ra.forwarding=1 net.ipv4.conf.rb.forwarding=1", "a@10.1.0.2 b:80 ok"),
    ("forwarding off and no route is silent", "sysctl -qw net.ipv4.ip_forward=0", f"a {INSIDE}:80 timeout; a udp/{INSIDE}:53 timeout"),
    ("IPv6 forwards by the switch for all", "sysctl -qw net.ipv6.conf.all.forwarding=0", "a b6:80 timeout; a ra6:80 ok; r b6:80 ok; a b:80 ok"),
    ("the source may not be an address of the router, not in ARP either", "a$ ip addr add 10.2.0.1/32 dev lo", "a@10.2.0.1 b:80 no-host"),
    ("a foreign destination MAC is for another host", "a$ ip neigh replace 10.1.0.1 lladdr 02:00:00:00:00:99 dev eth0 nud permanent", "a@10.1.0.2 b:80 timeout; a ra:80 timeout"),
    ("a wrong neighbour of the router", "ip neigh replace 10.2.0.2 lladdr 02:00:00:00:00:99 dev rb nud permanent", "a b:80 timeout; r b:80 timeout"),
    ("arp_ignore 1 answers for the device's own addresses", f"ip route add {INSIDE}/32 dev rb\nb$ sysctl -qw net.ipv4.conf.eth0.arp_ignore=1", f"a {INSIDE}:80 no-host|timeout"),
    ("arp_ignore 0 answers for any own address", f"ip route add {INSIDE}/32 dev rb", f"a {INSIDE}:80 ok"),
    ("arp_ignore 2 wants an asker of the same subnet", f"ip route add {INSIDE}/32 dev rb\nb$ sysctl -qw net.ipv4.conf.eth0.arp_ignore=2", f"a {INSIDE}:80 no-host|timeout; a b:80 ok"),
    ("arp_ignore 8 answers nobody", "b$ sysctl -qw net.ipv4.conf.eth0.arp_ignore=8", "a b:80 no-host|timeout; a b2:80 ok"),
    ("arp_filter answers where the way back is", "b$ ip route add 10.2.0.1/32 dev eth1; sysctl -qw net.ipv4.conf.eth0.arp_filter=1", "r b:80 no-host|timeout; a b:80 no-host|timeout"),
    ("arp_filter answers by the right device", "b$ sysctl -qw net.ipv4.conf.eth0.arp_filter=1", "r b:80 ok; a b:80 ok"),
    ("arp_announce 2 asks for the device's own address", "ip addr add 10.9.0.1/32 dev lo\nb$ ip route add 10.9.0.1/32 via 10.5.0.1; sysctl -qw net.ipv4.conf.eth0.rp_filter=1\nsysctl -qw net.ipv4.conf.rb.arp_announce=2", "r@10.9.0.1 b:80 timeout"),
    ("arp_announce 0 asks for the packet's source", "ip addr add 10.9.0.1/32 dev lo\nb$ ip route add 10.9.0.1/32 via 10.5.0.1; sysctl -qw net.ipv4.conf.eth0.rp_filter=1", "r@10.9.0.1 b:80 no-host"),
    ("arp_announce 1 asks for the packet's source within its subnet only", "ip addr add 10.9.0.1/32 dev lo\nb$ ip route add 10.9.0.1/32 via 10.5.0.1; sysctl -qw net.ipv4.conf.eth0.rp_filter=1\nsysctl -qw net.ipv4.conf.rb.arp_announce=1", "r@10.9.0.1 b:80 timeout"),
    ("proxy_arp answers for what is routed elsewhere", "a$ ip route flush dev eth0; ip route add 10.2.0.0/24 dev eth0 src 10.1.0.2\nip link set ra down; ip link set ra up\nsysctl -qw net.ipv4.conf.ra.proxy_arp=1\n", "a@10.1.0.2 b:80 ok"),
    ("without proxy_arp nobody answers", "a$ ip route flush dev eth0; ip route add 10.2.0.0/24 dev eth0 src 10.1.0.2", "a@10.1.0.2 b:80 no-host|timeout"),
)  # fmt: skip

SIZES = (
    ("the router tells of a smaller way out", SMALL, "a b:80*30000 ok; a b:80 ok"),
    ("a smaller way out whose error is dropped is a black hole", SMALL + "iptables -A OUTPUT -p icmp -j DROP", "a b:80*30000 hangs; a b:80 ok"),
    ("a client that drops errors does not learn the MTU", SMALL + "a$ iptables -A INPUT -p icmp -j DROP", "a b:80*30000 hangs"),
    ("a route has an MTU of its own", "ip route replace 10.2.0.0/24 dev rb mtu 1400\niptables -A OUTPUT -p icmp -j DROP", "a b:80*30000 hangs; a b2:80*30000 ok"),
    ("an end of a veth takes no longer frames than its MTU", "b$ ip link set eth0 mtu 1300", "a udp/b:53*1400 timeout; a udp/b:53*1200 ok; a b:80*30000 ok"),
    ("the smaller MTU of a server is told in its SYN-ACK", "b$ ip link set eth0 mtu 1300\niptables -A OUTPUT -p icmp -j DROP", "a b:80*30000 ok"),
    ("IPv6: the router tells of a smaller way out", SMALL, "a b6:80*30000 ok"),
    ("IPv6: a smaller way out whose error is dropped is a black hole", SMALL + "ip6tables -A OUTPUT -p icmpv6 --icmpv6-type packet-too-big -j DROP", "a b6:80*30000 hangs; a b6:80 ok"),
    ("clamping to the path MTU both ways saves a black hole", SMALL + "iptables -A OUTPUT -p icmp -j DROP\niptables -t mangle -A FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu", "a b:80*30000 ok"),
    ("clamping what goes out limits only what comes back", SMALL + "iptables -A OUTPUT -p icmp -j DROP\niptables -t mangle -A FORWARD -o rb -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu", "a b:80*30000 hangs"),
    ("a fixed MSS saves a black hole", SMALL + "iptables -A OUTPUT -p icmp -j DROP\niptables -t mangle -A FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --set-mss 1300", "a b:80*30000 ok"),
    ("a fixed MSS that is too large saves nothing", SMALL + "iptables -A OUTPUT -p icmp -j DROP\niptables -t mangle -A FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --set-mss 1440", "a b:80*30000 hangs"),
    ("nft clamps too", SMALL + "iptables -A OUTPUT -p icmp -j DROP\nnft 'table ip x { chain c { type filter hook forward priority -150; tcp flags syn tcp option maxseg size set rt mtu; }; }'", "a b:80*30000 ok"),
    ("nft sets an MSS", SMALL + "iptables -A OUTPUT -p icmp -j DROP\nnft 'table ip x { chain c { type filter hook forward priority -150; tcp flags syn / syn,rst tcp option maxseg size set 1300; }; }'", "a b:80*30000 ok"),
    ("both sides may be small", "ip link set rb mtu 1400\nip link set ra mtu 1300", "a b:80*30000 ok; b a:80*30000 ok"),
    ("a smaller way back is told to the server", "ip link set ra mtu 1400", "a b:80*30000 ok"),
    ("a smaller way back whose error is dropped is a black hole", "ip link set ra mtu 1400\nb$ iptables -A INPUT -p icmp -j DROP", "a b:80*30000 hangs; a b:80 ok"),
    ("behind DNAT and MASQUERADE the error still finds the client", SMALL + "iptables -t nat -A PREROUTING -d 10.96.0.1 -j DNAT --to-destination 10.2.0.2\niptables -t nat -A POSTROUTING -o rb -j MASQUERADE", "a 10.96.0.1:80*30000 ok as rb"),
    ("a datagram larger than the MTU is fragmented", "", "a udp/b:53*3000 ok"),
)  # fmt: skip


@sentences(*ROUTES)
def test_routes(one: Scene, setup, questions):
    two_links(one)
    set_up(one, "r", setup)
    one.check(questions)


@sentences(*RULES)
def test_rules(one: Scene, setup, questions):
    two_links(one)
    set_up(one, "r", setup)
    one.check(questions)


@sentences(*CHECKS)
def test_checks(one: Scene, setup, questions):
    two_links(one)
    set_up(one, "r", setup)
    one.check(questions)


@sentences(*SIZES)
def test_sizes(one: Scene, setup, questions):
    two_links(one)
    set_up(one, "r", setup)
    one.check(questions)
