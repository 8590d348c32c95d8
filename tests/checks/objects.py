"""Small clusters for tests of state checks: objects as the API writes them, and files as nodes print them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from podpath.assemble.network import build_network
from podpath.checks.registry import Promised, StateCheck, state_checks
from podpath.intent.promises import promises as promises_of
from podpath.model.edit import PatchObject
from podpath.model.finding import Finding, Fix, Severity
from podpath.model.network import Network
from podpath.model.promise import Promise

NOW = "2026-03-01T12:00:00Z"
JUST_NOW = "2026-03-01T11:59:50Z"
LONG_AGO = "2026-02-01T00:00:00Z"
"""Long before the bundle was taken, and long enough for everything to have settled."""

PLURALS = {
    "Pod": "pods",
    "Service": "services",
    "Node": "nodes",
    "Namespace": "namespaces",
    "ConfigMap": "configmaps",
    "Event": "events",
    "ServiceAccount": "serviceaccounts",
    "EndpointSlice": "endpointslices.discovery.k8s.io",
    "NetworkPolicy": "networkpolicies.networking.k8s.io",
    "Ingress": "ingresses.networking.k8s.io",
    "IngressClass": "ingressclasses.networking.k8s.io",
    "Deployment": "deployments.apps",
    "DaemonSet": "daemonsets.apps",
    "ReplicaSet": "replicasets.apps",
    "Role": "roles.rbac.authorization.k8s.io",
    "ClusterRole": "clusterroles.rbac.authorization.k8s.io",
    "RoleBinding": "rolebindings.rbac.authorization.k8s.io",
    "ClusterRoleBinding": "clusterrolebindings.rbac.authorization.k8s.io",
    "ValidatingWebhookConfiguration": "validatingwebhookconfigurations.admissionregistration.k8s.io",
    "APIService": "apiservices.apiregistration.k8s.io",
    "Lease": "leases.coordination.k8s.io",
    "ServiceCIDR": "servicecidrs.networking.k8s.io",
    "IPPool": "ippools.crd.projectcalico.org",
}

Object = dict[str, Any]


def a_network(
    *objects: Object, files: Mapping[str, str] | None = None, without: Sequence[str] = ()
) -> Network:
    """A network of these objects and node files. All lists were collected, but those ``without`` which it is."""
    lists: dict[str, list[Object]] = {plural: [] for plural in PLURALS.values()}
    clock = {"kind": "Lease", "metadata": meta("clock", "kube-node-lease"), "spec": {"renewTime": NOW}}
    for one in (*objects, clock):
        lists[PLURALS[one["kind"]]].append(one)
    api = {
        f"api/{plural}.json": json.dumps({"kind": "List", "items": items}, indent=1).encode()
        for plural, items in lists.items()
        if plural.partition(".")[0] not in without
    }
    texts = {f"nodes/{path}": text.encode() for path, text in (files or {}).items()}
    return build_network("test", {**api, **texts})


@cache
def _checks() -> dict[str, StateCheck]:
    return {one.code: one for one in state_checks()}


def found(code: str, network: Network, promises: Sequence[Promise] = ()) -> list[Finding]:
    """What one check finds."""
    return list(_checks()[code].look(network, Promised(promises, ())))


def promised(network: Network) -> list[Promise]:
    """What the cluster promises."""
    return [one for one in promises_of(network) if isinstance(one, Promise)]


def only(code: str, network: Network) -> Finding:
    """The one finding of a check."""
    findings = found(code, network)
    assert [one.code for one in findings] == [code]
    return findings[0]


def fix_of(finding: Finding) -> Fix:
    """The fix that a finding offers."""
    assert finding.fix is not None
    return finding.fix


def patch_of(finding: Finding) -> Object:
    """The patch of the object that its fix changes."""
    edit = fix_of(finding).edits[0]
    assert isinstance(edit, PatchObject)
    patch: Object = json.loads(edit.patch)
    return patch


def needs(code: str) -> set[str]:
    """What a check cannot do without."""
    return set(_checks()[code].needs)


def severities(code: str, network: Network) -> list[Severity]:
    """How serious what a check finds is."""
    return [one.severity for one in found(code, network)]


def meta(name: str, namespace: str = "", **more: Any) -> Object:
    """An object's metadata."""
    where = {"namespace": namespace} if namespace else {}
    return {"name": name, **where, "creationTimestamp": LONG_AGO, **more}


