"""``podpath why --flows FILE``: many questions at once, in JSON, as the corpus writes them down."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from podpath.cli.errors import UsageError
from podpath.dataplane.tracer import trace_flow
from podpath.diagnosis.names import NameAnswer, resolve_name
from podpath.diagnosis.why import WhyCause, explain_answer
from podpath.model.addr import parse_addr
from podpath.model.flow import PROTOCOL_NUMBERS, Flow
from podpath.model.network import Network
from podpath.model.refs import NetnsId, node_netns, pod_netns
from podpath.model.trace import Answer
from podpath.report.json_flows import JsonFlowAnswer, flow_answer, name_answer

MOST_BYTES = 1 << 62
ADDRESSES = ("pod", "clusterIP", "nodePort", "loadBalancer", "externalIP", "node", "external")
"""Kinds of destination that have an address and a port."""

Progress = Callable[[str, int, int], None]


class NameQuestion(msgspec.Struct, frozen=True):
    """Whether a name resolves in a namespace."""

    netns: NetnsId
    name: str


FlowQuestion = Flow | NameQuestion


def read_flows(path: str) -> list[FlowQuestion]:
    """The questions of a file; ``UsageError`` says which entry is none, and why."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from error
    try:
        entries = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{path} is no JSON: {error}") from error
    if not isinstance(entries, list):
        raise UsageError(f"{path} holds no JSON list of flows")
    return [_question(entry, f"{path}: flow {index}") for index, entry in enumerate(entries)]


def answered_flows(
    network: Network,
    questions: list[FlowQuestion],
    progress: Progress = lambda _what, _done, _all: None,
) -> list[JsonFlowAnswer]:
    """The answers in the order of the questions; equal questions are answered once."""
    known: dict[FlowQuestion, JsonFlowAnswer] = {}
    causes = _Causes(network)
    for done, question in enumerate(questions):
        if done % 50 == 0:
            progress("flows", done, len(questions))
        if question not in known:
            known[question] = _answer(network, question, causes)
    return [known[question] for question in questions]


def _answer(network: Network, question: FlowQuestion, causes: _Causes) -> JsonFlowAnswer:
    asker = _home(network, question.netns)
    if isinstance(question, NameQuestion):
        return resolve_dns_flow(network, NameQuestion(asker, question.name))
    flow = msgspec.structs.replace(question, netns=asker)
    answer = trace_flow(network, flow)
    return flow_answer(answer, causes.of(flow, answer))


def _home(network: Network, netns: NetnsId) -> NetnsId:
    """Where a Pod's sockets are: with hostNetwork in its node's own namespace."""
    kind, _, rest = netns.partition("/")
    namespace, _, name = rest.partition("/")
    pod = network.cluster.pods.get((namespace, name)) if kind == "pod" else None
    return node_netns(pod.node) if pod is not None and pod.host_network else netns


def resolve_dns_flow(network: Network, question: NameQuestion) -> JsonFlowAnswer:
    """A name: its search list walked, every query a flow; the cause is that of the query that fails."""
    found: NameAnswer = resolve_name(network, question.netns, question.name)
    cause = explain_answer(network, *found.failing) if found.failing is not None else None
    return name_answer(found, cause)


class _Causes:
    """Causes of failing flows, found once for all that end at one step on their way to one destination."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._policies = bool(network.cluster.policies)
        self._known: dict[object, WhyCause | None] = {}

    def of(self, flow: Flow, answer: Answer) -> WhyCause | None:
        failing = max(answer.failing, key=lambda branch: branch.probability, default=None)
        if failing is None:
            return None
        end, step = failing.end, failing.end.last
        place = (end.leg, end.netns, end.packet.dst, end.packet.dport)
        line = (step.stage, step.kind, step.origin, step.table, step.chain, step.dev, step.key)
        key = (self._client(flow), flow.dst, flow.dport, flow.protocol, place, line)
        if key not in self._known:
            self._known[key] = explain_answer(self._network, flow, answer)
        return self._known[key]

    def _client(self, flow: Flow) -> object:
        """Who asks, as far as it can matter: policies tell Pods of one node apart, nothing else does."""
        netns = self._network.namespaces.get(flow.netns)
        if self._policies or netns is None:
            return flow.netns, flow.src
        return netns.node, netns.is_host


# --- reading ----------------------------------------------------------------------------------------------------------


def _question(entry: object, where: str) -> FlowQuestion:
    src, dst = _part(entry, "src", where), _part(entry, "dst", where)
    netns, addr = _client(src, where)
    kind = dst.get("kind")
    if kind == "dns":
        if not isinstance(dst.get("name"), str) or not netns:
            raise UsageError(f"{where}: a dst of kind dns needs a name, and a src of kind pod or node")
        return NameQuestion(netns, dst["name"])
    if kind is not None and kind not in ADDRESSES:
        raise UsageError(
            f"{where}: its dst is of kind {kind!r}, which is none of {', '.join(ADDRESSES)} or dns"
        )
    protocol = _protocol(dst, where)
    port = _number(dst, "port", where, 65535, needed=protocol in (6, 17, 132))
    size = _number(dst, "bytes", where, MOST_BYTES, needed=False)
    target = _address(dst, "dst", where)
    return Flow(netns, target, protocol, port, None if netns else addr, size=size)


def _part(entry: object, side: str, where: str) -> dict[str, Any]:
    part = entry.get(side) if isinstance(entry, dict) else None
    if not isinstance(part, dict):
        raise UsageError(f'{where} has no object "{side}"')
    return part


def _client(src: dict[str, Any], where: str) -> tuple[NetnsId, int | None]:
    """Its namespace, or its address for somebody outside."""
    match src.get("kind"):
        case "pod":
            namespace, slash, name = str(src.get("pod", "")).partition("/")
            if not slash or not namespace or not name:
                raise UsageError(f'{where}: a src of kind pod needs "pod": "NAMESPACE/NAME"')
            return pod_netns(namespace, name), None
        case "node":
            if not isinstance(src.get("node"), str) or not src["node"]:
                raise UsageError(f'{where}: a src of kind node needs "node": "NAME"')
            return node_netns(src["node"]), None
        case "outside":
            return NetnsId(""), _address(src, "src", where)
    raise UsageError(
        f"{where}: its src is of kind {src.get('kind')!r}, which is none of pod, node or outside"
    )


def _address(part: dict[str, Any], side: str, where: str) -> int:
    text = part.get("ip")
    if isinstance(text, str):
        with suppress(ValueError):
            return parse_addr(text)
    raise UsageError(f'{where}: "ip" of its {side} is {text!r}, which is no address')


def _protocol(dst: dict[str, Any], where: str) -> int:
    name = dst.get("proto", "TCP")
    number = PROTOCOL_NUMBERS.get(name.lower()) if isinstance(name, str) else None
    if number is None:
        raise UsageError(f"{where}: its proto is {name!r}, which is none of {', '.join(PROTOCOL_NUMBERS)}")
    return number


def _number(dst: dict[str, Any], name: str, where: str, most: int, *, needed: bool) -> int:
    value = dst.get(name)
    if value is None and not needed:
        return 0
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise UsageError(f'{where}: "{name}" of its dst is {value!r}, which is no number from 0 to {most}')
    return value
