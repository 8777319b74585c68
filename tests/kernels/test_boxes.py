"""Boxes with fewer axes read and write the same elements in the same order."""

from __future__ import annotations

import re
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpudb import kernels
from gpudb.errors import DeviceError
from gpudb.kernels.boxes import (
    LEAST_TILED,
    MAX_AXES,
    TILE,
    Box,
    box,
    contiguous_steps,
    spread_steps,
    tiles,
)
from gpudb.kernels.cuts import merged


@st.composite
def permuted(
    draw: st.DrawFn, largest: int = 4, axes: int = 4
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    shape = tuple(draw(st.lists(st.integers(1, largest), min_size=1, max_size=axes)))
    return shape, tuple(draw(st.permutations(range(len(shape)))))


def places(extents: tuple[int, ...], steps: tuple[int, ...]) -> Any:
    """Where each element of a box is read, in order."""
    indices = np.indices(extents).reshape(len(extents), prod(extents))
    return np.array(steps) @ indices


@given(permuted())
def test_fewer_axes_read_the_same_elements(case: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    shape, order = case
    x = np.arange(prod(shape)).reshape(shape)
    steps = contiguous_steps(shape)
    found = box([shape[a] for a in order], [steps[a] for a in order])
    np.testing.assert_array_equal(places(found.extents, *found.steps), x.transpose(order).ravel())
    assert found.axes <= max(1, sum(extent > 1 for extent in shape))


@given(permuted(largest=20, axes=3))
def test_tiles_read_and_write_the_same_elements(
    case: tuple[tuple[int, ...], tuple[int, ...]],
) -> None:
    shape, order = case
    x = np.arange(prod(shape)).reshape(shape)
    steps = contiguous_steps(shape)
    whole = box([shape[a] for a in order], [steps[a] for a in order])
    through = tiles(whole)
    if through is None:
        assert x.size == 1 or whole.steps[0][-1] == 1 or _shorter_side(whole) < LEAST_TILED
        return
    out = np.empty(x.size, x.dtype)
    rows, columns = np.ogrid[: through.rows, : through.columns]
    read, written = (places(through.outer.extents, s) for s in through.outer.steps)
    to_row = rows // through.inner * through.to_outer + rows % through.inner * through.to_row
    for start, to in zip(read, written, strict=True):
        out[to + to_row + columns] = x.ravel()[start + columns * through.from_column + rows]
    np.testing.assert_array_equal(out, x.transpose(order).ravel())


def _shorter_side(whole: Box) -> int:
    """Of the axes along which neighbours are read, and are written."""
    return min(whole.extents[-1], whole.extents[whole.steps[0].index(1)])


def test_axes_that_follow_each_other_are_one() -> None:
    assert box((8, 64, 384), contiguous_steps((8, 64, 384))) == Box((196608,), ((1,),))
    kept = box((2, 3, 4), (12, 4, 1), (0, 4, 1))
    assert kept == Box((2, 12), ((12, 1), (0, 1)))


def test_a_single_element_is_a_box_of_one_axis() -> None:
    assert box((), ()) == box((1, 1), (1, 1)) == Box((1,), ((0,),))


def test_axes_that_repeat_have_steps_of_0() -> None:
    assert spread_steps((3, 1, 4), (None, 0, 1, 2)) == (0, 4, 0, 1)


@pytest.mark.parametrize(
    ("extents", "steps", "packed"),
    [
        ((3, 8), (8, 1), True),
        ((3, 6), (6, 1), False),
        ((3, 8), (6, 1), False),
        ((3, 8), (8, 0), True),
        ((3, 8), (1, 3), False),
    ],
)
def test_whole_vectors_lie_together(
    extents: tuple[int, ...], steps: tuple[int, ...], packed: bool
) -> None:
    assert Box(extents, (steps,)).is_packed(4) is packed


def test_nine_axes_that_do_not_follow_each_other_are_an_error() -> None:
    shape = (2,) * (MAX_AXES + 1)
    with pytest.raises(DeviceError, match="still has 9 axes"):
        box(shape, contiguous_steps(shape)[::-1])
    with pytest.raises(DeviceError, match="cut along 9 axes"):
        merged(shape, (1,) * 9, (2,) * 9)


def test_an_axis_that_nothing_cuts_goes_with_the_one_before() -> None:
    cuts, kept = merged((5, 4, 6, 7), (2, 4, 3, 7), (3, 4, 6, 7))
    assert (cuts.extent, cuts.block, cuts.new_block) == ((20, 42), (8, 21), (12, 42))
    assert kept == [0, 2]
    assert cuts.grid == (3, 2)


@pytest.mark.parametrize(
    ("header", "name", "value"), [("boxes", "MAX_AXES", MAX_AXES), ("tiles", "TILE", TILE)]
)
def test_numbers_are_the_same_in_cuda(header: str, name: str, value: int) -> None:
    text = Path(kernels.__file__).with_name(f"{header}.cuh").read_text(encoding="utf-8")
    assert re.findall(rf"#define {name} (\d+)", text) == [str(value)]
