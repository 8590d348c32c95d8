"""The networks of datapath tests: a router between two hosts, a node with a bridge, two nodes with an overlay."""

from __future__ import annotations

from contextlib import contextmanager
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

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

    def close(self) -> None:
        """Remove all of it."""
        self.prober.close()
        self.lab.close()

    def serve(self, *names: str) -> None:
        """Servers on all addresses of both families: TCP 80 and 8080, UDP 53 and 5353."""
        for name in names:
            self.listen(name, *PORTS)
            self.listen(name, *UDP_PORTS, udp=True)

    def listen(self, name: str, *ports: int, udp: bool = False, address: str = "", v6only: bool = False) -> None:
        """Servers on some ports."""
        for port in ports:
            self.prober.serve(Listener(self.lab[name], port, udp, address, v6only))

    def check(self, text: str) -> None:
        """The kernel says what the test says, and the tracer says what the kernel says."""
        questions = self.ask(text)
        problems = [problem for question in questions for problem in (untrue(question), disagreement(question)) if problem]
        if problems:
            pytest.fail("\n" + "\n".join(problems), pytrace=False)

    def ask(self, text: str) -> list[Question]:
        """Ask both. What is dumped is the state before the first probe."""
        questions = read_questions(self.lab, text)
        network = self.lab.network()
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
        attach(lab[host], "eth0", f"10.{number}.0.2/24", f"10.{number}.0.1", f"fd0{number}::2/64", f"fd0{number}::1")
        router.sh(f"ip addr add 10.{number}.0.1/24 dev r{host}; ip addr add fd0{number}::1/64 dev r{host} nodad")
        lab.addresses |= {f"r{host}": f"10.{number}.0.1", f"r{host}6": f"fd0{number}::1", f"{host}6": f"fd0{number}::2"}
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
        attach(lab[name], "eth0", f"10.244.0.{number + 1}/24", "10.244.0.1", f"fd44::{number + 1}/64", "fd44::1")
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


def forward(space: Space) -> None:
    """A host forwards both families."""
    space.sh("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1")


def attach(space: Space, dev: str, address: str, gateway: str = "", address6: str = "", gateway6: str = "") -> None:
    """Addresses and default routes of a host."""
    script = f"ip addr add {address} dev {dev}\n"
    script += f"ip route add default via {gateway} dev {dev} onlink\n" if gateway else ""
    script += f"ip addr add {address6} dev {dev} nodad\n" if address6 else ""
    script += f"ip -6 route add default via {gateway6} dev {dev}\n" if gateway6 else ""
    space.sh(script)
