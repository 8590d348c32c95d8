"""``api/*.json``: lists of objects as ``kubectl get -o json`` or the API server prints them.

A file is decoded in two passes of C code: the first tells the items apart (and so their lines), the second decodes
each into its struct. Nothing of a file's text is kept: an item's field is looked up in the file again when it is
asked for (``podpath.parse.kube_locate``).
"""

from __future__ import annotations

import contextlib
import gc
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import msgspec

from podpath.model.kube.apiservice import APIService
from podpath.model.kube.cluster import Cluster, grouped
from podpath.model.kube.configmap import ConfigMap
from podpath.model.kube.endpointslice import EndpointSlice
from podpath.model.kube.event import Event
from podpath.model.kube.ingress import Ingress, IngressClass
from podpath.model.kube.meta import KubeObject
from podpath.model.kube.namespace import Namespace
from podpath.model.kube.networkpolicy import NetworkPolicy
from podpath.model.kube.node import Node
from podpath.model.kube.other import OtherObject
from podpath.model.kube.pod import Pod
from podpath.model.kube.rbac import Role, RoleBinding
from podpath.model.kube.scalars import decode_scalar
from podpath.model.kube.service import Service
from podpath.model.kube.serviceaccount import ServiceAccount
from podpath.model.kube.webhook import WebhookConfiguration
from podpath.model.kube.workload import Workload
from podpath.model.origin import Origin, Unrecognized
from podpath.parse.kube_locate import Locate, Starts, locator

T = TypeVar("T")

_SEPARATOR = re.compile(rb"[\s,]*")

_TYPES: Mapping[str, tuple[str, type[KubeObject], str]] = {
    # plural: (kind, struct, group; lists of the plural in other groups are custom resources)
    "pods": ("Pod", Pod, ""),
    "services": ("Service", Service, ""),
    "nodes": ("Node", Node, ""),
    "namespaces": ("Namespace", Namespace, ""),
    "configmaps": ("ConfigMap", ConfigMap, ""),
    "events": ("Event", Event, "events.k8s.io"),
    "serviceaccounts": ("ServiceAccount", ServiceAccount, ""),
    "endpointslices": ("EndpointSlice", EndpointSlice, "discovery.k8s.io"),
    "networkpolicies": ("NetworkPolicy", NetworkPolicy, "networking.k8s.io"),
    "ingresses": ("Ingress", Ingress, "networking.k8s.io"),
    "ingressclasses": ("IngressClass", IngressClass, "networking.k8s.io"),
    "deployments": ("Deployment", Workload, "apps"),
    "daemonsets": ("DaemonSet", Workload, "apps"),
    "statefulsets": ("StatefulSet", Workload, "apps"),
    "replicasets": ("ReplicaSet", Workload, "apps"),
    "roles": ("Role", Role, "rbac.authorization.k8s.io"),
    "clusterroles": ("ClusterRole", Role, "rbac.authorization.k8s.io"),
    "rolebindings": ("RoleBinding", RoleBinding, "rbac.authorization.k8s.io"),
    "clusterrolebindings": ("ClusterRoleBinding", RoleBinding, "rbac.authorization.k8s.io"),
    "validatingwebhookconfigurations": (
        "ValidatingWebhookConfiguration",
        WebhookConfiguration,
        "admissionregistration.k8s.io",
    ),
    "mutatingwebhookconfigurations": (
        "MutatingWebhookConfiguration",
        WebhookConfiguration,
        "admissionregistration.k8s.io",
    ),
    "apiservices": ("APIService", APIService, "apiregistration.k8s.io"),
}
_PLURALS = {(kind, group): plural for plural, (kind, _, group) in _TYPES.items()} | {("Event", ""): "events"}

_NETWORK_ANNOTATION = re.compile(
    r"cni|flannel|calico|cilium|kube-router|antrea|ovn|weave|metallb|multus|istio|linkerd|^service\.|load-?balancer"
    r"|topology|bandwidth|ingress|endpoints|kubeadm|network|node-?ip|kube-proxy|config\.(source|mirror)|vpc|\beni\b"
)
"""Annotations that concern the network; the rest (a copy of the whole object, often) is not kept."""
_NEVER_KEPT = "kubectl.kubernetes.io/last-applied-configuration"


class _Envelope(msgspec.Struct):
    """A list, or a single object (then without ``items``)."""

    kind: str = ""
    items: list[msgspec.Raw] | msgspec.UnsetType | None = msgspec.UNSET


class _Header(msgspec.Struct, rename="camel"):
    """What tells an object's kind."""

    kind: str = ""
    api_version: str = ""


_decode_envelope = msgspec.json.Decoder(_Envelope).decode
_decode_header = msgspec.json.Decoder(_Header).decode
_decode_any = msgspec.json.Decoder(dict[str, Any]).decode
_DECODERS: dict[type[KubeObject], Callable[[msgspec.Raw], KubeObject]] = {
    type_: msgspec.json.Decoder(type_, dec_hook=decode_scalar).decode
    for type_ in {type_ for _, type_, _ in _TYPES.values()}
}


