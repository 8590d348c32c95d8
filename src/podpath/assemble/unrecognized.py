"""What of a bundle was read and not understood: all of it where the bundle is small, else what was come across."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import overload

from podpath.assemble.namespace import LazyNetns
from podpath.assemble.reading import Reading
from podpath.assemble.sysctl_file import SOURCE
from podpath.model.network import Netns, Node
from podpath.model.origin import Unrecognized
from podpath.parse.iptables_save import count_unrecognized
from podpath.parse.sysctl import parse_sysctl


class NotUnderstood(Sequence[Unrecognized]):
    """Counted when it is asked for.

    A small bundle is then read to its end, every rule too; of a large one this is what the walks so far have read
    (``unread_files`` says how many files they have not).
    """

    def __init__(
        self,
        reading: Reading,
        objects: tuple[Unrecognized, ...],
        nodes: Mapping[str, Node],
        namespaces: Sequence[Netns],
    ) -> None:
        self._reading = reading
        self._objects = objects
        self._nodes = nodes
        self._namespaces = namespaces
        self._whole: tuple[Unrecognized, ...] | None = None

    @property
    def unread_files(self) -> int:
        """Files of nodes that nobody has looked into; 0 for a small bundle, which is read whole."""
        if not self._reading.large:
            return 0
        return sum(path.startswith("nodes/") for path in self._reading.files) - self._reading.looked_at

    def _all(self) -> tuple[Unrecognized, ...]:
        if self._reading.large:
            return tuple(self._found())
        if self._whole is None:
            for _ in self._nodes.values():
                pass
            for netns in self._namespaces:
                _read_whole(netns, self._reading)
            self._whole = (*self._found(), *rules_not_understood(self._namespaces))
        return self._whole

    def _found(self) -> Iterator[Unrecognized]:
        lost = self._reading.lost
        return chain(self._objects, *(lost[file] for file in sorted(lost)))

    @overload
    def __getitem__(self, at: int) -> Unrecognized: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[Unrecognized, ...]: ...
    def __getitem__(self, at: int | slice) -> Unrecognized | tuple[Unrecognized, ...]:
        return self._all()[at]

    def __iter__(self) -> Iterator[Unrecognized]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())


def _read_whole(netns: Netns, reading: Reading) -> None:
    if isinstance(netns, LazyNetns):
        netns.read_all()
        text = reading.text(netns.folder, SOURCE)
        if text is not None:
            file = f"{netns.folder}/{SOURCE}"
            reading.lose(file, parse_sysctl(text, file)[1])


def rules_not_understood(namespaces: Sequence[Netns]) -> tuple[Unrecognized, ...]:
    """What of their rules was not understood. Compiles every one of them."""
    return tuple(lost for netns in namespaces for table in netns.tables for lost in count_unrecognized(table))
