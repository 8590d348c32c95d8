"""Kernel parameters that are looked for in the file when they are asked for.

A node with thirty Pods prints 3,500 of them, each Pod 1,300; a packet asks for some dozens. No two files are alike
(counts of tracked connections are among them), so what is saved is not parsing twice but holding at all.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from functools import cached_property

from podpath.assemble.reading import Folder
from podpath.model.linux.sysctl import Sysctls, conf_key
from podpath.parse.sysctl import parse_sysctl

SOURCE = "sysctl"
UNKNOWN = object()


def sysctls_of(folder: Folder) -> Sysctls | None:
    """The kernel parameters of a folder, or None when they were not collected."""
    if not folder.has(SOURCE):
        return None
    values = SysctlValues(folder)
    return LazySysctls(f"{folder.path}/{SOURCE}", values, SysctlLines(values))


class LazySysctls(Sysctls):
    """Kernel parameters of a file; those that were asked for as numbers are held as numbers."""

    @cached_property
    def _numbers(self) -> dict[str, int | None]:
        return {}

    def number(self, key: str, default: int | None = None) -> int | None:
        """The value as a number; ``default`` when the key is absent or not a number."""
        numbers = self._numbers
        if key not in numbers:
            numbers[sys.intern(key)] = _number(self.values, key)
        value = numbers[key]
        return default if value is None else value

    def conf(self, dev: str, name: str, *, v4: bool = True) -> int | None:
        """``net.ipv4.conf.<dev>.<name>`` (or ipv6)."""
        return self.number(conf_key(dev, name, v4=v4))


def _number(values: Mapping[str, str], key: str) -> int | None:
    text = values.found(key) if isinstance(values, SysctlValues) else values.get(key)
    try:
        return None if text is None else int(text)
    except ValueError:
        return None


class SysctlValues(Mapping[str, str]):
    """The values of a file by key; those that were asked for are held."""

    __slots__ = ("_folder", "_held", "_lines")

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._held: dict[str, str | None] = {}
        self._lines: dict[str, int | None] = {}

    def get(self, key: str, default: str | None = None) -> str | None:  # type: ignore[override]
        """The value, without the cost of an exception for a key that is not there."""
        value = self._held.get(key, UNKNOWN)
        if value is UNKNOWN:
            found = self.found(key)
            value = self._held[sys.intern(key)] = None if found is None else sys.intern(found)
        return default if value is None else value  # type: ignore[return-value]  # a string: UNKNOWN was resolved

    def __getitem__(self, key: str) -> str:
        value = self.get(key)
        if value is None:
            raise KeyError(key)
        return value

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self.get(key) is not None

    def __iter__(self) -> Iterator[str]:
        whole = self.whole()
        self._held.update(whole.values)  # who goes through all of them asks for all of them
        return iter(whole.values)

    def __len__(self) -> int:
        return len(self.whole().values)

    def line(self, key: str) -> int | None:
        """The line of a key."""
        if key not in self._lines:
            text = self._text()
            at = text.rfind(f"\n{key} = ")
            self._lines[key] = text.count("\n", 0, at + 1) if at >= 0 else self.whole().lines.get(key)
        return self._lines[key]

    def whole(self) -> Sysctls:
        """The whole file, parsed."""
        return parse_sysctl(self._text()[1:], f"{self._folder.path}/{SOURCE}")[0]

    def found(self, key: str) -> str | None:
        """The last line that sysctl(8) prints for a key; other spellings of it are the parser's to tell."""
        text = self._text()
        begin = f"\n{key} = "
        at = text.rfind(begin)
        if at >= 0:
            at += len(begin)
            end = text.find("\n", at)
            return text[at : end if end >= 0 else None].strip()
        if key in text or "\nnet/" in text:
            return self.whole().values.get(key)
        return None

    def _text(self) -> str:
        """The text, a newline before it."""
        texts, path = self._folder.reading.texts, self._folder.path
        text = texts.get(path)
        if text is None:
            text = "\n" + (self._folder.text(SOURCE) or "")
            texts.put(path, text)
        return text


class SysctlLines(Mapping[str, int]):
    """The lines of the same keys."""

    __slots__ = ("_values",)

    def __init__(self, values: SysctlValues) -> None:
        self._values = values

    def __getitem__(self, key: str) -> int:
        line = self._values.line(key)
        if line is None:
            raise KeyError(key)
        return line

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)
