"""What each fault breaks: two nodes, the probes of the signature matrix, three kinds of networks.

A row names the probes that a fault breaks; all others work. ``ab`` Pod to Pod on a node, ``ac`` across nodes, ``out`` to a
host outside, ``svcL`` and ``svcR`` a Service whose endpoint is near or far, ``hp`` one whose endpoint is the client itself,
``np`` a node port from outside, ``host`` a node to a Service.
"""

from random import Random

import pytest

from tests.kernel.cases import set_up
from tests.kernel.kube_proxy import Backend, Proxy, Service, iptables
from tests.kernel.lab import CommandError
from tests.kernel.referee import ask_tracer, be_patient, disagreement, read_questions
from tests.kernel.sickbay import SICKBAY
from tests.kernel.topologies import CLUSTER_CIDR, Scene, cluster

PROBES = {
    "ab": "a b:8080",
    "ac": "a c:8080",
    "out": "a out:80",
    "svcL": "a 10.96.0.51:80",
    "svcR": "a 10.96.0.52:80",
    "hp": "a 10.96.0.53:80",
    "np": "ext n1:30080",
    "host": "n1 10.96.0.52:80",
}
SERVICES = (
    Service("near", "10.96.0.51", 80, (Backend("10.244.1.3", 8080, "n1"),)),
    Service("far", "10.96.0.52", 80, (Backend("10.244.2.2", 8080, "n2"),), node_port=30080),
    Service("self", "10.96.0.53", 80, (Backend("10.244.1.2", 8080, "n1"),)),
)
ALL = "ab ac out svcL svcR hp np host"
HOST_GW, VXLAN, CALICO = ("host-gw",), ("vxlan",), ("calico",)
BRIDGES = ("host-gw", "vxlan")

