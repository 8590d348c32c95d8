"""Deployment, DaemonSet, StatefulSet, ReplicaSet (apps/v1 types.go)."""

from __future__ import annotations

from typing import Literal

import msgspec

from podpath.model.kube.meta import KubeObject
from podpath.model.kube.pod import Container, PodSpec
from podpath.model.kube.selector import LabelSelector


class TemplateMeta(msgspec.Struct, frozen=True, gc=False):
    """The metadata that Pods of a template get."""

    labels: dict[str, str] = {}


class PodTemplate(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What a workload's Pods are made from."""

    meta: TemplateMeta = msgspec.field(name="metadata", default=TemplateMeta())
    spec: PodSpec = PodSpec()


class WorkloadSpec(msgspec.Struct, frozen=True, gc=False, rename="camel", kw_only=True):
    """What was asked for."""

    replicas: int = 1
    selector: LabelSelector = LabelSelector()
    template: PodTemplate = PodTemplate()
    service_name: str = ""


class WorkloadStatus(msgspec.Struct, frozen=True, gc=False, rename="camel", kw_only=True):
    """What became of it. A DaemonSet counts under other names."""

    replicas: int = 0
    ready_replicas: int = 0
    desired_number_scheduled: int = 0
    number_ready: int = 0


class Workload(KubeObject, frozen=True, gc=False, rename="camel", kw_only=True):
    """What makes Pods."""

    kind: Literal["Deployment", "DaemonSet", "StatefulSet", "ReplicaSet"]
    spec: WorkloadSpec = WorkloadSpec()
    status: WorkloadStatus = WorkloadStatus()

    @property
    def template_labels(self) -> dict[str, str]:
        """The labels that its Pods carry."""
        return self.spec.template.meta.labels

    @property
    def containers(self) -> tuple[Container, ...]:
        """The containers of its Pods."""
        return self.spec.template.spec.containers

    @property
    def replicas(self) -> int:
        """How many Pods it is to have."""
        return self.status.desired_number_scheduled if self.kind == "DaemonSet" else self.spec.replicas

    @property
    def ready(self) -> int:
        """How many of them are ready."""
        return self.status.number_ready if self.kind == "DaemonSet" else self.status.ready_replicas
