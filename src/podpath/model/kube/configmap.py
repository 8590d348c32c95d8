"""ConfigMap (core/v1 types.go)."""

from __future__ import annotations

from typing import Literal

import msgspec

from podpath.model.kube.meta import KubeObject


class ConfigMap(KubeObject, frozen=True, gc=False, rename="camel", kw_only=True):
    """A ConfigMap: Corefile, kube-proxy's and the CNI's configuration."""

    kind: Literal["ConfigMap"] = "ConfigMap"
    data: dict[str, str] = msgspec.field(default_factory=dict)
