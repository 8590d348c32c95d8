"""Made-up evidence of any size, always the same for the same numbers: Pods, kube-proxy rules of both modes, whole bundles."""

from __future__ import annotations

import base64
import hashlib
import json
import random
from collections.abc import Iterator
from typing import Any

PODS_A_NODE = 30


def hashed(*parts: object) -> str:
    """A name as kube-proxy makes it: 16 letters of a hash."""
    return base64.b32encode(hashlib.sha256("/".join(map(str, parts)).encode()).digest()).decode()[:16]


def pod_ip(number: int) -> str:
    return f"10.{128 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"


def service_ip(number: int) -> str:
    return f"10.{96 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"


def pod(number: int, rng: random.Random) -> dict[str, Any]:
    """A Pod of about 5 kB, as ``kubectl get pods -o json`` prints it."""
    app, addr = f"app-{number // 10}", pod_ip(number)
    managed = {"f:metadata": {"f:labels": {f"f:{key}": {} for key in ("app", "version", "tier", "team")}}, "f:spec": {"f:containers": {f"f:{n}": {} for n in range(40)}}}
    conditions = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{app}-{rng.getrandbits(40):010x}-{number:05x}",
            "namespace": f"ns-{number // 10 % 200}",
            "uid": f"{rng.getrandbits(128):032x}",
            "resourceVersion": str(10**7 + number),
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "labels": {"app": app, "pod-template-hash": f"{rng.getrandbits(40):010x}", "version": f"v{number % 3}", "tier": "backend", "team": f"team-{number % 40}"},
            "annotations": {"prometheus.io/scrape": "true", "kubernetes.io/config.seen": "2026-01-01T00:00:00Z"},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": app, "uid": f"{number // 10:032x}", "controller": True}],
            "managedFields": [{"manager": m, "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": managed} for m in ("kube-controller-manager", "kubelet")],
        },
        "spec": {
            "nodeName": f"node-{number // PODS_A_NODE}",
            "serviceAccountName": app,
            "dnsPolicy": "ClusterFirst",
            "volumes": [{"name": f"volume-{n}", "projected": {"sources": [{"configMap": {"name": "kube-root-ca.crt"}}]}} for n in range(3)],
            "containers": [
                {
                    "name": "main",
                    "image": f"registry.local/team/{app}:1.2.3",
                    "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
                    "env": [{"name": f"SETTING_{n}", "value": f"value-{n}-{number % 97}"} for n in range(12)],
                    "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}},
                    "readinessProbe": {"httpGet": {"path": "/healthz", "port": 8080, "scheme": "HTTP"}},
                }
            ],
        },
        "status": {
            "phase": "Running",
            "conditions": [{"type": kind, "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"} for kind in conditions],
            "hostIP": f"192.168.{number // PODS_A_NODE >> 8}.{number // PODS_A_NODE & 255}",
            "podIP": addr,
            "podIPs": [{"ip": addr}],
            "containerStatuses": [{"name": "main", "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}, "lastState": {}, "ready": True, "restartCount": 0, "image": app, "imageID": f"sha256:{rng.getrandbits(256):064x}"}],
        },
    }


def listed(objects: Iterator[dict[str, Any]]) -> bytes:
    """A List as the API server sends it."""
    body = ",\n".join(json.dumps(one, separators=(",", ":")) for one in objects)
    return f'{{"apiVersion":"v1","kind":"List","items":[\n{body}\n]}}\n'.encode()


def pods(count: int) -> bytes:
    rng = random.Random(1)
    return listed(pod(number, rng) for number in range(count))


def iptables_dump(
    services: int,
    endpoints: int,
    *,
    addresses: list[list[str]] | None = None,
    filter_table: bool = False,
    api: str = "",
) -> str:
    """A dump shaped like kube-proxy's: per Service a dispatch rule, a mark and E choices, two rules an endpoint."""
    rules = _KubeProxy()
    if api:
        rules.serve("api", "default/kubernetes:https", (API_IP, 443), [(api, 6443)])
    number = 0
    for service in range(services):
        known = (
            addresses[service] if addresses is not None else [pod_ip(number + k) for k in range(endpoints)]
        )
        name = f"ns-{service % 200}/svc-{service}:http"
        rules.serve(service, name, (service_ip(service), 80), [(addr, 8080) for addr in known])
        number += endpoints
    return "\n".join([*(FILTER.split("\n") if filter_table else ()), *rules.table(), ""])


API_IP = "10.112.0.1"
"""The address of Service default/kubernetes."""
PODS = "10.128.0.0/14"


class _KubeProxy:
    """The rules of its nat table."""

    def __init__(self) -> None:
        self.chains: list[str] = []
        self.dispatch: list[str] = []
        self.bodies: dict[str, list[str]] = {"KUBE-SERVICES": self.dispatch}

    def serve(self, key: object, name: str, way: tuple[str, int], targets: list[tuple[str, int]]) -> None:
        """The rules of one Service port."""
        vip, port = way
        chain = "KUBE-SVC-" + hashed("svc", key)
        asked = f'-d {vip}/32 -p tcp -m comment --comment "{name} cluster IP" -m tcp --dport {port}'
        self.chains.append(f":{chain} - [0:0]")
        self.dispatch.append(f"-A KUBE-SERVICES {asked} -j {chain}")
        body = self.bodies[chain] = [f"-A {chain} ! -s {PODS} {asked} -j KUBE-MARK-MASQ"]
        for at, (addr, to) in enumerate(targets):
            endpoint = "KUBE-SEP-" + hashed("sep", key, at)
            self.chains.append(f":{endpoint} - [0:0]")
            left = len(targets) - at
            chance = f" -m statistic --mode random --probability {1 / left:.11f}" if left > 1 else ""
            body.append(f'-A {chain} -m comment --comment "{name} -> {addr}:{to}"{chance} -j {endpoint}')
            said = f'-m comment --comment "{name}"'
            self.bodies[endpoint] = [
                f"-A {endpoint} -s {addr}/32 {said} -j KUBE-MARK-MASQ",
                f"-A {endpoint} -p tcp {said} -m tcp -j DNAT --to-destination {addr}:{to}",
            ]

    def table(self) -> list[str]:
        """The lines of the table."""
        rules = [rule for chain in sorted(self.bodies) for rule in self.bodies[chain]]
        return [*NAT_HEAD.split("\n"), *sorted(self.chains), *NAT_TOP.split("\n"), *rules, "COMMIT", "# Completed"]


NAT_HEAD = """# Generated by iptables-nft-save v1.8.9
*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:KUBE-MARK-MASQ - [0:0]
:KUBE-POSTROUTING - [0:0]
:KUBE-SERVICES - [0:0]"""
NAT_TOP = """-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING
-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN
-A KUBE-POSTROUTING -j MARK --set-xmark 0x4000/0x0
-A KUBE-POSTROUTING -j MASQUERADE --random-fully"""
FILTER = """*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:CNI-FORWARD - [0:0]
:KUBE-FORWARD - [0:0]
-A FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD
-A FORWARD -j CNI-FORWARD
-A CNI-FORWARD -s 10.128.0.0/14 -j ACCEPT
-A CNI-FORWARD -d 10.128.0.0/14 -j ACCEPT
-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP
-A KUBE-FORWARD -m mark --mark 0x4000/0x4000 -j ACCEPT
-A KUBE-FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
COMMIT"""


def nft_dump(services: int, endpoints: int) -> bytes:
    """``nft -j list ruleset`` shaped like kube-proxy's nftables mode: a vmap of Services, two chains' worth a Service."""
    found: list[dict[str, Any]] = [{"metainfo": {"version": "1.0.6", "json_schema_version": 1}}, {"table": {"family": "ip", "name": "kube-proxy", "handle": 1}}]
    elements, handle, number = [], 2, 0

    def add(kind: str, **fields: Any) -> None:
        nonlocal handle
        found.append({kind: {"family": "ip", "table": "kube-proxy", **fields, "handle": handle}})
        handle += 1

    for service in range(services):
        chain = f"service-{service:08X}-ns{service % 100}/svc-{service}/tcp/http"
        elements.append([{"concat": [service_ip(service), "tcp", 80]}, {"goto": {"target": chain}}])
        add("chain", name=chain)
        targets = []
        for at in range(endpoints):
            addr, number = pod_ip(number), number + 1
            endpoint = f"endpoint-{number:08X}-ns{service % 100}/svc-{service}/tcp/http__{addr}/8080"
            targets.append([at, {"goto": {"target": endpoint}}])
            add("chain", name=endpoint)
            add("rule", chain=endpoint, expr=[_equal("ip", "saddr", addr), {"mangle": {"key": {"meta": {"key": "mark"}}, "value": 0x4000}}])
            add("rule", chain=endpoint, expr=[{"match": {"op": "==", "left": {"meta": {"key": "l4proto"}}, "right": "tcp"}}, {"dnat": {"addr": addr, "port": 8080}}])
        add("rule", chain=chain, expr=[_equal("ip", "daddr", service_ip(service)), _equal("tcp", "dport", 80), {"mangle": {"key": {"meta": {"key": "mark"}}, "value": 0x4000}}])
        add("rule", chain=chain, expr=[{"vmap": {"key": {"numgen": {"mode": "random", "mod": endpoints, "offset": 0}}, "data": {"set": targets}}}])
    add("map", name="service-ips", type=["ipv4_addr", "inet_proto", "inet_service"], map="verdict", elem=elements)
    return json.dumps({"nftables": found}, separators=(",", ":")).encode()


def _equal(protocol: str, field: str, value: object) -> dict[str, Any]:
    return {"match": {"op": "==", "left": {"payload": {"protocol": protocol, "field": field}}, "right": value}}
