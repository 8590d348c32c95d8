"""ServiceAccounts of components that the cluster's network depends on, and what they must be allowed."""

from __future__ import annotations

from functools import lru_cache

from podpath.checks.api.authority import Request
from podpath.checks.dns.names import corefiles, services
from podpath.model.kube.pod import Pod
from podpath.model.network import Network

DNS_READS = (("", "services"), ("", "namespaces"), ("discovery.k8s.io", "endpointslices"))
"""What CoreDNS's plugin ``kubernetes`` lists and watches."""
FLANNEL_NEEDS = (("get", "nodes"), ("list", "nodes"), ("watch", "nodes"), ("patch", "nodes/status"))


def account_of(pod: Pod) -> str:
    """The user as whom a Pod asks the API server."""
    return f"system:serviceaccount:{pod.meta.namespace}:{pod.spec.service_account_name or 'default'}"


@lru_cache(maxsize=4)
def dns_accounts(network: Network) -> dict[str, Pod]:
    """The users as whom CoreDNS asks, with a Pod of each; none where no Corefile serves cluster names."""
    if not any(one.zones for one in corefiles(network)):
        return {}
    pods = [pod for service in services(network) for pod in network.cluster.pods_of(service)]
    return {account_of(pod): pod for pod in reversed(pods)}


@lru_cache(maxsize=4)
def flannel_accounts(network: Network) -> dict[str, Pod]:
    """The users as whom flannel asks: Pods that run flanneld with its leases in Node objects."""
    return {
        account_of(pod): pod
        for pod in network.cluster.pods.values()
        for container in pod.spec.containers
        if "--kube-subnet-mgr" in (*container.command, *container.args)
    }


def component_accounts(network: Network) -> frozenset[str]:
    """Users that have checks of their own."""
    return frozenset((*dns_accounts(network), *flannel_accounts(network)))


def dns_requests(user: str) -> tuple[Request, ...]:
    """What CoreDNS asks for."""
    return tuple(
        Request(user, verb, group, resource, "")
        for group, resource in DNS_READS
        for verb in ("list", "watch")
    )


def flannel_requests(user: str) -> tuple[Request, ...]:
    """What flannel asks for."""
    return tuple(Request(user, verb, "", resource, "") for verb, resource in FLANNEL_NEEDS)
