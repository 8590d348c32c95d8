"""Secrets in API objects: environment variables, annotations, arguments, ConfigMaps.

Objects are changed as objects, one item of a list at a time, so that a list of 150,000 Pods is never held as Python
objects. What remains is searched as text for what is a secret by its looks.
"""

from __future__ import annotations

import re
from typing import Any, TypeAlias

import msgspec

from podpath.bundle.secret_names import (
    LARGE_ANNOTATION,
    NEVER_KEPT_ANNOTATION,
    annotation_is_known,
    config_is_needed,
    env_is_needed,
    long_secret,
    names_secret,
)
from podpath.bundle.secrets_in_text import REMOVED, Rule, remove
from podpath.bundle.text_rules import COMMAND, COREFILE, NAMED, SHAPES

Json: TypeAlias = Any
"""What JSON may hold."""

Path: TypeAlias = tuple[Any, ...]
"""Of a value in an object: (path of what holds it, key or index); written out only for what is removed."""

_TEXT = (*SHAPES, *NAMED)
_SCRIPT = (*_TEXT, *COMMAND)
_LABELS = frozenset({"labels", "matchLabels", "selector", "nodeSelector"})
_INDENT = re.compile(rb"\s*[{\[]\r?\n( +)")


def redact_objects(plural: str, content: bytes) -> tuple[bytes, list[str]]:
    """A Kubernetes List (or one object) without its secrets, and what was removed, by JSON path.

    ``plural`` is the kind as its file is named: items of a List do not tell theirs. Nothing found: ``content`` itself.
    Raises ``msgspec.DecodeError`` (or ``RecursionError``, ``UnicodeDecodeError``, ``OverflowError``) for what is not
    JSON, or nested or numbered beyond measure.
    """
    removed: list[str] = []
    try:
        top = msgspec.json.decode(content, type=dict[str, msgspec.Raw])
        items = msgspec.json.decode(top["items"], type=list[msgspec.Raw])
    except (msgspec.ValidationError, KeyError):
        cleaned = bytes(_clean(msgspec.Raw(content), plural, "", removed))
    else:
        kind = _kind(top, plural)
        clean_items = [_clean(item, kind, f"items[{number}]", removed) for number, item in enumerate(items)]
        rest = {key: _clean(value, "", key, removed) for key, value in top.items() if key != "items"}
        cleaned = msgspec.json.encode(rest | {"items": msgspec.Raw(b"[%b]" % b",".join(clean_items))})
    if not removed:
        return content, []
    indent = _INDENT.match(content)
    if indent:
        cleaned = msgspec.json.format(cleaned, indent=len(indent[1]))
    return cleaned + content[len(content.rstrip()) :], removed


def _kind(top: dict[str, msgspec.Raw], plural: str) -> str:
    """The kind of a List's items, lower case and plural: from the List itself, or from its file's name."""
    kind = msgspec.json.decode(top["kind"]) if "kind" in top else ""
    told = isinstance(kind, str) and kind not in {"", "List"}
    return kind.removesuffix("List").lower() + "s" if told else plural


def _clean(raw: msgspec.Raw, kind: str, name: str, removed: list[str]) -> msgspec.Raw:
    before = len(removed)
    value = msgspec.json.decode(raw)
    _Cleaner(removed).clean(value, kind, (None, name) if name else ())
    text = msgspec.json.encode(value) if len(removed) > before else bytes(raw)
    text, found = remove(text, SHAPES)
    removed += (f"{name or '$'}: {reason}" for _, reason in found)
    return msgspec.Raw(text)


