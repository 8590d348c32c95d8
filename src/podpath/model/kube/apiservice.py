"""APIService (kube-aggregator apiregistration/v1 types.go)."""

from __future__ import annotations

from typing import Literal

import msgspec

from podpath.model.kube.meta import KubeObject
from podpath.model.kube.pod import Condition
from podpath.model.kube.webhook import ServiceReference


class APIServiceSpec(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Who serves a group; ``service`` None: the API server itself."""

    service: ServiceReference | None = None
    group: str = ""
    version: str = ""


class APIServiceStatus(msgspec.Struct, frozen=True, gc=False):
    """Whether it can be asked."""

    conditions: tuple[Condition, ...] = ()


class APIService(KubeObject, frozen=True, gc=False, rename="camel", kw_only=True):
    """An APIService."""

    kind: Literal["APIService"] = "APIService"
    spec: APIServiceSpec = APIServiceSpec()
    status: APIServiceStatus = APIServiceStatus()

    @property
    def available(self) -> Condition | None:
        """The Available condition."""
        return next((one for one in self.status.conditions if one.type == "Available"), None)
