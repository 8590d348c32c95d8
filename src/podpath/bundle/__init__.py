"""The bundle on disk: its layout, its manifest, reading and writing it.

A bundle is a folder, or a tar archive of one, with the state of nodes and the objects of the API in it. This package
knows paths, bytes and what must not leave the cluster; what the bytes say is ``parse``'s to know.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from podpath.bundle.errors import BundleError
from podpath.bundle.manifest import Manifest, SourceStatus
from podpath.bundle.reader import Bundle, open_bundle

if TYPE_CHECKING:
    from podpath.bundle.redaction import redact
    from podpath.bundle.writer import write_bundle

__all__ = ["Bundle", "BundleError", "Manifest", "SourceStatus", "open_bundle", "redact", "write_bundle"]


def __getattr__(name: str) -> object:
    """Import what only writes when it is asked for (PEP 562): reading starts in half the time."""
    if name == "redact":
        from podpath.bundle.redaction import redact

        return redact
    if name == "write_bundle":
        from podpath.bundle.writer import write_bundle

        return write_bundle
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
