"""Random rule sets of fixed seeds: the kernel's verdict and the address the server sees, against ours."""

from random import Random

import pytest

from tests.kernel.fuzz import Arena, arena, shown
from tests.kernel.grammar import draw

SEEDS = range(1000, 1040)


@pytest.fixture(scope="module")
def here():
    """One router for all rule sets."""
    with arena() as made:
        yield made


@pytest.mark.parametrize("seed", SEEDS)
def test_the_kernel_and_the_tracer_agree(here: Arena, seed):
    lines = draw(Random(seed))
    differences = here.differences(lines)
    if differences:
        pytest.fail(shown(here.smaller(lines, differences[0]), differences[0]), pytrace=False)
