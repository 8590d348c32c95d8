"""Fixes get their commands before they are printed."""

from podpath.fixes.fill import filled_finding, filled_fix, undo_steps
from podpath.model.edit import Outside, SetLink, SetSysctl
from podpath.model.finding import Finding, Fix, Severity
from podpath.model.linux.link import Link
from podpath.model.origin import Origin
from podpath.model.refs import NetnsId, ObjectRef

FORWARD = SetSysctl(NetnsId("node/n2"), "net.ipv4.ip_forward", "1", "0")
RPF = SetSysctl(NetnsId("node/n2"), "net.ipv4.conf.all.rp_filter", "2", "1")


def test_a_fix_without_words_is_told_by_its_edits():
    fix = filled_fix(Fix("", edits=(FORWARD, RPF)))
    assert fix is not None
    assert fix.summary == "set net.ipv4.ip_forward to 1; set net.ipv4.conf.all.rp_filter to 2"
    assert fix.steps == ("n2: sysctl -w net.ipv4.ip_forward=1", "n2: sysctl -w net.ipv4.conf.all.rp_filter=2")
    assert fix.risk == "lost at reboot; to keep it, write the line into /etc/sysctl.d/"


def test_what_diagnosis_said_is_kept():
    told = Fix("turn it on", ("n2: sysctl -w net.ipv4.ip_forward=1 # and reboot",), "low", (FORWARD,))
    assert filled_fix(told) == told


def test_a_fix_that_says_nothing_is_none():
    assert filled_fix(Fix("")) is None


def test_the_fixes_of_consequences_are_filled_too():
    def a_finding(*under):
        return Finding(
            "x",
            Severity.ERROR,
            ObjectRef("Node", "", "n2"),
            "x",
            (Origin("nodes/n2/sysctl", 1, "x"),),
            fix=Fix("", edits=(FORWARD,)),
            consequences=under,
        )

    fix = filled_finding(a_finding(a_finding())).consequences[0].fix
    assert fix is not None
    assert fix.steps == ("n2: sysctl -w net.ipv4.ip_forward=1",)


def test_the_last_edit_is_undone_first():
    assert undo_steps(Fix("", edits=(FORWARD, RPF))) == (
        "n2: sysctl -w net.ipv4.conf.all.rp_filter=1",
        "n2: sysctl -w net.ipv4.ip_forward=0",
    )


def test_half_an_undo_is_none():
    link = Link("vxlan1", 4, "vxlan", 1450, up=True)
    vni = SetLink(NetnsId("node/n2"), link, link, "type vxlan id 7")
    assert undo_steps(Fix("", edits=(FORWARD, vni))) == ()


def test_words_need_no_undo():
    assert undo_steps(Fix("", edits=(Outside("open the port"), FORWARD))) == (
        "n2: sysctl -w net.ipv4.ip_forward=0",
    )
