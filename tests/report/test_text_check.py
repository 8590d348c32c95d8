"""A diagnosis as people read it."""

import re

import pytest

from podpath.model.diagnosis import CrashedCheck, SkippedCheck, Undecided
from podpath.model.finding import Confidence, Fix, Severity
from podpath.model.origin import Origin, Unrecognized
from podpath.model.promise import NotPromised
from podpath.model.refs import ObjectRef
from podpath.report.names import Names
from podpath.report.style import Style, columns
from podpath.report.text_check import CheckReport
from tests.report.made import API, a_diagnosis, a_finding, a_promise, three_nodes


def drawn(diagnosis, *, style=None, **more):
    return "\n".join(CheckReport(diagnosis, style or Style(), names=Names(three_nodes()), **more).lines())


def test_a_finding_is_drawn_like_a_compilers_diagnostic():
    assert (
        drawn(a_diagnosis(a_finding(proof="with an accept all are kept")), seconds=0.42)
        == """\
prod  3 nodes, 41 pods, 9 services; 342 promises walked in 0.4 s, 1 broken, 1 cause

error[forward-policy-drop]: n2 forwards nothing: FORWARD's policy is DROP
  --> n2, iptables-nft-save:14
   |
14 | :FORWARD DROP [0:0]
   | ^^^^^^^^^^^^^^^^^^^ what no rule accepts ends here
   = breaks  1 promise: Service shop/api from Pods on n1
   = proof   with an accept all are kept
   = fix     accept them
             n2: iptables-nft -I FORWARD -s 10.244.0.0/16 -j ACCEPT
   = risk    low; lost at reboot"""
    )


def test_lines_of_one_file_share_a_frame_and_other_files_follow():
    evidence = (
        Origin("nodes/n2/iptables-nft-save", 14, ":FORWARD DROP [0:0]"),
        Origin("api/services.json", 132, "spec.selector: app=api"),
        Origin("nodes/n2/iptables-nft-save", 18, ":FLANNEL-FWD - [0:0]"),
    )
    text = drawn(a_diagnosis(a_finding(evidence=evidence, cause="ends here", breaks=(), fix=None)))
    assert text.split("\n")[3:] == [
        "   --> n2, iptables-nft-save:14",
        "    |",
        " 14 | :FORWARD DROP [0:0]",
        "    | ^^^^^^^^^^^^^^^^^^^ ends here",
        "...",
        " 18 | :FLANNEL-FWD - [0:0]",
        "   ::: api/services.json:132",
        "    |",
        "132 | spec.selector: app=api",
    ]


def test_an_absence_has_no_line_to_point_at():
    evidence = (Origin("nodes/n1/ip-route.json", 0, "no route to 10.244.2.0/24"),)
    text = drawn(a_diagnosis(a_finding(evidence=evidence, cause="who should have written it: flannel")))
    assert (
        " --> n1, ip-route.json\n  |\n  | no route to 10.244.2.0/24\n  | who should have written it: flannel\n"
        in text
    )
    assert "^" not in text


def test_a_long_rule_is_shown_whole_over_several_lines():
    rule = "-A FORWARD " + " ".join(f"-s 10.{n}.0.0/16" for n in range(12)) + " -j DROP"
    evidence = (Origin("nodes/n2/iptables-nft-save", 14, rule),)
    text = drawn(a_diagnosis(a_finding(evidence=evidence, breaks=(), fix=None)), style=Style(width=60))
    shown = [line.partition("|")[2] for line in text.splitlines() if re.match(r"(14| {2}) \|", line)]
    assert " ".join(" ".join(shown).split()).startswith(rule)
    assert max(map(columns, text.splitlines())) <= 60


def test_commands_are_never_broken():
    step = "n2: iptables-nft -I FORWARD " + "-m comment --comment " + "x" * 120
    text = drawn(a_diagnosis(a_finding(fix=Fix("do it", (step,)))), style=Style(width=50))
    assert f"             {step}" in text.splitlines()


def test_a_step_that_is_a_file_is_cut_unless_all_is_wanted():
    step = "kubectl apply -f - <<END\n" + "\n".join(f"line {number}" for number in range(40)) + "\nEND"
    finding = a_finding(fix=Fix("write it", (step,)))
    assert "... and 30 more lines (-v shows it whole)" in drawn(a_diagnosis(finding))
    assert "             line 39\n             END" in drawn(a_diagnosis(finding), style=Style(verbose=True))


