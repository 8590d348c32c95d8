"""A node with a bridge: what iptables sees of bridged packets, hairpin, isolation, and Services within the bridge."""

from tests.kernel.cases import sentences, set_up
from tests.kernel.topologies import Scene, bridged

VIP = "10.96.0.1"
OFF = "sysctl -qw net.bridge.bridge-nf-call-iptables=0\n"
HAIRPIN = "for port in v1 v2 v3; do bridge link set dev $port hairpin on; done\n"
TO_P2 = f"iptables -t nat -A PREROUTING -d {VIP} -j DNAT --to-destination 10.244.0.3\n"
TO_P1 = f"iptables -t nat -A PREROUTING -d {VIP} -j DNAT --to-destination 10.244.0.2\n"
MASQUERADE = "iptables -t nat -A POSTROUTING -s 10.244.0.2 -j MASQUERADE\n"
DROP = "iptables -P FORWARD DROP\n"

BRIDGED = (
    ("Pods on a bridge reach each other, the node and outside", "iptables -t nat -A POSTROUTING -o rx -j MASQUERADE", "p1 p2:80 ok as p1; p1 br:80 ok as p1; p1 r:80 ok as p1; p1 x:80 ok as r; r p1:80 ok as br; p1 udp/p2:53 ok; p1 p26:80 ok as p16; p1 br6:80 ok; p1 p2:80*20000 ok"),
    ("with brnf=1 FORWARD drops what is bridged", DROP, "p1 p2:80 timeout; p1 br:80 ok; r p1:80 ok; p1 p26:80 ok"),
    ("with brnf=0 FORWARD does not see what is bridged", OFF + DROP, "p1 p2:80 ok; p1 br:80 ok"),
    ("a bridge may call iptables by its own switch", OFF + DROP + "ip link set br0 type bridge nf_call_iptables 1", "p1 p2:80 timeout"),
    ("ip6tables has a switch of its own", OFF + "ip6tables -A FORWARD -p tcp -j DROP", "p1 p26:80 timeout; p1 p2:80 ok; p1 udp/p26:53 ok"),
    ("ip6tables' switch off", "sysctl -qw net.bridge.bridge-nf-call-ip6tables=0\nip6tables -P FORWARD DROP", "p1 p26:80 ok"),
    ("the devices of bridged packets are the bridge", "iptables -A FORWARD -i br0 -o br0 -p tcp --dport 80 -j DROP\niptables -A FORWARD -i v1 -j DROP", "p1 p2:80 timeout; p1 p2:8080 ok"),
    ("ports show as physdev", "iptables -A FORWARD -m physdev --physdev-is-bridged --physdev-in v1 --physdev-out v2 -p tcp --dport 80 -j DROP", "p1 p2:80 timeout; p1 p3:80 ok; p2 p1:80 ok"),
    ("the TTL of bridged packets stays", "iptables -A FORWARD -m ttl --ttl-eq 64 -p tcp --dport 80 -j DROP", "p1 p2:80 timeout; p1 p2:8080 ok"),
    ("PREROUTING sees bridged packets by the bridge", "iptables -t mangle -A PREROUTING -i br0 -p tcp --dport 80 -j DROP", "p1 p2:80 timeout; p1 br:80 timeout; p1 p2:8080 ok"),
    ("POSTROUTING sees bridged packets", "iptables -t mangle -A POSTROUTING -o br0 -p tcp --dport 80 -j DROP", "p1 p2:80 timeout; r p1:80 timeout; p1 br:80 ok"),
    ("physdev-is-in holds for what is routed out of the bridge", "iptables -t nat -A POSTROUTING -o rx -j MASQUERADE\niptables -A FORWARD -o rx -m physdev --physdev-is-in -p tcp --dport 80 -j DROP", "p1 x:80 timeout; p1 x:8080 ok"),
    ("physdev-is-in is not known with brnf=0", OFF + "iptables -t nat -A POSTROUTING -o rx -j MASQUERADE\niptables -A FORWARD -o rx -m physdev --physdev-is-in -p tcp --dport 80 -j DROP", "p1 x:80 ok"),
    ("physdev-is-bridged does not hold for what is routed", "iptables -t nat -A POSTROUTING -o rx -j MASQUERADE\niptables -A FORWARD -o rx -m physdev --physdev-is-bridged -j DROP\niptables -A FORWARD -o rx -m physdev ! --physdev-is-bridged -p tcp --dport 80 -j DROP", "p1 x:80 timeout; p1 x:8080 ok"),
    ("a policy engine that needs physdev lets bridged packets by", "iptables -A FORWARD -m physdev --physdev-is-bridged -d 10.244.0.3 -j REJECT", "p1 p2:80 refused; p1 p3:80 ok; r p2:80 ok"),
    ("REJECT of bridged packets is heard", "iptables -A FORWARD -p tcp --dport 80 -j REJECT --reject-with tcp-reset\niptables -A FORWARD -p udp -j REJECT", "p1 p2:80 refused; p1 udp/p2:53 refused"),
    ("a reset for what came in by a port passes no rules on its way back", "iptables -A FORWARD -p tcp --dport 80 -j REJECT --reject-with tcp-reset\niptables -P OUTPUT DROP", "p1 p2:80 refused"),
    ("a reset for what came in by a port is not translated", TO_P2 + "iptables -A FORWARD -p tcp --dport 80 -j REJECT --reject-with tcp-reset", f"p1 {VIP}:80 timeout; p1 p2:80 refused"),
    ("a reset is translated with brnf=0", OFF + TO_P2 + "iptables -A FORWARD -p tcp --dport 80 -j REJECT --reject-with tcp-reset", f"p1 {VIP}:80 refused"),
    ("an ICMP error is translated either way", TO_P2 + "iptables -A FORWARD -p tcp --dport 80 -j REJECT", f"p1 {VIP}:80 refused"),
    ("in POSTROUTING bridged packets have no way in", "iptables -t mangle -N X\niptables -t mangle -A POSTROUTING -j X\niptables -t mangle -A X -i br0 -p tcp --dport 80 -j DROP\niptables -t nat -A POSTROUTING -o rx -j MASQUERADE", "p1 p2:80 ok; p1 x:80 timeout"),
    ("isolated ports do not reach each other", "bridge link set dev v1 isolated on\nbridge link set dev v2 isolated on", "p1 p2:80 timeout|no-host; p1 br:80 ok; p1 p3:80 ok; p3 p2:80 ok"),
    ("one isolated port alone reaches all", "bridge link set dev v1 isolated on", "p1 p2:80 ok; p2 p1:80 ok"),
    ("a port that is disabled passes nothing", "bridge link set dev v2 state 0", "p1 p2:80 timeout|no-host; p2 br:80 timeout|no-host; r p2:80 timeout|no-host; p1 br:80 ok"),
    ("a port that is down passes nothing", "ip link set v2 down", "p1 p2:80 no-host|timeout; r p2:80 no-host|timeout"),
    ("a Pod's link that is down passes nothing", "p2$ ip link set eth0 down", "p1 p2:80 no-host|timeout; p2 p1:80 no-net"),
    ("a veth that is no port of the bridge is alone", "ip link set v2 nomaster", "p1 p2:80 no-host|timeout; p2 br:80 no-host|timeout"),
    ("a bridge that is down passes nothing", "ip link set br0 down", "p1 p2:80 timeout|no-host; p1 br:80 timeout|no-host"),
    ("nft bridge filters what is bridged", "nft 'table bridge t { chain c { type filter hook forward priority 0; ip daddr 10.244.0.3 tcp dport 80 drop; }; }'", "p1 p2:80 timeout; p1 p2:8080 ok; r p2:80 ok"),
    ("nft bridge filters what goes up to the host", "nft 'table bridge t { chain c { type filter hook input priority 0; tcp dport 80 drop; }; }'", "p1 br:80 timeout; p1 br:8080 ok; p1 p2:80 ok"),
    ("nft bridge filters what the host sends", "nft 'table bridge t { chain c { type filter hook output priority 0; tcp dport 80 drop; }; }'", "r p2:80 timeout; r p2:8080 ok; p1 p2:80 ok"),
    ("nft bridge prerouting sees the port", "nft 'table bridge t { chain c { type filter hook prerouting priority 0; iifname v1 tcp dport 80 drop; }; }'", "p1 p2:80 timeout; p1 br:80 timeout; p3 p2:80 ok"),
    ("nft bridge forward sees both ports", "nft 'table bridge t { chain c { type filter hook forward priority 0; iifname v1 oifname v2 tcp dport 80 drop; }; }'", "p1 p2:80 timeout; p1 p3:80 ok; p2 p1:80 ok"),
    ("a DNAT on the same bridge is untranslated with brnf=1", TO_P2, f"p1 {VIP}:80 ok at p2:80 as p1; p1 udp/{VIP}:53 ok; p1 {VIP}:80*20000 ok"),
    ("a DNAT on the same bridge is not untranslated with brnf=0", OFF + TO_P2, f"p1 {VIP}:80 timeout; p1 udp/{VIP}:53 timeout"),
    ("a DNAT on the same bridge works with brnf=0 and MASQUERADE", OFF + TO_P2 + MASQUERADE, f"p1 {VIP}:80 ok at p2:80 as br"),
    ("what is translated within the bridge is bridged", TO_P2 + "iptables -A FORWARD -m physdev --physdev-is-bridged -p tcp --dport 80 -j DROP", f"p1 {VIP}:80 timeout; p1 {VIP}:8080 ok"),
    ("with brnf=0 what is translated within the bridge is routed", OFF + TO_P2 + MASQUERADE + "iptables -A FORWARD -i br0 -o br0 -p tcp --dport 80 -j DROP", f"p1 {VIP}:80 timeout; p1 {VIP}:8080 ok; p1 p2:80 ok"),
    ("a Pod reaches itself through a VIP with hairpin on and MASQUERADE", HAIRPIN + TO_P1 + MASQUERADE, f"p1 {VIP}:80 ok at p1:80 as br; p1 udp/{VIP}:53 ok as br; p1 {VIP}:80*20000 ok"),
    ("a Pod does not reach itself through a VIP with hairpin off and brnf=1", TO_P1 + MASQUERADE, f"p1 {VIP}:80 timeout"),
    ("a Pod reaches itself through a VIP with hairpin off and brnf=0", OFF + TO_P1 + MASQUERADE, f"p1 {VIP}:80 ok at p1:80 as br"),
    ("a Pod does not reach itself through a VIP without MASQUERADE", HAIRPIN + TO_P1, f"p1 {VIP}:80 timeout"),
    ("a promiscuous bridge does not help", TO_P1 + MASQUERADE + "ip link set br0 promisc on", f"p1 {VIP}:80 timeout"),
    ("an isolated port is isolated from itself", HAIRPIN + TO_P1 + MASQUERADE + "bridge link set dev v1 isolated on", f"p1 {VIP}:80 timeout"),
    ("IPv6: a Pod reaches itself with hairpin on and MASQUERADE", HAIRPIN + "ip6tables -t nat -A PREROUTING -d fd96::1 -j DNAT --to-destination fd44::2\nip6tables -t nat -A POSTROUTING -s fd44::2 -j MASQUERADE", "p1 [fd96::1]:80 ok at p16:80 as br6"),
    ("IPv6: a DNAT on the same bridge is untranslated", "ip6tables -t nat -A PREROUTING -d fd96::1 -j DNAT --to-destination fd44::3", "p1 [fd96::1]:80 ok at p26:80 as p16"),
    ("IPv6: a DNAT on the same bridge is not untranslated with brnf=0", "sysctl -qw net.bridge.bridge-nf-call-ip6tables=0\nip6tables -t nat -A PREROUTING -d fd96::1 -j DNAT --to-destination fd44::3", "p1 [fd96::1]:80 timeout"),
    ("a SYN-ACK whose SYN was bridged past conntrack is INVALID", OFF + "p2$ ip route add 10.244.0.2/32 via 10.244.0.1\niptables -A FORWARD -m conntrack --ctstate INVALID -j DROP", "p1 p2:80 timeout; p1 udp/p2:53 ok; p1 p3:80 ok"),
    ("an asymmetric way alone breaks nothing", OFF + "p2$ ip route add 10.244.0.2/32 via 10.244.0.1", "p1 p2:80 ok; p1 udp/p2:53 ok"),
    ("an ACK whose SYN-ACK was bridged past conntrack is INVALID", OFF + "sysctl -qw net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.br0.send_redirects=0\np1$ ip route add 10.244.0.3/32 via 10.244.0.1\niptables -A FORWARD -s 10.244.0.2 -m conntrack --ctstate INVALID -j DROP", "p1 p2:80 timeout; p1 udp/p2:53 ok"),
    ("an INVALID reply is not translated", OFF + TO_P2 + "p2$ ip route add 10.244.0.2/32 via 10.244.0.1", f"p1 {VIP}:80 ok"),
    ("a Pod with a smaller MTU makes the bridge's smaller", "p3$ ip link set eth0 mtu 1300\nip link set v3 mtu 1300\niptables -t nat -A POSTROUTING -o rx -j MASQUERADE", "p1 p2:80*20000 ok; p1 x:80*20000 ok; x r:80*20000 ok; r p1:80*20000 ok"),
    ("a datagram larger than a port's MTU is lost", "ip link set v2 mtu 1300\nip link set br0 mtu 1500", "p1 udp/p2:53*1400 timeout; p1 udp/p2:53*1200 ok"),
    ("MASQUERADE of bridged packets takes the bridge's address", "iptables -t nat -A POSTROUTING -s 10.244.0.2 -d 10.244.0.3 -j MASQUERADE", "p1 p2:80 ok as br; p1 p3:80 ok as p1"),
    ("a static fdb entry moves to where its owner is heard", "p2$ ip link set eth0 address 02:00:00:00:00:22\nbridge fdb replace 02:00:00:00:00:22 dev v3 master static", "p1 p2:80 ok; p2 br:80 ok"),
    ("a static neighbour of the wrong MAC is flooded and nobody takes it", "p1$ ip neigh replace 10.244.0.3 lladdr 02:00:00:00:00:99 dev eth0 nud permanent", "p1 p2:80 timeout; p1 br:80 ok"),
    ("rp_filter on the bridge", "sysctl -qw net.ipv4.conf.br0.rp_filter=1\np1$ ip addr add 10.250.0.1/32 dev lo", "p1 r:80 ok; p1@10.250.0.1 r:80 timeout|no-host"),
    ("INPUT sees the bridge, not the port", "iptables -A INPUT -i br0 -p tcp --dport 80 -j DROP\niptables -A INPUT -i v1 -j DROP", "p1 br:80 timeout; p1 r:8080 ok"),
    ("a forwarding switch of the bridge", "sysctl -qw net.ipv4.conf.br0.forwarding=0\niptables -t nat -A POSTROUTING -o rx -j MASQUERADE", "p1 x:80 timeout; p1 p2:80 ok"),
    ("with ip_forward 0 bridged packets still pass", "sysctl -qw net.ipv4.ip_forward=0", "p1 p2:80 ok; p1 x:80 timeout"),
)  # fmt: skip


@sentences(*BRIDGED)
def test_bridge(one: Scene, setup, questions):
    bridged(one)
    set_up(one, "r", setup)
    one.check(questions)
