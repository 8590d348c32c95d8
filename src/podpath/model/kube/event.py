"""Event (core/v1 types.go; events/v1 types.go names some fields otherwise)."""

from __future__ import annotations

from typing import Literal

import msgspec

from podpath.model.kube.meta import KubeObject
from podpath.model.refs import ObjectRef


class EventObject(msgspec.Struct, frozen=True, gc=False):
    """What an event speaks of."""

    kind: str = ""
    name: str = ""
    namespace: str = ""


class EventSeries(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """Repetitions, as newer reporters count them."""

    count: int = 0
    last_observed_time: str = ""


class EventSource(msgspec.Struct, frozen=True, gc=False):
    """Who reported it, as older reporters say."""

    component: str = ""
    host: str = ""


class Event(KubeObject, frozen=True, gc=False, rename="camel", kw_only=True):
    """Something that a component reported."""

    kind: Literal["Event"] = "Event"
    type: str = ""
    """Normal or Warning."""
    reason: str = ""
    text: str = msgspec.field(name="message", default="")
    note: str = ""
    involved_object: EventObject = EventObject()
    regarding: EventObject = EventObject()
    times: int | None = msgspec.field(name="count", default=None)
    last_timestamp: str | None = None
    event_time: str | None = None
    series: EventSeries | None = None
    source: EventSource = EventSource()
    reporting_component: str = ""

    @property
    def message(self) -> str:
        """What happened, in the reporter's words."""
        return self.text or self.note

    @property
    def object(self) -> ObjectRef:
        """What it happened to."""
        one = self.involved_object if self.involved_object.kind else self.regarding
        return ObjectRef(one.kind, one.namespace, one.name)

    @property
    def count(self) -> int:
        """How often."""
        return self.times or (self.series.count if self.series else 0) or 1

    @property
    def last(self) -> str:
        """When it was seen last."""
        series = self.series.last_observed_time if self.series else ""
        return series or self.last_timestamp or self.event_time or self.meta.created
