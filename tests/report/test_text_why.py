"""Answers as people read them."""

import re

import pytest

from podpath.diagnosis.why import WhyCause
from podpath.model.addr import parse_addr
from podpath.model.finding import Fix
from podpath.model.flow import Flow, Packet
from podpath.model.linux.netfilter import Rule
from podpath.model.origin import Origin
from podpath.model.promise import NotPromised
from podpath.model.refs import NetnsId, ObjectRef
from podpath.model.trace import Answer, Branch, Disposition, Hop, Step, Symptom, Trace, Verdict
from podpath.report.names import Names
from podpath.report.style import Style, columns
from podpath.report.text_why import Asked, WhyReport
from podpath.report.why_sentence import chance_words, sentence
from tests.report.made import three_nodes

CLIENT, N1, N2 = NetnsId("pod/ops/client"), NetnsId("node/n1"), NetnsId("node/n2")
FLOW = Flow(CLIENT, parse_addr("10.96.0.20"), dport=80)
RULE = Origin("nodes/n1/iptables-nft-save", 88, "-A KUBE-SEP-X -j DNAT --to-destination 10.244.2.5:8080")
POLICY = Origin("nodes/n2/iptables-nft-save", 14, ":FORWARD DROP [0:0]")


def a_packet(dst="10.96.0.20", port=80, src="10.244.1.9"):
    return Packet(6, parse_addr(src), parse_addr(dst), 51234, port)


def a_request(backend=2, *steps, disposition=Disposition.ACCEPTED):
    """From the client by n1, where the Service is translated, to the node of a backend."""
    to = a_packet(f"10.244.{backend}.5", 8080)
    node, pod = NetnsId(f"node/n{backend}"), NetnsId(f"pod/shop/api-{backend}")
    first = Hop(CLIENT, "", a_packet(), (Step("route", "default via 10.244.1.1 dev eth0"),))
    nat = Step(
        "PREROUTING",
        "destination translated",
        RULE,
        hook="prerouting",
        rule=Rule(88, RULE.text, ()),
        packet=to,
    )
    hops = [first, Hop(N1, "veth1", a_packet(), (nat, Step("route", f"10.244.{backend}.0/24 dev flannel.1")))]
    if steps:
        return Trace("request", (*hops, Hop(node, "flannel.1", to, steps)), disposition, to, node)
    hops.append(Hop(node, "flannel.1", to, (Step("route", f"10.244.{backend}.0/24 dev cni0"),)))
    hops.append(Hop(pod, "eth0", to, (Step("socket", "10.244.2.5:8080/tcp is open (nginx)"),)))
    return Trace("request", tuple(hops), disposition, to, pod)


def a_reply(disposition=Disposition.ACCEPTED, *steps):
    packet = a_packet("10.244.1.9", 51234, "10.244.2.5")
    hops = (
        Hop(N2, "veth2", packet, (Step("route", "10.244.1.0/24 dev flannel.1"),)),
        Hop(CLIENT, "eth0", packet, steps or (Step("socket", "delivered"),)),
    )
    return Trace("reply", hops, disposition, packet, CLIENT)


DROP = Step(
    "FORWARD", "dropped: the chain's policy is DROP", POLICY, kind="chain-policy-drop", hook="forward"
)


def works(backend, probability=1.0):
    server = (NetnsId(f"pod/shop/api-{backend}"), parse_addr(f"10.244.{backend}.5"), 8080)
    return Branch(
        probability, (), (a_request(backend), a_reply()), True, Symptom.NONE, server, parse_addr("10.244.1.9")
    )


def fails(
    backend=2, step=DROP, symptom=Symptom.TIMEOUT, probability=1.0, disposition=Disposition.DENIED_FORWARD
):
    return Branch(probability, (), (a_request(backend, step, disposition=disposition),), False, symptom)


def an_answer(*branches, probability=None, verdict=None, questions=(), flow=FLOW):
    if verdict is None:
        good = {branch.works for branch in branches}
        verdict = Verdict.WORKS if good == {True} else Verdict.FAILS if good == {False} else Verdict.SOMETIMES
    return Answer(flow, branches, verdict, probability, questions)


ONE_IN_THREE = an_answer(fails(2, probability=1 / 3), works(1, 1 / 3), works(3, 1 / 3), probability=2 / 3)


def drawn(answer, *, style=None, **more):
    asked = Asked("ops/client on n1", "Service shop/api:http")
    return "\n".join(WhyReport(answer, Names(three_nodes()), style or Style(), asked=asked, **more).lines())


