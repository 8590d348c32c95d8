"""Findings in order of importance, with views and consequences of a cause under it."""

from __future__ import annotations

from podpath.diagnosis.causes import Broken, CauseKey, Group
from podpath.diagnosis.explain import Named
from podpath.diagnosis.prove import Proof
from podpath.diagnosis.rank import fold, merge, ordered
from podpath.model.edit import SetSysctl
from podpath.model.finding import Confidence, Finding, Fix, Severity
from podpath.model.flow import Flow
from podpath.model.origin import Origin
from podpath.model.promise import Promise
from podpath.model.refs import ObjectRef, node_netns

NODE = ObjectRef("Node", "", "a")


def promise(number: int) -> Promise:
    return Promise("pod", Flow(node_netns("a"), number), NODE, NODE, None, str(number))


def finding(
    code: str, *promises: Promise, severity: Severity = Severity.ERROR, subject: ObjectRef = NODE, **more
) -> Finding:
    return Finding(
        code,
        severity,
        subject,
        code,
        (Origin("nodes/a/sysctl", 1, code),),
        breaks=promises,
        broken=len(promises),
        **more,
    )


def named(one: Finding) -> Named:
    """A cause with its proof; which step it was plays no part here."""
    broken = Broken(*(None,) * len(Broken._fields))  # type: ignore[arg-type]
    key = CauseKey(node_netns("a"), "", "", "", 0, "", "", "")
    return Named(Group(key, broken, one.breaks), one, Proof((), proven=True, tried=1, kept=1, held=5))


ONE, TWO, THREE = promise(1), promise(2), promise(3)


def test_errors_come_before_warnings_and_more_before_less():
    found = ordered(
        [finding("w", severity=Severity.WARNING), finding("less", ONE), finding("more", ONE, TWO)]
    )
    assert [f.code for f in found] == ["more", "less", "w"]


def test_proven_comes_before_likely():
    found = ordered(
        [finding("b", ONE, confidence=Confidence.LIKELY), finding("c", ONE, confidence=Confidence.PROVEN)]
    )
    assert [f.code for f in found] == ["c", "b"]


def test_one_mending_is_one_cause():
    fix = Fix("x", edits=(SetSysctl(node_netns("a"), "net.ipv4.ip_forward", "1"),))
    (found,) = merge([named(finding("off", ONE, fix=fix)), named(finding("off", TWO, fix=fix))])
    assert found.broken == 2
    assert (
        found.proof
        == "with the fix the 2 broken promises are kept (all walked again), and none of 5 others is lost"
    )


def test_other_mendings_are_other_causes():
    fixes = [Fix("x", edits=(SetSysctl(node_netns("a"), key, "1"),)) for key in ("net.a", "net.b")]
    assert (
        len(merge([named(finding("off", ONE, fix=fixes[0])), named(finding("off", TWO, fix=fixes[1]))])) == 2
    )


def test_a_cause_that_breaks_only_what_a_larger_one_breaks_folds_under_it():
    (found,) = fold(
        ordered([finding("cause", ONE, TWO, THREE), finding("echo", ONE, subject=ObjectRef("Pod", "x", "y"))])
    )
    assert [f.code for f in found.consequences] == ["echo"]


def test_causes_of_different_promises_stand_side_by_side():
    assert len(fold(ordered([finding("one", ONE, TWO), finding("other", THREE)]))) == 2


def test_a_dead_kube_proxy_is_told_under_the_rules_that_it_left():
    (found,) = fold(
        ordered(
            [
                finding("kube-proxy-hooks-flushed", ONE),
                finding("kube-proxy-not-running", severity=Severity.WARNING),
            ]
        )
    )
    assert [f.code for f in found.consequences] == ["kube-proxy-not-running"]
