"""States of parts of a line: merged over any cut they are the state of the whole line."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpudb.kernels.argmax_axis import argmax_axis
from gpudb.kernels.merge_argmax import merge_argmax
from gpudb.kernels.merge_moments import merge_moments
from gpudb.kernels.merge_parts import merge_parts
from gpudb.kernels.merge_softmax import merge_softmax
from gpudb.kernels.moments import moments
from gpudb.kernels.reduce_axis import FUNCTIONS, reduce_axis
from gpudb.kernels.softmax_state import softmax_state
from tests.kernels.kernel_calls import calls

BLOCK = 5
OVERWRITES = {"bias_activation", "clear_tail"}
"""Kernels that say so."""


@st.composite
def lines(draw: Any) -> tuple[Any, Any, Any]:
    """Two lines, each in blocks of up to 5 elements: (elements by line, blocks, lengths)."""
    parts = draw(st.lists(st.integers(1, BLOCK), min_size=1, max_size=5))
    random = np.random.default_rng(draw(st.integers(0, 2**16)))
    whole = random.standard_normal((2, sum(parts))) * draw(st.sampled_from([1, 1e4, 1e150]))
    blocks = np.zeros((2, len(parts), BLOCK))
    for number, (start, length) in enumerate(zip(np.cumsum([0, *parts]), parts, strict=False)):
        blocks[:, number, :length] = whole[:, start : start + length]
    return whole, blocks.reshape(-1, BLOCK), np.array(parts * 2)


def _starts(lengths: Any) -> Any:
    return np.array([0, len(lengths) // 2])


@settings(max_examples=100)
@given(lines(), st.sampled_from(["sum", "mean", "max", "min", "norm"]))
def test_parts(case: tuple[Any, Any, Any], fn: str) -> None:
    whole, blocks, lengths = case
    parts = reduce_axis.reference(blocks, lengths, 0, fn)
    found = merge_parts.reference(parts, lengths, _starts(lengths), fn, whole.shape[1])
    expected = FUNCTIONS[fn](whole, 1)
    scale = np.abs(whole).max()
    np.testing.assert_allclose(found / scale, expected / scale, rtol=1e-12, atol=1e-12)


@settings(max_examples=100)
@given(lines())
def test_moments(case: tuple[Any, Any, Any]) -> None:
    whole, blocks, lengths = case
    whole, blocks = whole + 1e3, blocks + 1e3  # padding is no zero, and takes no part
    states = moments.reference(blocks, lengths, 0)
    found = merge_moments.reference(states, lengths, _starts(lengths))
    np.testing.assert_allclose(found[:, 0], whole.mean(1), rtol=1e-12)
    expected = whole.var(1) * whole.shape[1]
    np.testing.assert_allclose(found[:, 1], expected, rtol=1e-9, atol=1e-8)


@settings(max_examples=100)
@given(lines())
def test_softmax(case: tuple[Any, Any, Any]) -> None:
    whole, blocks, lengths = case
    states = softmax_state.reference(blocks, lengths)
    found = merge_softmax.reference(states, _starts(lengths))
    np.testing.assert_array_equal(found[:, 0], whole.max(1))
    expected = np.exp(whole - whole.max(1, keepdims=True)).sum(1)
    np.testing.assert_allclose(found[:, 1], expected, rtol=1e-12)


@settings(max_examples=100)
@given(lines(), st.integers(1, 3))
def test_argmax(case: tuple[Any, Any, Any], values: int) -> None:
    whole, blocks, lengths = case
    whole, blocks = whole % values // 1, blocks % values // 1  # many ties
    positions = argmax_axis.reference(blocks, lengths, 0)
    largest = reduce_axis.reference(blocks, lengths, 0, "max")
    parts = len(lengths) // 2
    firsts = np.concatenate([np.cumsum([0, *lengths[: parts - 1]])] * 2)
    found = merge_argmax.reference(positions, largest, firsts, 2)
    np.testing.assert_array_equal(found, whole.argmax(1))


@pytest.mark.parametrize("name", sorted(set(calls()) - OVERWRITES))
def test_kernels_leave_their_arguments_alone(name: str) -> None:
    kernel = getattr(import_module(f"gpudb.kernels.{name}"), name)
    for arguments, kept in zip(calls()[name], calls()[name], strict=True):
        kernel.reference(*arguments)
        for found, expected in zip(_arrays(arguments), _arrays(kept), strict=True):
            np.testing.assert_array_equal(found, expected)


def _arrays(arguments: Any) -> list[Any]:
    flat = [b for a in arguments for b in (a if isinstance(a, list) else [a])]
    return [a for a in flat if isinstance(a, np.ndarray)]
