"""Made-up Pods, as many as one likes, and always the same for the same numbers."""

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
    managed: dict[str, Any] = {
        "f:metadata": {"f:labels": {f"f:{key}": {} for key in ("app", "version", "tier", "team")}},
        "f:spec": {"f:containers": {f"f:{n}": {} for n in range(40)}},
    }
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
            "labels": {
                "app": app,
                "pod-template-hash": f"{rng.getrandbits(40):010x}",
                "version": f"v{number % 3}",
                "tier": "backend",
                "team": f"team-{number % 40}",
            },
            "annotations": {
                "prometheus.io/scrape": "true",
                "kubernetes.io/config.seen": "2026-01-01T00:00:00Z",
            },
            "ownerReferences": [
                {
                    "apiVersion": "apps/v1",
                    "kind": "ReplicaSet",
                    "name": app,
                    "uid": f"{number // 10:032x}",
                    "controller": True,
                }
            ],
            "managedFields": [
                {
                    "manager": m,
                    "operation": "Update",
                    "apiVersion": "v1",
                    "fieldsType": "FieldsV1",
                    "fieldsV1": managed,
                }
                for m in ("kube-controller-manager", "kubelet")
            ],
        },
        "spec": {
            "nodeName": f"node-{number // PODS_A_NODE}",
            "serviceAccountName": app,
            "dnsPolicy": "ClusterFirst",
            "volumes": [
                {
                    "name": f"volume-{n}",
                    "projected": {"sources": [{"configMap": {"name": "kube-root-ca.crt"}}]},
                }
                for n in range(3)
            ],
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
            "conditions": [
                {"type": kind, "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}
                for kind in conditions
            ],
            "hostIP": f"192.168.{number // PODS_A_NODE >> 8}.{number // PODS_A_NODE & 255}",
            "podIP": addr,
            "podIPs": [{"ip": addr}],
            "containerStatuses": [
                {
                    "name": "main",
                    "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}},
                    "lastState": {},
                    "ready": True,
                    "restartCount": 0,
                    "image": app,
                    "imageID": f"sha256:{rng.getrandbits(256):064x}",
                }
            ],
        },
    }


def listed(objects: Iterator[dict[str, Any]]) -> bytes:
    """A List as the API server sends it."""
    body = ",\n".join(json.dumps(one, separators=(",", ":")) for one in objects)
    return f'{{"apiVersion":"v1","kind":"List","items":[\n{body}\n]}}\n'.encode()


def pods(count: int) -> bytes:
    rng = random.Random(1)
    return listed(pod(number, rng) for number in range(count))
