"""A bundle of a broken cluster that comes with podpath, for ``podpath demo``.

Captured from a real Kubernetes 1.36 (``host-firewall-drops-vxlan`` of tests/corpus): flannel's VXLAN between three
nodes, and a firewall on one of them that drops UDP 8472.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import as_file, files
from pathlib import Path


@contextmanager
def demo_bundle_path() -> Iterator[Path]:
    """The path of the packed bundle, good within the ``with`` block (podpath itself may lie in a zip file)."""
    with as_file(files("podpath.demo") / "broken.tar.xz") as path:
        yield path
