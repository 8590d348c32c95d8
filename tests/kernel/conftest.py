"""Tests that ask the kernel: they need root and the tools, and say so where they are skipped."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kernel.lab import remove_leftovers, why_not
from tests.kernel.topologies import Scene, scene

HERE = Path(__file__).parent
_REASON = why_not()
_swept = False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs the kernel, with the reason, where it cannot be asked."""
    if not _REASON:
        return
    for item in items:
        if HERE in item.path.parents and "kernel" in item.keywords:
            item.add_marker(pytest.mark.skip(reason=_REASON))


@pytest.fixture
def one() -> Iterator[Scene]:
    """An empty scene."""
    global _swept  # noqa: PLW0603  once a process
    if not _swept:
        remove_leftovers()
        _swept = True
    with scene() as made:
        yield made
