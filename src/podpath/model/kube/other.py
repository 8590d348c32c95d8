"""Objects of kinds that have no file here: custom resources of CNIs and controllers, leases, legacy Endpoints."""

from __future__ import annotations

from typing import Any

import msgspec

from podpath.model.kube.meta import KubeObject


class OtherObject(KubeObject, frozen=True, gc=False, rename="camel", kw_only=True):
    """An object kept as it came, without its metadata."""

    kind: str = ""
    api_version: str = ""
    content: dict[str, Any] = msgspec.field(name="podpath content", default_factory=dict)
    """Everything but kind, apiVersion and metadata. A Secret's values are left out."""

    @property
    def spec(self) -> dict[str, Any]:
        """``spec``, empty when there is none."""
        spec = self.content.get("spec")
        return spec if isinstance(spec, dict) else {}
