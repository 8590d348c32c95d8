"""A bundle on disk becomes a ``Network``; what did not come is told with the reason."""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import takewhile

from podpath.assemble.network import build_network
from podpath.bundle import Bundle, open_bundle
from podpath.bundle.manifest import SourceStatus
from podpath.cli.errors import UsageError
from podpath.demo import demo_bundle_path
from podpath.model.network import Network
from podpath.model.origin import Origin

VARIABLE = "PODPATH_BUNDLE"
"""Names the bundle for commands that are called without one."""
DEMO = "demo"
"""A bundle of this name is the packaged one, if no file has the name."""
NEEDED_LISTS = ("nodes", "pods", "services", "endpointslices", "networkpolicies")
"""Without these, promises cannot be read."""

Progress = Callable[[str, int, int], None]


class Files(Mapping[str, bytes]):
    """The files of a bundle by path, read when they are asked for."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle

    @cached_property
    def paths(self) -> Sequence[str]:
        """All paths, sorted."""
        return self._bundle.files()

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self.paths)

    def __getitem__(self, path: str) -> bytes:
        content = self._bundle.get(path) if path in self._known else None
        if content is None:
            raise KeyError(path)
        return content

    def __contains__(self, path: object) -> bool:
        return path in self._known

    def __iter__(self) -> Iterator[str]:
        return iter(self.paths)

    def __len__(self) -> int:
        return len(self.paths)

    def under(self, prefix: str) -> Iterator[str]:
        """The paths that begin so."""
        start = bisect_left(self.paths, prefix)
        return takewhile(
            lambda path: path.startswith(prefix), (self.paths[i] for i in range(start, len(self)))
        )


def load(place: str, progress: Progress = lambda _what, _done, _all: None) -> Network:
    """The network of the bundle at a place (or of the packaged one)."""
    if place == DEMO and not os.path.exists(place):  # noqa: PTH110  a look, not a path to work with
        with demo_bundle_path() as path:
            return _load(os.fspath(path), progress)
    return _load(place, progress)


def _load(place: str, progress: Progress) -> Network:
    bundle = open_bundle(place)
    name = (bundle.manifest.cluster if bundle.manifest else "") or bundle.name
    network = build_network(name, Files(bundle), missing=failed_sources(bundle), progress=progress)
    return replace(network, missing=(*network.missing, *absent(network)))


def failed_sources(bundle: Bundle) -> tuple[Origin, ...]:
    """Sources that the manifest says were asked for and failed."""
    sources = bundle.manifest.sources if bundle.manifest else {}
    return tuple(
        Origin(path, 0, reason)
        for path, status in sources.items()
        if (reason := _why_failed(status)) is not None
    )


def _why_failed(status: SourceStatus) -> str | None:
    if status.error:
        return status.error
    return f"exit status {status.exit_status}" if status.exit_status else None


def absent(network: Network) -> Iterator[Origin]:
    """Whole nodes and lists of objects without which promises cannot be walked or read."""
    told = {origin.file for origin in network.missing}
    for name in NEEDED_LISTS:
        known = any(file.startswith(f"api/{name}.") for file in told)
        if not network.cluster.has(name) and not known:
            yield Origin(f"api/{name}", 0, "not in the bundle")
    for node in sorted(network.cluster.nodes):
        if node not in network.nodes:
            yield Origin(f"nodes/{node}/state", 0, "nothing of this node is in the bundle")


def bundle_named(arguments: Sequence[str], others: int, usage: str) -> tuple[str, tuple[str, ...]]:
    """The bundle's place and the other arguments; where there are just ``others``, the environment names it."""
    if len(arguments) > others:
        return arguments[0], tuple(arguments[1:])
    given = os.environ.get(VARIABLE, "")
    if not given:
        raise UsageError(f"which bundle? {usage}, or set {VARIABLE} to the path of one")
    return given, tuple(arguments)
