"""When a bundle was taken, and how old a thing was then: what is young may still be on its way."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from podpath.model.network import Network

GRACE_S = 60.0
"""Controllers and kubelets get this long before an object counts as not fulfilled."""
RECENT_S = 120.0
"""What was logged so long ago, or less, is taken for what happens now."""

_KLOG = re.compile(r"(\d\d)(\d\d) (\d\d:\d\d:\d\d(?:\.\d+)?)")


def instant(text: str | None) -> datetime | None:
    """A time as the API prints it (RFC 3339); None for anything else."""
    try:
        when = datetime.fromisoformat((text or "").replace("/", "-").strip())
    except ValueError:
        return None
    return when if when.tzinfo is not None else when.replace(tzinfo=UTC)


@lru_cache(maxsize=4)
def taken_at(network: Network) -> datetime | None:
    """The newest time that anything in the bundle names; None where nothing does."""
    return max((when for text in _times(network) if (when := instant(text)) is not None), default=None)


def _times(network: Network) -> Iterator[str | None]:
    cluster = network.cluster
    yield from (event.last for event in cluster.events)
    for pod in cluster.pods.values():
        yield pod.meta.created
        yield from (condition.last_transition_time for condition in pod.status.conditions)
    for node in cluster.nodes.values():
        yield node.meta.created
        yield from (condition.last_transition_time for condition in node.status.conditions)
    for name, leases in cluster.others.items():
        if name.split(".", maxsplit=1)[0] == "leases":
            yield from (str(lease.spec.get("renewTime", "")) for lease in leases)
    for known in network.nodes.values():
        if known.facts is not None and known.facts.proxy is not None:
            yield known.facts.proxy.current_time


def age_s(network: Network, text: str | None) -> float | None:
    """How old a thing of that time was when the bundle was taken; None where either is not known."""
    now, then = taken_at(network), instant(text)
    return None if now is None or then is None else (now - then).total_seconds()


def settled(network: Network, text: str | None, grace_s: float = GRACE_S) -> bool:
    """Whether a thing is old enough that what is missing is missing; also where its age is not known."""
    age = age_s(network, text)
    return age is None or age >= grace_s


def log_age_s(network: Network, text: str) -> float | None:
    """How old a line of a log is. klog prints no year: that of the bundle, or the one before."""
    found = _KLOG.fullmatch(text)
    now = taken_at(network)
    if found is None or now is None:
        return age_s(network, text)
    for year in (now.year, now.year - 1):
        when = instant(f"{year}-{found[1]}-{found[2]}T{found[3]}Z")
        if when is not None and when <= now + timedelta(days=1):
            return (now - when).total_seconds()
    return None
