"""The links of a chain of promises, and how flows become links."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal

import msgspec

from podpath.diagnosis.causes import CauseKey, locate
from podpath.diagnosis.judge import Judged, judge
from podpath.model.kube.pod import Pod
from podpath.model.network import Network
from podpath.model.origin import Origin
from podpath.model.promise import NotPromised, Promise
from podpath.model.refs import ObjectRef

State = Literal["ok", "broken", "unknown", "as-designed", "skipped"]
MOST_WALKED = 400
"""Flows that one link is proven by; of more, every second, third ... is walked."""
MOST_TOLD = 5
"""Different faults, names or reasons of one link that are told."""

Made = Iterable[Promise | NotPromised]


class ChainLink(msgspec.Struct, frozen=True):
    """One thing that has to be true, whether it is, and the lines that say so."""

    title: str
    state: State
    text: str
    evidence: tuple[Origin, ...] = ()
    part: str = ""
    """The part of the chain it belongs to, where there are several alike: ``port http``."""


def by_kind(network: Network, made: Made, title: Callable[[str], str], part: str = "") -> Iterator[ChainLink]:
    """Links for each kind of promise, and one for each reason why there is none."""
    groups: dict[str, list[Promise]] = {}
    designed: dict[str, NotPromised] = {}
    for one in made:
        if isinstance(one, NotPromised):
            designed.setdefault(one.text, one)
        else:
            groups.setdefault(title(one.kind), []).append(one)
    for name, some in groups.items():
        yield from walked(network, name, some, part)
    for one in list(designed.values())[:MOST_TOLD]:
        yield ChainLink("by design", "as-designed", one.text, _seen(one.origin), part)
    if len(designed) > MOST_TOLD:
        yield ChainLink("by design", "as-designed", f"and {len(designed) - MOST_TOLD} more", (), part)


def walked(network: Network, title: str, promises: Sequence[Promise], part: str = "") -> Iterator[ChainLink]:
    """Whether flows arrive and are answered: one link when they all do, one for each cause when some do not."""
    step = max(1, -(-len(promises) // MOST_WALKED))
    judged = [judge(network, promise) for promise in promises[::step]]
    yield from _broken(network, title, judged, part)
    open_ = [one for one in judged if one.undecided and not one.broken]
    if open_:
        question = next((text for one in open_ for text in one.answer.questions), "what happens to it")
        text = f"{open_[0].promise.text}{_more(len(open_))}: it would be decided by {question}"
        yield ChainLink(title, "unknown", text, (), part)
    kept = [one for one in judged if one.kept]
    if len(kept) == len(judged) and kept:
        example = kept[0].promise.text
        text = example if len(kept) == 1 else f"all {len(kept)} flows, such as {example}"
        yield ChainLink(title, "ok", text, (), part)
    elif kept:
        yield ChainLink(title, "ok", f"{len(kept)} of {len(judged)} flows arrive", (), part)


def _broken(network: Network, title: str, judged: Sequence[Judged], part: str) -> Iterator[ChainLink]:
    """By the step that breaks them."""
    causes: dict[CauseKey, list[tuple[Promise, str, Origin]]] = {}
    for one in judged:
        for branch in one.broken:
            broken = locate(network, one.promise, branch)
            causes.setdefault(broken.key, []).append((one.promise, broken.step.text, broken.step.origin))
    for some in list(causes.values())[:MOST_TOLD]:
        promise, text, origin = some[0]
        flows = len({id(one[0]) for one in some})
        yield ChainLink(title, "broken", f"{promise.text}{_more(flows)}: {text}", _seen(origin), part)
    if len(causes) > MOST_TOLD:
        yield ChainLink(title, "broken", f"and {len(causes) - MOST_TOLD} other faults", (), part)


def absent(network: Network, listed: str, ref: ObjectRef) -> ChainLink:
    """An object that is not there, or that nobody can know of."""
    if network.cluster.has(listed):
        return ChainLink("exists", "broken", f"there is no {ref}", (Origin(f"api/{listed}.json", 0),))
    return ChainLink("exists", "unknown", f"the bundle has no list of {listed}, so {ref} is not known")


def pod_names(pods: Sequence[Pod]) -> str:
    """The first few, and how many more."""
    told = ", ".join(pod.meta.name for pod in pods[:MOST_TOLD])
    return told if len(pods) <= MOST_TOLD else f"{told} and {len(pods) - MOST_TOLD} more"


def trouble(pod: Pod) -> str:
    """Why a Pod is not ready, as its status tells."""
    for status in pod.status.container_statuses:
        last = status.last_terminated
        ended = f", last ended {last.reason} (exit code {last.exit_code})" if last and last.reason else ""
        if status.waiting_reason:
            return f"{status.name}: {status.waiting_reason}{ended}"
    unmet = next((one for one in pod.status.conditions if one.type in ("Ready", "PodScheduled")), None)
    return (unmet.message or unmet.reason if unmet is not None else "") or pod.status.phase or "no status"


def _more(count: int) -> str:
    return f" (and {count - 1} more)" if count > 1 else ""


def _seen(origin: Origin) -> tuple[Origin, ...]:
    return (origin,) if origin.file else ()
