"""Whatever becomes of real evidence on its way: facts, what was not understood, or one error; nothing lost in silence."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.mutations import OPERATIONS, PIECES, SIZES, Edit, mutated, random_edits
from tests.fuzz.parsers import ROWS

EXAMPLES = 100
EXAMPLES_IF_SLOW = 10
EDITS = st.lists(
    st.builds(
        Edit,
        st.integers(0, len(OPERATIONS) - 1),
        st.floats(0, 1),
        st.integers(0, SIZES - 1),
        st.sampled_from(PIECES) | st.binary(max_size=6),
    ),
    min_size=1,
    max_size=3,
)
EACH = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
QUICK = pytest.mark.parametrize("row", [row for row in ROWS if not row.slow], ids=lambda row: row.name)


@EACH
def test_real_evidence_is_read_and_nothing_of_it_lost(row):
    for seed in row.seeds()[: 3 if row.slow else None]:
        row.run(seed)


@EACH
def test_damaged_evidence_is_read_and_nothing_of_it_lost(row):
    seeds = row.seeds()
    examples = EXAMPLES_IF_SLOW if row.slow else EXAMPLES

    @settings(max_examples=examples, suppress_health_check=list(HealthCheck))
    @given(st.integers(0, len(seeds) - 1), EDITS)
    def damaged(which, edits):
        row.run(mutated(seeds[which], edits))

    damaged()


@QUICK
@settings(max_examples=30)
@given(data=st.binary(max_size=300) | st.text(max_size=200).map(lambda text: text.encode(errors="replace")))
def test_any_bytes_are_read_or_refused(row, data):
    row.run(data)


def test_a_seed_always_makes_the_same_edits():
    assert random_edits(7) == random_edits(7)
    assert mutated(b"a b\n", []) == b"a b\n"