def test_the_undo_is_shown_when_all_is_wanted():
    undo = lambda _fix: ("n2: iptables-nft -D FORWARD -s 10.244.0.0/16 -j ACCEPT",)  # noqa: E731
    assert "undo" not in drawn(a_diagnosis(a_finding()), undo=undo)
    text = drawn(a_diagnosis(a_finding()), undo=undo, style=Style(verbose=True))
    assert "   = undo    n2: iptables-nft -D FORWARD -s 10.244.0.0/16 -j ACCEPT" in text


def test_what_follows_from_a_cause_is_one_line_each_and_not_too_many():
    others = tuple(a_finding(f"view-{number}", message=f"view {number}") for number in range(8))
    text = drawn(a_diagnosis(a_finding(consequences=others)))
    assert text.count("= also") == 6
    assert "   = also    error[view-0] view 0" in text
    assert "   = also    3 more that follow from it (-v)" in text


def test_a_guess_says_so():
    text = drawn(a_diagnosis(a_finding(confidence=Confidence.LIKELY)))
    assert "   = proof   likely, not proven: no change of the model shows it" in text


def test_the_reason_behind_the_cause_is_told():
    assert "   = because CoreDNS crashes: plugin/loop" in drawn(
        a_diagnosis(a_finding(reason="CoreDNS crashes: plugin/loop"))
    )


def test_many_findings_end_in_a_count():
    findings = [a_finding(f"fault-{number}") for number in range(250)]
    text = drawn(a_diagnosis(*findings))
    assert text.count("error[") == 10
    assert "... and 240 more findings (-v shows all): fault-10, fault-11," in text
    assert len(text.splitlines()) < 150
    assert drawn(a_diagnosis(*findings), style=Style(verbose=True)).count("error[") == 250


def test_many_broken_promises_are_a_few_phrases():
    services = [
        a_promise(subject=ObjectRef("Service", "shop", f"svc-{n}"), kind="service") for n in range(3000)
    ]
    text = drawn(a_diagnosis(a_finding(breaks=tuple(services))))
    assert (
        "3,000 promises: Services shop/svc-0, shop/svc-1, shop/svc-10, shop/svc-100 and 2,996 more from Pods on n1"
        in " ".join(text.split())
    )
    assert len(text.splitlines()) < 25


def test_what_comes_next_is_ready_to_be_copied():
    finding = a_finding(breaks=(a_promise(kind="pod"), a_promise(port_name="http")))
    text = drawn(a_diagnosis(finding), place="'my bundles/prod.tar.zst'")
    assert text.splitlines()[-2:] == [
        "next: podpath explain forward-policy-drop",
        "      podpath why 'my bundles/prod.tar.zst' pod/ops/client svc/shop/api:http",
    ]


def test_notes_are_counted_and_not_shown():
    text = drawn(a_diagnosis(a_finding(), a_finding("note", severity=Severity.INFO)))
    assert "not shown: 1 finding below warning (--severity info)" in text
    assert "info[note]" not in text
    assert "info[note]" in drawn(a_diagnosis(a_finding("note", severity=Severity.INFO)), lowest=Severity.INFO)


# --- nothing found ---


def test_a_healthy_cluster_gets_a_short_and_honest_answer():
    designed = (NotPromised("network-policy", "a policy denies it", API),) * 3
    text = drawn(a_diagnosis(as_designed=designed))
    assert text.splitlines()[0] == "prod  3 nodes, 41 pods, 9 services; 342 promises walked, none broken"
    assert "All 342 promises that were walked are kept, there and back" in text
    assert "1 sort of flow fails by design" in text
    assert len(text.splitlines()) < 8


def test_what_fails_by_design_is_listed_when_all_is_wanted():
    designed = (NotPromised("network-policy", "a policy denies it", API),)
    assert "  - a policy denies it" in drawn(a_diagnosis(as_designed=designed), style=Style(verbose=True))


def test_an_empty_bundle_is_not_called_healthy():
    assert "Nothing could be walked" in drawn(a_diagnosis(walked=0))


def test_broken_promises_without_a_shown_cause_are_not_called_healthy():
    text = drawn(a_diagnosis(broken=7))
    assert "7 promises broken, by no cause that is shown here" in text
    assert "are kept" not in text


# --- what was not seen ---