def parse_cluster(files: Mapping[str, bytes]) -> tuple[Cluster, tuple[Unrecognized, ...]]:
    """The objects of all ``api/*.json`` files of a bundle, and what could not be read.

    ``files`` is kept and asked again when the line of a field is wanted: a mapping that reads on demand costs no
    memory.
    """
    found: dict[str, list[KubeObject]] = {}
    unrecognized: list[Unrecognized] = []
    starts: dict[str, Starts] = {}
    version = ""
    with _collector_off():
        for path in sorted(files):
            if path == "api/version.json":
                version = _server_version(files[path])
            elif path.startswith("api/") and path.endswith(".json"):
                starts[path] = _read_file(path, files[path], found, unrecognized)
        return _cluster(found, version, locator(files, starts)), tuple(unrecognized)


@contextlib.contextmanager
def _collector_off() -> Iterator[None]:
    """Nothing that is loaded here is in a cycle, and the collector would walk all of it again and again."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _server_version(data: bytes) -> str:
    """``serverVersion.gitVersion`` of ``kubectl version -o json``, or ``gitVersion`` of GET /version."""
    try:
        known = _decode_any(data)
    except msgspec.DecodeError:
        return ""
    server = known.get("serverVersion", known)
    version = server.get("gitVersion", "") if isinstance(server, dict) else ""
    return version if isinstance(version, str) else ""


def _read_file(
    path: str, data: bytes, found: dict[str, list[KubeObject]], unrecognized: list[Unrecognized]
) -> Starts:
    """Adds the objects of a file to ``found``, by the name of their list; returns where they begin."""
    starts = Starts()
    pool: dict[object, Any] = {}
    listed = _list_name(path.removeprefix("api/").removesuffix(".json"))
    try:
        items, kind = _items(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        unrecognized.append(Unrecognized(Origin(path, 1), f"not a JSON list of objects: {error}"))
        return starts
    if kind or listed in _TYPES or "." in listed or not items:
        found.setdefault(listed, [])
    for raw, offset, line in _placed(data, items):
        starts.add(offset, line)
        try:
            name, item = _read_item(raw, listed, kind)
        except (msgspec.DecodeError, ValueError, TypeError, RecursionError) as error:
            unrecognized.append(Unrecognized(Origin(path, line, _name_of(raw)), str(error)))
            continue
        found.setdefault(name, []).append(_finished(item, path, line, pool))
    return starts


def _items(data: bytes) -> tuple[list[msgspec.Raw], str]:
    """The items of a list, and the kind that all of them have (empty for a ``v1 List``); or one object alone."""
    envelope = _decode_envelope(data)
    if envelope.items is not msgspec.UNSET:
        return envelope.items or [], envelope.kind.removesuffix("List")
    if envelope.kind and not envelope.kind.endswith("List") and _name_of(msgspec.Raw(data)):
        return [msgspec.Raw(data.strip())], ""
    raise msgspec.ValidationError("it has no items")


def _list_name(stem: str) -> str:
    """``networkpolicies`` for ``networkpolicies.networking.k8s.io``; of groups not known here, the whole name."""
    plural, _, group = stem.partition(".")
    known = _TYPES.get(plural)
    return plural if known is not None and group in ("", known[2]) else stem


def _placed(data: bytes, items: list[msgspec.Raw]) -> Iterator[tuple[msgspec.Raw, int, int]]:
    """The items, with the offset and the line at which each begins: where the one before it and a comma end."""
    if not items:
        return
    start = data.find(bytes(memoryview(items[0])))
    line = data.count(b"\n", 0, start) + 1
    for raw in items:
        yield raw, start, line
        end = start + len(memoryview(raw))
        separator = _SEPARATOR.match(data, end)
        following = end if separator is None else separator.end()
        line += data.count(b"\n", start, following)
        start = following


def _read_item(raw: msgspec.Raw, listed: str, kind: str) -> tuple[str, KubeObject]:
    """An object, and the list it belongs to: first as what the file's name says, then as what itself says."""
    known = _TYPES.get(listed)
    if known is not None:
        try:
            return listed, _DECODERS[known[1]](raw)
        except msgspec.ValidationError:
            pass  # an absent value written as null, an object of another kind, or a broken one
    content = _without_nulls(_decode_any(raw))
    header = _decode_header(raw)
    own_kind = header.kind or kind or (known[0] if known else "")
    if known is not None and own_kind == known[0]:
        plural: str | None = listed
    else:
        plural = _PLURALS.get((own_kind, header.api_version.rpartition("/")[0]))
    if plural is None:
        name = f"{own_kind.lower()}s" if known else listed
        return _other(content, name, own_kind, header.api_version)
    return plural, msgspec.convert({**content, "kind": own_kind}, _TYPES[plural][1], dec_hook=decode_scalar)


