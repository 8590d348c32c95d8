"""What was asked for lately: a cache that forgets in two generations, and facts that are held only so long."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar, overload

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """Between ``most`` and twice as many of the latest values. None is no value."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._young: dict[K, V] = {}
        self._old: dict[K, V] = {}

    def get(self, key: K) -> V | None:
        """The value, which is then among the latest again."""
        value = self._young.get(key)
        if value is None and key in self._old:
            value = self._old[key]
            self.put(key, value)
        return value

    def put(self, key: K, value: V) -> None:
        """Hold a value, and forget the oldest generation when there is no room."""
        if len(self._young) >= self._most:
            self._old, self._young = self._young, {}
        self._young[key] = value


class Held(Sequence[V]):
    """The facts of a source that is large on many nodes and seldom asked for.

    It is read again when it is not among the latest, so that a thousand of them cost the memory of a few.
    """

    __slots__ = ("_key", "_load", "_recent")

    def __init__(
        self, recent: Recent[str, tuple[V, ...]], key: str, load: Callable[[], tuple[V, ...] | None]
    ) -> None:
        self._recent = recent
        self._key = key
        self._load = load

    def _facts(self) -> tuple[V, ...]:
        found = self._recent.get(self._key)
        if found is None:
            found = self._load() or ()
            self._recent.put(self._key, found)
        return found

    @overload
    def __getitem__(self, at: int) -> V: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[V, ...]: ...
    def __getitem__(self, at: int | slice) -> V | tuple[V, ...]:
        return self._facts()[at]

    def __iter__(self) -> Iterator[V]:
        return iter(self._facts())

    def __len__(self) -> int:
        return len(self._facts())
