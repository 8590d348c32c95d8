"""The question that ``podpath why`` would be asked about a promise."""

from __future__ import annotations

import shlex

from podpath.model.addr import format_addr
from podpath.model.flow import TCP, endpoint_text, protocol_name
from podpath.model.promise import Promise
from podpath.model.refs import ObjectRef
from podpath.report.names import Names


def question_for(promise: Promise, names: Names) -> str:
    """``pod/ops/client svc/shop/api:http``; empty where it cannot be asked by names."""
    src, dst = _client(promise.client), _server(promise, names)
    return f"{shlex.quote(src)} {shlex.quote(dst)}" if src and dst else ""


def _client(ref: ObjectRef) -> str:
    if ref.kind in ("Pod", "Node"):
        return f"{ref.kind.lower()}/{ref.short}"
    return ref.name if ref.kind == "Outside" else ""


def _server(promise: Promise, names: Names) -> str:
    flow = promise.flow
    protocol = "" if flow.protocol == TCP else f"/{protocol_name(flow.protocol)}"
    if promise.kind == "dns":
        return "dns" if protocol else "dns/tcp"
    if promise.kind == "outside":
        return "internet"
    service = names.network.cluster.services_by_cluster_ip.get(flow.dst)
    if service is not None:
        port = service.port(flow.dport, flow.protocol)
        label = port.name if port is not None and port.name else str(flow.dport)
        return f"svc/{service.ref.short}:{label}{protocol}"
    pod = names.network.cluster.pod_at(flow.dst)
    if pod is not None:
        return (
            f"pod/{pod.ref.short}:{flow.dport}{protocol}" if flow.dport else f"pod/{pod.ref.short}{protocol}"
        )
    node = names.network.cluster.node_by_address.get(flow.dst)
    if node is not None and flow.dport:
        return f"node/{node.name}:{flow.dport}{protocol}"
    return f"{endpoint_text(flow.dst, flow.dport) if flow.dport else format_addr(flow.dst)}{protocol}"