def _without_nulls(value: Any) -> Any:  # noqa: ANN401
    """The API takes null for absent (Go's JSON decoding does); so do our structs' defaults."""
    if isinstance(value, dict):
        return {key: _without_nulls(one) for key, one in value.items() if one is not None}
    if isinstance(value, list):
        return [_without_nulls(one) for one in value]
    return value


def _other(content: dict[str, Any], listed: str, kind: str, api_version: str) -> tuple[str, KubeObject]:
    """An object of a kind that has no struct of its own."""
    kept = {key: value for key, value in content.items() if key not in ("kind", "apiVersion", "metadata")}
    if kind == "Secret":
        kept = {"type": kept.get("type", ""), "data": dict.fromkeys(kept.get("data", {}), "")}
    item = msgspec.convert(
        {"kind": kind, "apiVersion": api_version, "metadata": content.get("metadata")}, OtherObject
    )
    msgspec.structs.force_setattr(item, "content", kept)
    return listed, item


def _finished(item: KubeObject, path: str, line: int, pool: dict[object, Any]) -> KubeObject:
    """The object with its origin, without what nobody here reads."""
    meta = item.meta
    name = f"{meta.namespace}/{meta.name}" if meta.namespace else meta.name
    msgspec.structs.force_setattr(item, "origin", Origin(path, line, f"{item.kind} {name}"))
    if meta.annotations:
        kept = {
            key: value
            for key, value in meta.annotations.items()
            if key != _NEVER_KEPT and _NETWORK_ANNOTATION.search(key)
        }
        msgspec.structs.force_setattr(meta, "annotations", kept)
    if type(item) is Pod:
        _share(item, pool)
    return item


def _share(pod: Pod, pool: dict[object, Any]) -> None:
    """Pods of one workload are made from one template: what they have alike is held once (half of a Pod's memory)."""
    put = msgspec.structs.force_setattr
    spec, status, labels = pod.spec, pod.status, pod.meta.labels
    told = tuple(one for one in status.conditions if one.type == "Ready" or one.status != "True")
    put(status, "conditions", told)
    put(spec, "containers", pool.setdefault(spec.containers, spec.containers))
    put(spec, "node_name", pool.setdefault(spec.node_name, spec.node_name))
    put(pod.meta, "namespace", pool.setdefault(pod.meta.namespace, pod.meta.namespace))
    put(pod.meta, "owners", pool.setdefault(pod.meta.owners, pod.meta.owners))
    put(pod.meta, "labels", pool.setdefault(tuple(labels.items()), labels))


def _name_of(raw: msgspec.Raw) -> str:
    """``Pod shop/api``, as far as a broken object tells."""
    try:
        known = _decode_any(raw)
    except (msgspec.DecodeError, RecursionError):
        return ""
    meta = known.get("metadata")
    if not isinstance(meta, dict) or "name" not in meta:
        return ""
    name = f"{meta['namespace']}/{meta['name']}" if meta.get("namespace") else meta["name"]
    return f"{known.get('kind', 'object')} {name}"


def _cluster(found: Mapping[str, list[KubeObject]], version: str, locate: Locate) -> Cluster:
    """The objects in their places."""

    def every(type_: type[T], *lists: str) -> Iterator[T]:
        return (item for name in lists for item in found.get(name, ()) if isinstance(item, type_))

    others = {name: items for name, items in found.items() if name not in _TYPES}
    return Cluster(
        pods={pod.key: pod for pod in every(Pod, "pods")},
        services={one.key: one for one in every(Service, "services")},
        nodes={one.meta.name: one for one in every(Node, "nodes")},
        namespaces={one.meta.name: one for one in every(Namespace, "namespaces")},
        slices=grouped(
            ((one.meta.namespace, one.service), one) for one in every(EndpointSlice, "endpointslices")
        ),
        policies=grouped((one.meta.namespace, one) for one in every(NetworkPolicy, "networkpolicies")),
        workloads={one.ref: one for one in every(Workload, *_lists_of(Workload))},
        configmaps={one.key: one for one in every(ConfigMap, "configmaps")},
        events=tuple(every(Event, "events")),
        ingresses={one.key: one for one in every(Ingress, "ingresses")},
        ingress_classes={one.meta.name: one for one in every(IngressClass, "ingressclasses")},
        roles={one.ref: one for one in every(Role, *_lists_of(Role))},
        role_bindings={one.ref: one for one in every(RoleBinding, *_lists_of(RoleBinding))},
        service_accounts={one.key: one for one in every(ServiceAccount, "serviceaccounts")},
        webhooks={one.ref: one for one in every(WebhookConfiguration, *_lists_of(WebhookConfiguration))},
        api_services={one.meta.name: one for one in every(APIService, "apiservices")},
        others={name: tuple(every(OtherObject, name)) for name in others},
        collected=frozenset(found),
        version=version,
        locate=locate,
    )


def _lists_of(type_: type[KubeObject]) -> tuple[str, ...]:
    """The lists whose objects are held in a struct."""
    return tuple(plural for plural, (_, struct, _) in _TYPES.items() if struct is type_)
