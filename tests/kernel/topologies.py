"""The networks of datapath tests: a router between two hosts, a node with a bridge, two nodes with an overlay."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from podpath.model.network import Network
from tests.kernel.lab import Lab, Space
from tests.kernel.prober import Listener, Prober
from tests.kernel.referee import Question, ask_tracer, disagreement, read_questions, untrue

PORTS = (80, 8080)
UDP_PORTS = (53, 5353)


@dataclass
class Scene:
    """A lab with servers, in which questions are asked."""

    lab: Lab = field(default_factory=Lab)
    prober: Prober = field(default_factory=Prober)
    known: Network | None = None
    """The dump, where many tests share a scene that none of them changes."""

    def close(self) -> None:
        """Remove all of it."""
        self.prober.close()
        self.lab.close()

    def serve(self, *names: str) -> None:
        """Servers on all addresses of both families: TCP 80 and 8080, UDP 53 and 5353."""
        for name in names:
            self.listen(name, *PORTS)
            self.listen(name, *UDP_PORTS, udp=True)

    def listen(
        self, name: str, *ports: int, udp: bool = False, address: str = "", v6only: bool = False
    ) -> None:
        """Servers on some ports."""
        for port in ports:
            self.prober.serve(Listener(self.lab[name], port, udp, address, v6only))

    def check(self, text: str) -> None:
        """The kernel says what the test says, and the tracer says what the kernel says."""
        questions = self.ask(text)
        assert all(question.answer for question in questions), "a sentence says what the kernel answers"
        problems = [
            problem
            for question in questions
            for problem in (untrue(question), disagreement(question))
            if problem
        ]
        if problems:
            pytest.fail("\n" + "\n".join(problems), pytrace=False)

    def ask(self, text: str) -> list[Question]:
        """Ask both. What is dumped is the state before the first probe."""
        questions = read_questions(self.lab, text)
        network = self.known or self.lab.network()
        self.prober.probe([question.probe for question in questions])
        ask_tracer(self.lab, network, questions)
        return questions


@contextmanager
def scene() -> Iterator[Scene]:
    """A scene that is removed in the end."""
    one = Scene()
    try:
        yield one
    finally:
        one.close()


def routed(one: Scene) -> Space:
    """T1: a 10.1.0.2 - r - b 10.2.0.2. The router is a node, the hosts are Pods of it."""
    lab = one.lab
    router = lab.node("r", "10.1.0.1", "10.2.0.1")
    lab.pod("a", "r", "10.1.0.2", "fd01::2")
    lab.pod("b", "r", "10.2.0.2", "fd02::2")
    for host, number in (("a", 1), ("b", 2)):
        lab.cable(host, "eth0", "r", f"r{host}")
        attach(
            lab[host],
            "eth0",
            f"10.{number}.0.2/24",
            f"10.{number}.0.1",
            f"fd0{number}::2/64",
            f"fd0{number}::1",
        )
        router.sh(
            f"ip addr add 10.{number}.0.1/24 dev r{host}; ip addr add fd0{number}::1/64 dev r{host} nodad"
        )
        lab.addresses |= {
            f"r{host}": f"10.{number}.0.1",
            f"r{host}6": f"fd0{number}::1",
            f"{host}6": f"fd0{number}::2",
        }
    forward(router)
    one.serve("a", "b", "r")
    return router


def bridged(one: Scene) -> Space:
    """T2: a node r with a bridge br0 10.244.0.1 and Pods p1 .2, p2 .3, p3 .4 on it; x 10.9.0.2 is a host outside."""
    lab = one.lab
    node = lab.node("r", "10.9.0.1", pod_cidr="10.244.0.0/24")
    node.sh(BRIDGE)
    lab.host("x", "10.9.0.2")
    lab.cable("x", "eth0", "r", "rx")
    attach(lab["x"], "eth0", "10.9.0.2/24", "10.9.0.1", "fd09::2/64", "fd09::1")
    node.sh("ip addr add 10.9.0.1/24 dev rx; ip addr add fd09::1/64 dev rx nodad")
    lab.addresses |= {"br": "10.244.0.1", "br6": "fd44::1", "x6": "fd09::2", "r6": "fd09::1"}
    for number in (1, 2, 3):
        name = f"p{number}"
        lab.pod(name, "r", f"10.244.0.{number + 1}", f"fd44::{number + 1}")
        lab.addresses[f"{name}6"] = f"fd44::{number + 1}"
        lab.cable(name, "eth0", "r", f"v{number}")
        attach(
            lab[name], "eth0", f"10.244.0.{number + 1}/24", "10.244.0.1", f"fd44::{number + 1}/64", "fd44::1"
        )
        node.sh(f"ip link set v{number} master br0")
    forward(node)
    one.serve("p1", "p2", "p3", "r", "x")
    return node


BRIDGE = """
ip link add br0 type bridge forward_delay 0
ip link set br0 address 02:00:00:00:00:01 up
ip addr add 10.244.0.1/24 dev br0
ip addr add fd44::1/64 dev br0 nodad
"""


CLUSTER_CIDR, CLUSTER_CIDR6 = "10.244.0.0/16", "fd44::/16"
OUTSIDE = "203.0.113.10"


def cluster(one: Scene, mode: str = "host-gw") -> None:
    """Two nodes, Pods a and b on n1 and c on n2, and a host ext beside them.

    ``mode`` is host-gw, vxlan or calico (routed Pods with proxy ARP). The switch between them no bundle shows.
    """
    lab = one.lab
    lab.host("switch").sh("ip link add s0 type bridge forward_delay 0; ip link set s0 up")
    for number in (1, 2):
        lab.node(f"n{number}", f"192.168.50.{number}", f"fd50::{number}", pod_cidr=f"10.244.{number}.0/24")
    lab.host("ext", "192.168.50.100")
    lab.addresses |= {
        "ext6": "fd50::100",
        "out": OUTSIDE,
        "n16": "fd50::1",
        "n26": "fd50::2",
        "cni1": "10.244.1.1",
        "cni2": "10.244.2.1",
    }
    for name, number in (("n1", 1), ("n2", 2), ("ext", 100)):
        lab.cable(name, "eth0", "switch", f"s-{name}")
        lab["switch"].sh(f"ip link set s-{name} master s0")
        gateway = "" if name == "ext" else "192.168.50.100"
        attach(lab[name], "eth0", f"192.168.50.{number}/24", gateway, f"fd50::{number}/64")
        forward(lab[name])
    lab["ext"].sh(f"ip addr add {OUTSIDE}/32 dev lo")
    for name, node, number in (("a", 1, 2), ("b", 1, 3), ("c", 2, 2)):
        lab.pod(name, f"n{node}", f"10.244.{node}.{number}", f"fd44:{node}::{number}")
        lab.addresses[f"{name}6"] = f"fd44:{node}::{number}"
        lab.cable(name, "eth0", f"n{node}", f"cali-{name}" if mode == "calico" else f"veth-{name}")
    for number in (1, 2):
        (_calico if mode == "calico" else _bridge_cni)(lab, number)
        (_vxlan if mode == "vxlan" else _host_gateways)(lab, number)
    one.serve("a", "b", "c", "n1", "n2", "ext")


PODS = {1: (("a", 2), ("b", 3)), 2: (("c", 2),)}


def _bridge_cni(lab: Lab, node: int) -> None:
    lab[f"n{node}"].sh(
        f"ip link add cni0 type bridge forward_delay 0; ip link set cni0 address 02:00:00:00:0{node}:01 up\n"
        f"ip addr add 10.244.{node}.1/24 dev cni0; ip addr add fd44:{node}::1/64 dev cni0 nodad\n"
        + "".join(
            f"ip link set veth-{pod} master cni0; bridge link set dev veth-{pod} hairpin on\n"
            for pod, _ in PODS[node]
        )
    )
    for pod, number in PODS[node]:
        attach(
            lab[pod],
            "eth0",
            f"10.244.{node}.{number}/24",
            f"10.244.{node}.1",
            f"fd44:{node}::{number}/64",
            f"fd44:{node}::1",
        )


def _calico(lab: Lab, node: int) -> None:
    lab[f"n{node}"].sh(
        f"ip route add blackhole 10.244.{node}.0/24\n"
        + "".join(
            f"ip route add 10.244.{node}.{number}/32 dev cali-{pod}\n"
            f"sysctl -qw net.ipv4.conf.cali-{pod}.proxy_arp=1 net.ipv4.conf.cali-{pod}.rp_filter=1\n"
            f"ip -6 route add fd44:{node}::{number}/128 dev cali-{pod}\n"
            for pod, number in PODS[node]
        )
    )
    for pod, number in PODS[node]:
        lab[pod].sh(
            f"ip route add 169.254.1.1 dev eth0; ip addr add 10.244.{node}.{number}/32 dev eth0\nip route add default via 169.254.1.1 dev eth0"
        )


def _host_gateways(lab: Lab, node: int) -> None:
    other = 3 - node
    lab[f"n{node}"].sh(
        f"ip route add 10.244.{other}.0/24 via 192.168.50.{other}; ip -6 route add fd44:{other}::/64 via fd50::{other}"
    )


def _vxlan(lab: Lab, node: int) -> None:
    other = 3 - node
    lab[f"n{node}"].sh(
        f"ip link add flannel.1 type vxlan id 1 dstport 8472 local 192.168.50.{node} dev eth0 nolearning\n"
        f"ip link set flannel.1 address 02:00:00:00:0{node}:ff mtu 1450 up\n"
        f"ip addr add 10.244.{node}.0/32 dev flannel.1\n"
        f"ip route add 10.244.{other}.0/24 via 10.244.{other}.0 dev flannel.1 onlink\n"
        f"ip neigh add 10.244.{other}.0 lladdr 02:00:00:00:0{other}:ff dev flannel.1 nud permanent\n"
        f"bridge fdb append 02:00:00:00:0{other}:ff dev flannel.1 dst 192.168.50.{other}\n"
        f"ip -6 route add fd44:{other}::/64 via fd50::{other}\n"
    )


def forward(space: Space) -> None:
    """A host forwards both families."""
    space.sh("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1")


def attach(
    space: Space, dev: str, address: str, gateway: str = "", address6: str = "", gateway6: str = ""
) -> None:
    """Addresses and default routes of a host."""
    script = f"ip addr add {address} dev {dev}\n"
    script += f"ip route add default via {gateway} dev {dev} onlink\n" if gateway else ""
    script += f"ip addr add {address6} dev {dev} nodad\n" if address6 else ""
    script += f"ip -6 route add default via {gateway6} dev {dev}\n" if gateway6 else ""
    space.sh(script)
