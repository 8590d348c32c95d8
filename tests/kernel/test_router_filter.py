"""A router between two hosts: filters, errors, tables beside each other."""

from tests.kernel.cases import sentences, set_up
from tests.kernel.topologies import Scene, routed

ESTABLISHED = "iptables -A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n"


FILTER = (
    ("a router forwards", "", "a b:80 ok as a; a udp/b:53 ok as a; a b6:80 ok as a6; a udp/b6:53 ok as a6; a b:80*30000 ok; a b6:80*30000 ok"),
    ("a port without a socket refuses", "", "a b:81 refused; a udp/b:54 refused; a ra:81 refused; r b:81 refused; r udp/b:54 refused; a b6:81 refused"),
    ("DROP in FORWARD is silent", "iptables -A FORWARD -j DROP", "a b:80 timeout; a udp/b:53 timeout; a ra:80 ok; a b6:80 ok"),
    ("a FORWARD policy of DROP is silent", "iptables -P FORWARD DROP", "a b:80 timeout; a udp/b:53 timeout; r b:80 ok"),
    ("REJECT refuses", "iptables -A FORWARD -j REJECT", "a b:80 refused; a udp/b:53 refused"),
    ("REJECT with tcp-reset refuses", "iptables -A FORWARD -p tcp -j REJECT --reject-with tcp-reset", "a b:80 refused; a udp/b:53 ok"),
    ("REJECT with icmp-net-unreachable", "iptables -A FORWARD -j REJECT --reject-with icmp-net-unreachable", "a b:80 no-net; a udp/b:53 timeout"),
    ("REJECT with icmp-host-unreachable", "iptables -A FORWARD -j REJECT --reject-with icmp-host-unreachable", "a b:80 no-host; a udp/b:53 timeout"),
    ("REJECT with icmp-proto-unreachable", "iptables -A FORWARD -j REJECT --reject-with icmp-proto-unreachable", "a b:80 no-protocol; a udp/b:53 no-protocol"),
    ("REJECT with icmp-net-prohibited", "iptables -A FORWARD -j REJECT --reject-with icmp-net-prohibited", "a b:80 no-net; a udp/b:53 no-net"),
    ("REJECT with icmp-host-prohibited", "iptables -A FORWARD -j REJECT --reject-with icmp-host-prohibited", "a b:80 no-host; a udp/b:53 no-host"),
    ("REJECT with icmp-admin-prohibited", "iptables -A FORWARD -j REJECT --reject-with icmp-admin-prohibited", "a b:80 no-host; a udp/b:53 no-host"),
    ("DROP in OUTPUT is told to a UDP sender only", "iptables -A OUTPUT -j DROP", "r b:80 timeout; r udp/b:53 not-permitted; a ra:80 timeout"),
    ("REJECT in OUTPUT", "iptables -A OUTPUT -d 10.2.0.2 -j REJECT", "r b:80 refused; r udp/b:53 not-permitted"),
    ("DROP in POSTROUTING", "iptables -t mangle -A POSTROUTING -j DROP", "a b:80 timeout; r b:80 timeout; r udp/b:53 not-permitted"),
    ("DROP in raw PREROUTING", "iptables -t raw -A PREROUTING -s 10.1.0.2 -j DROP", "a b:80 timeout; b a:80 timeout"),
    ("REJECT in INPUT", "iptables -A INPUT -i ra -j REJECT", "a ra:80 refused; a udp/ra:53 refused; a rb:80 refused; b rb:80 ok"),
    ("replies are ESTABLISHED", "iptables -P FORWARD DROP\n" + ESTABLISHED + "iptables -A FORWARD -p tcp --dport 80 -j ACCEPT", "a b:80 ok; a b:8080 timeout; b a:80 ok; a udp/b:53 timeout"),
    ("a reply dropped by source is lost", "iptables -A FORWARD -s 10.2.0.2 -j DROP", "a b:80 timeout; b a:80 timeout; a udp/b:53 timeout"),
    ("what only lets NEW through lets no data through", "iptables -P FORWARD DROP\niptables -A FORWARD -m conntrack --ctstate NEW -j ACCEPT\niptables -A FORWARD -s 10.2.0.2 -j ACCEPT", "a b:80 hangs|timeout; a udp/b:53 ok"),
    ("a SYN alone may pass", "iptables -P FORWARD DROP\niptables -A FORWARD -p tcp --syn -j ACCEPT\niptables -A FORWARD -s 10.2.0.2 -j ACCEPT", "a b:80 timeout"),
    ("SYN and ACK are flags", "iptables -A FORWARD -p tcp --tcp-flags SYN,ACK SYN,ACK -j DROP", "a b:80 timeout; a udp/b:53 ok"),
    ("ip6tables is another family", "ip6tables -A FORWARD -j DROP", "a b:80 ok; a b6:80 timeout; a udp/b6:53 timeout"),
    ("ip6tables REJECT", "ip6tables -A FORWARD -j REJECT", "a udp/b6:53 refused; a b:80 ok"),
    ("ip6tables REJECT with tcp-reset", "ip6tables -A FORWARD -p tcp -j REJECT --reject-with tcp-reset", "a b6:80 refused"),
    ("ip6tables REJECT with admin prohibited", "ip6tables -A FORWARD -j REJECT --reject-with icmp6-adm-prohibited", "a udp/b6:53 access"),
    ("an inet table sees both families", "nft 'table inet t { chain c { type filter hook forward priority 0; policy accept; tcp dport 80 drop; }; }'", "a b:80 timeout; a b6:80 timeout; a b:8080 ok; a b6:8080 ok"),
    ("legacy ACCEPT does not save from nft DROP", "iptables-legacy -A FORWARD -j ACCEPT\nnft 'table ip t { chain c { type filter hook forward priority 10; tcp dport 80 drop; }; }'", "a b:80 timeout; a b:8080 ok"),
    ("a DROP of iptables-legacy counts beside iptables-nft", "iptables-legacy -P FORWARD DROP\niptables-nft -P FORWARD ACCEPT", "a b:80 timeout"),
    ("iptables ACCEPT does not save from an inet table that rejects later", "iptables -A FORWARD -j ACCEPT\nnft 'table inet f { chain c { type filter hook forward priority 10; ct state established,related accept; ct status dnat accept; reject with icmpx admin-prohibited; }; }'", "a b:80 no-host; a udp/b:53 no-host"),
    ("ct status dnat accept", "iptables -t nat -A PREROUTING -d 10.96.0.1 -p tcp -j DNAT --to 10.2.0.2:8080\nnft 'table inet f { chain c { type filter hook forward priority 10; ct state established,related accept; ct status dnat accept; reject with icmpx admin-prohibited; }; }'", "a 10.96.0.1:80 ok at b:8080; a b:80 no-host"),
    ("a user chain returns at its end", "iptables -N X\niptables -A X -p udp -j DROP\niptables -A FORWARD -j X\niptables -A FORWARD -p tcp --dport 8080 -j DROP", "a b:80 ok; a udp/b:53 timeout; a b:8080 timeout"),
    ("RETURN in a user chain goes on in the caller", "iptables -N X\niptables -A X -p tcp --dport 80 -j RETURN\niptables -A X -j ACCEPT\niptables -A FORWARD -j X\niptables -A FORWARD -d 10.2.0.2 -j DROP", "a b:80 timeout; a b:8080 ok"),
    ("RETURN in a base chain is its policy", "iptables -P FORWARD DROP\niptables -A FORWARD -p tcp --dport 80 -j RETURN\niptables -A FORWARD -j ACCEPT", "a b:80 timeout; a b:8080 ok"),
    ("goto falls through to the caller of its own chain", "iptables -N X\niptables -N Y\niptables -A X -g Y\niptables -A X -j DROP\niptables -A FORWARD -j X\niptables -A FORWARD -p tcp --dport 8080 -j DROP", "a b:80 ok; a b:8080 timeout"),
    ("goto from a base chain ends at its policy", "iptables -N Y\niptables -P FORWARD DROP\niptables -A FORWARD -p tcp --dport 80 -g Y\niptables -A FORWARD -j ACCEPT", "a b:80 timeout; a b:8080 ok"),
    ("an nft chain without a verdict returns", "nft 'table ip t { chain x { tcp dport 80 counter; }; chain c { type filter hook forward priority 0; jump x; tcp dport 8080 drop; }; }'", "a b:80 ok; a b:8080 timeout"),
    ("nft goto falls through to the policy", "nft 'table ip t { chain x { tcp dport 8080 accept; }; chain c { type filter hook forward priority 0; policy drop; ip daddr 10.2.0.2 goto x; accept; }; }'", "a b:80 timeout; a b:8080 ok"),
    ("marks are kept between tables", "iptables -t mangle -A PREROUTING -p tcp --dport 80 -j MARK --set-xmark 0x4000/0x4000\niptables -A FORWARD -m mark --mark 0x4000/0x4000 -j DROP", "a b:80 timeout; a b:8080 ok"),
    ("a mark outside its mask never matches", "iptables -t mangle -A PREROUTING -j MARK --set-xmark 0x4000/0x4000\niptables -A FORWARD -m mark --mark 0x4000/0x2000 -j DROP", "a b:80 ok"),
    ("a mark does not cross a veth", "a$ iptables -t mangle -A OUTPUT -j MARK --set-mark 0x55\niptables -A FORWARD -m mark --mark 0x55 -j DROP", "a b:80 ok"),
    ("connmark is restored from the connection", "iptables -t mangle -A PREROUTING -i ra -p tcp --dport 80 -j CONNMARK --set-mark 7\niptables -t mangle -A PREROUTING -i rb -j CONNMARK --restore-mark\niptables -A FORWARD -i rb -m mark --mark 7 -j DROP", "a b:80 timeout; a b:8080 ok"),
    ("physical devices have names, with + a prefix", "iptables -A FORWARD -i r+ -o rb -p tcp -j DROP", "a b:80 timeout; b a:80 timeout; a udp/b:53 ok"),
    ("-i in a user chain of POSTROUTING is the way in", "iptables -t mangle -N X\niptables -t mangle -A POSTROUTING -j X\niptables -t mangle -A X -i ra -j DROP", "a b:80 timeout; r b:80 ok"),
    ("in OUTPUT no device is the way in", "iptables -N X\niptables -A OUTPUT -j X\niptables -A X ! -i eth9 -d 10.2.0.2 -j DROP", "r b:80 timeout; a b:80 ok"),
    ("multiport", "iptables -A FORWARD -p tcp -m multiport --dports 79:80,443 -j DROP\niptables -A FORWARD -p udp -m multiport ! --ports 53,54 -j DROP", "a b:80 timeout; a b:8080 ok; a udp/b:53 ok; a udp/b:5353 timeout"),
    ("a range of addresses", "iptables -A FORWARD -m iprange --dst-range 10.2.0.2-10.2.0.4 -p tcp --dport 80 -j DROP", "a b:80 timeout; a b:8080 ok"),
    ("the mask of an address need not be contiguous", "iptables -A FORWARD -d 10.0.0.2/255.0.0.255 -p tcp --dport 80 -j DROP", "a b:80 timeout; b a:80 timeout; a b:8080 ok"),
    ("source ports", "iptables -A FORWARD -p tcp --sport 1000:2000 -j DROP", "a#1500 b:80 timeout; a#2500 b:80 ok"),
    ("the TTL in FORWARD is one less", "iptables -A FORWARD -m ttl --ttl-eq 63 -p tcp -j DROP", "a b:80 timeout; a udp/b:53 ok"),
    ("length is that of layer 3: a SYN has 60 bytes", "iptables -A FORWARD -p tcp --dport 80 --syn -m length --length 60 -j DROP\niptables -A FORWARD -p tcp --dport 8080 --syn -m length ! --length 60 -j DROP", "a b:80 timeout; a b:8080 ok"),
    ("a counter alone decides nothing", "iptables -A FORWARD -p tcp\niptables -A FORWARD -p tcp -j LOG\niptables -A FORWARD -p tcp --dport 80 -j DROP", "a b:80 timeout; a b:8080 ok"),
    ("the security table comes after filter", "iptables -t security -A FORWARD -p tcp --dport 80 -j DROP\niptables -A FORWARD -j ACCEPT", "a b:80 timeout; a b:8080 ok"),
    ("ICMP errors of a host pass as RELATED", "iptables -P FORWARD DROP\n" + ESTABLISHED + "iptables -A FORWARD -i ra -j ACCEPT", "a udp/b:54 refused; a b:81 refused"),
    ("an ICMP error that is dropped is a timeout", "iptables -A FORWARD -p icmp -j DROP", "a udp/b:54 timeout; a b:81 refused"),
    ("an ICMP error of the router's own may be dropped too", "iptables -A FORWARD -j REJECT\niptables -A OUTPUT -p icmp -j DROP", "a b:80 timeout; a udp/b:53 timeout"),
    ("a reset on its way back may be dropped", "iptables -A FORWARD -p tcp --tcp-flags RST RST -j DROP", "a b:81 timeout; a b:80 ok"),
    ("a client may drop the error", "a$ iptables -A INPUT -p icmp -j DROP\niptables -A FORWARD -j REJECT", "a b:80 timeout; a udp/b:53 timeout"),
)  # fmt: skip


@sentences(*FILTER)
def test_filter(one: Scene, setup, questions):
    routed(one)
    set_up(one, "r", setup)
    one.check(questions)