def said(answer):
    return sentence(answer, Names(three_nodes()))


# --- the sentence ---


def test_it_says_how_often_whom_and_where():
    assert said(ONE_IN_THREE) == (
        "It fails one time in three: shop/api-2 on n2 never gets the packet; n2 drops it in FORWARD, where no rule "
        "accepts it. The client waits until it times out."
    )


@pytest.mark.parametrize(
    ("chance", "words"),
    [
        (1 / 2, "one time in two"),
        (1 / 3, "one time in three"),
        (2 / 3, "two times in three"),
        (1 / 12, "one time in twelve"),
        (0.017, "2 % of the time"),
    ],
)
def test_chances_are_told_in_words(chance, words):
    assert chance_words(chance) == words


def test_a_lost_reply_is_told_as_one():
    step = Step("source check", "martian", kind="rp-filter")
    branch = Branch(
        1.0, (), (a_request(2), a_reply(Disposition.MARTIAN_SOURCE, step)), False, Symptom.TIMEOUT
    )
    assert said(an_answer(branch)) == (
        "It fails: shop/api-2 on n2 gets the packet, but its reply is lost; ops/client takes its source for a forged one. "
        "The client waits until it times out."
    )


def test_data_that_hangs_is_told_as_such():
    big = Trace(
        "data",
        a_request(2, Step("forward", "1500 > 1450", kind="too-big-silent")).hops,
        Disposition.TOO_BIG,
        a_packet("10.244.2.5"),
        N2,
    )
    branch = Branch(1.0, (), (a_request(2), a_reply(), big), False, Symptom.HANGS)
    assert said(an_answer(branch)) == (
        "It fails: it connects, but full-size data does not arrive; n2 drops packets that are too big, and the sender is "
        "not told. The client connects and then hangs."
    )


def test_nobody_who_listens_is_told_with_port_and_pod():
    step = Step("socket", "nothing listens on 10.244.2.5:8080/tcp", kind="no-listener")
    answer = an_answer(fails(2, step, Symptom.REFUSED, disposition=Disposition.NO_LISTENER))
    assert (
        said(answer)
        == 'It fails: nothing listens on port 8080/tcp of shop/api-2 on n2. The client gets "connection refused".'
    )


def test_a_step_of_an_unknown_kind_speaks_for_itself():
    answer = an_answer(fails(2, Step("odd", "an odd thing happened", kind="odd-thing")))
    assert "an odd thing happened (on n2)" in said(answer)


def test_what_works_is_one_short_sentence():
    assert said(an_answer(works(2))) == "It works, there and back: shop/api-2 on n2 answers."
    assert (
        said(an_answer(works(1, 0.5), works(3, 0.5)))
        == "It works, there and back, with each of its 2 backends."
    )


def test_what_nobody_can_tell_says_where_sight_ends():
    open_ = Branch(
        1.0,
        (),
        (
            a_request(
                2,
                Step("tc", "what the program does", kind="unreadable"),
                disposition=Disposition.INSUFFICIENT_INFO,
            ),
        ),
        None,
        Symptom.UNKNOWN,
    )
    answer = an_answer(open_, verdict=Verdict.UNKNOWN, questions=("what the eBPF program on eth0 does",))
    assert said(answer) == "Cannot tell: sight ends at n2."
    assert drawn(answer).splitlines()[-2:] == [
        "It would be decided by:",
        "  - what the eBPF program on eth0 does",
    ]


# --- the way ---


def test_the_way_is_drawn_by_node_with_the_line_of_each_decision():
    assert drawn(ONE_IN_THREE).splitlines()[3:] == [
        "  n1  ops/client -> Service shop/api:http 10.96.0.20:80",
        "      pod route     default via 10.244.1.1 dev eth0",
        "      PREROUTING    1 of 3: shop/api-2 10.244.2.5:8080                          iptables-nft-save:88",
        "      route         10.244.2.0/24 dev flannel.1",
        "  n2  in by flannel.1",
        "    ✗ FORWARD       dropped: the chain's policy is DROP                         iptables-nft-save:14",
        "                      :FORWARD DROP [0:0]",
        "",
        "  the other two (shop/api-1 on n1 and shop/api-3 on n3) work, there and back",
    ]


def test_branches_that_end_alike_are_told_together():
    text = drawn(an_answer(fails(2, probability=0.5), fails(2, probability=0.5)))
    assert text.count("✗") == 1
    assert "  the other one (shop/api-2 on n2) ends there too" in text


