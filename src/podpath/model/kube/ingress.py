"""Ingress and IngressClass (networking/v1 types.go)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

from podpath.model.kube.meta import KubeObject

CLASS_ANNOTATION = "kubernetes.io/ingress.class"
"""How a class was named before ``spec.ingressClassName``; controllers still honour it."""
DEFAULT_CLASS_ANNOTATION = "ingressclass.kubernetes.io/is-default-class"


class BackendPort(msgspec.Struct, frozen=True, gc=False):
    """A Service port by its name or number."""

    name: str = ""
    number: int = 0


class ServiceBackend(msgspec.Struct, frozen=True, gc=False):
    """A Service of the Ingress's own namespace."""

    name: str
    port: BackendPort = BackendPort()


class IngressBackend(msgspec.Struct, frozen=True, gc=False):
    """Where requests go; a backend that is no Service has ``service`` None."""

    service: ServiceBackend | None = None


class IngressPath(msgspec.Struct, frozen=True, gc=False):
    """A path of a host."""

    backend: IngressBackend = IngressBackend()
    path: str = ""


class HttpRules(msgspec.Struct, frozen=True, gc=False):
    """The paths of a host."""

    paths: tuple[IngressPath, ...] = ()


class IngressRule(msgspec.Struct, frozen=True, gc=False):
    """A host and its paths."""

    host: str = ""
    http: HttpRules = HttpRules()


class IngressTls(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """A certificate's Secret and the hosts it is for."""

    hosts: tuple[str, ...] = ()
    secret_name: str = ""


class IngressSpec(msgspec.Struct, frozen=True, gc=False, rename="camel", kw_only=True):
    """What was asked for."""

    ingress_class_name: str = ""
    default_backend: IngressBackend | None = None
    rules: tuple[IngressRule, ...] = ()
    tls: tuple[IngressTls, ...] = ()


class Ingress(KubeObject, frozen=True, gc=False, rename="camel", kw_only=True):
    """An Ingress."""

    kind: Literal["Ingress"] = "Ingress"
    spec: IngressSpec = IngressSpec()

    @property
    def ingress_class(self) -> str:
        """The class that it names; empty when the default one is meant."""
        return self.spec.ingress_class_name or self.meta.annotations.get(CLASS_ANNOTATION, "")

    def backends(self) -> Iterator[tuple[tuple[str, ...], ServiceBackend]]:
        """Its Service backends, each with its path inside the object (see ``Cluster.locate``)."""
        if self.spec.default_backend and self.spec.default_backend.service:
            yield ("spec", "defaultBackend"), self.spec.default_backend.service
        for i, rule in enumerate(self.spec.rules):
            for j, path in enumerate(rule.http.paths):
                if path.backend.service:
                    yield ("spec", "rules", str(i), "http", "paths", str(j)), path.backend.service


class IngressClassSpec(msgspec.Struct, frozen=True, gc=False):
    """Whose class it is."""

    controller: str = ""


class IngressClass(KubeObject, frozen=True, gc=False, rename="camel", kw_only=True):
    """An IngressClass."""

    kind: Literal["IngressClass"] = "IngressClass"
    spec: IngressClassSpec = IngressClassSpec()

    @property
    def is_default(self) -> bool:
        """Whether an Ingress without a class is meant for it."""
        return self.meta.annotations.get(DEFAULT_CLASS_ANNOTATION) == "true"
