"""Who listens on what, and connections that are there already."""

import socket
from typing import Any

import pytest

from tests.kernel.lab import entered
from tests.kernel.referee import ask_tracer, disagreement, read_questions
from tests.kernel.topologies import Scene, routed

VIP = "10.96.0.1"
LISTENERS: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("a listener on 127.0.0.1 is not there for others", {"address": "127.0.0.1"}, "a b:7000 refused; b b:7000 refused; b 127.0.0.1:7000 ok"),
    ("a listener on one address is not there on another", {"address": "10.2.0.2"}, "a b:7000 ok; b 127.0.0.1:7000 refused"),
    ("a listener on :: takes IPv4", {}, "a b:7000 ok; a b6:7000 ok"),
    ("a listener on :: alone with v6only refuses IPv4", {"v6only": True}, "a b:7000 refused; a b6:7000 ok"),
    ("a listener on 0.0.0.0 refuses IPv6", {"address": "0.0.0.0"}, "a b:7000 ok; a b6:7000 refused"),
    ("a UDP listener on 127.0.0.1 is not there for others", {"address": "127.0.0.1", "udp": True}, "a udp/b:7000 refused; b udp/127.0.0.1:7000 ok"),
    ("a UDP listener on 0.0.0.0 takes all", {"address": "0.0.0.0", "udp": True}, "a udp/b:7000 ok; b udp/127.0.0.1:7000 ok; a udp/b6:7000 refused"),
    ("TCP and UDP are not the same port", {"udp": True}, "a b:7000 refused; a udp/b:7000 ok"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("listener", "questions"), [pytest.param(how, questions, id=name) for name, how, questions in LISTENERS]
)
def test_listener(one: Scene, listener, questions):
    routed(one)
    one.listen("b", 7000, **listener)
    one.check(questions)


@pytest.mark.parametrize("backlog", [0, 1, 3])
def test_a_full_accept_queue_drops(one: Scene, backlog):
    routed(one)
    with entered(one.lab["b"].netns):
        server = socket.create_server(("10.2.0.2", 7000), backlog=backlog)
    with entered(one.lab["a"].netns):
        waiting = [socket.create_connection(("10.2.0.2", 7000), timeout=2) for _ in range(backlog + 1)]
    try:
        one.check("a b:7000 timeout; a b:80 ok")
    finally:
        for each in (server, *waiting):
            each.close()


def test_a_bound_device_takes_what_comes_in_by_it(one: Scene):
    routed(one)
    with entered(one.lab["b"].netns):
        server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")
    server.bind(("0.0.0.0", 7000))
    server.listen()
    try:
        one.check("a b:7000 refused")
    finally:
        server.close()


REPLACE = f"""
iptables -t nat -F PREROUTING
iptables -t nat -A PREROUTING -d {VIP} -p udp -j DNAT --to-destination 10.2.0.2
"""


def ask_again(one: Scene, text: str) -> None:
    """Ask with the conntrack table in the dump."""
    questions = read_questions(one.lab, text)
    network = one.lab.network("r", sources=("conntrack", "iptables-nft-save"))
    one.prober.probe([question.probe for question in questions])
    ask_tracer(one.lab, network, questions)
    problems = [problem for question in questions if (problem := disagreement(question))]
    wrong = [q.text for q in questions if q.probe.outcome not in q.answer.split("|")]
    assert (problems, wrong) == ([], [])


def test_a_udp_connection_keeps_its_translation_when_the_rule_is_gone(one: Scene):
    router = routed(one)
    router.sh(f"iptables -t nat -A PREROUTING -d {VIP} -p udp -j DNAT --to-destination 10.2.0.77")
    one.check(f"a#5000 udp/{VIP}:53 timeout")
    router.sh(REPLACE)
    ask_again(one, f"a#5000 udp/{VIP}:53 timeout; a#5001 udp/{VIP}:53 ok")


def test_a_udp_connection_from_before_the_rule_stays_untranslated(one: Scene):
    router = routed(one)
    router.sh("ip route add default via 10.2.0.2; iptables -A FORWARD -m conntrack --ctstate INVALID -j DROP")
    one.check(f"a#5000 udp/{VIP}:53 timeout|no-host|refused")
    router.sh(REPLACE)
    ask_again(one, f"a#5000 udp/{VIP}:53 timeout|no-host|refused; a#5001 udp/{VIP}:53 ok")


def test_a_udp_connection_that_was_answered_is_established(one: Scene):
    router = routed(one)
    router.sh("iptables -A FORWARD -m conntrack --ctstate ESTABLISHED -j ACCEPT")
    one.check("a#5000 udp/b:53 ok")
    router.sh("iptables -P FORWARD DROP")
    ask_again(one, "a#5000 udp/b:53 ok; a#5001 udp/b:53 timeout")
