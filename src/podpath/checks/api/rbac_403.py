"""rbac-403, and the 403 of somebody else: http-proxy-403."""

from __future__ import annotations

import re
from collections.abc import Iterator

from podpath.checks.api.authority import Refusal, evidence_of, grant, is_allowed, is_known, refusals
from podpath.checks.api.components import component_accounts
from podpath.checks.host.log_lines import Said, is_recent, said
from podpath.checks.objects.kubectl import kubectl, stated
from podpath.checks.registry import Promised, state_check
from podpath.model.finding import Confidence, Finding, Fix, Severity
from podpath.model.kube.cluster import grouped
from podpath.model.kube.pod import Pod
from podpath.model.network import Network
from podpath.model.origin import Origin
from podpath.model.refs import ObjectRef

ANONYMOUS = "system:anonymous"
NODES = "system:node:"
"""Kubelets: the Node authorizer decides about them, and refuses what is not of their own Pods every day."""
HTML_403 = re.compile(
    r"(?:403 Forbidden|status(?: code|=)?:? ?403).{0,200}(?:<html|<!DOCTYPE|squid|[Pp]roxy)|<html.{0,400}403 Forbidden"
    r"|proxyconnect tcp: .*|CONNECT tunnel failed, response 403|Received HTTP code 403 from proxy",
    re.DOTALL,
)


@state_check("rbac-403", severity=Severity.ERROR)
def rbac_403(network: Network, _promised: Promised) -> Iterator[Finding]:
    """A request to the API server was refused, and no Role allows it.

    ## Why it breaks

    RBAC only allows: what no Role or ClusterRole gives to the user, by a Binding, is refused with 403. The answer
    names the user, the verb and the resource. The user ``system:anonymous`` means that no token came along: RBAC has
    nothing to do with it, and roles for that user would open the API to everybody.

    ## See it by hand

        kubectl auth can-i <verb> <resource>.<group> --as=system:serviceaccount:<namespace>:<name> -n <namespace>
        kubectl get rolebindings,clusterrolebindings -A -o wide | grep <name>

    ## Fix

    A Role with just this verb and resource, and its Binding: ready to apply below.

    ## Often confused with

    *http-proxy-403*: an HTML page instead of JSON is an HTTP proxy's. *sa-token-401*: the token itself was refused.
    "RBAC: access denied" is Envoy's, of a service mesh.
    """
    known = is_known(network.cluster)
    special = component_accounts(network)
    for user, of_user in grouped((one.request.user, one) for one in refusals(network)).items():
        if user == ANONYMOUS:
            yield _anonymous(network, of_user)
            continue
        if user.startswith(NODES):
            continue
        denied = tuple(one for one in of_user if not known or not is_allowed(network.cluster, one.request))
        if denied and user not in special:
            yield _denied(network, user, denied, certain=known)


def _denied(network: Network, user: str, denied: tuple[Refusal, ...], *, certain: bool) -> Finding:
    requests = [one.request for one in denied]
    account = requests[0].account
    subject = ObjectRef("ServiceAccount", *account) if account else ObjectRef("User", "", user)
    name = f"podpath-{(account[1] if account else user).replace(':', '-').lower()}"
    more = f" and {len(requests) - 1} more" if len(requests) > 1 else ""
    return Finding(
        code="rbac-403",
        severity=Severity.ERROR,
        subject=subject,
        message=f"{subject} may not {requests[0]}{more}: the API server refuses it, and no Role allows it",
        evidence=(denied[0].origins[-1], *(evidence_of(network, user) if certain else ())),
        cause="no Role that is bound to it has this verb and resource",
        confidence=Confidence.CERTAIN if certain else Confidence.LIKELY,
        fix=grant(user, requests, name),
        broken=len(requests),
    )


def _anonymous(network: Network, refused: tuple[Refusal, ...]) -> Finding:
    """Requests without a token: who sent them is told by the log they stand in."""
    origin = refused[0].origins[-1]
    pod = _speaker(network, origin)
    evidence, steps = [origin], ["kubectl exec <pod> -- ls /var/run/secrets/kubernetes.io/serviceaccount"]
    why = "no token came along"
    if pod is not None:
        account = network.cluster.service_accounts.get(
            (pod.meta.namespace, pod.spec.service_account_name or "default")
        )
        if pod.spec.automount_service_account_token is False:
            why = "the Pod mounts no token"
            evidence.append(stated(network.cluster, pod, "spec", "automountServiceAccountToken"))
        elif account is not None and account.automount_service_account_token is False:
            why = f"{account.ref} mounts no token"
            evidence.append(stated(network.cluster, account, "automountServiceAccountToken"))
        steps.insert(0, kubectl("get", pod.ref, "-o jsonpath='{.spec.automountServiceAccountToken}'"))
    return Finding(
        code="rbac-403",
        severity=Severity.ERROR,
        subject=pod.ref if pod else ObjectRef("User", "", ANONYMOUS),
        message=f"{pod.ref if pod else 'Somebody'} asks the API server without a token, as {ANONYMOUS}: {why}",
        evidence=tuple(evidence),
        cause="without a token everybody is anonymous",
        confidence=Confidence.CERTAIN,
        fix=Fix(
            "let the client send its ServiceAccount's token; do not give rights to system:anonymous",
            tuple(steps),
            "low",
        ),
        broken=len(refused),
    )


def _speaker(network: Network, origin: Origin) -> Pod | None:
    key = next((one.pod for one in said(network) if one.line.origin == origin), None)
    return network.cluster.pods.get(key) if key else None


@state_check("http-proxy-403", severity=Severity.WARNING, needs=("node/logs",))
def http_proxy_403(network: Network, _promised: Promised) -> Iterator[Finding]:
    """A request for the API server went to an HTTP proxy, which refused it.

    ## Why it breaks

    A program with HTTPS_PROXY set and without the cluster's ranges in NO_PROXY sends requests for ClusterIPs and nodes
    to the proxy. That knows neither, and answers 403 or 503 with a page for people.

    ## See it by hand

        kubectl -n <namespace> exec <pod> -- env | grep -i proxy

    ## Fix

    Put the ranges of Services, Pods and nodes, and ``.svc,.cluster.local``, into NO_PROXY.

    ## Often confused with

    *rbac-403*: the API server's own 403 is JSON and names a user.
    """
    hits = [one for one in said(network) if HTML_403.search(one.text) and is_recent(network, one)]
    for speaker, lines in grouped((one.speaker, one) for one in hits).items():
        yield _by_proxy(speaker, lines)


def _by_proxy(speaker: str, lines: tuple[Said, ...]) -> Finding:
    last = lines[-1]
    subject = ObjectRef("Pod", *last.pod) if last.pod else ObjectRef("Node", "", last.node)
    ranges = "<Service range>,<Pod range>,<node range>,.svc,.cluster.local,localhost,127.0.0.1"
    return Finding(
        code="http-proxy-403",
        severity=Severity.WARNING,
        subject=subject,
        message=f"{speaker} is refused by an HTTP proxy, not by the API server",
        evidence=(last.line.origin,),
        cause="the answer is a proxy's: no user, no verb, no JSON",
        confidence=Confidence.LIKELY,
        fix=Fix("put the cluster's ranges into NO_PROXY", (f"NO_PROXY={ranges}",), "low"),
    )
