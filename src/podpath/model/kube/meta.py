"""ObjectMeta, and what every object has (apimachinery meta/v1 types.go)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from podpath.model.origin import Origin
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


class Place:
    """A file of objects. The line of one is found when it is asked for: for most nobody ever asks."""

    __slots__ = ("_lines", "file")

    def __init__(self, file: str, lines: Callable[[], Sequence[int]] = lambda: ()) -> None:
        self.file = file
        self._lines = lines

    def line(self, index: int) -> int:
        """The line at which an object of the file begins; 0 when the file is not at hand any more."""
        lines = self._lines()
        return lines[index] if index < len(lines) else 0


UNPLACED = Place("")


class KubeObject(msgspec.Struct, frozen=True, gc=False, rename="camel", kw_only=True):
    """What every object has: its kind, its metadata, and where it begins in the bundle."""

    kind: str
    meta: Meta = msgspec.field(name="metadata")
    place: Place = msgspec.field(name="podpath place", default=UNPLACED)
    """The file that holds it; never read from the object itself."""
    index: int = msgspec.field(name="podpath index", default=0)
    """Which of the file's objects it is."""

    @property
    def origin(self) -> Origin:
        """The line at which the object begins, and its name."""
        return Origin(self.place.file, self.place.line(self.index), str(self.ref))

    @property
    def key(self) -> tuple[str, str]:
        """(namespace, name)."""
        return self.meta.namespace, self.meta.name

    @property
    def ref(self) -> ObjectRef:
        """Its name, with its kind."""
        return ObjectRef(self.kind, self.meta.namespace, self.meta.name)
