"""Two nodes with a vxlan between them: the outer packet's own way, sizes, and what the far end must know."""

from tests.kernel.cases import sentences, set_up
from tests.kernel.topologies import Scene, cluster

SILENT = "n1$ iptables -A OUTPUT -p icmp -j DROP\nn2$ iptables -A OUTPUT -p icmp -j DROP\n"
OVERLAY = (
    ("Pods reach each other through the tunnel", "", "a c:80 ok as a; c a:80 ok as c; a udp/c:53 ok; n1 c:80 ok as 10.244.1.0; a n2:80 ok; n1 n2:80 ok"),
    ("a Pod learns the tunnel's MTU", "", "a c:80*30000 ok; c a:80*30000 ok"),
    ("a Pod with the tunnel's MTU needs not learn it", SILENT + "a$ ip link set eth0 mtu 1450\nc$ ip link set eth0 mtu 1450", "a c:80*30000 ok"),
    ("a Pod whose route has the tunnel's MTU needs not learn it", SILENT + "a$ ip route replace default via 10.244.1.1 mtu 1450\nc$ ip route replace default via 10.244.2.1 mtu 1450", "a c:80*30000 ok"),
    ("a Pod that cannot learn the tunnel's MTU hangs", SILENT, "a c:80*30000 hangs; a c:80 ok; a b:80*30000 ok"),
    ("one end's smaller MTU is enough for both", SILENT + "c$ ip link set eth0 mtu 1450", "a c:80*30000 ok; c a:80*30000 ok"),
    ("FORWARD clamps for the tunnel", SILENT + "n1$ iptables -t mangle -A FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu", "a c:80*30000 ok"),
    ("the outer packet is cut when the sender's underlay is smaller", "n1$ ip link set eth0 mtu 1400\nn2$ ip link set eth0 mtu 1400", "a c:80*30000 ok; a udp/c:53*1300 ok"),
    ("a datagram of the tunnel's MTU passes", "", "a udp/c:53*1400 ok; a udp/c:53*3000 ok"),
    ("the outer packet passes OUTPUT", "n1$ iptables -A OUTPUT -p udp --dport 8472 -j DROP", "a c:80 timeout; n1 c:80 timeout; n1 udp/c:53 timeout"),
    ("the outer packet passes POSTROUTING", "n1$ iptables -t mangle -A POSTROUTING -p udp --dport 8472 -j DROP", "a c:80 timeout; a udp/c:53 timeout"),
    ("the outer packet passes PREROUTING and INPUT", "n2$ iptables -A INPUT -p udp --dport 8472 -j REJECT", "a c:80 timeout; a udp/c:53 timeout; c a:80 timeout"),
    ("the outer packet is NEW both ways", "n1$ iptables -A OUTPUT -p udp --dport 8472 -m conntrack --ctstate NEW -j DROP", "a c:80 timeout; c a:80 timeout"),
    ("established alone is not enough for the outer packet", "n2$ iptables -A INPUT -p udp -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\nn2$ iptables -A INPUT -p udp -j DROP", "a c:80 timeout"),
    ("the outer packet has the inner's mark", "n1$ iptables -t mangle -A PREROUTING -i cni0 -p tcp --dport 80 -j MARK --set-mark 0x55\nn1$ iptables -A OUTPUT -p udp --dport 8472 -m mark --mark 0x55 -j DROP", "a c:80 timeout; a c:8080 ok"),
    ("the mark does not reach the other node", "n1$ iptables -t mangle -A PREROUTING -i cni0 -j MARK --set-mark 0x55\nn2$ iptables -A FORWARD -m mark --mark 0x55 -j DROP\nn2$ iptables -A INPUT -m mark --mark 0x55 -j DROP", "a c:80 ok"),
    ("the inner packet passes FORWARD by the tunnel's device", "n1$ iptables -A FORWARD -o flannel.1 -p tcp --dport 80 -j DROP\nn2$ iptables -A FORWARD -i flannel.1 -p tcp --dport 8080 -j DROP", "a c:80 timeout; a c:8080 timeout; a udp/c:53 ok"),
    ("the inner packet passes PREROUTING once more", "n2$ iptables -t mangle -A PREROUTING -i flannel.1 -p tcp --dport 80 -j DROP", "a c:80 timeout; a c:8080 ok"),
    ("an inner REJECT on the far node is heard", "n2$ iptables -A FORWARD -d 10.244.2.2 -p tcp --dport 80 -j REJECT\nn2$ iptables -A FORWARD -p tcp --dport 8080 -j REJECT --reject-with tcp-reset", "a c:80 refused; a c:8080 refused; a udp/c:53 ok"),
    ("an inner REJECT behind DNAT is heard through the tunnel", "n1$ iptables -t nat -A PREROUTING -d 10.96.0.1 -j DNAT --to-destination 10.244.2.2\nn2$ iptables -A FORWARD -d 10.244.2.2 -j REJECT", "a 10.96.0.1:80 refused; a udp/10.96.0.1:53 refused"),
    ("an inner REJECT whose answer is dropped is not heard", "n2$ iptables -A FORWARD -d 10.244.2.2 -p tcp --dport 80 -j REJECT\nn1$ iptables -A FORWARD -p icmp -j DROP", "a c:80 timeout"),
    ("masquerade into the tunnel takes the tunnel's address", "n1$ iptables -t nat -A POSTROUTING -o flannel.1 -j MASQUERADE", "a c:80 ok as 10.244.1.0"),
    ("rp_filter on the tunnel is content with its own route back", "n2$ sysctl -qw net.ipv4.conf.flannel/1.rp_filter=1", "a c:80 ok"),
    ("rp_filter on the tunnel drops what has its way back elsewhere", "n2$ sysctl -qw net.ipv4.conf.flannel/1.rp_filter=1; ip route replace 10.244.1.0/24 via 192.168.50.1", "a c:80 timeout; c a:80 timeout"),
    ("a default fdb entry carries ARP as well", "n1$ ip neigh del 10.244.2.0 dev flannel.1; bridge fdb append 00:00:00:00:00:00 dev flannel.1 dst 192.168.50.2", "a c:80 ok"),
    ("without a neighbour and without flooding nothing is sent", "n1$ ip neigh del 10.244.2.0 dev flannel.1", "a c:80 timeout|no-host; c a:80 timeout; n1 c:80 timeout|no-host"),
    ("a vxlan of the other port may still be sent to by its fdb", "n1$ bridge fdb replace 02:00:00:00:02:ff dev flannel.1 dst 192.168.50.2 port 8473", "a c:80 timeout"),
    ("an fdb entry may name another VNI", "n1$ bridge fdb replace 02:00:00:00:02:ff dev flannel.1 dst 192.168.50.2 vni 7", "a c:80 timeout"),
    ("ip_forward 0 on the far node stops what comes out of the tunnel", "n2$ sysctl -qw net.ipv4.ip_forward=0", "a c:80 timeout; a n2:80 ok; n1 c:80 timeout"),
    ("the far node's own address answers through the tunnel", "", "a 10.244.2.1:80 ok; a 10.244.2.0:80 ok"),
    ("a smaller tunnel at the far end takes what comes", "n2$ ip link set flannel.1 mtu 1300", "a c:80*30000 ok; a udp/c:53*1400 ok"),
    ("the underlay between a node and its tunnel's end may be down", "n1$ ip link set eth0 down", "a c:80 timeout|no-host; a b:80 ok"),
    ("a static neighbour of the far node on the underlay may be wrong", "n1$ ip neigh replace 192.168.50.2 lladdr 02:00:00:00:00:99 dev eth0 nud permanent", "a c:80 timeout; n1 n2:80 timeout"),
    ("a route to the far node may be a blackhole", "n1$ ip route add blackhole 192.168.50.2/32", "a c:80 timeout; n1 n2:80 invalid"),
)  # fmt: skip

