"""ingress-backend-mismatch."""

from __future__ import annotations

from collections.abc import Iterator

from podpath.checks.objects.backing import doors
from podpath.checks.objects.kubectl import json_patch, stated
from podpath.checks.registry import Promised, state_check
from podpath.model.finding import Confidence, Finding, Fix, Severity
from podpath.model.kube.ingress import Ingress, ServiceBackend
from podpath.model.kube.service import Service
from podpath.model.network import Network


@state_check("ingress-backend-mismatch", severity=Severity.ERROR, needs=("api/ingresses", "api/services"))
def ingress_backend_mismatch(network: Network, _promised: Promised) -> Iterator[Finding]:
    """An Ingress sends requests to a Service, or to a port of it, that does not exist.

    ## Why it breaks

    The controller finds no backend for the path and answers 503 (or 404) itself. The port of a backend is a port of
    the *Service*, by its number or name, not a container's.

    ## See it by hand

        kubectl -n <namespace> describe ingress <ingress>
        kubectl -n <namespace> get service <service> -o jsonpath='{.spec.ports}'

    ## Fix

    Name a Service of the Ingress's own namespace, and one of its ports.

    ## Often confused with

    *svc-no-ready-endpoints*: the Service and port are right, and nobody is behind them (503 as well).
    *ingress-class-missing*: no controller reads the Ingress at all (404 of another one, or no address).
    """
    for ingress in network.cluster.ingresses.values():
        seen = set()
        for path, backend in ingress.backends():
            service = network.cluster.services.get((ingress.meta.namespace, backend.name))
            wrong = _wrong(service, backend)
            if wrong and (backend.name, backend.port) not in seen:
                seen.add((backend.name, backend.port))
                yield _found(network, ingress, path, backend, service, wrong)


def _port_text(backend: ServiceBackend) -> str:
    return backend.port.name or str(backend.port.number)


def _wrong(service: Service | None, backend: ServiceBackend) -> str:
    if service is None:
        return f"Service {backend.name}, which does not exist in its namespace"
    if backend.port.number or backend.port.name:
        wanted = backend.port.number or backend.port.name
        if service.port(wanted) is None:
            ports = ", ".join(
                port.label if not port.name else f"{port.name}={port.port}" for port in service.spec.ports
            )
            return f"port {_port_text(backend)} of Service {backend.name}, which has {ports or 'no port'}"
    return ""


def _found(
    network: Network,
    ingress: Ingress,
    path: tuple[str, ...],
    backend: ServiceBackend,
    service: Service | None,
    wrong: str,
) -> Finding:
    field = ("backend",) if path[-1] != "defaultBackend" else ()
    leaf = (
        ("service", "name")
        if service is None
        else ("service", "port", "name" if backend.port.name else "number")
    )
    evidence = [stated(network.cluster, ingress, *path, *field, *leaf)]
    if service is not None:
        evidence.append(
            stated(network.cluster, service, "spec", "ports", text=f"{service.ref} ports: {_listed(service)}")
        )
    return Finding(
        code="ingress-backend-mismatch",
        severity=Severity.ERROR,
        subject=ingress.ref,
        message=f"Ingress {ingress.ref.short} sends requests to {wrong}",
        evidence=tuple(evidence),
        cause="no such backend",
        confidence=Confidence.CERTAIN,
        fix=_fix(network, ingress, (*path, *field), service),
        broken=1,
    )


def _listed(service: Service) -> str:
    return ", ".join(f"{port.name or '-'}={port.port}" for port in service.spec.ports) or "none"


def _fix(network: Network, ingress: Ingress, path: tuple[str, ...], service: Service | None) -> Fix:
    if service is None or len(service.spec.ports) != 1:
        return Fix(
            "name a Service of this namespace and one of its ports", risk="low: the path is not served now"
        )
    port = service.spec.ports[0].port
    operation = {
        "op": "replace",
        "path": "/" + "/".join((*path, "service", "port")),
        "value": {"number": port},
    }
    words = f"use port {port}, the only one that Service {service.meta.name} has"
    if not any(door.open for door in doors(network.cluster, service)):
        words += " (it has no endpoints either)"
    return Fix(words, (json_patch(ingress.ref, operation),), "low: the path is not served now")
