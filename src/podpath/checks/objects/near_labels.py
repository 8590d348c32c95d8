"""The labels nearest to a selector that nothing matches: what its author probably meant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import SequenceMatcher
from typing import NamedTuple

from podpath.model.kube.cluster import Cluster
from podpath.model.kube.meta import KubeObject
from podpath.model.kube.pod import Pod
from podpath.model.kube.service import Service
from podpath.model.refs import ObjectRef

MADE_BY_CONTROLLERS = frozenset(
    {
        "pod-template-hash",
        "controller-revision-hash",
        "pod-template-generation",
        "statefulset.kubernetes.io/pod-name",
        "apps.kubernetes.io/pod-index",
        "batch.kubernetes.io/controller-uid",
        "batch.kubernetes.io/job-name",
        "controller-uid",
        "job-name",
    }
)
"""Labels that nobody writes, so that no selector means them."""
CLOSE = 0.6
"""How alike two values must be, as difflib counts, to be a slip of the pen."""


class Near(NamedTuple):
    """Labels that are carried, and what of the selector would have to change."""

    owner: KubeObject
    """A Pod or a workload that carries them."""
    pods: int
    """How many Pods do; 0 for a workload without any."""
    changed: Mapping[str, str | None]
    """For the selector: a value to set, or None for a key to drop."""
    score: float

    @property
    def text(self) -> str:
        """``app=web``."""
        return ", ".join(f"{key}={value}" for key, value in self.changed.items() if value is not None)


def nearest(cluster: Cluster, service: Service) -> Near | None:
    """The nearest set of labels in the Service's namespace; None where nothing is near."""
    selector = service.spec.selector
    found = [
        Near(owner, count, changed, score)
        for owner, labels, count in _carried(cluster, service)
        for changed, score in [_distance(selector, labels)]
        if score > 0
    ]
    return max(found, key=lambda one: (one.score, one.pods), default=None)


def _carried(cluster: Cluster, service: Service) -> Iterator[tuple[KubeObject, Mapping[str, str], int]]:
    """Sets of labels in use: those of Pods, once each, then those of workloads without Pods."""
    seen: dict[tuple[tuple[str, str], ...], tuple[Pod, int]] = {}
    for pod in cluster.pods_by_namespace.get(service.meta.namespace, ()):
        if not pod.finished:
            labels = _own(pod.meta.labels)
            first, count = seen.get(labels, (pod, 0))
            seen[labels] = (first, count + 1)
    for labels, (pod, count) in seen.items():
        yield pod, dict(labels), count
    for workload in cluster.workloads.values():
        labels = _own(workload.template_labels)
        if workload.meta.namespace == service.meta.namespace and labels not in seen:
            yield workload, dict(labels), 0


def _own(labels: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(item for item in labels.items() if item[0] not in MADE_BY_CONTROLLERS))


def _distance(selector: Mapping[str, str], labels: Mapping[str, str]) -> tuple[dict[str, str | None], float]:
    """What would have to change, and how near that is: 0 is not near at all."""
    changed: dict[str, str | None] = {}
    score = 0.0
    for key, value in selector.items():
        if labels.get(key) == value:
            score += 1
            continue
        if key in labels and _alike(value, labels[key]) >= CLOSE:
            changed[key] = labels[key]
            score += _alike(value, labels[key]) / 2
            continue
        renamed = next(
            (other for other, text in labels.items() if text == value and other not in selector), ""
        )
        changed[key] = None
        if renamed:
            changed[renamed] = value
            score += 0.5
    only_dropped = all(value is None for value in changed.values())
    if not changed or (only_dropped and score < len(selector) / 2):
        return changed, 0.0
    return changed, score / len(selector)


def _alike(one: str, other: str) -> float:
    return SequenceMatcher(None, one.lower(), other.lower()).ratio()


def elsewhere(cluster: Cluster, service: Service) -> ObjectRef | None:
    """A Pod of another namespace that the selector would match, which a Service never selects."""
    wanted = service.spec.selector.items()
    for pod in cluster.pods.values():
        if pod.meta.namespace != service.meta.namespace and wanted <= pod.meta.labels.items():
            return pod.ref
    return None
