"""The items of a list of objects, each as the kind it says it is."""

from __future__ import annotations

import re
from array import array
from collections.abc import Mapping
from typing import Any

import msgspec

from podpath.model.kube.apiservice import APIService
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

_RBAC, _ADMISSION = "rbac.authorization.k8s.io", "admissionregistration.k8s.io"

TYPES: Mapping[str, tuple[str, type[KubeObject], str]] = {
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
    "roles": ("Role", Role, _RBAC),
    "clusterroles": ("ClusterRole", Role, _RBAC),
    "rolebindings": ("RoleBinding", RoleBinding, _RBAC),
    "clusterrolebindings": ("ClusterRoleBinding", RoleBinding, _RBAC),
    "validatingwebhookconfigurations": ("ValidatingWebhookConfiguration", WebhookConfiguration, _ADMISSION),
    "mutatingwebhookconfigurations": ("MutatingWebhookConfiguration", WebhookConfiguration, _ADMISSION),
    "apiservices": ("APIService", APIService, "apiregistration.k8s.io"),
}
_PLURALS = {(kind, group): plural for plural, (kind, _, group) in TYPES.items()} | {("Event", ""): "events"}
_SEPARATOR = re.compile(rb"[\s,]*")

UNREADABLE = (msgspec.DecodeError, ValueError, TypeError, RecursionError)
"""What a decoder says of content it cannot take."""


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
_DECODERS = {
    struct: msgspec.json.Decoder(struct, dec_hook=decode_scalar).decode
    for struct in {struct for _, struct, _ in TYPES.values()}
}


def list_name(stem: str) -> str:
    """``networkpolicies`` for ``networkpolicies.networking.k8s.io``; of groups not known here, the whole name."""
    plural, _, group = stem.partition(".")
    known = TYPES.get(plural)
    return plural if known is not None and group in ("", known[2]) else stem


def split(data: bytes) -> tuple[list[msgspec.Raw], str]:
    """The items of a list, and the kind that all of them have (empty for a ``v1 List``); or one object alone."""
    envelope = _decode_envelope(data)
    if envelope.items is not msgspec.UNSET:
        return envelope.items or [], envelope.kind.removesuffix("List")
    if envelope.kind and not envelope.kind.endswith("List") and name_of(msgspec.Raw(data)):
        return [msgspec.Raw(data.strip())], ""
    raise msgspec.ValidationError("it has no items")


def places(data: bytes) -> tuple[array[int], array[int]]:
    """The offsets and the lines at which the items begin: each where the one before it and a comma end."""
    offsets, lines = array("Q"), array("L")
    try:
        items, _ = split(data)
    except UNREADABLE:
        return offsets, lines
    start = data.find(bytes(memoryview(items[0]))) if items else 0
    line = data.count(b"\n", 0, start) + 1
    for raw in items:
        offsets.append(start)
        lines.append(line)
        end = start + len(memoryview(raw))
        separator = _SEPARATOR.match(data, end)
        following = end if separator is None else separator.end()
        line += data.count(b"\n", start, following)
        start = following
    return offsets, lines


def read_item(raw: msgspec.Raw, listed: str, kind: str) -> tuple[str, KubeObject]:
    """An object, and the list it belongs to: first as what the file's name says, then as what itself says."""
    known = TYPES.get(listed)
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
        if name in TYPES:  # a kind of ours by name, of another group: its list is not ours
            name = f"{name}.{header.api_version.rpartition('/')[0]}"
        return _other(content, name, own_kind, header.api_version)
    return plural, msgspec.convert({**content, "kind": own_kind}, TYPES[plural][1], dec_hook=decode_scalar)


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
    known = {"kind": kind, "apiVersion": api_version, "metadata": content.get("metadata")}
    item = msgspec.convert(known, OtherObject)
    msgspec.structs.force_setattr(item, "content", kept)
    return listed, item


def name_of(raw: msgspec.Raw) -> str:
    """``Pod shop/api``, as far as a broken object tells."""
    try:
        known = _decode_any(raw)
    except UNREADABLE:
        return ""
    meta = known.get("metadata")
    if not isinstance(meta, dict) or "name" not in meta:
        return ""
    name = f"{meta['namespace']}/{meta['name']}" if meta.get("namespace") else meta["name"]
    return f"{known.get('kind', 'object')} {name}"
