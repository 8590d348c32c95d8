"""``podpath why`` on bundles of real clusters."""

import json

import jsonschema
import pytest

from podpath.report.schemas import schema_of
from tests.cli.running import podpath


def test_the_first_line_is_the_answer(corpus):
    done = podpath("why", corpus["forward-policy-drop"], "pod/ops/client", "svc/shop/api:http")
    assert " ".join(done.stdout.split()).startswith(
        "It fails one time in three: shop/api-57bd4c9c64-nm962 on n2 never gets the packet;"
    )
    assert "✗ FORWARD" in done.stdout
    assert "iptables-nft-save:16" in done.stdout
    assert "the other two (" in done.stdout


def test_what_works_says_so(corpus):
    done = podpath("why", corpus["iptables-vxlan-healthy"], "pod/ops/client", "svc/shop/db")
    assert done.returncode == 0
    assert done.stdout.startswith("It works, there and back")
    assert "✓ the reply arrives (n3 -> n1)" in done.stdout


def test_the_environment_names_the_bundle(corpus):
    done = podpath(
        "why", "pod/ops/client", "svc/shop/db", PODPATH_BUNDLE=str(corpus["iptables-vxlan-healthy"])
    )
    assert done.returncode == 0


def test_ipv6_is_asked_for(corpus):
    done = podpath("why", "-6", corpus["ip6-forward-off"], "pod/ops/client", "svc/shop/api:http")
    assert "Service shop/api:http [fd00:10:96::" in done.stdout
    assert "ip6tables-nft-save:" in done.stdout


def test_a_headless_service_has_an_answer_for_each_pod(corpus):
    done = podpath("why", corpus["iptables-vxlan-healthy"], "pod/ops/client", "svc/shop/api-headless")
    assert done.stdout.count("It works") == 3
    answers = json.loads(
        podpath(
            "why", corpus["iptables-vxlan-healthy"], "pod/ops/client", "svc/shop/api-headless", "-o", "json"
        ).stdout
    )
    jsonschema.validate(answers, schema_of("why"))
    assert len(answers) == 3


def test_json_has_the_answer_hops_and_steps(corpus):
    found = json.loads(
        podpath(
            "why", corpus["forward-policy-drop"], "pod/ops/client", "svc/shop/api:http", "-o", "json"
        ).stdout
    )
    jsonschema.validate(found, schema_of("why"))
    assert (found["verdict"], found["disposition"]) == ("sometimes", "DENIED_FORWARD")
    assert found["probability"] == pytest.approx(2 / 3, abs=1e-6)
    steps = [
        step
        for branch in found["branches"]
        for trace in branch["traces"]
        for hop in trace["hops"]
        for step in hop["steps"]
    ]
    assert {"kind": "chain-policy-drop", "line": 16} in [
        {"kind": s["kind"], "line": (s["evidence"] or {}).get("line")} for s in steps
    ]


# --- flows ---

CLIENT = {"kind": "pod", "pod": "ops/client", "node": "n1", "ip": "10.244.0.4"}
API = {"kind": "clusterIP", "ip": "10.96.56.145", "port": 80, "proto": "TCP", "service": "shop/api"}


def asked(tmp_path, bundle, flows):
    (tmp_path / "flows.json").write_text(flows if isinstance(flows, str) else json.dumps(flows))
    return podpath("why", bundle, "--flows", tmp_path / "flows.json")


def test_flows_are_answered_in_their_order(corpus, tmp_path):
    flows = [
        {"src": CLIENT, "dst": API},
        {"src": {"kind": "node", "node": "n1"}, "dst": {"kind": "node", "ip": "172.30.0.13", "port": 10250}},
        {
            "src": {"kind": "outside", "ip": "172.30.0.1"},
            "dst": {"kind": "nodePort", "ip": "172.30.0.11", "port": 30080, "proto": "TCP"},
        },
        {"src": CLIENT, "dst": {**API, "bytes": 100000}},
        {"src": CLIENT, "dst": {"kind": "dns", "name": "kubernetes.default"}},
        {"src": CLIENT, "dst": API},
    ]
    done = asked(tmp_path, corpus["forward-policy-drop"], flows)
    assert (done.returncode, done.stderr) == (0, "")
    answers = json.loads(done.stdout)
    jsonschema.validate(answers, schema_of("flows"))
    assert [answer["verdict"] for answer in answers] == [
        "sometimes",
        "works",
        "sometimes",
        "sometimes",
        "sometimes",
        "sometimes",
    ]
    assert answers[0] == answers[5]
    assert list(answers[0]) == [
        "verdict",
        "probability",
        "disposition",
        "symptom",
        "cause",
        "because",
        "seen_as",
    ]
    assert answers[0]["because"][0] == "n2, iptables-nft-save:16: :FORWARD DROP [0:0]"
    assert answers[1]["cause"] is None


