"""Rules as CNI plugins, meshes and container engines write them."""

from tests.kernel.cases import sentences, set_up
from tests.kernel.topologies import Scene, bridged, cluster

FLANNEL = """
iptables -t nat -N FLANNEL-POSTRTG; iptables -t nat -A POSTROUTING -j FLANNEL-POSTRTG
iptables -t nat -A FLANNEL-POSTRTG -m mark --mark 0x4000/0x4000 -j RETURN
iptables -t nat -A FLANNEL-POSTRTG -s 10.244.1.0/24 -d 10.244.0.0/16 -j RETURN
iptables -t nat -A FLANNEL-POSTRTG -s 10.244.0.0/16 -d 10.244.1.0/24 -j RETURN
iptables -t nat -A FLANNEL-POSTRTG ! -s 10.244.0.0/16 -d 10.244.1.0/24 -j RETURN
iptables -t nat -A FLANNEL-POSTRTG -s 10.244.0.0/16 ! -d 224.0.0.0/4 -j MASQUERADE --random-fully
iptables -t nat -A FLANNEL-POSTRTG ! -s 10.244.0.0/16 -d 10.244.0.0/16 -j MASQUERADE --random-fully
"""
KUBE_ROUTER = """
ipset create SRC hash:ip; ipset add SRC 10.244.0.2; ipset create DST hash:ip; ipset add DST 10.244.0.3
iptables -N KR-FORWARD; iptables -N KR-OUTPUT; iptables -N POD-FW; iptables -N NWPLCY
iptables -I FORWARD -j KR-FORWARD; iptables -I OUTPUT -j KR-OUTPUT; iptables -A OUTPUT -m mark --mark 0x20000/0x20000 -j ACCEPT; iptables -A FORWARD -m mark --mark 0x20000/0x20000 -j ACCEPT
iptables -A KR-FORWARD -m physdev --physdev-is-bridged -d 10.244.0.3 -j POD-FW; iptables -A KR-FORWARD -d 10.244.0.3 -j POD-FW; iptables -A KR-OUTPUT -d 10.244.0.3 -j POD-FW
iptables -A POD-FW -m conntrack --ctstate INVALID -j DROP; iptables -A POD-FW -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
iptables -A POD-FW -m addrtype --src-type LOCAL -d 10.244.0.3 -j ACCEPT
iptables -A POD-FW -d 10.244.0.3 -j NWPLCY
iptables -A NWPLCY -p tcp -m set --match-set SRC src -m set --match-set DST dst -m tcp --dport 80 -j MARK --set-xmark 0x10000/0x10000
iptables -A NWPLCY -p tcp -m set --match-set SRC src -m set --match-set DST dst -m tcp --dport 80 -m mark --mark 0x10000/0x10000 -j RETURN
iptables -A POD-FW -m mark ! --mark 0x10000/0x10000 -j REJECT
iptables -A POD-FW -j MARK --set-xmark 0x0/0x10000; iptables -A POD-FW -j MARK --set-xmark 0x20000/0x20000
"""
CALICO = """
iptables -N cali-FORWARD; iptables -N cali-from; iptables -N cali-to; iptables -N cali-tw-a; iptables -N cali-tw-b; iptables -N cali-fw-a; iptables -N cali-fw-b; iptables -N cali-pi; iptables -N cali-pri
iptables -I FORWARD -j cali-FORWARD; iptables -A FORWARD -m mark --mark 0x10000/0x10000 -j ACCEPT; iptables -P FORWARD DROP
iptables -A cali-FORWARD -j MARK --set-xmark 0x0/0xe0000; iptables -A cali-FORWARD -i cali-+ -j cali-from; iptables -A cali-FORWARD -o cali-+ -j cali-to
iptables -A cali-from -i cali-a -g cali-fw-a; iptables -A cali-from -i cali-b -g cali-fw-b; iptables -A cali-from -j DROP
iptables -A cali-to -o cali-a -g cali-tw-a; iptables -A cali-to -o cali-b -g cali-tw-b; iptables -A cali-to -j DROP
for c in cali-fw-a cali-fw-b cali-tw-a cali-tw-b; do iptables -A $c -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT; iptables -A $c -m conntrack --ctstate INVALID -j DROP; iptables -A $c -j MARK --set-xmark 0x0/0x30000; done
for c in cali-fw-a cali-fw-b cali-tw-a; do iptables -A $c -j cali-pri; iptables -A $c -m mark --mark 0x10000/0x10000 -j RETURN; iptables -A $c -j DROP; done
iptables -A cali-pri -j MARK --set-xmark 0x10000/0x10000; iptables -A cali-pri -m mark --mark 0x10000/0x10000 -j RETURN
iptables -A cali-tw-b -m mark --mark 0x0/0x20000 -j cali-pi; iptables -A cali-tw-b -m mark --mark 0x10000/0x10000 -j RETURN; iptables -A cali-tw-b -m mark --mark 0x0/0x20000 -j DROP
iptables -A cali-pi -p tcp -s 10.244.1.2 -m multiport --dports 80 -j MARK --set-xmark 0x10000/0x10000; iptables -A cali-pi -m mark --mark 0x10000/0x10000 -j RETURN
"""
PORTMAP = """
iptables -t nat -N CNI-HOSTPORT-DNAT; iptables -t nat -N CNI-DN; iptables -t nat -N CNI-HOSTPORT-SETMARK; iptables -t nat -N CNI-HOSTPORT-MASQ
iptables -t nat -A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT; iptables -t nat -A OUTPUT -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT
iptables -t nat -A POSTROUTING -j CNI-HOSTPORT-MASQ; iptables -t nat -A CNI-HOSTPORT-MASQ -m mark --mark 0x2000/0x2000 -j MASQUERADE
iptables -t nat -A CNI-HOSTPORT-SETMARK -j MARK --set-xmark 0x2000/0x2000
iptables -t nat -A CNI-HOSTPORT-DNAT -p tcp -m multiport --dports 9000 -j CNI-DN
iptables -t nat -A CNI-DN -s 10.244.0.0/24 -p tcp --dport 9000 -j CNI-HOSTPORT-SETMARK; iptables -t nat -A CNI-DN -s 127.0.0.1 -p tcp --dport 9000 -j CNI-HOSTPORT-SETMARK
iptables -t nat -A CNI-DN -p tcp --dport 9000 -j DNAT --to-destination 10.244.0.2:80
sysctl -qw net.ipv4.conf.br0.route_localnet=1
for port in v1 v2 v3; do bridge link set dev $port hairpin on; done
"""
DOCKER = """
iptables -P FORWARD DROP; iptables -N DOCKER-USER; iptables -N DOCKER-FORWARD; iptables -N DOCKER-CT; iptables -N DOCKER-BRIDGE; iptables -N DOCKER
iptables -A FORWARD -j DOCKER-USER; iptables -A FORWARD -j DOCKER-FORWARD
iptables -A DOCKER-FORWARD -j DOCKER-CT; iptables -A DOCKER-FORWARD -j DOCKER-BRIDGE; iptables -A DOCKER-FORWARD -i docker0 -j ACCEPT
iptables -A DOCKER-CT -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT; iptables -A DOCKER-BRIDGE -o docker0 -j DOCKER
iptables -A DOCKER ! -i docker0 -o docker0 -j DROP
"""
ISTIO = """
p1$ iptables -t nat -N ISTIO_REDIRECT; iptables -t nat -A ISTIO_REDIRECT -p tcp -j REDIRECT --to-ports 8080
p1$ iptables -t nat -N ISTIO_IN_REDIRECT; iptables -t nat -A ISTIO_IN_REDIRECT -p tcp -j REDIRECT --to-ports 8080
p1$ iptables -t nat -N ISTIO_INBOUND; iptables -t nat -A PREROUTING -p tcp -j ISTIO_INBOUND; iptables -t nat -A ISTIO_INBOUND -p tcp --dport 15008 -j RETURN; iptables -t nat -A ISTIO_INBOUND -p tcp -j ISTIO_IN_REDIRECT
p1$ iptables -t nat -N ISTIO_OUTPUT; iptables -t nat -A OUTPUT -p tcp -j ISTIO_OUTPUT
p1$ iptables -t nat -A ISTIO_OUTPUT -s 127.0.0.6/32 -o lo -j RETURN; iptables -t nat -A ISTIO_OUTPUT -o lo -m owner ! --uid-owner 1337 -j RETURN; iptables -t nat -A ISTIO_OUTPUT -m owner --uid-owner 1337 -j RETURN; iptables -t nat -A ISTIO_OUTPUT -d 127.0.0.1/32 -j RETURN; iptables -t nat -A ISTIO_OUTPUT -j ISTIO_REDIRECT
"""
FIREWALLD = """
nft 'table inet firewalld { chain filter_INPUT { type filter hook input priority 10; policy accept; ct state { established, related } accept; ct status dnat accept; iifname lo accept; ct state invalid drop; jump zones; reject with icmpx admin-prohibited; }; chain zones { iifname "rx" tcp dport { 22, 80 } accept; }; chain filter_FORWARD { type filter hook forward priority 10; policy accept; ct state { established, related } accept; ct status dnat accept; iifname lo accept; ct state invalid drop; reject with icmpx admin-prohibited; }; }'
"""
UFW = """
iptables -P INPUT DROP; iptables -P FORWARD DROP; iptables -N ufw-before; iptables -N ufw-user; iptables -A INPUT -j ufw-before; iptables -A INPUT -j ufw-user
iptables -A ufw-before -i lo -j ACCEPT; iptables -A ufw-before -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT; iptables -A ufw-before -m conntrack --ctstate INVALID -j DROP
iptables -A ufw-before -p icmp --icmp-type 8 -j ACCEPT; iptables -A ufw-before -m addrtype --dst-type LOCAL -j RETURN; iptables -A ufw-before -j DROP
iptables -A ufw-user -p tcp --dport 80 -m limit --limit 3/min --limit-burst 10 -j LOG; iptables -A ufw-user -p tcp --dport 80 -j ACCEPT
"""

