"""``api/*.json``: lists of objects as ``kubectl get -o json`` or the API server prints them.

A first pass of C code tells the items of a list apart, a second decodes each, so that one that is not understood
costs only itself. What many objects have alike is held once, while it is still at hand: a Pod keeps 2 kB. Nothing of
a file's text is kept: the line of an object, and of a field inside it, is looked up in the file again when it is
asked for (``podpath.parse.kube_locate``).
"""

from __future__ import annotations

import contextlib
import gc
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import TypeVar

import msgspec
from msgspec.structs import force_setattr

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
from podpath.model.kube.service import Service
from podpath.model.kube.serviceaccount import ServiceAccount
from podpath.model.kube.webhook import WebhookConfiguration
from podpath.model.kube.workload import Workload
from podpath.model.origin import Origin, Unrecognized
from podpath.parse.kube_items import TYPES, UNREADABLE, list_name, name_of, read_item, split
from podpath.parse.kube_locate import Locate, Whereabouts

T = TypeVar("T")

_NETWORK_ANNOTATION = re.compile(
    r"cni|flannel|calico|cilium|kube-router|antrea|ovn|weave|metallb|multus|istio|linkerd|^service\.|load-?balancer"
    r"|topology|bandwidth|ingress|endpoints|kubeadm|network|node-?ip|kube-proxy|config\.(source|mirror)|vpc|\beni\b"
)
_NEVER_KEPT = "kubectl.kubernetes.io/last-applied-configuration"


def parse_cluster(files: Mapping[str, bytes]) -> tuple[Cluster, tuple[Unrecognized, ...]]:
    """The objects of all ``api/*.json`` files of a bundle, and what could not be read.

    ``files`` is kept and asked again when the line of an object is wanted: a mapping that reads on demand costs no
    memory.
    """
    reader = _Reader(Whereabouts(files))
    version = ""
    with _collector_off():
        for path in sorted(files):
            if path == "api/version.json":
                version = _server_version(files[path])
            elif path.startswith("api/") and path.endswith(".json"):
                reader.read(path, files[path])
        return _cluster(reader.found, version, reader.places.locate), tuple(reader.unrecognized)


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
        known = msgspec.json.decode(data, type=dict[str, object])
    except UNREADABLE:
        return ""
    server = known.get("serverVersion", known)
    version = server.get("gitVersion", "") if isinstance(server, dict) else ""
    return version if isinstance(version, str) else ""


class _Reader:
    """Reads one file after the other."""

    def __init__(self, places: Whereabouts) -> None:
        self.places = places
        self.found: dict[str, list[KubeObject]] = {}
        """By the name of their list."""
        self.unrecognized: list[Unrecognized] = []

    def read(self, path: str, data: bytes) -> None:
        """Adds the objects of a file."""
        listed = list_name(path.removeprefix("api/").removesuffix(".json"))
        try:
            items, kind = split(data)
        except UNREADABLE as error:
            self.unrecognized.append(Unrecognized(Origin(path, 1), f"not a JSON list of objects: {error}"))
            return
        if kind or listed in TYPES or "." in listed or not items:
            self.found.setdefault(listed, [])
        place, pool = self.places.of(path), _Pool()
        for index, raw in enumerate(items):
            try:
                name, item = read_item(raw, listed, kind)
            except UNREADABLE as error:
                origin = Origin(path, place.line(index), name_of(raw))
                self.unrecognized.append(Unrecognized(origin, str(error)))
                continue
            force_setattr(item, "place", place)
            force_setattr(item, "index", index)
            pool.lighten(item)
            self.found.setdefault(name, []).append(item)


class _Pool:
    """Leaves out what nobody here reads, and holds once what many objects have alike."""

    def __init__(self) -> None:
        self._held: dict[object, object] = {}

    def lighten(self, item: KubeObject) -> None:
        """One object after the other, so that the memory of what is left out serves the next."""
        annotations = item.meta.annotations
        if annotations:
            kept = {key: value for key, value in annotations.items() if _is_kept(key)}
            force_setattr(item.meta, "annotations", kept)
        if type(item) is Pod:
            self._lighten_pod(item)

    def _lighten_pod(self, pod: Pod) -> None:
        """Pods of one workload are made from one template. Conditions that are True say nothing, except Ready."""
        meta, spec, status, same = pod.meta, pod.spec, pod.status, self._held.setdefault
        told = tuple([one for one in status.conditions if one.type == "Ready" or one.status != "True"])
        force_setattr(status, "conditions", same(told, told))
        force_setattr(
            status, "container_statuses", same(status.container_statuses, status.container_statuses)
        )
        force_setattr(status, "phase", same(status.phase, status.phase))
        force_setattr(status, "host_ip_text", same(status.host_ip_text, status.host_ip_text))
        force_setattr(spec, "containers", same(spec.containers, spec.containers))
        force_setattr(spec, "node_name", same(spec.node_name, spec.node_name))
        force_setattr(meta, "namespace", same(meta.namespace, meta.namespace))
        force_setattr(meta, "owners", same(meta.owners, meta.owners))
        force_setattr(meta, "created", same(meta.created, meta.created))


@lru_cache(maxsize=1 << 12)
def _is_kept(annotation: str) -> bool:
    """Whether an annotation concerns the network; the rest (a copy of the whole object, often) is not kept."""
    return annotation != _NEVER_KEPT and _NETWORK_ANNOTATION.search(annotation) is not None


def _cluster(found: Mapping[str, list[KubeObject]], version: str, locate: Locate) -> Cluster:
    """The objects in their places."""

    def every(type_: type[T], *lists: str) -> Iterator[T]:
        return (item for name in lists for item in found.get(name, ()) if isinstance(item, type_))

    others = {name: items for name, items in found.items() if name not in TYPES}
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
    return tuple(plural for plural, (_, struct, _) in TYPES.items() if struct is type_)
