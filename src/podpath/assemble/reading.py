"""Reading a bundle as it is asked for: its files, what of them was not understood, and what many of them say alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from podpath.assemble.recent import Recent
from podpath.assemble.shared_entries import SharedEntries
from podpath.assemble.shared_native import SharedNative
from podpath.assemble.shared_rules import SharedRules
from podpath.model.origin import Origin, Unrecognized
from podpath.parse.errors import ParseError

T = TypeVar("T")
Parser = Callable[[str, str], tuple[T, tuple[Unrecognized, ...]]]

SMALL = 64 << 20
"""Node files of a bundle that is read whole when what was not understood is counted: some seconds."""
LATEST_FACTS = 64
"""Of so many namespaces the sockets and tracked connections are held: a walk asks for those of a few."""
LATEST_TEXTS = 8
"""Files whose text is looked into many times in a row: kernel parameters."""


class Reading:
    """One bundle while its network is in use."""

    def __init__(self, files: Mapping[str, bytes], *, large: bool) -> None:
        self.files = files
        self.large = large
        """Whether only what is asked for is read, and in as little memory as can be."""
        self.entries = SharedEntries()
        self.rules = SharedRules() if large else None
        self.native = SharedNative() if large else None
        self.facts: Recent[str, tuple[object, ...]] = Recent(LATEST_FACTS)
        self.texts: Recent[str, str] = Recent(LATEST_TEXTS)
        self._lost: dict[str, tuple[Unrecognized, ...]] = {}
        self._looked_at: dict[str, int] = {}

    def lose(self, file: str, lost: Iterable[Unrecognized]) -> None:
        """Keep what of a file was not understood; a file that is read again says the same again."""
        known = tuple(lost)
        if known:
            self._lost[file] = known

    @property
    def lost(self) -> dict[str, tuple[Unrecognized, ...]]:
        """What was not understood so far, by file."""
        return self._lost

    @property
    def looked_at(self) -> int:
        """How many files were read so far."""
        return sum(seen.bit_count() for seen in self._looked_at.values())

    def text(self, folder: str, name: str) -> str | None:
        """A file's text, or None when there is no such file."""
        content = self.files.get(f"{folder}/{name}")
        if content is None:
            return None
        self._looked_at[folder] = self._looked_at.get(folder, 0) | _bit(name)
        return content.decode("utf-8", "replace")


_BITS: dict[str, int] = {}


def _bit(name: str) -> int:
    """A bit for each name of a source."""
    return _BITS.setdefault(name, 1 << len(_BITS))


class Folder:
    """The sources of one folder; one that cannot be parsed is counted as not understood, and absent."""

    __slots__ = ("path", "reading")

    def __init__(self, reading: Reading, path: str) -> None:
        """``path`` without a slash at its end."""
        self.reading = reading
        self.path = path

    @property
    def is_node(self) -> bool:
        """Whether it is a node's own, not that of a Pod."""
        return self.path.count("/") == 1

    def has(self, name: str) -> bool:
        """Whether there is such a file."""
        return f"{self.path}/{name}" in self.reading.files

    def text(self, name: str) -> str | None:
        """A file's text, or None when there is no such file."""
        return self.reading.text(self.path, name)

    def read(self, name: str, parse: Parser[T]) -> T | None:
        """What a file says, or None when it is absent or not to be understood at all."""
        text = self.text(name)
        if text is None:
            return None
        file = f"{self.path}/{name}"
        try:
            facts, lost = parse(text, file)
        except ParseError as error:
            self.reading.lose(file, (Unrecognized(Origin(file, 0), str(error)),))
            return None
        self.reading.lose(file, lost)
        return facts


def is_large(files: Mapping[str, bytes], most: int = SMALL) -> bool:
    """Whether the files of nodes have more bytes than are read for one answer."""
    size = 0
    for path in files:
        if path.startswith("nodes/"):
            size += len(files[path])
            if size > most:
                return True
    return False