def a_pod(
    name: str = "web-1",
    namespace: str = "demo",
    *,
    labels: Mapping[str, str] | None = None,
    node: str = "a",
    ip: str = "10.9.0.5",
    ready: bool = True,
    phase: str = "Running",
    ports: Sequence[Object] = ({"containerPort": 8080, "name": "http"},),
    created: str = LONG_AGO,
    since: str = LONG_AGO,
    state: Object | None = None,
    last: Object | None = None,
    init: Sequence[Object] = (),
    owner: tuple[str, str] | None = None,
    deleted: bool = False,
    image: str = "app",
    command: Sequence[str] = (),
    probe: Object | None = None,
    **spec: Any,
) -> Object:
    """A Pod that runs and is ready."""
    main: Object = {"name": "main", "image": image, "ports": list(ports), "command": list(command)}
    if probe is not None:
        main["readinessProbe"] = probe
    more: Object = {
        "labels": dict(labels if labels is not None else {"app": "web"}),
        "creationTimestamp": created,
    }
    if owner is not None:
        more["ownerReferences"] = [{"kind": owner[0], "name": owner[1], "controller": True}]
    if deleted:
        more["deletionTimestamp"] = JUST_NOW
    condition = {"type": "Ready", "status": "True" if ready else "False", "lastTransitionTime": since}
    running = {"running": {"startedAt": LONG_AGO}} if ip else {"waiting": {"reason": "ContainerCreating"}}
    status: Object = {
        "phase": phase,
        "conditions": [condition],
        "containerStatuses": [
            {"name": "main", "ready": ready, "state": state or running, "lastState": last or {}}
        ],
        "initContainerStatuses": list(init),
    }
    if ip:
        status |= {"podIP": ip, "podIPs": [{"ip": ip}]}
    initial = [{"name": one["name"], "image": "init"} for one in init]
    return {
        "kind": "Pod",
        "metadata": meta(name, namespace, **more),
        "spec": {"nodeName": node, "containers": [main], "initContainers": initial, **spec},
        "status": status,
    }


def a_service(
    name: str = "web",
    namespace: str = "demo",
    *,
    ip: str = "10.50.0.20",
    selector: Mapping[str, str] | None = None,
    ports: Sequence[Object] = ({"name": "http", "port": 80, "targetPort": 8080},),
    created: str = LONG_AGO,
    labels: Mapping[str, str] | None = None,
    status: Object | None = None,
    **spec: Any,
) -> Object:
    """A ClusterIP Service for ``app=web``."""
    listed = [{"protocol": "TCP", **port} for port in ports]
    chosen = dict(selector if selector is not None else {"app": "web"})
    return {
        "kind": "Service",
        "metadata": meta(name, namespace, creationTimestamp=created, labels=dict(labels or {})),
        "spec": {"clusterIP": ip, "clusterIPs": [ip], "selector": chosen, "ports": listed, **spec},
        "status": status or {},
    }


def a_slice(
    *endpoints: Object,
    service: str = "web",
    namespace: str = "demo",
    ports: Sequence[Object] = ({"name": "http", "port": 8080, "protocol": "TCP"},),
    managed: bool = True,
) -> Object:
    """The slice of a Service, without endpoints unless some are given."""
    labels = {"kubernetes.io/service-name": service}
    if managed:
        labels["endpointslice.kubernetes.io/managed-by"] = "endpointslice-controller.k8s.io"
    return {
        "kind": "EndpointSlice",
        "metadata": meta(f"{service}-x", namespace, labels=labels),
        "addressType": "IPv4",
        "endpoints": list(endpoints),
        "ports": list(ports),
    }


