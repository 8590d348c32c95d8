"""What ``check BUNDLE TARGET`` may be asked about."""

from __future__ import annotations

from podpath.cli.errors import UsageError
from podpath.cli.objects import find_node, find_service, find_workload_pod, not_found
from podpath.cli.spec import parse_spec
from podpath.model.network import Network

FORMS = "svc/NAMESPACE/NAME, pod/NAMESPACE/NAME, node/NAME, dns or api"


def target_name(network: Network, text: str) -> str:
    """The target as ``podpath.diagnosis.target.examine`` takes it; of a workload one of its Pods."""
    spec = parse_spec(text)
    if spec.port:
        raise UsageError(f"{text}: a target is looked at whole, without the port")
    match spec.kind:
        case "svc":
            return f"svc/{find_service(network, spec).ref.short}"
        case "pod":
            if (spec.namespace, spec.name) not in network.cluster.pods:
                raise UsageError(not_found(network, spec))
            return f"pod/{spec.namespace}/{spec.name}"
        case "deploy" | "sts" | "ds":
            return f"pod/{find_workload_pod(network, spec).ref.short}"
        case "node":
            return f"node/{find_node(network, spec)}"
        case "dns" | "api":
            return spec.kind
    raise UsageError(f"{text} is no target: write {FORMS}")
