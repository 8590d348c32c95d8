"""Made-up objects of a cluster, as the API server sends them."""

from __future__ import annotations

Json = dict[str, object]


def node(name: str, addr: str, cidr: str) -> Json:
    """A node that is ready."""
    status = {
        "addresses": [{"type": "InternalIP", "address": addr}],
        "conditions": [{"type": "Ready", "status": "True"}],
    }
    spec = {"podCIDR": cidr, "podCIDRs": [cidr]}
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "spec": spec, "status": status}


def service(namespace: str, name: str, addr: str, port: int, target: int) -> Json:
    one = {"name": "https" if port == 443 else "http", "port": port, "protocol": "TCP", "targetPort": target}
    spec = {
        "type": "ClusterIP",
        "clusterIP": addr,
        "clusterIPs": [addr],
        "ipFamilies": ["IPv4"],
        "ports": [one],
    }
    meta = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec}


def endpoint_slice(namespace: str, of: str, name: str, port: int, places: list[tuple[str, str]]) -> Json:
    state = {"ready": True, "serving": True, "terminating": False}
    endpoints = [
        {"addresses": [addr], "conditions": state} | ({"nodeName": node} if node else {})
        for addr, node in places
    ]
    labels = {"kubernetes.io/service-name": of}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "addressType": "IPv4",
        "metadata": {"name": f"{of}-a", "namespace": namespace, "labels": labels},
        "endpoints": endpoints,
        "ports": [{"name": name, "port": port, "protocol": "TCP"}],
    }
