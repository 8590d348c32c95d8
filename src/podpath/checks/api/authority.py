"""Who may do what: Roles and Bindings evaluated (plugin/pkg/auth/authorizer/rbac), and refusals that were seen."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from podpath.checks.host.log_lines import said
from podpath.checks.objects.kubectl import apply_command
from podpath.model.finding import Fix
from podpath.model.kube.cluster import Cluster
from podpath.model.kube.rbac import Role, RoleBinding
from podpath.model.network import Network
from podpath.model.origin import Origin
from podpath.model.refs import ObjectRef

FORBIDDEN = re.compile(
    r'User \\?"(?P<user>[^"\\]+)\\?" cannot (?P<verb>[\w*]+) resource \\?"(?P<resource>[^"\\]+)\\?"'
    r' in API group \\?"(?P<group>[^"\\]*)\\?"(?: in the namespace \\?"(?P<namespace>[^"\\]+)\\?")?'
)
RBAC_LISTS = ("roles", "clusterroles", "rolebindings", "clusterrolebindings")
RBAC_GROUP = "rbac.authorization.k8s.io"


class Request(NamedTuple):
    """What somebody asked the API server for."""

    user: str
    verb: str
    group: str
    resource: str
    """With its subresource: ``nodes/status``."""
    namespace: str
    """Empty: in all namespaces, or of a kind that has none."""

    def __str__(self) -> str:
        """``list endpointslices.discovery.k8s.io in all namespaces``."""
        resource = f"{self.resource}.{self.group}" if self.group else self.resource
        return f"{self.verb} {resource}" + (
            f" in namespace {self.namespace}" if self.namespace else " in the whole cluster"
        )

    @property
    def account(self) -> tuple[str, str] | None:
        """Namespace and name of the ServiceAccount that asked."""
        parts = self.user.split(":")
        return (parts[2], parts[3]) if len(parts) == 4 and parts[:2] == ["system", "serviceaccount"] else None


class Refusal(NamedTuple):
    """A request that was refused, and the lines that say so."""

    request: Request
    origins: tuple[Origin, ...]


def groups_of(user: str) -> tuple[str, ...]:
    """The groups that a user is in by its name alone."""
    if user == "system:anonymous":
        return ("system:unauthenticated",)
    parts = user.split(":")
    if parts[:2] == ["system", "serviceaccount"] and len(parts) == 4:
        return ("system:serviceaccounts", f"system:serviceaccounts:{parts[2]}", "system:authenticated")
    return (
        ("system:nodes", "system:authenticated")
        if parts[:2] == ["system", "node"]
        else ("system:authenticated",)
    )


def bindings_of(cluster: Cluster, user: str) -> Iterator[RoleBinding]:
    """The bindings that give a user something."""
    groups = set(groups_of(user))
    for binding in cluster.role_bindings.values():
        for subject in binding.subjects:
            if subject.user in groups if subject.kind == "Group" else subject.user == user:
                yield binding
                break


def role_of(cluster: Cluster, binding: RoleBinding) -> Role | None:
    """The role that a binding names."""
    namespace = binding.meta.namespace if binding.role_ref.kind == "Role" else ""
    return cluster.roles.get(ObjectRef(binding.role_ref.kind, namespace, binding.role_ref.name))


def is_known(cluster: Cluster) -> bool:
    """Whether Roles and Bindings were collected, and there are some."""
    return cluster.has(*RBAC_LISTS) and bool(cluster.role_bindings)


def is_allowed(cluster: Cluster, request: Request) -> bool:
    """Whether any binding allows a request."""
    return any(_grants(cluster, binding, request) for binding in bindings_of(cluster, request.user))


def _grants(cluster: Cluster, binding: RoleBinding, request: Request) -> bool:
    if binding.kind == "RoleBinding" and binding.meta.namespace != request.namespace:
        return False
    role = role_of(cluster, binding)
    return role is not None and any(
        rule.allows(request.verb, request.group, request.resource) for rule in role.rules
    )


@lru_cache(maxsize=4)
def refusals(network: Network) -> tuple[Refusal, ...]:
    """All requests that a log or an event calls forbidden, once each."""
    found: dict[Request, list[Origin]] = {}
    for text, origin in _texts(network):
        for match in FORBIDDEN.finditer(text):
            request = Request(
                match["user"], match["verb"], match["group"], match["resource"], match["namespace"] or ""
            )
            found.setdefault(request, []).append(origin)
    return tuple(Refusal(request, tuple(origins)) for request, origins in found.items())


def _texts(network: Network) -> Iterator[tuple[str, Origin]]:
    for one in said(network):
        if "cannot" in one.text:
            yield one.text, one.line.origin
    for event in network.cluster.events:
        if "cannot" in event.message:
            yield (
                event.message,
                Origin(event.origin.file, event.origin.line, f"event {event.reason}: {event.message[:300]}"),
            )


def rules_for(requests: Sequence[Request]) -> list[Mapping[str, object]]:
    """The rules of a role that allows just these requests."""
    merged: dict[tuple[str, str], set[str]] = {}
    for request in requests:
        verbs = {request.verb, *({"list", "watch"} if request.verb in ("list", "watch") else ())}
        merged.setdefault((request.group, request.resource), set()).update(verbs)
    return [
        {"apiGroups": [group], "resources": [resource], "verbs": sorted(verbs)}
        for (group, resource), verbs in sorted(merged.items())
    ]


def grant(user: str, requests: Sequence[Request], name: str) -> Fix:
    """A Role and a Binding to apply; a ClusterRole where a request is for the whole cluster."""
    namespaces = {request.namespace for request in requests}
    namespace = namespaces.pop() if len(namespaces) == 1 else ""
    prefix = "" if namespace else "Cluster"
    where = {"namespace": namespace} if namespace else {}
    version = f"{RBAC_GROUP}/v1"
    role = {
        "apiVersion": version,
        "kind": f"{prefix}Role",
        "metadata": {"name": name, **where},
        "rules": rules_for(requests),
    }
    binding = {
        "apiVersion": version,
        "kind": f"{prefix}RoleBinding",
        "metadata": {"name": name, **where},
        "roleRef": {"apiGroup": RBAC_GROUP, "kind": f"{prefix}Role", "name": name},
        "subjects": [_subject(user)],
    }
    words = f"allow {user} just what it was refused, if it is to do that"
    return Fix(
        words, (apply_command(role, binding),), "medium: see that it needs this; it gives no more than that"
    )


def _subject(user: str) -> Mapping[str, str]:
    parts = user.split(":")
    if parts[:2] == ["system", "serviceaccount"] and len(parts) == 4:
        return {"kind": "ServiceAccount", "namespace": parts[2], "name": parts[3]}
    return {"kind": "User", "apiGroup": RBAC_GROUP, "name": user}


def evidence_of(network: Network, user: str) -> tuple[Origin, ...]:
    """What a user is bound to, or that it is bound to nothing."""
    cluster = network.cluster
    found = [
        Origin(
            binding.origin.file,
            binding.origin.line,
            f"{binding.ref} binds {binding.role_ref.kind} {binding.role_ref.name}",
        )
        for binding in bindings_of(cluster, user)
        if any(subject.kind != "Group" for subject in binding.subjects)
    ]
    if found:
        return tuple(found[:3])
    file = next((one.origin.file for one in cluster.role_bindings.values()), "api/clusterrolebindings.json")
    return (Origin(file, 0, f"no binding of {user}"),)
