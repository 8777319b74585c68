"""Kernels over sequences against loops over sequences in float64."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpudb.kernels import attention as attention_module
from gpudb.kernels.attention import attention
from gpudb.kernels.attention_context import attention_context
from gpudb.kernels.attention_scores import attention_scores
from gpudb.kernels.distance_scores import distance_scores
from gpudb.kernels.pair_softmax import pair_softmax
from gpudb.kernels.pool import pool
from gpudb.kernels.sequences import equal_length_runs, pair_starts
from gpudb.plan.sequence import POOLINGS
from tests import reference_encoder
from tests.tiny_plans import offsets_of

LENGTHS = [
    [],
    [0],
    [1],
    [0, 0, 0],
    [1, 1, 1],
    [5],
    [3, 3, 3, 2, 2, 1],
    [2, 7, 0, 1, 7, 7, 0, 0, 3],
    [0, 4, 4, 0],
]
# Sums of a few dozen products of normal numbers, each rounded by 6e-8.
TOLERANCE: dict[str, dict[str, float]] = {
    "float32": {"rtol": 1e-5, "atol": 2e-6},
    "float64": {"rtol": 1e-12, "atol": 1e-13},
}
lengths_lists = st.lists(st.integers(0, 6), max_size=8)


def _random(shape: tuple[int, ...], dtype: str = "float32", seed: int = 0) -> Any:
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def _attention(q: Any, k: Any, v: Any, offsets: Any, heads: int) -> Any:
    out = np.zeros(v.shape)
    for a, b in pairwise(offsets):
        wide = (x[a:b].astype(np.float64) for x in (q, k, v))
        out[a:b] = reference_encoder.attention(*wide, heads)
    return out


def _scores(q: Any, k: Any, offsets: Any, heads: int, scale: float) -> Any:
    d = q.shape[1] // heads
    pairs = [
        [
            float(
                scale
                * np.dot(*(x[i, h * d : h * d + d].astype(float) for x, i in ((q, a), (k, b))))
            )
            for h in range(heads)
        ]
        for start, stop in pairwise(offsets)
        for a in range(start, stop)
        for b in range(start, stop)
    ]
    return np.array(pairs).reshape(-1, heads)


@given(lengths_lists)
def test_runs_cover_the_sequences_that_have_rows(lengths: list[int]) -> None:
    runs = list(equal_length_runs(offsets_of(lengths)))
    covered = [(i, run.length) for run in runs for i in range(run.first, run.first + run.count)]
    assert covered == [(i, n) for i, n in enumerate(lengths) if n]
    for run in runs:
        assert run.start == sum(lengths[: run.first])
        assert len(range(1000)[run.rows]) == run.count * run.length
    for left, right in pairwise(runs):
        between = lengths[left.first + left.count : right.first]
        assert left.length != right.length or between  # as long as they can be


@given(lengths_lists)
def test_pair_starts_count_the_pairs(lengths: list[int]) -> None:
    starts = pair_starts(offsets_of(lengths))
    assert starts.tolist() == [sum(n * n for n in lengths[:i]) for i in range(len(lengths) + 1)]


def test_pair_starts_do_not_overflow() -> None:
    offsets = np.array([0, 60_000, 120_000], np.int32)
    assert pair_starts(offsets)[-1] == 2 * 60_000**2


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("heads", [1, 2, 3])
@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
def test_attention(lengths: list[int], heads: int, dtype: str) -> None:
    offsets = offsets_of(lengths)
    q, k, v = _random((3, sum(lengths), heads * 4), dtype)
    found = attention.reference(q, k, v, offsets, heads, 4**-0.5)
    assert found.dtype == np.dtype(dtype)
    np.testing.assert_allclose(found, _attention(q, k, v, offsets, heads), **TOLERANCE[dtype])


@pytest.mark.parametrize("heads", [1, 2])
def test_attention_adds_the_bias_of_query_key_and_value(heads: int) -> None:
    lengths = [2, 7, 0, 1, 7]
    offsets = offsets_of(lengths)
    merged = _random((sum(lengths), 3 * 6))
    before = merged.copy()
    bias = _random((3 * 6,))
    scale = (6 // heads) ** -0.5
    found = attention.reference(*np.split(merged, 3, axis=1), offsets, heads, scale, bias=bias)
    expected = _attention(*np.split(merged + bias, 3, axis=1), offsets, heads)
    np.testing.assert_array_equal(merged, before)
    np.testing.assert_allclose(found, expected, **TOLERANCE["float32"])


def _by_distance(
    q: Any, k: Any, v: Any, offsets: Any, heads: int, relative: Any
) -> tuple[Any, Any]:
    """Scores of all pairs and contexts, in float64; the number of a distance looked up by loops."""
    most, d = relative.shape[1] // 2, q.shape[1] // heads
    pairs, context = [], np.zeros(v.shape)
    for start, stop in pairwise(offsets.tolist()):
        scores = np.zeros((heads, stop - start, stop - start))
        for h, i, j in np.ndindex(*scores.shape):
            columns = slice(h * d, h * d + d)
            product = np.dot(q[start + i, columns].astype(float), k[start + j, columns])
            distance = max(-most, min(most, j - i))
            scores[h, i, j] = 0.7 * product + relative[h % len(relative), distance + most]
        pairs.append(scores.transpose(1, 2, 0).reshape(-1, heads))
        weights = np.exp(scores - scores.max(axis=-1, keepdims=True, initial=-np.inf))
        weights /= weights.sum(axis=-1, keepdims=True)
        for h in range(heads):
            columns = slice(h * d, h * d + d)
            context[start:stop, columns] = weights[h] @ v[start:stop, columns]
    return np.concatenate([np.zeros((0, heads)), *pairs]), context


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (1, 5), (2, 13), (2, 15)], ids=str)
@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
def test_what_is_added_by_distance(lengths: list[int], shape: tuple[int, int], dtype: str) -> None:
    offsets = offsets_of(lengths)
    q, k, v = _random((3, sum(lengths), 2 * 4), dtype)
    relative = _random(shape, dtype, seed=1)
    pairs, context = _by_distance(q, k, v, offsets, 2, relative)
    scores = attention_scores.reference(q, k, offsets, len(pairs), 2, 0.7, relative)
    found = attention.reference(q, k, v, offsets, 2, 0.7, relative=relative)
    assert scores.dtype == found.dtype == np.dtype(dtype)
    np.testing.assert_allclose(scores, pairs, **TOLERANCE[dtype])
    np.testing.assert_allclose(found, context, **TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("by_key", [False, True])
@pytest.mark.parametrize("rows", [[1], [0, 2, 1], [3, 3, 0, 1, 2, 0, 3], [0, 1, 2] * 5], ids=str)
@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
def test_scores_with_vectors_of_distances(
    lengths: list[int], rows: list[int], by_key: bool, dtype: str
) -> None:
    offsets, most = offsets_of(lengths), len(rows) // 2
    x, table = _random((sum(lengths), 6), dtype), _random((4, 6), dtype, seed=1)
    expected = []
    for start, stop in pairwise(offsets.tolist()):
        for i, j in np.ndindex(stop - start, stop - start):
            row = rows[max(-most, min(most, j - i)) + most]
            products = x[start + (j if by_key else i)].astype(float) * table[row]
            expected.append(0.3 * products.reshape(2, 3).sum(axis=1))
    found = distance_scores.reference(
        x, table, np.array(rows), offsets, len(expected), 2, 0.3, by_key
    )
    assert found.dtype == np.dtype(dtype)
    np.testing.assert_allclose(found, np.reshape(expected, (-1, 2)), **TOLERANCE[dtype])


@pytest.mark.parametrize("reach", [0, 1, 4])
def test_a_window_is_a_table_of_zeros_between_infinities(reach: int) -> None:
    offsets = offsets_of([9, 1, 3])
    q, k, v = _random((3, 13, 8))
    window = np.zeros((1, 2 * reach + 3), np.float32)
    window[0, [0, -1]] = -np.inf
    found = attention.reference(q, k, v, offsets, 2, 0.7, relative=window)
    for start, stop in pairwise(offsets.tolist()):
        for i in range(start, stop):
            near = slice(max(start, i - reach), min(stop, i + reach + 1))
            rows = np.array([0, near.stop - near.start])
            alone = attention.reference(
                np.repeat(q[i : i + 1], rows[1], axis=0), k[near], v[near], rows, 2, 0.7
            )
            np.testing.assert_allclose(found[i], alone[0], **TOLERANCE["float32"])


def test_causal_attention_is_a_table_of_distances() -> None:
    offsets = offsets_of([5, 1, 3])
    q, k, v = _random((3, 9, 8))
    table = np.array([[0, 0, -np.inf]], np.float32)
    found = attention.reference(q, k, v, offsets, 2, 0.7, relative=table)
    expected = attention.reference(q, k, v, offsets, 2, 0.7, causal=True)
    np.testing.assert_allclose(found, expected, **TOLERANCE["float32"])


def test_a_mask_and_distances() -> None:
    offsets = offsets_of([5, 2])
    q, k, v = _random((3, 7, 8))
    relative, mask = _random((2, 5), seed=1), np.array([1, 0, 1, 1, 0, 1, 1], bool)
    found = attention.reference(q, k, v, offsets, 2, 0.7, False, mask, None, relative)
    for start, stop in pairwise(offsets.tolist()):
        kept = np.flatnonzero(mask[start:stop])
        part = (x[start:stop] for x in (q, k, v))
        pairs, _ = _by_distance(*part, np.array([0, stop - start]), 2, relative)
        scores = pairs.reshape(stop - start, stop - start, 2)[:, kept]
        weights = np.exp(scores - scores.max(axis=1, keepdims=True))
        weights /= weights.sum(axis=1, keepdims=True)
        by_head = v[start:stop].reshape(-1, 2, 4)[kept]
        expected = np.einsum("qkh,khd->qhd", weights, by_head).reshape(-1, 8)
        np.testing.assert_allclose(found[start:stop], expected, **TOLERANCE["float32"])


@pytest.mark.parametrize("heads", [1, 2])
def test_attention_over_column_slices_changes_nothing(heads: int) -> None:
    offsets = offsets_of([4, 1, 1, 3])
    merged = _random((9, 3 * 6))
    before = merged.copy()
    q, k, v = merged[:, :6], merged[:, 6:12], merged[:, 12:]
    found = attention.reference(q, k, v, offsets, heads, (6 // heads) ** -0.5)
    expected = _attention(q, k, v, offsets, heads)
    np.testing.assert_array_equal(merged, before)
    np.testing.assert_allclose(found, expected, **TOLERANCE["float32"])


@pytest.mark.parametrize("heads", [1, 2])
@pytest.mark.parametrize("lengths", [[1, 1], [5], [1, 3]], ids=str)
def test_attention_over_one_array_changes_nothing(lengths: list[int], heads: int) -> None:
    # One head, or one row, is contiguous as it lies: it must be copied before it is scaled.
    x = _random((sum(lengths), 4))
    before = x.copy()
    offsets = offsets_of(lengths)
    found = attention.reference(x, x, x, offsets, heads, (4 // heads) ** -0.5)
    np.testing.assert_array_equal(x, before)
    np.testing.assert_allclose(found, _attention(x, x, x, offsets, heads), **TOLERANCE["float32"])


def test_attention_takes_long_runs_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    lengths = [3] * 7 + [5] * 4
    offsets = offsets_of(lengths)
    q, k, v = _random((3, sum(lengths), 8))
    whole = attention.reference(q, k, v, offsets, 2, 0.5)
    for nbytes in (1, 2 * 9 * 4 * 2, 2 * 9 * 4 * 3 + 1):
        monkeypatch.setattr(attention_module, "SCORES_NBYTES", nbytes)
        np.testing.assert_array_equal(attention.reference(q, k, v, offsets, 2, 0.5), whole)


@pytest.mark.parametrize("size", [1e-20, 1e4])
def test_softmax_of_extreme_scores_does_not_overflow(size: float) -> None:
    offsets = offsets_of([3, 2])
    scores = np.array(
        [[s * size] for s in (1, -1, 0, -1, -1, -1, 1, 1, 0, 1, -1, 0, 0)], np.float32
    )
    with np.errstate(over="raise", invalid="raise"):
        found = pair_softmax.reference(scores, offsets)
        q = np.array([[1.0], [-1.0], [1.0], [1.0], [0.0]], np.float32) * np.float32(size)
        attended = attention.reference(q, np.abs(q), q / np.float32(size), offsets, 1, 1.0)
    groups = [scores[:3], scores[3:6], scores[6:9], scores[9:11], scores[11:]]
    expected = []
    for group in groups:
        e = np.exp(group.astype(float) - group.max())
        expected.append(e / e.sum())
    np.testing.assert_allclose(found, np.concatenate(expected), rtol=1e-6)
    assert np.isfinite(attended).all()
    assert np.abs(attended).max() <= 1


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_bad_row_spoils_its_sequence_only(bad: float) -> None:
    offsets = offsets_of([2, 2, 3])
    q, k, v = _random((3, 7, 4))
    k[2, 0] = bad
    with np.errstate(invalid="ignore"):
        found = attention.reference(q, k, v, offsets, 1, 0.5)
        pairs = attention_scores.reference(q, k, offsets, 17, 1, 0.5)
        weights = pair_softmax.reference(pairs, offsets)
        in_pairs = attention_context.reference(weights, v, offsets)
    fine = [0, 1, 4, 5, 6]
    np.testing.assert_allclose(found[fine], _attention(q, k, v, offsets, 1)[fine], atol=1e-6)
    np.testing.assert_allclose(in_pairs, found, rtol=1e-5, atol=1e-6)
    if np.isnan(bad):
        assert np.isnan(found[2:4]).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("heads", [1, 3])
@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
def test_relational_attention(lengths: list[int], heads: int, dtype: str) -> None:
    offsets = offsets_of(lengths)
    q, k, v = _random((3, sum(lengths), heads * 2), dtype)
    kept = [x.copy() for x in (q, k, v)]
    pairs = sum(n * n for n in lengths)
    scores = attention_scores.reference(q, k, offsets, pairs, heads, 2**-0.5)
    expected = _scores(q, k, offsets, heads, 2**-0.5)
    np.testing.assert_allclose(scores, expected, **TOLERANCE[dtype])
    stored = scores.copy()
    weights = pair_softmax.reference(scores, offsets)
    np.testing.assert_array_equal(scores, stored)
    context = attention_context.reference(weights, v, offsets)
    np.testing.assert_allclose(context, _attention(q, k, v, offsets, heads), **TOLERANCE[dtype])
    for x, before in zip((q, k, v), kept, strict=True):
        np.testing.assert_array_equal(x, before)
    assert {scores.dtype, weights.dtype, context.dtype} == {np.dtype(dtype)}


@settings(max_examples=40)
@given(lengths_lists, st.integers(1, 3), st.integers(1, 3), st.integers(0, 99))
def test_both_forms_of_attention_agree(lengths: list[int], heads: int, d: int, seed: int) -> None:
    offsets = offsets_of(lengths)
    q, k, v = _random((3, sum(lengths), heads * d), "float64", seed)
    pairs = sum(n * n for n in lengths)
    scores = attention_scores.reference(q, k, offsets, pairs, heads, 0.7)
    weights = pair_softmax.reference(scores, offsets)
    found = attention_context.reference(weights, v, offsets)
    expected = attention.reference(q, k, v, offsets, heads, 0.7)
    np.testing.assert_allclose(found, expected, **TOLERANCE["float64"])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", POOLINGS)
@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
def test_pool(lengths: list[int], kind: str, dtype: str) -> None:
    offsets = offsets_of(lengths)
    x = _random((sum(lengths), 5), dtype)
    kept = x.copy()
    expected = reference_encoder.pool(x.astype(np.float64), offsets, kind)
    found = pool.reference(x, offsets, kind, None)
    assert found.dtype == np.dtype(dtype)
    np.testing.assert_allclose(found, expected, **TOLERANCE[dtype])
    unit = pool.reference(x, offsets, kind, 1e-12)
    np.testing.assert_allclose(
        unit, reference_encoder.normalize(expected, 1e-12), **TOLERANCE[dtype]
    )
    np.testing.assert_array_equal(x, kept)


@pytest.mark.parametrize("kind", ["mean", "max"])
def test_pool_hands_nan_on(kind: str) -> None:
    x = _random((5, 2))
    x[1, 0] = np.nan
    found = pool.reference(x, offsets_of([3, 2]), kind, None)
    assert np.isnan(found).tolist() == [[True, False], [False, False]]


def test_mean_of_a_long_sequence() -> None:
    x = 100 + _random((20_000, 3))
    found = pool.reference(x, offsets_of([20_000]), "mean", None)
    # Rows are added one after the other: at worst n/2 roundings, in practice about √n of them.
    np.testing.assert_allclose(found[0], x.astype(np.float64).mean(0), rtol=1e-4)
