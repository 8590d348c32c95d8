"""Reading a bundle, whether it is a folder or an archive."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from functools import cached_property
from types import TracebackType
from typing import Protocol, Self

from podpath.bundle.errors import BundleError
from podpath.bundle.folder import Folder, printable
from podpath.bundle.layout import API, MANIFEST, NODES, PODS
from podpath.bundle.manifest import Manifest, SourceStatus, decode
from podpath.bundle.paths import normal, objection

SUFFIXES = (".tar.zst", ".tar.xz", ".tar.gz", ".tzst", ".txz", ".tgz", ".tar")
EXPECTED = "expected a bundle with nodes/ or api/ in it, as podpath collect writes it"


class Store(Protocol):
    """Where the files are: a ``Folder`` or a ``Packed`` archive."""

    def folders(self, under: str, /) -> list[str]:
        """Names of the folders directly in ``under`` (which is empty or ends with a slash), sorted."""
        ...

    def files(self, under: str, /) -> list[str]:
        """Paths of all files below ``under``, at any depth, sorted."""
        ...

    def read(self, path: str, /) -> bytes | None:
        """The content of a file; None if there is none of that path."""
        ...

    def close(self) -> object:
        """Give back what is held."""
        ...


class Bundle:
    """Node state and API objects, by path. Paths are relative and POSIX: ``nodes/n1/ss``, ``api/pods.json``.

    Whatever cannot be read raises ``BundleError``. A bundle that came from an archive holds memory or a temporary file
    until it is closed (it is a context manager) or forgotten.
    """

    def __init__(self, name: str, store: Store, place: str = "") -> None:
        self.name = name
        """Base name of the folder or archive, without suffix."""
        self._store = store
        self._place = place or name
        content = store.read(MANIFEST)
        self.manifest: Manifest | None = (
            decode(content, f"{self._place}: {MANIFEST}") if content is not None else None
        )
        """What was asked and what came back; None: not known, and what is absent was not collected."""

    @cached_property
    def _files(self) -> tuple[str, ...]:
        return tuple(self._store.files(""))

    def files(self) -> Sequence[str]:
        """Paths of all files, sorted. In a large folder this takes a while; the methods below do not need it."""
        return self._files

    def read(self, path: str) -> bytes:
        """The content of a file; ``BundleError`` if it is not there."""
        content = self.get(path)
        if content is None:
            raise BundleError(f"{self._place}: there is no file {path}{self._reason(path)}")
        return content

    def get(self, path: str) -> bytes | None:
        """The content of a file, or None if there is none of that path."""
        return self._store.read(normal(self._checked(path)))

    def nodes(self) -> tuple[str, ...]:
        """Names of the nodes, sorted."""
        return tuple(self._store.folders(NODES))

    def node_sources(self, node: str) -> tuple[str, ...]:
        """What was printed on a node, relative to its folder (``ss``, ``cni-net.d/10-x.conflist``); no Pods."""
        return tuple(name for name in self._names(f"{NODES}{node}/") if not name.startswith(PODS))

    def pods(self, node: str) -> tuple[str, ...]:
        """Folder names (``<namespace>.<pod>``) of a node's Pods, sorted."""
        return tuple(self._store.folders(self._checked(f"{NODES}{node}/{PODS}")))

    def pod_sources(self, node: str, pod: str) -> tuple[str, ...]:
        """What was printed inside a Pod's network namespace, relative to its folder."""
        return tuple(self._names(f"{NODES}{node}/{PODS}{pod}/"))

    def api_kinds(self) -> tuple[str, ...]:
        """Kinds of API objects: ``pods``, ``endpointslices.discovery.k8s.io``, sorted."""
        names = (name for name in self._names(API) if name.endswith(".json") and "/" not in name)
        return tuple(name.removesuffix(".json") for name in names)

    def status(self, path: str) -> SourceStatus | None:
        """What became of a source, or None if the manifest does not tell."""
        return self.manifest.sources.get(path) if self.manifest else None

    def close(self) -> None:
        """Give back memory and temporary files; nothing can be read afterwards."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Bundle({self._place!r})"

    def _names(self, folder: str) -> list[str]:
        """Paths of all files below a folder, relative to it."""
        return [path.removeprefix(folder) for path in self._store.files(self._checked(folder))]

    def _checked(self, path: str) -> str:
        if wrong := objection(path):
            raise BundleError(
                f"{self._place}: {printable(path)} {wrong}: nothing in a bundle can have this path"
            )
        return path

    def _reason(self, path: str) -> str:
        status = self.status(path)
        if status is None:
            return "" if self.manifest else " (and no manifest that would say why)"
        return f": {status.asked} gave {status.error or f'exit status {status.exit_status}'}"


def open_bundle(path: str | os.PathLike[str]) -> Bundle:
    """The bundle in a folder or in a tar archive (plain, gzip, xz or zstd, told by content and not by name).

    Raises ``BundleError`` for what is not there, cannot be read, is damaged, unsafe or no bundle. A folder is listed
    and read as it is asked for; an archive is read at once (see ``archive.Limits``), and may hold the bundle in one
    folder of its own.
    """
    place = os.fspath(path)
    shown = printable(place)
    try:
        mode = os.stat(place).st_mode
        if stat.S_ISDIR(mode):
            folder = Folder(place)
            _expect_bundle(folder, shown)
            return Bundle(os.path.basename(folder.root), folder, shown)
        if not stat.S_ISREG(mode):
            raise BundleError(f"{shown} is neither a file nor a folder: {EXPECTED}")
        from podpath.bundle.archive import unpack  # brings tarfile and tempfile

        with open(place, "rb") as file:
            packed = unpack(file, shown)
    except FileNotFoundError as error:
        raise BundleError(f"there is no {shown or 'file without a name'}: {EXPECTED}") from error
    except PermissionError as error:
        raise BundleError(
            f"{shown} cannot be read (permission denied): read it as the user who collected it, or change its mode"
        ) from error
    except (OSError, ValueError) as error:
        raise BundleError(f"{shown} cannot be read ({error}): {EXPECTED}") from error
    packed.settle("")
    packed.settle(_top(packed, shown))
    return Bundle(_base_name(place), packed, shown)


def _base_name(place: str) -> str:
    name = os.path.basename(place)
    return next((name.removesuffix(suffix) for suffix in SUFFIXES if name.endswith(suffix)), name)


def _is_bundle(store: Store, under: str = "") -> bool:
    """Whether a folder holds a node or a kind of API objects; folders of these names alone make no bundle."""
    return bool(store.folders(under + NODES) or store.files(under + API))


def _expect_bundle(folder: Folder, shown: str) -> None:
    if _is_bundle(folder):
        return
    names = sorted(os.listdir(folder.root))
    inner = [name for name in names if os.path.isdir(os.path.join(folder.root, name, "nodes"))]
    if inner:
        hint = printable(os.path.join(shown, inner[0]))
        raise BundleError(
            f"{shown} has no nodes/ or api/ with content, but one inside has: did you mean {hint}?"
        )
    what = "has no nodes/ or api/ with content" if names else "is empty"
    raise BundleError(f"{shown} {what}: {EXPECTED}")


def _top(packed: Store, shown: str) -> str:
    """The folder of an archive that holds nodes/ or api/: empty, or a name and a slash."""
    if _is_bundle(packed):
        return ""
    inner = [name for name in packed.folders("") if _is_bundle(packed, f"{name}/")]
    if not inner:
        raise BundleError(f"{shown} has no nodes/ or api/ with content: {EXPECTED}")
    if len(inner) > 1:
        raise BundleError(
            f"{shown} holds {len(inner)} bundles ({', '.join(inner)}): unpack it and name one of them"
        )
    return inner[0] + "/"
