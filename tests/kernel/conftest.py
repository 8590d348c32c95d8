"""Tests that ask the kernel: they need root and the tools, and say so where they are skipped."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kernel.lab import remove_leftovers, why_not
from tests.kernel.topologies import Scene, scene

HERE = Path(__file__).parent
_REASON = why_not()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs the kernel, with the reason, where it cannot be asked."""
    if not _REASON:
        return
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.skip(reason=_REASON))


@pytest.fixture(scope="session", autouse=True)
def _swept() -> None:
    """What dead processes left is removed before the first test."""
    remove_leftovers()


@pytest.fixture
def one() -> Iterator[Scene]:
    """An empty scene."""
    with scene() as made:
        yield made
