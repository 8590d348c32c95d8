"""coredns-rbac-denied and flannel-rbac-denied."""

from __future__ import annotations

import re
from collections.abc import Iterator

from podpath.checks.api.authority import (
    Request,
    bindings_of,
    evidence_of,
    grant,
    is_allowed,
    is_known,
    refusals,
    role_of,
    rules_for,
)
from podpath.checks.api.components import dns_accounts, dns_requests, flannel_accounts, flannel_requests
from podpath.checks.host.log_lines import said_by_pod
from podpath.checks.objects.kubectl import json_patch
from podpath.checks.registry import Promised, state_check
from podpath.model.finding import Confidence, Finding, Fix, Severity
from podpath.model.kube.pod import Pod
from podpath.model.network import Network
from podpath.model.origin import Origin

NO_ACCESS = re.compile(r"the server does not allow access to the requested resource|is forbidden: ")
NEEDS = ("api/pods", "api/roles", "api/clusterroles", "api/rolebindings", "api/clusterrolebindings")


@state_check("coredns-rbac-denied", severity=Severity.ERROR, needs=(*NEEDS, "api/services"))
def coredns_rbac_denied(network: Network, _promised: Promised) -> Iterator[Finding]:
    """CoreDNS may not read what it answers from.

    ## Why it breaks

    The plugin ``kubernetes`` lists and watches Services, namespaces and EndpointSlices. After an upgrade of CoreDNS an
    old ClusterRole lacks EndpointSlices (it had Endpoints): cluster names then end in SERVFAIL or NXDOMAIN.

    ## See it by hand

        kubectl auth can-i list endpointslices.discovery.k8s.io --as=system:serviceaccount:kube-system:coredns
        kubectl -n kube-system logs -l k8s-app=kube-dns | grep forbidden

    ## Fix

    Add the missing rule to the role that CoreDNS is bound to.

    ## Often confused with

    *coredns-api-unreachable*: no answer at all from the API server.
    """
    for user, pod in dns_accounts(network).items():
        yield from _denied(network, "coredns-rbac-denied", "CoreDNS", pod, dns_requests(user))


@state_check("flannel-rbac-denied", severity=Severity.ERROR, needs=NEEDS)
def flannel_rbac_denied(network: Network, _promised: Promised) -> Iterator[Finding]:
    """The flannel agent may not read Nodes, or not write its lease into them.

    ## Why it breaks

    With ``--kube-subnet-mgr`` flannel reads all Nodes for their ranges and tunnel addresses, and patches its own
    (nodes/status). Without the right it ends at once, and its node's Pods get no network.

    ## See it by hand

        kubectl auth can-i patch nodes/status --as=system:serviceaccount:kube-flannel:flannel
        kubectl -n kube-flannel logs ds/kube-flannel-ds

    ## Fix

    Apply the ClusterRole and Binding of flannel's manifest.

    ## Often confused with

    *node-podcidr-unassigned*: flannel may read the Node, and it has no range.
    """
    for user, pod in flannel_accounts(network).items():
        yield from _denied(network, "flannel-rbac-denied", "flannel", pod, flannel_requests(user))


def _denied(
    network: Network, code: str, who: str, pod: Pod, needed: tuple[Request, ...]
) -> Iterator[Finding]:
    """What a component lacks: an error if it was seen to be refused, else a warning."""
    user = needed[0].user
    refused = [
        one
        for one in refusals(network)
        if one.request.user == user and not is_allowed(network.cluster, one.request)
    ]
    lacking = [one for one in needed if is_known(network.cluster) and not is_allowed(network.cluster, one)]
    asked = list(dict.fromkeys([*(one.request for one in refused), *lacking]))
    if not asked:
        return
    lines = [origin for one in refused for origin in one.origins] or _own_lines(network, pod)
    seen = bool(refused) or (bool(lines) and not pod.ready)
    yield Finding(
        code=code,
        severity=Severity.ERROR if seen else Severity.WARNING,
        subject=pod.ref,
        message=f"{who} ({user}) may not {asked[0]}"
        + (f" and {len(asked) - 1} more" if len(asked) > 1 else ""),
        evidence=(*lines[-1:], *evidence_of(network, user)),
        cause="no Role that is bound to it allows that",
        confidence=Confidence.CERTAIN if seen else Confidence.LIKELY,
        fix=_fix(network, user, asked, who),
        broken=len(asked) if seen else 0,
    )


def _own_lines(network: Network, pod: Pod) -> list[Origin]:
    return [one.line.origin for one in said_by_pod(network).get(pod.key, ()) if NO_ACCESS.search(one.text)]


def _fix(network: Network, user: str, asked: list[Request], who: str) -> Fix:
    """The rule for the role that it is bound to by name, else a role of its own."""
    for binding in bindings_of(network.cluster, user):
        role = role_of(network.cluster, binding)
        if (
            role is not None
            and role.kind == "ClusterRole"
            and any(one.user == user for one in binding.subjects)
        ):
            operations = [{"op": "add", "path": "/rules/-", "value": rule} for rule in rules_for(asked)]
            return Fix(f"add the missing rule to {role.ref}", (json_patch(role.ref, *operations),), "low")
    return grant(user, asked, who.lower())
