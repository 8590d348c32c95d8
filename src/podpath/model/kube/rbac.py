"""Roles and their bindings (rbac/v1 types.go)."""

from __future__ import annotations

from typing import Literal

import msgspec

from podpath.model.kube.meta import KubeObject


class PolicyRule(msgspec.Struct, frozen=True, gc=False, rename="camel", kw_only=True):
    """What a role allows."""

    verbs: tuple[str, ...] = ()
    api_groups: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    resource_names: tuple[str, ...] = ()
    non_resource_urls: tuple[str, ...] = msgspec.field(name="nonResourceURLs", default=())

    def allows(self, verb: str, group: str, resource: str, name: str = "") -> bool:
        """Whether it allows a verb on a resource (rbac/v1 evaluation_helpers.go)."""
        return (
            bool({verb, "*"} & set(self.verbs))
            and bool({group, "*"} & set(self.api_groups))
            and bool({resource, "*", _any_subresource(resource)} & set(self.resources))
            and (not self.resource_names or name in self.resource_names)
        )


def _any_subresource(resource: str) -> str:
    """``*/status`` for ``nodes/status``, which a rule may name."""
    _, slash, sub = resource.partition("/")
    return f"*/{sub}" if slash else resource


class Role(KubeObject, frozen=True, gc=False, rename="camel", kw_only=True):
    """A Role or ClusterRole."""

    kind: Literal["Role", "ClusterRole"]
    rules: tuple[PolicyRule, ...] = ()


class RoleRef(msgspec.Struct, frozen=True, gc=False):
    """The role that is bound."""

    kind: str
    name: str


class Subject(msgspec.Struct, frozen=True, gc=False):
    """User, Group or ServiceAccount."""

    kind: str
    name: str
    namespace: str = ""

    @property
    def user(self) -> str:
        """The user's or group's name as the API server sees it."""
        return (
            f"system:serviceaccount:{self.namespace}:{self.name}"
            if self.kind == "ServiceAccount"
            else self.name
        )


class RoleBinding(KubeObject, frozen=True, gc=False, rename="camel", kw_only=True):
    """A RoleBinding or ClusterRoleBinding."""

    kind: Literal["RoleBinding", "ClusterRoleBinding"]
    role_ref: RoleRef
    subjects: tuple[Subject, ...] = ()
