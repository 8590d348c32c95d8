"""ServiceAccount (core/v1 types.go)."""

from __future__ import annotations

from typing import Literal

from podpath.model.kube.meta import KubeObject


class ServiceAccount(KubeObject, frozen=True, gc=False, rename="camel", kw_only=True):
    """A ServiceAccount."""

    kind: Literal["ServiceAccount"] = "ServiceAccount"
    automount_service_account_token: bool | None = None
