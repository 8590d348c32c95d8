"""Real evidence to begin with, from the packed clusters, cut down so that a mutation hits something."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from functools import lru_cache
from itertools import islice
from typing import Any

from tests.scenarios.bundles import packed

BUNDLES = ("dual-healthy", "nft-kube-router-healthy", "coredns-upstream-dead", "nft-foreign-nft-drop")
"""Both back ends, both families, IP sets, policies, real logs."""
MOST_BYTES = 6000
"""Of a sample."""
MOST_SAMPLES = 4
"""Of a parser, from each bundle."""
LISTS = ("items", "nftables")


@lru_cache(maxsize=256)
def samples(*patterns: str) -> tuple[tuple[str, bytes], ...]:
    """Distinct files whose path in a bundle matches, each as its path and a small part of its content."""
    found: dict[bytes, str] = {}
    for bundle in BUNDLES:
        matching = (
            one for one in packed(bundle) if any(fnmatchcase(one[0], pattern) for pattern in patterns)
        )
        small = ((path, trimmed(content)) for path, content in matching if content)
        new = ((path, content) for path, content in small if content not in found)
        found |= {content: path for path, content in islice(new, MOST_SAMPLES)}
    return tuple((path, content) for content, path in found.items())


def trimmed(content: bytes, most: int = MOST_BYTES) -> bytes:
    """A file of at most so many bytes: of JSON the entries that differ in shape, of text lines from all over."""
    if len(content) <= most:
        return content
    try:
        document = json.loads(content)
    except ValueError:
        return _some_lines(content, most)
    if isinstance(document, list):
        return json.dumps(_some_entries(document, most), indent=1).encode()
    for key in LISTS:
        if isinstance(document.get(key), list):
            return json.dumps({**document, key: _some_entries(document[key], most)}, indent=1).encode()
    return content[:most]


def _some_lines(content: bytes, most: int) -> bytes:
    """Lines from the beginning, and then of each beginning a few."""
    lines = content.split(b"\n")
    seen: dict[bytes, int] = {}
    kept, size = [], 0
    for number, line in enumerate(lines):
        start = line[:14]
        seen[start] = seen.get(start, 0) + 1
        always = line in (b"COMMIT", b"") or line.startswith(b"*")
        if always or (size + len(line) < most and (number < 10 or seen[start] <= 2)):
            kept.append(line)
            size += len(line) + 1
    return b"\n".join(kept)


def _some_entries(entries: list[Any], most: int) -> list[Any]:
    """Entries of a shape that none before them has, as long as there is room."""
    kept: list[Any] = []
    shapes: set[str] = set()
    size = 0
    for entry in sorted(entries, key=lambda one: len(json.dumps(one)) > most // 3):
        shape = repr(_shape(entry))
        length = len(json.dumps(entry))
        if shape not in shapes and (not kept or size + length < most):
            shapes.add(shape)
            kept.append(entry)
            size += length
    return kept


def _shape(value: Any, depth: int = 5) -> Any:
    if isinstance(value, dict):
        return {key: _shape(inner, depth - 1) for key, inner in sorted(value.items())} if depth else "{}"
    if isinstance(value, list):
        return [_shape(inner, depth - 1) for inner in value[:2]] if depth else "[]"
    return type(value).__name__
