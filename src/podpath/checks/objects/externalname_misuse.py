"""externalname-misuse."""

from __future__ import annotations

from collections.abc import Iterator

from podpath.checks.objects.kubectl import apply_command, kubectl, stated
from podpath.checks.registry import Promised, state_check
from podpath.model.addr import is_v4, parse_addr
from podpath.model.finding import Confidence, Finding, Fix, Severity
from podpath.model.kube.service import Service
from podpath.model.network import Network


@state_check("externalname-misuse", severity=Severity.WARNING, needs=("api/services",))
def externalname_misuse(network: Network, _promised: Promised) -> Iterator[Finding]:
    """A Service of type ExternalName names an address instead of a name.

    ## Why it breaks

    ExternalName is a CNAME record. ``10.0.0.5`` as its target is a *name* of digits that no server knows, so clients
    get NXDOMAIN. Ports of such a Service mean nothing at all.

    ## See it by hand

        kubectl -n <namespace> get service <service> -o jsonpath='{.spec.externalName}'
        nslookup <service>.<namespace>.svc.cluster.local

    ## Fix

    Make it a Service without a selector, and write the address into an EndpointSlice.

    ## Often confused with

    *svc-not-found*: the name has no answer because no such Service exists.
    """
    for service in network.cluster.services.values():
        if service.spec.type != "ExternalName" or (addr := _address(service.spec.external_name)) is None:
            continue
        name = service.spec.external_name
        yield Finding(
            code="externalname-misuse",
            severity=Severity.WARNING,
            subject=service.ref,
            message=f"Service {service.ref.short} is an ExternalName for {name}, which is an address and no name",
            evidence=(
                stated(network.cluster, service, "spec", "externalName", text=f"externalName: {name}"),
            ),
            cause="a CNAME record must name a name",
            confidence=Confidence.CERTAIN,
            fix=_fix(service, name, v4=is_v4(addr)),
        )


def _address(text: str) -> int | None:
    try:
        return parse_addr(text.rstrip("."))
    except ValueError:
        return None


def _fix(service: Service, name: str, *, v4: bool) -> Fix:
    meta = {"name": service.meta.name, "namespace": service.meta.namespace}
    listed = [{"name": port.name, "port": port.port, "protocol": "TCP"} for port in service.spec.ports] or [
        {"name": "", "port": 80, "protocol": "TCP"}
    ]
    made = {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": {"ports": listed}}
    slice_ = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            **meta,
            "name": f"{service.meta.name}-1",
            "labels": {"kubernetes.io/service-name": service.meta.name},
        },
        "addressType": "IPv4" if v4 else "IPv6",
        "endpoints": [{"addresses": [name.rstrip(".")]}],
        "ports": listed,
    }
    steps = (kubectl("delete", service.ref), apply_command(made, slice_))
    return Fix(
        "a Service without a selector, and its address in an EndpointSlice",
        steps,
        "low: the name has no answer now",
    )
