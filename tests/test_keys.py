"""Keys of blocks whose rows share a sequence, against every pair of rows."""

from __future__ import annotations

from itertools import pairwise

import pytest

from gpudb.keys import check_tests, in_shared_sequences

OFFSETS = [
    (0,),
    (0, 0),
    (0, 1),
    (0, 3, 4, 9),
    (0, 4, 8),
    (0, 0, 5, 5, 7, 7),
    (0, 2, 2, 2, 3, 3, 11),
    tuple(range(12)),
    (0, 11),
]


@pytest.mark.parametrize("step", [1, 2, 3, 4, 11, 50])
@pytest.mark.parametrize("offsets", OFFSETS)
def test_blocks_meet_where_two_rows_share_a_sequence(offsets: tuple[int, ...], step: int) -> None:
    sequences = (range(start, stop) for start, stop in pairwise(offsets))
    pairs = {(i // step, j // step) for rows in sequences for i in rows for j in rows}
    test = in_shared_sequences(offsets, step)
    assert test == ((0, 2), "in", tuple(sorted(pairs)))
    check_tests((test,), 3)  # plain numbers of Python, which a plan can be stored with
