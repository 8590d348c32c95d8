"""Sets in rules: ipset's types, and those of nft."""

from tests.kernel.cases import sentences, set_up
from tests.kernel.topologies import Scene, routed

DROP = "iptables -A FORWARD -i ra -m set --match-set s "
SETS = (
    ("hash:ip", "ipset create s hash:ip; ipset add s 10.2.0.2\n" + DROP + "dst -j DROP", "a b:80 timeout; a udp/b:53 timeout"),
    ("hash:ip of the source", "ipset create s hash:ip; ipset add s 10.2.0.2\n" + DROP + "src -j DROP", "a b:80 ok"),
    ("hash:net holds subnets", "ipset create s hash:net; ipset add s 10.2.0.0/24\n" + DROP + "dst -j DROP", "a b:80 timeout"),
    ("hash:net: the most specific entry decides", "ipset create s hash:net; ipset add s 10.2.0.0/16; ipset add s 10.2.0.2/32 nomatch\n" + DROP + "dst -j DROP", "a b:80 ok"),
    ("hash:net: a nomatch entry can be matched", "ipset create s hash:net; ipset add s 10.2.0.0/16; ipset add s 10.2.0.2/32 nomatch\n" + DROP + "dst --return-nomatch -j DROP", "a b:80 timeout"),
    ("hash:net: all is two halves", "ipset create s hash:net; ipset add s 0.0.0.0/1; ipset add s 128.0.0.0/1\n" + DROP + "dst -j DROP", "a b:80 timeout"),
    ("hash:ip,port", "ipset create s hash:ip,port; ipset add s 10.2.0.2,tcp:80\n" + DROP + "dst,dst -j DROP", "a b:80 timeout; a b:8080 ok; a udp/b:53 ok"),
    ("hash:ip,port,ip", "ipset create s hash:ip,port,ip; ipset add s 10.2.0.2,tcp:80,10.1.0.2\n" + DROP + "dst,dst,src -j DROP", "a b:80 timeout; a b:8080 ok"),
    ("hash:ip,port,net", "ipset create s hash:ip,port,net; ipset add s 10.2.0.2,tcp:80,10.1.0.0/24\n" + DROP + "dst,dst,src -j DROP", "a b:80 timeout; a b:8080 ok"),
    ("hash:net,port", "ipset create s hash:net,port; ipset add s 10.2.0.0/24,udp:53; ipset add s 10.2.0.0/24,tcp:8000-9000\n" + DROP + "dst,dst -j DROP", "a b:80 ok; a b:8080 timeout; a udp/b:53 timeout; a udp/b:5353 ok"),
    ("hash:net,iface", "ipset create s hash:net,iface; ipset add s 10.2.0.0/24,rb\n" + DROP + "dst,dst -j DROP", "a b:80 timeout"),
    ("bitmap:port takes either protocol", "ipset create s bitmap:port range 0-10000; ipset add s 80; ipset add s 53\n" + DROP + "dst -j DROP", "a b:80 timeout; a udp/b:53 timeout; a b:8080 ok"),
    ("bitmap:ip", "ipset create s bitmap:ip range 10.2.0.0/24; ipset add s 10.2.0.2-10.2.0.9\n" + DROP + "dst -j DROP", "a b:80 timeout"),
    ("list:set is any of its members", "ipset create t hash:ip; ipset create u hash:ip; ipset add u 10.2.0.2; ipset create s list:set; ipset add s t; ipset add s u\n" + DROP + "dst -j DROP", "a b:80 timeout"),
    ("an empty set matches nothing", "ipset create s hash:ip\n" + DROP + "dst -j DROP", "a b:80 ok"),
    ("a negated set", "ipset create s hash:ip,port; ipset add s 10.2.0.2,tcp:80\niptables -A FORWARD -i ra -m set ! --match-set s dst,dst -j DROP", "a b:80 ok; a b:8080 timeout; a udp/b:53 timeout"),
    ("a set of the other family matches nothing", "ipset create s hash:ip family inet6; ipset add s fd02::2\nip6tables -A FORWARD -m set --match-set s dst -j DROP", "a b6:80 timeout; a b:80 ok"),
    ("entries may time out", "ipset create s hash:ip timeout 100; ipset add s 10.2.0.2 timeout 50\n" + DROP + "dst -j DROP", "a b:80 timeout"),
    ("iptables-legacy reads the same sets", "ipset create s hash:ip; ipset add s 10.2.0.2\niptables-legacy -A FORWARD -m set --match-set s dst -p tcp --dport 80 -j DROP", "a b:80 timeout; a b:8080 ok"),
    ("nft: a set of addresses", "nft 'table ip t { set s { type ipv4_addr; elements = { 10.2.0.2 }; }; chain c { type filter hook forward priority 0; ip daddr @s tcp dport 80 drop; }; }'", "a b:80 timeout; a b:8080 ok"),
    ("nft: a set of intervals", "nft 'table ip t { set s { type ipv4_addr; flags interval; elements = { 10.2.0.0/24, 10.9.0.1-10.9.0.9 }; }; chain c { type filter hook forward priority 0; ip daddr @s tcp dport { 80, 1000-2000 } drop; }; }'", "a b:80 timeout; a b:8080 ok"),
    ("nft: a concatenation", "nft 'table ip t { set s { type ipv4_addr . inet_proto . inet_service; elements = { 10.2.0.2 . tcp . 80, 10.2.0.2 . udp . 53 }; }; chain c { type filter hook forward priority 0; ip daddr . meta l4proto . th dport @s drop; }; }'", "a b:80 timeout; a udp/b:53 timeout; a b:8080 ok"),
    ("nft: a concatenation of intervals", "nft 'table ip t { set s { type ipv4_addr . inet_service; flags interval; elements = { 10.2.0.0/24 . 70-90, 10.1.0.2 . 1-65535 }; }; chain c { type filter hook forward priority 0; ip daddr . tcp dport @s drop; }; }'", "a b:80 timeout; a b:8080 timeout"),
    ("nft: a verdict map", "nft 'table ip t { chain x { tcp dport 80 drop; }; chain c { type filter hook forward priority 0; ip daddr . meta l4proto vmap { 10.2.0.2 . tcp : jump x, 10.2.0.2 . udp : drop }; tcp dport 8080 reject; }; }'", "a b:80 timeout; a b:8080 refused; a udp/b:53 timeout"),
    ("nft: a named verdict map of goto", "nft 'table ip t { map m { type inet_service : verdict; elements = { 80 : goto x, 8080 : accept }; }; chain x { counter; }; chain c { type filter hook forward priority 0; policy drop; iifname ra tcp dport vmap @m; oifname ra accept; }; }'", "a b:80 timeout; a b:8080 ok"),
    ("nft: a map of marks", "nft 'table ip t { chain c { type filter hook prerouting priority -150; meta mark set tcp dport map { 80 : 1, 8080 : 2 }; }; chain f { type filter hook forward priority 0; meta mark 1 drop; }; }'", "a b:80 timeout; a b:8080 ok; a udp/b:53 ok"),
    ("nft: a negated set", "nft 'table ip t { chain c { type filter hook forward priority 0; iifname ra tcp dport != { 80, 443 } drop; }; }'", "a b:80 ok; a b:8080 timeout; a udp/b:53 ok"),
    ("nft: comparisons", "nft 'table ip t { chain c { type filter hook forward priority 0; iifname ra tcp dport > 1000 drop; iifname ra udp dport <= 53 drop; iifname ra udp dport 5000-6000 drop; }; }'", "a b:80 ok; a b:8080 timeout; a udp/b:53 timeout; a udp/b:5353 timeout"),
    ("nft: marks by bits", "nft 'table ip t { chain c { type filter hook prerouting priority -150; meta mark set 0x30; meta mark set meta mark | 0x4; tcp dport 8080 meta mark set meta mark ^ 0x10; }; chain f { type filter hook forward priority 0; meta mark & 0x14 == 0x14 tcp dport 1-9000 drop; }; }'", "a b:80 timeout; a b:8080 ok"),
    ("nft: ct marks", "nft 'table ip t { chain c { type filter hook prerouting priority -150; tcp dport 80 ct mark set 7; meta mark set ct mark; }; chain f { type filter hook forward priority 0; iifname rb meta mark 7 drop; }; }'", "a b:80 timeout; a b:8080 ok"),
    ("nft: ct state by a verdict map", "nft 'table ip t { chain c { type filter hook forward priority 0; policy drop; ct state vmap { established : accept, related : accept, new : jump n }; }; chain n { tcp dport 80 accept; }; }'", "a b:80 ok; a b:8080 timeout; b a:80 ok; a b:80*20000 ok"),
    ("nft: ct original daddr", "nft 'table ip t { chain n { type nat hook prerouting priority -100; ip daddr 10.96.0.1 dnat to 10.2.0.2; }; chain f { type filter hook forward priority 0; ct original ip daddr 10.96.0.1 meta l4proto tcp ct original proto-dst 80 drop; }; }'", "a 10.96.0.1:80 timeout; a 10.96.0.1:8080 ok; a b:80 ok"),
    ("nft: ct direction", "nft 'table ip t { chain f { type filter hook forward priority 0; ct direction reply tcp sport 80 drop; }; }'", "a b:80 timeout; a b:8080 ok"),
    ("nft: tcp flags", "nft 'table ip t { chain f { type filter hook forward priority 0; tcp dport 80 tcp flags syn / fin,syn,rst,ack drop; tcp sport 8080 tcp flags & (syn | ack) == (syn | ack) drop; }; }'", "a b:80 timeout; a b:8080 timeout"),
    ("nft: tcp flags of either kind", "nft 'table ip t { chain f { type filter hook forward priority 0; tcp dport 80 tcp flags & (fin | rst) != 0 drop; tcp dport 8080 tcp flags == syn drop; }; }'", "a b:80 ok; a b:8080 timeout"),
    ("nft: a set of flags", "nft 'table ip t { chain f { type filter hook forward priority 0; tcp dport 80 tcp flags { syn, fin } drop; tcp dport 8080 tcp flags { fin, rst } drop; }; }'", "a b:80 timeout; a b:8080 ok"),
    ("nft: meta skuid in OUTPUT", "nft 'table ip t { chain f { type filter hook output priority 0; meta skuid 0 tcp dport 80 drop; meta skuid 1-9 tcp dport 8080 drop; }; }'", "r b:80 timeout; r b:8080 ok"),
    ("nft: devices by wildcard and set", "nft 'table ip t { chain f { type filter hook forward priority 0; iifname \"ra*\" oifname { rb, rc } tcp dport 80 drop; iif ra tcp dport 8080 drop; }; }'", "a b:80 timeout; a b:8080 timeout; b a:80 ok"),
    ("nft: the other family", "nft 'table inet t { chain f { type filter hook forward priority 0; meta nfproto ipv6 tcp dport 80 drop; ip6 daddr fd02::/64 tcp dport 8080 drop; ip daddr 10.2.0.2 udp dport 53 drop; }; }'", "a b:80 ok; a b6:80 timeout; a b6:8080 timeout; a b:8080 ok; a udp/b:53 timeout; a udp/b6:53 ok"),
    ("nft: reject by type", "nft 'table inet t { chain f { type filter hook forward priority 0; tcp dport 80 reject with tcp reset; tcp dport 8080 reject with icmp admin-prohibited; udp dport 53 reject with icmp port-unreachable; }; }'", "a b:80 refused; a b:8080 no-host; a udp/b:53 refused; a b6:80 refused; a b6:8080 ok"),
    ("nft: reject in prerouting", "nft 'table ip t { chain f { type filter hook prerouting priority 0; tcp dport 80 reject with tcp reset; udp dport 53 reject; }; }'", "a b:80 refused; a udp/b:53 refused; a ra:80 refused"),
    ("nft: a dynamic set", "nft 'table ip t { set s { type ipv4_addr; flags dynamic,timeout; timeout 60s; }; chain f { type filter hook forward priority 0; tcp dport 80 update @s { ip saddr } drop; }; }'", "a b:80 timeout; a b:8080 ok"),
    ("nft: limits", "nft 'table ip t { chain f { type filter hook forward priority 0; tcp dport 80 limit rate over 1000/second drop; tcp dport 8080 limit rate 1000/second accept; tcp dport 8080 drop; }; }'", "a b:80 ok; a b:8080 ok"),
    ("nft: numgen in a filter", "nft 'table ip t { chain f { type filter hook forward priority 0; tcp dport 80 numgen random mod 1 < 1 drop; }; }'", "a b:80 timeout"),
    ("nft: jhash picks one server a client", "nft 'table ip t { chain n { type nat hook prerouting priority -100; ip daddr 10.96.0.1 tcp dport 80 dnat ip addr . port to jhash ip saddr mod 2 map { 0 : 10.2.0.2 . 80, 1 : 10.2.0.2 . 8080 }; }; }'", "a 10.96.0.1:80 ok; a 10.96.0.1:80 ok"),
    ("nft: accept in one chain and drop in a later", "nft 'table ip t { chain f { type filter hook forward priority 0; tcp dport 80 accept; }; chain g { type filter hook forward priority 10; tcp dport 80 drop; }; }'", "a b:80 timeout"),
    ("nft: return in a base chain is its policy", "nft 'table ip t { chain f { type filter hook forward priority 0; policy drop; tcp dport 80 return; accept; }; }'", "a b:80 timeout; a b:8080 ok"),
    ("nft: dscp", "nft 'table ip t { chain f { type filter hook forward priority 0; ip dscp cs1 drop; ip protocol udp ip length > 20 udp dport 53 drop; }; }'", "a b:80 ok; a udp/b:53 timeout"),
    ("nft: what a set element does not know is not matched", "nft 'table ip t { chain f { type filter hook forward priority 0; ct mark { 1, 2 } drop; meta mark { 0 } tcp dport 80 drop; }; }'", "a b:80 timeout; a b:8080 ok"),
)  # fmt: skip


@sentences(*SETS)
def test_sets(one: Scene, setup, questions):
    routed(one)
    set_up(one, "r", setup)
    one.check(questions)
