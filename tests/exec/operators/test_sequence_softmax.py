from __future__ import annotations

import numpy as np
import pytest

from gpudb.plan.sequence import SequenceSoftmax
from tests.dense import dense
from tests.tiny_plans import Arrays, compute, prepared

OFFSETS = [
    (0,),
    (0, 1),
    (0, 3, 4, 9),
    (0, 4, 8),
    (0, 0, 5, 5, 7, 7),
    tuple(range(12)),
    (0, 11),
]


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("block", [(4, 1, 4), (3, 2, 3), (1, 1, 1), (50, 3, 50)])
@pytest.mark.parametrize("offsets", OFFSETS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_softmax_within_sequences(offsets, block, sparse, dtype) -> None:
    tokens = offsets[-1]
    random = np.random.default_rng(len(offsets))
    x = (30 * random.standard_normal((tokens, 3, tokens))).astype(dtype)
    if sparse:
        x[: tokens // 2, 1] = 0  # scores of zero take part all the same
    arrays = Arrays()
    plan = SequenceSoftmax(arrays.scan("x", x, block, sparse=sparse), offsets)
    expected = dense(plan, arrays.dense)
    # A difference of scores near 100 is rounded to 2^-17 in float32, and exp passes that on.
    tolerance = 1e-5 if dtype == "float32" else 1e-13
    np.testing.assert_allclose(compute(plan, arrays), expected, rtol=tolerance, atol=1e-37)


def test_blocks_without_a_shared_sequence_are_not_there() -> None:
    arrays = Arrays()
    plan = SequenceSoftmax(arrays.scan("x", np.ones((8, 1, 8)), (2, 1, 2)), (0, 2, 5, 8))
    ready = prepared(plan, arrays)
    pairs = {(int(i), int(j)) for i, _, j in ready.joined[-1].keys}
    assert pairs == {(0, 0), (1, 1), (1, 2), (2, 1), (2, 2), (2, 3), (3, 2), (3, 3)}
    assert ready.joined[-1].pairing.skipped == 8


def test_huge_scores_and_a_row_of_minus_infinity() -> None:
    arrays = Arrays()
    x = np.array([[1e4, -1e4, 1e4], [-np.inf, 0, 0], [-np.inf, -np.inf, 2]], np.float32)
    plan = SequenceSoftmax(arrays.scan("x", x[:, None, :], (2, 1, 2)), (0, 3))
    expected = [[0.5, 0, 0.5], [0, 0.5, 0.5], [0, 0, 1]]
    np.testing.assert_allclose(compute(plan, arrays)[:, 0], expected, atol=1e-7)