FAULTS = (
    ("nothing", (*BRIDGES, "calico"), "", ""),
    ("ip_forward is 0", BRIDGES, "n1$ sysctl -qw net.ipv4.ip_forward=0", "ac out svcL svcR hp np"),
    ("forwarding of cni0 is 0", BRIDGES, "n1$ sysctl -qw net.ipv4.conf.cni0.forwarding=0", "ac out svcL svcR hp"),
    ("ip_forward of n2 is 0", BRIDGES, "n2$ sysctl -qw net.ipv4.ip_forward=0", "ac svcR np host"),
    ("bridge-nf-call-iptables is 0", BRIDGES, "n1$ sysctl -qw net.bridge.bridge-nf-call-iptables=0", "svcL"),
    ("FORWARD drops", BRIDGES, "n1$ iptables -F FORWARD; iptables -P FORWARD DROP", "ab ac out svcL svcR hp np"),
    ("FORWARD drops and bridges are not seen", BRIDGES, "n1$ iptables -F FORWARD; iptables -P FORWARD DROP; sysctl -qw net.bridge.bridge-nf-call-iptables=0", "ac out svcL svcR hp np"),
    ("FORWARD of iptables-legacy drops", BRIDGES, "n1$ iptables-legacy -P FORWARD DROP", "ab ac out svcL svcR hp np"),
    ("an nft chain after iptables drops", BRIDGES, "n1$ nft 'table inet x { chain c { type filter hook forward priority 10; drop; }; }'", "ab ac out svcL svcR hp np"),
    ("no masquerade", BRIDGES, "n1$ iptables -t nat -D POSTROUTING -s 10.244.0.0/16 ! -d 10.244.0.0/16 -j MASQUERADE", "out"),
    ("the route to n2's Pods is missing", BRIDGES, "n1$ ip route del 10.244.2.0/24", "ac svcR np host"),
    ("the route to n2's Pods has a wrong next hop", HOST_GW, "n1$ ip route replace 10.244.2.0/24 via 192.168.50.77", "ac svcR np host"),
    ("the route to n2's Pods is a blackhole", BRIDGES, "n1$ ip route replace blackhole 10.244.2.0/24", "ac svcR np host"),
    ("a LAN overlaps n2's Pods", HOST_GW, "n1$ ip link add br9 type bridge; ip link set br9 up; ip addr add 10.244.2.1/25 dev br9", "ac svcR np host"),
    ("n1's firewall drops what leaves for outside", BRIDGES, "n1$ iptables -I FORWARD -d 203.0.113.0/24 -j DROP", "out"),
    ("a range is exempt from masquerade", BRIDGES, "n1$ iptables -t nat -I POSTROUTING -d 203.0.113.0/24 -j RETURN", "out"),
    ("the node port is filtered", BRIDGES, "n1$ iptables -t mangle -A PREROUTING -i eth0 -p tcp --dport 30080 -j DROP", "np"),
    ("the target port is wrong", BRIDGES, "n1$ iptables -t nat -F KUBE-SEP-FAR-0; iptables -t nat -A KUBE-SEP-FAR-0 -p tcp -j DNAT --to-destination 10.244.2.2:9", "svcR np host"),
    ("everything is masqueraded", BRIDGES, "n1$ iptables -t nat -I POSTROUTING -s 10.244.0.0/16 -j MASQUERADE", ""),
    ("rp_filter and an asymmetric route", HOST_GW, "n1$ sysctl -qw net.ipv4.conf.all.rp_filter=1; ip route replace 10.244.2.0/25 via 10.244.1.2 dev cni0 metric 5", "ac svcR np host"),
    ("hairpin is off", BRIDGES, "n1$ bridge link set dev veth-a hairpin off", "hp"),
    ("hairpin is off and the bridge promiscuous", BRIDGES, "n1$ bridge link set dev veth-a hairpin off; ip link set cni0 promisc on", "hp"),
    ("hairpin is off and bridges are not seen", BRIDGES, "n1$ bridge link set dev veth-a hairpin off; sysctl -qw net.bridge.bridge-nf-call-iptables=0", "svcL"),
    ("n1 has no default route", BRIDGES, "n1$ ip route del default", "out host"),
    ("two ports are isolated", BRIDGES, "n1$ bridge link set dev veth-a isolated on; bridge link set dev veth-b isolated on", "ab svcL hp"),
    ("nft bridge drops", BRIDGES, "n1$ nft 'table bridge x { chain c { type filter hook forward priority 0; ip daddr 10.244.1.3 drop; }; }'", "ab svcL"),
    ("b's veth is down", BRIDGES, "n1$ ip link set veth-b down", "ab svcL"),
    ("b's veth is no port", BRIDGES, "n1$ ip link set veth-b nomaster", "ab svcL"),
    ("a has no default route", BRIDGES, "a$ ip route del default", "ac out svcL svcR hp"),
    ("Pods are not tracked", BRIDGES, "n1$ iptables -t raw -A PREROUTING -s 10.244.0.0/16 -j NOTRACK", "out svcL svcR hp np host"),
    ("another tool clears the masquerade mark", BRIDGES, "n1$ iptables -t mangle -A POSTROUTING -j MARK --set-xmark 0x0/0x4000", "hp np"),
    ("KUBE-SERVICES is not called in OUTPUT", BRIDGES, "n1$ iptables -t nat -D OUTPUT -j KUBE-SERVICES", "host"),
    ("KUBE-SERVICES is not called in PREROUTING", BRIDGES, "n1$ iptables -t nat -D PREROUTING -j KUBE-SERVICES", "svcL svcR hp np"),
    ("a hostPort shadows the node port", BRIDGES, "n1$ iptables -t nat -I PREROUTING -p tcp --dport 30080 -j DNAT --to-destination 10.244.1.3:9", "np"),
    ("INPUT accepts established only", HOST_GW, "n1$ iptables -P INPUT DROP; iptables -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT", ""),
    ("INPUT accepts established only, and drops the tunnel", VXLAN, "n1$ iptables -P INPUT DROP; iptables -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT", "ac svcR np host"),
    ("n2 drops the tunnel's port", VXLAN, "n2$ iptables -A INPUT -p udp --dport 8472 -j DROP", "ac svcR np host"),
    ("n1 drops the tunnel's port on its way out", VXLAN, "n1$ iptables -A OUTPUT -p udp --dport 8472 -j DROP", "ac svcR np host"),
    ("n2's VNI is another", VXLAN, "n2$ ip link del flannel.1; ip link add flannel.1 type vxlan id 2 dstport 8472 local 192.168.50.2 dev eth0 nolearning; ip link set flannel.1 address 02:00:00:00:02:ff up; ip addr add 10.244.2.0/32 dev flannel.1; ip route add 10.244.1.0/24 via 10.244.1.0 dev flannel.1 onlink; ip neigh add 10.244.1.0 lladdr 02:00:00:00:01:ff dev flannel.1 nud permanent; bridge fdb append 02:00:00:00:01:ff dev flannel.1 dst 192.168.50.1", "ac svcR np host"),
    ("n2's tunnel port is another", VXLAN, "n2$ ip link del flannel.1; ip link add flannel.1 type vxlan id 1 dstport 4789 local 192.168.50.2 dev eth0 nolearning; ip link set flannel.1 address 02:00:00:00:02:ff up; ip addr add 10.244.2.0/32 dev flannel.1; ip route add 10.244.1.0/24 via 10.244.1.0 dev flannel.1 onlink; ip neigh add 10.244.1.0 lladdr 02:00:00:00:01:ff dev flannel.1 nud permanent; bridge fdb append 02:00:00:00:01:ff dev flannel.1 dst 192.168.50.1", "ac svcR np host"),
    ("the remote end is a wrong one", VXLAN, "n1$ bridge fdb replace 02:00:00:00:02:ff dev flannel.1 dst 192.168.50.100", "ac svcR np host"),
    ("the remote end's MAC is stale", VXLAN, "n2$ ip link set flannel.1 address 02:00:00:00:02:ee", "ac svcR np host"),
    ("the fdb entry is missing", VXLAN, "n1$ bridge fdb del 02:00:00:00:02:ff dev flannel.1 dst 192.168.50.2", "ac svcR np host"),
    ("the neighbour is missing", VXLAN, "n1$ ip neigh del 10.244.2.0 dev flannel.1", "ac svcR np host"),
    ("the neighbour has a wrong MAC", VXLAN, "n1$ ip neigh replace 10.244.2.0 lladdr 02:00:00:00:02:99 dev flannel.1 nud permanent; bridge fdb append 02:00:00:00:02:99 dev flannel.1 dst 192.168.50.2", "ac svcR np host"),
    ("a default fdb entry is enough", VXLAN, "n1$ bridge fdb del 02:00:00:00:02:ff dev flannel.1 dst 192.168.50.2; bridge fdb append 00:00:00:00:00:00 dev flannel.1 dst 192.168.50.2", ""),
    ("the tunnel was down and up again", VXLAN, "n1$ ip link set flannel.1 down; ip link set flannel.1 up", "ac svcR np host"),
    ("the tunnel is gone", VXLAN, "n1$ ip link del flannel.1", "ac svcR np host"),
    ("the answers of n2 take the underlay", VXLAN, "n2$ ip route replace 10.244.1.0/24 via 192.168.50.1", ""),
    ("the answers of n2 take the underlay and n1's rp_filter is strict", VXLAN, "n2$ ip route replace 10.244.1.0/24 via 192.168.50.1\nn1$ sysctl -qw net.ipv4.conf.eth0.rp_filter=1", "ac svcR np host"),
    ("proxy_arp is off for a", CALICO, "n1$ sysctl -qw net.ipv4.conf.cali-a.proxy_arp=0", "ab ac out svcL svcR hp"),
    ("proxy_arp is off for c", CALICO, "n2$ sysctl -qw net.ipv4.conf.cali-c.proxy_arp=0", "ac svcR np host"),
    ("ip_forward is 0 and Pods are routed", CALICO, "n1$ sysctl -qw net.ipv4.ip_forward=0", "ab ac out svcL svcR hp np"),
    ("bridge-nf-call-iptables is 0 and there is no bridge", CALICO, "n1$ sysctl -qw net.bridge.bridge-nf-call-iptables=0", ""),
    ("FORWARD drops and Pods are routed", CALICO, "n1$ iptables -F FORWARD; iptables -P FORWARD DROP", "ab ac out svcL svcR hp np"),
    ("b's own route is missing", CALICO, "n1$ ip route del 10.244.1.3", "ab svcL"),
    ("c's own route is missing", CALICO, "n2$ ip route del 10.244.2.2", "ac svcR np host"),
    ("a policy drops what goes to b", CALICO, "n1$ iptables -I FORWARD -o cali-b -m conntrack --ctstate NEW -j DROP", "ab svcL"),
    ("a rule sends Pods to an unreachable table", BRIDGES, "n1$ ip route add unreachable default table 200; ip rule add from 10.244.0.0/16 lookup 200 pref 100", "ac out svcL svcR hp np"),
    ("only sources in the podCIDR are accepted", BRIDGES, "n1$ iptables -F FORWARD; iptables -P FORWARD DROP; iptables -A FORWARD -s 10.244.0.0/16 -j ACCEPT", "out np"),
    ("sources and destinations in the podCIDR are accepted", BRIDGES, "n1$ iptables -F FORWARD; iptables -P FORWARD DROP; iptables -A FORWARD -s 10.244.0.0/16 -j ACCEPT; iptables -A FORWARD -d 10.244.0.0/16 -j ACCEPT", ""),
    ("n1's proxy forgets masquerade marks", BRIDGES, "n1$ iptables -t nat -F KUBE-MARK-MASQ", "hp np"),
    ("the node holds the Service's address itself", BRIDGES, "n1$ ip addr add 10.96.0.52/32 dev lo", ""),
)  # fmt: skip