def test_missing_sources_are_grouped_with_their_nodes_and_reasons():
    missing = tuple(Origin(f"nodes/n{n}/conntrack", 0, "permission denied") for n in (1, 2, 3))
    text = drawn(a_diagnosis(missing=(*missing, Origin("api/secrets.json", 0, "forbidden"))))
    assert (
        "not seen:\n  source     conntrack of n1, n2 and n3 (permission denied)\n             api/secrets.json (forbidden)"
        in text
    )


def test_skipped_checks_say_what_they_lack():
    skipped = (
        SkippedCheck("conntrack-full", ("node/conntrack",)),
        SkippedCheck("conntrack-stale", ("node/conntrack",)),
    )
    text = " ".join(drawn(a_diagnosis(skipped=skipped)).split())
    assert "checks conntrack-full and conntrack-stale did not run (no node/conntrack in the bundle)" in text


def test_a_crashed_check_is_told_and_its_traceback_kept_for_v():
    crashed = (
        CrashedCheck("some-check", "Traceback (most recent call last):\n  File x\nKeyError: 'eth0'\n"),
    )
    text = drawn(a_diagnosis(crashed=crashed))
    assert "some-check failed itself, which is a bug of podpath" in text
    assert "(KeyError: 'eth0')" in " ".join(text.split())
    assert "File x" not in text
    assert "File x" in drawn(a_diagnosis(crashed=crashed), style=Style(verbose=True))


def test_lines_not_understood_are_counted_by_file_and_shown_with_v():
    lost = tuple(
        Unrecognized(Origin("nodes/n1/iptables-nft-save", n, f"-A X -m strange {n}"), "unknown match strange")
        for n in range(1, 41)
    )
    text = drawn(a_diagnosis(unrecognized=lost))
    assert "40 lines not understood: n1, iptables-nft-save (40); -v shows them" in text
    verbose = drawn(a_diagnosis(unrecognized=lost), style=Style(verbose=True))
    assert "n1, iptables-nft-save:3: unknown match strange" in verbose
    assert "... and 20 more" in verbose


def test_open_promises_come_with_what_would_decide_them():
    undecided = tuple(
        Undecided(a_promise(text=f"ops/client -> {n}"), ("whether the eBPF program lets it through",))
        for n in range(9)
    )
    text = " ".join(drawn(a_diagnosis(undecided=undecided)).split())
    assert (
        "undecided: ops/client -> 0 and 8 more: it would be decided by whether the eBPF program lets it through"
        in text
    )
    assert "333 of the 342 promises that were walked are kept" in text


# --- the terminal ---


def test_colours_change_nothing_but_colours():
    diagnosis = a_diagnosis(
        a_finding(consequences=(a_finding("view"),)),
        unrecognized=(),
        missing=(Origin("nodes/n1/ss", 0, "x"),),
    )
    plain = drawn(diagnosis)
    colored = drawn(diagnosis, style=Style(color=True))
    assert "\x1b[1;31merror[forward-policy-drop]\x1b[0m" in colored
    assert re.sub(r"\x1b\[[0-9;]*m", "", colored) == plain


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_words_fit_the_width(width):
    step = "sysctl -w x=1"
    finding = a_finding(
        message="n2 forwards nothing: " + "because of this and that " * 6,
        reason="somebody did something " * 6,
        breaks=tuple(a_promise(subject=ObjectRef("Service", "shop", f"s{n}")) for n in range(9)),
        fix=Fix("change the policy " * 6, (step,), "low " * 20),
    )
    text = drawn(
        a_diagnosis(finding, as_designed=(), missing=(Origin("nodes/n1/ss", 0, "no such command"),)),
        style=Style(width=width),
    )
    assert max(map(columns, text.splitlines())) <= width


def test_a_bundle_cannot_write_to_the_terminal():
    evil = '-A INPUT -m comment --comment "\x1b[2J\x1b]0;owned\x07\u202e" -j DROP'
    finding = a_finding(
        message="\x1b[31mred", evidence=(Origin("nodes/n\x1b1/iptables-nft-save", 3, evil),), cause="\x07"
    )
    text = drawn(a_diagnosis(finding))
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", text)
    assert r"\x1b[2J\x1b]0;owned\x07\u202e" in text


def test_bytes_that_are_no_text_are_shown_as_escapes():
    broken = b"nodes/n\xff1/ss".decode("utf-8", "surrogateescape")
    text = drawn(a_diagnosis(a_finding(evidence=(Origin(broken, 3, "x \udcfe"),))))
    assert r"n\xff1, ss:3" in text
    assert text.encode("utf-8")
