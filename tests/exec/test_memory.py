"""What a plan says it will hold, against what NumPy really allocates."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

from gpudb.errors import MemoryBudgetError
from gpudb.kernels.rows import PIECE_NBYTES
from gpudb.plan.rules import NEEDED, RULES
from gpudb.plan.tensor import Map, Matmul, Zip
from tests.tiny_plans import Arrays, Encoder, bert_encoder, prepared, torch_encoder

SLACK = 4 * PIECE_NBYTES + (64 << 10)
"""What a kernel keeps in the cache for its piece (GELU: four arrays), and Python objects."""

WIDE: dict[str, Any] = {"hidden_size": 64, "intermediate_size": 256, "num_attention_heads": 4}


def traced_peak(encoder: Encoder, rules: Any) -> tuple[int, int]:
    """Bytes the run allocated at most, and bytes it was projected to hold."""
    plan = prepared(encoder.plan, encoder.arrays, rules)
    plan.run(encoder.inputs, encoder.sizes)  # what is made once and kept, e.g. by BLAS
    tracemalloc.start()
    try:
        plan.run(encoder.inputs, encoder.sizes)
        return tracemalloc.get_traced_memory()[1], plan.peak_nbytes(encoder.sizes)
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("rules", [RULES, NEEDED], ids=["all rules", "needed rules"])
@pytest.mark.parametrize(
    "lengths",
    [[256] * 8, [1] * 4000, [3, 500, 40, 1, 1, 77] * 4, [1024]],
    ids=["even", "ones", "odd", "one"],
)
def test_a_run_of_bert_holds_no_more_than_projected(lengths: list[int], rules: Any) -> None:
    encoder = bert_encoder(lengths, max_position_embeddings=1024, **WIDE)
    found, projected = traced_peak(encoder, rules)
    assert found <= projected + SLACK
    assert projected <= 2 * found + SLACK  # or the limit would refuse what fits


@pytest.mark.parametrize("norm_first", [False, True])
def test_a_run_of_a_torch_encoder_holds_no_more_than_projected(norm_first: bool) -> None:
    encoder = torch_encoder([200, 7, 300], d_model=64, nhead=4, norm_first=norm_first)
    found, projected = traced_peak(encoder, RULES)
    assert found <= projected + SLACK


def test_results_are_freed_when_nobody_needs_them() -> None:
    arrays = Arrays()
    a = arrays.scan("a", np.ones((100, 100)))
    plan: Any = Matmul(a, a)
    for _ in range(10):
        plan = Map(plan, "tanh")
    ready = prepared(plan, arrays, NEEDED)
    one = 100 * 100 * 8
    assert ready.resident_nbytes == one
    assert 2 * one <= ready.peak_nbytes({}) < 5 * one  # a step's input and its result, not all ten


def test_a_result_that_is_read_late_is_held_until_then() -> None:
    arrays = Arrays()
    a = arrays.scan("a", np.ones((100, 100)))
    early: Any = Matmul(a, a)
    late = Map(Map(Map(early, "exp"), "exp"), "exp")
    one = 100 * 100 * 8
    assert prepared(Zip(early, late, "add"), arrays, NEEDED).peak_nbytes({}) >= 3 * one


def test_row_panels_are_resident_without_a_copy() -> None:
    arrays = Arrays()
    a = arrays.scan("a", np.ones((100, 10)), (25, 10))
    ready = prepared(Matmul(a, arrays.scan("b", np.ones((10, 10)))), arrays)
    assert ready.resident_nbytes == 1000 * 8 + 100 * 8


def test_what_does_not_fit_is_refused_with_both_numbers() -> None:
    arrays = Arrays()
    plan: Any = Map(arrays.scan("a", np.ones((100, 100))), "exp")
    ready = prepared(plan, arrays, NEEDED)
    needed = ready.place({}, 1 << 30).needed_nbytes
    ready.place({}, needed).check("this")
    least = min(limit for limit in range(needed // 2, needed + 1, 1000) if _fits(ready, limit))
    message = r"this needs [\d,]+ bytes, memory_limit is 1,000 bytes .*; raise memory_limit"
    with pytest.raises(MemoryBudgetError, match=message):
        ready.place({}, 1000).check("this")
    assert least > 1000


def _fits(ready: Any, limit: int) -> bool:
    return bool(ready.place({}, limit).mode != "refused")
