"""Webhook configurations (admissionregistration/v1 types.go)."""

from __future__ import annotations

from typing import Literal

import msgspec

from podpath.model.kube.meta import KubeObject

DEFAULT_PORT = 443


class ServiceReference(msgspec.Struct, frozen=True, gc=False):
    """A Service that the API server calls."""

    namespace: str
    name: str
    port: int = DEFAULT_PORT


class ClientConfig(msgspec.Struct, frozen=True, gc=False):
    """Where a webhook answers."""

    service: ServiceReference | None = None
    url: str = ""


class Webhook(msgspec.Struct, frozen=True, gc=False, rename="camel", kw_only=True):
    """One webhook of a configuration."""

    name: str
    client_config: ClientConfig = ClientConfig()
    failure_policy: str = "Fail"
    timeout_seconds: int = 10


class WebhookConfiguration(KubeObject, frozen=True, gc=False, rename="camel", kw_only=True):
    """A validating or mutating configuration."""

    kind: Literal["ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"]
    webhooks: tuple[Webhook, ...] = ()
