"""Configuration files of agents, JSON or simple YAML, as settings by path."""

from __future__ import annotations

import msgspec

from podpath.model.origin import Origin, Unrecognized
from podpath.parse.flat_yaml import Setting, parse_flat_yaml
from podpath.parse.json_entries import json_error

TRUE = frozenset({"true", "yes", "on", "True", "TRUE"})
FALSE = frozenset({"false", "no", "off", "False", "FALSE"})


class Settings:
    """The settings of a file, read as the type that is wanted; what cannot be read as it is kept in ``lost``."""

    def __init__(self, file: str, found: dict[str, Setting], lost: tuple[Unrecognized, ...]) -> None:
        self.file = file
        self.found = found
        self._lost = list(lost)

    @property
    def lost(self) -> tuple[Unrecognized, ...]:
        return tuple(self._lost)

    @property
    def lines(self) -> dict[str, int]:
        return {path: setting.line for path, setting in self.found.items()}

    @property
    def texts(self) -> dict[str, str]:
        return {path: ", ".join(setting.values) for path, setting in self.found.items()}

    def words(self, path: str) -> tuple[str, ...]:
        """A list; a single text counts as one."""
        setting = self.found.get(path)
        return setting.values if setting else ()

    def comma_words(self, path: str) -> tuple[str, ...]:
        """A text that lists its parts with commas (``clusterCIDR``)."""
        return tuple(part.strip() for text in self.words(path) for part in text.split(",") if part.strip())

    def text(self, path: str, default: str = "") -> str:
        """A text."""
        values = self.words(path)
        if len(values) > 1:
            self._lose(path, "a list where one text is expected")
        return values[0] if len(values) == 1 else default

    def number(self, path: str, default: int) -> int:
        """A number."""
        found = self.maybe_number(path)
        return default if found is None else found

    def maybe_number(self, path: str) -> int | None:
        """A number, or None when there is none."""
        text = self.text(path)
        if not text:
            return None
        try:
            return int(text)
        except ValueError:
            self._lose(path, "not a number")
            return None

    def flag(self, path: str, *, default: bool) -> bool:
        """A boolean, as YAML 1.1 spells them."""
        text = self.text(path)
        if text in TRUE or text in FALSE:
            return text in TRUE
        if text:
            self._lose(path, "neither true nor false")
        return default

    def _lose(self, path: str, reason: str) -> None:
        setting = self.found[path]
        shown = f"{path}: {', '.join(setting.values)}"
        self._lost.append(Unrecognized(Origin(self.file, setting.line, shown), reason))


def read_settings(text: str, file: str, *, wrapper: str = "") -> Settings:
    """The settings of a file. ``wrapper`` is a key that ``/configz`` puts around them (``kubeletconfig``)."""
    if not text.lstrip().startswith("{"):
        return Settings(file, *parse_flat_yaml(text, file))
    found: dict[str, Setting] = {}
    try:
        fields = msgspec.json.decode(text.encode(errors="replace"), type=dict[str, object])
        inner = fields.get(wrapper) if wrapper else None
        _flatten(inner if isinstance(inner, dict) else fields, "", text, 0, found)
    except (msgspec.DecodeError, RecursionError) as error:
        raise json_error(text, file) from error
    return Settings(file, found, ())


def _flatten(
    fields: dict[str, object], parent: str, text: str, start: int, found: dict[str, Setting]
) -> None:
    """Settings by path, as parse_flat_yaml gives them: null, empty and lists of objects are absent."""
    for key, value in fields.items():
        path = f"{parent}.{key}" if parent else key
        place = max(text.find(f'"{key}"', start), start)
        if isinstance(value, dict):
            _flatten(value, path, text, place, found)
            continue
        elements = value if isinstance(value, list) else [value]
        if any(isinstance(element, dict | list) for element in elements):
            continue
        values = tuple(_spelled(element) for element in elements if element not in (None, ""))
        if values:
            found[path] = Setting(values, text.count("\n", 0, place) + 1, isinstance(value, list))


def _spelled(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
