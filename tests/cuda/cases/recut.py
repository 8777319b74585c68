"""Some blocks in some others: all of them, few, none; old blocks that are missing; padding."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from gpudb.kernels.reblock import cut
from gpudb.kernels.recut import recut
from tests.cuda.cases.case import STORED, Case
from tests.cuda.cases.values import EXTREMES, normal, numbers

ALL = (*STORED, "float64")
KEYS = frozenset({1, 2})
"""Come on the host."""


def keys(extent: tuple[int, ...], block: tuple[int, ...]) -> Any:
    """Of the full grid."""
    grid = tuple(-(-e // b) for e, b in zip(extent, block, strict=True))
    return np.stack(np.unravel_index(np.arange(prod(grid)), grid), axis=1).astype(np.int32)


def case(
    extent: tuple[int, ...],
    block: tuple[int, ...],
    new_block: tuple[int, ...],
    old: slice = slice(None),
    new: slice = slice(None),
    **kwargs: Any,
) -> Case:
    given, wanted = keys(extent, block)[old], keys(extent, new_block)[new]
    chosen = [f"{part.start}:{part.stop}:{part.step}" for part in (old, new)]
    label = f"{extent} of {block} in {new_block}, {' in '.join(chosen)}"
    args = (cut(normal(*extent), block)[old], given, wanted, extent, block, new_block)
    return Case(recut, label, args, exact=True, host=KEYS, **kwargs)


BACKWARDS = slice(None, None, -1)
CASES = [
    *(
        case((5, 7), block, new_block, old, new)
        for block, new_block in (((2, 3), (4, 4)), ((9, 9), (1, 7)), ((1, 1), (5, 7)))
        for old, new in (
            (slice(None), slice(None)),
            (BACKWARDS, slice(0, None, 2)),
            (slice(1, None, 2), BACKWARDS),
            (slice(0), slice(None)),
            (slice(None), slice(0)),
        )
    ),
    case((64, 96), (16, 32), (32, 16), slice(1, None), slice(0, None, 3), dtypes=ALL),
    case((33, 65), (16, 32), (32, 16), slice(1, None), dtypes=ALL),
    case((33, 65), (31, 33), (32, 64), BACKWARDS, dtypes=ALL),
    case((20, 48), (3, 48), (7, 48), slice(0, None, 2), BACKWARDS, dtypes=ALL),
    case((5, 4, 3, 8), (2, 4, 3, 8), (3, 4, 3, 8), slice(1, None), dtypes=ALL),
    case((3, 4, 3, 4, 3, 4), (2, 3, 2, 3, 2, 3), (3, 2, 3, 2, 3, 2), BACKWARDS),
    Case(
        recut,
        "extremes",
        (
            EXTREMES.reshape(5, 2, 8),
            keys((10, 8), (2, 8)),
            keys((10, 8), (3, 4))[1:],
            (10, 8),
            (2, 8),
            (3, 4),
        ),
        ALL,
        exact=True,
        host=KEYS,
    ),
    *(
        Case(
            recut,
            kind,
            (
                numbers(100, 4, 16, 16).astype(kind),
                keys((32, 32), (16, 16)),
                keys((32, 32), (8, 32))[2:],
                (32, 32),
                (16, 16),
                (8, 32),
            ),
            exact=True,
            host=KEYS,
        )
        for kind in ("int64", "int32", "int8")
    ),
]
