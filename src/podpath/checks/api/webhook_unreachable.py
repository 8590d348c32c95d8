"""webhook-unreachable."""

from __future__ import annotations

from collections.abc import Iterator

from podpath.checks.host.clock import settled
from podpath.checks.objects.backing import shut
from podpath.checks.objects.kubectl import json_patch, kubectl, not_listed, stated
from podpath.checks.registry import Promised, state_check
from podpath.model.finding import Confidence, Finding, Fix, Severity
from podpath.model.kube.webhook import ServiceReference, WebhookConfiguration
from podpath.model.network import Network
from podpath.model.origin import Origin


@state_check("webhook-unreachable", severity=Severity.ERROR, needs=("api/services",))
def webhook_unreachable(network: Network, _promised: Promised) -> Iterator[Finding]:
    """The API server calls a webhook whose Service does not exist, lacks the port, or has nobody behind it.

    ## Why it breaks

    The API server asks the webhook before it writes an object of the kinds that the webhook wants to see. With
    ``failurePolicy: Fail`` every such write is refused while it does not answer: often new Pods, also the webhook's.

    ## See it by hand

        kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations
        kubectl -n <namespace> get endpointslices -l kubernetes.io/service-name=<service>

    ## Fix

    Bring the webhook's Pods up. If they cannot come up because of the webhook itself, delete the configuration (its
    operator makes it again), or set ``failurePolicy: Ignore`` for the time.

    ## Often confused with

    A firewall between the control plane and the webhook's Pods: the Service is complete, and calls time out
    ("context deadline exceeded"); the trace shows where.
    """
    for configuration in network.cluster.webhooks.values():
        for index, webhook in enumerate(configuration.webhooks):
            reference = webhook.client_config.service
            if reference is None or not settled(network, configuration.meta.created):
                continue
            wrong, origin = _wrong(network, reference)
            if wrong and origin is not None:
                yield _found(network, configuration, index, wrong, origin)


def _wrong(network: Network, reference: ServiceReference) -> tuple[str, Origin | None]:
    cluster = network.cluster
    name = f"{reference.namespace}/{reference.name}"
    service = cluster.services.get((reference.namespace, reference.name))
    if service is None:
        return f"Service {name} does not exist", not_listed(cluster, "services", f"no Service {name}")
    if service.spec.type == "ExternalName":
        return "", None
    if service.port(reference.port) is None:
        return f"Service {name} has no port {reference.port}", stated(cluster, service, "spec", "ports")
    if shut(network, service) and (cluster.has("endpointslices") or cluster.has("pods")):
        slices = cluster.slices_of(service)
        none = (
            stated(cluster, slices[0], "endpoints", text="endpoints: none ready")
            if slices
            else service.origin
        )
        return f"Service {name} has no ready endpoint", none
    return "", None


def _found(
    network: Network, configuration: WebhookConfiguration, index: int, wrong: str, origin: Origin
) -> Finding:
    webhook = configuration.webhooks[index]
    fails = webhook.failure_policy == "Fail"
    then = "writes that it must see are refused" if fails else "writes go on without it"
    ignore = {"op": "replace", "path": f"/webhooks/{index}/failurePolicy", "value": "Ignore"}
    steps = [kubectl("get", configuration.ref, "-o yaml")]
    if fails:
        steps.append(json_patch(configuration.ref, ignore) + "      # for the time: it then checks nothing")
    return Finding(
        code="webhook-unreachable",
        severity=Severity.ERROR if fails else Severity.WARNING,
        subject=configuration.ref,
        message=f"Webhook {webhook.name} cannot be called: {wrong}; {then}",
        evidence=(
            stated(network.cluster, configuration, "webhooks", str(index), "clientConfig", "service", "name"),
            origin,
        ),
        cause="the API server calls this Service",
        confidence=Confidence.CERTAIN,
        fix=Fix(
            "bring the webhook's Service and Pods up",
            tuple(steps),
            "low; Ignore weakens what the webhook is for",
        ),
        broken=1 if fails else 0,
    )
