"""The question that a promise is."""

import pytest

from podpath.cli.names import ask
from podpath.intent.promises import promises
from podpath.model.addr import parse_addr
from podpath.model.flow import Flow
from podpath.model.promise import Promise
from podpath.model.refs import NetnsId, ObjectRef
from podpath.report.ask import question_for
from podpath.report.names import Names
from tests.report.made import a_promise, three_nodes

CLIENT = NetnsId("pod/ops/client")


def asked(dst, port=0, protocol=6, **more):
    flow = Flow(CLIENT, parse_addr(dst), protocol, port)
    return question_for(a_promise(flow=flow, **more), Names(three_nodes()))


@pytest.mark.parametrize(
    ("dst", "port", "protocol", "question"),
    [
        ("10.96.0.20", 80, 6, "svc/shop/api:http"),
        ("10.244.2.5", 8080, 17, "pod/shop/api-2:8080/udp"),
        ("10.244.2.5", 0, 1, "pod/shop/api-2/icmp"),
        ("172.30.0.12", 30080, 6, "node/n2:30080"),
        ("192.0.2.1", 53, 17, "192.0.2.1:53/udp"),
    ],
)
def test_a_promise_is_a_question_in_names(dst, port, protocol, question):
    assert asked(dst, port, protocol) == f"pod/ops/client {question}"


def test_dns_and_the_outside_are_words():
    assert asked("10.96.0.10", 53, 17, kind="dns") == "pod/ops/client dns"
    assert asked("10.96.0.10", 53, 6, kind="dns") == "pod/ops/client dns/tcp"
    assert asked("203.0.113.10", 443, kind="outside") == "pod/ops/client internet"


def test_what_has_no_name_is_not_asked():
    assert question_for(a_promise(ObjectRef("Webhook", "", "x")), Names(three_nodes())) == ""


def test_the_question_of_every_promise_is_understood():
    network = three_nodes()
    every = [one for one in promises(network) if isinstance(one, Promise)]
    assert every
    for promise in every:
        src, dst = question_for(promise, Names(network)).split()
        (flow,) = ask(network, src, dst).flows
        assert (flow.netns, flow.dst, flow.dport, flow.protocol) == (
            promise.flow.netns,
            promise.flow.dst,
            promise.flow.dport,
            promise.flow.protocol,
        )