@pytest.fixture
def two_nodes(one: Scene, mode: str) -> Scene:
    """The two nodes with kube-proxy's rules and the CNI plugin's masquerade."""
    cluster(one, mode)
    for name in ("n1", "n2"):
        node = one.lab[name]
        rules = iptables(Proxy(name, one.lab.addresses[name], CLUSTER_CIDR, SERVICES))
        node.sh(
            f"iptables-restore <<'X'\n{rules}X\niptables -t nat -A POSTROUTING -s 10.244.0.0/16 ! -d 10.244.0.0/16 -j MASQUERADE"
        )
    for service in SERVICES:
        ports = (
            [{"port": service.port, "nodePort": service.node_port}]
            if service.node_port
            else [{"port": service.port}]
        )
        spec = {"clusterIP": service.ip, "clusterIPs": [service.ip], "ports": ports}
        one.lab.objects["services"].append(
            {"metadata": {"name": service.name, "namespace": "t"}, "spec": spec}
        )
    return one


CASES = [
    pytest.param(
        mode,
        script,
        broken,
        id=f"{mode}: {name}",
        marks=[pytest.mark.xfail(reason=SICKBAY[name], strict=True)] if name in SICKBAY else [],
    )
    for name, modes, script, broken in FAULTS
    for mode in modes
]


