"""Random rule sets of fixed seeds: the kernel's verdict and the address the server sees, against ours."""

from collections.abc import Iterator

import pytest

from tests.kernel.fuzz import PLACES, Arena, arena, shown

SEEDS = range(1000, 1020)


@pytest.fixture(scope="module")
def here(place: str) -> Iterator[Arena]:
    """One network for all rule sets of a place."""
    with arena(place) as made:
        yield made


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("place", PLACES, scope="module")
def test_the_kernel_and_the_tracer_agree(here: Arena, seed):
    lines = here.draw(seed)
    differences = here.differences(lines)
    if differences:
        pytest.fail(shown(here.smaller(lines, differences[0]), differences[0]), pytrace=False)
