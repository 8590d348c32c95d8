"""Parts that the JSON outputs share."""

from __future__ import annotations

import msgspec

from podpath.model.finding import Fix
from podpath.model.origin import Origin


class JsonEvidence(msgspec.Struct, frozen=True, omit_defaults=False):
    """A line of the bundle. ``node`` is null for objects of the API, ``line`` 0 for what is not there."""

    node: str | None
    source: str
    line: int
    text: str


class JsonFix(msgspec.Struct, frozen=True):
    """What to do."""

    summary: str
    risk: str
    steps: list[str]


def json_evidence(origin: Origin) -> JsonEvidence:
    """An origin, taken apart."""
    return JsonEvidence(origin.node or None, clean(origin.source), origin.line, clean(origin.text))


def json_fix(fix: Fix | None) -> JsonFix | None:
    """A fix in words."""
    return (
        JsonFix(clean(fix.summary), clean(fix.risk), [clean(step) for step in fix.steps])
        if fix is not None
        else None
    )


def clean(text: str) -> str:
    """Text that JSON can hold: halves of surrogates (bytes that are no UTF-8) become escapes."""
    if text.isascii():
        return text
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def encode(value: object) -> str:
    """Indented JSON, with a line feed at its end."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n"
