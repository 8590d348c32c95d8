"""The outputs for programs, and their published schemas."""

import json
from pathlib import Path

import jsonschema
import pytest

from podpath.diagnosis.names import NameAnswer
from podpath.diagnosis.target import ChainLink
from podpath.diagnosis.why import WhyCause
from podpath.model.diagnosis import CrashedCheck, SkippedCheck, Undecided
from podpath.model.finding import Severity
from podpath.model.origin import Origin, Unrecognized
from podpath.model.trace import Verdict
from podpath.report.json_check import json_check
from podpath.report.json_flows import flow_answer, name_answer
from podpath.report.json_parts import clean, encode
from podpath.report.json_target import json_target
from podpath.report.json_why import json_why
from podpath.report.names import Names
from podpath.report.schemas import OUTPUTS, schema_of
from tests.report.made import a_diagnosis, a_finding, a_promise, three_nodes
from tests.report.test_text_why import CAUSE, DROP, ONE_IN_THREE, POLICY, an_answer, fails, works

PUBLISHED = Path(__file__).parents[2] / "docs" / "schema"


def printed(value, output):
    """The value as it is printed, held against the schema."""
    found = json.loads(encode(value))
    jsonschema.validate(found, schema_of(output))
    return found


@pytest.mark.parametrize("output", OUTPUTS)
def test_the_published_schema_is_up_to_date(output):
    schema = schema_of(output)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert (PUBLISHED / f"{output}.json").read_text("utf-8") == encode(schema), (
        f"run: podpath schema {output} > docs/schema/{output}.json"
    )


def test_a_diagnosis_has_these_fields():
    diagnosis = a_diagnosis(
        a_finding(consequences=(a_finding("view"),)),
        a_finding("note", severity=Severity.INFO),
        skipped=(SkippedCheck("conntrack-full", ("node/conntrack",)),),
        crashed=(CrashedCheck("odd", "Traceback"),),
        undecided=(Undecided(a_promise(), ("what it does",)),),
        missing=(Origin("nodes/n1/ss", 0, "no such command"),),
        unrecognized=(Unrecognized(POLICY, "strange"),) * 3,
    )
    found = printed(json_check(diagnosis, {"forward-policy-drop": "FORWARD drops"}), "check")
    (finding,) = found["findings"]
    assert found["schema"] == "podpath.check/v1"
    assert (found["bundle"], found["walked"], found["broken"], found["unrecognized"]) == ("prod", 342, 2, 3)
    assert found["skipped"] == [{"code": "conntrack-full", "missing": ["node/conntrack"]}]
    assert found["missing"] == [{"node": "n1", "source": "ss", "reason": "no such command"}]
    assert found["undecided"][0]["questions"] == ["what it does"]
    assert finding["code"] == "forward-policy-drop"
    assert finding["name"] == "FORWARD drops"
    assert (finding["severity"], finding["confidence"], finding["subject"]) == ("error", "proven", "Node n2")
    assert finding["message"] == "n2 forwards nothing: FORWARD's policy is DROP"
    assert finding["cause"] == "what no rule accepts ends here"
    assert finding["evidence"] == [
        {"node": "n2", "source": "iptables-nft-save", "line": 14, "text": ":FORWARD DROP [0:0]"}
    ]
    assert finding["fix"] == {
        "summary": "accept them",
        "risk": "low; lost at reboot",
        "steps": ["n2: iptables-nft -I FORWARD -s 10.244.0.0/16 -j ACCEPT"],
    }
    assert finding["breaks"][0]["text"] == "ops/client -> Service shop/api"
    assert [one["code"] for one in finding["consequences"]] == ["view"]


def test_a_finding_without_a_fix_has_null():
    assert printed(json_check(a_diagnosis(a_finding(fix=None)), {}), "check")["findings"][0]["fix"] is None


def test_evidence_of_the_api_has_no_node():
    finding = a_finding(evidence=(Origin("api/services.json", 132, "spec.selector: app=apii"),))
    (line,) = printed(json_check(a_diagnosis(finding), {}), "check")["findings"][0]["evidence"]
    assert line == {
        "node": None,
        "source": "api/services.json",
        "line": 132,
        "text": "spec.selector: app=apii",
    }


def test_bytes_that_are_no_text_do_not_break_json():
    finding = a_finding(evidence=(Origin(b"nodes/n1/x\xff".decode("utf-8", "surrogateescape"), 1, "\udcff"),))
    assert (
        printed(json_check(a_diagnosis(finding), {}), "check")["findings"][0]["evidence"][0]["text"]
        == r"\xff"
    )
    assert clean("日本") == "日本"


