"""ObjectMeta, and what every object has (apimachinery meta/v1 types.go)."""

from __future__ import annotations

import msgspec

from podpath.model.origin import NOWHERE, Origin
from podpath.model.refs import ObjectRef


class Owner(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """An owner reference."""

    kind: str
    name: str
    controller: bool = False


class Meta(msgspec.Struct, frozen=True, gc=False, rename="camel", kw_only=True):
    """Who an object is. Annotations are only those that concern the network."""

    name: str
    namespace: str = ""
    uid: str = ""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    created: str = msgspec.field(name="creationTimestamp", default="")
    """RFC 3339, as the API prints it; such texts compare as the times do."""
    deletion_timestamp: str | None = None
    owners: tuple[Owner, ...] = msgspec.field(name="ownerReferences", default=())

    @property
    def key(self) -> tuple[str, str]:
        """(namespace, name)."""
        return self.namespace, self.name

    @property
    def owner(self) -> tuple[str, str] | None:
        """Kind and name of the owner, the controller first."""
        for owner in sorted(self.owners, key=lambda one: not one.controller):
            return owner.kind, owner.name
        return None


class KubeObject(msgspec.Struct, frozen=True, gc=False, rename="camel", kw_only=True):
    """What every object has: its kind, its metadata, and where it begins in the bundle."""

    kind: str
    meta: Meta = msgspec.field(name="metadata")
    origin: Origin = msgspec.field(name="podpath origin", default=NOWHERE)
    """The line at which the object begins; never read from the object itself."""

    @property
    def key(self) -> tuple[str, str]:
        """(namespace, name)."""
        return self.meta.namespace, self.meta.name

    @property
    def ref(self) -> ObjectRef:
        """Its name, with its kind."""
        return ObjectRef(self.kind, self.meta.namespace, self.meta.name)
