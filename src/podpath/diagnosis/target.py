"""One thing's chain of promises, link by link, as a guide to troubleshooting walks it."""

from __future__ import annotations

from podpath.diagnosis.chain import ChainLink, State
from podpath.diagnosis.chain_objects import api_chain, dns_chain, node_chain, pod_chain
from podpath.diagnosis.chain_service import service_chain
from podpath.model.network import Network

__all__ = ["ChainLink", "State", "examine"]


def examine(network: Network, target: str) -> tuple[ChainLink, ...]:
    """The links of ``svc/NAMESPACE/NAME``, ``pod/NAMESPACE/NAME``, ``node/NAME``, ``dns`` or ``api``."""
    kind, _, rest = target.partition("/")
    namespace, _, name = rest.partition("/")
    match kind:
        case "svc":
            return tuple(service_chain(network, namespace, name))
        case "pod":
            return tuple(pod_chain(network, namespace, name))
        case "node":
            return tuple(node_chain(network, rest))
        case "dns":
            return tuple(dns_chain(network))
        case "api":
            return tuple(api_chain(network))
    raise ValueError(f"no target: {target}")
