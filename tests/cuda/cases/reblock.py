"""Blocks that grow, shrink, cut anew or stay; padding old and new; axes that nothing cuts."""

from __future__ import annotations

from typing import Any

from gpudb.kernels.reblock import cut, reblock
from tests.cuda.cases.case import STORED, Case
from tests.cuda.cases.values import EXTREMES, NAN, normal, numbers

ALL = (*STORED, "float64")


def case(
    extent: tuple[int, ...], block: tuple[int, ...], new_block: tuple[int, ...], **kwargs: Any
) -> Case:
    label = f"{extent} of {block} in {new_block}"
    args = (cut(normal(*extent), block), extent, block, new_block)
    return Case(reblock, label, args, exact=True, **kwargs)


def padded_with_nan() -> Any:
    """Two blocks of 4×8, of which the first 5 columns are there."""
    x = normal(2, 4, 8)
    x[:, :, 5:] = NAN
    return x


CASES = [
    *(
        case(extent, block, new_block)
        for extent in ((5, 7), (3, 0), (0, 3), (1, 1))
        for block, new_block in (((2, 3), (4, 4)), ((9, 9), (1, 7)), ((1, 1), (5, 7)))
    ),
    case((64, 96), (16, 32), (32, 16), dtypes=ALL),
    case((33, 65), (16, 32), (32, 16), dtypes=ALL),
    case((33, 65), (31, 33), (32, 64), dtypes=ALL),
    case((20, 48), (3, 48), (7, 48), dtypes=ALL),
    case((5, 4, 3, 8), (2, 4, 3, 8), (3, 4, 3, 8), dtypes=ALL),
    case((5, 48), (2, 6), (3, 16)),
    case((2, 3, 4), (2, 3, 4), (1, 3, 2)),
    case((6,), (4,), (4,)),
    case((0,), (0,), (0,)),
    case((0, 4), (0, 2), (0, 4)),
    case(
        (3, 4, 3, 4, 3, 4, 3, 4),
        (2, 3, 2, 3, 2, 3, 2, 3),
        (3, 2, 3, 2, 3, 2, 3, 2),
        block_sizes=(32, 256),  # its registers are too many for 1,024 threads
    ),
    Case(
        reblock,
        "padding that is not zero",
        (padded_with_nan(), (8, 5), (4, 8), (3, 4)),
        exact=True,
    ),
    Case(reblock, "extremes", (EXTREMES[None], (10, 8), (10, 8), (3, 4)), ALL, exact=True),
    *(
        Case(
            reblock,
            kind,
            (numbers(100, 4, 16, 16).astype(kind), (32, 32), (16, 16), (8, 32)),
            exact=True,
        )
        for kind in ("int64", "int32", "int8")
    ),
]
