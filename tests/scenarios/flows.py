"""Flows of ``truth.json`` and how an answer is held against what was measured."""

from __future__ import annotations

import json
from typing import Any

from podpath.dataplane.tracer import trace_flow
from podpath.diagnosis.names import resolve_name
from podpath.model.addr import format_addr, parse_addr
from podpath.model.flow import PROTOCOL_NUMBERS, Flow
from podpath.model.network import Network
from podpath.model.refs import NetnsId, node_netns, pod_netns
from podpath.model.trace import Verdict
from tests.scenarios.bundles import Files

CHANCE = 0.001
"""An outcome of the tries that our probability makes rarer than this counts as a disagreement."""


def truth(files: Files) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(files["truth.json"])
    return found


def source(flow: dict[str, Any]) -> NetnsId:
    src = flow["src"]
    if src["kind"] == "pod":
        return pod_netns(*src["pod"].split("/"))
    return node_netns(src["node"]) if src["kind"] == "node" else NetnsId("")


def asked(flow: dict[str, Any]) -> Flow:
    netns, dst = source(flow), flow["dst"]
    src = None if netns else parse_addr(flow["src"]["ip"])
    return Flow(
        netns,
        parse_addr(dst["ip"]),
        PROTOCOL_NUMBERS[dst["proto"].lower()],
        dst["port"],
        src,
        size=dst.get("bytes", 0),
    )


def disagreement(network: Network, flow: dict[str, Any]) -> str:
    """Empty when the answer agrees with the measurement; ``unknown`` when it does not say; else what is wrong."""
    if flow["dst"]["kind"] == "dns":
        named = resolve_name(network, source(flow), flow["dst"]["name"])
        return _compare(flow, named.verdict, named.probability, set())
    answer = trace_flow(network, asked(flow))
    return _compare(flow, answer.verdict, answer.probability, {format_addr(addr) for addr in answer.seen_as})


def _compare(flow: dict[str, Any], verdict: Verdict, probability: float | None, seen_as: set[str]) -> str:
    ok, tries = flow["ok"], flow["tries"]
    if verdict is Verdict.UNKNOWN:
        return "unknown"
    expected = Verdict.WORKS if ok == tries else Verdict.FAILS if ok == 0 else Verdict.SOMETIMES
    if verdict is not expected and (
        probability is None or probability**ok * (1 - probability) ** (tries - ok) < CHANCE
    ):
        return (
            f"{flow['src']} -> {flow['dst']}: {ok} of {tries} worked, we say {verdict.value} ({probability})"
        )
    saw = {text.rpartition(" saw ")[2] for text in flow["saw"] if " saw " in text}
    return (
        f"{flow['src']} -> {flow['dst']}: the server saw {saw}, we say {seen_as}"
        if not saw <= seen_as and flow["dst"]["kind"] != "dns"
        else ""
    )
