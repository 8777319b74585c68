"""Kernels over pairs of rows that share a sequence never wait for the device."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gpudb.kernels.attention_context import attention_context
from gpudb.kernels.attention_scores import attention_scores
from gpudb.kernels.pair_softmax import pair_softmax
from tests.cuda.backends import emulated
from tests.tiny_plans import offsets_of


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
@pytest.mark.parametrize("lengths", [[], [0], [1], [3, 0, 5, 2]], ids=str)
def test_attention_in_steps_copies_nothing_to_the_host(
    lengths: list[int], dtype: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.cuda.standin import array

    heads, scale = 2, 0.5
    offsets, pairs = offsets_of(lengths).astype(dtype), sum(n * n for n in lengths)
    random = np.random.default_rng(0)
    q, k, v = random.standard_normal((3, sum(lengths), 6)).astype(np.float32)

    def refused(*args: Any, **options: Any) -> None:
        raise AssertionError("an array was copied to the host")

    with emulated() as backend:
        q_there, k_there, v_there, there = (backend.to_device(x) for x in (q, k, v, offsets))
        with monkeypatch.context() as patched:
            patched.setattr(array.ndarray, "get", refused)
            scores = backend.call(attention_scores, q_there, k_there, there, pairs, heads, scale)
            weights = backend.call(pair_softmax, scores, there)
            found = backend.call(attention_context, weights, v_there, there)
            with pytest.raises(AssertionError, match="copied to the host"):
                backend.to_host(found)
        found = backend.to_host(found)
    scores = attention_scores.reference(q, k, offsets, pairs, heads, scale)
    want = attention_context.reference(pair_softmax.reference(scores, offsets), v, offsets)
    np.testing.assert_allclose(found, want, rtol=1e-5, atol=1e-6)