@pytest.mark.parametrize("name", ["host-firewall-drops-vxlan", "coredns-upstream-dead"])
def test_the_answers_are_what_was_observed(corpus, tmp_path, name):
    import tarfile

    with tarfile.open(corpus[name]) as packed:
        packed.extractall(tmp_path / "b", filter="data")
    truth = json.loads((tmp_path / "b" / "truth.json").read_text())
    answers = json.loads(
        asked(tmp_path, tmp_path / "b", [{"src": one["src"], "dst": one["dst"]} for one in truth]).stdout
    )
    jsonschema.validate(answers, schema_of("flows"))
    assert len(answers) == len(truth)
    wrong = []
    for flow, answer in zip(truth, answers, strict=True):
        observed = "works" if flow["ok"] == flow["tries"] else "fails" if not flow["ok"] else "sometimes"
        if answer["verdict"] not in (observed, "sometimes", "unknown"):
            wrong.append((flow, answer))
    assert wrong == []


def test_ten_thousand_flows_are_answered_in_seconds(corpus, tmp_path):
    import time

    flows = [{"src": CLIENT, "dst": {**API, "port": 80 if number % 2 else 81}} for number in range(10_000)]
    started = time.monotonic()
    assert len(json.loads(asked(tmp_path, corpus["forward-policy-drop"], flows).stdout)) == 10_000
    assert time.monotonic() - started < 15


@pytest.mark.parametrize(
    ("flows", "sentence"),
    [
        ("{", "is no JSON"),
        ("{}", "holds no JSON list of flows"),
        ([{"src": CLIENT, "dst": API}, {"src": CLIENT}], 'flow 1 has no object "dst"'),
        ([7], 'flow 0 has no object "src"'),
        (
            [{"src": {"kind": "host"}, "dst": API}],
            "flow 0: its src is of kind 'host', which is none of pod, node or outside",
        ),
        (
            [{"src": {"kind": "pod", "pod": "client"}, "dst": API}],
            'a src of kind pod needs "pod": "NAMESPACE/NAME"',
        ),
        ([{"src": {"kind": "node"}, "dst": API}], 'a src of kind node needs "node": "NAME"'),
        ([{"src": {"kind": "outside"}, "dst": API}], '"ip" of its src is None, which is no address'),
        (
            [{"src": CLIENT, "dst": {**API, "ip": "10.96.0.x"}}],
            "\"ip\" of its dst is '10.96.0.x', which is no address",
        ),
        (
            [{"src": CLIENT, "dst": {**API, "port": "80"}}],
            "\"port\" of its dst is '80', which is no number from 0 to 65535",
        ),
        ([{"src": CLIENT, "dst": {**API, "port": 70000}}], "which is no number from 0 to 65535"),
        ([{"src": CLIENT, "dst": {**API, "port": True}}], "which is no number"),
        ([{"src": CLIENT, "dst": {"kind": "pod", "ip": "10.244.0.4"}}], '"port" of its dst is None'),
        ([{"src": CLIENT, "dst": {**API, "proto": "GRE"}}], "its proto is 'GRE', which is none of tcp, udp"),
        ([{"src": CLIENT, "dst": {**API, "kind": "cloud"}}], "its dst is of kind 'cloud'"),
        ([{"src": CLIENT, "dst": {"kind": "dns"}}], "a dst of kind dns needs a name"),
        ([{"src": CLIENT, "dst": {**API, "bytes": -1}}], '"bytes" of its dst is -1'),
    ],
)
def test_a_malformed_entry_is_told_by_its_number(corpus, tmp_path, flows, sentence):
    done = asked(tmp_path, corpus["forward-policy-drop"], flows)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1


def test_flows_that_are_not_there_are_told(corpus):
    done = podpath("why", corpus["forward-policy-drop"], "--flows", "/nowhere/flows.json")
    assert (done.returncode, done.stderr) == (
        2,
        "podpath: /nowhere/flows.json cannot be read: No such file or directory\n",
    )


def test_flows_take_the_place_of_names(corpus):
    done = podpath("why", corpus["forward-policy-drop"], "pod/ops/client", "api", "--flows", "x")
    assert "--flows takes the place of SRC and DST" in done.stderr