@pytest.mark.parametrize(("mode", "script", "broken"), CASES)
def test_fault(two_nodes: Scene, script, broken):
    set_up(two_nodes, "n1", script)
    expected = broken.split()
    text = "; ".join(
        f"{question} {'timeout|no-host|no-net|refused|invalid' if name in expected else 'ok'}"
        for name, question in PROBES.items()
    )
    questions = two_nodes.ask(text)
    found = [name for name, question in zip(PROBES, questions, strict=True) if question.probe.outcome != "ok"]
    problems = [problem for question in questions if (problem := disagreement(question))]
    if found != sorted(expected, key=list(PROBES).index):
        problems.insert(
            0, f"breaks {' '.join(found)}, not {broken}: {[question.kernel for question in questions]}"
        )
    if problems:
        pytest.fail("\n" + "\n".join(problems), pytrace=False)


SEVERAL = (
    "; ".join(PROBES.values())
    + "; a udp/c:53; c a:8080; b c:80; c 10.96.0.51:80; n2 10.96.0.52:80; n1 n2:80; a n2:30080; ext n2:30080; n1 n1:30080; c out:80; "
    "a c:8080*20000; n1 c:8080; n2 a:80; a n1:80; ext n1:80"
)
LIMITED = ("unreachable", "no default", "no masquerade")
"""Faults that make a node send more errors at once than it may, or whose verdict hangs on what the other node still does."""


def faults_together(seed: int) -> tuple[str, str]:
    """A kind of network, and the scripts of two or three faults in it."""
    random = Random(seed)  # noqa: S311  faults, not secrets
    mode = random.choice(("host-gw", "vxlan", "calico"))
    fitting = [
        script
        for name, modes, script, _ in FAULTS
        if mode in modes and script and not any(word in name for word in LIMITED)
    ]
    return mode, "\n".join(random.sample(fitting, k=random.choice((2, 3))))


@pytest.mark.parametrize(
    ("mode", "script"), [pytest.param(*faults_together(seed), id=f"seed {seed}") for seed in range(16)]
)
def test_of_several_faults_at_once_the_kernel_and_the_tracer_say_the_same(two_nodes: Scene, script):
    try:
        set_up(two_nodes, "n1", script)
    except CommandError as error:
        pytest.skip(f"these faults do not go together: {error}")
    lab = two_nodes.lab
    questions = read_questions(lab, SEVERAL)
    ask_tracer(lab, lab.network(), questions)
    be_patient(questions)
    two_nodes.prober.probe([question.probe for question in questions])
    problems = [problem for question in questions if (problem := disagreement(question))]
    if problems:
        pytest.fail("\n" + "\n".join(problems), pytrace=False)
