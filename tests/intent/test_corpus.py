"""What is promised of real clusters is what really worked there (``truth.json``), and nothing of what did not."""

import functools
import json

import pytest

from podpath.assemble.network import build_network
from podpath.bundle import open_bundle
from podpath.intent.policy import allowed
from podpath.intent.promises import promises
from podpath.model.addr import format_addr, parse_addr
from podpath.model.flow import PROTOCOL_NUMBERS, protocol_name
from podpath.model.promise import Promise
from tests.conftest import packed_bundles

HEALTHY = sorted(name for name in packed_bundles() if name.endswith("-healthy"))
POLICED = ["nft-kube-router-healthy", "policy-forgets-dns"]
KINDS = {"pod", "service", "node-port", "self", "dns", "api", "kubelet", "outside"}
NODE_TO_POD_BY_TUNNEL = {
    # kube-router sees the address of flannel.1, inside the Pods' range; the policy speaks of nodes' own addresses
    ("policy-forgets-dns", "node/n1", "10.244.2.4:8000"),
    ("policy-forgets-dns", "node/n3", "10.244.0.5:8000"),
}


@functools.cache
def read(name):
    with open_bundle(packed_bundles()[name]) as bundle:
        files = {path: bundle.read(path) for path in bundle.files()}
    return build_network(name, files), json.loads(files["truth.json"])


def source(flow):
    src = flow["src"]
    return {"pod": f"pod/{src.get('pod')}", "node": f"node/{src.get('node')}"}.get(src["kind"], "")


def tried(name):
    """What was tried: (from whom, address, port, protocol) and the flow."""
    return {
        (source(flow), flow["dst"]["ip"], flow["dst"]["port"], flow["dst"]["proto"].lower()): flow
        for flow in read(name)[1]
        if "ip" in flow["dst"]
    }


def made(name):
    return [one for one in promises(read(name)[0]) if isinstance(one, Promise)]


def question(promise):
    flow = promise.flow
    return flow.netns, format_addr(flow.dst), flow.dport, protocol_name(flow.protocol)


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_cluster_keeps_every_promise(name):
    known = tried(name)
    compared = [(one.text, known[question(one)]) for one in made(name) if question(one) in known]
    assert len(compared) > 80
    assert [text for text, flow in compared if flow["ok"] != flow["tries"]] == []


@pytest.mark.parametrize("name", HEALTHY)
def test_whoever_answered_was_promised(name):
    network, known = read(name)[0], tried(name)
    names = {pod.meta.name: pod for pod in network.cluster.pods.values()}
    for one in made(name):
        for answer in known.get(question(one), {}).get("saw", ()):
            server = names.get(answer.split(" ")[0])
            if server is not None and one.servers is not None:
                assert {addr for addr, _ in one.servers} & set(server.ips), (one.text, answer)


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_cluster_makes_promises_of_each_kind(name):
    promised = made(name)
    assert {one.kind for one in promised} >= KINDS
    assert 100 <= len(promised) <= 400


@pytest.mark.parametrize("name", POLICED)
def test_policies_allow_what_a_real_engine_let_through(name):
    cluster = read(name)[0].cluster
    wrong = []
    for (who, ip, port, protocol), flow in tried(name).items():
        src, dst = flow["src"], flow["dst"]
        if dst["kind"] not in ("pod", "external") or src["kind"] not in ("pod", "node"):
            continue
        if (name, who, f"{ip}:{port}") in NODE_TO_POD_BY_TUNNEL:
            continue
        client = cluster.pods[tuple(src["pod"].split("/"))] if src["kind"] == "pod" else src["node"]
        target = cluster.pods[tuple(dst["pod"].split("/"))] if "pod" in dst else parse_addr(ip)
        verdict = allowed(cluster, client, target, PROTOCOL_NUMBERS[protocol], port)
        if verdict.allowed != (flow["ok"] > 0):
            wrong.append((who, ip, port, protocol, verdict.text))
    assert wrong == []


def test_a_service_that_selects_nothing_promises_nothing():
    refused = {one.reason for one in promises(read("service-selector")[0]) if not isinstance(one, Promise)}
    assert "no-endpoints" in refused


def test_a_default_deny_without_dns_promises_no_names_to_the_shop():
    assert not any(one.kind == "dns" and one.client.namespace == "shop" for one in made("policy-forgets-dns"))
