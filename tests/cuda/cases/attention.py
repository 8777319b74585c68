"""Head widths around a warp and a pack; lengths around a tile; slices, masks, biases, extremes."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.kernels.attention import attention
from tests.cuda.cases.case import REAL, STORED, TOLERANCES, Case
from tests.cuda.cases.values import INF, NAN, columns, normal, numbers, offsets

ALL = (*STORED, "float64")
WIDTHS = (1, 8, 16, 24, 32, 33, 48, 64, 80, 96, 128)
LENGTHS: tuple[list[int], ...] = ([], [0], [1], [3, 0, 1, 2], [31, 32, 33], [100], [70, 1])
SOME = [3, 0, 9, 1, 34]
FEW_BLOCKS = (32, 256)
DISTANCES = np.arange(-10, 11)

# A score of s is off by a few roundings of s, in float32 6e-8 · s each, and exp makes an error of
# the weight of it that is as large, in relative terms.
LARGE_SCORES = TOLERANCES | {"float32": 1e-5}
HUGE_SCORES = TOLERANCES | {"float32": 1e-4, "float64": 1e-11}


def _sliced(lengths: list[int], heads: int, width: int) -> tuple[Any, ...]:
    """q, k and v side by side in one array, as one product with all three weights leaves them."""
    w = heads * width
    x = normal(sum(lengths), 3 * w)
    parts = (columns(x, i * w, (i + 1) * w) for i in range(3))
    return (*parts, offsets(*lengths), heads, width**-0.5)


def _apart(n: int, width: int, *lengths: int) -> list[Any]:
    """One head; q, k and v in arrays of their own, of ``n`` rows."""
    return [*(normal(n, width, seed=i) for i in range(3)), offsets(*lengths), 1, width**-0.5]


def _with(place: int, row: int, value: float) -> tuple[Any, ...]:
    """A row of q, k or v is ``value``."""
    args = _apart(40, 8, 3, 35, 2)
    args[place][row] = value
    return tuple(args)


def _masked(n: int, *left_out: int) -> Any:
    mask = np.ones(n, bool)
    mask[list(left_out)] = False
    return mask


def _poisoned() -> tuple[Any, ...]:
    """Keys and values that take no part are NaN and infinite."""
    args = _apart(40, 16, 3, 35, 2)
    args[1][[2, 20]] = NAN
    args[2][[2, 20]] = INF
    return (*args, False, _masked(40, 2, 20))


def _large_scores() -> tuple[Any, ...]:
    """Scores of some ±10⁴, far enough from each other that one key has all the weight."""
    signs = np.where(numbers(2, 40, 8), 1.0, -1.0) * 2.0 ** np.arange(8)
    return (signs * 8, signs, normal(40, 8), offsets(3, 35, 2), 1, 0.25)


def _by_distance(lengths: list[int], width: int, relative: Any, *rest: Any) -> tuple[Any, ...]:
    """Two heads, and numbers by distance; ``rest`` are causal, mask and bias."""
    return (*_sliced(lengths, 2, width), *(rest or (False, None, None)), relative)


def _window(reach: int) -> Any:
    """Zeros for distances of up to ``reach``, between infinities."""
    return np.pad(np.zeros((1, 2 * reach + 1)), ((0, 0), (1, 1)), constant_values=-INF)


CASES = [
    *(
        Case(attention, f"width {width}", _sliced(SOME, 2, width), ALL, block_sizes=FEW_BLOCKS)
        for width in WIDTHS
    ),
    *(
        Case(attention, f"lengths {lengths}", _sliced(lengths, heads, 8))
        for lengths in LENGTHS
        for heads in (1, 2)
    ),
    Case(attention, "12 heads", _sliced([5, 40], 12, 32), STORED, block_sizes=()),
    Case(attention, "heads of 256", _sliced([3, 9], 1, 256), STORED, block_sizes=FEW_BLOCKS),
    Case(attention, "heads of 160", _sliced([3, 9], 1, 160), REAL, block_sizes=FEW_BLOCKS),
    Case(attention, "three arrays", tuple(_apart(50, 24, 20, 30)), ALL),
    Case(attention, "rows behind the last sequence", tuple(_apart(80, 8, 3, 9)), REAL),
    Case(attention, "rows and no sequences", tuple(_apart(40, 8)), REAL),
    *(
        Case(attention, f"causal, width {width}", (*_sliced([3, 70, 1, 33], 2, width), True), ALL)
        for width in (8, 33)
    ),
    *(
        Case(
            attention,
            f"some keys, {'causal' if causal else 'both ways'}",
            (*_sliced([3, 70, 1], 2, 16), causal, numbers(2, 74) > 0),
            ALL,
        )
        for causal in (False, True)
    ),
    Case(
        attention,
        "no keys, or none in the first tile",
        (*_sliced([3, 40, 2], 1, 8), False, _masked(45, *range(3), *range(3, 40))),
        REAL,
    ),
    Case(attention, "what takes no part is not finite", _poisoned(), REAL),
    *(
        Case(
            attention,
            f"bias, width {width}",
            (*_sliced(SOME, 2, width), False, None, normal(6 * width)),
            ALL,
            block_sizes=FEW_BLOCKS,
        )
        for width in (7, 8, 64)
    ),
    Case(
        attention,
        "bias, mask and causal",
        (*_sliced(SOME, 2, 24), True, numbers(2, sum(SOME)) > 0, normal(144)),
        ALL,
    ),
    *(
        Case(
            attention,
            f"distances up to {most}, {heads} heads of numbers, width {width}",
            _by_distance([3, 0, 70, 1, 33], width, normal(heads, 2 * most + 1)),
            dtypes,
            block_sizes=FEW_BLOCKS,
        )
        for width, heads, most, dtypes in (
            (8, 1, 0, REAL),
            (8, 2, 69, REAL),
            (33, 2, 1, ALL),
            (33, 1, 32, ALL),
            (33, 2, 100, REAL),
        )
    ),
    *(
        Case(attention, f"window of {reach}", _by_distance([3, 70, 1, 33], 8, _window(reach)), REAL)
        for reach in (0, 31, 40)
    ),
    *(
        Case(
            attention, f"a window, open {name}", _by_distance([3, 170, 33], 8, numbers, *rest), REAL
        )
        for name, numbers, rest in (
            ("to the left", np.where(DISTANCES > 9, -INF, normal(1, 21)), ()),
            ("to the right", np.where(DISTANCES < -9, -INF, normal(1, 21)), ()),
            ("to no side", _window(9), ()),
            ("to no side, causal", _window(9), (True, None, None)),
            ("to no side, some keys", _window(9), (False, _masked(206, *range(3, 60)), None)),
        )
    ),
    Case(attention, "nothing in reach", _by_distance([3, 70], 8, np.full((2, 3), -INF)), REAL),
    Case(
        attention,
        "distances, bias, mask and causal",
        _by_distance(SOME, 24, normal(2, 9), True, numbers(2, sum(SOME)) > 0, normal(144)),
        ALL,
    ),
    *(
        Case(attention, f"{value} in {'qkv'[place]}", _with(place, row, value), REAL)
        for place, row, value in (
            (0, 20, NAN),
            (0, 20, INF),
            (1, 37, NAN),
            (1, 3, INF),
            (1, 20, -INF),
            (2, 20, NAN),
            (2, 37, -INF),
        )
    ),
    Case(
        attention,
        "scores of ten",
        (*(normal(60, 64, seed=i) * 1.8 for i in range(2)), normal(60, 64), offsets(60), 1, 0.125),
        REAL,
        tolerances=LARGE_SCORES,
    ),
    Case(attention, "scores of ten thousand", _large_scores(), REAL, tolerances=HUGE_SCORES),
    Case(
        attention,
        "equal scores",
        (np.zeros((50, 8)), normal(50, 8), normal(50, 8) * 1e4, offsets(50), 1, 1.0),
        REAL,
        scale=1e4,
    ),
]