def test_an_answer_has_branches_hops_and_steps():
    found = printed(
        json_why(
            "prod",
            ONE_IN_THREE,
            Names(three_nodes()),
            src="ops/client on n1",
            dst="Service shop/api:http",
            cause=CAUSE,
            fix=CAUSE.fix,
        ),
        "why",
    )
    assert found["schema"] == "podpath.why/v1"
    assert found["question"] == {
        "src": "ops/client on n1",
        "dst": "Service shop/api:http",
        "ip": "10.96.0.20",
        "port": 80,
        "protocol": "tcp",
        "bytes": 0,
    }
    assert (found["verdict"], found["disposition"], found["symptom"]) == (
        "sometimes",
        "DENIED_FORWARD",
        "timeout",
    )
    assert (found["cause"], found["message"], found["as_designed"]) == (
        "forward-policy-drop",
        "n2 forwards nothing",
        False,
    )
    assert found["answer"].startswith("It fails one time in three")
    (trace,) = found["branches"][0]["traces"]
    assert trace["leg"] == "request"
    assert [hop["node"] for hop in trace["hops"]] == ["n1", "n1", "n2"]
    step = trace["hops"][-1]["steps"][0]
    assert (step["stage"], step["kind"], step["evidence"]["line"]) == ("FORWARD", "chain-policy-drop", 14)
    assert found["branches"][1]["server"] == {
        "netns": "pod/shop/api-1",
        "name": "shop/api-1",
        "ip": "10.244.1.5",
        "port": 8080,
    }


def test_a_flows_answer_has_exactly_these_fields():
    assert printed([flow_answer(ONE_IN_THREE, CAUSE)], "flows") == [
        {
            "verdict": "sometimes",
            "probability": 2 / 3,
            "disposition": "DENIED_FORWARD",
            "symptom": "timeout",
            "cause": "forward-policy-drop",
            "because": ["n2, iptables-nft-save:14: :FORWARD DROP [0:0]"],
            "seen_as": ["10.244.1.9"],
        }
    ]


def test_what_works_has_no_cause():
    found = flow_answer(an_answer(works(2), probability=1.0), None)
    assert (found.verdict, found.disposition, found.symptom, found.cause, found.because) == (
        "works",
        "ACCEPTED",
        "none",
        None,
        [],
    )


def test_a_cause_without_a_name_is_a_sentence():
    cause = WhyCause("", "dropped: the chain's policy is DROP", (POLICY,))
    assert flow_answer(an_answer(fails()), cause).cause == "dropped: the chain's policy is DROP"


def test_an_open_answer_says_what_would_decide_it():
    answer = an_answer(fails(2, DROP), verdict=Verdict.UNKNOWN, questions=("is the set empty",))
    found = flow_answer(answer, None)
    assert (found.verdict, found.probability, found.cause) == ("unknown", None, "is the set empty")
    assert found.because == ["n2, iptables-nft-save:14: :FORWARD DROP [0:0]", "is the set empty"]


def test_a_name_that_does_not_exist_is_unresolved():
    found = name_answer(NameAnswer(Verdict.FAILS, 0.0, "no such host", ("x does not exist",)), None)
    assert (found.verdict, found.disposition, found.symptom, found.cause) == (
        "fails",
        "UNRESOLVED",
        "no such host",
        "x does not exist",
    )


def test_a_name_that_nobody_answers_for_has_the_querys_cause():
    failing = (ONE_IN_THREE.flow, an_answer(fails()))
    found = name_answer(
        NameAnswer(Verdict.FAILS, 0.0, "i/o timeout", ("10.96.0.10 does not answer",), (), failing), CAUSE
    )
    assert (found.disposition, found.cause) == ("DENIED_FORWARD", "forward-policy-drop")


def test_a_chain_has_its_links():
    links = (
        ChainLink("exists", "ok", "it does"),
        ChainLink("a program listens", "broken", "nothing", (POLICY,), "port http"),
    )
    found = printed(json_target("prod", "svc/shop/api", links), "target")
    assert found["links"][1] == {
        "title": "a program listens",
        "part": "port http",
        "state": "broken",
        "text": "nothing",
        "evidence": [
            {"node": "n2", "source": "iptables-nft-save", "line": 14, "text": ":FORWARD DROP [0:0]"}
        ],
    }
