"""Diagnoses made by hand, for tests of what is drawn."""

from __future__ import annotations

from typing import Any

from podpath.model.addr import parse_addr
from podpath.model.diagnosis import Diagnosis
from podpath.model.finding import Finding, Fix, Severity
from podpath.model.flow import Flow
from podpath.model.network import Network
from podpath.model.origin import Origin
from podpath.model.promise import Promise
from podpath.model.refs import ObjectRef, node_netns, pod_netns
from tests.builders import a_network, a_node, a_pod, a_service, a_service_port

POLICY = Origin("nodes/n2/iptables-nft-save", 14, ":FORWARD DROP [0:0]")
FIX = Fix("accept them", ("n2: iptables-nft -I FORWARD -s 10.244.0.0/16 -j ACCEPT",), "low; lost at reboot")
API = ObjectRef("Service", "shop", "api")


def three_nodes() -> Network:
    """A Pod on each of three nodes, a client on the first, and two Services."""
    nodes = (a_node(f"n{n}", f"172.30.0.1{n}", pod_cidr=f"10.244.{n}.0/24") for n in (1, 2, 3))
    pods = (a_pod(f"api-{n}", node=f"n{n}", ip=f"10.244.{n}.5", labels={"app": "api"}) for n in (1, 2, 3))
    client = a_pod("client", "ops", node="n1", ip="10.244.1.9", labels={}, ports=())
    api = a_service("api", cluster_ip="10.96.0.20", selector={"app": "api"})
    web = a_service("web", cluster_ip="10.96.0.30", ports=(a_service_port(80, 8080, node_port=30080),))
    return a_network(*nodes, *pods, client, api, web)


def a_promise(
    client: ObjectRef | str = "ops/client", subject: ObjectRef = API, kind: str = "service", **fields: Any
) -> Promise:
    """``ops/client`` asks Service ``shop/api``."""
    ref = client if isinstance(client, ObjectRef) else ObjectRef("Pod", *client.split("/"))
    netns = node_netns(ref.name) if ref.kind == "Node" else pod_netns(ref.namespace, ref.name)
    flow = fields.pop("flow", Flow(netns, parse_addr("10.96.0.20"), dport=80))
    text = fields.pop("text", f"{ref.short} -> {subject}")
    return Promise(kind, flow, subject, ref, frozenset(), text, **fields)


def a_finding(code: str = "forward-policy-drop", **fields: Any) -> Finding:
    """n2 forwards nothing."""
    wanted: dict[str, Any] = {
        "severity": Severity.ERROR,
        "subject": ObjectRef("Node", "", "n2"),
        "message": "n2 forwards nothing: FORWARD's policy is DROP",
        "evidence": (POLICY,),
        "cause": "what no rule accepts ends here",
        "fix": FIX,
        "breaks": (a_promise(),),
        **fields,
    }
    return Finding(code, **wanted)


def a_diagnosis(*findings: Finding, **fields: Any) -> Diagnosis:
    """Of a bundle ``prod`` with three nodes."""
    broken = sum(promise.stands_for for finding in findings for promise in finding.breaks)
    wanted: dict[str, Any] = {
        "nodes": 3,
        "pods": 41,
        "services": 9,
        "walked": 342,
        "broken": broken,
        **fields,
    }
    return Diagnosis("prod", findings=findings, **wanted)
