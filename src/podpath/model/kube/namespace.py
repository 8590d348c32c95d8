"""Namespace (core/v1 types.go)."""

from __future__ import annotations

from typing import Literal

from podpath.model.kube.meta import KubeObject

NAME_LABEL = "kubernetes.io/metadata.name"
"""Set by the API server on every namespace (KEP-2161)."""


class Namespace(KubeObject, frozen=True, gc=False, rename="camel", kw_only=True):
    """A Namespace."""

    kind: Literal["Namespace"] = "Namespace"

    @property
    def labels(self) -> dict[str, str]:
        """Its labels, with the one that the API server sets."""
        return {**self.meta.labels, NAME_LABEL: self.meta.name}
