"""ingress-class-missing."""

from __future__ import annotations

from collections.abc import Iterator

from podpath.checks.objects.kubectl import not_listed, patch_fix, stated
from podpath.checks.registry import Promised, state_check
from podpath.model.finding import Confidence, Finding, Fix, Severity
from podpath.model.kube.ingress import CLASS_ANNOTATION, Ingress
from podpath.model.network import Network


@state_check("ingress-class-missing", severity=Severity.ERROR, needs=("api/ingresses", "api/ingressclasses"))
def ingress_class_missing(network: Network, _promised: Promised) -> Iterator[Finding]:
    """An Ingress is of a class that does not exist, or of none where none is the default.

    ## Why it breaks

    A controller reads only Ingresses of its own class. One whose class nobody has is read by nobody: it gets no
    address, and requests for its host are answered with the 404 of another controller.

    ## See it by hand

        kubectl get ingressclasses
        kubectl -n <namespace> get ingress <ingress>       # CLASS and ADDRESS

    ## Fix

    Set ``spec.ingressClassName``, or mark one class as the default.

    ## Often confused with

    *ingress-backend-mismatch*: the Ingress is read, and its backend is wrong (503).
    """
    classes = network.cluster.ingress_classes
    for ingress in network.cluster.ingresses.values():
        wanted, annotated = ingress.ingress_class, CLASS_ANNOTATION in ingress.meta.annotations
        if wanted in classes or (not wanted and any(one.is_default for one in classes.values())):
            continue
        if annotated and not ingress.spec.ingress_class_name:
            continue  # controllers honour the annotation without an object of that name
        if not wanted and not classes:
            severity, why = Severity.WARNING, "names no class, and there is no IngressClass at all"
        elif not wanted:
            severity, why = Severity.ERROR, "names no class, and none is the default"
        else:
            severity, why = Severity.ERROR, f"is of class {wanted}, which does not exist"
        yield _found(network, ingress, severity, why)


def _found(network: Network, ingress: Ingress, severity: Severity, why: str) -> Finding:
    classes = sorted(network.cluster.ingress_classes)
    text = f"ingressClassName: {ingress.ingress_class or '(absent)'}"
    fix = Fix("install an Ingress controller with its IngressClass", risk="low")
    if classes:
        patch = {"spec": {"ingressClassName": classes[0]}}
        fix = patch_fix(
            f"name a class that exists: {', '.join(classes)}", ingress.ref, patch, "low: nobody reads it now"
        )
    return Finding(
        code="ingress-class-missing",
        severity=severity,
        subject=ingress.ref,
        message=f"Ingress {ingress.ref.short} {why}: no controller reads it",
        evidence=(
            stated(network.cluster, ingress, "spec", "ingressClassName", text=text),
            not_listed(network.cluster, "ingressclasses", f"IngressClasses: {', '.join(classes) or 'none'}"),
        ),
        cause="no controller takes it for its own",
        confidence=Confidence.CERTAIN if severity is Severity.ERROR else Confidence.LIKELY,
        fix=fix,
        broken=1 if severity is Severity.ERROR else 0,
    )