HOST_GW = (
    ("Pods reach each other by routes", "", "a c:80 ok as a; c a:80 ok; a c6:80 ok as a6; a c:80*30000 ok; a c6:80*30000 ok"),
    ("IPv6: FORWARD drops", "n1$ ip6tables -P FORWARD DROP", "a c6:80 timeout; a c:80 ok"),
    ("IPv6: the far node does not forward", "n2$ sysctl -qw net.ipv6.conf.all.forwarding=0", "a c6:80 timeout; a n26:80 ok; a c:80 ok"),
    ("IPv6: the route is missing", "n1$ ip -6 route del fd44:2::/64", "a udp/c6:53 no-net|timeout; a c6:80 timeout|no-net"),
    ("IPv6: the route leads to a host that is not there", "n1$ ip -6 route replace fd44:2::/64 via fd50::77", "a c6:80 timeout|no-host; a udp/c6:53 timeout"),
    ("IPv6: the far node drops neighbour discovery", "n2$ ip6tables -A INPUT -p icmpv6 -j DROP", "a c6:80 timeout|no-host; n1 n26:80 timeout|no-host"),
    ("IPv6: a node that drops all but TCP cannot be found", "n2$ ip6tables -P INPUT DROP; ip6tables -A INPUT -p tcp -j ACCEPT", "n1 n26:80 timeout|no-host"),
    ("IPv6: neighbour discovery passes where ICMPv6 may", "n2$ ip6tables -P INPUT DROP; ip6tables -A INPUT -p tcp -j ACCEPT; ip6tables -A INPUT -p icmpv6 -j ACCEPT", "n1 n26:80 ok; a c6:80 ok"),
    ("IPv6: masquerade", "n1$ ip6tables -t nat -A POSTROUTING -s fd44:1::/64 ! -d fd44:1::/64 -j MASQUERADE", "a c6:80 ok as n16; a ext6:80 ok as n16"),
    ("a node answers on the underlay for an address it has inside", "n2$ ip addr add 10.77.0.1/32 dev lo\nn1$ ip route add 10.77.0.1 dev eth0", "n1 10.77.0.1:80 ok; a 10.77.0.1:80 ok"),
    ("a node answers on the underlay for its bridge's address", "n1$ ip route add 10.244.2.1/32 dev eth0", "n1 10.244.2.1:80 ok; a 10.244.2.1:80 ok"),
    ("with arp_ignore 1 it does not", "n2$ ip addr add 10.77.0.1/32 dev lo; sysctl -qw net.ipv4.conf.eth0.arp_ignore=1\nn1$ ip route add 10.77.0.1 dev eth0", "n1 10.77.0.1:80 no-host|timeout; n1 n2:80 ok"),
    ("IPv6: a node does not answer for an address it has inside", "n2$ ip addr add fd77::1/128 dev lo\nn1$ ip -6 route add fd77::1 dev eth0", "n1 [fd77::1]:80 no-host|timeout; n1 n26:80 ok"),
    ("the far node drops Pods' addresses on its way in", "n2$ iptables -t raw -A PREROUTING -i eth0 -s 10.244.1.0/24 -j DROP", "a c:80 timeout; a n2:80 timeout; n1 c:80 ok"),
    ("a smaller underlay is learned", "n1$ ip link set eth0 mtu 1400\nn2$ ip link set eth0 mtu 1400", "a c:80*30000 ok; c a:80*30000 ok"),
    ("a smaller underlay that cannot be learned is a black hole", SILENT + "n1$ ip link set eth0 mtu 1400\nn2$ ip link set eth0 mtu 1400", "a c:80*30000 hangs"),
)  # fmt: skip


@sentences(*OVERLAY)
def test_overlay(one: Scene, setup, questions):
    cluster(one, "vxlan")
    set_up(one, "n1", setup)
    one.check(questions)


@sentences(*HOST_GW)
def test_host_gateways(one: Scene, setup, questions):
    cluster(one, "host-gw")
    set_up(one, "n1", setup)
    one.check(questions)