class _Cleaner:
    """Removes secrets from an object in place and notes their paths."""

    def __init__(self, removed: list[str]) -> None:
        self._removed = removed

    def clean(self, value: Json, kind: str, path: Path) -> None:
        """Clean an item of a list of this kind (plural, lower case, perhaps with its API group)."""
        if isinstance(value, dict):
            own = value.get("kind")
            kind = own.lower() + "s" if isinstance(own, str) else kind.partition(".")[0].lower()
            if kind == "configmaps":
                self._config_map(value, path)
            elif kind == "secrets":
                for field in ("data", "stringData"):
                    self._blank_all(value, field, path, "data of a Secret")
        self._walk(value, path)

    def _walk(self, value: Json, path: Path, *, labels: bool = False) -> None:
        if isinstance(value, list):
            for number, item in enumerate(value):
                if isinstance(item, dict | list):
                    self._walk(item, (path, number))
            return
        if not isinstance(value, dict):
            return
        if value.pop("managedFields", None) is not None:
            self._note((path, "managedFields"), "who changed which field, dropped")
        for key, item in value.items():
            here = (path, key)
            if isinstance(item, str):
                if names_secret(key) and not labels:
                    self._put(value, key, REMOVED, here, "secret by its name")
            elif key == "annotations" and isinstance(item, dict):
                self._annotations(item, here)
            elif key in {"env", "httpHeaders"} and isinstance(item, list):
                self._named_values(item, here)
            elif key in {"args", "command"} and isinstance(item, list):
                self._arguments(item, here)
            else:
                self._walk(item, here, labels=key in _LABELS)

    def _annotations(self, annotations: dict[str, Json], path: Path) -> None:
        for name, value in annotations.items():
            here = (path, name)
            if not isinstance(value, str):
                self._walk(value, here)
            elif name == NEVER_KEPT_ANNOTATION:
                self._put(annotations, name, REMOVED, here, "the whole object once more")
            elif names_secret(name) or long_secret(name, value):
                self._put(annotations, name, REMOVED, here, "secret by its name")
            elif len(value) > LARGE_ANNOTATION and not annotation_is_known(name):
                self._put(annotations, name, REMOVED, here, "large annotation of an unknown program")
            else:
                self._text(annotations, name, value, here, _TEXT)

    def _named_values(self, entries: list[Json], path: Path) -> None:
        """``env`` and ``httpHeaders``: lists of name and value."""
        for number, entry in enumerate(entries):
            here = ((path, number), "value")
            name = entry.get("name") if isinstance(entry, dict) else None
            value = entry.get("value") if isinstance(entry, dict) else None
            if isinstance(name, str) and isinstance(value, str) and env_is_needed(name):
                self._text(entry, "value", value, here, _TEXT)
            elif isinstance(value, str) and value:
                self._put(entry, "value", REMOVED, here, f"value of {name}")
            self._walk(entry, (path, number))

    def _arguments(self, words: list[Json], path: Path) -> None:
        """``args`` and ``command``: flags with secrets, alone or in a script."""
        follows = ""
        for number, word in enumerate(words):
            here = (path, number)
            if not isinstance(word, str):
                self._walk(word, here)
                continue
            name, equals, value = word.partition("=")
            flag = name.startswith("-") and " " not in name
            if (follows == "secret" and not flag) or (follows == "user" and ":" in word):
                self._put(words, number, REMOVED, here, "argument of a flag")
            elif equals and value and names_secret(name) and not any(char.isspace() for char in name):
                self._put(words, number, f"{name}={REMOVED}", here, "argument of a flag")
            else:
                self._text(words, number, word, here, _SCRIPT)
            follows = _what_follows(name) if flag and not equals else ""

    def _config_map(self, value: dict[str, Json], path: Path) -> None:
        self._blank_all(value, "binaryData", path, "binary data of a ConfigMap")
        metadata = value.get("metadata")
        config_map = str(metadata.get("name", "")) if isinstance(metadata, dict) else ""
        data = value.get("data")
        for key, text in data.items() if isinstance(data, dict) else ():
            here = ((path, "data"), key)
            if not config_is_needed(config_map, key):
                if text != "":
                    self._put(data, key, REMOVED, here, "value of a ConfigMap that the network does not need")
            elif isinstance(text, str):
                dns = key == "Corefile" or key.endswith((".server", ".override"))
                self._text(data, key, text, here, (*_TEXT, *COREFILE) if dns else _TEXT)

    def _blank_all(self, value: dict[str, Json], field: str, path: Path, why: str) -> None:
        data = value.get(field)
        for key in data if isinstance(data, dict) else ():
            self._put(data, key, REMOVED, ((path, field), key), why)

    def _text(self, holder: Json, key: Json, text: str, path: Path, rules: tuple[Rule, ...]) -> None:
        content, found = remove(text.encode(), rules)
        if found:
            self._put(holder, key, content.decode(), path, found[0][1])

    def _put(self, holder: Json, key: Json, text: str, path: Path, why: str) -> None:
        if holder[key] != text:
            holder[key] = text
            self._note(path, why)

    def _note(self, path: Path, why: str) -> None:
        self._removed.append(f"{_written(path)}: {why}")


def _what_follows(flag: str) -> str:
    """What the next word is: a secret, perhaps user:password, or nothing special."""
    return "secret" if names_secret(flag) else "user" if flag in {"-u", "--user"} else ""


def _written(path: Path) -> str:
    """``items[3].spec.containers[0].env[2].value``; a key that is no plain word is quoted."""
    if not path:
        return "$"
    parent, key = path
    start = _written(parent) if parent else ""
    if isinstance(key, int):
        return f"{start}[{key}]"
    plain = re.fullmatch(r"[\w\[\]]+", key) is not None
    return (f"{start}.{key}" if start else key) if plain else f"{start}[{key!a}]"