def an_endpoint(ip: str = "10.9.0.5", pod: str = "web-1", *, node: str = "a", **conditions: bool) -> Object:
    """A ready endpoint."""
    said = {"ready": True, "serving": True, "terminating": False, **conditions}
    target = {"targetRef": {"kind": "Pod", "name": pod}} if pod else {}
    return {"addresses": [ip], "nodeName": node, "conditions": said, **target}


def a_node(
    name: str = "a",
    ip: str = "192.0.2.1",
    cidr: str = "10.9.0.0/24",
    *,
    conditions: Sequence[Object] = (),
    labels: Mapping[str, str] | None = None,
    pods: str = "110",
    created: str = LONG_AGO,
    info: Object | None = None,
    **spec: Any,
) -> Object:
    """A node that is ready."""
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady"}
    ranges = {"podCIDR": cidr, "podCIDRs": [cidr]} if cidr else {}
    return {
        "kind": "Node",
        "metadata": meta(name, labels=dict(labels or {}), creationTimestamp=created),
        "spec": {**ranges, **spec},
        "status": {
            "addresses": [{"type": "InternalIP", "address": ip}],
            "conditions": list(conditions) or [ready],
            "allocatable": {"pods": pods},
            "nodeInfo": info or {"machineID": f"id-{name}", "systemUUID": f"uuid-{name}"},
        },
    }


def an_event(
    reason: str, message: str, about: tuple[str, str, str] = ("Pod", "demo", "web-1"), last: str = JUST_NOW
) -> Object:
    """A warning about an object: kind, namespace, name."""
    kind, namespace, name = about
    return {
        "kind": "Event",
        "metadata": meta(f"{name}.{abs(hash((reason, message))) % 10**8:08}", namespace or "default"),
        "type": "Warning",
        "reason": reason,
        "message": message,
        "involvedObject": {"kind": kind, "namespace": namespace, "name": name},
        "lastTimestamp": last,
    }


def a_workload(
    name: str = "web",
    namespace: str = "demo",
    *,
    kind: str = "Deployment",
    labels: Mapping[str, str] | None = None,
    replicas: int = 1,
    image: str = "app",
    created: str = LONG_AGO,
    ports: Sequence[Object] = (),
    owner: tuple[str, str] | None = None,
) -> Object:
    """What makes Pods."""
    carried = dict(labels if labels is not None else {"app": "web"})
    more: Object = {"creationTimestamp": created}
    if owner is not None:
        more["ownerReferences"] = [{"kind": owner[0], "name": owner[1], "controller": True}]
    template = {
        "metadata": {"labels": carried},
        "spec": {"containers": [{"name": "m", "image": image, "ports": list(ports)}]},
    }
    return {
        "kind": kind,
        "metadata": meta(name, namespace, **more),
        "spec": {"replicas": replicas, "selector": {"matchLabels": carried}, "template": template},
        "status": {"desiredNumberScheduled": replicas},
    }


def a_namespace(name: str = "demo", /, **labels: str) -> Object:
    """A namespace."""
    return {"kind": "Namespace", "metadata": meta(name, labels=labels)}


def a_policy(name: str = "limit", namespace: str = "demo", **spec: Any) -> Object:
    """A NetworkPolicy; keywords are its spec."""
    return {"kind": "NetworkPolicy", "metadata": meta(name, namespace), "spec": {"podSelector": {}, **spec}}


def a_config(name: str, namespace: str = "kube-system", **data: str) -> Object:
    """A ConfigMap."""
    return {"kind": "ConfigMap", "metadata": meta(name, namespace), "data": data}


def kubelet(**settings: Any) -> str:
    """A kubelet's configuration."""
    return json.dumps({"kind": "KubeletConfiguration", **settings})


def waiting(reason: str, message: str = "") -> Object:
    """The state of a container that waits."""
    return {"waiting": {"reason": reason, "message": message}}


def ended(reason: str, code: int = 1, message: str = "") -> Object:
    """The state of a container that ended."""
    return {"terminated": {"reason": reason, "exitCode": code, "message": message, "finishedAt": JUST_NOW}}
