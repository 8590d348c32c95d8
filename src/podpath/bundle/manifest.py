"""``manifest.json``: what was asked of the cluster, what came back and what did not."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from podpath.bundle.errors import BundleError
from podpath.bundle.layout import MANIFEST

SCHEMA = "podpath.bundle/v1"
"""The schema that is written. A reader accepts every ``podpath.bundle/v1`` and ``v1.*``, and ignores what it does not
know; another number in front means that names were given another meaning."""


class SourceStatus(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one source.

    ``asked`` is the command line or the API path, ``seconds`` how long it took, ``bytes`` the size of what came back
    (before redaction), ``error`` why there is nothing or not everything. None: not known, or not applicable.
    """

    asked: str
    exit_status: int | None = None
    seconds: float | None = None
    bytes: int | None = None
    error: str | None = None


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The manifest. ``created`` is RFC 3339 (``2026-11-25T01:46:31Z``), ``sources`` goes by path in the bundle."""

    schema: str = SCHEMA
    tool_version: str = ""
    created: str
    cluster: str = ""
    sources: dict[str, SourceStatus] = {}


class _Head(msgspec.Struct):
    """What is read first: whether the rest can be."""

    schema: str


def decode(content: bytes, file: str = MANIFEST) -> Manifest:
    """The manifest in ``content``; ``BundleError`` if it is none, or one of another major version."""
    try:
        schema = msgspec.json.decode(content, type=_Head).schema
        if schema != SCHEMA and not schema.startswith(SCHEMA + "."):
            raise BundleError(
                f"{file}: its schema is {schema!r} and this podpath reads {SCHEMA!r}: "
                "use the version of podpath that wrote the bundle, or collect again"
            )
        manifest = msgspec.json.decode(content, type=Manifest)
        created_at(manifest, file)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BundleError(
            f"{file}: not a manifest ({error}): collect again, or remove the file to read the bundle without it"
        ) from error
    return manifest


def encode(manifest: Manifest) -> bytes:
    """The bytes of ``manifest.json``: indented JSON, sources sorted by path, a line feed at the end."""
    ordered = msgspec.structs.replace(manifest, sources=dict(sorted(manifest.sources.items())))
    return msgspec.json.format(msgspec.json.encode(ordered), indent=1) + b"\n"


def created_at(manifest: Manifest, file: str = MANIFEST) -> int:
    """When the bundle was made, in seconds since 1970 UTC; ``BundleError`` if ``created`` is not RFC 3339."""
    try:
        when = datetime.fromisoformat(manifest.created)
        return int((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError) as error:
        raise BundleError(
            f'{file}: "created" is {manifest.created!r}, not a time as in 2026-11-25T01:46:31Z (RFC 3339)'
        ) from error