ON_A_BRIDGE = (
    ("kube-router: who is allowed reaches the Pod, others are refused", KUBE_ROUTER, "p1 p2:80 ok; p1 p2:8080 refused; p3 p2:80 refused; p1 udp/p2:53 refused; p2 p1:80 ok"),
    ("kube-router: the node itself is always allowed", KUBE_ROUTER, "r p2:80 ok; r p2:8080 ok"),
    ("kube-router: with brnf=0 bridged packets pass it by", KUBE_ROUTER + "sysctl -qw net.bridge.bridge-nf-call-iptables=0", "p3 p2:80 ok; p1 p2:8080 ok; r p2:80 ok"),
    ("portmap: a host port from outside, from a Pod, from the Pod itself and from 127.0.0.1", PORTMAP, "x r:9000 ok at p1:80 as x; p2 r:9000 ok at p1:80 as br; p1 r:9000 ok at p1:80 as br; r 127.0.0.1:9000 ok at p1:80 as br; r r:9000 ok at p1:80"),
    ("portmap: without route_localnet 127.0.0.1 leads nowhere", PORTMAP + "sysctl -qw net.ipv4.conf.br0.route_localnet=0", "r 127.0.0.1:9000 timeout; x r:9000 ok"),
    ("Docker's FORWARD drops what is not Docker's", DOCKER, "p1 p2:80 timeout; x r:80 ok; p1 br:80 ok"),
    ("Docker's FORWARD with flannel's accepts drops nothing", DOCKER + "iptables -A FORWARD -s 10.244.0.0/16 -j ACCEPT; iptables -A FORWARD -d 10.244.0.0/16 -j ACCEPT", "p1 p2:80 ok"),
    ("DOCKER-USER comes first", DOCKER + "iptables -A DOCKER-USER -s 10.244.0.0/16 -j ACCEPT; iptables -A DOCKER-USER -d 10.244.0.0/16 -j ACCEPT", "p1 p2:80 ok"),
    ("istio: what goes out goes to the sidecar first", ISTIO, "p1 p2:80 ok at 127.0.0.1:8080; p1 127.0.0.1:80 ok at 127.0.0.1:80"),
    ("istio: what comes in goes to the sidecar first", ISTIO, "p2 p1:80 ok at p1:8080 as p2; p2 p1:9999 ok at p1:8080"),
    ("firewalld: open ports are open, others are prohibited", FIREWALLD, "x r:80 ok; x r:8080 no-host; p1 br:80 no-host; p1 p2:80 no-host; r p1:80 ok"),
    ("firewalld: what was translated is accepted", FIREWALLD + "iptables -t nat -A PREROUTING -d 10.9.0.1 -p tcp --dport 9000 -j DNAT --to-destination 10.244.0.2:80", "x r:9000 ok at p1:80"),
    ("ufw: INPUT and FORWARD drop by default", UFW, "x r:80 ok; x r:8080 timeout; p1 p2:80 timeout; r p1:80 ok; r 127.0.0.1:8080 ok"),
)  # fmt: skip
ON_NODES = (
    ("flannel: what leaves the cluster is masqueraded, what stays is not", FLANNEL, "a out:80 ok as n1; a c:80 ok as a; a b:80 ok as a; n1 c:80 ok as n1"),
    ("flannel: a marked packet is left to kube-proxy", FLANNEL + "iptables -t mangle -A FORWARD -d 10.244.2.2 -j MARK --set-mark 0x4000", "a c:80 ok as a"),
    ("nodelocaldns: untracked packets to its address", "ip addr add 169.254.20.10/32 dev lo; iptables -t raw -A PREROUTING -d 169.254.20.10 -p udp --dport 53 -j NOTRACK; iptables -t raw -A OUTPUT -s 169.254.20.10 -p udp --sport 53 -j NOTRACK; iptables -A INPUT -d 169.254.20.10 -p udp --dport 53 -j ACCEPT; iptables -A OUTPUT -s 169.254.20.10 -p udp --sport 53 -j ACCEPT", "a udp/169.254.20.10:53 ok at 169.254.20.10:53; n1 udp/169.254.20.10:53 ok"),
    ("ip-masq-agent: private ranges are spared", "iptables -t nat -N IP-MASQ; iptables -t nat -A POSTROUTING -m addrtype ! --dst-type LOCAL -j IP-MASQ; iptables -t nat -A IP-MASQ -d 10.0.0.0/8 -j RETURN; iptables -t nat -A IP-MASQ -j MASQUERADE", "a out:80 ok as n1; a c:80 ok as a"),
)  # fmt: skip
ON_CALICO = (
    ("calico: who is allowed reaches the Pod, others are dropped", CALICO, "a b:80 ok; a b:8080 timeout; b a:80 ok; a udp/b:53 timeout"),
    ("calico: the node itself is always allowed", CALICO, "n1 b:80 ok; n1 b:8080 ok"),
    ("calico: a Pod on a device that no chain knows is dropped", CALICO + "iptables -D cali-from -i cali-a -g cali-fw-a", "a b:80 timeout; b a:80 timeout"),
    ("calico: another node's Pod is not in the policy", CALICO, "c b:80 timeout; c a:80 ok"),
    ("calico: the profile lets all out", CALICO, "a c:80 ok; b c:80 ok"),
    ("calico: rpfilter drops an address that is not the Pod's", CALICO + "iptables -t raw -A PREROUTING -i cali-+ -m rpfilter --validmark --invert -j DROP\na$ ip addr add 10.244.9.9/32 dev lo", "a@10.244.9.9 c:80 timeout|no-host; a@10.244.1.2 c:80 ok"),
)  # fmt: skip


@sentences(*ON_A_BRIDGE)
def test_on_a_bridge(one: Scene, setup, questions):
    bridged(one)
    set_up(one, "r", setup)
    one.check(questions)


@sentences(*ON_NODES)
def test_on_nodes(one: Scene, setup, questions):
    cluster(one)
    set_up(one, "n1", setup)
    one.check(questions)


@sentences(*ON_CALICO)
def test_on_routed_pods(one: Scene, setup, questions):
    cluster(one, "calico")
    set_up(one, "n1", setup)
    one.check(questions)