def test_a_working_answer_folds_the_way_back():
    text = drawn(an_answer(works(2)))
    assert "  ✓ the reply arrives (n2 -> n1)" in text
    assert "the reply:" not in text
    assert "the reply:\n  n2  shop/api-2 10.244.2.5 -> ops/client 10.244.1.9:51234" in drawn(
        an_answer(works(2)), style=Style(verbose=True)
    )


def test_rules_are_shown_in_full_when_all_is_wanted():
    assert RULE.text not in drawn(an_answer(works(2)))
    assert f"                      {RULE.text}" in drawn(an_answer(works(2)), style=Style(verbose=True))


def test_an_assumption_stands_before_its_branch():
    branch = Branch(1.0, ("is the set empty: yes",), (a_request(2, DROP),), False, Symptom.TIMEOUT)
    assert "  if is the set empty: yes:\n  n1" in drawn(an_answer(branch))


def test_another_source_than_the_client_is_told():
    request = a_request(2)
    branch = Branch(
        1.0,
        (),
        (request, a_reply()),
        True,
        Symptom.NONE,
        (request.netns, parse_addr("10.244.2.5"), 8080),
        parse_addr("172.30.0.11"),
    )
    assert "    the server sees 172.30.0.11 (n1), not the client" in drawn(an_answer(branch))


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_way_fits_the_width(width):
    assert max(map(columns, drawn(ONE_IN_THREE, style=Style(width=width)).splitlines())) <= width


def test_colours_change_nothing_but_colours():
    colored = drawn(ONE_IN_THREE, style=Style(color=True))
    assert colored.startswith("\x1b[1;31mIt fails")
    assert re.sub(r"\x1b\[[0-9;]*m", "", colored) == drawn(ONE_IN_THREE)


# --- the cause ---

CAUSE = WhyCause(
    "forward-policy-drop", "n2 forwards nothing", (POLICY,), Fix("accept", ("n2: iptables ...",))
)


def test_the_cause_and_the_one_thing_to_change_come_last():
    assert drawn(ONE_IN_THREE, cause=CAUSE, fix=CAUSE.fix).splitlines()[-5:] == [
        "",
        "error[forward-policy-drop]: n2 forwards nothing",
        "   = fix     accept",
        "             n2: iptables ...",
        "   = more    podpath explain forward-policy-drop",
    ]


def test_lines_that_the_way_does_not_show_are_framed():
    other = WhyCause("x", "n2", (POLICY, Origin("nodes/n2/iptables-nft-save", 18, ":DOCKER - [0:0]")))
    assert "18 | :DOCKER - [0:0]" in drawn(ONE_IN_THREE, cause=other)


def test_a_cause_without_a_name_adds_nothing():
    assert drawn(ONE_IN_THREE, cause=WhyCause("", "dropped", (POLICY,))) == drawn(ONE_IN_THREE)


def test_what_fails_by_design_says_so_first():
    denied = NotPromised(
        "network-policy",
        "NetworkPolicy shop/deny selects shop/api-2 and allows nobody",
        ObjectRef("Service", "shop", "api"),
    )
    text = drawn(an_answer(fails(2)), cause=WhyCause("", "", (POLICY,), None, denied))
    assert text.startswith(
        "It fails by design: NetworkPolicy shop/deny selects shop/api-2 and allows nobody.\n"
    )


def test_of_many_ways_to_fail_the_first_three_are_drawn():
    steps = [
        Step("FORWARD", f"dropped {n}", Origin("nodes/n2/x", n, "x"), kind="rule-drop") for n in range(1, 6)
    ]
    answer = an_answer(*(fails(2, step, probability=0.2) for step in steps))
    assert drawn(answer).count("✗") == 3
    assert "  one more (shop/api-2 on n2) fails otherwise: dropped 4 (n2, x:4)" in drawn(answer)
    assert drawn(answer, style=Style(verbose=True)).count("✗") == 5


def test_where_sight_ends_there_is_a_question_mark_and_no_cross():
    step = Step("tc", "what the program does", kind="unreadable")
    open_ = [
        Branch(
            0.5, (), (a_request(n, step, disposition=Disposition.INSUFFICIENT_INFO),), None, Symptom.UNKNOWN
        )
        for n in (2, 3)
    ]
    text = drawn(an_answer(*open_, verdict=Verdict.UNKNOWN))
    assert "    ? tc            what the program does" in text
    assert "✗" not in text
    assert "  the other one (shop/api-3 on n3) is not known either" in text
